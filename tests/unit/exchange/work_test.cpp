#include <thread>

#include "store_fixture.hpp"

namespace schakel::exchange {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class WorkTable : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    node = get([](auto& tx) { return take_node_lease(tx, "a", t0); });
  }

  Work work(std::string destination, Instant due = t0, std::string tenant = "stad") {
    return {id(), std::move(tenant), "ebms.send", "m-" + std::to_string(++made_), std::move(destination), due, 0, "{}"};
  }
  void add(const std::vector<Work>& rows) {
    commit([&](auto& tx) {
      for (const Work& w : rows) ASSERT_TRUE(add_work(tx, w));
    });
  }
  std::vector<Work> claim(Instant now = t0, std::int64_t limit = 64, std::int64_t per_destination = 8) {
    return get([&](auto& tx) { return claim_work(tx, node, now, limit, per_destination); });
  }
  static std::map<std::string, int> by_destination(const std::vector<Work>& rows) {
    std::map<std::string, int> counts;
    for (const Work& w : rows) ++counts[w.destination];
    return counts;
  }
  void outcome(const char* destination, bool ok, Instant now) {
    commit([&](auto& tx) { ASSERT_TRUE(record_outcome(tx, destination, ok, now)); });
  }

  Claimer node;

 private:
  int made_ = 0;
};

TEST_P(WorkTable, GivesDueRowsOldestFirstAndOnlyOnce) {
  const Work late = work("x", t0 - 1s), early = work("y", t0 - 2s), future = work("z", t0 + 1us);
  add({late, early, future});
  const auto claimed = claim();
  ASSERT_THAT(claimed, SizeIs(2));
  EXPECT_EQ(claimed[0].id, early.id);
  EXPECT_EQ(claimed[0].subject, early.subject);
  EXPECT_EQ(claimed[0].tenant, "stad");
  EXPECT_EQ(claimed[0].parameters, "{}");
  EXPECT_EQ(claimed[0].due, early.due);
  EXPECT_FALSE(claimed[0].probe);
  EXPECT_EQ(claimed[1].id, late.id);
  EXPECT_THAT(claim(), IsEmpty());
  EXPECT_THAT(claim(t0 + 1us), SizeIs(1));
}

TEST_P(WorkTable, TakesNoMoreThanTheLimit) {
  std::vector<Work> rows;
  for (int i = 0; i < 20; ++i) rows.push_back(work("d" + std::to_string(i)));
  add(rows);
  EXPECT_THAT(claim(t0, 7), SizeIs(7));
  EXPECT_THAT(claim(t0, 64), SizeIs(13));
}

TEST_P(WorkTable, HoldsAtMostItsCapOfOneDestination) {
  std::vector<Work> rows;
  for (int i = 0; i < 20; ++i) rows.push_back(work("slow"));
  add(rows);
  const auto first = claim(t0, 64, 8);
  EXPECT_THAT(first, SizeIs(8));
  EXPECT_THAT(claim(t0, 64, 8), IsEmpty()) << "eight are under way";
  commit([&](auto& tx) { ASSERT_TRUE(finish_work(tx, node, first[0].id)); });
  EXPECT_THAT(claim(t0, 64, 8), SizeIs(1));
}

TEST_P(WorkTable, LocalWorkHasNoCap) {
  std::vector<Work> rows;
  for (int i = 0; i < 50; ++i) rows.push_back(work(""));
  add(rows);
  EXPECT_THAT(claim(t0, 64, 8), SizeIs(50));
}

// The design's promise: one dead destination never delays another (ADP-210 for tenants).
TEST_P(WorkTable, TenThousandRowsToADeadDestinationDelayNobody) {
  commit([&](auto& tx) {
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(add_work(tx, work("dead", t0 - 1h)));
  });
  add({work("alive-1"), work("alive-2"), work("alive-1", t0, "dorp")});
  const auto start = std::chrono::steady_clock::now();
  const auto claimed = claim(t0, 64, 8);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1s);
  EXPECT_EQ(by_destination(claimed), (std::map<std::string, int>{{"dead", 8}, {"alive-1", 2}, {"alive-2", 1}}));
  add({work("alive-1")});
  EXPECT_EQ(by_destination(claim(t0, 64, 8)), (std::map<std::string, int>{{"alive-1", 1}})) << "the dead one is at its cap";
}

// ADP-210
TEST_P(WorkTable, ATenantWithManyDestinationsLeavesRoomForOneWithFew) {
  std::vector<Work> rows;
  for (int i = 0; i < 200; ++i) rows.push_back(work("d" + std::to_string(i), t0 - 1h, "flood"));
  rows.push_back(work("x", t0, "small"));
  add(rows);
  const auto claimed = claim(t0, 10);
  EXPECT_EQ(std::count_if(claimed.begin(), claimed.end(), [](const Work& w) { return w.tenant == "small"; }), 1);
  EXPECT_THAT(claimed, SizeIs(10));
}

