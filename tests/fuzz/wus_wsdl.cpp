// The documents of a WUS service: a bundle in its packed form, or one WSDL by itself. What is accepted is accepted again after packing, is
// published, and validates what its own fuzzed octets say.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wus/wsdl.hpp"

using namespace schakel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  auto unpacked = wus::unpack(input);
  if (unpacked && wus::pack(*unpacked) != input) std::abort();
  const auto bundle = unpacked ? std::move(*unpacked) : wus::Bundle{"service.wsdl", {{"service.wsdl", std::string(input)}}};
  const auto import = wus::import_wsdl(bundle, false);
  if (!import.wsdl) {
    if (import.findings.empty()) std::abort();
    return 0;
  }
  if (!import.ok()) return 0;
  for (const auto& operation : import.wsdl->operations)
    if (operation.input.name.empty() || operation.output.name.empty() || operation.input_action.empty()) std::abort();
  for (const auto& [name, text] : bundle.documents) {
    if (!wus::published_document(bundle, name, "https://x.example/wus/x")) std::abort();
    const auto document = xml::Document::parse(text, {});
    if (!document || !import.wsdl->schema) continue;
    (void)import.wsdl->schema->validate(document->root());
    (void)import.wsdl->schema->binary_elements(document->root());
  }
  return 0;
}
