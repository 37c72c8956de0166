// Transparent forwarding as both sides meet it: real sockets, the real HTTP server and client, plain HTTP (TLS is the integration test's).
// EB-200, EB-201, ADP-404, ADP-405, ADP-412; adapter.md 3.4.1, 3.5; A32.
#include "ebms/relay.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>

#include "exchange/store.hpp"
#include "support/agreement_builder.hpp"
#include "support/recording_log.hpp"
#include "unit/http/listening.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using http::testing::RawClient;
using schakel::testing::AgreementBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* sender = "00000099000000010000";
constexpr const char* receiver = "00000099000000300000";
constexpr const char* intermediary = "00000099000000110000";
constexpr const char* owner = "00000099000000220000";  // B: whose relay it is

exchange::Route transparent(std::string id, std::string url) {
  exchange::Route route;
  route.id = std::move(id);
  route.direction = exchange::Direction::inbound;
  route.mode = exchange::RouteMode::transparent;
  route.match.to_oin = receiver;
  route.target = {exchange::TargetKind::partner, {}, std::move(url), {}};
  return route;
}

exchange::Route behind(std::string party, std::string oin) {
  exchange::Route route;
  route.id = party + "-via-" + oin;
  route.match.to_oin = std::move(party);
  route.target = {exchange::TargetKind::intermediary, {}, "https://a.example/ebms", std::move(oin)};
  return route;
}

std::shared_ptr<const cpa::Contracts> contracts_with(std::map<std::string, std::vector<exchange::Route>> tables,
                                                     std::vector<cpa::Mandate> mandates = {}) {
  exchange::Routing routing;
  for (auto& [tenant, routes] : tables) routing.add(tenant, {"test", exchange::RoutingTable(std::move(routes))});
  AgreementBuilder ours("ours", {sender, "Melder", "https://s.example/ebms"}, {owner, "Knooppunt", "https://b.example/ebms"});
  ours.profile(cpa::Profile::osb_be);
  return std::make_shared<const cpa::Contracts>(std::vector{ours.loaded("b", 1)}, std::vector<cpa::UrlMapping>{},
                                                std::vector<cpa::CertificateMapping>{}, std::move(mandates),
                                                std::vector<cpa::AlgorithmException>{}, std::move(routing));
}

Envelope message(std::string cpa_id = "theirs") {
  Envelope e;
  e.header.from = {{{"urn:osb:oin", std::string(sender) + "_T"}}, "Melder"};
  e.header.to = {{{"urn:osb:oin", std::string(receiver) + "_T"}}, "Ontvanger"};
  e.header.cpa_id = std::move(cpa_id);
  e.header.conversation_id = "c1";
  e.header.service = "Voorbeeld:Meldingen:1:0";
  e.header.service_type = "urn:osb:services";
  e.header.action = "meld";
  e.header.message_id = "m1@s.example";
  e.header.timestamp = parse_datetime("2026-03-02T10:00:00Z")->instant;
  return e;
}

// --- the decision ---------------------------------------------------------------------------------------------------------------------

class Decision : public ::testing::Test {
 protected:
  Decision() { peer.oin = sender; }

  // "relay <tenant> <url>", "endpoint", or the code of the refusal.
  std::string of(const MessageHeader& header, std::string_view host_tenant = {}) {
    const auto decision = decide_relay(*contracts, header, &peer, host_tenant, "/ebms", now);
    if (const auto* order = std::get_if<RelayOrder>(&decision)) return "relay " + order->tenant + " " + order->hop.url;
    if (const auto* refusal = std::get_if<RelayRefusal>(&decision)) return refusal->error.code;
    return "endpoint";
  }

  const std::string url = "https://r.example/ebms";
  const Instant now = SystemClock().now();
  std::shared_ptr<const cpa::Contracts> contracts = contracts_with({{"b", {transparent("r", url)}}});
  security::PeerIdentity peer;
};

TEST_F(Decision, AMessageForAPartyOfARowGoesOn) {
  EXPECT_EQ(of(message().header), "relay b " + url);
  auto other = message().header;
  other.to.ids = {{"urn:osb:oin", intermediary}};
  EXPECT_EQ(of(other), "endpoint");
  other.to.ids = {{"urn:osb:oin", receiver}, {"urn:osb:oin", intermediary}};
  EXPECT_EQ(of(other), "endpoint") << "for whom it is must be plain";
  other.to.ids = {{"urn:other", receiver}};
  EXPECT_EQ(of(other), "endpoint") << "another kind of name is no OIN";
}

