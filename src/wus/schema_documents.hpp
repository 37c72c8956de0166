// The schemas of a bundle, arranged for a compiler that can only load by address: what each imports and includes is rewritten to addresses
// of texts in memory, and nothing else can be named any more (WUS-051).
//
// libxml2 takes one document per namespace from imports and skips the others. So every namespace gets one document that includes all those
// that were imported for it, and all imports of the namespace name that one; also imports without a schemaLocation, as between the schemas
// of one wsdl:types.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "wus/bundle.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

struct SchemaDocument {
  std::string name;  // in the bundle
  xml::Document document;
  std::string target_namespace;
  // What its declarations belong to: the target namespace; without one, also those of the documents that include it.
  std::set<std::string> namespaces;
};

struct SchemaSet {
  std::vector<SchemaDocument> documents;
  std::map<std::string, std::string, std::less<>> texts;  // address -> what the compiler reads
  std::string main;                                       // the text that imports every namespace of the roots

  // The name of the document behind an address; empty: one that was made here.
  std::string name_of(std::string_view address) const;
};

// Errors: those of Schema::compile.
Result<SchemaSet> arrange_schemas(const Documents&, const std::vector<std::string>& roots);

}  // namespace schakel::wus
