#include "exchange/maintenance.hpp"

#include "exchange/backoff.hpp"
#include "exchange/blob.hpp"
#include "store_fixture.hpp"

namespace schakel::exchange {
namespace {

using std::chrono::days;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Maintenance : public StoreTest {
 protected:
  // A message with one payload that became final when it was made.
  Message finished(State state, Instant at = t0) {
    Message m = message("stad", state == State::processed ? Direction::inbound : Direction::outbound);
    m.state = state;
    m.created_at = at;
    if (is_final(state)) m.final_at = at;
    const Payload payload{m.id, 0, "c", "text/plain", "", 1, "", "blob-" + m.id, false};
    commit([&](auto& tx) {
      ASSERT_TRUE(write_chunk(tx, payload.blob, 0, "x", at));
      ASSERT_TRUE(insert_message(tx, m, std::span(&payload, 1)));
    });
    return m;
  }
  bool has_payload(const Message& m) {
    const auto payloads = get([&](auto& tx) { return payloads_of(tx, m.id); });
    return !payloads.empty() && !payloads[0].purged && !get([&](auto& tx) { return read_chunk(tx, "blob-" + m.id, 0); }).empty();
  }
  std::int64_t purge_payloads_at(Instant now, std::int64_t limit = 100) {
    return get([&](auto& tx) { return purge_expired_payloads(tx, "stad", "a", Retention(), now, limit); });
  }
};

// EB-217, ADP-904: 7 days after success, 30 days after failure, never before the message is final.
TEST_P(Maintenance, PayloadsGoWhenTheirStateAllows) {
  const Message delivered = finished(State::delivered), processed = finished(State::processed), failed = finished(State::failed),
                dead = finished(State::dead), held = finished(State::held);
  EXPECT_EQ(purge_payloads_at(t0 + days(7)), 0);
  EXPECT_EQ(purge_payloads_at(t0 + days(7) + 1s, 1), 1);
  EXPECT_EQ(purge_payloads_at(t0 + days(7) + 1s), 1);
  EXPECT_EQ(purge_payloads_at(t0 + days(30)), 0);
  EXPECT_FALSE(has_payload(delivered));
  EXPECT_FALSE(has_payload(processed));
  EXPECT_TRUE(has_payload(failed));
  EXPECT_EQ(purge_payloads_at(t0 + days(30) + 1s), 1);
  EXPECT_FALSE(has_payload(failed));
  EXPECT_EQ(purge_payloads_at(t0 + days(4000)), 0);
  EXPECT_TRUE(has_payload(dead));
  EXPECT_TRUE(has_payload(held));
  const auto trail = get([&](auto& tx) { return trail_of(tx, "stad", failed.id); });
  ASSERT_THAT(trail, SizeIs(1));
  EXPECT_EQ(trail[0].event.type, "payloadPurged");
  EXPECT_TRUE(get([&](auto& tx) { return find_message(tx, "stad", failed.id); })) << "the descriptor stays";
}

// EB-217: a tenant that wants failed payloads away sooner than others gets that, and no more.
TEST_P(Maintenance, EachKindOfStateHasItsOwnTerm) {
  const Message delivered = finished(State::delivered), failed = finished(State::expired);
  Retention short_for_failures;
  short_for_failures.payload_failed = days(1);
  EXPECT_EQ(get([&](auto& tx) { return purge_expired_payloads(tx, "stad", "a", short_for_failures, t0 + days(2), 10); }), 1);
  EXPECT_TRUE(has_payload(delivered));
  EXPECT_FALSE(has_payload(failed));
}

// EB-217: the option to delete payloads once they were processed or delivered is a term of nothing; what is not final keeps its own.
TEST_P(Maintenance, WithATermOfNothingPayloadsGoAsSoonAsTheirMessageIsFinal) {
  const Message delivered = finished(State::delivered), processed = finished(State::processed), failed = finished(State::failed),
                dead = finished(State::dead);
  Retention none;
  none.payload = Duration(0);
  EXPECT_EQ(get([&](auto& tx) { return purge_expired_payloads(tx, "stad", "a", none, t0 + 1s, 10); }), 2);
  EXPECT_FALSE(has_payload(delivered));
  EXPECT_FALSE(has_payload(processed));
  EXPECT_TRUE(has_payload(failed));
  EXPECT_TRUE(has_payload(dead));
}

// EB-107, EB-217: duplicate keys outlive payload and message.
TEST_P(Maintenance, MessageIdsOutliveTheirPayloads) {
  const Message m = finished(State::processed);
  const DuplicateKey key = {"stad", "c", "p", m.message_id};
  commit([&](auto& tx) { ASSERT_TRUE(take_duplicate_key(tx, key, {m.id, "", "ack"}, t0 + days(5000))); });
  EXPECT_EQ(purge_payloads_at(t0 + days(8)), 1);
  EXPECT_EQ(get([](auto& tx) { return purge_messages(tx, "stad", Retention(), t0 + days(400), 10); }), 1);
  EXPECT_FALSE(get([&](auto& tx) { return find_message(tx, "stad", m.id); }));
  EXPECT_EQ(get([&](auto& tx) { return take_duplicate_key(tx, key, {"new", "", ""}, t0); })->response, "ack");
}

TEST_P(Maintenance, MessagesGoAfterThirteenMonthsUnlessSomethingNeedsThem) {
  const Message old = finished(State::delivered), young = finished(State::delivered, t0 + days(100)), open_one = finished(State::sent),
                noticed = finished(State::failed);
  const ApplicationEvent event = {id(), "stad", noticed.id, "message.failed", t0, "{}"};
  commit([&](auto& tx) { ASSERT_TRUE(insert_event(tx, event)); });
  const auto purge = [&] { return get([](auto& tx) { return purge_messages(tx, "stad", Retention(), t0 + days(397), 10); }); };
  EXPECT_EQ(get([](auto& tx) { return purge_messages(tx, "stad", Retention(), t0 + days(396), 10); }), 0);
  EXPECT_EQ(purge(), 1);
  EXPECT_FALSE(get([&](auto& tx) { return find_message(tx, "stad", old.id); }));
  EXPECT_TRUE(get([&](auto& tx) { return read_chunk(tx, "blob-" + old.id, 0); }).empty());
  EXPECT_TRUE(get([&](auto& tx) { return find_message(tx, "stad", young.id); }));
  EXPECT_TRUE(get([&](auto& tx) { return find_message(tx, "stad", open_one.id); }));
  EXPECT_EQ(purge(), 0) << "EB-214: the application has not seen the event";
  commit([&](auto& tx) { ASSERT_TRUE(mark_event_processed(tx, "stad", event.id)); });
  EXPECT_EQ(purge(), 1);
  EXPECT_EQ(get([](auto& tx) { return purge_processed_events(tx, t0 + days(30), 10); }), 0);
  EXPECT_EQ(get([](auto& tx) { return purge_processed_events(tx, t0 + days(30) + 1s, 10); }), 1);
}

TEST_P(Maintenance, ATenantCannotSetLessThanTheMinimum) {
  finished(State::delivered);
  Retention none;
  none.trail = Duration(0);
  EXPECT_EQ(get([&](auto& tx) { return purge_messages(tx, "stad", none, t0 + days(30), 10); }), 0);
  EXPECT_EQ(get([&](auto& tx) { return purge_messages(tx, "stad", none, t0 + days(31), 10); }), 1);
}

// ADP-502 with ADP-904: a chain whose beginning retention took away still verifies, and still shows what is removed otherwise.
TEST_P(Maintenance, AShortenedChainStillVerifies) {
  commit([](auto& tx) {
    for (int i = 0; i < 10; ++i) {
      TrailEvent e;
      e.message = "m1";
      e.type = "queued";
      e.at = t0 + days(i);
      ASSERT_TRUE(append_trail(tx, "stad", "a", std::span(&e, 1)));
      ASSERT_TRUE(append_audit(tx, "stad", "a", t0 + days(i), "{}"));
    }
  });
  const auto trail = [&](Instant now, std::int64_t limit) {
    return get([&](auto& tx) { return purge_trail(tx, "stad", Retention(), now, limit); });
  };
  EXPECT_EQ(trail(t0 + days(1), 3), 0);
  if (database->is_postgres()) {
    EXPECT_EQ(trail(t0 + days(500), 3), 0) << "what is not sealed stays";
  }
  commit([&](auto& tx) {
    ASSERT_EQ(seal_trail(tx, 100).value(), database->is_postgres() ? 10 : 0);
    ASSERT_EQ(seal_audit(tx, 100).value(), 10);
  });
  EXPECT_EQ(trail(t0 + days(400), 3), 3);
  EXPECT_EQ(trail(t0 + days(400), 3), 1);
  EXPECT_EQ(trail(t0 + days(400), 3), 0);
  const auto verdict = get([](auto& tx) { return verify_trail(tx, "stad"); });
  EXPECT_EQ(verdict.first_break, std::nullopt);
  EXPECT_EQ(verdict.events, 6);
  const auto left = get([](auto& tx) { return trail_of(tx, "stad", "m1"); });
  EXPECT_EQ(left.at(0).hash, sha256_hex(canonical_trail_event("stad", left[0]))) << "with the kept hash of the event before it";
  EXPECT_EQ(get([](auto& tx) { return purge_audit(tx, "stad", Retention(), t0 + days(7 * 365 + 2 + 4), 100); }), 4);
  EXPECT_EQ(get([](auto& tx) { return verify_audit(tx, "stad"); }).first_break, std::nullopt);
  EXPECT_THAT(get([](auto& tx) { return audit_events(tx, "stad", 0, 100); }), SizeIs(6));
  commit([](auto& tx) { ASSERT_TRUE(tx.execute("DELETE FROM trail WHERE seq = 5")); });
  EXPECT_EQ(get([](auto& tx) { return verify_trail(tx, "stad"); }).first_break, 5);
}

// ADP-102: 24 h, or until the message is final.
TEST_P(Maintenance, IdempotencyKeysStayWhileTheirMessageIsUnderWay) {
  Message m = finished(State::sent);
  commit([&](auto& tx) {
    for (const char* key : {"of-message", "of-nothing"}) ASSERT_TRUE(take_idempotency_key(tx, "stad", key, "/api/v1/messages", "h", t0));
    ASSERT_TRUE(store_answer(tx, "stad", "of-message", "/api/v1/messages", {"h", 202, "/api/v1/messages/" + m.id, "{}"}));
  });
  const auto purge = [&](Instant now) { return get([&](auto& tx) { return purge_idempotency_keys(tx, now, 10); }); };
  EXPECT_EQ(purge(t0 + 24h), 0);
  EXPECT_EQ(purge(t0 + 25h), 1);
  EXPECT_EQ(rows_in("idempotency_keys"), 1);
  m.state = State::delivered;
  m.final_at = t0 + 26h;
  commit([&](auto& tx) { ASSERT_TRUE(update_message(tx, m)); });
  EXPECT_EQ(purge(t0 + 27h), 1);
}

SCHAKEL_ON_BOTH_DATABASES(Maintenance);

// Always the given octet: below() then gives the lowest or some high number.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(unsigned char octet) : octet_(octet) {}
  void fill(std::span<unsigned char> out) override { std::fill(out.begin(), out.end(), octet_); }

