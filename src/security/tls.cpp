#include "security/tls.hpp"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "security/keys.hpp"
#include "security/openssl.hpp"
#include "security/rules.hpp"
#include "security/tls_tables.hpp"
#include "security/trust.hpp"

namespace schakel::security {
namespace {

constexpr int security_level = 2;                   // 112 bits
constexpr long session_seconds = 3600;              // SEC-036: at most 1 h
constexpr std::size_t remembered_peers_max = 8192;  // verdicts kept for still_valid
constexpr std::size_t ticket_secret_bytes_min = 32;

// One context: an own certificate, whom to trust, and in which direction.
struct Side {
  SslContextPtr context;
  std::shared_ptr<const KeyPair> key_pair;
  std::shared_ptr<TrustStore> trust;
  Usage peer_usage = Usage::tls_client;  // what the peer's certificate must be good for
  TlsSettings settings;
  std::string alpn;  // wire form
  std::vector<std::string> hosts;
  Bytes ticket_secret;
  const Clock* clock = nullptr;
  bool web = false;  // TlsClient::make_web
};

// All contexts of one set of certificates; lives as long as any connection that began with it.
struct Generation {
  std::vector<std::unique_ptr<Side>> sides;
  bool sni_strict = false;

  const Side& default_side() const {
    const auto without_hosts = std::ranges::find_if(sides, [](const auto& side) { return side->hosts.empty(); });
    return without_hosts == sides.end() ? *sides.front() : **without_hosts;
  }
  const Side* side_for(std::string_view host) const {
    const auto found = std::ranges::find_if(sides, [&](const auto& side) {
      return std::ranges::any_of(side->hosts, [&](const auto& name) { return equals_ignoring_case(name, host); });
    });
    return found == sides.end() ? nullptr : found->get();
  }
};

// What we learn about one connection while it is made.
struct Connection {
  std::optional<Verdict> verdict;
  std::shared_ptr<TrustStore> trust;
  std::string failure, detail;

  void fail_with(std::string_view reason, std::string sentence) {
    if (!failure.empty()) return;  // the first cause counts; alerts that follow are its echo
    failure = reason;
    detail = std::move(sentence);
  }
};

void free_connection(void*, void* pointer, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Connection*>(pointer);
}

int connection_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_connection);
  return index;
}

Connection& connection_of(SSL* ssl) {
  auto* connection = static_cast<Connection*>(SSL_get_ex_data(ssl, connection_index()));
  if (connection == nullptr) {
    connection = new Connection;
    SSL_set_ex_data(ssl, connection_index(), connection);
  }
  return *connection;
}

const Connection* find_connection(const SSL* ssl) {
  return static_cast<const Connection*>(SSL_get_ex_data(ssl, connection_index()));
}

