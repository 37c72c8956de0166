// A whole API on an in-memory database with a clock that stands still: handlers are called in-process, no socket is opened.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "api/api.hpp"
#include "base/oin.hpp"
#include "exchange/blob.hpp"
#include "exchange/delivery.hpp"
#include "exchange/store.hpp"
#include "sql/inline.hpp"
#include "support/agreement_builder.hpp"

namespace schakel::api {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FakeClock final : public Clock {
 public:
  Instant now() const override { return at; }
  Instant at = parse_datetime("2026-03-02T09:15:00.123Z").value().instant;
};

inline constexpr const char* own_oin = "00000099000000010000";
inline constexpr const char* partner_oin = "00000099000000300000";
inline constexpr const char* strange_oin = "00000099000000020000";

struct Reply {
  unsigned status = 0;
  http::Headers headers;
  std::string body;
  Json json;

  std::string code() const { return json.is_object() ? json.value("code", "") : ""; }
  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
  // "in location code" of every fault.
  std::vector<std::string> faults() const {
    std::vector<std::string> out;
    if (!json.is_object() || !json.contains("errors")) return out;
    for (const auto& error : json["errors"])
      out.push_back(error.value("in", "") + " " + error.value("location", "") + " " + error.value("code", ""));
    return out;
  }
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    auto opened = sql::open_inline(":memory:");
    database = std::move(opened).value();
    sql::migrate(*database, exchange::migrations()).value();
    load_contracts(
        {agreement("cpa-1", cpa::Profile::osb_rm).loaded("stad", 0), agreement("cpa-2", cpa::Profile::osb_rm).loaded("dorp", 1)});
    msh = std::make_unique<ebms::Msh>(ebms::Settings{},
                                      ebms::Msh::Dependencies{clock, random, silent_log(), metrics, [this] { return contracts; }});
    webhooks = std::make_unique<Webhooks>(Webhooks::Settings{"a", {"127.0.0.0/8", "10.1.0.0/16"}, 120h},
                                          Webhooks::Dependencies{clock, random, silent_log(), metrics, tenants()});
    key = make_key("stad", {"integrator", "tenant-operator"}, {"payload.read"});
    admin_key = make_key("stad", {"platform-admin", "platform-operator", "tenant-admin"});
    other_key = make_key("dorp", {"tenant-admin"}, {"payload.read"});
    start();
  }

  static testing::AgreementBuilder agreement(std::string cpa_id, cpa::Profile profile) {
    testing::AgreementBuilder builder(std::move(cpa_id), {own_oin, "Melder", "https://stad.example/ebms"},
                                      {partner_oin, "Ontvanger", "https://lv.example/ebms"});
    builder.profile(profile).reliability(3, 1h, 24h);
    return builder;
  }

  void load_contracts(std::vector<cpa::LoadedContract> loaded) {
    contracts = std::make_shared<const cpa::Contracts>(std::move(loaded), std::vector<cpa::UrlMapping>(),
                                                       std::vector<cpa::CertificateMapping>(), std::vector<cpa::Mandate>());
  }

  std::function<std::optional<Tenant>(std::string_view)> tenants() {
    return [this](std::string_view slug) -> std::optional<Tenant> {
      if (slug == "stad") return Tenant{"stad", stad_environment, {own_oin}};
      if (slug == "dorp") return Tenant{"dorp", "test", {partner_oin}};
      return std::nullopt;
    };
  }

  // Makes the Api anew, with the settings as they are now.
  void start() {
    Dependencies dependencies{*database, clock, random, silent_log(), metrics, *msh, *webhooks, [this] { return contracts; }, tenants()};
    dependencies.resolve = [this](std::string host) -> http::Awaitable<Result<std::vector<std::string>>> {
      const auto found = names.find(host);
      if (found == names.end()) co_return fail("transport.dns", "no such name");
      co_return found->second;
    };
    dependencies.post = [this](WebhookCall call) -> http::Awaitable<WebhookOutcome> {
      posted.push_back(std::move(call));
      co_return outcome;
    };
    dependencies.complete_validation = [this](std::string_view tenant, cpa::ValidationOptions& options) {
      if (complete_validation) complete_validation(tenant, options);
    };
    dependencies.settings = [] { return OrderedJson::array({{{"key", "node.name"}, {"value", "a"}, {"source", "default"}}}); };
    dependencies.certificates = [](std::string_view tenant) { return OrderedJson::array({{{"tenant", tenant}, {"sha256", "aa"}}}); };
    dependencies.emergency_plan = [this](std::string tenant, std::string certificate) -> http::Awaitable<Result<OrderedJson>> {
      co_return emergency_plan(std::move(tenant), std::move(certificate));
    };
    dependencies.activate_certificate = [this](sql::Transaction&, std::string_view tenant, std::string_view certificate, Instant at) {
      return activate_certificate(tenant, certificate, at);
    };
    api = std::make_unique<Api>(settings, std::move(dependencies));
  }

