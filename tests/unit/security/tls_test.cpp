#include "security/tls.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "handshake.hpp"
#include "own_authority.hpp"
#include "security/keys.hpp"
#include "security/tls_tables.hpp"
#include "support/pki.hpp"

namespace schakel {
namespace {

using security::TlsClient;
using security::TlsServer;
using security::TlsSettings;
using test::Pair;
using test::pki;

constexpr auto stad = "00000099000000001000";
constexpr auto schap = "00000099000000002000";

struct Party {
  security::Issued g4, g1;
};
const Party& gemeente() {
  static const Party party{pki().tls(stad, "Gemeente Voorbeeldstad"), pki().g1(stad, "Gemeente Voorbeeldstad")};
  return party;
}
const Party& waterschap() {
  static const Party party{pki().tls(schap, "Waterschap Voorbeeld"), pki().g1(schap, "Waterschap Voorbeeld")};
  return party;
}

const SystemClock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::shared_ptr<TlsServer> server(const security::Issued& own, std::shared_ptr<security::TrustStore> trust, TlsSettings settings = {}) {
  return TlsServer::make(std::move(settings), {{.hosts = {}, .key_pair = own.key_pair, .trust = std::move(trust), .production = false}},
                         system_clock())
      .value();
}
std::shared_ptr<TlsClient> client(const security::Issued& own, std::shared_ptr<security::TrustStore> trust, TlsSettings settings = {}) {
  return TlsClient::make(std::move(settings), own.key_pair, std::move(trust), false, system_clock()).value();
}

// SEC-001, SEC-004, SEC-010, SEC-033
TEST(Tls, BothGenerationsMeetOnBothVersionsInBothDirections) {
  for (const bool server_g4 : {true, false}) {
    for (const bool client_g4 : {true, false}) {
      for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto& own = server_g4 ? gemeente().g4 : gemeente().g1;
        const auto& other = client_g4 ? waterschap().g4 : waterschap().g1;
        const auto listener = server(own, pki().trust());
        const auto caller = client(other, pki().trust());
        Pair pair(caller->context(), listener->context());
        SSL_set_max_proto_version(pair.client(), version);
        ASSERT_TRUE(caller->prepare(pair.client(), "localhost"));
        ASSERT_TRUE(pair.run().ok()) << listener->failure_detail(pair.server()) << caller->failure_detail(pair.client());
        const auto seen = listener->result(pair.server());
        ASSERT_TRUE(seen.peer);
        EXPECT_EQ(seen.peer->oin, schap);
        EXPECT_EQ(seen.peer->refusal, "");
        EXPECT_EQ(seen.peer_chain.size(), 4U);
        const auto found = caller->check(pair.client(), "localhost", stad);
        ASSERT_TRUE(found) << found.error().detail;
        EXPECT_EQ(found->version, version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
        EXPECT_TRUE(pair.echo("hallo"));
      }
    }
  }
}

std::string code_of(const auto& result) {
  return result ? std::string("accepted") : result.error().code;
}

// A peer without any of our rules: it offers what it is told to.
std::shared_ptr<SSL_CTX> raw_peer(const SSL_METHOD* method, const std::vector<security::Certificate>& chain, EVP_PKEY* key) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), SSL_CTX_free);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_cipher_list(context.get(), "ALL:COMPLEMENTOFALL:@SECLEVEL=0");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  if (!chain.empty()) {
    const security::X509StackPtr others(sk_X509_new_null());
    for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(others.get(), chain[i].native());
    SSL_CTX_use_cert_and_key(context.get(), chain.front().native(), key, others.get(), 1);
  }
  return context;
}
std::shared_ptr<SSL_CTX> raw_client(const security::Issued& own) {
  std::vector<security::Certificate> chain{own.certificate};
  chain.insert(chain.end(), own.chain.begin(), own.chain.end());
  return raw_peer(TLS_client_method(), chain, own.key_pair->key());
}

struct BadSet {
  Instant now = test::start();
  test::Pki pki;
  std::vector<security::NegativeCase> cases;
  std::shared_ptr<security::TrustStore> trust;
  security::Issued own;

  BadSet() : cases(pki.authority().negative(now).value()), trust(pki.trust()), own(pki.tls(stad, "Gemeente Voorbeeldstad")) {
    for (const auto& item : cases) {
      trust->learn(trust->verify_path(item.chain, item.usage, now));
      for (const auto& [name, crl] : item.crls) (void)trust->install_crl(crl, item.id == "N27" ? now - std::chrono::hours(2) : now);
    }
  }
  const security::NegativeCase& operator[](std::string_view id) const { return *std::ranges::find(cases, id, &security::NegativeCase::id); }
};
const BadSet& bad_set() {
  static const BadSet set;
  return set;
}

