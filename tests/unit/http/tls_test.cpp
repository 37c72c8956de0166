// Listeners and client over mutual TLS, with certificates of the test PKI.
#include <gmock/gmock.h>
#include <malloc.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <boost/asio/this_coro.hpp>
#include <fstream>
#include <future>
#include <thread>

#include "http/stream.hpp"
#include "listening.hpp"
#include "security/tls.hpp"
#include "security/trust.hpp"
#include "support/pki.hpp"

using namespace schakel;
using namespace schakel::http;
using namespace schakel::http::testing;
using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace {

const std::string own_oin = "00000099000000001000", partner_oin = "00000099000000002000";

class TlsTest : public Listening {
 protected:
  TlsTest() {
    client_trust = test::pki().trust();
    server_trust = test::pki().trust();
  }
  std::shared_ptr<security::TlsServer> tls_server(security::Issued own, security::TlsSettings settings = {}) {
    return security::TlsServer::make(std::move(settings), {{.key_pair = own.key_pair, .trust = server_trust}}, clock).value();
  }
  std::shared_ptr<security::TlsClient> tls_client(const security::Issued& own) {
    return security::TlsClient::make({}, own.key_pair, client_trust, false, clock).value();
  }
  static security::Issued own_certificate() {
    static const auto issued = test::pki().tls(own_oin, "Gemeente Voorbeeldstad", {"localhost", "dk.voorbeeldstad.test"});
    return issued;
  }
  static security::Issued partner_certificate() {
    static const auto issued = test::pki().tls(partner_oin, "Waterschap Voorbeeld", {"localhost"});
    return issued;
  }
  unsigned short serve_tls(Handler handler) { return serve_tls(options(), std::move(handler)); }
  unsigned short serve_tls(ListenerOptions chosen, Handler handler) {
    if (!chosen.tls) chosen.tls = tls_server(own_certificate());
    return serve(std::move(chosen), std::move(handler));
  }
  static std::string at(unsigned short port, std::string_view path = "/") {
    return "https://localhost:" + std::to_string(port) + std::string(path);
  }
  // Code, SEC… reason and place of the failure of a request, or its status.
  std::string outcome_of(ClientRequest request) {
    const auto answer = send(std::move(request));
    if (answer) return "status " + std::to_string(answer->status);
    return answer.error().code + " " + answer.error().detail.substr(0, answer.error().detail.find(':')) + " " + answer.error().location;
  }
  template <class Condition>
  static bool soon(Condition condition) {
    for (int i = 0; i < 500 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    return condition();
  }
  std::shared_ptr<security::TrustStore> client_trust, server_trust;
};

Awaitable<Response> tell_peer(Request& request) {
  co_return text(200, request.peer == nullptr ? "nobody" : request.peer->oin + request.peer->refusal + " " + request.tls_version);
}

// SEC-052: the handler knows who is at the other side.
TEST_F(TlsTest, the_handler_sees_the_oin_of_the_certificate) {
  const auto answer = send({.url = at(serve_tls(tell_peer)), .tls = tls_client(partner_certificate()), .expected_oin = own_oin});
  ASSERT_TRUE(answer) << answer.error().code << " " << answer.error().detail;
  EXPECT_EQ(answer->body, partner_oin + " TLSv1.3");
}

TEST_F(TlsTest, large_bodies_pass_both_ways) {
  const auto port = serve_tls([](Request& request) -> Awaitable<Response> {
    auto body = co_await read_all(*request.body, 64 << 20);
    co_return text(200, body ? std::move(*body) : body.error().code);
  });
  std::string body(20 << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>(i % 256);
  const auto answer = send({.url = at(port), .body = body, .tls = tls_client(partner_certificate()), .response_bytes_max = 32 << 20});
  ASSERT_TRUE(answer) << answer.error().code << " " << answer.error().detail;
  EXPECT_TRUE(answer->body == body);
}

TEST_F(TlsTest, requests_share_a_handshake_only_with_the_same_identity_and_the_same_demand) {
  const auto port = serve_tls(tell_peer);
  const auto partner = tls_client(partner_certificate());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(send({.url = at(port), .tls = partner}));
  EXPECT_EQ(server->connections(), 1U);
  EXPECT_EQ(send({.url = at(port), .tls = tls_client(own_certificate())})->body, own_oin + " TLSv1.3");
  EXPECT_EQ(server->connections(), 2U);
  EXPECT_THAT(outcome_of({.url = at(port), .tls = partner, .expected_oin = partner_oin}), StartsWith("transport.tlsRefused SEC.OIN."));
}

// SEC-015, SEC-016, EB-012: nothing is sent to a server that is not the one.
TEST_F(TlsTest, a_server_that_is_not_the_one_gets_no_request) {
  std::atomic<int> handled = 0;
  auto chosen = options();
  chosen.tls = tls_server(test::pki().tls(own_oin, "Gemeente Voorbeeldstad", {"other.test"}));
  const auto port = serve(std::move(chosen), [&](Request& request) {
    ++handled;
    return tell_peer(request);
  });
  const auto partner = tls_client(partner_certificate());
  EXPECT_EQ(outcome_of({.url = at(port), .tls = partner}), "transport.tlsRefused SEC.TLS.HOSTNAAM before");
  EXPECT_EQ(handled, 0);
}

TEST_F(TlsTest, a_revoked_server_is_refused_for_good) {
  test::Pki other;
  client_trust = server_trust = other.trust();
  const auto own = other.tls(own_oin, "Gemeente Voorbeeldstad", {"localhost"});
  const auto partner = other.tls(partner_oin, "Waterschap Voorbeeld", {"localhost"});
  ASSERT_TRUE(other.authority().revoke(own.certificate->serial, 1, clock.now()));
  client_trust = other.trust();
  auto chosen = options();
  chosen.tls = tls_server(own);
  const auto port = serve(std::move(chosen), tell_peer);
  EXPECT_EQ(outcome_of({.url = at(port), .tls = tls_client(partner)}), "transport.tlsRefused SEC.PKI.INGETROKKEN before");
}

// SEC-001, SEC-103: with TLS 1.3 the client's own handshake has ended before the server refuses it.
TEST_F(TlsTest, a_client_without_certificate_is_refused_in_the_handshake) {
  const auto port = serve_tls(tell_peer);
  const auto nobody = security::TlsClient::make({}, nullptr, client_trust, false, clock);
  ASSERT_TRUE(nobody);
  EXPECT_EQ(outcome_of({.url = at(port), .body = "m", .tls = *nobody}), "transport.tls SEC.TLS.ALERT before");
  EXPECT_TRUE(soon([&] { return !events.reasons().empty(); }));
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.TLS.GEEN_CERT"));
  EXPECT_THAT(metrics.text(), HasSubstr("schakel_tls_handshake_failures_total{listener=\"external\",reason=\"SEC.TLS.GEEN_CERT\"} 1"));
}

// SEC-117
TEST_F(TlsTest, a_handshake_that_does_not_end_is_cut_off) {
  auto chosen = options();
  chosen.handshake_timeout = 100ms;
  RawClient raw(serve_tls(std::move(chosen), tell_peer));
  raw.send("\x16\x03\x01");
  EXPECT_TRUE(raw.is_closed());
  EXPECT_TRUE(soon([&] { return !events.reasons().empty(); }));
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.HTTP.TRAAG"));
}

TEST_F(TlsTest, a_look_whether_the_port_is_open_is_no_failure) {
  const auto port = serve_tls(tell_peer);
  { RawClient raw(port); }
  EXPECT_TRUE(soon([&] { return server->connections() == 0; }));
  EXPECT_TRUE(events.reasons().empty());
}

// EB-013: name, connection and handshake together have the time to connect.
TEST_F(TlsTest, a_server_that_does_not_shake_hands_is_a_timeout_before) {
  asio::io_context context;
  asio::ip::tcp::acceptor silent(context, {asio::ip::address_v4::loopback(), 0});
  const ClientRequest request{
      .url = at(silent.local_endpoint().port()), .tls = tls_client(partner_certificate()), .connect_timeout = 100ms};
  const auto answer = send(request);
  EXPECT_EQ(answer.error().code, "transport.timeout");
  EXPECT_EQ(answer.error().location, "before");
}

// SEC-040
TEST_F(TlsTest, a_host_that_this_certificate_does_not_serve_is_421) {
  auto chosen = options();
  chosen.hosts = {"localhost", "tenant-b.test"};
  const auto port = serve_tls(std::move(chosen), tell_peer);
  EXPECT_EQ(outcome_of({.url = at(port), .tls = tls_client(partner_certificate())}), "status 200");
  auto elsewhere = options();
  elsewhere.hosts = {"tenant-b.test"};
  EXPECT_EQ(outcome_of({.url = at(serve_tls(std::move(elsewhere), tell_peer)), .tls = tls_client(partner_certificate())}), "status 421")
      << "not served at all";
}

// One request over TLS with a Host of its own; the answer's first octets.
Awaitable<std::string> ask(unsigned short port, std::shared_ptr<security::TlsClient> tls, std::string name, std::string host) {
  const auto stream = std::make_shared<Stream>(asio::ip::tcp::socket(co_await asio::this_coro::executor));
  stream->set_deadline(std::chrono::steady_clock::now() + 10s);
  if (const Io outcome = co_await stream->connect({asio::ip::address_v4::loopback(), port}); outcome != Io::ok) co_return "no connection";
  stream->attach_tls(tls->context(), Stream::Role::client);
  if (!tls->prepare(stream->ssl(), name)) co_return "not prepared";
  if (const Io outcome = co_await stream->handshake(); outcome != Io::ok) co_return "no handshake";
  const std::string request = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  if (const Io outcome = co_await stream->write(request, {}, 10s); outcome != Io::ok) co_return "not written";
  std::array<char, 12> answer{};
  const auto transfer = co_await stream->read_some(answer);
  co_return std::string(answer.data(), transfer.bytes);
}

// SEC-040: a connection that was made for one tenant does not carry requests for another.
TEST_F(TlsTest, a_host_that_is_served_with_another_certificate_is_421) {
  const auto tenant_b = test::pki().tls("00000099000000003000", "Provincie Voorbeeld", {"tenant-b.test"});
  auto chosen = options();
  chosen.hosts = {"localhost", "tenant-b.test"};
  chosen.tls = security::TlsServer::make({},
                                         {{.hosts = {"localhost"}, .key_pair = own_certificate().key_pair, .trust = server_trust},
                                          {.hosts = {"tenant-b.test"}, .key_pair = tenant_b.key_pair, .trust = server_trust}},
                                         clock)
                   .value();
  const auto port = serve(std::move(chosen), tell_peer);
  const auto partner = tls_client(partner_certificate());
  EXPECT_EQ(run(threads, ask(port, partner, "localhost", "localhost")), "HTTP/1.1 200");
  EXPECT_EQ(run(threads, ask(port, partner, "tenant-b.test", "tenant-b.test")), "HTTP/1.1 200");
  EXPECT_EQ(run(threads, ask(port, partner, "localhost", "tenant-b.test")), "HTTP/1.1 421");
  EXPECT_EQ(run(threads, ask(port, partner, "tenant-b.test", "localhost")), "HTTP/1.1 421");
}

// SEC-051, SEC-052: the identity is that of TLS, whatever a header says.
TEST_F(TlsTest, a_forged_identity_header_changes_nothing) {
  const auto port = serve_tls([](Request& request) -> Awaitable<Response> {
    const bool leaked = request.headers.find("Schakel-Peer-Oin") || request.headers.find("Client-Cert");
    co_return text(200, request.peer->oin + (leaked ? " leaked" : ""));
  });
  const auto answer = send({.url = at(port),
                            .headers = {{"Schakel-Peer-Oin", own_oin}, {"Client-Cert", ":AAAA:"}, {"X-SSL-Client-Cert", "x"}},
                            .tls = tls_client(partner_certificate())});
  EXPECT_EQ(answer->body, partner_oin);
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.HTTP.HEADER_VERWIJDERD"));
}

// SEC-028: a revocation takes effect on open connections, idle ones too.
TEST_F(TlsTest, a_certificate_that_is_revoked_meanwhile_asks_nothing_more) {
  test::Pki other;
  client_trust = other.trust();
  server_trust = other.trust();
  const auto own = other.tls(own_oin, "Gemeente Voorbeeldstad", {"localhost"});
  const auto partner = tls_client(other.tls(partner_oin, "Waterschap Voorbeeld", {"localhost"}));
  const auto idler_certificate = other.tls("00000099000000003000", "Provincie Voorbeeld", {"localhost"});
  const auto idler = tls_client(idler_certificate);
  auto chosen = options();
  chosen.tls = tls_server(own);
  chosen.revocation_check_interval = 50ms;
  const auto port = serve(std::move(chosen), tell_peer);
  EXPECT_EQ(outcome_of({.url = at(port), .tls = partner}), "status 200");
  EXPECT_EQ(outcome_of({.url = at(port), .tls = idler}), "status 200");
  EXPECT_EQ(server->connections(), 2U);
  ASSERT_TRUE(other.authority().revoke(idler_certificate.certificate->serial, 1, clock.now()));
  for (const auto& [id, crl] : other.authority().crls()) (void)server_trust->install_crl(crl, clock.now());
  EXPECT_TRUE(soon([&] { return server->connections() == 1; })) << "the idle connection is closed";
  EXPECT_EQ(outcome_of({.url = at(port), .tls = partner}), "status 200") << "the other one stays";
  EXPECT_THAT(outcome_of({.url = at(port), .tls = idler}), StartsWith("transport.tls"));
}

// SEC-028, outgoing: a kept-alive connection to a server that was revoked meanwhile is not used again, nor made anew.
TEST_F(TlsTest, a_server_that_is_revoked_meanwhile_gets_nothing_more) {
  test::Pki other;
  client_trust = other.trust();
  server_trust = other.trust();
  const auto own = other.tls(own_oin, "Gemeente Voorbeeldstad", {"localhost"});
  const auto partner = tls_client(other.tls(partner_oin, "Waterschap Voorbeeld", {"localhost"}));
  auto chosen = options();
  chosen.tls = tls_server(own);
  const auto port = serve(std::move(chosen), tell_peer);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(outcome_of({.url = at(port), .tls = partner}), "status 200");
  EXPECT_EQ(server->connections(), 1U);
  ASSERT_TRUE(other.authority().revoke(own.certificate->serial, 1, clock.now()));
  for (const auto& [id, crl] : other.authority().crls()) (void)client_trust->install_crl(crl, clock.now());
  EXPECT_EQ(outcome_of({.url = at(port), .tls = partner}), "transport.tlsRefused SEC.PKI.INGETROKKEN before");
}

// SEC-009, SEC-028: a peer sends its own intermediates; the check before each request must know them too.
TEST_F(TlsTest, a_peer_whose_intermediates_came_in_the_handshake_keeps_its_connection) {
  auto& authority = test::pki().authority();
  server_trust = security::TrustStore::make({}, authority.anchors_pem(), "").value();
  server_trust->fetch_missing_with(
      [&](const std::string& url, std::chrono::milliseconds) -> Result<Bytes> {
        const auto served = authority.serve(url.substr(authority.base_url().size()));
        if (!served) return fail("test", "not served");
        return served->body;
      },
      nullptr);
  const auto port = serve_tls(tell_peer);
  const auto partner = tls_client(partner_certificate());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(outcome_of({.url = at(port), .tls = partner}), "status 200");
  EXPECT_EQ(server->connections(), 1U);
}

// SEC-051: over TLS only a configured proxy is believed.
TEST_F(TlsTest, an_offload_header_counts_only_from_the_configured_proxy) {
  const auto proxy = partner_certificate();
  auto chosen = options();
  chosen.offload = true;
  chosen.verify_offloaded = [](const OffloadedCertificate&, std::string_view) -> Result<security::PeerIdentity> {
    security::PeerIdentity peer;
    peer.oin = "00000099000000009000";
    return peer;
  };
  chosen.proxy_certificates = {proxy.certificate->sha256};
  const auto port = serve_tls(std::move(chosen), tell_peer);
  const Headers forwarded{{"Client-Cert", ":TGVhZg==:"}};
  EXPECT_EQ(send({.url = at(port), .headers = forwarded, .tls = tls_client(proxy)})->body, "00000099000000009000 TLSv1.3");
  EXPECT_EQ(outcome_of({.url = at(port), .headers = forwarded, .tls = tls_client(own_certificate())}), "status 403");
  EXPECT_EQ(outcome_of({.url = at(port), .tls = tls_client(proxy)}), "status 403");
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Opens connections in a process of its own, so that only the server's end counts, and holds them until it is destroyed.
class IdlePeers {
 public:
  IdlePeers(std::size_t count, unsigned short port, const security::TlsClient& tls) {
    if (::pipe(ready_) != 0 || ::pipe(release_) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const bool complete = open(count, port, tls);
      char octet = complete ? 1 : 0;
      (void)!::write(ready_[1], &octet, 1);
      (void)!::read(release_[0], &octet, 1);
      ::_exit(0);
    }
  }
  ~IdlePeers() {
    (void)!::write(release_[1], "x", 1);
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
    for (const int end : {ready_[0], ready_[1], release_[0], release_[1]}) ::close(end);
  }
  bool wait_until_open() {
    char octet = 0;
    return ::read(ready_[0], &octet, 1) == 1 && octet == 1;
  }

 private:
  static bool open(std::size_t count, unsigned short port, const security::TlsClient& tls) {
    const auto context = tls.context();
    for (std::size_t i = 0; i < count; ++i) {
      const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
      SSL* ssl = SSL_new(context.get());
      constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
      char answer[512];
      SSL_set_fd(ssl, socket);
      if (!tls.prepare(ssl, "localhost") || SSL_connect(ssl) != 1 ||
          SSL_write(ssl, request.data(), static_cast<int>(request.size())) <= 0 || SSL_read(ssl, answer, sizeof answer) <= 0)
        return false;
    }
    return true;
  }
  int ready_[2]{}, release_[2]{};
  pid_t child_ = -1;
};

TEST_F(TlsTest, a_thousand_idle_connections_cost_less_than_100_mib) {
  constexpr std::size_t count = 1000;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < count + 100) GTEST_SKIP() << "too few file descriptors are allowed";
  auto chosen = options();
  chosen.keep_alive_timeout = 10min;
  const auto port = serve_tls(std::move(chosen), tell_peer);
  const auto partner = tls_client(partner_certificate());
  ::malloc_trim(0);
  const auto before = resident_bytes();
  // Several processes, because each shakes hands one at a time.
  std::vector<std::unique_ptr<IdlePeers>> peers;
  for (int i = 0; i < 4; ++i) peers.push_back(std::make_unique<IdlePeers>(count / 4, port, *partner));
  for (const auto& some : peers) ASSERT_TRUE(some->wait_until_open());
  ASSERT_EQ(server->connections(), count);
  const auto grown = resident_bytes() - before;
  std::printf("1,000 idle TLS connections: %.1f MiB\n", static_cast<double>(grown) / (1 << 20));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(grown, 100U << 20);
#endif
}

// SEC-078: connections of the old certificate end; a request that runs gets its answer.
TEST_F(TlsTest, connections_of_a_certificate_of_ours_can_be_ended) {
  std::promise<void> may_go_on;
  auto gate = may_go_on.get_future().share();
  std::atomic<bool> waits = false;
  const auto port = serve_tls([&, gate](Request& request) -> Awaitable<Response> {
    if (request.path == "/slow") {
      waits = true;
      while (gate.wait_for(0s) != std::future_status::ready) co_await http::sleep(5ms);
    }
    co_return text(200, "answered");
  });
  const auto partner = tls_client(partner_certificate());
  EXPECT_TRUE(send({.url = at(port), .tls = partner}));
  ASSERT_EQ(server->connections(), 1U);
  server->end_connections_of(partner_certificate().certificate->sha256);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(server->connections(), 1U) << "made with another certificate of ours";
  auto slow = std::async(std::launch::async, [&] { return send({.url = at(port, "/slow"), .tls = tls_client(own_certificate())}); });
  ASSERT_TRUE(soon([&] { return waits.load(); }));
  server->end_connections_of(own_certificate().certificate->sha256);
  EXPECT_TRUE(soon([&] { return server->connections() == 1U; })) << "the idle one ends at once";
  may_go_on.set_value();
  const auto answer = slow.get();
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->headers.find("Connection"), "close");
  EXPECT_TRUE(soon([&] { return server->connections() == 0U; }));
}

}  // namespace
