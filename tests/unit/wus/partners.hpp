// The two parties of standards/wus/vectors: their keys, whom they trust, and a receiver as a test drives it (4.1 steps 2 to 13 without
// HTTP).
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "security/trust.hpp"
#include "wus/opening.hpp"

namespace schakel::wus::test {

inline const std::filesystem::path vectors = std::filesystem::path(SCHAKEL_SOURCE_DIR) / "../shared/standards/wus/vectors";

inline Bytes content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline bool vectors_are_here() {
  return std::filesystem::exists(vectors / "manifest.json");
}

inline Instant at(std::string_view time) {
  return parse_datetime(time)->instant;
}

inline std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const auto found = text.find(what);
  EXPECT_NE(found, std::string::npos) << what;
  return found == std::string::npos ? text : text.replace(found, what.size(), by);
}

inline std::shared_ptr<const security::KeyPair> key_pair(const std::string& who) {
  return security::KeyPair::from_pem(content(vectors / "keys" / (who + ".crt.pem")), content(vectors / "keys" / (who + ".key.pem")))
      .value();
}

inline std::shared_ptr<security::TrustStore> trust(Instant now, bool with_lists = true) {
  security::TrustStore::Options options;
  options.profile = security::TrustProfile::test;
  options.check_policies = false;
  auto store =
      security::TrustStore::make(options, content(vectors / "keys/root.crt.pem"), content(vectors / "keys/issuing.crt.pem")).value();
  if (!with_lists) return store;
  for (const char* list : {"root.crl.pem", "issuing.crl.pem"}) EXPECT_TRUE(store->install_crl(content(vectors / "keys" / list), now));
  return store;
}

inline OpeningKeys keys_of(const std::string& who, Instant now, bool with_lists = true) {
  return {.judge = [store = trust(now, with_lists),
                    now](std::span<const security::Certificate> chain) { return store->verify_path(chain, security::Usage::signing, now); },
          .decryption = {key_pair(who)}};
}

inline const std::string text_xml = "text/xml; charset=utf-8";
inline const Instant receipt = at("2026-03-02T10:15:35Z");

struct Receipt {
  std::shared_ptr<Message> message;
  Addressing addressing;
  Opened opened;
};

// What a receiver does with the octets of a message.
struct Receiver {
  Settings settings{};
  Kind kind = Kind::request;
  std::string who = "provider";
  Instant now = receipt;
  const Expectation* expectation = nullptr;
  bool with_lists = true;

  Result<Receipt> operator()(BytesView entity, std::string_view content_type = text_xml) const {
    SystemRandom random;
    SCHAKEL_TRY(auto message, read_message(entity, content_type, settings, kind));
    SCHAKEL_TRY(auto addressing, read_addressing(message.addressing, kind, settings));
    SCHAKEL_TRY(auto opened, open(message, settings, kind, keys_of(who, now, with_lists), expectation, now, random));
    return Receipt{std::make_shared<Message>(std::move(message)), std::move(addressing), std::move(opened)};
  }
};

inline Receiver receiver(Profile profile) {
  Receiver out;
  out.settings.profile = profile;
  out.settings.mtom = Mtom::optional;
  return out;
}

// "wsse:InvalidSecurity", "soapenv:Client DK0001": as section 5 of wus.md writes it.
inline std::string told(const Error& error) {
  const auto fault = fault_of(error);
  const auto element = fault_element(fault);
  const auto begin = element.find('>', element.find("<faultcode")) + 1;
  auto out = element.substr(begin, element.find('<', begin) - begin);
  if (!fault.dk.empty()) out += ' ' + fault.dk;
  return out;
}
inline std::string told(const Result<Receipt>& received) {
  return received ? "accepted" : told(received.error());
}

}  // namespace schakel::wus::test
