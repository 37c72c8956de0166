// A consumer without a node: makes each message as a test wants it, and reads what comes back.
#pragma once

#include "integration/wus_world.hpp"
#include "wus/message.hpp"
#include "wus/names.hpp"
#include "wus/opening.hpp"
#include "wus/sealing.hpp"

namespace schakel::integration {

class ByHand {
 public:
  // Speaks and signs with this certificate.
  ByHand(ServedPki& pki, security::Issued own, std::string provider_oin)
      : own_(std::move(own)), partner_(pki, own_.key_pair), provider_oin_(std::move(provider_oin)) {}

  static wus::Settings settings(wus::Profile profile) {
    wus::Settings out;
    out.profile = profile;
    return out;
  }
  static std::string new_id() {
    SystemRandom random;
    return "urn:uuid:" + uuid_v4(random);
  }
  // A request for `vraagInschrijving` of the sample service.
  wus::MessageToMake request(const std::string& address, const std::string& body, const std::string& message_id = new_id()) const {
    wus::MessageToMake make;
    make.addressing.to = address + "?OIN=" + provider_oin_;
    make.addressing.action = std::string(wus_wsdl) + "/IInschrijvingService_v1/vraagInschrijvingRequest";
    make.addressing.message_id = message_id;
    make.addressing.from = "https://afnemer.example/wus?OIN=" + own_.certificate->oin.oin;
    make.addressing.reply_to = wus::uri::anonymous;
    make.body = body;
    return make;
  }
  // Signed, and encrypted for `recipient`, as the profile has it.
  wus::MadeMessage made(wus::MessageToMake make, const wus::Settings& settings, const security::Certificate& recipient) const {
    if (settings.profile != wus::Profile::be)
      make.protection = wus::MessageToMake::Protection{.signer = own_.key_pair, .recipient = {}, .confirmation = {}};
    if (settings.profile == wus::Profile::be_se) make.protection->recipient = recipient;
    SystemRandom random;
    return wus::make_message(make, settings, SystemClock().now(), random).value();
  }
  RestAnswer post(const std::string& url, const std::string& entity) { return partner_.send("POST", url, soap_headers, entity); }
  RestAnswer post(const std::string& url, const wus::MadeMessage& made) {
    return partner_.send("POST", url, {{"Content-Type", made.content_type}, {"SOAPAction", "\"\""}}, made.entity);
  }

  struct Answer {
    wus::Addressing addressing;
    wus::Opened opened;
    std::string payload;
  };
  // Opened as a consumer would open it: signature, confirmation and encryption are those of this request. Who signed is not judged.
  Result<Answer> read(const RestAnswer& answer, const wus::MadeMessage& request, const wus::Settings& settings) const {
    SCHAKEL_TRY(auto message, wus::read_message(answer.body, answer.header("Content-Type"), settings, wus::Kind::response));
    Answer out;
    SCHAKEL_TRY(out.addressing, wus::read_addressing(message.addressing, wus::Kind::response, settings));
    const wus::OpeningKeys keys{
        .judge =
            [](std::span<const security::Certificate> chain) {
              return security::Verdict{.reason = {}, .detail = {}, .path = {chain.begin(), chain.end()}, .policy = {}};
            },
        .decryption = {own_.key_pair}};
    const wus::Expectation expected{.request_signature_value = request.signature_value, .signer_oins = {provider_oin_}, .is_own = {}};
    SystemRandom random;
    SCHAKEL_TRY(out.opened, wus::open(message, settings, wus::Kind::response, keys,
                                      settings.profile == wus::Profile::be ? nullptr : &expected, SystemClock().now(), random));
    out.payload = xml::canonicalise(message.payload, {}).value();
    return out;
  }
  Partner& partner() { return partner_; }
  const security::Issued& own() const { return own_; }

 private:
  security::Issued own_;
  Partner partner_;
  std::string provider_oin_;
};

}  // namespace schakel::integration