// security.md 3.1 step 5 and chapter 4: the reason in our log, the alert at the other side. SEC-002, SEC-008, SEC-012, SEC-013, SEC-021
TEST(TlsServer, RefusesABadClientAndSaysWhy) {
  struct Expectation {
    const char* id;
    const char* reason;
    int alert;
  };
  const auto listener = server(bad_set().own, bad_set().trust);
  for (const auto& [id, reason, number] : {Expectation{"N01", "SEC.PKI.VERLOPEN", 45},
                                           {"N02", "SEC.PKI.NOG_NIET_GELDIG", 42},
                                           {"N03", "SEC.PKI.INGETROKKEN", 44},
                                           {"N04", "SEC.PKI.INGETROKKEN", 44},
                                           {"N05", "SEC.PKI.ONBEKENDE_CA", 48},
                                           {"N06", "SEC.PKI.ONBEKENDE_CA", 48},
                                           {"N14", "SEC.PKI.GEBRUIK", 43},
                                           {"N16", "SEC.PKI.GEBRUIK", 43},
                                           {"N17", "SEC.PKI.GEBRUIK", 43},
                                           {"N18", "SEC.PKI.ONBEKENDE_CA", 48},
                                           {"N22", "SEC.PKI.SLEUTEL", 46},
                                           {"N24", "SEC.PKI.ALGORITME", 46},
                                           {"N25", "SEC.PKI.EXTENSIE", 46},
                                           {"N26", "SEC.PKI.PAD", 46},
                                           {"N27", "SEC.CRL.VERLOPEN", 45},
                                           {"N28", "SEC.CRL.GEEN", 48},
                                           {"N29", "SEC.CRL.GEEN", 48},
                                           {"N32", "SEC.PKI.GEBRUIK", 43}}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const auto& bad = bad_set()[id];
      auto context = raw_peer(TLS_client_method(), bad.chain, bad.key.get());
      SSL_CTX_set_max_proto_version(context.get(), version);
      int received = 0;
      SSL_CTX_set_info_callback(context.get(), [](const SSL* ssl, int where, int value) {
        if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) *static_cast<int*>(SSL_get_app_data(ssl)) = value & 0xff;
      });
      Pair pair(context, listener->context());
      SSL_set_app_data(pair.client(), &received);
      EXPECT_FALSE(pair.run().server_done) << id;
      EXPECT_EQ(listener->failure_reason(pair.server()), reason) << id << listener->failure_detail(pair.server());
      EXPECT_EQ(received, number) << id << " " << version;
    }
  }
}

// security.md 3.1 step 6: no usable number or a wrong policy: the handshake completes, so that a 403 can say why. SEC-007, SEC-014
TEST(TlsServer, LetsAPeerWithoutNumberInWithItsRefusal) {
  const auto listener = server(bad_set().own, bad_set().trust);
  for (const auto* id : {"N07", "N08", "N09", "N10", "N11", "N12", "N15"}) {
    const auto& bad = bad_set()[id];
    Pair pair(raw_peer(TLS_client_method(), bad.chain, bad.key.get()), listener->context());
    ASSERT_TRUE(pair.run().ok()) << id;
    const auto result = listener->result(pair.server());
    ASSERT_TRUE(result.peer);
    EXPECT_EQ(result.peer->refusal, bad.expected) << id;
    EXPECT_EQ(result.peer->oin, "") << id;
  }
  const auto& utf8 = bad_set()["N13"];
  Pair pair(raw_peer(TLS_client_method(), utf8.chain, utf8.key.get()), listener->context());
  ASSERT_TRUE(pair.run().ok());
  EXPECT_EQ(listener->result(pair.server()).peer->oin, "00000099000000009000");
}

// SEC-011
TEST(TlsServer, CanAskForLongerKeys) {
  const auto& short_key = bad_set()["N23"];
  Pair accepted(raw_peer(TLS_client_method(), short_key.chain, short_key.key.get()), server(bad_set().own, bad_set().trust)->context());
  EXPECT_TRUE(accepted.run().ok());
  const auto strict = server(bad_set().own, bad_set().trust, {.peer_rsa_min = 3072});
  Pair refused(raw_peer(TLS_client_method(), short_key.chain, short_key.key.get()), strict->context());
  EXPECT_FALSE(refused.run().server_done);
  EXPECT_EQ(strict->failure_reason(refused.server()), "SEC.PKI.SLEUTEL");
}

// SEC-001: alert 40 in TLS 1.2, 116 in TLS 1.3.
TEST(TlsServer, InsistsOnAClientCertificate) {
  const auto listener = server(gemeente().g4, pki().trust());
  for (const auto& [version, number] : {std::pair{TLS1_2_VERSION, 40}, std::pair{TLS1_3_VERSION, 116}}) {
    auto context = raw_peer(TLS_client_method(), {}, nullptr);
    SSL_CTX_set_max_proto_version(context.get(), version);
    int received = 0;
    SSL_CTX_set_info_callback(context.get(), [](const SSL* ssl, int where, int value) {
      if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) *static_cast<int*>(SSL_get_app_data(ssl)) = value & 0xff;
    });
    Pair pair(context, listener->context());
    SSL_set_app_data(pair.client(), &received);
    EXPECT_FALSE(pair.run().server_done);
    EXPECT_EQ(listener->failure_reason(pair.server()), "SEC.TLS.GEEN_CERT");
    EXPECT_EQ(received, number);
  }
  const auto public_listener = server(gemeente().g4, pki().trust(), {.require_client_certificate = false});
  Pair open(raw_peer(TLS_client_method(), {}, nullptr), public_listener->context());
  EXPECT_TRUE(open.run().ok());
  EXPECT_FALSE(public_listener->result(open.server()).peer);
}