TEST_P(WorkTable, ShortLanesLeaveTheirShareToLongOnes) {
  std::vector<Work> rows = {work("b"), work("c")};
  for (int i = 0; i < 30; ++i) rows.push_back(work("a"));
  add(rows);
  EXPECT_EQ(by_destination(claim(t0, 20, 30)), (std::map<std::string, int>{{"a", 18}, {"b", 1}, {"c", 1}}));
}

TEST_P(WorkTable, PutsARowBackWithANewTime) {
  add({work("x")});
  Work w = claim().at(0);
  w.due = t0 + 1h;
  w.attempts = 1;
  w.parameters = "{\"a\":1}";
  w.destination = "y";
  commit([&](auto& tx) { ASSERT_TRUE(reschedule_work(tx, node, w)); });
  EXPECT_EQ(get([](auto& tx) { return next_due(tx); }), t0 + 1h);
  EXPECT_THAT(claim(), IsEmpty());
  // The lease must live on while an hour passes.
  const Claimer later = get([](auto& tx) { return take_node_lease(tx, "b", t0 + 1h); });
  const auto again = get([&](auto& tx) { return claim_work(tx, later, t0 + 1h, 64, 8); });
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].attempts, 1);
  EXPECT_EQ(again[0].parameters, "{\"a\":1}");
  EXPECT_EQ(again[0].destination, "y");
}

TEST_P(WorkTable, CancelsAndHastensWhatNobodyHolds) {
  const Work held = work("x"), waiting = work("x", t0 + 1h);
  add({held, waiting});
  ASSERT_THAT(claim(), SizeIs(1));
  commit([&](auto& tx) {
    EXPECT_TRUE(cancel_work(tx, "ebms.send", held.subject));
    EXPECT_FALSE(hasten_work(tx, "ebms.send", held.subject, t0).value());
    EXPECT_FALSE(hasten_work(tx, "message.offer", waiting.subject, t0).value());
    EXPECT_TRUE(hasten_work(tx, "ebms.send", waiting.subject, t0).value());
  });
  EXPECT_EQ(rows_in("work"), 2) << "the claimed row is its claimer's";
  commit([&](auto& tx) { EXPECT_TRUE(cancel_work(tx, "ebms.send", waiting.subject)); });
  EXPECT_EQ(rows_in("work"), 1);
}

TEST_P(WorkTable, SaysWhenToLookAgain) {
  const auto next = [&] { return get([](auto& tx) { return next_due(tx); }); };
  EXPECT_EQ(next(), std::nullopt);
  add({work("x", t0 + 2h), work("y", t0 + 1h), work("", t0 + 3h)});
  EXPECT_EQ(next(), t0 + 1h);
  for (int i = 0; i < 5; ++i) outcome("y", false, t0 + 90min);
  EXPECT_EQ(next(), t0 + 90min + 60s) << "when the circuit of y has its probe";
}

// adapter.md 3.11, EB-221: what a node that was given up still does, does not count.
TEST_P(WorkTable, ARowTakenOverIsLostForItsFormerClaimer) {
  add({work("x")});
  const Work w = claim().at(0);
  const Claimer other = get([](auto& tx) { return take_node_lease(tx, "b", t0 + 16s); });
  const auto taken_over = get([&](auto& tx) { return claim_work(tx, other, t0 + 16s, 64, 8); });
  ASSERT_THAT(taken_over, SizeIs(1)) << "the lease of node a ended after 15 s";
  EXPECT_EQ(code_of([&](auto& tx) { return finish_work(tx, node, w.id); }), "work.lost");
  EXPECT_EQ(code_of([&](auto& tx) { return reschedule_work(tx, node, w); }), "work.lost");
  EXPECT_EQ(code_of([&](auto& tx) { return renew_node_lease(tx, node, t0 + 16s); }), "node.leaseLost");
  EXPECT_EQ(code_of([&](auto& tx) { return claim_work(tx, node, t0 + 16s, 64, 8); }), "node.leaseLost");
  EXPECT_EQ(code_of([&](auto& tx) { return finish_work(tx, other, w.id); }), "done");
}

TEST_P(WorkTable, ANodeThatRenewsKeepsWhatItHolds) {
  add({work("x")});
  const Work w = claim().at(0);
  for (auto now = t0 + 5s; now < t0 + 60s; now += 5s) commit([&](auto& tx) { ASSERT_TRUE(renew_node_lease(tx, node, now)); });
  const Claimer other = get([](auto& tx) { return take_node_lease(tx, "b", t0 + 60s); });
  EXPECT_THAT(get([&](auto& tx) { return claim_work(tx, other, t0 + 60s, 64, 8); }), IsEmpty());
  EXPECT_EQ(code_of([&](auto& tx) { return finish_work(tx, node, w.id); }), "done");
}

