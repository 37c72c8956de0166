// Documents of applications and back-ends: the first line of the input is the Content-Type, after one letter for the form (e: an element,
// s: an envelope, d: a request of the DAI). What is read can be handed on with its binary texts apart, and read again as the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wus/dai.hpp"
#include "xml/canonical.hpp"

using namespace schakel;
using namespace schakel::wus;

namespace {

constexpr std::size_t bytes_max = 1'000'000;

void expect(bool ok) {
  if (!ok) std::abort();
}

Result<Plain> read(char form, std::string_view octets, std::string_view content_type) {
  if (form != 'd') return read_plain(octets, content_type, form == 's' ? PlainForm::envelope : PlainForm::element, bytes_max);
  DaiHeaders headers;
  auto plain = read_dai_request(octets, content_type, bytes_max, headers);
  const auto fault = plain ? dai_failure(headers.to, true) : dai_refusal(plain.error(), headers, "1", Instant());
  expect(read_plain(plain_envelope("", fault), "text/xml", PlainForm::envelope, bytes_max).has_value());
  if (plain) expect(is_iri(headers.to) && is_iri(headers.from) && is_message_id(headers.message_id));
  return plain;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  const auto line = input.find('\n');
  if (line == std::string_view::npos || line == 0) return 0;
  auto plain = read(input.front(), input.substr(line + 1), input.substr(1, line - 1));
  if (!plain) return 0;
  const auto whole = xml::canonicalise(plain->payload);
  SystemRandom random;
  auto given = handed_on_apart(plain->document, plain->payload, plain->binary_elements, 1, random);
  if (!whole || given.text.empty()) return 0;  // a relative namespace URI in scope
  const auto entity = mtom_entity(given.text, std::move(given.attachments), "application/xml", random);
  const auto again = read_plain(entity.octets, entity.content_type, PlainForm::element, 4 * bytes_max);
  expect(again && xml::canonicalise(again->payload).value() == *whole);
  return 0;
}
