// The endpoint as a partner meets it: real sockets, the real HTTP server, and section 4 of ebms.md row by row (A11, A24, A33): status,
// body, what is stored, what is logged.
#include "ebms/endpoint.hpp"

#include <gmock/gmock.h>

#include "base/json_library.hpp"
#include "ebms/envelope.hpp"
#include "exchange/store.hpp"
#include "support/agreement_builder.hpp"
#include "support/recording_log.hpp"
#include "unit/http/listening.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using http::testing::RawClient;
using schakel::testing::AgreementBuilder;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* oin_a = "00000001800000001000";
constexpr const char* oin_b = "00000001800000002000";
const std::string secret = "geheim-111222333";

// A database that can be out of order.
class Gate final : public sql::Database {
 public:
  explicit Gate(std::unique_ptr<sql::Database> inner) : inner_(std::move(inner)) {}
  void submit(sql::Unit unit, sql::Completion done) override {
    if (refuses) return done(fail("storage.unavailable", "out of order"));
    inner_->submit(std::move(unit), std::move(done));
  }
  void submit_read(sql::Unit unit, sql::Completion done) override { inner_->submit_read(std::move(unit), std::move(done)); }
  bool is_postgres() const override { return inner_->is_postgres(); }
  bool available() const override { return !lost && inner_->available(); }
  void stop() override { inner_->stop(); }

  std::atomic<bool> refuses = false, lost = false;

 private:
  std::unique_ptr<sql::Database> inner_;
};

// One answer from the socket.
struct Reply {
  explicit Reply(std::string_view octets) : raw(octets) {
    status = http::testing::status_of_response(raw);
    const auto end = raw.find("\r\n\r\n");
    if (end != std::string::npos) body = raw.substr(end + 4);
  }
  std::string header(std::string_view name) const {
    const auto at = raw.find("\r\n" + std::string(name) + ": ");
    if (at == std::string::npos || at > raw.find("\r\n\r\n")) return {};
    const auto begin = at + name.size() + 4;
    return raw.substr(begin, raw.find("\r\n", begin) - begin);
  }
  std::string raw, body;
  unsigned status = 0;
};

class EndpointTest : public http::testing::Listening {
 protected:
  void SetUp() override {
    load(AgreementBuilder("sim-1", {oin_a, "Melder", "https://a.example/ebms"}, {oin_b, "Ontvanger", "https://b.example/ebms"}));
  }

  void TearDown() override {
    server.reset();
    if (database) database->stop();
    threads.stop();
  }

  // The agreement in force; the receiver is the second party.
  void load(const AgreementBuilder& builder) {
    contracts_ = std::make_shared<const cpa::Contracts>(std::vector{builder.loaded("tb", 1)}, std::vector<cpa::UrlMapping>{},
                                                        std::vector<cpa::CertificateMapping>{}, std::vector<cpa::Mandate>{});
  }
  void load_synchronous() {
    load(AgreementBuilder("sim-1", {oin_a, "Melder", "https://a.example/ebms"}, {oin_b, "Ontvanger", "https://b.example/ebms"})
             .synchronous());
  }

  // Opens the door; `listener` and `endpoint_options` may be changed before.
  void open() {
    auto opened = sql::open({"sqlite::memory:", 2}, silent_log(), metrics);
    ASSERT_TRUE(opened) << opened.error().detail;
    database = std::make_unique<Gate>(std::move(*opened));
    ASSERT_TRUE(sql::migrate(*database, exchange::migrations()));
    msh = std::make_unique<Msh>(Settings{}, Msh::Dependencies{clock, random, log, metrics, [this] { return contracts_; }});
    endpoint = std::make_unique<Endpoint>(*msh, *database, random, clock, log, endpoint_options,
                                          [this](const http::Request&, std::string_view reason) {
                                            const std::lock_guard lock(mutex_);
                                            audited_.emplace_back(reason);
                                          });
    listener.allowed_methods = "POST";
    server.emplace(
        threads.executor(), listener,
        [this](http::Request& request) -> http::Awaitable<http::Response> {
          ++handled;
          request.peer = peer ? &*peer : nullptr;
          return endpoint->handle(request);
        },
        http::Environment{clock, random, log, metrics});
    ASSERT_TRUE(server->start());
  }