// adapter.md 3.11.1: cluster.lease says when a node is dead, for its name and for what it holds.
TEST_P(WorkTable, ALeaseLastsAsLongAsItsNodesWereTold) {
  add({work("x")});
  const Claimer patient = get([](auto& tx) { return take_node_lease(tx, "p", t0, 60s); });
  ASSERT_THAT(get([&](auto& tx) { return claim_work(tx, patient, t0, 64, 8); }), SizeIs(1));
  EXPECT_EQ(code_of([&](auto& tx) { return check_node_lease(tx, patient, t0 + 59s); }), "done");
  EXPECT_EQ(code_of([&](auto& tx) { return renew_node_lease(tx, patient, t0 + 61s); }), "node.leaseLost");
  EXPECT_EQ(code_of([](auto& tx) { return take_node_lease(tx, "p", t0 + 59s, 60s); }), "node.nameInUse");
  const Claimer early = get([](auto& tx) { return take_node_lease(tx, "q", t0 + 59s, 60s); });
  EXPECT_THAT(get([&](auto& tx) { return claim_work(tx, early, t0 + 59s, 64, 8); }), IsEmpty()) << "p may still live";
  EXPECT_EQ(get([](auto& tx) { return count_live_nodes(tx, t0 + 59s, 60s); }), 3);
  EXPECT_EQ(get([](auto& tx) { return count_live_nodes(tx, t0 + 59s, 15s); }), 1);
  commit([&](auto& tx) { ASSERT_TRUE(renew_node_lease(tx, early, t0 + 61s)); });
  EXPECT_THAT(get([&](auto& tx) { return claim_work(tx, early, t0 + 61s, 64, 8); }), SizeIs(1));
}

// adapter.md 2.8, work_due
TEST_P(WorkTable, DueWorkIsCountedByKindWithoutWhatIsClaimedOrLater) {
  add({work("x"), work("y")});
  auto later = work("z");
  later.due = t0 + 1h;
  add({later});
  const auto due = [&](Instant when) {
    std::int64_t rows = 0;
    for (const auto& count : get([&](auto& tx) { return count_due_work(tx, when); })) rows += count.rows;
    return rows;
  };
  EXPECT_EQ(due(t0), 2);
  EXPECT_EQ(due(t0 + 1h), 3);
  ASSERT_THAT(claim(), SizeIs(2));
  EXPECT_EQ(due(t0 + 1h), 1);
}

TEST_P(WorkTable, ANameHasOneProcessAndEachLifeItsOwnEpoch) {
  EXPECT_EQ(code_of([](auto& tx) { return take_node_lease(tx, "a", t0 + 14s); }), "node.nameInUse");
  const Claimer second = get([](auto& tx) { return take_node_lease(tx, "a", t0 + 16s); });
  EXPECT_GT(second.epoch, node.epoch);
  commit([&](auto& tx) { ASSERT_TRUE(release_node_lease(tx, second)); });
  EXPECT_THAT(get([](auto& tx) { return nodes(tx); }), IsEmpty());
  const Claimer third = get([](auto& tx) { return take_node_lease(tx, "a", t0 + 17s); });
  EXPECT_GT(third.epoch, second.epoch) << "an epoch never comes back";
}

TEST_P(WorkTable, AnEarlierLifeOfANodeHoldsNothing) {
  add({work("x")});
  ASSERT_THAT(claim(), SizeIs(1));
  node = get([](auto& tx) { return take_node_lease(tx, "a", t0 + 16s); });
  EXPECT_THAT(claim(t0 + 16s), SizeIs(1));
  EXPECT_EQ(get([](auto& tx) { return release_claims_of(tx, "a", 99); }), 1);
  EXPECT_THAT(claim(t0 + 16s), SizeIs(1));
  commit([&](auto& tx) { ASSERT_TRUE(release_node_lease(tx, node)); });
  const Claimer other = get([](auto& tx) { return take_node_lease(tx, "b", t0 + 16s); });
  EXPECT_THAT(get([&](auto& tx) { return claim_work(tx, other, t0 + 16s, 64, 8); }), SizeIs(1));
}

TEST_P(WorkTable, ListsNodesAndMarksThemDraining) {
  commit([](auto& tx) {
    EXPECT_TRUE(set_draining(tx, "a", true).value());
    EXPECT_FALSE(set_draining(tx, "nobody", true).value());
  });
  const auto listed = get([](auto& tx) { return nodes(tx); });
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].name, "a");
  EXPECT_EQ(listed[0].heartbeat_at, t0);
  EXPECT_TRUE(listed[0].draining);
}