// SEC-030: TLS 1.1 and below get protocol_version.
TEST(TlsServer, RefusesOldVersions) {
  const auto listener = server(gemeente().g4, pki().trust());
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    auto context = raw_client(waterschap().g4);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), version);
    Pair pair(context, listener->context());
    EXPECT_FALSE(pair.run().server_done);
    EXPECT_EQ(listener->failure_reason(pair.server()), "SEC.TLS.VERSIE") << listener->failure_detail(pair.server());
  }
  const auto modern = server(gemeente().g4, pki().trust(), {.min = "1.3"});
  auto context = raw_client(waterschap().g4);
  SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  Pair pair(context, modern->context());
  EXPECT_FALSE(pair.run().server_done);
  EXPECT_EQ(modern->failure_reason(pair.server()), "SEC.TLS.VERSIE");
}

// SEC-030, SEC-031, SEC-032: a client of ours refuses an old server.
TEST(TlsClient, RefusesOldVersionsAndForbiddenSuites) {
  const auto caller = client(waterschap().g4, pki().trust());
  auto old = raw_peer(TLS_server_method(), {gemeente().g4.certificate, gemeente().g4.chain[0], gemeente().g4.chain[1]},
                      gemeente().g4.key_pair->key());
  SSL_CTX_set_min_proto_version(old.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.get(), TLS1_1_VERSION);
  Pair pair(caller->context(), old);
  ASSERT_TRUE(caller->prepare(pair.client(), "localhost"));
  EXPECT_FALSE(pair.run().client_done);
  EXPECT_EQ(caller->failure_reason(pair.client()), "SEC.TLS.VERSIE") << caller->failure_detail(pair.client());

  SSL_CTX_set_max_proto_version(old.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(old.get(), "ECDHE-RSA-AES256-SHA384:AES256-GCM-SHA384:@SECLEVEL=0");
  Pair forbidden(caller->context(), old);
  ASSERT_TRUE(caller->prepare(forbidden.client(), "localhost"));
  EXPECT_FALSE(forbidden.run().client_done);
}

// SEC-031, SEC-033, A2: what our client offers is exactly the tables.
TEST(TlsClient, OffersTheTablesAndNothingElse) {
  const auto caller = client(waterschap().g4, pki().trust());
  const auto plain = raw_peer(TLS_server_method(), {gemeente().g4.certificate, gemeente().g4.chain[0], gemeente().g4.chain[1]},
                              gemeente().g4.key_pair->key());
  Pair pair(caller->context(), plain);
  ASSERT_TRUE(caller->prepare(pair.client(), "localhost"));
  ASSERT_TRUE(pair.run().ok());

  std::vector<std::string> offered, table;
  const auto* suites = SSL_get_client_ciphers(pair.server());
  for (int i = 0; i < sk_SSL_CIPHER_num(suites); ++i) offered.emplace_back(SSL_CIPHER_standard_name(sk_SSL_CIPHER_value(suites, i)));
  for (const auto& suite : security::cipher_suites()) table.emplace_back(suite.iana);
  EXPECT_EQ(offered, table);

  // Table 2.5 in code points.
  const std::vector<int> codes = {0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0806, 0x0805,
                                  0x0804, 0x080b, 0x080a, 0x0809, 0x0601, 0x0501, 0x0401};
  std::vector<int> signatures;
  for (int i = 0, count = SSL_get_sigalgs(pair.server(), 0, nullptr, nullptr, nullptr, nullptr, nullptr); i < count; ++i) {
    unsigned char signature = 0, hash = 0;
    SSL_get_sigalgs(pair.server(), i, nullptr, nullptr, nullptr, &signature, &hash);
    signatures.push_back(hash << 8 | signature);
  }
  EXPECT_EQ(signatures, codes);

  // x25519, secp256r1, x448, secp384r1, secp521r1, and brainpool where TLS 1.2 may choose it.
  const int groups = static_cast<int>(SSL_get1_groups(pair.server(), nullptr));
  std::vector<int> ids(static_cast<std::size_t>(groups));
  SSL_get1_groups(pair.server(), ids.data());
  std::vector<std::string> names;
  for (const int id : ids) names.emplace_back(OBJ_nid2sn(id));
  ASSERT_GE(names.size(), 5U);
  EXPECT_EQ((std::vector<std::string>(names.begin(), names.begin() + 5)),
            (std::vector<std::string>{"X25519", "prime256v1", "X448", "secp384r1", "secp521r1"}));
  for (const auto& name : names) EXPECT_LE(security::grade_of_group(name), security::Grade::sufficient) << name;
}

// SEC-033: the same list in CertificateRequest. SEC-042: the names of the anchors, or none.
TEST(TlsServer, AsksForCertificatesOfItsAnchors) {
  for (const bool named : {true, false}) {
    const auto listener = server(gemeente().g4, pki().trust(), {.send_anchor_names = named});
    Pair pair(raw_client(waterschap().g4), listener->context());
    ASSERT_TRUE(pair.run().ok());
    std::set<std::string> names;
    const auto* list = SSL_get0_peer_CA_list(pair.client());
    for (int i = 0; i < sk_X509_NAME_num(list); ++i) names.insert(security::rfc2253(sk_X509_NAME_value(list, i)));
    std::set<std::string> anchors;
    for (const auto* id : {"g4-tls-root", "g4-other-root", "g1-root"}) anchors.insert(pki().authority().authority(id)->subject);
    EXPECT_EQ(names, named ? anchors : std::set<std::string>{});
    EXPECT_EQ(SSL_get_sigalgs(pair.client(), 0, nullptr, nullptr, nullptr, nullptr, nullptr),
              static_cast<int>(security::signature_algorithms().size()));
  }
}

// SEC-032: each group of table 2.4 that the library has connects; others do not.
TEST(TlsServer, AcceptsTheGroupsOfTheTableOnly) {
  const auto listener = server(gemeente().g4, pki().trust());
  const auto connects = [&](const char* group, int version) {
    auto context = raw_client(waterschap().g4);
    SSL_CTX_set_max_proto_version(context.get(), version);
    if (SSL_CTX_set1_groups_list(context.get(), group) != 1) return -1;
    Pair pair(context, listener->context());
    return pair.run().ok() ? 1 : 0;
  };
  for (const auto* group : {"X25519", "P-256", "X448", "P-384", "P-521"}) {
    EXPECT_EQ(connects(group, TLS1_3_VERSION), 1) << group;
    EXPECT_EQ(connects(group, TLS1_2_VERSION), 1) << group;
  }
  for (const auto* group : {"brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"})
    EXPECT_EQ(connects(group, TLS1_2_VERSION), 1) << group;
  for (const auto* group : {"ffdhe2048", "ffdhe3072", "ffdhe8192"}) EXPECT_EQ(connects(group, TLS1_3_VERSION), 0) << group;
  for (const auto* group : {"secp224r1", "secp256k1"}) EXPECT_EQ(connects(group, TLS1_2_VERSION), 0) << group;
}

// SEC-031
TEST(TlsSettings, SuitesCanBeRemovedButNotAdded) {
  const auto listener =
      server(gemeente().g4, pki().trust(), {.removed_suites = {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}});
  Pair pair(raw_client(waterschap().g4), listener->context());
  ASSERT_TRUE(pair.run().ok());
  EXPECT_EQ(listener->result(pair.server()).cipher, "TLS_AES_128_GCM_SHA256");
  const auto refused = [&](TlsSettings settings) {
    return code_of(TlsServer::make(std::move(settings),
                                   {{.hosts = {}, .key_pair = gemeente().g4.key_pair, .trust = pki().trust(), .production = false}},
                                   system_clock()));
  };
  EXPECT_EQ(refused({.removed_suites = {"AES128-SHA"}}), "config.invalid");
  EXPECT_EQ(refused({.min = "1.1"}), "config.invalid");
  std::vector<std::string> all;
  for (const auto& suite : security::cipher_suites()) all.emplace_back(suite.openssl);
  EXPECT_EQ(refused({.removed_suites = all}), "config.invalid");
  EXPECT_EQ(refused({.alpn = {""}}), "config.invalid");
  EXPECT_EQ(refused({.resumption = true, .ticket_secret = "short"}), "config.invalid");
}

// SEC-005
TEST(TlsServer, ServesEachHostNameInOneEnvironment) {
  const auto make = [&](std::vector<TlsServer::Identity> identities) {
    return code_of(TlsServer::make({}, std::move(identities), system_clock()));
  };
  EXPECT_EQ(make({}), "config.invalid");
  EXPECT_EQ(make({{.hosts = {}, .key_pair = nullptr, .trust = pki().trust(), .production = false}}), "config.invalid");
  EXPECT_EQ(make({{.hosts = {}, .key_pair = gemeente().g4.key_pair, .trust = pki().trust(), .production = true}}), "config.invalid");
  EXPECT_EQ(code_of(TlsClient::make({}, gemeente().g4.key_pair, pki().trust(), true, system_clock())), "config.invalid");

  const auto& root = pki().authority().authority("g4-tls-root");
  const auto production =
      security::TrustStore::make({.profile = security::TrustProfile::production, .additional_pins = {root->sha256}}, root.pem(), "")
          .value();
  EXPECT_EQ(make({{.hosts = {"a.test"}, .key_pair = gemeente().g4.key_pair, .trust = pki().trust(), .production = false},
                  {.hosts = {"A.test"}, .key_pair = gemeente().g4.key_pair, .trust = production, .production = true}}),
            "config.invalid");
  EXPECT_EQ(make({{.hosts = {"a.test"}, .key_pair = gemeente().g4.key_pair, .trust = pki().trust(), .production = false},
                  {.hosts = {"b.test"}, .key_pair = gemeente().g4.key_pair, .trust = production, .production = true}}),
            "accepted");
}

// SEC-040
TEST(TlsServer, ChoosesTheCertificateByServerName) {
  const auto a = pki().tls(stad, "Gemeente A", {"a.voorbeeld.test"}), b = pki().tls(schap, "Waterschap B", {"b.voorbeeld.test"});
  const auto make = [&](bool strict) {
    return TlsServer::make({.sni_strict = strict},
                           {{.hosts = {"a.voorbeeld.test"}, .key_pair = a.key_pair, .trust = pki().trust(), .production = false},
                            {.hosts = {"b.voorbeeld.test"}, .key_pair = b.key_pair, .trust = pki().trust(), .production = false}},
                           system_clock())
        .value();
  };
  const auto served = [&](const std::shared_ptr<TlsServer>& listener, const char* name) -> std::string {
    Pair pair(raw_client(waterschap().g4), listener->context());
    if (name != nullptr) SSL_ctrl(pair.client(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name));
    if (!pair.run().ok()) return listener->failure_reason(pair.server());
    const auto own = security::Certificate::from_native(SSL_get0_peer_certificate(pair.client())).value();
    EXPECT_EQ(listener->result(pair.server()).sni, name == nullptr ? "" : to_lower(name));
    EXPECT_EQ(listener->result(pair.server()).peer->oin, schap);
    return own->organisation;
  };
  const auto lenient = make(false), strict = make(true);
  EXPECT_EQ(served(lenient, "a.voorbeeld.test"), "Gemeente A");
  EXPECT_EQ(served(lenient, "B.VOORBEELD.test"), "Waterschap B");
  EXPECT_EQ(served(lenient, "c.voorbeeld.test"), "Gemeente A");
  EXPECT_EQ(served(lenient, nullptr), "Gemeente A");
  EXPECT_EQ(served(strict, "b.voorbeeld.test"), "Waterschap B");
  EXPECT_EQ(served(strict, "c.voorbeeld.test"), "SEC.TLS.SNI");
  EXPECT_EQ(served(strict, nullptr), "SEC.TLS.SNI");
}

// SEC-041
TEST(TlsServer, AgreesOnAProtocolOrRefuses) {
  const auto listener = server(gemeente().g4, pki().trust(), {.alpn = {"h2", "http/1.1"}});
  const auto agreed = [&](std::string_view wire) -> std::string {
    Pair pair(raw_client(waterschap().g4), listener->context());
    if (!wire.empty()) SSL_set_alpn_protos(pair.client(), security::octets(wire), static_cast<unsigned>(wire.size()));
    if (!pair.run().ok()) return listener->failure_reason(pair.server());
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(pair.client(), &chosen, &length);
    return {reinterpret_cast<const char*>(chosen), length};
  };
  EXPECT_EQ(agreed("\x08http/1.1"), "http/1.1");
  EXPECT_EQ(agreed("\x08http/1.1\x02h2"), "h2");
  EXPECT_EQ(agreed(""), "");
  EXPECT_EQ(agreed("\x02h3"), "SEC.TLS.ALPN");
  const auto caller = client(waterschap().g4, pki().trust());
  Pair ours(caller->context(), listener->context());
  ASSERT_TRUE(ours.run().ok());
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ours.client(), &chosen, &length);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(chosen), length), "http/1.1");
}

