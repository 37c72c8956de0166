// TLS as security.md 1.3 lays it down: contexts for listeners and clients, with our own path, CRL and OIN checks. Streams are made in
// http/.
//
// Contexts are immutable; rotation makes a new one and swaps it in (`TlsServer::context()` gives the one for new handshakes), so no
// connection is dropped.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "security/certificate.hpp"
#include "security/peer.hpp"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace schakel::security {

class TrustStore;  // security/trust.hpp: anchors, intermediates and CRLs of one trust profile

// A certificate with its chain and private key.
class KeyPair;  // security/keys.hpp

struct TlsSettings {
  std::string min = "1.2";                    // "1.2" | "1.3"
  std::vector<std::string> removed_suites{};  // OpenSSL names; adding is impossible (SEC-031)
  bool require_ems = false;
  bool sni_strict = false;
  bool resumption = false;  // SEC-036
  bool require_client_certificate = true;
  std::vector<std::string> alpn = {"http/1.1"};
  int peer_rsa_min = 2048;        // SEC-011; the stricter of this and the trust store's own holds
  bool send_anchor_names = true;  // SEC-042: false sends an empty list, for clients that choke on it
  std::string ticket_secret{};    // with resumption: 32 or more octets that all nodes share; empty: random, this node alone
};

// What a finished handshake proved; http/ asks for it with the SSL* of a connection.
struct HandshakeResult {
  std::optional<PeerIdentity> peer;
  std::string version, cipher, group, sni;
  std::string signature;               // what the peer signed the handshake with, "rsa_pss_rsae_sha256"-like name of OpenSSL: hash and type
  bool extended_master_secret = true;  // SEC-035: false is a warning
  bool resumed = false;
  std::vector<Certificate> peer_chain;  // as verified, leaf first; empty without a client certificate
};

// A server side: certificates per host name (SNI), each with the trust store of its environment.
class TlsServer {
 public:
  struct Identity {
    std::vector<std::string> hosts{};  // dNSNames served; empty: the default
    std::shared_ptr<const KeyPair> key_pair;
    std::shared_ptr<TrustStore> trust;  // may be empty when no client certificate is asked for
    bool production = false;
  };
  static Result<std::shared_ptr<TlsServer>> make(TlsSettings, std::vector<Identity>, const Clock&);

  // Replaces the certificates; running connections keep theirs (SEC-074).
  Result<> replace(std::vector<Identity>);
  // The context for a new handshake; hold the pointer as long as the SSL object lives.
  std::shared_ptr<SSL_CTX> context() const;
  // After the handshake succeeded.
  HandshakeResult result(SSL*) const;
  // Our own certificate on a connection: SHA-256, hex.
  const std::string& own_sha256(SSL*) const;
  // Why a handshake failed: a SEC… reason for the audit log ("SEC.TLS.VERSIE", "SEC.PKI.INGETROKKEN", …).
  std::string failure_reason(SSL*) const;
  // The same as a sentence for the log; names the certificate, never a secret.
  std::string failure_detail(SSL*) const;
  // False when the peer's certificate of this connection has since been revoked or expired (SEC-028): http/ asks before each request.
  // `path` is HandshakeResult::peer_chain: the issuers may be known from the handshake only.
  bool still_valid(const PeerIdentity&, std::span<const Certificate> path = {}) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// A client side: one identity, one trust profile.
class TlsClient {
 public:
  // For applications and tools of our own side, never for Digikoppeling peers (SEC-003): the system's CA store counts too. A server whose
  // certificate leads to our anchors is judged by `trust` (CRLs included); any other by the system's CAs, with the rules of the public web
  // for its name. `identity` and `trust` may be empty. `ca_pem`: further CAs. Errors: "config.invalid".
  static Result<std::shared_ptr<TlsClient>> make_web(TlsSettings, std::shared_ptr<const KeyPair> identity,
                                                     std::shared_ptr<TrustStore> trust, std::string_view ca_pem, const Clock&);
  static Result<std::shared_ptr<TlsClient>> make(TlsSettings, std::shared_ptr<const KeyPair> identity, std::shared_ptr<TrustStore>,
                                                 bool production, const Clock&);

  std::shared_ptr<SSL_CTX> context() const;
  // Before the handshake: SNI and the name that the server's certificate must carry.
  Result<> prepare(SSL*, const std::string& host) const;
  // After it: host name, EKU, policy, OIN. Error code "SEC.TLS.HOSTNAAM", "SEC.OIN…" — before the first octet of the request.
  Result<HandshakeResult> check(SSL*, const std::string& host, const std::string& expected_oin) const;
  std::string failure_reason(SSL*) const;
  std::string failure_detail(SSL*) const;
  // As TlsServer::still_valid, of the server's certificate: before each request on a kept-alive connection.
  bool still_valid(const PeerIdentity&, std::span<const Certificate> path) const;
  // Of our certificate, with a mark for make_web: connections of different identities or demands are never shared.
  std::string identity_sha256() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace schakel::security