const Side& side_of(const SSL* ssl) {
  return *static_cast<const Side*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

// OpenSSL chooses the alert from this number (security.md 3.1 step 5).
int verify_error_of(std::string_view reason) {
  if (reason == "SEC.PKI.VERLOPEN") return X509_V_ERR_CERT_HAS_EXPIRED;                       // 45
  if (reason == "SEC.CRL.VERLOPEN") return X509_V_ERR_CRL_HAS_EXPIRED;                        // 45
  if (reason == "SEC.PKI.INGETROKKEN") return X509_V_ERR_CERT_REVOKED;                        // 44
  if (reason == "SEC.PKI.NOG_NIET_GELDIG") return X509_V_ERR_CERT_NOT_YET_VALID;              // 42
  if (reason == "SEC.PKI.ONBEKENDE_CA") return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;  // 48
  if (reason == "SEC.CRL.GEEN") return X509_V_ERR_UNABLE_TO_GET_CRL;                          // 48
  if (reason == "SEC.PKI.GEBRUIK") return X509_V_ERR_INVALID_PURPOSE;                         // 43
  return X509_V_ERR_PERMITTED_VIOLATION;                                                      // 46
}

Verdict judge(const Side& side, std::span<const Certificate> chain) {
  auto verdict = side.trust->verify_path_fetching(chain, side.peer_usage, side.clock->now());
  for (std::size_t i = 0; i < verdict.path.size() && verdict.ok(); ++i) {
    if (const auto fault = check_key(verdict.path[i], side.settings.peer_rsa_min)) {
      verdict.reason = fault->reason;
      verdict.detail = fault->detail;
    }
  }
  return verdict;
}

// A wrong policy does not end the handshake of a client: it gets a 403 that says so (security.md 4).
bool may_connect(const Verdict& verdict, Usage peer_usage) {
  return verdict.ok() || (verdict.reason == "SEC.PKI.POLICY" && peer_usage == Usage::tls_client);
}

Result<std::vector<Certificate>> presented(const TrustStore& trust, X509* leaf, const STACK_OF(X509) * others) {
  std::vector<Certificate> chain;
  SCHAKEL_TRY(auto first, Certificate::from_native(leaf));
  chain.push_back(std::move(first));
  for (int i = 0; i < sk_X509_num(others); ++i) {
    X509* other = sk_X509_value(others, i);
    if (other == leaf) continue;
    SCHAKEL_TRY(auto next, trust.certificate_of(other));
    chain.push_back(std::move(next));
  }
  return chain;
}

// Replaces OpenSSL's own verification (SSL_CTX_set_cert_verify_callback).
int verify_peer(X509_STORE_CTX* context, void* argument) {
  const auto& side = *static_cast<const Side*>(argument);
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& connection = connection_of(ssl);
  const auto chain = presented(*side.trust, X509_STORE_CTX_get0_cert(context), X509_STORE_CTX_get0_untrusted(context));
  if (!chain) {
    connection.fail_with(chain.error().code, chain.error().detail);
    X509_STORE_CTX_set_error(context, X509_V_ERR_PERMITTED_VIOLATION);
    return 0;
  }
  auto verdict = judge(side, *chain);
  const bool accepted = may_connect(verdict, side.peer_usage);
  if (!accepted) connection.fail_with(verdict.reason, verdict.detail);
  X509_STORE_CTX_set_error(context, accepted ? X509_V_OK : verify_error_of(verdict.reason));
  connection.verdict = std::move(verdict);
  connection.trust = side.trust;
  return accepted ? 1 : 0;
}

std::string_view reason_of_verify_error(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "SEC.PKI.VERLOPEN";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "SEC.PKI.NOG_NIET_GELDIG";
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return "SEC.TLS.HOSTNAAM";
    case X509_V_ERR_INVALID_PURPOSE:
      return "SEC.PKI.GEBRUIK";
    default:
      return "SEC.PKI.ONBEKENDE_CA";
  }
}

// TlsClient::make_web: our own rules for what leads to our anchors, OpenSSL's with the system's CAs for the rest.
int verify_web_peer(X509_STORE_CTX* context, void* argument) {
  const auto& side = *static_cast<const Side*>(argument);
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& connection = connection_of(ssl);
  if (side.trust != nullptr) {
    const auto chain = presented(*side.trust, X509_STORE_CTX_get0_cert(context), X509_STORE_CTX_get0_untrusted(context));
    auto verdict = chain ? judge(side, *chain) : Verdict{.reason = "SEC.PKI.ONBEKENDE_CA", .detail = {}, .path = {}, .policy = {}};
    if (verdict.reason != "SEC.PKI.ONBEKENDE_CA") {
      const bool accepted = verdict.ok();
      if (!accepted) connection.fail_with(verdict.reason, verdict.detail);
      X509_STORE_CTX_set_error(context, accepted ? X509_V_OK : verify_error_of(verdict.reason));
      connection.verdict = std::move(verdict);
      connection.trust = side.trust;
      return accepted ? 1 : 0;
    }
  }
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context), seconds_of(side.clock->now()));
  if (X509_verify_cert(context) == 1) return 1;
  const int error = X509_STORE_CTX_get_error(context);
  connection.fail_with(reason_of_verify_error(error), X509_verify_cert_error_string(error));
  return 0;
}

std::string_view reason_of_error(unsigned long error, int alert) {
  if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
    switch (ERR_GET_REASON(error)) {
      case SSL_R_UNSUPPORTED_PROTOCOL:
      case SSL_R_VERSION_TOO_LOW:
      case SSL_R_VERSION_TOO_HIGH:
      case SSL_R_WRONG_VERSION_NUMBER:
      case SSL_R_WRONG_SSL_VERSION:
      case SSL_R_UNKNOWN_PROTOCOL:
      case SSL_R_INAPPROPRIATE_FALLBACK:
        return "SEC.TLS.VERSIE";
      case SSL_R_NO_SHARED_CIPHER:
      case SSL_R_NO_SHARED_GROUPS:
      case SSL_R_NO_SUITABLE_GROUPS:
      case SSL_R_NO_SUITABLE_KEY_SHARE:
      case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      case SSL_R_WRONG_SIGNATURE_TYPE:
      case SSL_R_WRONG_CURVE:
      case SSL_R_WRONG_CIPHER_RETURNED:
      case SSL_R_DH_KEY_TOO_SMALL:
        return "SEC.TLS.SUITE";
      case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "SEC.TLS.GEEN_CERT";
      case SSL_R_NO_APPLICATION_PROTOCOL:
        return "SEC.TLS.ALPN";
      default:
        break;
    }
  }
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
      return "SEC.TLS.VERSIE";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return "SEC.TLS.ALPN";
    case SSL_AD_UNRECOGNIZED_NAME:
      return "SEC.TLS.SNI";
    default:
      return "SEC.TLS.FOUT";
  }
}

