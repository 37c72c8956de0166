// A SOAP request of the facade. Whatever is refused is refused with a fault that is well-formed itself; whatever is read is within the
// limits, and the same however often it is read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "facade/soap.hpp"
#include "xml/document.hpp"

using namespace schakel;

namespace {

constexpr std::size_t bytes_max = 1 << 20;

bool is_bounded(const facade::Operation& operation) {
  const auto* send = std::get_if<facade::SendMessage>(&operation);
  if (send == nullptr) return true;
  for (const auto& source : send->request.data_sources)
    if (source.attachment.value_or("").size() > 1024 || source.name.size() > 1024 || source.content_type.size() > 1024) return false;
  return send->request.data_sources.size() < limits::ebms_parts_max && send->request.properties.cpa_id.size() <= 1024;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  const auto operation = facade::read_operation(input, bytes_max);
  const auto again = facade::read_operation(input, bytes_max);
  if (operation.has_value() != again.has_value()) std::abort();
  if (!operation) {
    if (operation.error() != again.error()) std::abort();
    if (!xml::Document::parse(facade::fault_envelope("Client", operation.error().detail), xml::Limits{})) std::abort();
    return 0;
  }
  if (operation->index() != again->index() || !is_bounded(*operation)) std::abort();
  // Any text of a partner can be shown.
  if (!xml::Document::parse(facade::response_begin("ping") + facade::element("name", input) + facade::response_end("ping"), xml::Limits{}))
    std::abort();
  return 0;
}
