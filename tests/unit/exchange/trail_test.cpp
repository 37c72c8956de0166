#include <thread>

#include "base/json_library.hpp"
#include "store_fixture.hpp"

namespace schakel::exchange {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Chains : public StoreTest {
 protected:
  static TrailEvent event(std::string message, std::string type, Instant at = t0) {
    TrailEvent e;
    e.message = std::move(message);
    e.type = std::move(type);
    e.at = at;
    return e;
  }
  void append(std::string_view tenant, const std::vector<TrailEvent>& events) {
    commit([&](auto& tx) { ASSERT_TRUE(append_trail(tx, tenant, "a", events)); });
  }
  std::int64_t seal(std::int64_t limit = 1000) {
    return get([&](auto& tx) { return seal_trail(tx, limit); });
  }
  // What waits for the sealer when `appended` events were written: SQLite gives them their place in the commit.
  std::int64_t unsealed(std::int64_t appended) const { return database->is_postgres() ? appended : 0; }
  ChainVerdict verdict(std::string_view tenant = "stad") {
    return get([&](auto& tx) { return verify_trail(tx, tenant); });
  }
  void run(std::string_view sql) {
    commit([&](auto& tx) { ASSERT_TRUE(tx.execute(sql)); });
  }
  // Ten sealed events of the tenant.
  void ten_sealed() {
    for (int i = 0; i < 10; ++i) append("stad", {event("m1", "queued", t0 + i * 1ms)});
    ASSERT_EQ(seal(), unsealed(10));
    ASSERT_EQ(verdict().first_break, std::nullopt);
  }
};

// adapter.md 2.6: the canonical text and its hash, computed here by hand.
TEST_P(Chains, HashesTheCanonicalJsonWithTheHashBefore) {
  TrailEvent full = event("m1", "attemptFailed");
  full.actor = "ebms";
  full.wire_id = "w@x";
  full.peer_oin = "00000099000000010000";
  full.peer_address = "192.0.2.1";
  full.peer_certificate_sha256 = "ab12";
  full.code = "transport.503";
  full.detail = "tab\t\"quote\" \x01 é";
  full.bytes = 12;
  full.duration_ms = 34;
  append("stad", {full, event("m1", "queued", t0 + 1s)});
  ASSERT_EQ(seal(), unsealed(2));
  const auto events = get([](auto& tx) { return trail_of(tx, "stad", "m1"); });
  ASSERT_THAT(events, SizeIs(2));
  const std::string first =
      R"({"actor":"ebms","at":"2026-03-02T09:15:00.123Z","bytes":12,"code":"transport.503","detail":"tab\t\"quote\" \u0001 é","durationMs":34,"message":"m1",)"
      R"("node":"a","peer":{"address":"192.0.2.1","certificateSha256":"ab12","oin":"00000099000000010000"},"previousHash":")" +
      std::string(64, '0') + R"(","seq":1,"tenant":"stad","type":"attemptFailed","wireId":"w@x"})";
  EXPECT_EQ(canonical_trail_event("stad", events[0]), first);
  EXPECT_EQ(events[0].hash, sha256_hex(first));
  const std::string second = R"({"actor":"schakel","at":"2026-03-02T09:15:01.123Z","message":"m1","node":"a","previousHash":")" +
                             events[0].hash + R"(","seq":2,"tenant":"stad","type":"queued"})";
  EXPECT_EQ(events[1].previous_hash, events[0].hash);
  EXPECT_EQ(events[1].hash, sha256_hex(second));
  EXPECT_EQ(events[1].node, "a");
}

// ADP-502: per tenant, in the order of writing, and it says how far it is sealed.
TEST_P(Chains, SealsEachTenantsEventsInTheOrderOfWriting) {
  append("stad", {event("m1", "received"), event("m1", "verified")});
  append("dorp", {event("m2", "received")});
  append("stad", {event("m3", "received", t0 - 1h)});
  EXPECT_EQ(verdict().unsealed, unsealed(3));
  EXPECT_EQ(verdict().events, 3 - unsealed(3));
  EXPECT_EQ(seal(2), unsealed(2));
  EXPECT_EQ(seal(1000), unsealed(2));
  EXPECT_EQ(seal(1000), 0);
  const auto m3 = get([](auto& tx) { return trail_of(tx, "stad", "m3"); });
  EXPECT_EQ(m3.at(0).event.seq, 3);
  EXPECT_EQ(get([](auto& tx) { return trail_of(tx, "dorp", "m2"); }).at(0).event.seq, 1);
  EXPECT_THAT(get([](auto& tx) { return trail_of(tx, "dorp", "m1"); }), IsEmpty());
  const auto v = verdict();
  EXPECT_EQ(v.events, 3);
  EXPECT_EQ(v.unsealed, 0);
  EXPECT_EQ(v.sealed_until, t0 - 1h);
  EXPECT_EQ(v.first_break, std::nullopt);
  EXPECT_EQ(verdict("leeg").first_break, std::nullopt);
}