TEST_F(Decision, AContractOfOursIsNeverPassedOn) {
  EXPECT_EQ(of(message("ours").header), "endpoint");
  EXPECT_EQ(of(message("ours").header, "b"), "endpoint");
}

TEST_F(Decision, ARowMayNameTheContractOfOthers) {
  auto route = transparent("cpa", url);
  route.match = {};
  route.match.contract_id = "theirs";
  route.target.oin = receiver;
  contracts = contracts_with({{"b", {route}}});
  EXPECT_EQ(of(message().header), "relay b " + url);
  EXPECT_EQ(of(message("others").header), "endpoint");
}

TEST_F(Decision, ARowThatRefusesMakesAnException) {
  auto refusing = transparent("no", "");
  refusing.match.service = message().header.service;
  refusing.target = {};
  contracts = contracts_with({{"b", {transparent("r", url), refusing}}});
  EXPECT_EQ(of(message().header), "endpoint");
}

// adapter.md 3.5: equal, mandate, row
TEST_F(Decision, WhoSpeaksForFromIsTheSenderItsMandataryOrItsIntermediary) {
  peer.oin = intermediary;
  EXPECT_EQ(of(message().header), "SENDER_NOT_AUTHORIZED");
  const auto mandate = [&](std::string scope, bool active) {
    return cpa::Mandate{"b", sender, intermediary, std::move(scope), "both", now - 1h, now + 1h, active};
  };
  contracts = contracts_with({{"b", {transparent("r", url)}}}, {mandate("ebms/Voorbeeld:Meldingen:1:0", true)});
  EXPECT_EQ(of(message().header), "relay b " + url);
  auto acknowledgement = message().header;
  acknowledgement.service = uri::signal_service;
  acknowledgement.action = "Acknowledgment";
  EXPECT_EQ(of(acknowledgement), "SENDER_NOT_AUTHORIZED") << "a signal is no part of that service";
  contracts = contracts_with({{"b", {transparent("r", url)}}}, {mandate("*", true)});
  EXPECT_EQ(of(acknowledgement), "relay b " + url);
  contracts = contracts_with({{"b", {transparent("r", url)}}}, {mandate("*", false)});
  EXPECT_EQ(of(message().header), "SENDER_NOT_AUTHORIZED") << "withdrawn";
  contracts = contracts_with({{"b", {transparent("r", url), behind(sender, intermediary)}}});
  EXPECT_EQ(of(message().header), "relay b " + url);
  auto two = message().header;
  two.from.ids.push_back({"urn:osb:oin", owner});
  EXPECT_EQ(of(two), "SENDER_NOT_AUTHORIZED") << "every name that it gives itself counts";
}

TEST_F(Decision, AnIdentityOfAnotherEnvironmentIsNobodyHere) {
  peer.environment = "production";
  EXPECT_EQ(of(message().header), "SENDER_NOT_AUTHORIZED");
  peer.environment = "test";
  EXPECT_EQ(of(message().header), "relay b " + url);
}

// ADP-202, ADP-204
TEST_F(Decision, TheServerNameSaysWhoseTableCounts) {
  contracts = contracts_with({{"b", {transparent("r", url)}}, {"c", {transparent("r", "https://elders.example/ebms")}}});
  EXPECT_EQ(of(message().header, "c"), "relay c https://elders.example/ebms");
  EXPECT_EQ(of(message().header, "d"), "endpoint");
  EXPECT_EQ(of(message().header), "CPA_UNKNOWN") << "no tenant may take what another passes on";
}

TEST_F(Decision, AWayThatHasEndedIsAnOutage) {
  auto route = transparent("r", "");
  route.target = {exchange::TargetKind::intermediary, {}, {}, intermediary};
  contracts = contracts_with({{"b", {route}}});
  EXPECT_EQ(of(message().header), "route.none");
}