// SEC-034: renegotiation by the client is answered with no_renegotiation; the connection goes on with the old keys.
TEST(TlsServer, RefusesRenegotiation) {
  const auto listener = server(gemeente().g4, pki().trust());
  auto context = raw_client(waterschap().g4);
  SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  Pair pair(context, listener->context());
  ASSERT_TRUE(pair.run().ok());
  ASSERT_TRUE(pair.echo("before"));
  SSL_renegotiate(pair.client());
  char buffer[16];
  for (int round = 0; round < 5; ++round) {
    (void)SSL_do_handshake(pair.client());
    (void)SSL_read(pair.server(), buffer, sizeof buffer);
  }
  ERR_clear_error();
  EXPECT_EQ(listener->failure_reason(pair.server()), "SEC.TLS.RENEGOTIATIE");
}

// SEC-034: neither compression, early data nor a PSK.
TEST(TlsServer, HasNoDangerousOptions) {
  const auto listener = server(gemeente().g4, pki().trust());
  const auto options = SSL_CTX_get_options(listener->context().get());
  EXPECT_TRUE(options & SSL_OP_NO_COMPRESSION);
  EXPECT_TRUE(options & SSL_OP_NO_RENEGOTIATION);
  EXPECT_TRUE(options & SSL_OP_NO_TICKET);
  EXPECT_TRUE(options & SSL_OP_CIPHER_SERVER_PREFERENCE);
  EXPECT_FALSE(options & SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
  EXPECT_FALSE(SSL_CTX_get_options(client(waterschap().g4, pki().trust())->context().get()) & SSL_OP_LEGACY_SERVER_CONNECT);
  EXPECT_EQ(SSL_CTX_get_max_early_data(listener->context().get()), 0U);
  Pair pair(raw_client(waterschap().g4), listener->context());
  ASSERT_TRUE(pair.run().ok());
  EXPECT_EQ(SSL_get_current_compression(pair.server()), nullptr);
}

// SEC-035
TEST(TlsServer, NotesOrRefusesAPeerWithoutExtendedMasterSecret) {
  auto context = raw_client(waterschap().g4);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
  SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  const auto lenient = server(gemeente().g4, pki().trust());
  Pair accepted(context, lenient->context());
  ASSERT_TRUE(accepted.run().ok());
  EXPECT_FALSE(lenient->result(accepted.server()).extended_master_secret);

  const auto strict = server(gemeente().g4, pki().trust(), {.require_ems = true});
  Pair refused(context, strict->context());
  EXPECT_FALSE(refused.run().server_done);
  EXPECT_EQ(strict->failure_reason(refused.server()), "SEC.TLS.EMS");
  SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION);
  Pair modern(context, strict->context());
  ASSERT_TRUE(modern.run().ok());
  EXPECT_TRUE(strict->result(modern.server()).extended_master_secret);

  // Our client finds it out after the handshake, before any request.
  const auto caller = client(waterschap().g4, pki().trust(), {.require_ems = true});
  auto old = raw_peer(TLS_server_method(), {gemeente().g4.certificate, gemeente().g4.chain[0], gemeente().g4.chain[1]},
                      gemeente().g4.key_pair->key());
  SSL_CTX_set_options(old.get(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
  SSL_CTX_set_max_proto_version(old.get(), TLS1_2_VERSION);
  Pair pair(caller->context(), old);
  ASSERT_TRUE(caller->prepare(pair.client(), "localhost"));
  ASSERT_TRUE(pair.run().ok());
  EXPECT_EQ(code_of(caller->check(pair.client(), "localhost", stad)), "SEC.TLS.EMS");
}

// A session of a first connection, offered again. TLS 1.3 tickets come after the handshake.
security::HandshakeResult again(const TlsServer& listener, const std::shared_ptr<SSL_CTX>& context, std::string* refusal = nullptr) {
  Pair first(context, listener.context());
  EXPECT_TRUE(first.run().ok());
  EXPECT_TRUE(first.echo("x"));
  SSL_SESSION* session = SSL_get1_session(first.client());
  SSL_shutdown(first.client());
  Pair second(context, listener.context());
  SSL_set_session(second.client(), session);
  SSL_SESSION_free(session);
  const bool ok = second.run().ok();
  if (refusal != nullptr) *refusal = ok ? "" : listener.failure_reason(second.server());
  return ok ? listener.result(second.server()) : security::HandshakeResult{};
}

// SEC-036, A10
TEST(Resumption, IsOffUnlessAskedFor) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto context = raw_client(waterschap().g4);
    SSL_CTX_set_max_proto_version(context.get(), version);
    const auto result = again(*server(gemeente().g4, pki().trust()), context);
    EXPECT_FALSE(result.resumed);
    EXPECT_EQ(result.peer->oin, schap);
  }
}

