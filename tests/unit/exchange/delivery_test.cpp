#include "exchange/delivery.hpp"

#include "support/database.hpp"

namespace schakel::exchange {
namespace {

using namespace std::chrono_literals;

const Instant t0 = Instant(1'772'442'900'000'000us);

class Delivery : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(sql::migrate(*database, migrations()));
  }

  template <class Value>
  Value in_unit(const std::function<Result<Value>(sql::Transaction&)>& body) {
    std::optional<Value> out;
    const auto done = database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(out, body(tx));
      return {};
    });
    EXPECT_TRUE(done) << done.error().code << ": " << done.error().detail;
    return out.value_or(Value());
  }
  void commit(const std::function<Result<>(sql::Transaction&)>& body) {
    const auto done = database->commit(body);
    ASSERT_TRUE(done) << done.error().code << ": " << done.error().detail;
  }

  std::vector<Lease> take(Instant now, Duration length = 60s, std::int64_t limit = 10) {
    return in_unit<std::vector<Lease>>([&](sql::Transaction& tx) {
      return lease(tx, "stad", "default", now, now + length, limit, [&] { return "r" + std::to_string(++receipts_); });
    });
  }
  static std::vector<std::string> messages(const std::vector<Lease>& leases) {
    std::vector<std::string> out;
    for (const auto& one : leases) out.push_back(one.message);
    return out;
  }

 private:
  int receipts_ = 0;
};

// ADP-104
TEST_P(Delivery, AQueueGivesEachMessageToOneConsumerInOrderOfArrival) {
  commit([](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(enqueue(tx, "stad", "default", "m2", t0 + 1s));
    SCHAKEL_CHECK(enqueue(tx, "stad", "default", "m1", t0));
    SCHAKEL_CHECK(enqueue(tx, "stad", "other", "m3", t0));
    return enqueue(tx, "dorp", "default", "m4", t0);
  });
  EXPECT_EQ(messages(take(t0 + 2s, 60s, 1)), (std::vector<std::string>{"m1"}));
  EXPECT_EQ(messages(take(t0 + 2s)), (std::vector<std::string>{"m2"}));
  EXPECT_TRUE(take(t0 + 2s).empty());
}

TEST_P(Delivery, ALeaseThatRunsOutIsTakenAgainWithAnotherReceipt) {
  commit([](sql::Transaction& tx) { return enqueue(tx, "stad", "default", "m1", t0); });
  const auto first = take(t0, 60s);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].deliveries, 1);
  EXPECT_TRUE(take(t0 + 59s).empty());
  const auto second = take(t0 + 60s);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].deliveries, 2);
  const auto held = [&](const std::string& receipt) {
    return in_unit<std::optional<Lease>>([&](sql::Transaction& tx) { return find_lease(tx, "stad", "default", receipt); });
  };
  EXPECT_FALSE(held(first[0].receipt));
  ASSERT_TRUE(held(second[0].receipt));
  EXPECT_EQ(held(second[0].receipt)->until, t0 + 120s);
  EXPECT_FALSE(in_unit<std::optional<Lease>>([&](sql::Transaction& tx) { return find_lease(tx, "dorp", "default", second[0].receipt); }));
}

TEST_P(Delivery, ALeaseCanBeExtendedAndEnded) {
  commit([](sql::Transaction& tx) { return enqueue(tx, "stad", "default", "m1", t0); });
  const auto receipt = take(t0).at(0).receipt;
  commit([&](sql::Transaction& tx) { return extend_lease(tx, "stad", "default", receipt, t0 + 300s); });
  EXPECT_TRUE(take(t0 + 299s).empty());
  commit([&](sql::Transaction& tx) { return end_lease(tx, "stad", "default", receipt, t0 + 310s); });
  EXPECT_TRUE(take(t0 + 305s).empty());
  EXPECT_EQ(take(t0 + 310s).at(0).deliveries, 2);
}

TEST_P(Delivery, WhatIsAvailableIsSeenBeforeItIsTaken) {
  const auto waits = [&](Instant now) {
    return in_unit<bool>([&](sql::Transaction& tx) { return has_available(tx, "stad", "default", now); });
  };
  EXPECT_FALSE(waits(t0));
  commit([](sql::Transaction& tx) { return enqueue(tx, "stad", "default", "m1", t0 + 5s); });
  EXPECT_FALSE(waits(t0));
  EXPECT_TRUE(waits(t0 + 5s));
  commit([](sql::Transaction& tx) { return dequeue(tx, "dorp", "m1"); });
  EXPECT_TRUE(waits(t0 + 5s)) << "another tenant cannot take it out";
  commit([](sql::Transaction& tx) { return dequeue(tx, "stad", "m1"); });
  EXPECT_FALSE(waits(t0 + 5s));
}

// EB-214
TEST_P(Delivery, TheEventsOfAMessageComeInTheOrderTheyWereWritten) {
  commit([](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(insert_event(tx, {"z", "stad", "m1", "message.received", t0, "{}"}));
    SCHAKEL_CHECK(insert_event(tx, {"a", "stad", "m1", "message.warning", t0, "{}"}));
    SCHAKEL_CHECK(insert_event(tx, {"b", "stad", "m2", "message.received", t0, "{}"}));
    return insert_event(tx, {"c", "dorp", "m1", "message.received", t0, "{}"});
  });
  const auto types = [&] {
    std::vector<std::string> out;
    for (const auto& event : in_unit<std::vector<ApplicationEvent>>([](sql::Transaction& tx) { return events_of(tx, "stad", "m1"); }))
      out.push_back(event.type);
    return out;
  };
  EXPECT_EQ(types(), (std::vector<std::string>{"message.received", "message.warning"}));
  commit([](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(mark_event_processed(tx, "stad", "z"));
    return {};
  });
  EXPECT_EQ(types(), (std::vector<std::string>{"message.warning"}));
}

TEST_P(Delivery, TheWorkAboutASubjectIsFoundClaimedOrNot) {
  const auto found = in_unit<std::vector<Work>>([](sql::Transaction& tx) -> Result<std::vector<Work>> {
    Work work;
    work.tenant = "stad";
    work.due = t0;
    work.parameters = "{}";
    for (const auto& [id, kind, subject] :
         {std::tuple("1", "webhook.call", "m1"), std::tuple("2", "ebms.send", "m1"), std::tuple("3", "webhook.call", "m2")}) {
      work.id = id;
      work.kind = kind;
      work.subject = subject;
      SCHAKEL_CHECK(add_work(tx, work));
    }
    SCHAKEL_TRY(const auto claimer, take_node_lease(tx, "a", t0));
    SCHAKEL_CHECK(claim_work(tx, claimer, t0, 10, 10));
    return work_of(tx, "webhook.call", "m1");
  });
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, "1");
}

SCHAKEL_ON_BOTH_DATABASES(Delivery);

}  // namespace
}  // namespace schakel::exchange