TEST(MessageHeaderOnly, IsReadWithoutJudgingTheRest) {
  auto root = *build_envelope(message());
  const auto insert = [](std::string text, std::string_view before, std::string_view what) { return text.insert(text.find(before), what); };
  const std::string strange = R"(<x:Verplicht xmlns:x="urn:x" soap:mustUnderstand="1"/>)";
  const auto read = read_message_header(insert(root, "</soap:Header>", strange), std::nullopt);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(*read, message().header);
  EXPECT_EQ(parse_envelope(insert(root, "</soap:Header>", strange), std::nullopt).error().code, "MUST_UNDERSTAND")
      << "as its end party would";
  const auto refused = [](const std::string& text) { return read_message_header(text, std::nullopt).error().code; };
  EXPECT_EQ(refused(insert(root, "<eb:To>", "<eb:To/>")), "SCHEMA_INVALID") << "what stands twice can be read in two ways";
  EXPECT_EQ(refused(insert(root, "<soap:Body", "<soap:Header/>")), "SCHEMA_INVALID");
  EXPECT_EQ(refused("<!DOCTYPE x []>" + root), "XML_INVALID");
  EXPECT_EQ(refused("<x/>"), "SCHEMA_INVALID");
  EXPECT_EQ(read_message_header(root, "iso-8859-1").error().code, "CHARSET_INVALID");
}

// --- the way through ------------------------------------------------------------------------------------------------------------------

// What the next hop saw of one request.
struct Seen {
  std::string method, path;
  http::Headers headers;
  std::optional<std::uint64_t> content_length;
  std::string body;
  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
};

class RelayTest : public http::testing::Listening {
 protected:
  void SetUp() override {
    auto opened = sql::open({"sqlite::memory:", 2}, silent_log(), metrics);
    ASSERT_TRUE(opened) << opened.error().detail;
    database = std::move(*opened);
    ASSERT_TRUE(sql::migrate(*database, exchange::migrations()));
    msh = std::make_unique<Msh>(Settings{}, Msh::Dependencies{clock, random, log, metrics, [this] { return contracts; }});
    endpoint = std::make_unique<Endpoint>(*msh, *database, random, clock, log, Endpoint::Options{});
    next = std::make_unique<http::Server>(
        threads.executor(), options(), [this](http::Request& request) { return take(request); },
        http::Environment{clock, random, silent_log(), metrics});
    ASSERT_TRUE(next->start());
    route_to("http://127.0.0.1:" + std::to_string(next->port()) + "/msh?x=1");
    peer.oin = sender;
    peer.sha256 = std::string(64, 'a');
    open();
  }
  void TearDown() override {
    silent = false;
    server.reset();
    next.reset();
    database->stop();
    threads.stop();
  }

  static Relay::Options short_of_patience() {
    Relay::Options chosen;
    chosen.response_timeout = 300ms;
    return chosen;
  }
  void route_to(std::string url) { contracts = contracts_with({{"b", {transparent("naar-r", std::move(url))}}}); }

  void open() {
    Relay::Dependencies dependencies{
        .database = *database,
        .client = client(),
        .random = random,
        .clock = clock,
        .log = log,
        .metrics = metrics,
        .contracts = [this] { return contracts; },
        .tenant_of_host = {},
        .identities = [](const auto&, const auto&, const auto&) -> Result<std::shared_ptr<security::TlsClient>> {
          return fail("SEC.SLEUTEL.GEEN", "no certificate");
        }};
    dependencies.is_own_listener = [this](const std::string& url) { return url == own_url; };
    dependencies.is_own_certificate = [this](const std::string& sha256) { return sha256 == own_certificate; };
    dependencies.audit = [this](const std::string& tenant, const http::Request&, std::string_view reason) {
      audited.push_back(tenant + " " + std::string(reason));
    };
    relay = std::make_unique<Relay>(*endpoint, std::move(dependencies), relay_options);
    serve(options(), [this](http::Request& request) -> http::Awaitable<http::Response> {
      request.peer = &peer;
      co_return co_await relay->handle(request);
    });
  }

  // The next hop: keeps what it saw, answers as told.
  http::Awaitable<http::Response> take(http::Request& request) {
    ++reached;
    for (int i = 0; silent && i < 1000; ++i) co_await http::sleep(10ms);
    Seen one{request.method, request.target, request.headers, request.content_length, {}};
    auto body = co_await http::read_all(*request.body, 70 << 20);
    {
      const std::lock_guard lock(mutex);
      if (body) {
        one.body = std::move(*body);
        seen.push_back(std::move(one));
      } else {
        broken.push_back(body.error().code);
      }
    }
    http::Response response;
    response.status = reply_status;
    response.body = reply;
    for (const auto& [name, value] : reply_headers) response.headers.add(name, value);
    co_return response;
  }