// SEC-036, A10
TEST(Resumption, ChecksTheCertificateAgain) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    test::Pki own_pki("http://127.0.0.1:8089", security::PkiGeneration::g4);
    const auto caller = own_pki.tls(schap, "Waterschap"), own = own_pki.tls(stad, "Gemeente");
    const auto trust = own_pki.trust();
    const auto listener = server(own, trust, {.resumption = true, .ticket_secret = std::string(32, 's')});
    auto context = raw_client(caller);
    SSL_CTX_set_max_proto_version(context.get(), version);
    const auto resumed = again(*listener, context);
    EXPECT_TRUE(resumed.resumed) << version;
    ASSERT_TRUE(resumed.peer);
    EXPECT_EQ(resumed.peer->oin, schap);

    // A node with the same secret takes the ticket; one with another makes a full handshake.
    Pair first(context, listener->context());
    ASSERT_TRUE(first.run().ok());
    ASSERT_TRUE(first.echo("x"));
    SSL_SESSION* session = SSL_get1_session(first.client());
    const auto elsewhere = [&](const char* secret) {
      const auto node = server(own, trust, {.resumption = true, .ticket_secret = secret});
      Pair pair(context, node->context());
      SSL_set_session(pair.client(), session);
      EXPECT_TRUE(pair.run().ok());
      return node->result(pair.server()).resumed;
    };
    EXPECT_TRUE(elsewhere("ssssssssssssssssssssssssssssssss"));
    EXPECT_FALSE(elsewhere("another secret of thirty-two bytes"));

    own_pki.authority().revoke(caller.certificate->serial, 1, test::start()).value();
    trust->install_crl(own_pki.authority().crls().at("g4-tls-tsp"), test::start()).value();
    Pair after(context, listener->context());
    SSL_set_session(after.client(), session);
    SSL_SESSION_free(session);
    EXPECT_FALSE(after.run().server_done);
    EXPECT_EQ(listener->failure_reason(after.server()), "SEC.PKI.INGETROKKEN");
  }
}

