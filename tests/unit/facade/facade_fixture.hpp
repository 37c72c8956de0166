// The facade on the Api of the unit tests: the sample CPA of ebms-core with one tenant as DIGIPOORT, and an application that speaks as its
// samples do.
#pragma once

#include "exchange/signal.hpp"
#include "facade/facade.hpp"
#include "http/run.hpp"
#include "unit/api/api_fixture.hpp"

namespace schakel::facade {

using api::Json;
using api::Reply;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

inline constexpr const char* sample_cpa = "cpaStubEBF.rm.https.signed";
inline constexpr const char* digipoort = "00000000000000000000";
inline constexpr const char* overheid = "00000000000000000001";
inline constexpr const char* from_party = "urn:osb:oin:00000000000000000000";
inline constexpr const char* to_party = "urn:osb:oin:00000000000000000001";
inline constexpr const char* typed_service = "urn:osb:services:osb:afleveren:1.1$1.0";

class FacadeTest : public api::ApiTest {
 protected:
  FacadeTest() {
    testing::AgreementBuilder builder(sample_cpa, {digipoort, "DIGIPOORT", "https://stad.example/ebms"},
                                      {overheid, "OVERHEID", "https://overheid.example/ebms"});
    builder.service("urn:osb:services", "osb:afleveren:1.1$1.0").actions("afleveren", "bevestigAfleveren").reliability(5, 5min, 24h);
    load_contracts({builder.loaded("stad", 0), agreement("cpa-2", cpa::Profile::osb_rm).loaded("dorp", 1)});
    settings.poll_interval = 1ms;
    settings.ping_timeout = 2s;
    start();
    start_facade();
  }

  void start_facade(Settings facade_settings = {}) { facade = std::make_unique<Facade>(std::move(facade_settings), *api); }