  static constexpr const char* fields =
      "SOAPAction: \"ebXML\"\r\nContent-Type: multipart/related; boundary=B; type=\"text/xml\"; start=\"<r@s>\"\r\n";
  static std::string multipart(const std::string& root, const std::string& payload) {
    return "preamble\r\n--B\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <r@s>\r\n\r\n" + root +
           "\r\n--B \t\r\nContent-Type: application/xml\r\nContent-ID: <p1@s>\r\n\r\n" + payload + "\r\n--B--\r\nepilogue";
  }
  static std::string body_with(const std::string& payload) { return multipart(*build_envelope(message()), payload); }

  std::string exchange_octets(const std::string& head, const std::string& body) {
    RawClient raw(server->port());
    raw.send("POST /ebms HTTP/1.1\r\nHost: b.example\r\n" + head + "\r\n" + body);
    return raw.receive_response();
  }
  std::string post(const std::string& body, const std::string& more = {}) {
    return exchange_octets(fields + more + "Content-Length: " + std::to_string(body.size()) + "\r\n", body);
  }

  std::vector<exchange::Message> shadows() {
    std::vector<exchange::Message> found;
    EXPECT_TRUE(database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(auto page, exchange::search_messages(tx, "b", {}));
      found = std::move(page.messages);
      return {};
    }));
    return found;
  }
  std::vector<exchange::TrailEvent> trail(const std::string& id) {
    std::vector<exchange::TrailEvent> steps;
    EXPECT_TRUE(database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto sealed, exchange::trail_of(tx, "b", id));
      for (const auto& one : sealed) steps.push_back(one.event);
      return {};
    }));
    return steps;
  }
  std::vector<exchange::Payload> payloads(const std::string& id) {
    std::vector<exchange::Payload> found;
    EXPECT_TRUE(database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(found, exchange::payloads_of(tx, id));
      return {};
    }));
    return found;
  }
  std::int64_t count(const std::string& table) {
    std::int64_t number = -1;
    EXPECT_TRUE(database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto rows, tx.query("SELECT count(*) FROM " + table));
      number = rows.front().integer(0);
      return {};
    }));
    return number;
  }

  schakel::testing::RecordingLog log;
  std::shared_ptr<const cpa::Contracts> contracts;
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<Msh> msh;
  std::unique_ptr<Endpoint> endpoint;
  std::unique_ptr<Relay> relay;
  std::unique_ptr<http::Server> next;
  Relay::Options relay_options = short_of_patience();
  security::PeerIdentity peer;
  std::string own_url, own_certificate;
  std::vector<std::string> audited;

  std::mutex mutex;
  std::vector<Seen> seen;
  std::vector<std::string> broken;
  std::atomic<bool> silent = false;  // says nothing until it is no longer so
  std::atomic<int> reached = 0;      // requests that came to the next hop
  unsigned reply_status = 204;
  std::string reply;
  http::Headers reply_headers;
};

// A32, EB-201: method, Content-Type, SOAPAction, length and octets; preamble, padding and epilogue too
TEST_F(RelayTest, TheOctetsPassUnchanged) {
  std::string payload = "\r\n--B";
  for (int i = 0; i < 256; ++i) payload += static_cast<char>(i);
  const auto body = body_with(payload);
  EXPECT_THAT(post(body, "X-Eigen: 1\r\nConnection: keep-alive, X-Eigen\r\nAuthorization: Basic eDp5\r\nContent-Language: nl\r\n"),
              HasSubstr("204"));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].body, body);
  EXPECT_EQ(seen[0].method, "POST");
  EXPECT_EQ(seen[0].path, "/msh?x=1") << "the path of the row";
  EXPECT_EQ(seen[0].content_length, body.size());
  EXPECT_EQ(seen[0].header("Content-Type"), "multipart/related; boundary=B; type=\"text/xml\"; start=\"<r@s>\"");
  EXPECT_EQ(seen[0].header("SOAPAction"), "\"ebXML\"");
  EXPECT_EQ(seen[0].header("Content-Language"), "nl");
  std::vector<std::string> names;
  for (const auto& [name, value] : seen[0].headers) names.push_back(to_lower(name));
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("host", "content-type", "soapaction", "content-language", "content-length"))
      << "nothing of this hop, nothing added";
}

