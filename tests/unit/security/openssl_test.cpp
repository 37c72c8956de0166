// The openssl command as the other side, over loopback: an implementation that shares no line of ours above the library (A1, A2, A3).
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include "base/json_library.hpp"
#include "own_authority.hpp"
#include "security/keys.hpp"
#include "security/tls.hpp"
#include "support/pki.hpp"

namespace schakel {
namespace {

namespace fs = std::filesystem;
using security::TlsClient;
using security::TlsServer;
using security::TlsSettings;
using test::pki;

constexpr auto stad = "00000099000000001000";
constexpr auto schap = "00000099000000002000";

const SystemClock& system_clock() {
  static const SystemClock clock;
  return clock;
}

int listen_on_loopback(unsigned short& port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket, 8) != 0) throw std::runtime_error("no loopback");
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  timeval limit{10, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);  // also bounds accept
  return socket;
}

struct Served {
  bool ok = false;
  std::string reason{}, cipher{}, version{}, oin{};
};

// Accepts one connection, shakes hands, says so.
Served serve_one(const TlsServer& server, int listener) {
  const int socket = ::accept(listener, nullptr, nullptr);
  if (socket < 0) return {.ok = false, .reason = "nobody came"};
  timeval limit{10, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const auto context = server.context();
  const security::SslPtr ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), socket);
  Served served;
  served.ok = SSL_accept(ssl.get()) == 1;
  if (served.ok) {
    const auto result = server.result(ssl.get());
    served.cipher = result.cipher;
    served.version = result.version;
    served.oin = result.peer ? result.peer->oin : "";
    SSL_shutdown(ssl.get());
  } else {
    served.reason = server.failure_reason(ssl.get());
  }
  ERR_clear_error();
  ::close(socket);
  return served;
}

class OpensslCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto& folder = pki().folder();
    for (const auto& [name, oin] : {std::pair{"stad", stad}, std::pair{"schap", schap}}) {
      for (const bool g4 : {true, false}) {
        const auto issued = g4 ? pki().tls(oin, "TEST") : pki().g1(oin, "TEST");
        security::TestPki::save(issued, folder.string()).value();
        identities().emplace(std::string(name) + (g4 ? "-g4" : "-g1"), issued);
      }
    }
  }
  static std::map<std::string, security::Issued>& identities() {
    static std::map<std::string, security::Issued> made;
    return made;
  }
  static std::string files(const std::string& identity) {
    const auto base = (pki().folder() / "ee" / identities().at(identity).name).string();
    return " -cert " + base + ".pem -cert_chain " + base + ".chain.pem -key " + base + ".key";
  }

  std::shared_ptr<TlsServer> server(std::shared_ptr<const security::KeyPair> own) {
    return TlsServer::make({}, {{.hosts = {}, .key_pair = std::move(own), .trust = trust_, .production = false}}, system_clock()).value();
  }

  // One `openssl s_client` against one of our listeners.
  Served call(const TlsServer& listener, const std::string& options, const std::string& identity = "schap-g4") {
    unsigned short port = 0;
    const int socket = listen_on_loopback(port);
    auto served = std::async(std::launch::async, [&] { return serve_one(listener, socket); });
    const auto command = "openssl s_client -connect 127.0.0.1:" + std::to_string(port) + " -servername localhost" + files(identity) + " " +
                         options + " </dev/null >/dev/null 2>&1";
    (void)std::system(command.c_str());
    auto outcome = served.get();
    ::close(socket);
    return outcome;
  }

  std::shared_ptr<security::TrustStore> trust_ = pki().trust();
};

// SEC-030: A1
TEST_F(OpensslCommand, ConnectsWithTls12AndTls13Only) {
  const auto listener = server(identities().at("stad-g4").key_pair);
  for (const auto* version : {"-tls1_2", "-tls1_3"}) {
    const auto served = call(*listener, version);
    EXPECT_TRUE(served.ok) << version << served.reason;
    EXPECT_EQ(served.oin, schap);
  }
  for (const auto* version : {"-tls1", "-tls1_1"}) {
    const auto served = call(*listener, std::string(version) + " -cipher ALL:@SECLEVEL=0");
    EXPECT_FALSE(served.ok);
    EXPECT_EQ(served.reason, "SEC.TLS.VERSIE") << version;
  }
}