  Reply ask(std::string method, const std::string& target, std::string body = "", const std::string& content_type = "",
            http::Headers headers = {}) {
    if (!content_type.empty()) headers.set("Content-Type", content_type);
    return send_to(facade->handler(), "internal", std::move(method), target, std::move(headers), std::move(body), token);
  }
  Reply rest(std::string method, const std::string& path, const Json& body = nullptr) {
    return ask(std::move(method), "/service/rest/v19/ebms" + path, body.is_null() ? "" : body.dump(),
               body.is_null() ? "" : "application/json");
  }
  // A request of the application, as the samples have it.
  static Json properties() {
    return {{"cpaId", sample_cpa},  {"fromPartyId", from_party}, {"fromRole", "DIGIPOORT"}, {"toPartyId", to_party},
            {"toRole", "OVERHEID"}, {"service", typed_service},  {"action", "afleveren"}};
  }
  static Json data_source(const std::string& octets, std::string name = "test.txt") {
    return {{"name", std::move(name)}, {"contentType", "text/plain"}, {"content", to_base64(octets)}};
  }
  std::string sent(Json changes = Json::object(), Json data_sources = Json::array()) {
    auto wanted = properties();
    if (changes.is_object()) wanted.update(changes);
    const auto reply = rest("POST", "/messages", {{"properties", wanted}, {"dataSources", std::move(data_sources)}});
    EXPECT_EQ(reply.status, 200U) << reply.body;
    return reply.body;
  }
  // A message of the partner, changed by `adjust` before it is stored; its MessageId.
  exchange::Message received(std::function<void(exchange::Message&)> adjust = {}, std::vector<std::string> payloads = {"Sample message."}) {
    exchange::Message message;
    message.id = uuid_v7(random, clock.at);
    message.tenant = "stad";
    message.direction = exchange::Direction::inbound;
    message.state = exchange::State::received;
    message.contract_id = std::string(sample_cpa) + "-stad";
    message.cpa_id = sample_cpa;
    message.from = {overheid, overheid, "urn:osb:oin", "OVERHEID"};
    message.to = {digipoort, digipoort, "urn:osb:oin", "DIGIPOORT"};
    message.service = "osb:afleveren:1.1$1.0";
    message.service_type = "urn:osb:services";
    message.action = "bevestigAfleveren";
    message.conversation_id = "gesprek-1";
    message.message_id = message.id + "@overheid.example";
    message.timestamp = clock.at;
    message.created_at = message.received_at.emplace(clock.at);
    if (adjust) adjust(message);
    std::vector<exchange::Payload> parts;
    commit([&](sql::Transaction& tx) -> Result<> {
      parts.clear();
      for (const auto& octets : payloads) {
        exchange::Payload part;
        part.message = message.id;
        part.index = static_cast<std::int64_t>(parts.size());
        part.content_id = "p" + std::to_string(part.index) + "@overheid.example";
        part.content_type = "application/xml";
        part.file_name = part.index == 0 ? "bericht.xml" : "";
        part.size = static_cast<std::int64_t>(octets.size());
        part.sha256 = sha256_hex(octets);
        part.blob = uuid_v7(random, clock.at);
        for (std::size_t at = 0; at < octets.size(); at += limits::blob_chunk_bytes)
          SCHAKEL_CHECK(exchange::write_chunk(tx, part.blob, static_cast<std::int64_t>(at / limits::blob_chunk_bytes),
                                              BytesView(octets).substr(at, limits::blob_chunk_bytes), clock.at));
        parts.push_back(std::move(part));
      }
      SCHAKEL_CHECK(exchange::insert_message(tx, message, parts));
      return emit(tx, message, "message.received");
    });
    clock.at += 1s;
    return message;
  }
  exchange::Message outbound(const std::string& message_id) {
    return query<std::optional<exchange::Message>>([&](sql::Transaction& tx) { return exchange::find_outbound(tx, message_id); }).value();
  }
  void change(const std::string& message_id, const std::function<void(exchange::Message&)>& adjust) {
    auto message = outbound(message_id);
    adjust(message);
    commit([&](sql::Transaction& tx) { return exchange::update_message(tx, message); });
  }
  void event(const exchange::Message& message, std::string type) {
    commit([&](sql::Transaction& tx) { return emit(tx, message, std::move(type)); });
  }
  std::vector<exchange::Payload> payloads(const std::string& id) {
    return query<std::vector<exchange::Payload>>([&](sql::Transaction& tx) { return exchange::payloads_of(tx, id); });
  }
  std::string octets(const exchange::Payload& payload) {
    std::string out;
    for (std::int64_t chunk = 0; std::cmp_less(out.size(), payload.size); ++chunk)
      out += query<Bytes>([&](sql::Transaction& tx) { return exchange::read_chunk(tx, payload.blob, chunk); });
    return out;
  }
  // Octets that are no text, with everything that a boundary or base64 could trip over.
  static std::string binary(std::size_t size) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 257);
    return out;
  }

  // The partner answers the next ping or status request so.
  void partner_answers(std::string status, std::string error = "") {
    meanwhile = [this, status = std::move(status), error = std::move(error)] { return answer_request(status, error); };
  }
  http::Awaitable<> answer_request(std::string status, std::string error) {
    for (int tries = 0; tries < 200; ++tries) {
      bool found = false;
      commit([&](sql::Transaction& tx) -> Result<> {
        SCHAKEL_TRY(const auto rows, tx.query("SELECT message_id FROM signals WHERE direction = 'outbound' AND answered_at IS NULL AND "
                                              "error = ''"));
        if (rows.empty()) return {};
        found = true;
        SCHAKEL_TRY(auto signal, exchange::find_outbound_signal(tx, rows[0].text(0)));
        signal->error = error;
        signal->answer = status;
        if (error.empty()) signal->answered_at = clock.at;
        if (status == "Received" || status == "Processed" || status == "Forwarded") signal->answer_timestamp = clock.at;
        return exchange::set_signal_answer(tx, *signal);
      });
      if (found) co_return;
      co_await http::sleep(1ms);
    }
  }

  std::unique_ptr<Facade> facade;
  std::string token = key;
};

}  // namespace schakel::facade
