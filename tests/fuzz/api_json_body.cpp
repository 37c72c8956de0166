// A JSON body of our APIs: the strict reader, and the reader of objects over whatever came out. What is read can be written, and is then
// the same value.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/json.hpp"

using namespace schakel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  const auto json = api::read_json(input);
  if (!json) {
    if (json.error().code.empty() || json.error().errors.size() > api::faults_max) std::abort();
    return 0;
  }
  const auto again = api::read_json(json->dump());
  if (!again || *again != *json) std::abort();
  api::Faults faults;
  api::Members members(*json, "", faults);
  (void)members.text("cpaId", api::Need::required);
  (void)members.integer("retries", 0, 100);
  (void)members.boolean("force");
  (void)members.instant("notBefore");
  (void)members.choice("state", {"SENT", "FAILED"});
  (void)members.texts("labels", 16);
  if (const auto* payloads = members.array("payloads", 100)) {
    for (const auto& payload : *payloads) {
      api::Members part(payload, "/payloads/0", faults);
      (void)part.text("contentType");
      part.end();
    }
  }
  (void)members.object("message");
  members.end();
  if (faults.size() > api::faults_max) std::abort();
  if (!faults.empty() && api::judge(faults)) std::abort();
  return 0;
}