// ADP-704: five transport failures in a row open the circuit; then one row each 60 s probes it; a success closes it.
TEST_P(WorkTable, AnOpenCircuitIsProbedEachMinute) {
  std::vector<Work> rows;
  for (int i = 0; i < 10; ++i) rows.push_back(work("down"));
  rows.push_back(work("up"));
  add(rows);
  for (int i = 0; i < 4; ++i) outcome("down", false, t0);
  outcome("down", true, t0);
  for (int i = 0; i < 4; ++i) outcome("down", false, t0);
  EXPECT_EQ(get([](auto& tx) { return circuits(tx); }).at(0).open_until, std::nullopt) << "a success between them starts the count anew";
  outcome("down", false, t0);
  EXPECT_EQ(get([](auto& tx) { return circuits(tx); }).at(0).open_until, t0 + 60s);

  EXPECT_EQ(by_destination(claim(t0)), (std::map<std::string, int>{{"up", 1}}));
  auto now = t0;
  const auto pass = [&](Duration time) {
    for (const auto until = now + time; now < until;) {
      now += 5s;
      commit([&](auto& tx) { ASSERT_TRUE(renew_node_lease(tx, node, now)); });
    }
  };
  pass(60s);
  const auto probe = claim(now);
  ASSERT_THAT(probe, SizeIs(1));
  EXPECT_EQ(probe[0].destination, "down");
  EXPECT_TRUE(probe[0].probe);
  EXPECT_THAT(claim(now), IsEmpty()) << "one probe a minute";
  outcome("down", false, now);
  pass(55s);
  EXPECT_THAT(claim(now), IsEmpty());
  pass(5s);
  EXPECT_THAT(claim(now), SizeIs(1));
  outcome("down", true, now);
  EXPECT_EQ(claim(now).size(), 6u) << "closed: up to the cap of 8, two are under way";
  EXPECT_THAT(get([](auto& tx) { return circuits(tx); }), IsEmpty());
}

// ADP-704, adapter.md acceptance 24: 30 minutes down with 1 000 messages costs at most 35 attempts.
TEST_P(WorkTable, ThirtyMinutesDownCostAtMostThirtyFiveProbes) {
  commit([&](auto& tx) {
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(add_work(tx, work("down")));
  });
  int attempts = 0;
  for (auto now = t0; now < t0 + 30min; now += 5s) {
    commit([&](auto& tx) {
      ASSERT_TRUE(renew_node_lease(tx, node, now));
      for (Work& w : claim_work(tx, node, now, 64, 1).value()) {
        ++attempts;
        w.due = now;
        ASSERT_TRUE(record_outcome(tx, "down", false, now));
        ASSERT_TRUE(reschedule_work(tx, node, w));
      }
    });
  }
  EXPECT_LE(attempts, 35);
  EXPECT_GE(attempts, 30);
  EXPECT_EQ(rows_in("work"), 1000);
}

TEST_P(WorkTable, OneOfTheTenantsOfADestinationGetsTheProbe) {
  add({work("down", t0, "stad"), work("down", t0, "dorp")});
  for (int i = 0; i < 5; ++i) outcome("down", false, t0 - 61s);
  EXPECT_THAT(claim(t0), SizeIs(1));
}

// EB-221, ADP-901: nodes that claim at the same time never get the same row, and together they get all.
TEST_P(WorkTable, TwoNodesNeverClaimTheSameRow) {
  commit([&](auto& tx) {
    for (int i = 0; i < 400; ++i) ASSERT_TRUE(add_work(tx, work("d" + std::to_string(i % 7))));
  });
  const auto other = open();
  const Claimer second = get([](auto& tx) { return take_node_lease(tx, "b", t0); });
  std::mutex mutex;
  std::map<std::string, int> times;
  const auto work_off = [&](sql::Database& db, const Claimer& claimer) {
    for (int empty = 0; empty < 20;) {
      const auto claimed = get_in(db, [&](auto& tx) { return claim_work(tx, claimer, t0, 16, 4); });
      empty = claimed.empty() ? empty + 1 : 0;
      for (const Work& w : claimed) {
        {
          const std::lock_guard lock(mutex);
          ++times[w.id];
        }
        commit_in(db, [&](auto& tx) { ASSERT_TRUE(finish_work(tx, claimer, w.id)); });
      }
    }
  };
  std::thread thread([&] { work_off(*other, second); });
  work_off(*database, node);
  thread.join();
  EXPECT_THAT(times, SizeIs(400));
  for (const auto& [id, count] : times) EXPECT_EQ(count, 1) << id;
  EXPECT_EQ(rows_in("work"), 0);
}

SCHAKEL_ON_BOTH_DATABASES(WorkTable);

}  // namespace
}  // namespace schakel::exchange
