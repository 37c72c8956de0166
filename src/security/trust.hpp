// Whom we trust, and whether a certificate may be used now: anchors, intermediates, CRLs and policies of one trust profile
// (security.md 1.1, 1.2, 3.3).
//
// Production and test are disjoint (SEC-005): one TrustStore per profile, nothing is shared. `verify_path` is a pure function over the
// store's present contents and the time given; it serves TLS in both directions and message signatures. A TrustStore is safe from every
// thread: contents are immutable snapshots.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "security/certificate.hpp"
#include "security/crl.hpp"
#include "security/peer.hpp"

namespace schakel::security {

enum class TrustProfile { production, test };
std::string_view to_string(TrustProfile);

// What a certificate is to be used for (columns of security.md 2.2, 2.8.2).
enum class Usage {
  tls_client,  // the holder acts as TLS client
  tls_server,
  signing,     // XML or JSON signature
  encryption,  // key transport to the holder
};
std::string_view to_string(Usage);

// The outcome of path validation. Reasons, in the order they are looked for:
//   SEC.PKI.ONBEKENDE_CA, SEC.PKI.PAD, SEC.PKI.VERLOPEN, SEC.PKI.NOG_NIET_GELDIG, SEC.PKI.EXTENSIE, SEC.PKI.ALGORITME, SEC.PKI.SLEUTEL,
//   SEC.PKI.GEBRUIK, SEC.PKI.INGETROKKEN, SEC.CRL.GEEN, SEC.CRL.VERLOPEN, SEC.PKI.POLICY.
struct Verdict {
  std::string reason;                  // empty: the certificate may be used
  std::string detail;                  // a sentence, names the certificate
  std::vector<Certificate> path;       // leaf first, anchor last; empty when no path was found
  std::string policy;                  // the OID of the allow-list that the leaf carries
  std::vector<std::string> crls = {};  // SHA-256 of the lists by which revocation was judged, in the order of the path

  bool ok() const { return reason.empty(); }
  // Availability of a CRL is temporary: try again later. Everything else is permanent (3.1).
  bool temporary() const { return reason.starts_with("SEC.CRL."); }
};

// What a verdict rests on, for the trail (SEC-104, WUS-321): "path=HEX,HEX crls=HEX,HEX", SHA-256 of certificates and lists. Empty without
// a path.
std::string basis_text(const Verdict&);
// The fingerprints of the path in such a text.
std::vector<std::string> path_of_basis(std::string_view);

// A CA whose CRL is needed, and where it is.
struct CrlSource {
  std::string issuer;             // RFC 2253 subject of the CA
  std::string issuer_id;          // SHA-256 of subject and key, hex: renewed CA certificates with the same key share their CRLs
  std::vector<std::string> urls;  // configured ones first, then what verified certificates name
  CrlState state = CrlState::none;
  std::optional<Instant> this_update, next_update;
  std::size_t entries = 0;
  Instant next_fetch;  // due when <= now
  int failures = 0;
  std::string last_error;
};

// SEC-023: where accepted CRLs survive a restart and reach other nodes. Implemented over the database by server/.
struct StoredCrl {
  std::string issuer_id;
  std::string sha256;
  Bytes der;
};
class CrlArchive {
 public:
  virtual ~CrlArchive() = default;
  virtual Result<> save(const StoredCrl&) = 0;
  virtual Result<std::vector<StoredCrl>> load() = 0;
};

// Fetches a URL, at most limits::crl_bytes_max, within the time given. Given by server/ (SEC-024, SEC-119).
using CrlFetch = std::function<Result<Bytes>(const std::string& url, std::chrono::milliseconds timeout)>;

class TrustStore {
 public:
  struct Options {
    TrustProfile profile = TrustProfile::test;
    std::vector<std::string> additional_pins{};    // SHA-256 of further production anchors, named by the operator (G-Other root)
    std::vector<std::string> policy_oids{};        // pki.policy_oids: accepted for every use, besides table 2.2
    bool check_policies = true;                    // SEC-014: false only in profile test
    int peer_rsa_min = 2048;                       // SEC-011
    Duration crl_refresh = std::chrono::hours(1);  // crl.refresh, at most 4 h
    std::map<std::string, std::vector<std::string>> crl_urls{};  // crl.urls: subject CN of the CA -> URLs
  };

