// Two message handlers, each with its own database, and the wire between them: tests say what travels and what is lost. Time stands still
// until a test moves it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "cpa/contracts.hpp"
#include "ebms/envelope.hpp"
#include "ebms/mime.hpp"
#include "ebms/msh.hpp"
#include "ebms/protection.hpp"
#include "exchange/blob.hpp"
#include "exchange/signal.hpp"
#include "exchange/store.hpp"
#include "sql/inline.hpp"
#include "support/agreement_builder.hpp"
#include "support/recording_log.hpp"

namespace schakel::ebms::testing {

using exchange::Message;
using exchange::State;
using schakel::testing::AgreementBuilder;

class FakeClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  void advance(Duration by) { now_ += by; }
  void set(Instant at) { now_ = at; }

 private:
  Instant now_ = parse_datetime("2026-03-02T10:00:00Z")->instant;
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(unsigned seed) : engine_(seed) {}
  void fill(std::span<unsigned char> out) override {
    for (auto& octet : out) octet = static_cast<unsigned char>(engine_());
  }

 private:
  std::mt19937 engine_;
};

// Keeps the octets of large payloads until the test puts them in the store.
class CollectingSink final : public PartSink {
 public:
  explicit CollectingSink(Random& random) : random_(random) {}
  std::string open() override { return uuid_v4(random_); }
  void append(const std::string& blob, std::int64_t chunk, Bytes octets) override { chunks.push_back({blob, chunk, std::move(octets)}); }
  void close(const std::string&) override {}

  struct Chunk {
    std::string blob;
    std::int64_t number;
    Bytes octets;
  };
  std::vector<Chunk> chunks;

 private:
  Random& random_;
};

// What a request looked like on the wire.
struct WireRequest {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  Bytes body;

  std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return {};
  }
};

inline std::shared_ptr<const cpa::Contracts> contracts_of(std::vector<cpa::LoadedContract> loaded) {
  return std::make_shared<const cpa::Contracts>(std::move(loaded), std::vector<cpa::UrlMapping>{}, std::vector<cpa::CertificateMapping>{},
                                                std::vector<cpa::Mandate>{});
}

class Node {
 public:
  Node(std::string name, FakeClock& clock, cpa::LoadedContract contract, unsigned seed, Settings settings = {},
       std::shared_ptr<const KeyRing> keys = nullptr)
      : tenant(std::move(name)), clock_(clock), random(seed), contracts(contracts_of({std::move(contract)})) {
    database = std::move(*sql::open_inline(":memory:"));
    const auto migrated = sql::migrate(*database, exchange::migrations());
    EXPECT_TRUE(migrated) << migrated.error().detail;
    settings.node = "n";
    Msh::Dependencies dependencies{clock, random, log, metrics, [this] { return contracts; }};
    dependencies.keys = std::move(keys);
    dependencies.tenant_of_host = [this](std::string_view) { return host_tenant; };
    dependencies.tenant_suspended = [this](std::string_view) { return suspended; };
    msh = std::make_unique<Msh>(settings, std::move(dependencies));
    claim();
  }

  // Another loaded contract in place of the one.
  void load(cpa::LoadedContract contract) { contracts = contracts_of({std::move(contract)}); }
  const cpa::LoadedContract& contract() const { return contracts->all().front(); }

  template <class Function>
  auto in_unit(Function function) {
    decltype(function(std::declval<sql::Transaction&>())) result = fail("test.notRun", "");
    const auto committed = database->commit([&](sql::Transaction& tx) -> Result<> {
      result = function(tx);
      if (!result) return result.error();
      return {};
    });
    if (!committed && result) result = committed.error();
    return result;
  }