  std::string make_key(std::string tenant, std::vector<std::string> roles, std::vector<std::string> permissions = {},
                       std::function<void(ApiKey&)> adjust = {}) {
    const std::string token = make_token(random, "test");
    ApiKey made;
    made.id = uuid_v7(random, clock.at);
    made.tenant = std::move(tenant);
    made.name = "key";
    made.hash = sha256_hex(token);
    made.roles = std::move(roles);
    made.permissions = std::move(permissions);
    made.created_at = clock.at;
    if (adjust) adjust(made);
    commit([&](sql::Transaction& tx) { return exchange::put_document(tx, to_document(made)); });
    if (api) api->reload_keys();
    return token;
  }

  void commit(const std::function<Result<>(sql::Transaction&)>& unit) {
    const auto done = database->commit(unit);
    ASSERT_TRUE(done) << done.error().code << ": " << done.error().detail;
  }
  template <class Value>
  Value query(const std::function<Result<Value>(sql::Transaction&)>& unit) {
    std::optional<Value> out;
    const auto done = database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(out, unit(tx));
      return {};
    });
    EXPECT_TRUE(done) << done.error().code << ": " << done.error().detail;
    return out.value_or(Value());
  }

  template <class Value>
  static Value await(http::Awaitable<Value> awaitable) {
    boost::asio::io_context io;
    auto future = boost::asio::co_spawn(io, std::move(awaitable), boost::asio::use_future);
    io.run();
    return future.get();
  }

  // `target`: path with its query, already decoded. `token` empty: none.
  Reply send(std::string method, std::string target, http::Headers headers, std::string body, const std::string& token,
             bool internal = false) {
    return send_to(internal ? api->internal() : api->admin(), internal ? "internal" : "admin", std::move(method), std::move(target),
                   std::move(headers), std::move(body), token);
  }
  Reply send_to(const http::Handler& handler, std::string listener, std::string method, std::string target, http::Headers headers,
                std::string body, const std::string& token) {
    http::Request request;
    request.method = std::move(method);
    request.target = target;
    const auto question = target.find('?');
    request.path = target.substr(0, question);
    std::string rest = question == std::string::npos ? "" : target.substr(question + 1);
    while (!rest.empty()) {
      const auto end = std::min(rest.find('&'), rest.size());
      const std::string pair = rest.substr(0, end);
      const auto equals = std::min(pair.find('='), pair.size());
      request.query.emplace_back(pair.substr(0, equals), equals < pair.size() ? pair.substr(equals + 1) : "");
      rest.erase(0, std::min(end + 1, rest.size()));
    }
    request.headers = std::move(headers);
    if (!token.empty()) request.headers.set("X-Api-Key", token);
    if (!body.empty()) request.content_length = body.size();
    http::StringReader reader(std::move(body));
    request.body = &reader;
    request.listener = std::move(listener);
    request.remote_address = remote_address;
    request.request_id = "0199a1b2-0000-7000-8000-00000000000a";
    boost::asio::io_context io;
    auto future = boost::asio::co_spawn(io, finish(handler(request)), boost::asio::use_future);
    if (meanwhile) boost::asio::co_spawn(io, meanwhile(), boost::asio::detached);
    io.run();
    return future.get();
  }
  static http::Awaitable<Reply> finish(http::Awaitable<http::Response> answer) {
    auto response = co_await std::move(answer);
    Reply reply{response.status, response.headers, response.body, nullptr};
    if (response.stream) reply.body = (co_await http::read_all(*response.stream, 1024 * 1024 * 1024)).value();
    const auto type = std::string(reply.headers.find("Content-Type").value_or(""));
    if (type.find("json") != std::string::npos) reply.json = Json::parse(reply.body, nullptr, false);
    co_return reply;
  }

  Reply get(std::string target) { return send("GET", api_path(target), {}, "", key); }
  Reply post(std::string target, const Json& body, http::Headers headers = {}) {
    headers.set("Content-Type", "application/json");
    return send("POST", api_path(target), std::move(headers), body.dump(), key);
  }
  Reply admin_get(std::string target) { return send("GET", api_path(target), {}, "", admin_key); }
  Reply admin(std::string method, std::string target, const Json& body = nullptr, http::Headers headers = {}) {
    if (!body.is_null()) headers.set("Content-Type", method == "PATCH" ? "application/merge-patch+json" : "application/json");
    return send(std::move(method), api_path(target), std::move(headers), body.is_null() ? "" : body.dump(), admin_key);
  }
  static std::string api_path(const std::string& target) { return "/api/v1" + target; }

  static Json submit_body() {
    return {{"cpaId", "cpa-1"},
            {"toOin", partner_oin},
            {"service", "sim:Melding:1:0"},
            {"action", "question"},
            {"conversationId", "zaak-2026-0017"},
            {"payloads", {{{"contentType", "application/xml"}, {"fileName", "melding.xml"}, {"data", to_base64("<melding/>")}}}}};
  }

  // An inbound message as the core stores it: row, event, work.
  exchange::Message receive(std::string tenant = "stad", std::string payload = "hallo", std::string content_type = "text/plain") {
    exchange::Message message;
    message.id = uuid_v7(random, clock.at);
    message.tenant = std::move(tenant);
    message.direction = exchange::Direction::inbound;
    message.state = exchange::State::received;
    message.profile = "osb-rm";
    message.contract_id = "cpa-1-" + message.tenant;
    message.cpa_id = "cpa-1";
    message.from = {partner_oin, partner_oin, "urn:osb:oin", "Ontvanger"};
    message.to = {own_oin, own_oin, "urn:osb:oin", "Melder"};
    message.service = "sim:Melding:1:0";
    message.service_type = "urn:osb:services";
    message.action = "answer";
    message.conversation_id = "gesprek-1";
    message.message_id = message.id + "@lv.example";
    message.created_at = clock.at;
    message.received_at = clock.at;
    exchange::Payload part;
    part.message = message.id;
    part.content_type = std::move(content_type);
    part.file_name = "brief één.txt";
    part.size = static_cast<std::int64_t>(payload.size());
    part.sha256 = sha256_hex(payload);
    part.blob = uuid_v7(random, clock.at);
    commit([&](sql::Transaction& tx) -> Result<> {
      std::int64_t chunk = 0;
      for (std::size_t at = 0; at < payload.size() || at == 0; at += limits::blob_chunk_bytes) {
        SCHAKEL_CHECK(exchange::write_chunk(tx, part.blob, chunk++, BytesView(payload).substr(at, limits::blob_chunk_bytes), clock.at));
      }
      SCHAKEL_CHECK(exchange::insert_message(tx, message, {&part, 1}));
      SCHAKEL_CHECK(
          exchange::insert_event(tx, {uuid_v7(random, clock.at), message.tenant, message.id, "message.received", clock.at, "{}"}));
      return add_work(tx, "message.offer", message.tenant, message.id);
    });
    return message;
  }
  Result<> emit(sql::Transaction& tx, const exchange::Message& message, std::string type, std::string data = "{}") {
    const std::string id = uuid_v7(random, clock.at);
    SCHAKEL_CHECK(exchange::insert_event(tx, {id, message.tenant, message.id, std::move(type), clock.at, std::move(data)}));
    return add_work(tx, "webhook.call", message.tenant, id);
  }
  Result<> add_work(sql::Transaction& tx, std::string kind, std::string tenant, std::string subject) {
    exchange::Work work;
    work.id = uuid_v7(random, clock.at);
    work.tenant = std::move(tenant);
    work.kind = std::move(kind);
    work.subject = std::move(subject);
    work.due = clock.at;
    return exchange::add_work(tx, work);
  }

  exchange::Message message(const std::string& id, const std::string& tenant = "stad") {
    return query<std::optional<exchange::Message>>([&](sql::Transaction& tx) { return exchange::find_message(tx, tenant, id); }).value();
  }
  std::vector<std::string> trail(const std::string& id, const std::string& tenant = "stad") {
    std::vector<std::string> types;
    for (const auto& event :
         query<std::vector<exchange::SealedTrailEvent>>([&](sql::Transaction& tx) { return exchange::trail_of(tx, tenant, id); }))
      types.push_back(event.event.type);
    return types;
  }

  // Records of the audit log, sealed so that they are shown.
  std::vector<Json> audit_log(const std::string& tenant = "stad") {
    commit([](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::seal_audit(tx, 10'000));
      return {};
    });
    std::vector<Json> out;
    for (const auto& text :
         query<std::vector<std::string>>([&](sql::Transaction& tx) { return exchange::audit_events(tx, tenant, 0, 10'000); }))
      out.push_back(Json::parse(text));
    return out;
  }
  // "action object" of every administrative act.
  std::vector<std::string> audited(const std::string& tenant = "stad") {
    std::vector<std::string> out;
    for (const auto& record : audit_log(tenant)) out.push_back(record.value("action", "") + " " + record.value("object", ""));
    return out;
  }
  // Changes an object as it is now.
  Reply change(std::string method, const std::string& object, const std::string& operation = "", const Json& body = nullptr,
               const std::string& token = "") {
    const auto now = send("GET", api_path(object), {}, "", token.empty() ? admin_key : token);
    http::Headers headers = {{"If-Match", now.header("ETag")}};
    if (!body.is_null()) headers.set("Content-Type", method == "PATCH" ? "application/merge-patch+json" : "application/json");
    return send(std::move(method), api_path(object + operation), std::move(headers), body.is_null() ? "" : body.dump(),
                token.empty() ? admin_key : token);
  }

  // One turn of the work loop: everything that is due of the kinds that the API knows. Calls are answered by `answer`.
  void work(const std::function<WebhookOutcome(const WebhookCall&)>& answer) {
    const auto claimer = lease();
    const auto claimed =
        query<std::vector<exchange::Work>>([&](sql::Transaction& tx) { return exchange::claim_work(tx, claimer, clock.at, 64, 64); });
    for (const auto& row : claimed) {
      if (row.kind == "message.offer") {
        commit([&](sql::Transaction& tx) { return webhooks->offer(tx, claimer, row); });
      } else if (row.kind == "webhook.call") {
        const auto call = query<std::optional<WebhookCall>>([&](sql::Transaction& tx) { return webhooks->prepare(tx, claimer, row); });
        if (!call) continue;
        posted.push_back(*call);
        const auto result = answer(*call);
        commit([&](sql::Transaction& tx) { return webhooks->conclude(tx, claimer, *call, result); });
      } else {
        commit([&](sql::Transaction& tx) { return exchange::finish_work(tx, claimer, row.id); });
      }
    }
  }
  void work() {
    work([this](const WebhookCall&) { return outcome; });
  }
  // Turns until nothing is due.
  void settle() {
    for (int i = 0; i < 10; ++i) work();
  }
  exchange::Claimer lease() {
    if (!claimer_) {
      claimer_ = query<exchange::Claimer>([&](sql::Transaction& tx) { return exchange::take_node_lease(tx, "a", clock.at); });
      leased_at_ = clock.at;
    }
    // The heartbeat of a node that lives while the clock jumps.
    while (leased_at_ < clock.at) {
      leased_at_ = std::min(clock.at, leased_at_ + Duration(10s));
      commit([&](sql::Transaction& tx) { return exchange::renew_node_lease(tx, *claimer_, leased_at_); });
    }
    return *claimer_;
  }
  std::optional<Instant> next_due() {
    return query<std::optional<Instant>>([](sql::Transaction& tx) { return exchange::next_due(tx); });
  }

  FakeClock clock;
  SystemRandom random;
  Metrics metrics;
  std::unique_ptr<sql::Database> database;
  std::shared_ptr<const cpa::Contracts> contracts;
  std::unique_ptr<ebms::Msh> msh;
  std::unique_ptr<Webhooks> webhooks;
  std::unique_ptr<Api> api;
  Settings settings;
  std::function<void(std::string_view tenant, cpa::ValidationOptions&)> complete_validation;
  std::function<Result<OrderedJson>(std::string tenant, std::string certificate)> emergency_plan =
      [](std::string, std::string) -> Result<OrderedJson> { return fail("notFound", ""); };
  std::function<Result<>(std::string_view tenant, std::string_view certificate, Instant at)> activate_certificate =
      [](std::string_view, std::string_view, Instant) -> Result<> { return fail("notFound", ""); };
  std::string stad_environment = "test";
  std::string key, admin_key, other_key;
  std::string remote_address = "10.0.0.1";
  std::map<std::string, std::vector<std::string>> names = {{"app.example", {"8.8.8.8"}}};
  std::function<http::Awaitable<>()> meanwhile;  // runs beside the handler of a request
  std::vector<WebhookCall> posted;
  WebhookOutcome outcome{200, std::nullopt, "", "", Duration(5ms)};

 private:
  std::optional<exchange::Claimer> claimer_;
  Instant leased_at_;
};

}  // namespace schakel::api