TEST_F(RelayTest, ChunksStayChunks) {
  const auto body = body_with(std::string(200'000, 'x'));
  std::string chunked;
  for (std::size_t at = 0; at < body.size(); at += 7'001) {
    const auto piece = body.substr(at, 7'001);
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    chunked += size + piece + "\r\n";
  }
  EXPECT_THAT(exchange_octets(std::string(fields) + "Transfer-Encoding: chunked\r\n", chunked + "0\r\n\r\n"), HasSubstr("204"));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].body, body);
  EXPECT_FALSE(seen[0].content_length);
}

TEST_F(RelayTest, AnEnvelopeWithoutPayloadsGoesAsItCame) {
  const auto root = *build_envelope(message());
  const auto answer = exchange_octets(
      "SOAPAction: \"ebXML\"\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-Length: " + std::to_string(root.size()) + "\r\n", root);
  EXPECT_THAT(answer, HasSubstr("204"));
  EXPECT_EQ(seen.at(0).body, root);
}

// ADP-405: a synchronous acknowledgement goes back in the same exchange, whatever it is
TEST_F(RelayTest, TheAnswerGoesBackUnchanged) {
  reply = "<ack>\r\n\xC3\xA9</ack>";
  reply_status = 200;
  reply_headers = {{"Content-Type", "text/xml; charset=UTF-8"}, {"SOAPAction", "\"ebXML\""}, {"X-Server", "geheim"}};
  const auto answer = post(body_with("<m/>"));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/xml; charset=UTF-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("SOAPAction: \"ebXML\"\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("geheim")));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n" + reply));
  for (const unsigned status : {202U, 404U, 500U, 503U}) {
    reply_status = status;
    EXPECT_THAT(post(body_with("<m/>")), HasSubstr("HTTP/1.1 " + std::to_string(status))) << "also refusals are the end party's";
  }
}

// 3.4.1: the record: state, ids, digest; nothing of the body, no acknowledgement, no duplicate key
TEST_F(RelayTest, AShadowRecordIsKept) {
  const auto body = body_with("<geheim/>");
  post(body);
  const auto found = shadows();
  ASSERT_EQ(found.size(), 1U);
  const auto& shadow = found[0];
  EXPECT_EQ(shadow.state, exchange::State::forwarded);
  EXPECT_EQ(shadow.direction, exchange::Direction::inbound);
  EXPECT_EQ(shadow.message_id, "m1@s.example");
  EXPECT_EQ(shadow.cpa_id, "theirs");
  EXPECT_EQ(shadow.from.oin, sender);
  EXPECT_EQ(shadow.from.party_id, std::string(sender) + "_T");
  EXPECT_EQ(shadow.to.oin, receiver);
  EXPECT_EQ(shadow.action, "meld");
  EXPECT_EQ(shadow.labels.at("route"), "naar-r");
  EXPECT_TRUE(shadow.final_at);
  const auto parts = payloads(shadow.id);
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].sha256, sha256_hex(body));
  EXPECT_EQ(parts[0].size, static_cast<std::int64_t>(body.size()));
  EXPECT_TRUE(parts[0].purged);
  const auto steps = trail(shadow.id);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].type, "forwarded");
  EXPECT_EQ(steps[0].wire_id, "m1@s.example");
  EXPECT_EQ(steps[0].peer_oin, sender);
  EXPECT_THAT(steps[0].detail, HasSubstr(sha256_hex(body)));
  for (const char* table : {"blob_chunks", "message_roots", "signals", "duplicate_keys", "events", "work"})
    EXPECT_EQ(count(table), 0) << table;
  EXPECT_THAT(log.text(), Not(HasSubstr("geheim")));
}

// EB-201: no duplicate elimination; one message in the records all the same
TEST_F(RelayTest, ARepetitionPassesToo) {
  post(body_with("<m/>"));
  post(body_with("<m/>"));
  EXPECT_EQ(seen.size(), 2U);
  const auto found = shadows();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].duplicate_count, 1);
  EXPECT_EQ(trail(found[0].id).size(), 2U);
}