  // --- what is sent ------------------------------------------------------------------------------------------------------------------
  Envelope envelope(std::string message_id = "m1@a.example") {
    Envelope e;
    e.header.from = {{{"urn:osb:oin", oin_a}}, "Melder"};
    e.header.to = {{{"urn:osb:oin", oin_b}}, "Ontvanger"};
    e.header.cpa_id = "sim-1";
    e.header.conversation_id = "c1";
    e.header.service = "sim:Melding:1:0";
    e.header.service_type = "urn:osb:services";
    e.header.action = "question";
    e.header.message_id = std::move(message_id);
    e.header.timestamp = clock.now();
    e.header.time_to_live = clock.now() + 1h;
    e.header.duplicate_elimination = true;
    e.ack_requested = {AckRequested{"2.0", std::string(uri::to_party_msh), false}};
    return e;
  }
  std::string root(std::string message_id = "m1@a.example") { return *build_envelope(envelope(std::move(message_id))); }
  std::string signal(std::string name, std::string ref = {}) {
    Envelope e = envelope("s1@a.example");
    e.header.service = uri::signal_service;
    e.header.service_type.clear();
    e.header.action = std::move(name);
    e.header.ref_to_message_id = std::move(ref);
    e.header.duplicate_elimination = false;
    e.header.time_to_live.reset();
    e.ack_requested.clear();
    if (e.header.action == "Acknowledgment")
      e.acknowledgment = Acknowledgment{std::string(uri::to_party_msh), clock.now(), e.header.ref_to_message_id, {}, {}};
    if (e.header.action == "MessageError") e.error_list = ErrorList{true, {{std::string(uri::errors), "Unknown", true, "", ""}}};
    return *build_envelope(e);
  }
  // A multipart body: the root and one payload for each Content-ID.
  static std::string multipart(const std::string& root, const std::vector<std::pair<std::string, std::string>>& parts) {
    std::string body = "--B\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <r@a>\r\n\r\n" + root;
    for (const auto& [id, octets] : parts) body += "\r\n--B\r\nContent-Type: application/xml\r\nContent-ID: <" + id + ">\r\n\r\n" + octets;
    return body + "\r\n--B--\r\n";
  }
  std::string with_payload(const std::string& octets) {
    Envelope e = envelope();
    e.manifest = Manifest{"2.0", {{"cid:p1@a"}}};
    return multipart(*build_envelope(e), {{"p1@a", octets}});
  }
  static std::string changed(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  }

  static constexpr const char* soap_action = "SOAPAction: \"ebXML\"\r\n";
  static constexpr const char* plain = "SOAPAction: \"ebXML\"\r\nContent-Type: text/xml; charset=UTF-8\r\n";
  static constexpr const char* related =
      "SOAPAction: \"ebXML\"\r\nContent-Type: multipart/related; boundary=B; type=\"text/xml\"; start=\"<r@a>\"\r\n";

  static std::string post_head(const std::string& fields) { return "POST /ebms HTTP/1.1\r\nHost: localhost\r\n" + fields; }
  static std::string request(const std::string& fields, const std::string& body) {
    return post_head(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  Reply send(const std::string& octets) {
    RawClient raw(server->port());
    raw.send(octets);
    return Reply(raw.receive_response());
  }
  Reply post(const std::string& fields, const std::string& body) { return send(request(fields, body)); }
  Reply post(const std::string& root) { return post(plain, root); }
  // The one answer, and the end of the connection after it.
  Reply last(const std::string& octets) {
    RawClient raw(server->port());
    raw.send(octets);
    const Reply reply(raw.receive_until_closed());
    EXPECT_EQ(reply.header("Connection"), "close") << reply.raw;
    return reply;
  }

  // --- what is left ------------------------------------------------------------------------------------------------------------------
  std::int64_t count(const std::string& from) {
    std::int64_t number = -1;
    EXPECT_TRUE(database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto rows, tx.query("SELECT count(*) FROM " + from));
      number = rows.front().integer(0);
      return {};
    }));
    return number;
  }
  void expect_nothing_stored(const std::string& what) {
    for (const char* table : {"messages", "duplicate_keys", "signals", "blob_chunks", "events", "trail"})
      EXPECT_EQ(count(table), 0) << what << " " << table;
    EXPECT_EQ(count("work"), 0) << what;
  }
  // 2.8: a SOAP 1.1 Fault and nothing stored; one log line tells it.
  void expect_fault(const Reply& reply, unsigned status, std::string_view faultcode, std::string_view token, const std::string& what) {
    EXPECT_EQ(reply.status, status) << what << reply.raw;
    EXPECT_EQ(reply.header("Content-Type"), "text/xml; charset=UTF-8") << what;
    EXPECT_EQ(reply.header("SOAPAction"), "") << what;
    EXPECT_THAT(reply.body, HasSubstr("<faultcode>soap:" + std::string(faultcode) + "</faultcode><faultstring>" + std::string(token)))
        << what;
    expect_nothing_stored(what);
    ASSERT_FALSE(log.lines().empty()) << what;
    const auto line = log.lines().back();
    EXPECT_THAT(line.event, ::testing::AnyOf("ebms.refused", "ebms.fault", "ebms.senderRefused")) << what;
    EXPECT_EQ(line["status"], std::to_string(status)) << what;
    log.clear();
  }
  std::vector<std::string> audited() {
    const std::lock_guard lock(mutex_);
    return std::exchange(audited_, {});
  }
  template <class Condition>
  static bool soon(Condition condition) {
    for (int i = 0; i < 500 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    return condition();
  }

  schakel::testing::RecordingLog log;
  http::ListenerOptions listener = options();
  Endpoint::Options endpoint_options;
  std::optional<security::PeerIdentity> peer = identity(oin_a);
  std::unique_ptr<Gate> database;
  std::unique_ptr<Msh> msh;
  std::unique_ptr<Endpoint> endpoint;
  std::atomic<int> handled = 0;

  static security::PeerIdentity identity(std::string oin) {
    security::PeerIdentity made;
    made.oin = std::move(oin);
    made.serial = "0a";
    made.sha256 = std::string(64, 'a');
    return made;
  }

 private:
  std::shared_ptr<const cpa::Contracts> contracts_;
  std::mutex mutex_;
  std::vector<std::string> audited_;
};

