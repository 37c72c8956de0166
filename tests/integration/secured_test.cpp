// The doors of a node as an operator may set them up: behind a TLS-terminating proxy, TLS inside, proxies outside; and keys that change
// while it works. Real processes, real TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <map>

#include "integration/partner.hpp"
#include "integration/world.hpp"
#include "unit/security/own_authority.hpp"

namespace schakel::integration {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto own_oin = "00000099000000010000", visitor_oin = "00000099000000030000";

SiteOptions site_options() {
  return {.slug = "voorbeeldstad", .name = "Gemeente Voorbeeldstad", .oin = own_oin, .database_url = {}, .crl_refresh = "1s"};
}

bool audited(const Site& site, const std::string& text) {
  return becomes([&] { return site.admin().get("/api/v1/audit-events?limit=100").body.find(text) != std::string::npos; }, 10s);
}

// --- behind a proxy (SEC-050..052, A12) -----------------------------------------------------------------------------------------------

// Clients good and bad: what a direct handshake makes of them says what the offload listener must make of their certificates.
class Offloaded : public ::testing::Test {
 protected:
  Offloaded() {
    pki_.with([&](test::Pki& shared) {
      const auto visitor = shared.tls(visitor_oin, "Waterschap Voorbeeld", {"localhost"});
      clients_["visitor"] = visitor.key_pair;
      for (auto& bad : shared.authority().negative(SystemClock().now()).value())
        if (wanted(bad.id))
          clients_[bad.id] = security::KeyPair::make(bad.key, bad.chain.front(), {bad.chain.begin() + 1, bad.chain.end()}).value();
    });
  }
  static bool wanted(const std::string& id) {
    // Expired, revoked, another root, no OIN, letters, two OINs, no policy, server only.
    for (const auto* one : {"N01", "N03", "N06", "N07", "N09", "N10", "N15", "N16"})
      if (id == one) return true;
    return false;
  }
  // 500, a SOAP Fault: may use the door. 403: known and refused. 0: refused in the handshake.
  static constexpr unsigned let_in = 500;
  static http::Headers soap(http::Headers more = {}) {
    more.add("Content-Type", "text/xml");
    more.add("SOAPAction", "\"ebXML\"");
    return more;
  }
  std::map<std::string, unsigned> direct() {
    Site site(pki_, site_options());
    site.start_and_wait();
    std::map<std::string, unsigned> outcomes;
    for (const auto& [name, identity] : clients_) {
      Partner partner(pki_, identity);
      if (name == "visitor") becomes([&] { return partner.send("POST", site.ebms_url(), soap(), "<x/>").status == let_in; }, 10s);
      outcomes[name] = partner.send("POST", site.ebms_url(), soap(), "<x/>").status;
    }
    return outcomes;
  }
  static SiteOptions behind_proxy() {
    auto options = site_options();
    options.external = ", offload = true";
    return options;
  }
  // What a proxy passes on (RFC 9440).
  static http::Headers passed(const security::KeyPair& client) {
    std::string chain;
    for (const auto& issuer : client.chain()) chain += (chain.empty() ? ":" : ", :") + to_base64(issuer->der) + ":";
    http::Headers headers{{"Client-Cert", ":" + to_base64(client.certificate()->der) + ":"}};
    if (!chain.empty()) headers.add("Client-Cert-Chain", chain);
    return headers;
  }