// SEC-031: A1, every suite of the guideline that the command knows, against an RSA and an EC certificate.
TEST_F(OpensslCommand, EverySuiteOfTheGuidelineConnectsOnlyWhenAllowed) {
  std::ifstream in(SCHAKEL_SOURCE_DIR "/../shared/standards/security/ncsc-tls-2025-05.json");
  if (!in) GTEST_SKIP() << "the official data are not here";
  const auto data = nlohmann::json::parse(in);
  const auto rsa = server(identities().at("stad-g4").key_pair);
  const security::PrivateKey ec_key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const security::Certificate ec_certificate = [&] {
    // A request in the key's own algorithm: ours are for RSA.
    const security::X509ReqPtr request(X509_REQ_new());
    X509_REQ_set_pubkey(request.get(), ec_key.get());
    X509_REQ_sign(request.get(), ec_key.get(), EVP_sha256());
    return pki()
        .issue({.profile = security::PkiProfile::tls,
                .oin = stad,
                .organisation = "TEST",
                .kvk = "90000001",
                .hosts = {"localhost"},
                .certificate_request = security::der_of(request.get(), i2d_X509_REQ)})
        .certificate;
  }();
  const auto ec = server(security::KeyPair::make(ec_key, ec_certificate, identities().at("stad-g4").chain).value());

  int accepted = 0, refused = 0;
  for (const auto& suite : data.at("cipher_suites")) {
    if (!suite.at("openssl").is_string()) continue;
    const auto name = suite.at("openssl").get<std::string>();
    const bool tls13 = suite.at("tls") == "TLS1.3", allowed = suite.at("digikoppeling") == "toegestaan";
    const auto& listener = name.find("ECDSA") == std::string::npos ? *rsa : *ec;
    const auto served = call(listener, tls13 ? "-tls1_3 -ciphersuites " + name : "-tls1_2 -cipher " + name + ":@SECLEVEL=0");
    EXPECT_EQ(served.ok, allowed) << name << " " << served.reason;
    if (allowed) {
      EXPECT_EQ(served.cipher, suite.at("iana").get<std::string>());
    } else {
      EXPECT_EQ(served.reason, "SEC.TLS.SUITE") << name;
    }
    ++(served.ok ? accepted : refused);
  }
  EXPECT_EQ(accepted, 12);
  EXPECT_GE(refused, 15);
  for (const auto* unlisted : {"AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES128-CCM8", "NULL-SHA256",
                               "ADH-AES128-GCM-SHA256", "PSK-AES128-GCM-SHA256 -psk 00112233"})
    EXPECT_FALSE(call(*rsa, "-tls1_2 -cipher " + std::string(unlisted) + ":@SECLEVEL=0").ok) << unlisted;
  EXPECT_FALSE(call(*rsa, "-tls1_3 -ciphersuites TLS_AES_128_CCM_8_SHA256").ok);
}

// SEC-004, SEC-010, SEC-033: A3, as client.
TEST_F(OpensslCommand, ClientsOfBothGenerationsVerifyUs) {
  for (const auto* own : {"stad-g4", "stad-g1"}) {
    const auto listener = server(identities().at(own).key_pair);
    for (const auto* other : {"schap-g4", "schap-g1"}) {
      for (const auto* version : {"-tls1_2", "-tls1_3"}) {
        const auto served = call(
            *listener,
            std::string(version) + " -verify_return_error -verify_hostname localhost -CAfile " + (pki().folder() / "anchors.pem").string(),
            other);
        EXPECT_TRUE(served.ok) << own << other << version << served.reason;
      }
    }
  }
}

// SEC-004, SEC-010, SEC-015: A3, as server.
TEST_F(OpensslCommand, ServersOfBothGenerationsAreVerifiedByUs) {
  for (const auto* other : {"stad-g4", "stad-g1"}) {
    unsigned short port = 0;
    const int free_port = listen_on_loopback(port);
    ::close(free_port);
    const auto pid_file = (pki().folder() / "s_server.pid").string();
    const auto command = "openssl s_server -accept 127.0.0.1:" + std::to_string(port) + files(other) +
                         " -Verify 4 -verify_return_error -CAfile " + (pki().folder() / "anchors.pem").string() +
                         " -www -naccept 2 </dev/null >/dev/null 2>&1 & echo $! >" + pid_file;
    ASSERT_EQ(std::system(command.c_str()), 0);
    const auto caller = TlsClient::make({}, identities().at("schap-g4").key_pair, trust_, false, system_clock()).value();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      int socket = -1;
      for (int attempt = 0; attempt < 200; ++attempt) {
        socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) break;
        ::close(socket);
        socket = -1;
        ::usleep(50'000);
      }
      ASSERT_GE(socket, 0);
      timeval limit{10, 0};
      ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      const auto context = caller->context();
      const security::SslPtr ssl(SSL_new(context.get()));
      SSL_set_max_proto_version(ssl.get(), version);
      SSL_set_fd(ssl.get(), socket);
      ASSERT_TRUE(caller->prepare(ssl.get(), "localhost"));
      EXPECT_EQ(SSL_connect(ssl.get()), 1) << other << caller->failure_detail(ssl.get());
      const auto checked = caller->check(ssl.get(), "localhost", stad);
      EXPECT_TRUE(checked) << checked.error().detail;
      SSL_shutdown(ssl.get());
      ::close(socket);
    }
    // It ends by itself after two connections; when a connection failed it must not stay.
    (void)std::system(("kill $(cat " + pid_file + ") 2>/dev/null").c_str());
  }
}

}  // namespace
}  // namespace schakel