  // `anchors_pem` may also hold CA certificates below the roots: those count as intermediates. Errors: "SEC.PKI.ANKER" (a test anchor in
  // production, a production anchor in test, a changed anchor, no anchor; names the certificate), "SEC.PKI.ONLEESBAAR", "config.invalid".
  static Result<std::shared_ptr<TrustStore>> make(Options, std::string_view anchors_pem, std::string_view intermediates_pem);
  ~TrustStore();

  TrustProfile profile() const;
  bool production() const { return profile() == TrustProfile::production; }
  const std::vector<Certificate>& anchors() const;
  const std::vector<Certificate>& intermediates() const;
  int peer_rsa_min() const;

  // Path, usage, revocation, policy. `chain`: the leaf, then what the peer sent, in any order.
  Verdict verify_path(std::span<const Certificate> chain, Usage, Instant when) const;
  // The same without revocation: for what must be learned before any CRL can be fetched, and for findings.
  Verdict verify_path_without_revocation(std::span<const Certificate> chain, Usage, Instant when) const;

  // Remembers the issuers of a path whose signatures verified, with the CRL addresses that its certificates name (3.3). Own chains are
  // learned at start.
  void learn(const Verdict&);

  // Accepts a CRL by the rules of 3.3 for whichever known CA issued it. true: it replaced the one in use; false: it is the same list.
  Result<bool> install_crl(BytesView der_or_pem, Instant now);
  // All CAs whose CRL is needed.
  std::vector<CrlSource> crl_sources(Instant now) const;
  // Records the outcome of one fetch for a CA; installs what came. The list to keep in the archive when it is a new one.
  Result<std::optional<StoredCrl>> fetched(const std::string& issuer_id, const Result<Bytes>&, Instant now);
  // Fetches what is due, or everything when `force`; saves new lists in the archive. Blocks. The number of lists renewed.
  std::size_t refresh(const CrlFetch&, CrlArchive*, Instant now, bool force = false);
  // Takes lists from the archive: after a restart, or because another node fetched. Lists that are no longer acceptable are passed over.
  Result<std::size_t> restore(CrlArchive&, Instant now);

  // Set once at start: a handshake that misses a CRL waits for one fetch of at most 5 s per CA (3.3), and then refuses.
  void fetch_missing_with(CrlFetch, CrlArchive*);
  // verify_path, and when the reason is SEC.CRL.GEEN one attempt to fetch.
  Verdict verify_path_fetching(std::span<const Certificate> chain, Usage, Instant when);

  // The value of a certificate that OpenSSL holds; known CA certificates are not parsed again.
  Result<Certificate> certificate_of(X509*) const;

  // Grows whenever a CRL changes: a verdict of an older generation must be made anew (SEC-028).
  std::uint64_t generation() const;

 private:
  struct State;
  explicit TrustStore(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

// The peer as http/ and the protocols see it: OIN, policy and their refusals (security.md 3.1 step 6, SEC-067). A reason of the
// verdict is carried over as the refusal; who is refused has no number.
PeerIdentity peer_identity(const Verdict&, TrustProfile);

// The client that a TLS-terminating proxy passed on (SEC-050): the same decisions as in a handshake. The refusal of the handshake is the
// error; a wrong policy or number is in the identity, for the 403. `chain`: DER, the leaf first.
Result<PeerIdentity> identify_client(TrustStore&, std::span<const Bytes> chain, Instant now);

// The pinned certificates of table 2.1: SHA-256, name, and the address of the CRL that the CA issues.
struct PinnedAuthority {
  std::string_view sha256, common_name, crl_url;
  bool root;
};
std::span<const PinnedAuthority> production_authorities();

// Policy OIDs of table 2.2 for a use; test OIDs only in profile test.
std::vector<std::string_view> accepted_policies(Usage, TrustProfile);

}  // namespace schakel::security
