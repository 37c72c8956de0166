// The official schemas of ebMS2, in libxml2's own validator.
#pragma once

#include <gtest/gtest.h>
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>

#include <string>

namespace schakel::ebms::testing {

class OfficialSchema {
 public:
  OfficialSchema() {
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(SCHAKEL_SOURCE_DIR "/../shared/standards/ebms/xsd/msg-header-2_0.xsd");
    xmlSchemaSetParserErrors(parser, nullptr, nullptr, nullptr);
    schema_ = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
  }
  ~OfficialSchema() { xmlSchemaFree(schema_); }
  bool loaded() const { return schema_ != nullptr; }
  bool accepts(const std::string& text) const {
    xmlDocPtr doc = xmlReadMemory(text.data(), static_cast<int>(text.size()), "m.xml", nullptr,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!doc) return false;
    xmlSchemaValidCtxtPtr validator = xmlSchemaNewValidCtxt(schema_);
    last_.clear();
    xmlSchemaSetValidStructuredErrors(
        validator, [](void* self, xmlErrorPtr error) { static_cast<std::string*>(self)->append(error->message ? error->message : ""); },
        &last_);
    const bool valid = xmlSchemaValidateDoc(validator, doc) == 0;
    xmlSchemaFreeValidCtxt(validator);
    xmlFreeDoc(doc);
    return valid;
  }
  const std::string& last() const { return last_; }

 private:
  xmlSchemaPtr schema_ = nullptr;
  mutable std::string last_;
};

}  // namespace schakel::ebms::testing

#define NEEDS_STANDARDS()                                \
  const schakel::ebms::testing::OfficialSchema official; \
  if (!official.loaded()) GTEST_SKIP() << "the official schemas are not beside the repository (../shared/standards)"
