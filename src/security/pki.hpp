// The test PKI: a look-alike of both PKIoverheid generations that needs no network and no outside tool (SEC-130, SEC-131; security.md 2.8).
//
// A TestPki is a value in memory; `save` and `open` keep it in a folder with the layout of 2.8.3. It serves `schakel pki …`, tests, demos
// and the compliance facility. Names always contain TEST. Not safe from several threads at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "security/certificate.hpp"
#include "security/keys.hpp"
#include "security/trust.hpp"

namespace schakel::security {

enum class PkiGeneration { g4, g1, both };
enum class PkiProfile { tls, auth, sign, enc, g1_server };
Result<PkiGeneration> parse_pki_generation(std::string_view);
Result<PkiProfile> parse_pki_profile(std::string_view);
std::string_view to_string(PkiProfile);

// RFC 5280 CRLReason of its name ("keyCompromise" …); the names of 2.8.3 only. Error "pki.invalid".
Result<int> parse_revocation_reason(std::string_view);

struct TestPkiOptions {
  PkiGeneration generation = PkiGeneration::both;
  std::string base_url = "http://127.0.0.1:8089";
  bool fast = false;                                       // CA keys of 3072 instead of 4096 bits
  std::function<Result<PrivateKey>(int bits)> make_key{};  // empty: generate_rsa
};

struct IssueRequest {
  PkiProfile profile = PkiProfile::tls;
  std::string oin{}, organisation{}, kvk{};
  std::string organisational_unit{};  // for a SubOIN
  std::string common_name{};          // empty: the organisation (g1-server: the first host)
  std::vector<std::string> hosts{};   // dNSNames; tls and g1-server need one
  int days = 0;                       // 0: 397, g1-server 1095
  Bytes certificate_request{};        // PKCS#10, DER or PEM: its key is used; empty: a new key
};

struct Issued {
  std::string name;  // of the files: "tls-00000099000000001000", with -2, -3 … when taken
  Certificate certificate;
  std::vector<Certificate> chain;           // TSP, domain
  std::shared_ptr<const KeyPair> key_pair;  // empty when issued on a certificate request
};

// One certificate of the bad set (2.8.4), complete with what must be trusted and served to see it refused.
struct NegativeCase {
  std::string id;  // "N01"
  std::string description;
  std::string expected;  // reason of verify_path or of the OIN or host check; empty: valid
  Usage usage = Usage::tls_client;
  std::string host;                // for cases about names: what to match
  std::vector<Certificate> chain;  // leaf, then issuers below the root
  PrivateKey key;
  std::map<std::string, Bytes> crls;  // extra lists: file name -> DER
};

class TestPki {
 public:
  static constexpr std::chrono::hours crl_life{48};

  static Result<TestPki> init(TestPkiOptions, Instant now);
  // From a folder that `save` wrote. Errors: "pki.invalid", "SEC.SLEUTEL.…".
  static Result<TestPki> open(const std::string& directory, std::function<Result<PrivateKey>(int bits)> make_key = {});
  TestPki(TestPki&&) noexcept;
  TestPki& operator=(TestPki&&) noexcept;
  ~TestPki();

  // CA keys, certificates, CRLs, anchors.pem, intermediates.pem, index.json.
  Result<> save(const std::string& directory) const;
  // D/ee/<name>.key (0600), .pem, .chain.pem, and .p12 when there is a passphrase (a PKCS#12 file without one would not protect the key).
  static Result<> save(const Issued&, const std::string& directory, std::string_view p12_passphrase = {});
  static Result<> save(const std::vector<NegativeCase>&, const std::string& directory);  // D/negative/

  Result<Issued> issue(const IssueRequest&, Instant now);
  // By hex serial number; also TSP and domain CAs. Makes a new CRL of the issuer. Errors: "pki.unknown", "pki.invalid".
  Result<> revoke(std::string_view serial, int reason, Instant now);
  // New CRLs of all CAs, or of one. Numbers grow by one.
  Result<> renew_crls(Instant now, Duration life = crl_life, std::string_view authority = {});

  // id -> current DER: "g4-tls-root", "g4-tls-domain", "g4-tls-tsp", "g4-other-…", "g1-…".
  std::map<std::string, Bytes> crls() const;
  const Certificate& authority(std::string_view id) const;  // must exist
  std::vector<std::string> authorities() const;
  std::string anchors_pem() const;
  std::string intermediates_pem() const;
  const std::string& base_url() const;

  struct Record {
    std::string name, serial, subject, profile, oin, issuer;  // issuer: id of the CA
    std::string status;                                       // "valid" or "revoked"
    Instant not_after{};
  };
  const std::vector<Record>& index() const;

  // N01 to N32. Some need CAs of their own below the domain CA, and mark CRLs of this PKI: call `crls` afterwards.
  Result<std::vector<NegativeCase>> negative(Instant now);

  // What `pki serve` answers with: "/crl/<id>.crl" and "/certs/<id>.cer". nullptr: 404.
  struct Served {
    std::string_view media_type;
    Bytes body;
  };
  std::optional<Served> serve(std::string_view path) const;

  // A trust store of profile test with these anchors, intermediates and CRLs.
  Result<std::shared_ptr<TrustStore>> trust_store(Instant now, TrustStore::Options = {}) const;

  struct State;  // pki.cpp

 private:
  explicit TestPki(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

}  // namespace schakel::security