// --- accepted --------------------------------------------------------------------------------------------------------------------------

TEST_F(EndpointTest, an_accepted_message_gets_204_with_nothing) {  // EB-007, EB-009
  open();
  const auto reply = post(related, with_payload(secret));
  EXPECT_EQ(reply.status, 204U) << reply.raw;
  EXPECT_THAT(reply.body, IsEmpty());
  EXPECT_EQ(reply.header("Content-Type"), "");
  EXPECT_EQ(reply.header("SOAPAction"), "");
  EXPECT_EQ(count("messages"), 1);
  EXPECT_EQ(count("work WHERE kind = 'ebms.signal'"), 1);
}

TEST_F(EndpointTest, a_synchronous_acknowledgement_is_a_bare_envelope) {  // EB-004, EB-008
  load_synchronous();
  open();
  Envelope e = envelope();
  e.sync_reply = SyncReply{};
  const auto reply = post(*build_envelope(e));
  EXPECT_EQ(reply.status, 200U) << reply.raw;
  EXPECT_EQ(reply.header("Content-Type"), "text/xml; charset=UTF-8");
  EXPECT_EQ(reply.header("SOAPAction"), "\"ebXML\"");
  EXPECT_EQ(reply.header("Content-Length"), std::to_string(reply.body.size()));
  const auto ack = parse_envelope(reply.body, "UTF-8");
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->header.action, "Acknowledgment");
}

TEST_F(EndpointTest, takes_what_http_clients_of_partners_send) {  // EB-004, EB-005, EB-006
  open();
  const std::string one = root("m1@a"), two = root("m2@a"), three = root("m3@a");
  RawClient raw(server->port());
  raw.send(
      post_head("SOAPAction: ebXML\r\nContent-Type: text/xml\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nTransfer-Encoding: chunked\r\n\r\n"));
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", one.size());
  raw.send(size + one + "\r\n0\r\n\r\n");
  EXPECT_EQ(Reply(raw.receive_response()).status, 204U);
  raw.send(post_head(plain) + "Expect: 100-continue\r\nContent-Length: " + std::to_string(two.size()) + "\r\n\r\n");
  EXPECT_THAT(raw.receive_response(), StartsWith("HTTP/1.1 100"));
  raw.send(two);
  EXPECT_EQ(Reply(raw.receive_response()).status, 204U);
  // Fields that belong to a part, and unknown ones, mean nothing here.
  raw.send(request(std::string(plain) + "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <x@y>\r\nX-Any: thing\r\n",
                   three));
  EXPECT_EQ(Reply(raw.receive_response()).status, 204U);
  EXPECT_EQ(count("messages"), 3);
}

TEST_F(EndpointTest, never_asks_for_a_password_and_ignores_one) {  // EB-011
  open();
  int number = 0;
  for (const std::string authorization : {"Basic Z2VoZWltOnB3", "Digest username=\"x\"", "Bearer abc", "", "nonsense"}) {
    const auto reply = post(std::string(plain) + "Authorization: " + authorization + "\r\n", root("m" + std::to_string(++number) + "@a"));
    EXPECT_EQ(reply.status, 204U) << authorization << reply.raw;
    EXPECT_EQ(count("messages"), number) << authorization;
  }
  // Not when something is wrong either.
  peer = identity("00000001800000009000");
  for (const auto& reply : {post(root("m9@a")), post("nonsense"), post("", "")}) {
    EXPECT_NE(reply.status, 401U);
    EXPECT_EQ(reply.header("WWW-Authenticate"), "");
  }
  peer = security::PeerIdentity{};
  peer->refusal = "SEC.OIN.ONTBREEKT";
  const auto reply = last(request(plain, root("m10@a")));
  EXPECT_EQ(reply.status, 403U);
  EXPECT_EQ(reply.header("WWW-Authenticate"), "");
  EXPECT_THAT(log.text(), Not(HasSubstr("Z2VoZWltOnB3")));
}

// --- HTTP ------------------------------------------------------------------------------------------------------------------------------