  ServedPki pki_;
  std::map<std::string, std::shared_ptr<const security::KeyPair>> clients_;
};

TEST_F(Offloaded, TheDecisionsAreThoseOfADirectHandshake) {
  const auto expected = direct();
  EXPECT_EQ(expected.at("visitor"), let_in);
  EXPECT_EQ(expected.at("N03"), 0U);
  EXPECT_EQ(expected.at("N07"), 403U);
  Site site(pki_, behind_proxy());
  site.start_and_wait();
  Rest proxy("http://localhost:" + std::to_string(site.external_port()));
  const auto knock = [&](http::Headers headers) { return proxy.call("POST", "/ebms", "<x/>", {}, soap(std::move(headers))); };
  EXPECT_TRUE(becomes([&] { return knock(passed(*clients_.at("visitor"))).status == let_in; }, 10s)) << site.log();
  for (const auto& [name, outcome] : expected) {
    const auto answer = knock(passed(*clients_.at(name)));
    EXPECT_EQ(answer.status, outcome == let_in ? let_in : 403U) << name;
    EXPECT_EQ(answer.body.empty(), outcome != let_in) << name;
  }
  // Without the header, with text instead of a certificate, with a name that only we give.
  EXPECT_EQ(knock({}).status, 403U);
  EXPECT_EQ(knock({{"Client-Cert", "nonsense"}}).status, 403U);
  EXPECT_EQ(knock({{"Schakel-Peer-Oin", visitor_oin}}).status, 403U);
  EXPECT_TRUE(audited(site, "SEC.PKI.INGETROKKEN")) << "the reason of the refusal is kept";
  // SEC-028
  const auto serial = clients_.at("visitor")->certificate()->serial;
  pki_.with([&](test::Pki& shared) { shared.authority().revoke(serial, 1, SystemClock().now()).value(); });
  EXPECT_TRUE(becomes([&] { return knock(passed(*clients_.at("visitor"))).status == 403; }, 60s));
}

// SEC-051: on a listener of our own the header says nothing, good or bad.
TEST_F(Offloaded, AForgedHeaderOnADirectListenerIsIgnored) {
  Site site(pki_, site_options());
  site.start_and_wait();
  Partner visitor(pki_, clients_.at("visitor")), nobody(pki_, clients_.at("N07"));
  ASSERT_TRUE(becomes([&] { return visitor.send("POST", site.ebms_url(), soap(), "<x/>").status == let_in; }, 10s)) << site.log();
  EXPECT_EQ(visitor.send("POST", site.ebms_url(), soap(passed(*clients_.at("N03"))), "<x/>").status, let_in);
  EXPECT_EQ(nobody.send("POST", site.ebms_url(), soap(passed(*clients_.at("visitor"))), "<x/>").status, 403U);
  EXPECT_TRUE(audited(site, "SEC.HTTP.HEADER_VERWIJDERD"));
}

// SEC-060: the path, the number and the status of who calls come before the body.
TEST_F(Offloaded, ABodyIsNotReadForWhoMayNotCall) {
  Site site(pki_, site_options());
  site.start_and_wait();
  Partner nobody(pki_, clients_.at("N07"));
  EXPECT_TRUE(becomes([&] { return nobody.send("POST", site.ebms_url(), soap(), "<!DOCTYPE x>").status == 403; }, 10s)) << site.log();
  EXPECT_TRUE(audited(site, "SEC.OIN.ONTBREEKT"));
  EXPECT_THAT(site.log(), Not(HasSubstr("XML_INVALID")));
}

// Debian's, or the one that SCHAKEL_NGINX names.
std::string nginx_program() {
  const char* named = std::getenv("SCHAKEL_NGINX");
  return named ? named : "/usr/sbin/nginx";
}

// A12 with the proxy that most organisations use; its dialect is a PEM in X-SSL-Client-Cert.
TEST_F(Offloaded, WorksBehindNginx) {
  const auto nginx = nginx_program();
  if (!std::filesystem::exists(nginx)) GTEST_SKIP() << "nginx is not installed";
  Site site(pki_, behind_proxy());
  site.start_and_wait();
  const auto port = free_port();
  const auto in = [&](const std::string& name) { return site.path(name).string(); };
  std::string temporary;
  for (const auto* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    temporary += std::string(kind) + "_temp_path " + in(std::string("nginx-") + kind) + ";\n";
  site.write("nginx.conf",
             "daemon off; master_process off; pid " + in("nginx.pid") + "; error_log " + in("nginx.log") +
                 ";\nevents {}\nhttp {\naccess_log off;\n" + temporary + "server {\nlisten 127.0.0.1:" + std::to_string(port) +
                 " ssl; server_name localhost; ssl_certificate " + in("keys/tls.pem") + "; ssl_certificate_key " + in("keys/tls.key") +
                 "; ssl_verify_client optional_no_ca;\nlocation / {\nproxy_pass http://127.0.0.1:" + std::to_string(site.external_port()) +
                 "; proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header Client-Cert \"\"; "
                 "proxy_set_header Client-Cert-Chain \"\"; proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;\n}\n}\n}\n");
  Process server({nginx, "-c", in("nginx.conf")}, in("nginx.out"));
  const auto url = "https://localhost:" + std::to_string(port) + "/ebms";
  Partner visitor(pki_, clients_.at("visitor"));
  EXPECT_TRUE(becomes([&] { return visitor.send("POST", url, soap(), "<x/>").status == let_in; }, 15s)) << site.log();
  for (const auto& [name, identity] : clients_) {
    if (name == "visitor") continue;
    Partner partner(pki_, identity);
    // Nginx itself answers 400 to a certificate that has ended.
    EXPECT_THAT(partner.send("POST", url, soap(), "<x/>").status, ::testing::AnyOf(403U, 400U)) << name;
    EXPECT_THAT(partner.send("POST", url, soap(passed(*clients_.at("visitor"))), "<x/>").status, ::testing::AnyOf(403U, 400U))
        << name << ", forged";
  }
  EXPECT_THAT(visitor.send("POST", url, soap(), "<x/>").body, HasSubstr("SCHEMA_INVALID")) << "the request passes unchanged";
}

// --- TLS inside (README section 12) -----------------------------------------------------------------------------------------------------

// An application or operator at an inner listener.
class Insider {
 public:
  explicit Insider(const std::string& ca_pem, std::shared_ptr<const security::KeyPair> identity = {})
      : client_(ca_pem, std::move(identity)) {}
  RestAnswer get(unsigned short port, const std::string& path, const std::string& api_key) {
    return client_.send("GET", "https://localhost:" + std::to_string(port) + path, {{"X-Api-Key", api_key}});
  }

 private:
  Partner client_;
};

class Inside : public ::testing::Test {
 protected:
  static SiteOptions inner(const std::string& keys) {
    auto options = site_options();
    options.inner = keys;
    return options;
  }
  std::string ca() {
    return pki_.with([](test::Pki& shared) { return shared.authority().anchors_pem() + shared.authority().intermediates_pem(); });
  }
  ServedPki pki_;
};

TEST_F(Inside, InternalAndAdminMaySpeakTls) {
  Site site(pki_, inner(", tls = \"oneSided\""));
  site.start_and_wait();
  Insider insider(ca());
  EXPECT_EQ(insider.get(site.admin_port(), "/api/v1/nodes", site.api_key()).status, 200U) << site.log();
  EXPECT_EQ(insider.get(site.internal_port(), "/api/v1/messages", site.api_key()).status, 200U);
  EXPECT_EQ(insider.get(site.internal_port(), "/api/v1/nodes", site.api_key()).status, 404U) << "ADP-115";
  EXPECT_EQ(insider.get(site.admin_port(), "/api/v1/nodes", "sk_test_wrong").status, 401U);
  EXPECT_EQ(site.admin().get("/api/v1/nodes").status, 0U) << "no plain HTTP";
  // The command line too.
  Process command({SCHAKEL_PROGRAM, "node", "list", "--url", "https://localhost:" + std::to_string(site.admin_port()), "--ca-file",
                   site.path("anchors.pem").string(), "--api-key-file", site.path("api.key").string()},
                  site.path("command.out").string());
  EXPECT_EQ(command.wait(10s), 0) << std::ifstream(site.path("command.out")).rdbuf();
  // A renewed certificate is shown here too (SEC-074).
  site.install(site.issue());
  site.process().signal(SIGHUP);
  EXPECT_TRUE(becomes([&] { return site.log().find("node.reloaded") != std::string::npos; }, 10s));
  EXPECT_EQ(Insider(ca()).get(site.admin_port(), "/api/v1/nodes", site.api_key()).status, 200U);
}

TEST_F(Inside, TwoSidedTlsAsksForACertificateOfOurAnchors) {
  Site site(pki_, inner(", tls = \"twoSided\""));
  site.start_and_wait();
  const auto application = pki_.with([](test::Pki& shared) { return shared.tls(own_oin, "Zaaksysteem", {"localhost"}); });
  Insider known(ca(), application.key_pair);
  EXPECT_TRUE(becomes([&] { return known.get(site.admin_port(), "/api/v1/nodes", site.api_key()).status == 200; }, 10s)) << site.log();
  EXPECT_EQ(known.get(site.admin_port(), "/api/v1/nodes", "sk_test_wrong").status, 401U) << "the key is asked for all the same";
  EXPECT_EQ(Insider(ca()).get(site.admin_port(), "/api/v1/nodes", site.api_key()).status, 0U);
}

// SEC-066
TEST_F(Inside, AnotherNetworkIsNotLetIn) {
  auto options = site_options();
  options.external = ", allowed-networks = [\"10.0.0.0/8\"]";
  Site site(pki_, options);
  site.start_and_wait();
  const auto visitor = pki_.with([](test::Pki& shared) { return shared.tls(visitor_oin, "Waterschap Voorbeeld", {"localhost"}); });
  Partner partner(pki_, visitor.key_pair);
  EXPECT_EQ(partner.send("GET", site.ebms_url()).status, 0U);
  EXPECT_TRUE(becomes([&] { return site.log().find("SEC.HTTP.NETWERK") != std::string::npos; }, 5s));
}

// --- the way out (SEC-024, ADP-908, ADP-113)
// -----------------------------------------------------------------------------------------------

// A proxy that answers plain requests from the test PKI and refuses to tunnel; keeps the first lines.
class OutboundProxy {
 public:
  explicit OutboundProxy(ServedPki& pki)
      : pki_(pki), acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0}), thread_([this] { run(); }) {}
  ~OutboundProxy() {
    ended_ = true;
    boost::system::error_code ignored;
    boost::asio::ip::tcp::socket knock(context_);
    knock.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void run() {
    while (!ended_) {
      boost::system::error_code problem;
      boost::asio::ip::tcp::socket socket(context_);
      acceptor_.accept(socket, problem);
      if (problem || ended_) continue;
      boost::asio::streambuf buffer;
      boost::asio::read_until(socket, buffer, "\r\n\r\n", problem);
      std::istream in(&buffer);
      std::string line;
      std::getline(in, line);
      {
        const std::lock_guard lock(mutex_);
        asked_.push_back(line);
      }
      boost::asio::write(socket, boost::asio::buffer(answer(line)), problem);
    }
  }
  std::string answer(const std::string& line) {
    const auto begin = line.find("http://");
    if (!line.starts_with("GET ") || begin == std::string::npos) return "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    const auto slash = line.find('/', begin + 7);
    const auto path = line.substr(slash, line.find(' ', slash) - slash);
    const auto found = pki_.with([&](test::Pki& shared) { return shared.authority().serve(path); });
    if (!found) return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(found->body.size()) + "\r\n\r\n" + found->body;
  }

  ServedPki& pki_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> ended_{false};
  std::mutex mutex_;
  std::vector<std::string> asked_;
  std::thread thread_;
};

TEST(WayOut, CrlsAndPartnersAreReachedThroughTheirProxies) {
  ServedPki pki;
  OutboundProxy lists(pki), others(pki);
  auto options = site_options();
  options.more = "[http-client]\nproxy = \"" + others.url() + "\"\n";
  Site site(pki, options);
  // The table [crl] is there already.
  std::string text;
  {
    std::ifstream file(site.path("schakel.toml"));
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  text.replace(text.find("[crl]\n"), 6, "[crl]\nproxy = \"" + lists.url() + "\"\n");
  site.write("schakel.toml", text);
  pki.be_silent(true);  // only the proxy has the lists
  site.start_and_wait();
  const auto visitor = pki.with([](test::Pki& shared) { return shared.tls(visitor_oin, "Waterschap Voorbeeld", {"localhost"}); });
  Partner partner(pki, visitor.key_pair);
  EXPECT_TRUE(becomes([&] { return partner.send("GET", site.ebms_url()).status == 405; }, 15s)) << site.log();
  EXPECT_THAT(lists.asked(), Contains(StartsWith("GET http://127.0.0.1:")));
  for (const auto& line : others.asked()) EXPECT_THAT(line, Not(HasSubstr(".crl")));

  auto register_ = site.party("Register");
  register_.oin = visitor_oin;
  register_.url = "https://register.voorbeeld.test/ebms";
  register_.certificate = visitor.certificate;
  site.load(CpaDocument({.cpa_id = "cpa-proxied"}, site.party("Melder"), register_).text());
  auto api = site.application();
  EXPECT_TRUE(becomes(
      [&] {
        const auto sent =
            api.post("/api/v1/messages",
                     {{"cpaId", "cpa-proxied"}, {"service", "Voorbeeld:Meldingen:1:0"}, {"action", "meld"}, {"payloads", Json::array()}});
        return sent.status == 202;
      },
      10s));
  EXPECT_TRUE(becomes(
      [&] {
        const auto lines = others.asked();
        return std::ranges::any_of(lines, [](const auto& line) { return line.starts_with("CONNECT register.voorbeeld.test:443"); });
      },
      10s))
      << site.log();
}

// ADP-113: an application's certificate may come from any CA of the system; a partner's may not (SEC-003).
TEST(WayOut, WebhooksTrustTheCasOfTheSystem) {
  ServedPki pki;
  const test::OwnAuthority elsewhere;
  const auto key = test::rsa(3072);
  const auto application = security::KeyPair::make(key, elsewhere.leaf({}, key.get()), {}).value();
  Site site(pki, site_options());
  site.write("system-cas.pem", elsewhere.certificate.pem());
  SystemClock clock;
  SystemRandom random;
  Metrics metrics;
  http::IoThreads io(1U);
  security::TlsSettings open;
  open.require_client_certificate = false;
  http::ListenerOptions listening;
  listening.name = "application";
  listening.tls = security::TlsServer::make(open, {{.key_pair = application, .trust = nullptr}}, clock).value();
  std::atomic<int> called{0};
  http::Server server(
      io.executor(), listening,
      [&](http::Request&) -> http::Awaitable<http::Response> {
        ++called;
        co_return http::Response{};
      },
      http::Environment{clock, random, silent_log(), metrics});
  server.start().value();

  const auto test_hook = [&](Site& node) {
    auto admin = node.admin();
    const auto made = admin.post(
        "/api/v1/webhooks", {{"url", "https://localhost:" + std::to_string(server.port()) + "/hook"}, {"types", {"message.received"}}});
    EXPECT_EQ(made.status, 201U) << made.body;
    return admin.post("/api/v1/webhooks/" + made.json().value("id", "") + "/_test", Json::object());
  };
  ::setenv("SSL_CERT_FILE", site.path("system-cas.pem").c_str(), 1);
  site.start_and_wait();
  ::unsetenv("SSL_CERT_FILE");
  const auto tested = test_hook(site);
  EXPECT_EQ(tested.status, 200U);
  EXPECT_EQ(called, 1) << tested.body << site.log();

  site.process().kill();
  site.start_and_wait();  // the real store of this system, which does not know that CA
  const auto refused = test_hook(site);
  EXPECT_EQ(called, 1) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("SEC.PKI.ONBEKENDE_CA"));
  server.close();
  io.stop();
}

// --- keys that change while it works ---------------------------------------------------------------------------------------------------

class Changing : public ::testing::Test {
 protected:
  std::shared_ptr<const security::KeyPair> visitor() {
    return pki_.with([](test::Pki& shared) { return shared.tls(visitor_oin, "Waterschap Voorbeeld", {"localhost"}).key_pair; });
  }
  std::size_t reloads() const {
    std::size_t count = 0;
    const auto log = site_.log();
    for (auto at = log.find("node.reloaded"); at != std::string::npos; at = log.find("node.reloaded", at + 1)) ++count;
    return count;
  }
  // What PEM texts of one certificate have in common, whatever stands around it.
  static std::string body_of(const security::Issued& issued) { return issued.certificate.pem().substr(28, 64); }