// Alerts tell why a handshake ends; the error queue still holds the cause when ours is sent.
void watch(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_ALERT) == 0) return;
  const int alert = value & 0xff;
  const bool fatal = (value >> 8) == SSL3_AL_FATAL;
  auto& connection = connection_of(const_cast<SSL*>(ssl));
  if ((where & SSL_CB_WRITE) != 0) {
    if (alert == SSL_AD_NO_RENEGOTIATION) return connection.fail_with("SEC.TLS.RENEGOTIATIE", "renegotiation was asked for");
    if (!fatal) return;
    const unsigned long error = ERR_peek_last_error();
    const char* sentence = ERR_reason_error_string(error);
    return connection.fail_with(reason_of_error(error, alert), sentence == nullptr ? SSL_alert_desc_string_long(value) : sentence);
  }
  if (!fatal) return;
  const auto reason = alert == SSL_AD_PROTOCOL_VERSION          ? "SEC.TLS.VERSIE"
                      : alert == SSL_AD_NO_APPLICATION_PROTOCOL ? "SEC.TLS.ALPN"
                                                                : "SEC.TLS.ALERT";
  connection.fail_with(reason,
                       std::string("the other side sent alert ") + std::to_string(alert) + " (" + SSL_alert_desc_string_long(value) + ")");
}

int choose_certificate(SSL* ssl, int* alert, void* argument) {
  const auto& generation = *static_cast<const Generation*>(argument);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name != nullptr) {
    if (const Side* side = generation.side_for(name)) {
      SSL_set_SSL_CTX(ssl, side->context.get());
      return SSL_TLSEXT_ERR_OK;
    }
  }
  if (!generation.sni_strict) return SSL_TLSEXT_ERR_NOACK;
  connection_of(ssl).fail_with("SEC.TLS.SNI",
                               name == nullptr ? "no server name was given" : "server name " + for_log(name) + " is not served here");
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered, unsigned offered_length,
                    void* argument) {
  const auto& side = *static_cast<const Side*>(argument);
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, octets(side.alpn), static_cast<unsigned>(side.alpn.size()), offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // alert 120 (SEC-041)
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// SEC-035: OpenSSL tells about the extension only after the handshake; a server can look at the hello itself.
int require_extended_master_secret(SSL* ssl, int* alert, void*) {
  const unsigned char* extension = nullptr;
  std::size_t length = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_extended_master_secret, &extension, &length) == 1) return SSL_CLIENT_HELLO_SUCCESS;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &extension, &length) == 1) {
    // One octet of length, then versions of two: TLS 1.3 needs no such extension.
    for (std::size_t i = 1; i + 1 < length; i += 2) {
      if (extension[i] == 3 && extension[i + 1] == 4) return SSL_CLIENT_HELLO_SUCCESS;
    }
  }
  connection_of(ssl).fail_with("SEC.TLS.EMS", "the client does not support Extended Master Secret");
  *alert = SSL_AD_HANDSHAKE_FAILURE;
  return SSL_CLIENT_HELLO_ERROR;
}

// --- session tickets (SEC-036): keys follow from a shared secret and the hour ------------------------------------------------------------

struct TicketKey {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> encryption, authentication;
};

bool derive_ticket_key(BytesView secret, std::int64_t hour, TicketKey& key) {
  const KeyContextPtr context(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  const std::string label = "schakel ticket " + std::to_string(hour);
  std::array<unsigned char, 80> out{};
  std::size_t length = out.size();
  const bool ok = context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
                  EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) == 1 &&
                  EVP_PKEY_CTX_set1_hkdf_key(context.get(), octets(secret), static_cast<int>(secret.size())) == 1 &&
                  EVP_PKEY_CTX_add1_hkdf_info(context.get(), octets(label), static_cast<int>(label.size())) == 1 &&
                  EVP_PKEY_derive(context.get(), out.data(), &length) == 1 && length == out.size();
  if (!ok) return false;
  std::copy_n(out.begin(), 16, key.name.begin());
  std::copy_n(out.begin() + 16, 32, key.encryption.begin());
  std::copy_n(out.begin() + 48, 32, key.authentication.begin());
  OPENSSL_cleanse(out.data(), out.size());
  return true;
}

