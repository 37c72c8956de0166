// MIME parts and XOP: the first line of the input is the boundary, the rest the entity. Parts are pieces of the entity (in quoted-printable
// a line end of one octet becomes two), and after the expansion no xop:Include is left.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wus/mtom.hpp"
#include "wus/names.hpp"

using namespace schakel;
using namespace schakel::wus;

namespace {

void expect(bool ok) {
  if (!ok) std::abort();
}

bool is_within(BytesView piece, BytesView whole) {
  return piece.data() >= whole.data() && piece.data() + piece.size() <= whole.data() + whole.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  const auto line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto entity = input.substr(line + 1);
  const auto parts = split_related(entity, input.substr(0, line));
  if (!parts) return 0;
  expect(!parts->empty() && parts->size() <= parts_max);
  for (const Part& part : *parts) expect(is_within(part.encoded, entity) && part.octets().size() <= 2 * part.encoded.size());
  auto document = xml::Document::parse(parts->front().octets(), {});
  if (!document) return 0;
  const auto filled = expand_xop(*document, *parts, 0, 1'000'000);
  if (!filled) return 0;
  expect(filled->size() == parts->size() - 1);
  for (auto element = document->root(); element; element = element.next_in(document->root())) expect(!element.is(ns::xop, "Include"));
  return 0;
}
