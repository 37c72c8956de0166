// tls.handshake: full two-way TLS 1.3 handshakes per second on one core, both sides in this thread over memory, with our contexts (path,
// CRLs, policy, OIN, host name) against plain OpenSSL contexts with the same certificates that check the chain only.
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <stdexcept>

#include "measure.hpp"
#include "security/keys.hpp"
#include "security/pki.hpp"
#include "security/tls.hpp"

namespace schakel::bench {
namespace {

using Context = std::shared_ptr<SSL_CTX>;

void expect(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

struct Ssl {
  explicit Ssl(SSL_CTX* context) : ssl(SSL_new(context)) {}
  ~Ssl() { SSL_free(ssl); }
  Ssl(const Ssl&) = delete;
  Ssl& operator=(const Ssl&) = delete;
  SSL* ssl;
};

void shake_hands(SSL* server, SSL* client) {
  BIO *server_end = nullptr, *client_end = nullptr;
  expect(BIO_new_bio_pair(&server_end, 0, &client_end, 0) == 1, "BIO pair");
  SSL_set_bio(server, server_end, server_end);
  SSL_set_bio(client, client_end, client_end);
  SSL_set_accept_state(server);
  SSL_set_connect_state(client);
  for (int turn = 0; turn < 20 && !(SSL_is_init_finished(server) && SSL_is_init_finished(client)); ++turn) {
    SSL_do_handshake(client);
    SSL_do_handshake(server);
  }
  expect(SSL_is_init_finished(server) == 1 && SSL_is_init_finished(client) == 1, "the handshake did not finish");
}

Context raw_context(const SSL_METHOD* method, const security::KeyPair& key_pair, const std::string& anchors_file) {
  const Context context(SSL_CTX_new(method), SSL_CTX_free);
  expect(SSL_CTX_use_certificate(context.get(), key_pair.certificate().native()) == 1, "certificate");
  for (const auto& issuer : key_pair.chain()) expect(SSL_CTX_add1_chain_cert(context.get(), issuer.native()) == 1, "chain");
  expect(SSL_CTX_use_PrivateKey(context.get(), key_pair.key()) == 1, "key");
  expect(SSL_CTX_load_verify_locations(context.get(), anchors_file.c_str(), nullptr) == 1, "anchors");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  return context;
}

constexpr double seconds_each = 2.0;

double raw_per_second(SSL_CTX* server, SSL_CTX* client) {
  const Stopwatch watch;
  int count = 0;
  for (; watch.seconds() < seconds_each; ++count) {
    const Ssl one(server), other(client);
    shake_hands(one.ssl, other.ssl);
  }
  return count / watch.seconds();
}

double our_per_second(security::TlsServer& server, security::TlsClient& client) {
  const Stopwatch watch;
  int count = 0;
  for (; watch.seconds() < seconds_each; ++count) {
    const auto server_context = server.context();
    const auto client_context = client.context();
    const Ssl one(server_context.get()), other(client_context.get());
    expect(client.prepare(other.ssl, "localhost").has_value(), "prepare");
    shake_hands(one.ssl, other.ssl);
    expect(client.check(other.ssl, "localhost", "00000099000000020000").has_value(), "our client refuses our server");
    expect(server.result(one.ssl).peer->oin == "00000099000000010000", "our server does not know our client");
  }
  return count / watch.seconds();
}

}  // namespace

std::vector<Figure> tls_figures(const std::string& folder) {
  const SystemClock clock;
  const auto now = clock.now() - std::chrono::minutes(5);
  auto pki = security::TestPki::init(
                 {.generation = security::PkiGeneration::g4, .base_url = "http://127.0.0.1:8089", .fast = true, .make_key = {}}, now)
                 .value();
  pki.save(folder).value();
  const auto issue = [&](const char* oin) {
    return pki
        .issue({.profile = security::PkiProfile::tls, .oin = oin, .organisation = "Bench", .kvk = "12345678", .hosts = {"localhost"}}, now)
        .value()
        .key_pair;
  };
  const auto melder = issue("00000099000000010000"), ontvanger = issue("00000099000000020000");
  const auto trust = pki.trust_store(now).value();
  const auto server = security::TlsServer::make({}, {{{}, ontvanger, trust, false}}, clock).value();
  const auto client = security::TlsClient::make({}, melder, trust, false, clock).value();
  const auto raw_server = raw_context(TLS_server_method(), *ontvanger, folder + "/anchors.pem");
  const auto raw_client = raw_context(TLS_client_method(), *melder, folder + "/anchors.pem");
  double ours = 0, raw = 0;
  for (int round = 0; round < 3; ++round) {
    raw = std::max(raw, raw_per_second(raw_server.get(), raw_client.get()));
    ours = std::max(ours, our_per_second(*server, *client));
  }
  return {{"tls.handshake", ours, "/s", raw}};
}

}  // namespace schakel::bench