bool use_ticket_key(TicketKey& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool encrypt) {
  std::array<OSSL_PARAM, 3> parameters = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.authentication.data(), key.authentication.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0), OSSL_PARAM_construct_end()};
  const bool ok = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.encryption.data(), iv, encrypt ? 1 : 0) == 1 &&
                  EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
  OPENSSL_cleanse(&key, sizeof key);
  return ok;
}

// OpenSSL: 1 use, 0 make a full handshake, -1 error.
int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypt) {
  const auto& side = side_of(ssl);
  const auto hour = std::chrono::floor<std::chrono::hours>(side.clock->now()).time_since_epoch().count();
  TicketKey key{};
  if (encrypt == 1) {
    if (!derive_ticket_key(side.ticket_secret, hour, key) || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    std::copy(key.name.begin(), key.name.end(), name);
    return use_ticket_key(key, iv, cipher, mac, true) ? 1 : -1;
  }
  for (const auto age : {0, 1}) {
    if (!derive_ticket_key(side.ticket_secret, hour - age, key)) return -1;
    if (std::equal(key.name.begin(), key.name.end(), name)) return use_ticket_key(key, iv, cipher, mac, false) ? 1 : -1;
  }
  return 0;
}

int allow_ticket(SSL*, void*) {
  return 1;
}

// Resumption skips the certificate messages, so the certificate is judged again here; refused, the client gets a full handshake, which then
// says why.
SSL_TICKET_RETURN judge_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status,
                               void* argument) {
  if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const auto& side = *static_cast<const Side*>(argument);
  X509* leaf = SSL_SESSION_get0_peer(session);
  if (leaf == nullptr) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const auto chain = presented(*side.trust, leaf, nullptr);
  if (!chain) return SSL_TICKET_RETURN_IGNORE_RENEW;
  auto verdict = judge(side, *chain);
  if (!verdict.ok()) return SSL_TICKET_RETURN_IGNORE_RENEW;
  auto& connection = connection_of(ssl);
  connection.verdict = std::move(verdict);
  connection.trust = side.trust;
  return status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

// --- contexts --------------------------------------------------------------------------------------------------------------------------

Error context_error(std::string_view what) {
  return fail("config.invalid", "TLS: " + std::string(what) + ": " + openssl_error());
}

Result<std::string> alpn_wire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const auto& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) return fail("config.invalid", "TLS: an ALPN name has 1 to 255 octets");
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

