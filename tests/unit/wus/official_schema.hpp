// The official schemas of SOAP, WS-Addressing, WS-Security, XML Signature and XML Encryption, in libxml2's own validator.
#pragma once

#include <gtest/gtest.h>
#include <libxml/catalog.h>
#include <libxml/parser.h>
#include <libxml/xmlIO.h>
#include <libxml/xmlschemas.h>

#include <string>

namespace schakel::wus::testing {

class OfficialSchema {
 public:
  OfficialSchema() {
    xmlSetExternalEntityLoader(xmlNoNetExternalEntityLoader);
    xmlLoadCatalog(SCHAKEL_SOURCE_DIR "/../shared/standards/wus/xsd/catalog.xml");
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(SCHAKEL_SOURCE_DIR "/../shared/standards/wus/xsd/wus-all.xsd");
    xmlSchemaSetParserErrors(parser, ignored, ignored, nullptr);
    schema_ = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
  }
  ~OfficialSchema() { xmlSchemaFree(schema_); }
  OfficialSchema(const OfficialSchema&) = delete;
  OfficialSchema& operator=(const OfficialSchema&) = delete;

  bool loaded() const { return schema_ != nullptr; }
  bool accepts(const std::string& text) const {
    xmlDocPtr doc = xmlReadMemory(text.data(), static_cast<int>(text.size()), "m.xml", nullptr,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE);
    if (!doc) return false;
    xmlSchemaValidCtxtPtr validator = xmlSchemaNewValidCtxt(schema_);
    said_.clear();
    xmlSchemaSetValidStructuredErrors(
        validator, [](void* self, xmlErrorPtr error) { static_cast<std::string*>(self)->append(error->message ? error->message : ""); },
        &said_);
    const bool valid = xmlSchemaValidateDoc(validator, doc) == 0;
    xmlSchemaFreeValidCtxt(validator);
    xmlFreeDoc(doc);
    return valid;
  }
  const std::string& said() const { return said_; }

 private:
  static void ignored(void*, const char*, ...) {}

  xmlSchemaPtr schema_ = nullptr;
  mutable std::string said_;
};

}  // namespace schakel::wus::testing