 private:
  unsigned char octet_;
};

std::vector<std::int64_t> seconds_of(RetryPolicy policy, int failures) {
  FixedRandom lowest(0);
  std::vector<std::int64_t> delays;
  for (int i = 1; i <= failures; ++i) {
    const auto delay = delay_after(policy, i, lowest);
    delays.push_back(delay ? std::chrono::duration_cast<std::chrono::milliseconds>(*delay).count() : -1);
  }
  for (auto& delay : delays)
    if (delay >= 0) delay /= 1000;
  return delays;
}

using Delays = std::vector<std::int64_t>;

// EB-113, ADP-107 and the retry table of README section 7. Jitter that goes both ways is at its lowest here.
TEST(BackOff, FollowsTheTable) {
  EXPECT_EQ(seconds_of(RetryPolicy::signal, 4), (Delays{60, 300, 900, -1}));
  EXPECT_EQ(seconds_of(RetryPolicy::webhook, 10), (Delays{5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, -1}));
  EXPECT_EQ(seconds_of(RetryPolicy::dai, 6), (Delays{5, 30, 120, 600, 1800, 1800}));
  EXPECT_EQ(seconds_of(RetryPolicy::event, 8), (Delays{13, 54, 216, 864, 3456, 13824, 19440, 19440}));
  EXPECT_EQ(seconds_of(RetryPolicy::fsc_distribution, 11), (Delays{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}));
  EXPECT_EQ(seconds_of(RetryPolicy::file_slow, 6), (Delays{48, 240, 720, 1440, 2880, 2880}));
  EXPECT_EQ(seconds_of(RetryPolicy::file_fast, 6), (Delays{0, 4, 12, 24, 48, 48}));
  EXPECT_EQ(seconds_of(RetryPolicy::report, 8), (Delays{60, 120, 240, 480, 960, 1920, 3600, 3600}));
  EXPECT_EQ(seconds_of(RetryPolicy::crl, 6), (Delays{60, 120, 240, 480, 900, 900}));
  EXPECT_EQ(seconds_of(RetryPolicy::oin_register, 7), (Delays{30, 60, 120, 240, 480, 900, 900}));
  EXPECT_EQ(seconds_of(RetryPolicy::mail, 5), (Delays{60, 300, 900, 3600, 3600}));
  EXPECT_EQ(seconds_of(RetryPolicy::wus_idempotent, 3), (Delays{1, 5, -1}));
}

TEST(BackOff, JitterStaysWithinItsBounds) {
  SystemRandom random;
  bool differs = false;
  for (int i = 0; i < 1000; ++i) {
    const auto webhook = *delay_after(RetryPolicy::webhook, 2, random);
    EXPECT_GE(webhook, 300s);
    EXPECT_LE(webhook, 360s);
    const auto event = *delay_after(RetryPolicy::event, 2, random);
    EXPECT_GE(event, 54s);
    EXPECT_LE(event, 66s);
    const auto file = *delay_after(RetryPolicy::file_slow, 1, random);
    EXPECT_GE(file, 48s);
    EXPECT_LE(file, 72s);
    differs = differs || webhook != *delay_after(RetryPolicy::webhook, 2, random);
  }
  EXPECT_TRUE(differs);
}

// EB-103: 1 + Retries attempts in all.
TEST(BackOff, AReliableMessageHasItsRetriesAndNoMore) {
  EXPECT_EQ(reliable_delay(3h, 1, 2), Duration(3h));
  EXPECT_EQ(reliable_delay(3h, 2, 2), Duration(3h));
  EXPECT_EQ(reliable_delay(3h, 3, 2), std::nullopt);
  EXPECT_EQ(reliable_delay(3h, 1, 0), std::nullopt);
}

TEST(BackOff, RetryAfterLengthensUpToItsCap) {
  EXPECT_EQ(honour_retry_after(10s, std::nullopt), Duration(10s));
  EXPECT_EQ(honour_retry_after(10s, Duration(5s)), Duration(10s));
  EXPECT_EQ(honour_retry_after(10s, Duration(60s)), Duration(60s));
  EXPECT_EQ(honour_retry_after(10s, Duration(100h)), Duration(24h));
  EXPECT_EQ(honour_retry_after(10s, Duration(1h), fsc_retry_after_max), Duration(300s));
  EXPECT_EQ(honour_retry_after(48h, Duration(100h)), Duration(48h));
}

}  // namespace
}  // namespace schakel::exchange