Result<> set_parameters(SSL_CTX* context, const TlsSettings& settings) {
  const bool only_tls13 = settings.min == "1.3";
  if (!only_tls13 && settings.min != "1.2") return fail("config.invalid", "tls.min is \"1.2\" or \"1.3\"");
  SCHAKEL_TRY(const auto suites, suite_lists(settings.removed_suites, only_tls13));
  if (SSL_CTX_set_min_proto_version(context, only_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1)
    return context_error("versions");
  SSL_CTX_set_security_level(context, security_level);
  if (!suites.tls12.empty() && SSL_CTX_set_cipher_list(context, suites.tls12.c_str()) != 1)
    return context_error("cipher suites of TLS 1.2");
  if (SSL_CTX_set_ciphersuites(context, suites.tls13.c_str()) != 1) return context_error("cipher suites of TLS 1.3");
  if (SSL_CTX_set1_groups_list(context, supported_groups().c_str()) != 1) return context_error("groups");
  const auto signatures = signature_algorithm_list();
  if (SSL_CTX_set1_sigalgs_list(context, signatures.c_str()) != 1 || SSL_CTX_set1_client_sigalgs_list(context, signatures.c_str()) != 1)
    return context_error("signature algorithms");

  // SEC-034, SEC-037. Early data and external PSKs are off unless asked for; stated all the same.
  SSL_CTX_clear_options(context, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_SSLv3 |
                                   SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_recv_max_early_data(context, 0);
  SSL_CTX_set_post_handshake_auth(context, 0);
  SSL_CTX_set_dh_auto(context, 0);
  // Chains are sent as configured (SEC-009); idle connections hold no buffers.
  SSL_CTX_set_mode(context,
                   SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_info_callback(context, watch);
  return {};
}

Result<> use_key_pair(SSL_CTX* context, const KeyPair& key_pair) {
  const X509StackPtr chain(sk_X509_new_null());
  for (const auto& issuer : key_pair.chain()) sk_X509_push(chain.get(), issuer.native());
  if (SSL_CTX_use_cert_and_key(context, key_pair.certificate().native(), key_pair.key(), chain.get(), 1) != 1)
    return context_error("certificate " + key_pair.certificate()->subject);
  return {};
}

void forbid_resumption(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
}

Result<> allow_resumption(Side& side) {
  SSL_CTX* context = side.context.get();
  SSL_CTX_set_timeout(context, session_seconds);
  // A session belongs to one own certificate and one trust profile.
  const auto owner = sha256(side.key_pair->certificate()->sha256 + std::string(to_string(side.trust->profile())));
  if (SSL_CTX_set_session_id_context(context, octets(owner), static_cast<unsigned>(owner.size())) != 1)
    return context_error("session context");
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key);
  SSL_CTX_set_session_ticket_cb(context, allow_ticket, judge_ticket, &side);
  return {};
}

Result<> send_anchor_names(Side& side) {
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  if (side.settings.send_anchor_names && side.trust != nullptr) {
    for (const auto& anchor : side.trust->anchors()) sk_X509_NAME_push(names, X509_NAME_dup(X509_get_subject_name(anchor.native())));
  }
  SSL_CTX_set_client_CA_list(side.context.get(), names);
  return {};
}

Result<std::unique_ptr<Side>> make_side(const TlsSettings& settings, std::shared_ptr<const KeyPair> key_pair,
                                        std::shared_ptr<TrustStore> trust, bool server, const Clock& clock) {
  auto side = std::make_unique<Side>();
  side->context.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  if (side->context == nullptr) return context_error("context");
  side->key_pair = std::move(key_pair);
  side->trust = std::move(trust);
  side->peer_usage = server ? Usage::tls_client : Usage::tls_server;
  side->settings = settings;
  side->clock = &clock;
  SSL_CTX* context = side->context.get();
  SSL_CTX_set_app_data(context, side.get());
  SCHAKEL_CHECK(set_parameters(context, settings));
  if (side->key_pair != nullptr) SCHAKEL_CHECK(use_key_pair(context, *side->key_pair));
  SCHAKEL_TRY(side->alpn, alpn_wire(settings.alpn));
  SSL_CTX_set_cert_verify_callback(context, verify_peer, side.get());
  // What our own chain needs, the peer's mostly needs too: its CRLs are fetched ahead (SEC-022).
  if (side->key_pair != nullptr && side->trust != nullptr) {
    std::vector<Certificate> own{side->key_pair->certificate()};
    own.insert(own.end(), side->key_pair->chain().begin(), side->key_pair->chain().end());
    side->trust->learn(side->trust->verify_path_without_revocation(own, server ? Usage::tls_server : Usage::tls_client, clock.now()));
  }
  return side;
}

std::string group_name(SSL* ssl) {
  const int nid = static_cast<int>(SSL_get_negotiated_group(ssl));
  const char* name = nid == 0 ? nullptr : (nid & TLSEXT_nid_unknown) != 0 ? nullptr : OBJ_nid2sn(nid);
  return name == nullptr ? std::string{} : std::string(name);
}

std::string signature_name(SSL* ssl) {
  int hash = NID_undef, type = NID_undef;
  if (SSL_get_peer_signature_nid(ssl, &hash) != 1 || SSL_get_peer_signature_type_nid(ssl, &type) != 1) return {};
  const char* type_name = OBJ_nid2sn(type);
  const char* hash_name = hash == NID_undef ? nullptr : OBJ_nid2sn(hash);
  return std::string(type_name == nullptr ? "?" : type_name) + (hash_name == nullptr ? "" : std::string(" ") + hash_name);
}

HandshakeResult describe(SSL* ssl) {
  HandshakeResult result;
  result.version = SSL_get_version(ssl);
  const char* cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
  result.cipher = cipher == nullptr ? "" : cipher;
  result.group = group_name(ssl);
  const char* sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  result.sni = sni == nullptr ? "" : to_lower(sni);
  result.signature = signature_name(ssl);
  result.extended_master_secret = SSL_version(ssl) != TLS1_2_VERSION || SSL_get_extms_support(ssl) == 1;
  result.resumed = SSL_session_reused(ssl) == 1;
  const auto* connection = find_connection(ssl);
  if (connection != nullptr && connection->verdict && !connection->verdict->path.empty()) {
    result.peer = peer_identity(*connection->verdict, connection->trust->profile());
    result.peer_chain = connection->verdict->path;
  }
  return result;
}

std::string reason_for(const SSL* ssl) {
  const auto* connection = find_connection(ssl);
  return connection == nullptr || connection->failure.empty() ? "SEC.TLS.FOUT" : connection->failure;
}

std::string detail_for(const SSL* ssl) {
  const auto* connection = find_connection(ssl);
  return connection == nullptr ? "the connection ended during the handshake" : connection->detail;
}

// Verdicts on peers of open connections, so that a request costs a look-up. Safe from every thread.
class RememberedVerdicts {
 public:
  bool still_valid(TrustStore& trust, const PeerIdentity& peer, std::span<const Certificate> path, Usage usage, Instant now) {
    if (now > peer.not_after) return false;
    const auto key = peer.environment + peer.sha256;
    const auto crl_generation = trust.generation();
    {
      const std::lock_guard lock(mutex_);
      const auto found = verdicts_.find(key);
      if (found != verdicts_.end() && found->second.crl_generation == crl_generation && now < found->second.good_until)
        return found->second.valid;
    }
    const bool valid = judge(trust, peer, path, usage, now);
    // A list that nobody renewed expires without a new generation: look again after half a minute (SEC-028: within 60 s).
    const Verdict entry{crl_generation, now + std::chrono::seconds(30), valid};
    const std::lock_guard lock(mutex_);
    if (verdicts_.size() >= remembered_peers_max) verdicts_.clear();
    verdicts_[key] = entry;
    return valid;
  }

 private:
  struct Verdict {
    std::uint64_t crl_generation = 0;
    Instant good_until{};
    bool valid = false;
  };
  static bool judge(TrustStore& trust, const PeerIdentity& peer, std::span<const Certificate> path, Usage usage, Instant now) {
    if (!path.empty()) return may_connect(trust.verify_path(path, usage, now), usage);
    const auto certificate = Certificate::from_der(peer.der);
    return certificate && may_connect(trust.verify_path(std::span(&*certificate, 1), usage, now), usage);
  }

  std::mutex mutex_;
  std::unordered_map<std::string, Verdict> verdicts_;  // environment + SHA-256
};

}  // namespace

// --- server ----------------------------------------------------------------------------------------------------------------------------

struct TlsServer::State {
  TlsSettings settings;
  const Clock* clock = nullptr;
  Bytes ticket_secret;

  mutable std::mutex swapping;
  std::shared_ptr<const Generation> generation;

  RememberedVerdicts remembered;

  std::shared_ptr<const Generation> current() const {
    const std::lock_guard lock(swapping);
    return generation;
  }
  Result<std::unique_ptr<Side>> make_identity(Identity) const;
  Result<std::shared_ptr<const Generation>> make_generation(std::vector<Identity>) const;
};

Result<std::unique_ptr<Side>> TlsServer::State::make_identity(Identity identity) const {
  if (identity.key_pair == nullptr || (identity.trust == nullptr && settings.require_client_certificate))
    return fail("config.invalid", "TLS: an identity needs a certificate and a trust store");
  if (identity.trust != nullptr && identity.production != identity.trust->production())
    return fail("config.invalid",
                "TLS: " + identity.key_pair->certificate()->subject + " is served in another environment than its trust store (SEC-005)");
  SCHAKEL_TRY(auto side, make_side(settings, std::move(identity.key_pair), std::move(identity.trust), true, *clock));
  side->hosts = std::move(identity.hosts);
  side->ticket_secret = ticket_secret;
  SSL_CTX* context = side->context.get();
  // A public listener does not ask; every Digikoppeling listener insists (SEC-001).
  SSL_CTX_set_verify(context, settings.require_client_certificate ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
                     nullptr);
  SCHAKEL_CHECK(send_anchor_names(*side));
  if (!side->alpn.empty()) SSL_CTX_set_alpn_select_cb(context, choose_protocol, side.get());
  if (settings.require_ems) SSL_CTX_set_client_hello_cb(context, require_extended_master_secret, nullptr);
  if (settings.resumption && side->trust != nullptr)
    SCHAKEL_CHECK(allow_resumption(*side));
  else
    forbid_resumption(context);
  return side;
}

Result<std::shared_ptr<const Generation>> TlsServer::State::make_generation(std::vector<Identity> identities) const {
  if (identities.empty()) return fail("config.invalid", "TLS: a listener needs a certificate");
  auto made = std::make_shared<Generation>();
  made->sni_strict = settings.sni_strict;
  for (auto& identity : identities) {
    for (const auto& host : identity.hosts) {
      const Side* other = made->side_for(host);
      if (other != nullptr && other->trust != nullptr && other->trust->production() != identity.production)
        return fail("config.invalid", "TLS: host name " + host + " is served in two environments (SEC-005)");
    }
    SCHAKEL_TRY(auto side, make_identity(std::move(identity)));
    made->sides.push_back(std::move(side));
  }
  for (const auto& side : made->sides) {
    // The macros of OpenSSL, written out for their casts.
    SSL_CTX_callback_ctrl(side->context.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, reinterpret_cast<void (*)()>(choose_certificate));
    SSL_CTX_ctrl(side->context.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, made.get());
  }
  return std::shared_ptr<const Generation>(std::move(made));
}

Result<std::shared_ptr<TlsServer>> TlsServer::make(TlsSettings settings, std::vector<Identity> identities, const Clock& clock) {
  auto state = std::make_shared<State>();
  state->settings = std::move(settings);
  state->clock = &clock;
  if (state->settings.resumption) {
    state->ticket_secret = state->settings.ticket_secret;
    if (state->ticket_secret.empty()) {
      state->ticket_secret.resize(ticket_secret_bytes_min);
      if (RAND_bytes(reinterpret_cast<unsigned char*>(state->ticket_secret.data()), static_cast<int>(state->ticket_secret.size())) != 1)
        return context_error("randomness");
    }
    if (state->ticket_secret.size() < ticket_secret_bytes_min)
      return fail("config.invalid", "TLS: the ticket secret needs 32 octets or more");
  }
  auto server = std::make_shared<TlsServer>();
  server->state_ = std::move(state);
  SCHAKEL_CHECK(server->replace(std::move(identities)));
  return server;
}

Result<> TlsServer::replace(std::vector<Identity> identities) {
  SCHAKEL_TRY(auto made, state_->make_generation(std::move(identities)));
  const std::lock_guard lock(state_->swapping);
  state_->generation = std::move(made);
  return {};
}

std::shared_ptr<SSL_CTX> TlsServer::context() const {
  auto generation = state_->current();
  SSL_CTX* context = generation->default_side().context.get();
  return {std::move(generation), context};
}

HandshakeResult TlsServer::result(SSL* ssl) const {
  return describe(ssl);
}
const std::string& TlsServer::own_sha256(SSL* ssl) const {
  return side_of(ssl).key_pair->certificate()->sha256;
}
std::string TlsServer::failure_reason(SSL* ssl) const {
  return reason_for(ssl);
}
std::string TlsServer::failure_detail(SSL* ssl) const {
  return detail_for(ssl);
}

bool TlsServer::still_valid(const PeerIdentity& peer, std::span<const Certificate> path) const {
  const auto generation = state_->current();
  const auto side = std::ranges::find_if(generation->sides,
                                         [&](const auto& s) { return s->trust && to_string(s->trust->profile()) == peer.environment; });
  if (side == generation->sides.end()) return false;  // its environment is no longer served here
  return state_->remembered.still_valid(*(*side)->trust, peer, path, Usage::tls_client, state_->clock->now());
}

// --- client ----------------------------------------------------------------------------------------------------------------------------

struct TlsClient::State {
  std::unique_ptr<Side> side;
  RememberedVerdicts remembered;
};

Result<std::shared_ptr<TlsClient>> TlsClient::make(TlsSettings settings, std::shared_ptr<const KeyPair> identity,
                                                   std::shared_ptr<TrustStore> trust, bool production, const Clock& clock) {
  if (trust == nullptr) return fail("config.invalid", "TLS: a client needs a trust store");
  if (production != trust->production())
    return fail("config.invalid", "TLS: a client of another environment than its trust store (SEC-005)");
  auto state = std::make_shared<State>();
  SCHAKEL_TRY(state->side, make_side(settings, std::move(identity), std::move(trust), false, clock));
  SSL_CTX* context = state->side->context.get();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  forbid_resumption(context);
  const auto& alpn = state->side->alpn;
  if (!alpn.empty() && SSL_CTX_set_alpn_protos(context, octets(alpn), static_cast<unsigned>(alpn.size())) != 0)
    return context_error("ALPN");
  auto client = std::make_shared<TlsClient>();
  client->state_ = std::move(state);
  return client;
}

Result<std::shared_ptr<TlsClient>> TlsClient::make_web(TlsSettings settings, std::shared_ptr<const KeyPair> identity,
                                                       std::shared_ptr<TrustStore> trust, std::string_view ca_pem, const Clock& clock) {
  auto state = std::make_shared<State>();
  SCHAKEL_TRY(state->side, make_side(settings, std::move(identity), std::move(trust), false, clock));
  auto& side = *state->side;
  side.web = true;
  SSL_CTX* context = side.context.get();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_web_peer, &side);
  if (SSL_CTX_set_default_verify_paths(context) != 1) return context_error("the system's CA store");
  if (!ca_pem.empty()) {
    SCHAKEL_TRY(const auto further, Certificate::list_from_pem(ca_pem));
    for (const auto& authority : further) X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.native());
  }
  forbid_resumption(context);
  if (!side.alpn.empty() && SSL_CTX_set_alpn_protos(context, octets(side.alpn), static_cast<unsigned>(side.alpn.size())) != 0)
    return context_error("ALPN");
  auto client = std::make_shared<TlsClient>();
  client->state_ = std::move(state);
  return client;
}