  // As the API does it: composed before the unit where that can be.
  Result<Message> submit(const SubmitRequest& request) {
    const auto composed = msh->compose(request);
    return in_unit([&](sql::Transaction& tx) { return msh->submit(tx, request, composed.get()); });
  }
  Message message(std::string_view id) {
    return *in_unit([&](sql::Transaction& tx) { return exchange::find_message(tx, tenant, id); }).value();
  }
  std::vector<Message> inbound() {
    exchange::MessageFilter filter;
    filter.direction = exchange::Direction::inbound;
    filter.oldest_first = true;
    filter.limit = 100;
    return in_unit([&](sql::Transaction& tx) { return exchange::search_messages(tx, tenant, filter); }).value().messages;
  }
  std::vector<exchange::Payload> payloads(std::string_view id) {
    return in_unit([&](sql::Transaction& tx) { return exchange::payloads_of(tx, id); }).value();
  }
  Bytes octets(const exchange::Payload& payload) {
    return in_unit([&](sql::Transaction& tx) -> Result<Bytes> {
             Bytes all;
             for (std::int64_t chunk = 0; static_cast<std::int64_t>(all.size()) < payload.size; ++chunk) {
               SCHAKEL_TRY(const Bytes one, exchange::read_chunk(tx, payload.blob, chunk));
               if (one.empty()) break;
               all += one;
             }
             return all;
           })
        .value();
  }
  // Types of the application events, in order.
  std::vector<std::string> events() {
    std::vector<std::string> types;
    for (const auto& event : event_rows()) types.push_back(event.type);
    return types;
  }
  std::vector<exchange::ApplicationEvent> event_rows() {
    return in_unit([&](sql::Transaction& tx) { return exchange::unprocessed_events(tx, tenant, 100); }).value();
  }
  std::vector<std::string> trail(std::string_view id) {
    std::vector<std::string> types;
    for (const auto& sealed : in_unit([&](sql::Transaction& tx) { return exchange::trail_of(tx, tenant, id); }).value())
      types.push_back(sealed.event.type);
    return types;
  }
  // Rows of a query with one number.
  std::int64_t count(std::string_view sql) {
    return in_unit([&](sql::Transaction& tx) { return tx.query(sql); }).value().front().integer(0);
  }
  std::int64_t work(std::string_view kind) {
    return in_unit([&](sql::Transaction& tx) { return tx.query("SELECT count(*) FROM work WHERE kind = $1", {kind}); })
        .value()
        .front()
        .integer(0);
  }
  std::optional<Instant> due(std::string_view kind) {
    const auto rows =
        in_unit([&](sql::Transaction& tx) { return tx.query("SELECT due FROM work WHERE kind = $1 ORDER BY due", {kind}); }).value();
    if (rows.empty()) return std::nullopt;
    return rows.front().instant(0);
  }

  // --- receiving ----------------------------------------------------------------------------------------------------------------------
  // What the endpoint does with a request.
  Answer receive(const WireRequest& request, const security::PeerIdentity* peer) {
    CollectingSink sink(random);
    auto reader = MimeReader::open(request.header("Content-Type"), sink);
    if (!reader) return refusal(reader.error());
    if (auto fed = reader->feed(request.body); !fed) return refusal(fed.error());
    auto received = reader->finish();
    if (!received) return refusal(received.error());
    for (auto& chunk : sink.chunks)
      EXPECT_TRUE(
          in_unit([&](sql::Transaction& tx) { return exchange::write_chunk(tx, chunk.blob, chunk.number, chunk.octets, clock_.now()); }));
    auto examination = msh->begin(std::move(*received), peer, "host.example");
    while (!examination.wanted_blob().empty()) read_part(examination);
    const auto examined = examination.finish();
    if (const Answer* immediate = Msh::immediate(*examined)) return *immediate;
    auto answer = in_unit([&](sql::Transaction& tx) { return msh->receive(tx, *examined); });
    if (!answer) last_error = answer.error();
    return answer ? *answer : unavailable();
  }

  // EB-031: what the endpoint does with a large part of a secured message.
  void read_part(Examination& examination) {
    CollectingSink sink(random);
    const std::string blob = examination.wanted_blob();
    for (std::int64_t number = 0;; ++number) {
      const Bytes octets = in_unit([&](sql::Transaction& tx) { return exchange::read_chunk(tx, blob, number); }).value();
      if (octets.empty()) break;
      examination.read(octets, sink);
      largest_read = std::max(largest_read, octets.size());
      ++reads;
    }
    examination.end_of_blob(sink);
    for (auto& chunk : sink.chunks)
      EXPECT_TRUE(
          in_unit([&](sql::Transaction& tx) { return exchange::write_chunk(tx, chunk.blob, chunk.number, chunk.octets, clock_.now()); }));
  }