TEST_P(Chains, ShowsEventsBeforeTheyAreSealed) {
  append("stad", {event("m1", "received")});
  const auto events = get([](auto& tx) { return trail_of(tx, "stad", "m1"); });
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].event.seq, 1 - unsealed(1));
  EXPECT_EQ(events[0].hash.empty(), unsealed(1) == 1);
}

// What an earlier release left to the sealer is sealed, behind what was written since.
TEST_P(Chains, SealsWhatWasWrittenWithoutAPlace) {
  ten_sealed();
  run("UPDATE trail SET seq = NULL, hash = NULL WHERE seq = 10");
  run("UPDATE chain_heads SET seq = 9, hash = (SELECT hash FROM trail WHERE seq = 9) WHERE chain = 'trail'");
  append("stad", {event("m2", "queued", t0 + 1s)});
  EXPECT_EQ(seal(), 1 + unsealed(1));
  EXPECT_EQ(verdict().first_break, std::nullopt);
  EXPECT_EQ(verdict().events, 11);
}

// ADP-502: the first break is reported.
TEST_P(Chains, FindsAChangedEvent) {
  ten_sealed();
  run("UPDATE trail SET detail = 'nothing happened' WHERE seq = 4");
  EXPECT_EQ(verdict().first_break, 4);
  EXPECT_EQ(verdict().events, 3);
}

TEST_P(Chains, FindsARemovedEvent) {
  ten_sealed();
  run("DELETE FROM trail WHERE seq = 6");
  EXPECT_EQ(verdict().first_break, 6);
}

TEST_P(Chains, FindsARemovedEnd) {
  ten_sealed();
  run("DELETE FROM trail WHERE seq > 8");
  EXPECT_EQ(verdict().first_break, 9);
}

TEST_P(Chains, FindsARemovedBeginning) {
  ten_sealed();
  run("DELETE FROM trail WHERE seq < 3");
  EXPECT_EQ(verdict().first_break, 1);
}

TEST_P(Chains, FindsAnEventThatWasMovedToAnotherTenant) {
  ten_sealed();
  run("UPDATE trail SET tenant = 'dorp' WHERE seq = 10");
  EXPECT_EQ(verdict("stad").first_break, 10);
  EXPECT_NE(verdict("dorp").first_break, std::nullopt);
}

TEST_P(Chains, FindsAnEventPutInByHand) {
  ten_sealed();
  run("INSERT INTO trail (tenant, at, node, message, type, actor, wire_id, peer_oin, peer_address, peer_certificate, code, detail, seq, "
      "hash) "
      "SELECT tenant, at, node, message, type, actor, wire_id, peer_oin, peer_address, peer_certificate, code, detail, 11, hash FROM trail "
      "WHERE seq = 10");
  EXPECT_EQ(verdict().first_break, 11);
}

TEST_P(Chains, TakesOnlyTheClosedListOfTypes) {
  EXPECT_EQ(code_of([&](auto& tx) {
              const auto e = event("m1", "somethingElse");
              return append_trail(tx, "stad", "a", std::span(&e, 1));
            }),
            "storage.failed");
  for (const char* type : {"submitted",
                           "validated",
                           "secured",
                           "queued",
                           "attemptStarted",
                           "attemptSucceeded",
                           "attemptFailed",
                           "acknowledged",
                           "negativelyAcknowledged",
                           "received",
                           "duplicateReceived",
                           "verified",
                           "rejected",
                           "stored",
                           "offered",
                           "offerFailed",
                           "confirmed",
                           "rejectedByApplication",
                           "replied",
                           "forwarded",
                           "converted",
                           "filePublished",
                           "fileAnnounced",
                           "fileFetched",
                           "fileConfirmed",
                           "fileRequested",
                           "fileRangeReceived",
                           "fileVerified",
                           "fileAvailable",
                           "fileFailed",
                           "fileExpired",
                           "fileQuarantined",
                           "fannedOut",
                           "statusChanged",
                           "warned",
                           "orderBlocked",
                           "expired",
                           "deadLettered",
                           "cancelled",
                           "resent",
                           "replayed",
                           "requeued",
                           "released",
                           "held",
                           "markedProcessed",
                           "payloadViewed",
                           "payloadPurged",
                           "archived",
                           "statusRequested",
                           "ping",
                           "pong",
                           "exported"})
    append("stad", {event("m1", type)});
}