std::shared_ptr<SSL_CTX> TlsClient::context() const {
  return {state_, state_->side->context.get()};
}

Result<> TlsClient::prepare(SSL* ssl, const std::string& host) const {
  if (!is_host_name(host))
    return fail("SEC.TLS.HOSTNAAM", for_log(host) + " is no host name; an address cannot be authenticated (SEC-015)");
  if (SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str())) != 1)
    return fail("SEC.TLS.FOUT", "the server name cannot be set: " + openssl_error());
  if (state_->side->web) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl, host.c_str()) != 1) return fail("SEC.TLS.FOUT", "the server name cannot be set: " + openssl_error());
  }
  return {};
}

namespace {

// What is known of a server that the system's CAs vouch for: it has no OIN.
Result<PeerIdentity> web_identity(SSL* ssl) {
  X509* native = SSL_get0_peer_certificate(ssl);
  if (native == nullptr) return fail("SEC.TLS.GEEN_CERT", "the server sent no certificate");
  SCHAKEL_TRY(const auto certificate, Certificate::from_native(native));
  PeerIdentity peer;
  peer.refusal = "SEC.OIN.ONTBREEKT";
  peer.subject = certificate->subject;
  peer.sha256 = certificate->sha256;
  peer.not_after = certificate->not_after;
  return peer;
}

}  // namespace