  // --- sending ------------------------------------------------------------------------------------------------------------------------
  void claim() {
    claimer = in_unit([&](sql::Transaction& tx) { return exchange::take_node_lease(tx, "n", clock_.now()); }).value();
  }
  std::vector<exchange::Work> due_work() {
    EXPECT_TRUE(in_unit([&](sql::Transaction& tx) -> Result<> {
      // Time jumps further than a heartbeat here.
      if (auto renewed = exchange::renew_node_lease(tx, claimer, clock_.now()); renewed) return {};
      SCHAKEL_TRY(claimer, exchange::take_node_lease(tx, "n", clock_.now()));
      return {};
    }));
    return in_unit([&](sql::Transaction& tx) { return exchange::claim_work(tx, claimer, clock_.now(), 64, 8); }).value();
  }

  std::string tenant;
  FakeClock& clock_;
  SeededRandom random;
  Metrics metrics;
  schakel::testing::RecordingLog log;
  std::shared_ptr<const cpa::Contracts> contracts;
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<Msh> msh;
  exchange::Claimer claimer;
  std::string host_tenant;
  bool suspended = false;
  Error last_error;
  std::size_t largest_read = 0, reads = 0;  // of the store, for large parts of secured messages
};

// Node a (OIN …1) and node b (OIN …2) under one agreement.
class Pair : public ::testing::Test {
 public:
  static constexpr const char* oin_a = "00000001800000001000";
  static constexpr const char* oin_b = "00000001800000002000";

  static AgreementBuilder agreement(cpa::Profile profile = cpa::Profile::osb_rm) {
    AgreementBuilder builder("sim-1", {oin_a, "Melder", "https://a.example/ebms"}, {oin_b, "Ontvanger", "https://b.example/ebms"});
    builder.profile(profile).reliability(3, std::chrono::minutes(5), std::chrono::hours(1));
    return builder;
  }

  void start(const AgreementBuilder& builder = agreement(), Settings settings = {}, std::shared_ptr<const KeyRing> keys = nullptr) {
    a = std::make_unique<Node>("ta", clock, builder.loaded("ta", 0), 1, settings, keys);
    b = std::make_unique<Node>("tb", clock, builder.loaded("tb", 1), 2, settings, keys);
    peer_a.oin = oin_a;
    peer_a.sha256 = std::string(64, 'a');
    peer_a.serial = "0a";
    peer_b.oin = oin_b;
    peer_b.sha256 = std::string(64, 'b');
    peer_b.serial = "0b";
  }

  static SubmitRequest question(std::vector<Bytes> payloads = {"<m/>"}) {
    SubmitRequest request;
    request.tenant = "ta";
    request.service = "sim:Melding:1:0";
    request.action = "question";
    for (Bytes& octets : payloads) {
      SubmitPayload payload;
      payload.content_type = "application/xml";
      payload.size = static_cast<std::int64_t>(octets.size());
      payload.octets = std::move(octets);
      request.payloads.push_back(std::move(payload));
    }
    return request;
  }

  WireRequest wire(Node& from, const Attempt& attempt) {
    WireRequest request{attempt.url, attempt.headers, {}};
    for (const auto& piece : attempt.body) {
      if (piece.blob.empty()) {
        request.body += piece.octets;
        continue;
      }
      exchange::Payload payload;
      payload.blob = piece.blob;
      payload.size = piece.size;
      request.body += from.octets(payload);
    }
    EXPECT_EQ(request.body.size(), attempt.body_bytes);
    return request;
  }

  Outcome deliver(Node& from, const Attempt& attempt) {
    WireRequest request = wire(from, attempt);
    sent.push_back(request);
    const bool to_b = attempt.url.find("//b.") != std::string::npos;
    if (on_wire) {
      if (auto outcome = on_wire(request, to_b)) return *outcome;
    }
    const Answer answer = to_b ? b->receive(request, &peer_a) : a->receive(request, &peer_b);
    answers.push_back(answer);
    Outcome outcome;
    outcome.status = answer.status;
    outcome.content_type = answer.content_type;
    outcome.body = answer.body;
    outcome.peer = std::make_shared<const security::PeerIdentity>(to_b ? peer_b : peer_a);
    return outcome;
  }

