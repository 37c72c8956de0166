// A WUS entity to a checked envelope: the first line of the input is the Content-Type, the rest the entity. Whatever is accepted has the
// form that its readers count on, and each header reads or is refused.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wus/message.hpp"
#include "wus/names.hpp"
#include "xml/canonical.hpp"

using namespace schakel;
using namespace schakel::wus;

namespace {

void expect(bool ok) {
  if (!ok) std::abort();
}

void check(const Message& message, Kind kind, const Settings& settings) {
  expect(message.body.is(ns::soapenv, "Body") && message.body.parent() == message.envelope && !message.body.next_sibling());
  expect(message.payload.parent() == message.body && !message.payload.next_sibling() && !message.payload.namespace_uri().empty());
  for (const auto header : message.addressing) expect(header.parent() == message.header && header.namespace_uri() == ns::wsa);
  const auto addressing = read_addressing(message.addressing, kind, settings);
  if (addressing) expect(!addressing->action.empty() && !addressing->message_id.empty());
  if (message.is_fault) static_cast<void>(read_fault(message.payload));
  static_cast<void>(xml::canonicalise(message.payload, {.bytes_max = 1'000'000}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  const auto line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  Settings settings;
  settings.max_size = 1'000'000;
  const auto type = input.substr(0, line), entity = input.substr(line + 1);
  if (media_type(type, Mtom::optional) == MediaType::unsupported) return 0;
  for (const Kind kind : {Kind::request, Kind::response}) {
    const auto message = read_message(entity, type, settings, kind);
    if (message) {
      check(*message, kind, settings);
    } else {
      expect(fault_of(message.error()).dk != "DK0051");  // every refusal is in the table
    }
  }
  return 0;
}