Result<HandshakeResult> TlsClient::check(SSL* ssl, const std::string& host, const std::string& expected_oin) const {
  auto result = describe(ssl);
  if (state_->side->web && !result.peer) {
    // OpenSSL has compared the name (`prepare`).
    if (!expected_oin.empty()) return fail("SEC.OIN.ONTBREEKT", for_log(host) + " shows no certificate with an OIN");
    SCHAKEL_TRY(result.peer, web_identity(ssl));
    return result;
  }
  if (!result.peer || result.peer_chain.empty()) return fail("SEC.TLS.GEEN_CERT", "the server's certificate was not examined");
  const auto& leaf = result.peer_chain.front();
  if (!names_host(leaf, host)) return fail("SEC.TLS.HOSTNAAM", leaf->subject + " has no dNSName " + for_log(host));
  if (!result.peer->refusal.empty() && !state_->side->web)
    return fail(result.peer->refusal, "the certificate of " + for_log(host) + ", " + leaf->subject + ", has no usable OIN");
  if (!expected_oin.empty() && result.peer->oin != expected_oin)
    return fail("SEC.OIN.GEEN_MANDAAT", for_log(host) + " belongs to OIN " + result.peer->oin + ", not to " + for_log(expected_oin));
  if (state_->side->settings.require_ems && !result.extended_master_secret)
    return fail("SEC.TLS.EMS", for_log(host) + " does not support Extended Master Secret");
  return result;
}

std::string TlsClient::failure_reason(SSL* ssl) const {
  return reason_for(ssl);
}
std::string TlsClient::failure_detail(SSL* ssl) const {
  return detail_for(ssl);
}

bool TlsClient::still_valid(const PeerIdentity& peer, std::span<const Certificate> path) const {
  const auto& side = *state_->side;
  if (side.web && path.empty()) return side.clock->now() <= peer.not_after;
  return state_->remembered.still_valid(*side.trust, peer, path, Usage::tls_server, side.clock->now());
}

std::string TlsClient::identity_sha256() const {
  const auto& side = *state_->side;
  return (side.web ? "web " : "") + (side.key_pair == nullptr ? std::string{} : side.key_pair->certificate()->sha256);
}

}  // namespace schakel::security