TEST_F(EndpointTest, every_other_method_gets_405_that_names_post) {  // EB-003
  open();
  for (const std::string method : {"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "post", "TRACE", "CONNECT"}) {
    RawClient raw(server->port());
    raw.send(method + " /ebms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const Reply reply(raw.receive_until_closed());
    EXPECT_EQ(reply.status, 405U) << method << reply.raw;
    EXPECT_EQ(reply.header("Allow"), "POST") << method;
    EXPECT_THAT(reply.body, IsEmpty()) << method;
  }
  const auto with_body = send("PUT /ebms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(with_body.status, 405U);
  expect_nothing_stored("405");
}

TEST_F(EndpointTest, a_soapaction_that_is_not_ebxml_gets_a_fault) {  // EB-004, EB-010
  open();
  const std::string type = "Content-Type: text/xml; charset=UTF-8\r\n";
  for (const std::string fields :
       {"", "SOAPAction:\r\n", "SOAPAction: \"\"\r\n", "SOAPAction: \"ebxml\"\r\n", "SOAPAction: \"urn:other\"\r\n",
        "SOAPAction: 'ebXML'\r\n", "SOAPAction: \"ebXML\", \"ebXML\"\r\n", "SOAPAction: \"ebXML\r\n",
        "SOAPAction: \"ebXML\"\r\nSOAPAction: \"ebXML\"\r\n", "SOAPAction: \"ebXML\"\r\nsoapaction: \"other\"\r\n"})
    expect_fault(post(type + fields, root()), 500, "Client", "SOAPACTION_INVALID", fields);
}

TEST_F(EndpointTest, another_content_type_gets_415_with_a_fault) {  // EB-010, EB-022
  open();
  for (const std::string type :
       {"", "Content-Type: application/json\r\n", "Content-Type: application/soap+xml\r\n", "Content-Type: text/plain\r\n",
        "Content-Type: multipart/form-data; boundary=B\r\n", "Content-Type: multipart/mixed; boundary=B\r\n",
        "Content-Type: multipart/related; boundary=B; type=\"application/xop+xml\"\r\n",
        "Content-Type: multipart/related; boundary=\"B\r\n", "Content-Type: multipart/related; boundary=A; boundary=B\r\n",
        "Content-Type: text/xml\r\nContent-Type: text/xml\r\n"})
    expect_fault(post(soap_action + type, multipart(root(), {})), 415, "Client", "CONTENT_TYPE_INVALID", type);
}

TEST_F(EndpointTest, mime_that_cannot_be_read_gets_a_fault) {  // EB-010, EB-022, EB-023, EB-025, EB-030, SEC-118
  open();
  const std::string good = with_payload("<m/>");
  const auto typed = [](const std::string& rest) {
    return std::string(soap_action) + "Content-Type: multipart/related; type=\"text/xml\"" + rest + "\r\n";
  };
  const auto part = [&](const std::string& headers) {
    return changed(good, "Content-Type: application/xml\r\nContent-ID: <p1@a>\r\n", headers);
  };
  expect_fault(post(typed(""), good), 500, "Client", "MIME_INVALID", "no boundary");
  expect_fault(post(typed("; boundary=\"\""), good), 500, "Client", "MIME_INVALID", "empty boundary");
  expect_fault(post(typed("; boundary=" + std::string(71, 'B')), good), 500, "Client", "MIME_INVALID", "71 characters");
  expect_fault(post(related, changed(good, "--B--", "")), 500, "Client", "MIME_INVALID", "no closing delimiter");
  expect_fault(post(typed("; boundary=B; start=\"<other@a>\""), good), 500, "Client", "MIME_INVALID", "start unknown");
  expect_fault(post(related, part("Content-ID: <p1@a>\r\nContent-Transfer-Encoding: x-zip\r\n")), 500, "Client", "MIME_INVALID", "coding");
  expect_fault(post(related, part("Content-ID: <p1@a>\r\nContent-Transfer-Encoding: base64\r\n")), 500, "Client", "MIME_INVALID", "base64");
  expect_fault(post(related, part("Content-ID: <p1@a>\r\nX: " + std::string(16 * 1024, 'x') + "\r\n")), 500, "Client", "MIME_INVALID",
               "part header");
  expect_fault(post(related, part("Content-ID: <p1@a>\r\nContent-ID: <p2@a>\r\n")), 500, "Client", "MIME_INVALID", "two Content-IDs");
  expect_fault(post(related, part("Content-ID <p1@a>\r\n")), 500, "Client", "MIME_INVALID", "no colon");
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 100; ++i) many.emplace_back("p" + std::to_string(i) + "@a", "x");
  expect_fault(post(related, multipart(root(), many)), 500, "Client", "MIME_INVALID", "101 parts");
  expect_fault(post(related, ""), 500, "Client", "MIME_INVALID", "no body at all");
  EXPECT_EQ(post(related, good).status, 204U) << "the same without the fault";
}

TEST_F(EndpointTest, a_root_part_may_be_as_large_as_configured) {  // EB-032
  endpoint_options.limits.root_max = 3 * limits::MiB;
  open();
  const auto padded = [&](std::size_t octets) { return root() + "<!--" + std::string(octets, 'x') + "-->"; };
  expect_fault(post(padded(3 * limits::MiB)), 500, "Client", "XML_INVALID", "above the setting");
  EXPECT_EQ(post(padded(2 * limits::MiB)).status, 204U) << "above the default";
}

TEST_F(EndpointTest, a_body_over_the_limit_gets_413_and_the_end) {  // EB-032, SEC-117
  listener.body_bytes_max = 300 * limits::KiB;
  open();
  const std::string large = with_payload(std::string(400 * limits::KiB, 'x'));
  const auto announced = last(post_head(related) + "Content-Length: " + std::to_string(large.size()) + "\r\n\r\n");
  EXPECT_EQ(announced.status, 413U) << announced.raw;
  EXPECT_THAT(announced.body, IsEmpty());
  EXPECT_EQ(handled, 0) << "none of it was read";
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", large.size());
  const auto streamed = last(post_head(related) + "Transfer-Encoding: chunked\r\n\r\n" + size + large + "\r\n0\r\n\r\n");
  EXPECT_EQ(streamed.status, 413U) << streamed.raw;
  EXPECT_THAT(streamed.body, IsEmpty());
  expect_nothing_stored("413");
  ASSERT_EQ(log.lines("http.refused").size(), 2U);
  EXPECT_EQ(log.lines("http.refused")[0]["code"], "message.tooLarge");
  EXPECT_EQ(log.lines("http.refused")[1]["code"], "http.bodyTooLarge");
}

TEST_F(EndpointTest, the_endpoints_own_limit_is_413_too) {  // EB-032
  endpoint_options.limits.request_max = 300 * limits::KiB;
  open();
  const auto reply = last(request(related, with_payload(std::string(400 * limits::KiB, 'x'))));
  EXPECT_EQ(reply.status, 413U) << reply.raw;
  EXPECT_THAT(reply.body, IsEmpty());
  expect_nothing_stored("413");
  EXPECT_EQ(log.lines("ebms.refused").at(0)["status"], "413");
}

TEST_F(EndpointTest, a_stalled_body_gets_408_and_the_end) {  // SEC-117
  listener.body_idle_timeout = 100ms;
  open();
  const auto reply = last(post_head(plain) + "Content-Length: 1000\r\n\r\n<soap:Envelope");
  EXPECT_EQ(reply.status, 408U) << reply.raw;
  EXPECT_THAT(reply.body, IsEmpty());
  expect_nothing_stored("408");
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.HTTP.TRAAG"));
}

TEST_F(EndpointTest, a_body_that_breaks_off_leaves_nothing) {  // EB-009
  open();
  {
    RawClient raw(server->port());
    raw.send(post_head(related) + "Content-Length: 9000000\r\n\r\n" + with_payload(std::string(3 * limits::MiB, 'x')));
    ASSERT_TRUE(soon([&] { return count("blob_chunks") > 0; })) << "large payloads are stored while they arrive";
  }
  EXPECT_TRUE(soon([&] { return count("blob_chunks") == 0; }));
  expect_nothing_stored("broken off");
}

TEST_F(EndpointTest, ambiguous_http_gets_400_and_the_end_before_any_handler) {  // SEC-116, SEC-103
  open();
  const std::string body = root(), length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  const std::string smuggled = "\r\n0\r\n\r\n" + request(plain, root("smuggled@a"));
  const auto refused = [&](const std::string& fields, const std::string& rest) {
    const auto reply = last("POST /ebms HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n" + rest);
    EXPECT_EQ(reply.status, 400U) << fields << reply.raw;
    EXPECT_THAT(reply.body, IsEmpty()) << fields;
  };
  refused(plain + length + "Transfer-Encoding: chunked\r\n", smuggled);
  refused(std::string(plain) + "Transfer-Encoding: chunked\r\n" + length, smuggled);
  refused(plain + length + length, body);
  refused(plain + length + "Content-Length: 1\r\n", body);
  refused(std::string(plain) + "Content-Length: " + std::to_string(body.size()) + ", 1\r\n", body);
  refused(std::string(plain) + "Content-Length: +5\r\n", body);
  refused(std::string(plain) + "Transfer-Encoding: gzip, chunked\r\n", smuggled);
  refused(std::string(plain) + "Transfer-Encoding: xchunked\r\n", smuggled);
  refused(std::string(plain) + "Transfer-Encoding : chunked\r\n", smuggled);
  refused("SOAPAction: \"ebXML\"\r\nContent-Type: text/xml;\r\n charset=UTF-8\r\n" + length, body);
  const auto bare = last("POST /ebms HTTP/1.1\nHost: localhost\n" + changed(std::string(soap_action), "\r\n", "\n") +
                         "Content-Type: text/xml\n\n" + body);
  EXPECT_EQ(bare.status, 400U);
  EXPECT_EQ(handled, 0);
  // The framing of a body is as strict as that of a head.
  const auto chunk = last(post_head(plain) + "Transfer-Encoding: chunked\r\n\r\n5\r\n<x/>\r\n0\r\n\r\n");
  EXPECT_EQ(chunk.status, 400U);
  EXPECT_THAT(chunk.body, IsEmpty());
  expect_nothing_stored("smuggling");
  EXPECT_THAT(events.reasons(), Contains("SEC.HTTP.SYNTAX"));
  EXPECT_THAT(log.lines("security.refused"), Not(IsEmpty()));
}

TEST_F(EndpointTest, overload_gets_503_and_leaves_nothing) {  // EB-014, EB-231
  endpoint_options.in_flight_max = 1;
  open();
  const std::string waiting = request(plain, root("m1@a"));
  RawClient first(server->port());
  first.send(waiting.substr(0, waiting.size() - 1));
  ASSERT_TRUE(soon([&] { return handled == 1; }));
  const auto reply = post(root("m2@a"));
  EXPECT_EQ(reply.status, 503U) << reply.raw;
  EXPECT_EQ(reply.header("Retry-After"), "60");
  EXPECT_EQ(reply.header("Content-Type"), "");
  EXPECT_THAT(reply.body, IsEmpty());
  expect_nothing_stored("503");
  EXPECT_EQ(log.lines("ebms.unavailable").size(), 1U);
  first.send(waiting.substr(waiting.size() - 1));
  EXPECT_EQ(Reply(first.receive_response()).status, 204U);
  EXPECT_EQ(post(root("m2@a")).status, 204U) << "there is room again";
  EXPECT_THAT(metrics.text(), HasSubstr("http_requests_total{listener=\"external\",method=\"POST\",status=\"503\"} 1"));
}

TEST_F(EndpointTest, a_store_that_is_out_of_order_gets_503_and_leaves_nothing) {  // EB-009, EB-014
  open();
  const auto unavailable = [&](const Reply& reply) {
    EXPECT_EQ(reply.status, 503U) << reply.raw;
    EXPECT_EQ(reply.header("Retry-After"), "60");
    EXPECT_THAT(reply.body, IsEmpty());
  };
  database->lost = true;
  unavailable(post(root()));
  database->lost = false;
  database->refuses = true;
  unavailable(post(root()));
  unavailable(post(related, with_payload(std::string(3 * limits::MiB, 'x'))));
  database->refuses = false;
  expect_nothing_stored("503");
  EXPECT_EQ(post(root()).status, 204U);
  EXPECT_EQ(count("messages"), 1);
}

// --- identity --------------------------------------------------------------------------------------------------------------------------

TEST_F(EndpointTest, a_certificate_without_usable_oin_gets_403_before_the_body) {  // EB-001, SEC-103
  open();
  peer = security::PeerIdentity{};
  peer->refusal = "SEC.PKI.POLICY";
  const std::string head = post_head(plain) + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n";
  const auto refused = last(head);
  EXPECT_EQ(refused.status, 403U) << refused.raw;
  EXPECT_THAT(refused.body, IsEmpty());
  EXPECT_THAT(audited(), ElementsAre("SEC.PKI.POLICY"));
  peer.reset();
  EXPECT_EQ(last(head).status, 403U);
  EXPECT_THAT(audited(), ElementsAre("SEC.TLS.GEEN_CERT"));
  expect_nothing_stored("403");
}

TEST_F(EndpointTest, a_stranger_gets_a_fault_and_an_audit_record) {  // EB-132, EB-223, SEC-103
  open();
  peer = identity("00000001800000009000");
  expect_fault(post(related, with_payload(secret)), 500, "Client", "SENDER_NOT_AUTHORIZED", "stranger");
  EXPECT_EQ(count("audit_log"), 1);
  peer = identity(oin_a);
  EXPECT_EQ(post(related, with_payload(secret)).status, 204U) << "the genuine message is still new";
}

// --- content ---------------------------------------------------------------------------------------------------------------------------

TEST_F(EndpointTest, another_character_encoding_gets_a_fault) {  // EB-024
  open();
  const auto typed = [](const std::string& charset) {
    return std::string(soap_action) + "Content-Type: text/xml; charset=" + charset + "\r\n";
  };
  expect_fault(post(typed("ISO-8859-1"), root()), 500, "Client", "CHARSET_INVALID", "HTTP charset");
  expect_fault(post(typed("utf-16"), root()), 500, "Client", "CHARSET_INVALID", "HTTP charset");
  expect_fault(post("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + root()), 500, "Client", "CHARSET_INVALID", "declaration");
  expect_fault(post(changed(root(), ">c1<", ">c\xE9<")), 500, "Client", "CHARSET_INVALID", "not UTF-8");
  expect_fault(post(std::string("\xFE\xFF\0<", 4)), 500, "Client", "CHARSET_INVALID", "UTF-16");
  const std::string part = changed(multipart(root(), {}), "charset=UTF-8", "charset=US-ASCII");
  expect_fault(post(related, part), 500, "Client", "CHARSET_INVALID", "root part");
}

TEST_F(EndpointTest, xml_that_cannot_be_read_gets_a_fault_and_attacks_are_audited) {  // EB-043, SEC-110, SEC-103
  open();
  expect_fault(post("nonsense"), 500, "Client", "XML_INVALID", "no XML");
  expect_fault(post(""), 500, "Client", "XML_INVALID", "nothing");
  expect_fault(post(changed(root(), "</soap:Envelope>", "")), 500, "Client", "XML_INVALID", "not well-formed");
  expect_fault(post(std::string(1024 * 1024 + 1, ' ')), 500, "Client", "XML_INVALID", "root part over 1 MiB");
  EXPECT_THAT(audited(), IsEmpty()) << "a mistake is no attack";
  expect_fault(post("<!DOCTYPE x SYSTEM \"file:///etc/passwd\">" + root()), 500, "Client", "XML_INVALID", "DOCTYPE");
  expect_fault(post("<!DOCTYPE x [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;\">]>" + root()), 500, "Client", "XML_INVALID", "entities");
  EXPECT_THAT(audited(), ElementsAre("SEC.XML.DTD", "SEC.XML.DTD"));
  std::string deep, wide;
  for (int i = 0; i < 10'000; ++i) deep = "<a>" + deep;
  for (int i = 0; i < 2001; ++i) wide += "<a/>";
  const auto begin = std::chrono::steady_clock::now();
  expect_fault(post(deep), 500, "Client", "XML_INVALID", "depth");
  expect_fault(post(changed(root(), "<soap:Body/>", "<soap:Body>" + wide + "</soap:Body>")), 500, "Client", "XML_INVALID", "elements");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  EXPECT_THAT(audited(), ElementsAre("SEC.XML.LIMIET", "SEC.XML.LIMIET"));
}

TEST_F(EndpointTest, an_envelope_against_the_schema_gets_a_fault_with_its_place_in_the_log) {  // EB-040, EB-042, EB-067, SEC-113
  open();
  const std::string good = root();
  const auto element = [&](const std::string& name) {
    const auto from = good.find("<eb:" + name), to = good.find("</eb:" + name + ">") + name.size() + 6;
    return good.substr(from, to - from);
  };
  const std::string message_header = element("MessageHeader"), from = element("From");
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"no PartyId", changed(good, from, "<eb:From><eb:Role>Melder</eb:Role></eb:From>")},
      {"Manifest without Reference", changed(good, "<soap:Body/>", "<soap:Body><eb:Manifest eb:version=\"2.0\"/></soap:Body>")},
      {"wrong order", changed(changed(good, "<eb:CPAId>sim-1</eb:CPAId>", ""), "<eb:Service", "<eb:CPAId>sim-1</eb:CPAId><eb:Service")},
      {"unqualified attribute", changed(good, " eb:version=", " version=")},
      {"two MessageHeaders", changed(good, message_header, message_header + message_header)},
      {"no MessageHeader", changed(good, message_header, "")},
      {"no Body", changed(good, "<soap:Body/>", "")},
      {"control character", changed(good, ">c1<", ">c&#x9;1<")},
      {"blank in MessageId", changed(good, ">m1@", ">m 1@")},
      {"MessageId", changed(good, ">m1@", ">" + std::string(255, 'm') + "@")},
      {"CPAId", changed(good, ">sim-1<", ">" + std::string(256, 's') + "<")},
      {"ConversationId", changed(good, ">c1<", ">" + std::string(256, 'c') + "<")},
      {"Service", changed(good, ">sim:Melding:1:0<", ">sim:" + std::string(252, 's') + "<")},
      {"Action", changed(good, ">question<", ">" + std::string(256, 'q') + "<")},
  };
  for (const auto& [what, text] : rows) {
    const auto reply = post(text);
    const auto line = log.lines("ebms.fault").empty() ? schakel::testing::RecordingLog::Line{} : log.lines("ebms.fault").back();
    EXPECT_EQ(line["code"], "SCHEMA_INVALID") << what;
    EXPECT_NE(line["detail"] + line["location"], "") << what;
    expect_fault(reply, 500, "Client", "SCHEMA_INVALID", what);
  }
  EXPECT_THAT(audited(), IsEmpty());
  const std::string foreign = "<x:y xmlns:x=\"urn:x\" Id=\"x\"/><x:z xmlns:x=\"urn:x\" xml:id=\"x\"/></soap:Header>";
  expect_fault(post(changed(good, "</soap:Header>", foreign)), 500, "Client", "SCHEMA_INVALID", "one id twice");
  EXPECT_THAT(audited(), ElementsAre("SEC.XML.ID"));
}

TEST_F(EndpointTest, another_soap_and_unknown_blocks_get_their_own_faults) {  // EB-044
  open();
  expect_fault(post(changed(root(), "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")), 500,
               "VersionMismatch", "", "SOAP 1.2");
  expect_fault(post(changed(root(), "</soap:Header>", "<x:y xmlns:x=\"urn:x\" soap:mustUnderstand=\"1\"/></soap:Header>")), 500,
               "MustUnderstand", "", "unknown block");
  EXPECT_EQ(post(changed(root(), "</soap:Header>", "<x:y xmlns:x=\"urn:x\"/></soap:Header>")).status, 204U) << "may be ignored";
}

TEST_F(EndpointTest, an_unknown_agreement_gets_a_fault_that_the_sender_may_retry) {  // EB-064, EB-231
  open();
  expect_fault(post(changed(root(), ">sim-1<", ">sim-9<")), 500, "Client", "CPA_UNKNOWN: CPA sim-9 not found", "unknown CPAId");
  EXPECT_THAT(metrics.text(), HasSubstr("code=\"CPA_UNKNOWN\""));
  EXPECT_EQ(post(root()).status, 204U);
}

TEST_F(EndpointTest, signals_that_mean_nothing_here_get_a_fault_or_204) {  // EB-115, EB-131
  open();
  expect_fault(post(signal("Hello")), 500, "Client", "ACTION_UNKNOWN", "unknown Action");
  expect_fault(post(changed(signal("Ping"), oin_b, "00000001800000003000")), 500, "Client", "SIGNAL_INVALID", "Ping for somebody else");
  expect_fault(post(signal("StatusRequest")), 500, "Client", "SIGNAL_INVALID", "no StatusRequest element");
  for (const std::string action : {"Acknowledgment", "MessageError", "Pong", "StatusResponse"}) {
    const auto reply = post(signal(action, "unknown@b"));
    EXPECT_EQ(reply.status, 204U) << action << reply.raw;
    EXPECT_THAT(reply.body, IsEmpty());
    expect_nothing_stored(action);
    EXPECT_EQ(log.lines("ebms.signalIgnored").size(), 1U) << action;
    log.clear();
  }
}

TEST_F(EndpointTest, a_failed_check_gets_its_error_on_the_connection_or_by_post) {  // EB-130, EB-138
  const std::string wrong_action = changed(root(), ">question<", ">other<");
  open();
  const auto posted = post(wrong_action);
  EXPECT_EQ(posted.status, 204U) << posted.raw;
  EXPECT_THAT(posted.body, IsEmpty());
  EXPECT_EQ(count("messages WHERE state = 'REFUSED'"), 1);
  EXPECT_EQ(count("work WHERE kind = 'ebms.signal'"), 1);
  load_synchronous();
  Envelope e = envelope("m2@a");
  e.sync_reply = SyncReply{};
  const auto answered = post(changed(*build_envelope(e), ">question<", ">other<"));
  EXPECT_EQ(answered.status, 200U) << answered.raw;
  EXPECT_EQ(answered.header("Content-Type"), "text/xml; charset=UTF-8");
  EXPECT_EQ(answered.header("SOAPAction"), "\"ebXML\"");
  EXPECT_THAT(answered.body, HasSubstr("ValueNotRecognized"));
  EXPECT_EQ(count("work WHERE kind = 'ebms.signal'"), 1) << "nothing to post";
}

TEST_F(EndpointTest, a_repetition_gets_the_first_answer_and_another_header_an_error) {  // EB-107, EB-108, EB-110
  load_synchronous();
  open();
  Envelope e = envelope();
  e.sync_reply = SyncReply{};
  const std::string text = *build_envelope(e);
  const auto first = post(text), again = post(text);
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.body, first.body);
  const auto reused = post(changed(text, ">c1<", ">c2<"));
  EXPECT_EQ(reused.status, 200U);
  EXPECT_THAT(reused.body, HasSubstr("MessageId already used."));
  EXPECT_EQ(log.lines("ebms.messageIdReused").size(), 1U);
  EXPECT_EQ(log.lines("ebms.messageIdReused").at(0).level, LogLevel::error);
  EXPECT_EQ(count("messages"), 1);
}

TEST_F(EndpointTest, a_part_that_nobody_names_is_dropped_and_logged) {  // EB-033
  open();
  Envelope e = envelope();
  e.manifest = Manifest{"2.0", {{"cid:p1@a"}}};
  const auto reply = post(related, multipart(*build_envelope(e), {{"stray@a", std::string(200'000, 's')}, {"p1@a", secret}}));
  EXPECT_EQ(reply.status, 204U) << reply.raw;
  EXPECT_EQ(count("blob_chunks"), 1);
  const auto dropped = log.lines("ebms.partDropped");
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped[0]["contentId"], "stray@a");
  EXPECT_EQ(dropped[0]["messageId"], "m1@a.example");
}

TEST_F(EndpointTest, a_signature_that_nobody_asked_for_is_kept_and_logged) {  // EB-133
  open();
  const std::string signature =
      "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"urn:x\"/>"
      "<ds:SignatureMethod Algorithm=\"urn:x\"/><ds:Reference URI=\"\"><ds:DigestMethod Algorithm=\"urn:x\"/><ds:DigestValue>AAAA"
      "</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature></soap:Header>";
  EXPECT_EQ(post(changed(root(), "</soap:Header>", signature)).status, 204U);
  EXPECT_EQ(count("message_roots WHERE CAST(root AS TEXT) LIKE '%ds:Signature%'"), 1);
  EXPECT_EQ(log.lines("ebms.signatureNotRequired").size(), 1U);
}

TEST_F(EndpointTest, references_to_elsewhere_and_ambiguous_parts_are_refused) {  // EB-027, EB-073, SEC-118
  open();
  const auto refused = [&](const std::string& id, const std::string& href, const std::vector<std::pair<std::string, std::string>>& parts) {
    Envelope e = envelope(id);
    if (!href.empty()) e.manifest = Manifest{"2.0", {{href}}};
    EXPECT_EQ(post(related, multipart(*build_envelope(e), parts)).status, 204U);
    EXPECT_EQ(count("messages WHERE state = 'REFUSED' AND message_id = '" + id + "' AND error_code = 'MimeProblem'"), 1) << id;
  };
  refused("http@a", "http://localhost:1/x", {{"p1@a", "x"}});
  refused("file@a", "file:///etc/passwd", {{"p1@a", "x"}});
  refused("twice@a", "cid:p1@a", {{"p1@a", "x"}, {"p1@a", "y"}});
  refused("elsewhere@a", "cid:p1@a", {{"p1@a", "x"}, {"p2@a", "y"}, {"p2@a", "z"}});
  refused("nobody@a", "", {{"p2@a", "y"}, {"p2@a", "z"}});
  refused("asroot@a", "cid:r@a", {{"r@a", "x"}});
  EXPECT_EQ(count("blob_chunks"), 0);
}

}  // namespace
}  // namespace schakel::ebms