TEST_F(RelayTest, KeepNoneKeepsNoDigest) {
  server.reset();
  relay_options.keep_hash = false;
  open();
  post(body_with("<m/>"));
  ASSERT_EQ(shadows().size(), 1U);
  EXPECT_THAT(payloads(shadows()[0].id), IsEmpty());
  EXPECT_THAT(trail(shadows()[0].id).at(0).detail, Not(HasSubstr("sha256")));
}

TEST_F(RelayTest, WhatIsOursReachesTheEndpointWhole) {
  auto own = message("ours");
  own.header.from.ids = {{"urn:osb:oin", sender}};
  own.header.to = {{{"urn:osb:oin", owner}}, "Knooppunt"};
  own.header.service = "sim:Melding:1:0";
  own.header.action = "question";
  own.manifest = Manifest{"2.0", {{"cid:p1@s"}}};
  const std::string payload(300'000, 'x');
  EXPECT_THAT(post(multipart(*build_envelope(own), payload)), HasSubstr("HTTP/1.1 204"));
  EXPECT_THAT(seen, IsEmpty());
  ASSERT_EQ(shadows().size(), 1U);
  EXPECT_EQ(shadows()[0].state, exchange::State::received) << log.text();
  EXPECT_EQ(payloads(shadows()[0].id).at(0).sha256, sha256_hex(payload));
}

TEST_F(RelayTest, WhatNobodyKnowsIsRefusedByTheEndpoint) {
  auto other = message();
  other.header.to.ids = {{"urn:osb:oin", intermediary}};
  EXPECT_THAT(post(multipart(*build_envelope(other), "<m/>")), HasSubstr("CPA_UNKNOWN"));
  EXPECT_THAT(post("--B\r\n\r\nno xml\r\n--B--\r\n"), HasSubstr("HTTP/1.1 500"));
  EXPECT_THAT(exchange_octets("Content-Length: 0\r\n", ""), HasSubstr("SOAPACTION_INVALID"));
  EXPECT_THAT(seen, IsEmpty());
}

// Two readings of one message must not differ: some receivers take the first part whatever `start` says
TEST_F(RelayTest, ARootPartThatIsNotTheFirstIsRefused) {
  const auto root = *build_envelope(message());
  const auto body = [&](std::size_t before) {
    return "--B\r\nContent-ID: <p1@s>\r\n\r\n" + std::string(before, 'x') +
           "\r\n--B\r\nContent-Type: text/xml\r\nContent-ID: <r@s>\r\n\r\n" + root + "\r\n--B--\r\n";
  };
  EXPECT_THAT(post(body(200'000)), HasSubstr("MIME_INVALID"));
  EXPECT_THAT(post(body(2'000'000)), HasSubstr("CPA_UNKNOWN")) << "who it is for was not looked for any further";
  EXPECT_THAT(seen, IsEmpty());
  EXPECT_THAT(shadows(), IsEmpty());
}

// 3.5; README section 4: an audit record and a fault, nothing stored, nothing sent
TEST_F(RelayTest, AStrangerIsRefused) {
  peer.oin = intermediary;
  const auto answer = post(body_with("<m/>"));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 500"));
  EXPECT_THAT(answer, HasSubstr("SENDER_NOT_AUTHORIZED"));
  EXPECT_THAT(audited, ElementsAre("b SEC.OIN.GEEN_MANDAAT"));
  EXPECT_THAT(seen, IsEmpty());
  EXPECT_THAT(shadows(), IsEmpty());
}

// 3.4.1
TEST_F(RelayTest, ANextHopThatIsDownIs503) {
  route_to("http://127.0.0.1:1/ebms");
  const auto answer = post(body_with("<m/>"));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(answer, Not(HasSubstr("Retry-After"))) << "the sender keeps its own interval";
  EXPECT_THAT(shadows(), IsEmpty()) << "nothing was forwarded";
  EXPECT_THAT(log.text(), HasSubstr("ebms.notRelayed"));
}

TEST_F(RelayTest, ANextHopThatIsSilentIs504) {
  silent = true;
  EXPECT_THAT(post(body_with("<m/>")), HasSubstr("HTTP/1.1 504"));
  ASSERT_EQ(shadows().size(), 1U) << "it may have come through";
  EXPECT_EQ(trail(shadows()[0].id).at(0).code, "transport.timeout");
}

// ADP-412
TEST_F(RelayTest, ALoopIsRefusedWhileRunning) {
  own_certificate = peer.sha256;
  EXPECT_THAT(post(body_with("<m/>")), HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(log.text(), HasSubstr("routing.loop"));
  own_certificate.clear();
  own_url = "https://b.example/ebms";
  route_to(own_url);
  EXPECT_THAT(post(body_with("<m/>")), HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(RelayTest, WithoutACertificateOfOursNothingIsSent) {
  route_to("https://127.0.0.1:1/ebms");
  EXPECT_THAT(post(body_with("<m/>")), HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(log.text(), HasSubstr("SEC.SLEUTEL.GEEN"));
}

// A sender that breaks off: the next hop must not take what came for the whole
TEST_F(RelayTest, ABodyThatBreaksIsNoMessageForTheNextHop) {
  const auto body = body_with(std::string(500'000, 'x'));
  RawClient raw(server->port());
  raw.send("POST /ebms HTTP/1.1\r\nHost: b\r\n" + std::string(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body.substr(0, 200'000));
  raw.close();
  const auto told = [&] {
    const std::lock_guard lock(mutex);
    return broken;
  };
  for (int i = 0; i < 500 && told().empty(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_THAT(told(), ElementsAre("http.bodyTruncated"));
  EXPECT_THAT(seen, IsEmpty());
  EXPECT_THAT(shadows(), IsEmpty());
}

TEST_F(RelayTest, ADestinationThatHangsLeavesRoomForOthers) {
  server.reset();
  relay_options.per_destination_max = 1;
  relay_options.response_timeout = 5s;
  open();
  silent = true;
  RawClient first(server->port());
  const auto body = body_with("<m/>");
  const auto request =
      "POST /ebms HTTP/1.1\r\nHost: b\r\n" + std::string(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  first.send(request);
  for (int i = 0; i < 500 && reached == 0; ++i) std::this_thread::sleep_for(10ms);
  const auto second = post(body);
  EXPECT_THAT(second, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(second, HasSubstr("Retry-After"));
}

std::int64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
  return 0;
}

// EB-031 in spirit: 64 MiB go through in bounded memory
TEST_F(RelayTest, ALargeMessageStreams) {
  server.reset();
  next.reset();
  relay_options.response_timeout = 20s;
  // A next hop that keeps nothing.
  std::atomic<std::uint64_t> arrived = 0;
  std::atomic<std::int64_t> most = 0;
  next = std::make_unique<http::Server>(
      threads.executor(), options(),
      [&](http::Request& request) -> http::Awaitable<http::Response> {
        std::array<char, 16 * 1024> step;
        for (int i = 0;; ++i) {
          const auto count = co_await request.body->read(step);
          if (!count || *count == 0) break;
          arrived += *count;
          if (i % 64 == 0) most = std::max(most.load(), resident_kib());
        }
        http::Response response;
        response.status = 204;
        co_return response;
      },
      http::Environment{clock, random, silent_log(), metrics});
  ASSERT_TRUE(next->start());
  route_to("http://127.0.0.1:" + std::to_string(next->port()) + "/");
  open();
  const std::size_t size = 63 << 20;
  const auto begin = "--B\r\nContent-ID: <r@s>\r\n\r\n" + *build_envelope(message()) + "\r\n--B\r\nContent-ID: <p1@s>\r\n\r\n";
  const std::string end = "\r\n--B--\r\n", step(1 << 20, 'x');
  post(begin + "<m/>" + end);  // everything that is made once is there
  const auto before = resident_kib();
  arrived = 0;
  RawClient raw(server->port());
  raw.send("POST /ebms HTTP/1.1\r\nHost: b\r\n" + std::string(fields) +
           "Content-Length: " + std::to_string(begin.size() + size + end.size()) + "\r\n\r\n" + begin);
  for (std::size_t sent = 0; sent < size; sent += step.size()) ASSERT_TRUE(raw.send(step));
  raw.send(end);
  EXPECT_THAT(raw.receive_response(), HasSubstr("204"));
  EXPECT_EQ(arrived, begin.size() + size + end.size());
  EXPECT_LT(most - before, 8 * 1024) << "KiB";
}

}  // namespace
}  // namespace schakel::ebms
