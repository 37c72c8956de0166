// Canonical forms of whatever the parser accepts: those of libxml2, octet for octet. The first octet says which form, of which element, and
// with which PrefixList.
#include <libxml/tree.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "support/libxml2_canonical.hpp"

using namespace schakel;

namespace {

std::vector<xml::Element> elements_of(xml::Element top) {
  std::vector<xml::Element> out{top};
  for (std::size_t i = 0; i < out.size(); ++i)
    for (const xml::Element child : out[i].children()) out.push_back(child);
  return out;
}

// libxml2 writes them as they are, the standard wants them escaped.
bool has_odd_namespace(const std::vector<xml::Element>& elements) {
  for (const xml::Element element : elements) {
    for (const xmlNs* ns = element.node()->nsDef; ns != nullptr; ns = ns->next) {
      const auto* uri = reinterpret_cast<const char*>(ns->href);
      if (uri != nullptr && std::string_view(uri).find_first_of("&<\"\t\r\n") != std::string_view::npos) return true;
    }
  }
  return false;
}

class Text final : public xml::Sink {
 public:
  void write(BytesView octets) override { text += octets; }
  Bytes text;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(octets + 1), size - 1);
  const auto document = xml::Document::parse(input, {.depth_max = 64, .elements_max = 500});
  if (!document) return 0;
  const auto elements = elements_of(document->root());
  if (has_odd_namespace(elements)) return 0;
  const unsigned choice = octets[0];
  const xml::Element apex = (choice & 2) != 0 ? elements[(choice >> 3) % elements.size()] : xml::Element();
  const std::vector<std::string> prefixes = (choice & 4) != 0 ? std::vector<std::string>{"a", "", "xml"} : std::vector<std::string>{};
  const xml::CanonicalOptions options{.form = (choice & 1) != 0 ? xml::Canonical::inclusive : xml::Canonical::exclusive,
                                      .inclusive_prefixes = prefixes};
  Text ours;
  const auto done = apex ? xml::canonicalise(apex, options, ours) : xml::canonicalise(*document, options, ours);
  const auto theirs = test::canonical_by_libxml2(*document, apex, options.form, prefixes);
  if (theirs && (!done || ours.text != *theirs)) std::abort();  // libxml2 refuses more namespace URIs than the standard
  return 0;
}