TEST_P(Chains, CutsAndCleansTextsFromOutside) {
  TrailEvent e = event("m1", "rejected");
  e.detail = std::string(300, 'x') + "\xff\0" + std::string(400, '\xc3');
  e.detail += "end";
  e.wire_id = std::string("a\0b", 3);
  append("stad", {e});
  ASSERT_EQ(seal(), unsealed(1));
  const auto kept = get([](auto& tx) { return trail_of(tx, "stad", "m1"); }).at(0).event;
  EXPECT_TRUE(is_valid_utf8(kept.detail));
  EXPECT_LE(kept.detail.size(), 300u + 200u * 3u);
  EXPECT_EQ(kept.wire_id,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(verdict().first_break, std::nullopt);
}

// Two nodes write and both try to seal all the time: one chain comes of it.
TEST_P(Chains, TwoNodesThatSealAtOnceMakeOneChain) {
  const auto other = open();
  const auto write_and_seal = [&](sql::Database& node, const char* message) {
    for (int i = 0; i < 40; ++i) {
      commit_in(node, [&](auto& tx) {
        const std::vector<TrailEvent> events = {event(message, "attemptStarted"), event(message, "attemptFailed")};
        ASSERT_TRUE(append_trail(tx, i % 3 ? "stad" : "dorp", "a", events));
      });
      if (i % 4 == 0) commit_in(node, [&](auto& tx) { ASSERT_TRUE(seal_trail(tx, 1000)); });
    }
  };
  std::thread node([&] { write_and_seal(*other, "m2"); });
  write_and_seal(*database, "m1");
  node.join();
  seal();
  EXPECT_EQ(verdict("stad").first_break, std::nullopt);
  EXPECT_EQ(verdict("dorp").first_break, std::nullopt);
  EXPECT_EQ(verdict("stad").events + verdict("dorp").events, 160);
  const auto of_m1 = get([](auto& tx) { return trail_of(tx, "stad", "m1"); });
  EXPECT_TRUE(std::is_sorted(of_m1.begin(), of_m1.end(), [](const auto& a, const auto& b) { return a.event.seq < b.event.seq; }));
}

// SEC-104: the audit log is chained too.
TEST_P(Chains, AuditRecordsAreChainedAndVerified) {
  commit([](auto& tx) {
    for (int i = 0; i < 5; ++i)
      ASSERT_TRUE(append_audit(tx, "stad", "a", t0 + i * 1s, R"({"kind":"tls","result":"refused","number":)" + std::to_string(i) + "}"));
    ASSERT_TRUE(append_audit(tx, "", "a", t0, R"({"kind":"crl"})"));
  });
  EXPECT_THAT(get([](auto& tx) { return audit_events(tx, "stad", 0, 10); }), IsEmpty());
  EXPECT_EQ(get([](auto& tx) { return verify_audit(tx, "stad"); }).unsealed, 5);
  EXPECT_EQ(get([](auto& tx) { return seal_audit(tx, 100); }), 6);
  const auto records = get([](auto& tx) { return audit_events(tx, "stad", 0, 10); });
  ASSERT_THAT(records, SizeIs(5));
  auto second = nlohmann::json::parse(records[1]);
  EXPECT_EQ(second["seq"], 2);
  EXPECT_EQ(second["at"], "2026-03-02T09:15:01.123Z");
  EXPECT_EQ(second["tenant"], "stad");
  EXPECT_EQ(second["number"], 1);
  EXPECT_EQ(second["previousHash"], nlohmann::json::parse(records[0])["hash"]);
  const std::string hash = second["hash"];
  second.erase("hash");
  EXPECT_EQ(hash, sha256_hex(second.dump()));
  const auto page = get([](auto& tx) { return audit_events(tx, "stad", 2, 2); });
  EXPECT_THAT(page, ElementsAre(records[2], records[3]));
  EXPECT_THAT(get([](auto& tx) { return audit_events(tx, "", 0, 10); }), ElementsAre(::testing::Not(HasSubstr("tenant"))));
  EXPECT_EQ(get([](auto& tx) { return verify_audit(tx, "stad"); }).first_break, std::nullopt);
  run("UPDATE audit_log SET record = '{\"kind\":\"tls\",\"result\":\"ok\"}' WHERE seq = 3 AND tenant = 'stad'");
  EXPECT_EQ(get([](auto& tx) { return verify_audit(tx, "stad"); }).first_break, 3);
}

TEST_P(Chains, RefusesAuditRecordsThatAreNoCanonicalObjects) {
  for (const char* record : {"", "[]", "{", "{\"a\":1.5}", "{\"a\":[{\"b\":1e3}]}"})
    EXPECT_EQ(code_of([&](auto& tx) { return append_audit(tx, "stad", "a", t0, record); }), "storage.failed") << record;
}

SCHAKEL_ON_BOTH_DATABASES(Chains);

}  // namespace
}  // namespace schakel::exchange
