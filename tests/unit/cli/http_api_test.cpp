#include "cli/http_api.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "fake_shell.hpp"
#include "http/client.hpp"
#include "http/run.hpp"
#include "http/server.hpp"
#include "security/tls.hpp"
#include "support/pki.hpp"

namespace schakel::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Seen {
  std::string method, target, body, content_type, api_key;
};

// A listener on loopback that keeps the last request and answers as it is told.
class Listener {
 public:
  explicit Listener(std::shared_ptr<security::TlsServer> tls = {}) {
    http::ListenerOptions options;
    options.name = "admin";
    options.tls = std::move(tls);
    options.body_bytes_max = 64 * 1024 * 1024;
    server_ = std::make_unique<http::Server>(
        threads_.executor(), options, [this](http::Request& request) { return handle(request); },
        http::Environment{clock_, random_, silent_log(), metrics_});
    const auto started = server_->start();
    EXPECT_TRUE(started) << (started ? "" : started.error().detail);
  }
  ~Listener() { server_->close(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  unsigned short port() const { return server_->port(); }

  Seen seen;
  unsigned status = 200;
  std::string answer_body = "[]";

 private:
  http::Awaitable<http::Response> handle(http::Request& request) {
    auto body = co_await http::read_all(*request.body, 64 * 1024 * 1024);
    const auto field = [&](std::string_view name) { return std::string(request.headers.find(name).value_or("")); };
    seen = {request.method, request.target, body ? *body : body.error().code, field("Content-Type"), field("X-Api-Key")};
    http::Response response;
    response.status = status;
    response.body = answer_body;
    co_return response;
  }

  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  http::IoThreads threads_{1};
  std::unique_ptr<http::Server> server_;
};

class OverHttp : public Terminal {
 protected:
  std::unique_ptr<Api> connect(const std::string& url) {
    auto api = connect_over_http({.url = url, .api_key = "sk_test_x"}, system_clock);
    EXPECT_TRUE(api);
    return std::move(*api);
  }
  SystemClock system_clock;
};

TEST_F(OverHttp, sends_the_key_as_a_header_and_gives_the_answer) {
  Listener listener;
  const auto api = connect(listener.url());
  const auto response = api->send({.path = "/messages?state=FAILED"});
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->status, 200U);
  EXPECT_EQ(response->body, "[]");
  EXPECT_EQ(listener.seen.method, "GET");
  EXPECT_EQ(listener.seen.target, "/api/v1/messages?state=FAILED");
  EXPECT_EQ(listener.seen.api_key, "sk_test_x");
}

TEST_F(OverHttp, streams_files_as_a_form_with_progress) {
  Listener listener;
  const auto api = connect(listener.url());
  std::string large(3 * 1024 * 1024, 'x');
  const auto path = file("groot.bin", large);
  std::uint64_t last = 0, total = 0;
  ApiRequest request{.method = "POST", .path = "/messages", .body = R"({"cpaId":"c"})"};
  request.files = {{path, "application/octet-stream", "naam \"x\".bin"}, {file("leeg", ""), "text/plain", "leeg"}};
  request.progress = [&](std::uint64_t sent, std::uint64_t of) {
    EXPECT_GE(sent, last);
    last = sent;
    total = of;
  };
  const auto response = api->send(request);
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(last, total);
  EXPECT_EQ(listener.seen.body.size(), total);
  const auto boundary = listener.seen.content_type.substr(listener.seen.content_type.find("boundary=") + 9);
  EXPECT_EQ(listener.seen.body,
            "--" + boundary +
                "\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n{\"cpaId\":\"c\"}\r\n--" +
                boundary +
                "\r\nContent-Disposition: form-data; name=\"payload\"; filename=\"naam %22x%22.bin\"\r\nContent-Type: "
                "application/octet-stream\r\n\r\n" +
                large + "\r\n--" + boundary +
                "\r\nContent-Disposition: form-data; name=\"payload\"; filename=\"leeg\"\r\nContent-Type: text/plain\r\n\r\n\r\n--" +
                boundary + "--\r\n");
}

TEST_F(OverHttp, tells_that_nobody_listens_or_a_file_is_gone) {
  std::string url;
  {
    Listener listener;
    url = listener.url();
  }
  const auto api = connect(url);
  const auto response = api->send({.path = "/messages"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, "transport.connect");
  ApiRequest request{.method = "POST", .path = "/messages"};
  request.files = {{(folder / "absent").string(), "text/plain", "absent"}};
  const auto unread = api->send(request);
  ASSERT_FALSE(unread);
  EXPECT_EQ(unread.error().code, "file.unreadable");
  EXPECT_FALSE(connect_over_http({.url = "http://"}, system_clock));
}

http::Awaitable<> exchange(http::Client& client, std::string url, std::promise<http::ClientResponse>& promise) {
  http::ClientRequest request{.method = "GET", .url = std::move(url)};
  auto response = co_await client.send(std::move(request));
  promise.set_value(response ? std::move(*response) : http::ClientResponse{});
}

http::ClientResponse get(const std::string& url, const Clock& clock) {
  Metrics metrics;
  http::IoThreads threads(1);
  http::Client client(threads.executor(), {}, clock, silent_log(), metrics);
  std::promise<http::ClientResponse> promise;
  http::spawn(threads.executor(), exchange(client, url, promise));
  return promise.get_future().get();
}

// --- pki serve -----------------------------------------------------------------------------------------------------------------

// SEC-131: CRLs and CA certificates over plain HTTP, as they are in the folder at that moment.
TEST_F(OverHttp, pki_serve_gives_lists_and_certificates_and_nothing_else) {
  const auto dir = (folder / "pki").string();
  std::filesystem::create_directory(dir);
  ASSERT_TRUE(test::pki().authority().save(dir));
  std::string crl, certificate;
  std::vector<unsigned> refused;
  while_serving = [&] {
    const auto text = out.str();
    const auto at = text.find("http://");
    const auto base = text.substr(at, text.find(' ', at) - at);
    const auto fetch = [&](const std::string& path) { return get(base + path, system_clock); };
    crl = fetch("/crl/g4-tls-tsp.crl").body;
    certificate = fetch("/certs/g4-tls-tsp.cer").body;
    for (const auto* path :
         {"/", "/ca/g4-tls-tsp.key", "/certs/g4-tls-tsp.key", "/crl/..%2Fca%2Fg4-tls-tsp.crl", "/crl/absent.crl", "/index.json"})
      refused.push_back(fetch(path).status);
  };
  EXPECT_EQ(run({"pki", "serve", "--dir", dir, "--listen", "127.0.0.1:0"}), 0) << err.str();
  EXPECT_EQ(crl, content_of(dir + "/crl/g4-tls-tsp.crl"));
  EXPECT_EQ(certificate, content_of(dir + "/ca/g4-tls-tsp.cer"));
  for (const auto status : refused) EXPECT_TRUE(status == 404 || status == 400) << status;
  EXPECT_EQ(run({"pki", "serve", "--dir", dir, "--listen", "8089"}), 2);
  EXPECT_EQ(run({"pki", "serve", "--dir", (folder / "absent").string()}), 1);
}

// --- tls check -----------------------------------------------------------------------------------------------------------------

// SEC-132: per rule, with the SEC id, over a real handshake.
TEST_F(OverHttp, tls_check_grades_a_server_by_rule) {
  auto& pki = test::pki();
  const auto issued = pki.tls("00000099000000010000", "Gemeente Voorbeeldstad", {"localhost"});
  auto tls = security::TlsServer::make({}, {{{}, issued.key_pair, pki.trust(), false}}, system_clock);
  ASSERT_TRUE(tls) << tls.error().detail;
  Listener listener(*tls);
  EXPECT_EQ(run({"tls", "check", "https://localhost:" + std::to_string(listener.port()) + "/ebms", "--json"}), 0) << out.str() << err.str();
  const auto findings = Json::parse(out.str());
  const auto verdict_of = [&](const std::string& rule) {
    std::string verdicts;
    for (const auto& finding : findings)
      if (finding["rule"] == rule) verdicts += finding["verdict"].get<std::string>() + ";";
    return verdicts;
  };
  EXPECT_THAT(verdict_of("SEC-030"), HasSubstr("goed"));
  EXPECT_THAT(verdict_of("SEC-030"), Not(HasSubstr("onvoldoende")));
  EXPECT_EQ(verdict_of("SEC-015").find("fout"), std::string::npos);
  EXPECT_THAT(verdict_of("SEC-039"), HasSubstr("uit te faseren"));
}

TEST_F(OverHttp, tls_check_tells_what_does_not_speak_tls) {
  Listener listener;
  EXPECT_EQ(run({"tls", "check", "https://localhost:" + std::to_string(listener.port())}), 1);
  EXPECT_THAT(err.str(), HasSubstr("transport.tls"));
  EXPECT_EQ(run({"tls", "check", "http://localhost"}), 2);
}

// The admin listener may speak TLS (README section 12).
TEST(HttpApi, SpeaksHttpsWithTheCasThatItIsGiven) {
  static const SystemClock system_clock;
  auto& pki = test::pki();
  const auto own = pki.tls("00000099000000001000", "Gemeente Voorbeeldstad", {"localhost"});
  security::TlsSettings open;
  open.require_client_certificate = false;
  Listener listener(security::TlsServer::make(open, {{.key_pair = own.key_pair, .trust = nullptr}}, system_clock).value());
  const auto url = "https://localhost:" + std::to_string(listener.port());
  const auto ca = pki.authority().anchors_pem() + pki.authority().intermediates_pem();
  EXPECT_EQ((*connect_over_http({.url = url, .api_key = "k", .ca_pem = ca}, system_clock))->send({.path = "/nodes"})->status, 200U);
  EXPECT_EQ(listener.seen.api_key, "k");
  listener.seen = {};
  const auto stranger = (*connect_over_http({.url = url, .api_key = "k"}, system_clock))->send({.path = "/nodes"});
  ASSERT_FALSE(stranger);
  EXPECT_THAT(stranger.error().detail, HasSubstr("SEC.PKI.ONBEKENDE_CA"));
  EXPECT_EQ(listener.seen.api_key, "") << "the key went to nobody";
}

}  // namespace
}  // namespace schakel::cli
