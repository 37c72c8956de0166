// The test PKI for tests: made once per program, in memory, with keys that are kept between runs in the build folder.
//
//   auto& pki = test::pki();
//   auto voorbeeld = pki.tls("00000099000000001000", "Gemeente Voorbeeldstad", {"localhost"});
//   TlsServer::make({}, {{{}, voorbeeld.key_pair, pki.trust(), false}}, SystemClock());
#pragma once

#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "security/pki.hpp"
#include "security/tls.hpp"
#include "security/trust.hpp"

namespace schakel::test {

// RSA keys from the build folder: making a 3072-bit key costs half a second, reading one a millisecond. Every call in one program gives
// another key.
class KeyShelf {
 public:
  Result<security::PrivateKey> take(int bits) {
    const auto path = folder_ / (std::to_string(bits) + "-" + std::to_string(next_[bits]++) + ".pem");
    if (std::ifstream in(path); in) {
      const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      if (auto key = security::parse_private_key(text)) return key;
    }
    SCHAKEL_TRY(auto key, security::generate_rsa(bits));
    SCHAKEL_TRY(auto text, security::private_key_pem(key.get()));
    std::filesystem::create_directories(folder_);
    const auto temporary = path.string() + "." + std::to_string(::getpid());
    std::ofstream(temporary, std::ios::binary) << text;
    std::filesystem::rename(temporary, path);  // programs that run at the same time may both write; each file is whole
    return key;
  }

 private:
  std::filesystem::path folder_ = std::filesystem::path(SCHAKEL_BINARY_DIR) / "test-keys";
  std::map<int, int> next_;
};

// The instant that a test program calls now: fixed, so that a slow or paused machine changes nothing.
inline Instant start() {
  static const Instant at = SystemClock().now();
  return at;
}

// A clock that stands until it is moved.
class FixedClock final : public Clock {
 public:
  explicit FixedClock(Instant at) : at_(at) {}
  Instant now() const override { return at_; }
  void move(Duration by) { at_ += by; }
  void set(Instant at) { at_ = at; }

 private:
  Instant at_;
};

class Pki {
 public:
  // `at`: the moment that the certificates and CRLs are made for, where a test's clock is not the real one.
  explicit Pki(std::string base_url = "http://127.0.0.1:8089", security::PkiGeneration generation = security::PkiGeneration::both,
               Instant at = start())
      : shelf_(std::make_shared<KeyShelf>()),
        at_(at),
        pki_(security::TestPki::init({.generation = generation,
                                      .base_url = std::move(base_url),
                                      .fast = true,
                                      .make_key = [shelf = shelf_](int bits) { return shelf->take(bits); }},
                                     at - std::chrono::minutes(5))
                 .value()) {
    pki_.renew_crls(at).value();
  }

  security::TestPki& authority() { return pki_; }

  security::Issued issue(const security::IssueRequest& request) { return pki_.issue(request, at_ - std::chrono::minutes(1)).value(); }
  security::Issued tls(const std::string& oin, const std::string& organisation, std::vector<std::string> hosts = {"localhost"}) {
    return issue(
        {.profile = security::PkiProfile::tls, .oin = oin, .organisation = organisation, .kvk = "90000001", .hosts = std::move(hosts)});
  }
  security::Issued g1(const std::string& oin, const std::string& organisation, std::vector<std::string> hosts = {"localhost"}) {
    return issue({.profile = security::PkiProfile::g1_server,
                  .oin = oin,
                  .organisation = organisation,
                  .kvk = "90000001",
                  .hosts = std::move(hosts)});
  }
  // A fresh trust store with all anchors, intermediates and present CRLs.
  std::shared_ptr<security::TrustStore> trust(security::TrustStore::Options options = {}) {
    return pki_.trust_store(at_, std::move(options)).value();
  }

  // Everything in a folder with the layout of 2.8.3; removed with this object.
  const std::filesystem::path& folder() {
    if (folder_.empty()) {
      std::string name = (std::filesystem::temp_directory_path() / "schakel-pki-XXXXXX").string();
      if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
      folder_ = name;
      pki_.save(folder_.string()).value();
    }
    return folder_;
  }
  ~Pki() {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  Pki(const Pki&) = delete;
  Pki& operator=(const Pki&) = delete;

 private:
  std::shared_ptr<KeyShelf> shelf_;
  Instant at_;
  security::TestPki pki_;
  std::filesystem::path folder_;
};

// The one of this program.
inline Pki& pki() {
  static Pki shared;
  return shared;
}

}  // namespace schakel::test