  // Runs the ebms work of one node that is due now; the number of posts.
  std::size_t run(Node& node) {
    std::size_t posts = 0;
    for (const auto& work : node.due_work()) {
      if (work.kind == "message.expire") {
        EXPECT_TRUE(node.in_unit([&](sql::Transaction& tx) { return node.msh->expire(tx, node.claimer, work); }));
        continue;
      }
      if (work.kind == "ebms.orderGap") {
        EXPECT_TRUE(node.in_unit([&](sql::Transaction& tx) { return node.msh->report_order_gap(tx, node.claimer, work); }));
        continue;
      }
      if (!work.kind.starts_with("ebms.")) {
        EXPECT_TRUE(node.in_unit([&](sql::Transaction& tx) { return exchange::finish_work(tx, node.claimer, work.id); }));
        continue;
      }
      auto attempt = node.in_unit([&](sql::Transaction& tx) { return node.msh->prepare(tx, node.claimer, work); });
      EXPECT_TRUE(attempt) << attempt.error().code << attempt.error().detail;
      if (!attempt || !*attempt) continue;
      ++posts;
      Outcome outcome = deliver(node, **attempt);
      node.msh->examine(**attempt, outcome);
      const auto concluded = node.in_unit([&](sql::Transaction& tx) { return node.msh->conclude(tx, node.claimer, **attempt, outcome); });
      EXPECT_TRUE(concluded) << concluded.error().code << concluded.error().detail;
    }
    return posts;
  }
  // Both nodes, until nothing is due.
  void settle() {
    for (int i = 0; i < 20; ++i)
      if (run(*a) + run(*b) == 0) return;
    FAIL() << "the nodes do not come to rest";
  }
  void settle_at(Duration later) {
    clock.advance(later);
    settle();
  }

  static Outcome status(unsigned code) {
    Outcome outcome;
    outcome.status = code;
    return outcome;
  }
  static Outcome broken(std::string code = "transport.connect") {
    Outcome outcome;
    outcome.error_code = std::move(code);
    outcome.error_detail = "test";
    return outcome;
  }

  FakeClock clock;
  security::PeerIdentity peer_a, peer_b;
  std::unique_ptr<Node> a, b;
  std::function<std::optional<Outcome>(const WireRequest&, bool to_b)> on_wire;
  std::vector<WireRequest> sent;
  std::vector<Answer> answers;
};

// The parts of a request, for tests that change what travels. Large ones come back whole.
inline ReceivedRequest unpacked(const WireRequest& request) {
  SeededRandom random(7);
  CollectingSink sink(random);
  auto reader = MimeReader::open(request.header("Content-Type"), sink);
  EXPECT_TRUE(reader->feed(request.body));
  ReceivedRequest received = std::move(*reader->finish());
  for (Part& part : received.parts)
    for (const auto& chunk : sink.chunks)
      if (!part.blob.empty() && chunk.blob == part.blob) part.octets += chunk.octets;
  return received;
}

inline WireRequest packed(const WireRequest& like, const ReceivedRequest& request) {
  WireRequest out = like;
  const auto media = parse_media_type(like.header("Content-Type"));
  const auto boundary = media ? media->parameter("boundary") : std::nullopt;
  if (!boundary) {
    out.body = request.root;
    return out;
  }
  std::vector<exchange::Payload> payloads;
  std::vector<Bytes> octets;
  for (const Part& part : request.parts) {
    exchange::Payload payload;
    payload.content_id = part.content_id;
    payload.content_type = part.content_type;
    payload.file_name = part.file_name;
    payload.size = static_cast<std::int64_t>(part.octets.size());
    payloads.push_back(std::move(payload));
    octets.push_back(part.octets);
  }
  out.body.clear();
  for (const auto& piece : multipart_body(*boundary, request.root_content_id, request.root, payloads, octets)) out.body += piece.octets;
  return out;
}

inline Envelope envelope_of(const WireRequest& request) {
  const auto received = unpacked(request);
  return std::move(*parse_envelope(received.root, received.root_charset));
}

}  // namespace schakel::ebms::testing
