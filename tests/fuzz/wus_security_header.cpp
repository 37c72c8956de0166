// Opening a secured envelope, with every certificate believed and a published key to decrypt with. What is opened was signed, stands where
// it is used, and every refusal is one of the table. The first octet chooses profile and kind.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "support/published_key.hpp"
#include "wus/names.hpp"
#include "wus/opening.hpp"

using namespace schakel;
using namespace schakel::wus;

namespace {

// The same each time, so that a finding replays.
class Counting final : public Random {
 public:
  void fill(std::span<unsigned char> out) override {
    for (auto& octet : out) octet = ++last_;
  }

 private:
  unsigned char last_ = 0;
};

void expect(bool ok) {
  if (!ok) std::abort();
}

const OpeningKeys& keys() {
  static const OpeningKeys made{.judge = [](std::span<const security::Certificate>) { return security::Verdict{}; },
                                .decryption = {security::KeyPair::from_pem(test::published_certificate, test::published_key).value()}};
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view entity(reinterpret_cast<const char*>(octets + 1), size - 1);
  const bool is_response = (octets[0] & 2) != 0;
  Settings settings;
  settings.max_size = 1'000'000;
  settings.profile = (octets[0] & 1) != 0 ? Profile::be_se : Profile::be_s;
  settings.accept_indirect_token = (octets[0] & 4) != 0;
  const Kind kind = is_response ? Kind::response : Kind::request;
  auto message = read_message(entity, "text/xml", settings, kind);
  if (!message) return 0;
  const Expectation expectation{.request_signature_value = "x", .signer_oins = {"00000001800000002000"}, .is_own = {}};
  Counting random;
  const auto now = parse_datetime("2026-03-02T10:15:35Z")->instant;
  const auto opened = open(*message, settings, kind, keys(), is_response ? &expectation : nullptr, now, random);
  if (!opened) {
    expect(fault_of(opened.error()).code.namespace_uri != ns::soapenv);
    return 0;
  }
  expect(opened->signer && !opened->signature_value.empty() && opened->created);
  expect(message->payload && message->payload.parent() == message->body && message->body.parent() == message->envelope);
  return 0;
}
