// Many at once, large, hostile: what must hold whatever arrives (ebms.md 5 A07, A20, A26, A33). On both databases where the database
// decides.
#include <sys/resource.h>

#include <barrier>
#include <thread>

#include "support/database.hpp"
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using testing::AgreementBuilder;
using testing::Pair;

// Two nodes of one installation: two message handlers on one database.
class Cluster : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const auto migrated = sql::migrate(*database, exchange::migrations());
    ASSERT_TRUE(migrated) << migrated.error().detail;
    contracts_ = testing::contracts_of({Pair::agreement().synchronous().loaded("tb", 1)});
    for (const char* name : {"n1", "n2"}) {
      Settings settings;
      settings.node = name;
      nodes.push_back(
          std::make_unique<Msh>(settings, Msh::Dependencies{clock, random, silent_log(), metrics, [this] { return contracts_; }}));
    }
  }

  Bytes envelope(std::string_view message_id) {
    Envelope e;
    e.header.from = {{{"urn:osb:oin", Pair::oin_a}}, "Melder"};
    e.header.to = {{{"urn:osb:oin", Pair::oin_b}}, "Ontvanger"};
    e.header.cpa_id = "sim-1";
    e.header.conversation_id = "c";
    e.header.service = "sim:Melding:1:0";
    e.header.service_type = "urn:osb:services";
    e.header.action = "question";
    e.header.message_id = message_id;
    e.header.timestamp = clock.now();
    e.header.time_to_live = clock.now() + 1h;
    e.header.duplicate_elimination = true;
    e.sync_reply = SyncReply{};
    e.ack_requested.push_back({"2.0", std::string(uri::to_party_msh), false});
    return *build_envelope(e);
  }

  Answer receive(const Msh& msh, const Bytes& root) {
    ReceivedRequest request;
    request.root = root;
    security::PeerIdentity peer;
    peer.oin = Pair::oin_a;
    const auto examined = msh.examine(std::move(request), &peer, "");
    if (const Answer* immediate = Msh::immediate(*examined)) return *immediate;
    Answer answer;
    const auto committed = database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(answer, msh.receive(tx, *examined));
      return {};
    });
    return committed ? answer : unavailable();
  }

  std::int64_t count(std::string_view sql) {
    std::int64_t found = -1;
    EXPECT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto rows, tx.query(sql));
      found = rows.front().integer(0);
      return {};
    }));
    return found;
  }

  testing::FakeClock clock;
  SystemRandom random;
  std::shared_ptr<const cpa::Contracts> contracts_;
  std::vector<std::unique_ptr<Msh>> nodes;
};

TEST_P(Cluster, delivers_once_when_one_message_arrives_twenty_times_at_once) {  // EB-107, EB-108, EB-221, EB-222
  const Bytes root = envelope("m-1@a.example");
  constexpr int copies = 20;
  std::vector<Answer> answers(copies);
  std::barrier together(copies);
  std::vector<std::thread> threads;
  for (int i = 0; i < copies; ++i)
    threads.emplace_back([&, i] {
      together.arrive_and_wait();
      answers[static_cast<std::size_t>(i)] = receive(*nodes[static_cast<std::size_t>(i % 2)], root);
    });
  for (auto& thread : threads) thread.join();
  for (const Answer& answer : answers) {
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.body, answers[0].body);
  }
  EXPECT_EQ(count("SELECT count(*) FROM messages"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM signals"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM events"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM queue_entries"), 1);
  EXPECT_EQ(count("SELECT duplicate_count FROM messages"), copies - 1);
}

TEST_P(Cluster, has_the_answer_again_after_a_restart) {  // EB-107, EB-222
  const Bytes root = envelope("m-2@a.example");
  const Bytes first = receive(*nodes[0], root).body;
  database.reset();
  database = open();
  EXPECT_EQ(receive(*nodes[1], root).body, first);
  EXPECT_EQ(count("SELECT count(*) FROM messages"), 1);
}

TEST_P(Cluster, hears_a_pong_on_another_node) {  // EB-181, EB-221; A20
  std::string ping;
  const auto result = [&] {
    Msh::SignalResult found;
    EXPECT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(found, nodes[0]->signal_result(tx, ping));
      return {};
    }));
    return found;
  };
  ASSERT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(ping, nodes[0]->start_ping(tx, "tb", "sim-1", "", ""));
    return {};
  }));
  EXPECT_FALSE(result().answered);
  Envelope pong;
  pong.header.from = {{{"urn:osb:oin", Pair::oin_a}}, "Melder"};
  pong.header.to = {{{"urn:osb:oin", Pair::oin_b}}, "Ontvanger"};
  pong.header.cpa_id = "sim-1";
  pong.header.conversation_id = "c";
  pong.header.service = uri::signal_service;
  pong.header.action = "Pong";
  pong.header.message_id = "pong@a.example";
  pong.header.ref_to_message_id = ping;
  pong.header.timestamp = clock.now();
  EXPECT_EQ(receive(*nodes[1], *build_envelope(pong)).status, 204u);
  EXPECT_TRUE(result().answered);
}

SCHAKEL_ON_BOTH_DATABASES(Cluster);

class NullSink final : public PartSink {
 public:
  std::string open() override { return "b" + std::to_string(++opened); }
  void append(const std::string&, std::int64_t, Bytes octets) override { bytes += octets.size(); }
  void close(const std::string&) override {}
  int opened = 0;
  std::size_t bytes = 0;
};

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(LargeRequest, costs_memory_that_does_not_grow_with_it) {  // EB-031
  NullSink sink;
  auto reader = MimeReader::open("multipart/related; boundary=B", sink);
  ASSERT_TRUE(reader);
  const long before = peak_kib();
  ASSERT_TRUE(reader->feed("--B\r\nContent-Type: text/xml\r\n\r\n<r/>"));
  const Bytes slice(16 * 1024, 'x');
  for (int part = 0; part < 20; ++part) {
    ASSERT_TRUE(reader->feed("\r\n--B\r\nContent-ID: <p" + std::to_string(part) + ">\r\n\r\n"));
    for (std::size_t sent = 0; sent < 3 * limits::MiB; sent += slice.size()) ASSERT_TRUE(reader->feed(slice));
  }
  ASSERT_TRUE(reader->feed("\r\n--B--\r\n"));
  const auto request = reader->finish();
  ASSERT_TRUE(request) << request.error().detail;
  EXPECT_EQ(request->parts.size(), 20u);
  EXPECT_EQ(sink.bytes, 60 * limits::MiB);
  EXPECT_LT(peak_kib() - before, 8 * 1024);
}

TEST(HostileEnvelope, is_refused_within_a_second) {  // EB-043
  std::string deep, wide = "<a ", entities = "<!DOCTYPE a [<!ENTITY x0 \"xxxxxxxxxx\">";
  for (int i = 0; i < 10'000; ++i) deep += "<a>";
  for (int i = 0; i < 60'000; ++i) wide += "b" + std::to_string(i) + "='' ";
  for (int i = 1; i < 30; ++i) {
    entities += "<!ENTITY x" + std::to_string(i) + " \"";
    for (int j = 0; j < 10; ++j) entities += "&x" + std::to_string(i - 1) + ";";
    entities += "\">";
  }
  entities += "]><a>&x29;</a>";
  const std::string large(5 * limits::MiB, '<');
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string& text : {deep, wide + "/>", entities, large})
    EXPECT_EQ(parse_envelope(text, std::nullopt).error().code, "XML_INVALID");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
}

}  // namespace
}  // namespace schakel::ebms
