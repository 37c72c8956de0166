// wus.seal.…: signed and encrypted messages made per second on one core, against the one RSA signature of 2048 bits that each needs.
// wus.xmlsec1.…: 2W-be-S exchanges a second that libxmlsec1 would do on one core: parse and verify the request, sign and write the answer.
#include <stdexcept>

#include "base/random.hpp"
#include "measure.hpp"
#include "security/keys.hpp"
#include "support/published_key.hpp"
#include "wus/names.hpp"
#include "wus/sealing.hpp"
#include "xmlsec1.hpp"

namespace schakel::bench {
namespace {

using namespace wus;

MessageToMake response_of(std::size_t payload_bytes) {
  std::string body = "<antwoord xmlns=\"urn:bench\">";
  while (body.size() + 40 < payload_bytes) body += "<regel nummer=\"12345678\">Adreswijziging &amp; meer</regel>";
  return {.kind = Kind::response,
          .addressing = {.to = std::string(uri::anonymous),
                         .action = "urn:bench/antwoordResponse",
                         .message_id = "urn:uuid:6f1c2a10-0000-4000-8000-000000000002",
                         .relates_to = "urn:uuid:6f1c2a10-0000-4000-8000-000000000001",
                         .from = {},
                         .reply_to = {},
                         .fault_to = {}},
          .body = body + "</antwoord>",
          .headers = {},
          .binary_elements = {},
          .protection = std::nullopt};
}

// As a template that is still to be signed.
std::string without_values(std::string message) {
  for (const std::string name : {"DigestValue>", "SignatureValue>"}) {
    for (auto at = message.find("<ds:" + name); at != std::string::npos; at = message.find("<ds:" + name, at)) {
      at += 4 + name.size();
      message.erase(at, message.find('<', at) - at);
    }
  }
  return message;
}

}  // namespace

std::vector<Figure> xmlsec1_figures() {
  std::vector<Figure> out;
  if (!Xmlsec1::present) return out;
  Xmlsec1 xmlsec1(test::published_key);
  const auto keys = security::KeyPair::from_pem(test::published_certificate, test::published_key).value();
  SystemRandom random;
  Settings settings;
  settings.profile = Profile::be_s;
  for (const auto& [label, size] : {std::pair{"2k", std::size_t{2048}}, {"200k", std::size_t{200'000}}}) {
    auto make = response_of(size);
    make.protection = MessageToMake::Protection{keys, std::nullopt, Bytes(256, 'c')};
    const auto answer = make_message(make, settings, SystemClock().now(), random).value().entity;
    const auto to_sign = without_values(answer);
    if (!xmlsec1.verifies(answer) || !xmlsec1.verifies(xmlsec1.signed_anew(to_sign))) throw std::runtime_error("xmlsec1 does not do it");
    out.push_back(figure(std::string("wus.xmlsec1.") + label, [&] {
      if (!xmlsec1.verifies(answer) || xmlsec1.signed_anew(to_sign).empty()) throw std::runtime_error("xmlsec1 does not do it");
    }));
  }
  return out;
}

std::vector<Figure> wus_figures() {
  const auto keys = security::KeyPair::from_pem(test::published_certificate, test::published_key).value();
  SystemRandom random;
  const Instant now = SystemClock().now();
  const Bytes text(1024, 'x');
  std::vector<Figure> out;
  for (const auto& [label, size] : {std::pair{"2k", std::size_t{2048}}, {"1m", std::size_t{1024 * 1024}}}) {
    for (const auto& [kind, profile] : {std::pair{"wus.seal.", Profile::be_s}, {"wus.seal-encrypted.", Profile::be_se}}) {
      Settings settings;
      settings.profile = profile;
      auto make = response_of(size);
      make.protection = MessageToMake::Protection{keys, std::nullopt, Bytes(256, 'c')};
      if (profile == Profile::be_se) make.protection->recipient = keys->certificate();
      out.push_back(figure(
          std::string(kind) + label, [&] { static_cast<void>(make_message(make, settings, now, random).value()); },
          [&] { static_cast<void>(raw_signature(keys->key(), text)); }));
    }
  }
  return out;
}

}  // namespace schakel::bench