  ServedPki pki_;
  Site site_{pki_, site_options()};
};

// A16, SEC-073, SEC-074: 50 requests a second, half of them with a new handshake, while the certificate changes four times.
TEST_F(Changing, ARotationUnderLoadFailsNoRequest) {
  constexpr int requests = 300;
  site_.start_and_wait();
  const auto identity = visitor();
  Partner patient(pki_, identity), hasty(pki_, identity);
  ASSERT_TRUE(becomes([&] { return patient.send("GET", site_.ebms_url()).status == 405; }, 10s)) << site_.log();
  std::atomic<bool> done{false};
  security::Issued last = site_.identity();
  std::thread rotation([&] {
    for (int i = 0; i < 4 && !done; ++i) {
      std::this_thread::sleep_for(1s);
      last = site_.issue();
      site_.install(last);
      site_.process().signal(SIGHUP);
    }
  });
  std::vector<std::string> failures;
  const auto began = Steady::now();
  for (int i = 0; i < requests; ++i) {
    std::this_thread::sleep_until(began + i * 20ms);
    auto& partner = i % 2 == 0 ? patient : hasty;
    if (i % 2 != 0) hasty.hang_up();
    const auto answer = partner.send("GET", site_.ebms_url());
    if (answer.status != 405) failures.push_back(std::to_string(i) + ": " + std::to_string(answer.status) + " " + answer.body);
  }
  done = true;
  rotation.join();
  EXPECT_TRUE(failures.empty()) << failures.size() << " failed, the first " << failures.front() << "\n" << site_.log();
  EXPECT_TRUE(becomes([&] { return reloads() == 4; }, 10s)) << site_.log();
  EXPECT_THAT(site_.admin().get("/api/v1/certificates").body, HasSubstr(last.certificate->sha256)) << "the last one is in use";
}

// SEC-078: switches at once, ends the connections of the old certificate, and says what must be reported.
TEST_F(Changing, AnEmergencyRotationSwitchesAtOnce) {
  const auto next = site_.issue();
  site_.install(next, "next");
  site_.start_and_wait();
  const auto old = site_.identity().certificate;
  const auto identity = visitor();
  auto party = site_.party("Melder"), register_ = site_.party("Register");
  register_.oin = visitor_oin;
  register_.certificate = identity->certificate();
  site_.load(CpaDocument({.cpa_id = "cpa-bound"}, party, register_).text());

  // Without a successor nothing happens.
  const auto rotate = [&](const std::string& output) {
    Process command({SCHAKEL_PROGRAM, "certificate", "emergency-rotate", old->sha256, "--reason", "sleutel gestolen", "--url",
                     "http://127.0.0.1:" + std::to_string(site_.admin_port()), "--api-key-file", site_.path("api.key").string()},
                    site_.path(output).string());
    const auto code = command.wait(10s);
    std::ifstream file(site_.path(output));
    return std::pair{code, std::string(std::istreambuf_iterator<char>(file), {})};
  };
  EXPECT_EQ(rotate("refused.out").first, 1);
  EXPECT_THAT(site_.admin().get("/api/v1/certificates").body, Not(HasSubstr("GECOMPROMITTEERD")));

  site_.use_certificates(std::vector<std::string>{"tls", "next"});
  ASSERT_TRUE(
      becomes([&] { return site_.admin().get("/api/v1/certificates").body.find(next.certificate->sha256) != std::string::npos; }, 10s));
  Partner partner(pki_, identity);
  ASSERT_TRUE(becomes([&] { return partner.send("GET", site_.ebms_url()).status == 405; }, 10s)) << site_.log();
  // Connections that stay open until we end them, and show which certificate they got.
  std::string chain = identity->certificate().pem();
  for (const auto& issuer : identity->chain()) chain += issuer.pem();
  site_.write("visitor.pem", chain);
  site_.write("visitor.key", *security::private_key_pem(identity->key()));
  const auto connect = [&](const std::string& output) {
    return std::make_unique<Process>(
        std::vector<std::string>{"/usr/bin/openssl", "s_client", "-connect", "127.0.0.1:" + std::to_string(site_.external_port()),
                                 "-servername", "localhost", "-cert", site_.path("visitor.pem").string(), "-cert_chain",
                                 site_.path("visitor.pem").string(), "-key", site_.path("visitor.key").string(), "-ign_eof"},
        site_.path(output).string());
  };
  const auto shown = [&](const std::string& output) {
    std::ifstream file(site_.path(output));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto open = connect("old.out");
  ASSERT_TRUE(becomes([&] { return shown("old.out").find("---\nSSL handshake has read") != std::string::npos; }, 5s)) << shown("old.out");
  EXPECT_THAT(shown("old.out"), HasSubstr(body_of(site_.identity())));
  std::this_thread::sleep_for(300ms);
  ASSERT_TRUE(open->running());

  const auto [code, printed] = rotate("rotated.out");
  EXPECT_EQ(code, 0) << printed;
  EXPECT_THAT(printed, HasSubstr(next.certificate->sha256));
  EXPECT_THAT(printed, HasSubstr(old->serial));
  EXPECT_THAT(printed, HasSubstr("cpa-bound"));
  EXPECT_TRUE(open->wait(3s)) << "the connection of the old certificate has ended";
  EXPECT_TRUE(becomes([&] { return site_.log().find("certificate.takenOutOfUse") != std::string::npos; }, 5s));
  const auto fresh = connect("new.out");
  EXPECT_TRUE(becomes([&] { return shown("new.out").find(body_of(next)) != std::string::npos; }, 5s)) << shown("new.out");
  EXPECT_EQ(partner.send("GET", site_.ebms_url()).status, 405U);
  EXPECT_TRUE(audited(site_, "certificate.emergencyRotate"));
  // A restart or a tenant that names it again does not bring it back.
  fresh->kill();
  site_.process().kill();
  site_.start_and_wait();
  EXPECT_THAT(site_.admin().get("/api/v1/certificates").body, HasSubstr("SEC.SLEUTEL.GECOMPROMITTEERD"));
}

// adapter.md 2.8, ADP-600
TEST_F(Changing, TheMetricsOfTheListAreThere) {
  site_.start_and_wait();
  auto ops = site_.ops();
  EXPECT_TRUE(becomes([&] { return ops.get("/metrics").body.find("schakel_certificate_expiry_seconds{") != std::string::npos; }, 10s));
  const auto text = ops.get("/metrics").body;
  EXPECT_THAT(text, HasSubstr("schakel_cluster_nodes 1"));
  EXPECT_THAT(text, HasSubstr("purpose=\"tls-server\",serial=\"" + site_.identity().certificate->serial + "\",tenant=\"voorbeeldstad\""));
}

TEST_F(Changing, TheLogLevelIsTakenAtAReload) {
  site_.start_and_wait();
  auto admin = site_.admin();
  EXPECT_EQ(admin.get("/api/v1/nodes").status, 200U);
  EXPECT_THAT(site_.log(), Not(HasSubstr("http.request")));
  std::ofstream(site_.path("schakel.toml"), std::ios::app) << "[log]\nlevel = \"debug\"\n";
  site_.process().signal(SIGHUP);
  EXPECT_TRUE(becomes(
      [&] {
        admin.get("/api/v1/nodes");
        return site_.log().find("http.request") != std::string::npos;
      },
      10s));
}

}  // namespace
}  // namespace schakel::integration