// SEC-015, SEC-016: before the first octet of the request.
TEST(TlsClient, ChecksTheHostNameAndTheNumber) {
  for (const auto* id : {"N19", "N20", "N21", "N30"}) {
    const auto& bad = bad_set()[id];
    const auto caller = client(bad_set().own, bad_set().trust);
    Pair pair(caller->context(), raw_peer(TLS_server_method(), bad.chain, bad.key.get()));
    ASSERT_TRUE(pair.run().ok()) << id << caller->failure_detail(pair.client());
    EXPECT_EQ(code_of(caller->check(pair.client(), bad.host, "")), "SEC.TLS.HOSTNAAM") << id;
  }
  const auto& twice = bad_set()["N31"];
  const auto caller = client(bad_set().own, bad_set().trust);
  Pair pair(caller->context(), raw_peer(TLS_server_method(), twice.chain, twice.key.get()));
  ASSERT_TRUE(caller->prepare(pair.client(), "negative.test"));
  ASSERT_TRUE(pair.run().ok());
  EXPECT_EQ(code_of(caller->check(pair.client(), "negative.test", "")), "accepted");
  EXPECT_EQ(code_of(caller->check(pair.client(), "NEGATIVE.TEST", "00000099000000009000")), "accepted");
  EXPECT_EQ(code_of(caller->check(pair.client(), "negative.test", stad)), "SEC.OIN.GEEN_MANDAAT");
  EXPECT_EQ(code_of(caller->check(pair.client(), "other.test", "00000099000000009000")), "SEC.TLS.HOSTNAAM");
}

// SEC-007, SEC-002, SEC-003, SEC-020: our client judges a server as a listener judges a client.
TEST(TlsClient, RefusesABadServer) {
  for (const auto* id :
       {"N01", "N02", "N03", "N04", "N05", "N06", "N14", "N17", "N18", "N24", "N25", "N26", "N27", "N28", "N29", "N32", "N15"}) {
    const auto& bad = bad_set()[id];
    const auto caller = client(bad_set().own, bad_set().trust);
    Pair pair(caller->context(), raw_peer(TLS_server_method(), bad.chain, bad.key.get()));
    EXPECT_FALSE(pair.run().client_done) << id;
    EXPECT_EQ(caller->failure_reason(pair.client()), bad.expected) << id << caller->failure_detail(pair.client());
  }
  for (const auto* id : {"N07", "N10", "N12"}) {
    const auto& bad = bad_set()[id];
    const auto caller = client(bad_set().own, bad_set().trust);
    Pair pair(caller->context(), raw_peer(TLS_server_method(), bad.chain, bad.key.get()));
    ASSERT_TRUE(pair.run().ok()) << id;
    EXPECT_EQ(code_of(caller->check(pair.client(), "negative.test", "")), bad.expected) << id;
  }
}

// SEC-040: the server name is never an address.
TEST(TlsClient, SendsAHostNameAndNeverAnAddress) {
  const auto caller = client(waterschap().g4, pki().trust());
  const auto listener = server(gemeente().g4, pki().trust());
  Pair pair(caller->context(), listener->context());
  EXPECT_EQ(code_of(caller->prepare(pair.client(), "127.0.0.1")), "SEC.TLS.HOSTNAAM");
  EXPECT_EQ(code_of(caller->prepare(pair.client(), "::1")), "SEC.TLS.HOSTNAAM");
  ASSERT_TRUE(caller->prepare(pair.client(), "localhost"));
  ASSERT_TRUE(pair.run().ok());
  EXPECT_EQ(listener->result(pair.server()).sni, "localhost");
  EXPECT_EQ(caller->identity_sha256(), waterschap().g4.certificate->sha256);
}

// SEC-009
TEST(Tls, OwnChainsAreSentWithoutTheRoot) {
  const auto listener = server(gemeente().g4, pki().trust());
  Pair pair(raw_client(waterschap().g4), listener->context());
  ASSERT_TRUE(pair.run().ok());
  const auto* sent = SSL_get_peer_cert_chain(pair.client());
  ASSERT_EQ(sk_X509_num(sent), 3);
  const std::vector expected{gemeente().g4.certificate, pki().authority().authority("g4-tls-tsp"),
                             pki().authority().authority("g4-tls-domain")};
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(security::Certificate::from_native(sk_X509_value(sent, i)).value(), expected[static_cast<std::size_t>(i)]);
}

// SEC-028
TEST(TlsServer, SeesThatAPeerWasRevokedOrItsListExpired) {
  test::Pki own_pki("http://127.0.0.1:8089", security::PkiGeneration::g4);
  const auto caller = own_pki.tls(schap, "Waterschap"), own = own_pki.tls(stad, "Gemeente");
  const auto trust = own_pki.trust();
  test::FixedClock clock(test::start());
  const auto listener = TlsServer::make({}, {{.hosts = {}, .key_pair = own.key_pair, .trust = trust, .production = false}}, clock).value();
  Pair pair(raw_client(caller), listener->context());
  ASSERT_TRUE(pair.run().ok());
  const auto peer = *listener->result(pair.server()).peer;
  EXPECT_TRUE(listener->still_valid(peer));
  EXPECT_TRUE(listener->still_valid(peer));

  auto foreign = peer;
  foreign.environment = "production";
  EXPECT_FALSE(listener->still_valid(foreign));

  clock.move(std::chrono::hours(49));  // nobody fetched
  EXPECT_FALSE(listener->still_valid(peer));
  own_pki.authority().renew_crls(clock.now()).value();
  for (const auto& [id, crl] : own_pki.authority().crls()) trust->install_crl(crl, clock.now()).value();
  EXPECT_TRUE(listener->still_valid(peer));

  own_pki.authority().revoke(caller.certificate->serial, 1, clock.now()).value();
  trust->install_crl(own_pki.authority().crls().at("g4-tls-tsp"), clock.now()).value();
  EXPECT_FALSE(listener->still_valid(peer));
  clock.set(peer.not_after + std::chrono::seconds(1));
  EXPECT_FALSE(listener->still_valid(peer));
}

// SEC-074: a new certificate serves new handshakes; a running connection keeps its own.
TEST(TlsServer, ReplacesItsCertificateWithoutDroppingAConnection) {
  const auto listener = server(gemeente().g4, pki().trust());
  const auto successor = pki().tls(stad, "Gemeente Voorbeeldstad");
  Pair running(raw_client(waterschap().g4), listener->context());
  ASSERT_TRUE(running.run().ok());
  ASSERT_TRUE(listener->replace({{.hosts = {}, .key_pair = successor.key_pair, .trust = pki().trust(), .production = false}}));
  EXPECT_TRUE(running.echo("still here"));
  Pair fresh(raw_client(waterschap().g4), listener->context());
  ASSERT_TRUE(fresh.run().ok());
  EXPECT_EQ(security::Certificate::from_native(SSL_get0_peer_certificate(fresh.client())).value(), successor.certificate);
  EXPECT_FALSE(listener->replace({}));
  Pair after(raw_client(waterschap().g4), listener->context());
  EXPECT_TRUE(after.run().ok());
}

// SEC-037: of what both can, the server's first choice.
TEST(TlsServer, ChoosesTheSuiteItself) {
  const auto listener = server(gemeente().g4, pki().trust());
  const auto first = raw_client(waterschap().g4);
  ASSERT_EQ(SSL_CTX_set_ciphersuites(first.get(), "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"), 1);
  Pair newer(first, listener->context());
  ASSERT_TRUE(newer.run().ok());
  EXPECT_EQ(listener->result(newer.server()).cipher, "TLS_AES_256_GCM_SHA384");
  const auto second = raw_client(waterschap().g4);
  SSL_CTX_set_max_proto_version(second.get(), TLS1_2_VERSION);
  ASSERT_EQ(SSL_CTX_set_cipher_list(second.get(), "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"), 1);
  Pair older(second, listener->context());
  ASSERT_TRUE(older.run().ok());
  EXPECT_EQ(listener->result(older.server()).cipher, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
}

// Inner listeners may show a certificate of any CA to whoever comes.
TEST(TlsServer, NeedsNoAnchorsWhenItAsksForNoCertificate) {
  TlsSettings open;
  open.require_client_certificate = false;
  const auto listener = server(gemeente().g4, nullptr, open);
  Pair pair(client(waterschap().g4, pki().trust())->context(), listener->context());
  ASSERT_TRUE(pair.run().ok());
  EXPECT_FALSE(listener->result(pair.server()).peer);
  EXPECT_EQ(listener->own_sha256(pair.server()), gemeente().g4.certificate->sha256);
  const auto strict = TlsServer::make({}, {{.key_pair = gemeente().g4.key_pair, .trust = nullptr}}, system_clock());
  EXPECT_EQ(code_of(strict), "config.invalid");
}

// A server of the web with a certificate of this CA, and what make_web makes of it for `host`.
std::string web_outcome(const test::OwnAuthority& authority, std::vector<std::string> hosts, const std::string& host,
                        std::string_view ca_pem, const Clock& clock = system_clock()) {
  const auto key = test::rsa(3072);
  const auto leaf = authority.leaf({.hosts = std::move(hosts)}, key.get());
  const auto caller = TlsClient::make_web({}, nullptr, pki().trust(), ca_pem, clock).value();
  Pair pair(caller->context(), raw_peer(TLS_server_method(), {leaf}, key.get()));
  if (!caller->prepare(pair.client(), host)) return "not prepared";
  if (!pair.run().client_done) return caller->failure_reason(pair.client());
  const auto checked = caller->check(pair.client(), host, "");
  if (!checked) return checked.error().code;
  return caller->still_valid(*checked->peer, checked->peer_chain) ? "accepted" : "ended";
}

// ADP-113: webhooks and our own tools; SEC-003 keeps partners out of this.
TEST(TlsClient, OfTheWebTrustsFurtherCasAndTheRulesOfTheWeb) {
  const test::OwnAuthority authority;
  const auto ca = authority.certificate.pem();
  EXPECT_EQ(web_outcome(authority, {"app.test"}, "app.test", ca), "accepted");
  EXPECT_EQ(web_outcome(authority, {"*.intern.test"}, "app.intern.test", ca), "accepted");
  EXPECT_EQ(web_outcome(authority, {"app.test"}, "other.test", ca), "SEC.TLS.HOSTNAAM");
  EXPECT_EQ(web_outcome(authority, {"app.test"}, "app.test", ""), "SEC.PKI.ONBEKENDE_CA");
  EXPECT_EQ(web_outcome(authority, {"app.test"}, "app.test", ca, test::FixedClock(test::start() + std::chrono::days(31))),
            "SEC.PKI.VERLOPEN");
  const auto caller = TlsClient::make_web({}, nullptr, nullptr, ca, system_clock()).value();
  EXPECT_EQ(code_of(TlsClient::make_web({}, nullptr, nullptr, "no certificate", system_clock())), "SEC.PKI.ONLEESBAAR");
  EXPECT_EQ(caller->identity_sha256(), "web ") << "never shared with a connection to a partner";
}

// SEC-003: the system's CAs count for applications only.
TEST(TlsClient, OfAPartnerTrustsNoCaButTheAnchors) {
  const test::OwnAuthority authority;
  const auto key = test::rsa(3072);
  const auto leaf = authority.leaf({.hosts = {"app.test"}}, key.get());
  const auto caller = client(waterschap().g4, pki().trust());
  Pair pair(caller->context(), raw_peer(TLS_server_method(), {leaf}, key.get()));
  EXPECT_FALSE(pair.run().client_done);
  EXPECT_EQ(caller->failure_reason(pair.client()), "SEC.PKI.ONBEKENDE_CA");
}

// What leads to our anchors is judged by our rules, CRLs included.
TEST(TlsClient, OfTheWebJudgesOurOwnHierarchyInFull) {
  test::Pki other;
  const auto own = other.tls(stad, "Gemeente Voorbeeldstad", {"localhost"});
  const auto outcome = [&] {
    const auto caller = TlsClient::make_web({}, nullptr, other.trust(), {}, system_clock()).value();
    TlsSettings open;
    open.require_client_certificate = false;
    Pair pair(caller->context(), server(own, other.trust(), open)->context());
    EXPECT_TRUE(caller->prepare(pair.client(), "localhost"));
    if (!pair.run().client_done) return caller->failure_reason(pair.client());
    return code_of(caller->check(pair.client(), "localhost", ""));
  };
  EXPECT_EQ(outcome(), "accepted");
  other.authority().revoke(own.certificate->serial, 1, test::start()).value();
  EXPECT_EQ(outcome(), "SEC.PKI.INGETROKKEN");
}

}  // namespace
}  // namespace schakel
