// Duplicate keys, application events, contracts, documents, idempotency keys: small tables with promises.
#include <latch>
#include <thread>

#include "store_fixture.hpp"

namespace schakel::exchange {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Records : public StoreTest {
 protected:
  Contract contract() {
    Contract c;
    c.id = id();
    c.tenant = "stad";
    c.name = "cpa-1";
    c.state = ContractState::validated;
    c.document = std::string("\xEF\xBB\xBF<?xml?>\r\n<cpa/>\0", 18);
    c.digest = sha256_hex(c.document);
    c.created_at = c.changed_at = t0;
    c.settings = "{}";
    return c;
  }
  ApplicationEvent event(std::string message, std::string type) {
    return {id(), "stad", std::move(message), std::move(type), t0, R"({"code":"x"})"};
  }
  Document document(std::string key, std::string body) { return {id(), "stad", "urlMapping", std::move(key), std::move(body), 0, t0}; }
};

const DuplicateKey key = {"stad", "cpa-1", "urn:osb:oin:00000099000000010000", "m1@partner"};

// EB-107: the key is (tenant, CPAId, sender, MessageId).
TEST_P(Records, ADuplicateKeyIsTakenOnceAndGivesTheFirstAnswer) {
  const auto take = [&](const DuplicateKey& k, const FirstAnswer& a) {
    return get([&](auto& tx) { return take_duplicate_key(tx, k, a, t0 + 240h); });
  };
  EXPECT_EQ(take(key, {"msg-1", sha256("h"), ""}), std::nullopt);
  commit([](auto& tx) { ASSERT_TRUE(set_first_answer(tx, key, std::string("<ack\0/>", 7))); });
  const auto first = take(key, {"msg-2", sha256("other"), "other"});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->message, "msg-1");
  EXPECT_EQ(first->header_hash, sha256("h"));
  EXPECT_EQ(first->response, std::string("<ack\0/>", 7)) << "octet-identical";
  for (auto change : {&DuplicateKey::tenant, &DuplicateKey::cpa_id, &DuplicateKey::from_party, &DuplicateKey::message_id}) {
    DuplicateKey other = key;
    other.*change += "x";
    EXPECT_EQ(take(other, {id(), "", "with answer"}), std::nullopt);
    EXPECT_EQ(take(other, {id(), "", ""})->response, "with answer");
  }
  EXPECT_EQ(code_of([](auto& tx) { return set_first_answer(tx, {"stad", "cpa-1", "x", "unknown"}, "y"); }), "storage.failed");
}

// EB-107: kept until its time and not longer, also across a restart.
TEST_P(Records, DuplicateKeysAreKeptUntilTheirTime) {
  for (int i = 0; i < 5; ++i) {
    DuplicateKey k = key;
    k.message_id += std::to_string(i);
    commit([&](auto& tx) { ASSERT_TRUE(take_duplicate_key(tx, k, {id(), "", "answer"}, t0 + i * 1h)); });
  }
  database = open();
  EXPECT_EQ(get([](auto& tx) { return purge_duplicate_keys(tx, t0 + 150min, 2); }), 2);
  EXPECT_EQ(get([](auto& tx) { return purge_duplicate_keys(tx, t0 + 150min, 2); }), 1);
  EXPECT_EQ(get([](auto& tx) { return purge_duplicate_keys(tx, t0 + 150min, 2); }), 0);
  EXPECT_EQ(rows_in("duplicate_keys"), 2);
  EXPECT_EQ(rows_in("first_answers"), 2);
}

// EB-221: two nodes that receive the same message at once: one delivery, both get the same acknowledgement.
TEST_P(Records, TwoNodesThatTakeOneKeyAgreeOnTheFirstAnswer) {
  const auto other = open();
  for (int round = 0; round < 20; ++round) {
    DuplicateKey k = key;
    k.message_id += std::to_string(round);
    std::atomic<int> firsts{0};
    std::vector<std::string> answers(8);
    std::latch done(8);
    for (std::size_t i = 0; i < 8; ++i) {
      auto first = std::make_shared<bool>();
      (i % 2 ? *other : *database)
          .submit(
              [&, i, first](sql::Transaction& tx) -> Result<> {
                const std::string ours = "ack-" + std::to_string(i);
                SCHAKEL_TRY(const auto taken, take_duplicate_key(tx, k, {ours, "", ""}, t0 + 240h));
                *first = !taken;
                answers[i] = taken ? taken->response : ours;
                return *first ? set_first_answer(tx, k, ours) : Result<>();
              },
              [&, first](Result<> result) {
                EXPECT_TRUE(result) << result.error().detail;
                firsts += *first;
                done.count_down();
              });
    }
    done.wait();
    ASSERT_EQ(firsts, 1);
    for (const auto& answer : answers) ASSERT_EQ(answer, answers[0]);
  }
}

// EB-214: kept until marked processed, in order for each message.
TEST_P(Records, EventsWaitInOrderUntilTheyAreProcessed) {
  const std::vector<ApplicationEvent> events = {event("m1", "message.received"), event("m2", "message.failed"),
                                                event("m1", "message.expired")};
  commit([&](auto& tx) {
    for (const auto& e : events) ASSERT_TRUE(insert_event(tx, e));
  });
  const auto ids = [&](std::int64_t limit) {
    std::vector<std::string> found;
    for (const auto& e : get([&](auto& tx) { return unprocessed_events(tx, "stad", limit); })) found.push_back(e.id);
    return found;
  };
  EXPECT_THAT(ids(10), ElementsAre(events[0].id, events[1].id, events[2].id));
  EXPECT_THAT(ids(1), ElementsAre(events[0].id));
  EXPECT_FALSE(get([&](auto& tx) { return mark_event_processed(tx, "dorp", events[0].id); }));
  EXPECT_TRUE(get([&](auto& tx) { return mark_event_processed(tx, "stad", events[0].id); }));
  EXPECT_FALSE(get([&](auto& tx) { return mark_event_processed(tx, "stad", events[0].id); }));
  EXPECT_THAT(ids(10), ElementsAre(events[1].id, events[2].id));
  const auto found = get([&](auto& tx) { return find_event(tx, "stad", events[1].id); });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->type, "message.failed");
  EXPECT_EQ(found->message, "m2");
  EXPECT_EQ(found->at, t0);
  EXPECT_EQ(found->data, R"({"code":"x"})");
  EXPECT_FALSE(get([&](auto& tx) { return find_event(tx, "dorp", events[1].id); }));
}

// EB-214: written in the transaction of the state change, or not at all.
TEST_P(Records, AnEventOfAUnitThatFailsIsNotThere) {
  EXPECT_EQ(code_of([&](auto& tx) -> Result<> {
              SCHAKEL_CHECK(insert_event(tx, event("m1", "message.failed")));
              return fail("message.refused", "no");
            }),
            "message.refused");
  EXPECT_EQ(rows_in("events"), 0);
}

// CPA-005: the document is kept exactly as received.
TEST_P(Records, ContractsKeepTheirDocumentOctetForOctet) {
  const Contract c = contract();
  commit([&](auto& tx) { ASSERT_TRUE(insert_contract(tx, c)); });
  const auto found = get([&](auto& tx) { return find_contract(tx, "stad", c.id); });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->document, c.document);
  EXPECT_EQ(found->digest, c.digest);
  EXPECT_EQ(found->state, ContractState::validated);
  EXPECT_EQ(found->version, 1);
  EXPECT_EQ(found->created_at, t0);
  EXPECT_EQ(found->retired_at, std::nullopt);
  EXPECT_FALSE(get([&](auto& tx) { return find_contract(tx, "dorp", c.id); }));
  EXPECT_EQ(get([&](auto& tx) { return find_contract_by_name(tx, "stad", "cpa", "cpa-1"); })->id, c.id);
  EXPECT_FALSE(get([&](auto& tx) { return find_contract_by_name(tx, "stad", "wsdl", "cpa-1"); }));
  EXPECT_THAT(get([&](auto& tx) { return all_contracts(tx, "cpa"); }), SizeIs(1));
}

TEST_P(Records, ANameIsUniqueWithinTenantAndKind) {
  const Contract c = contract();
  commit([&](auto& tx) { ASSERT_TRUE(insert_contract(tx, c)); });
  EXPECT_EQ(code_of([&](auto& tx) { return insert_contract(tx, contract()); }), "storage.conflict");
  Contract theirs = contract();
  theirs.tenant = "dorp";
  EXPECT_EQ(code_of([&](auto& tx) { return insert_contract(tx, theirs); }), "done");
}

TEST_P(Records, AChangedContractGetsAVersionAndKeepsItsFormerDocument) {
  Contract c = contract();
  commit([&](auto& tx) { ASSERT_TRUE(insert_contract(tx, c)); });
  c.state = ContractState::active;
  commit([&](auto& tx) { ASSERT_TRUE(update_contract(tx, c)); });
  EXPECT_EQ(get([&](auto& tx) { return contract_history_count(tx, "stad", c.id); }), 0) << "the same document";
  EXPECT_EQ(code_of([&](auto& tx) { return update_contract(tx, c); }), "version.conflict") << "the version that was read is gone";
  c.version = 2;
  c.document = "<cpa2/>";
  c.digest = sha256_hex(c.document);
  c.retired_at = t0 + 1h;
  commit([&](auto& tx) { ASSERT_TRUE(update_contract(tx, c)); });
  EXPECT_EQ(get([&](auto& tx) { return contract_history_count(tx, "stad", c.id); }), 1);
  const auto found = get([&](auto& tx) { return find_contract(tx, "stad", c.id); });
  EXPECT_EQ(found->version, 3);
  EXPECT_EQ(found->document, "<cpa2/>");
  EXPECT_EQ(found->retired_at, t0 + 1h);
  commit([&](auto& tx) { ASSERT_TRUE(delete_contract(tx, "stad", c.id)); });
  EXPECT_FALSE(get([&](auto& tx) { return find_contract(tx, "stad", c.id); }));
  EXPECT_EQ(get([&](auto& tx) { return contract_history_count(tx, "stad", c.id); }), 0);
}

// CPA-050: every change of configuration moves the version counter that the nodes poll; another node sees it.
TEST_P(Records, EveryChangeOfConfigurationIsSeenByOtherNodes) {
  const auto other = open();
  std::int64_t last = get([](auto& tx) { return configuration_version(tx); });
  const auto grew = [&] {
    std::int64_t now = 0;
    EXPECT_TRUE(other->read([&](auto& tx) -> Result<> {
      SCHAKEL_TRY(now, configuration_version(tx));
      return {};
    }));
    const bool more = now > last;
    last = now;
    return more;
  };
  Contract c = contract();
  const Document d = document("a", "{}");
  EXPECT_FALSE(grew());
  commit([&](auto& tx) { ASSERT_TRUE(insert_contract(tx, c)); });
  EXPECT_TRUE(grew());
  commit([&](auto& tx) { ASSERT_TRUE(update_contract(tx, c)); });
  EXPECT_TRUE(grew());
  commit([&](auto& tx) { ASSERT_TRUE(delete_contract(tx, "stad", c.id)); });
  EXPECT_TRUE(grew());
  commit([&](auto& tx) { ASSERT_TRUE(put_document(tx, d)); });
  EXPECT_TRUE(grew());
  EXPECT_TRUE(get([&](auto& tx) { return delete_document(tx, "stad", "urlMapping", d.id); }));
  EXPECT_TRUE(grew());
  EXPECT_FALSE(get([&](auto& tx) { return delete_document(tx, "stad", "urlMapping", d.id); }));
  EXPECT_FALSE(grew());
}

TEST_P(Records, DocumentsArePutByTheirKey) {
  const Document first = document("b", "1"), again = document("b", "2"), other = document("a", "3");
  commit([&](auto& tx) {
    for (const Document& d : {first, again, other}) ASSERT_TRUE(put_document(tx, d));
  });
  const auto found = get([&](auto& tx) { return find_document(tx, "stad", "urlMapping", first.id); });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->body, "2");
  EXPECT_EQ(found->version, 2);
  EXPECT_EQ(found->key, "b");
  EXPECT_FALSE(get([&](auto& tx) { return find_document(tx, "stad", "urlMapping", again.id); })) << "the row keeps its id";
  EXPECT_THAT(get([](auto& tx) { return documents(tx, "stad", "urlMapping"); }), SizeIs(2));
  EXPECT_THAT(get([](auto& tx) { return documents(tx, "dorp", "urlMapping"); }), IsEmpty());
  EXPECT_THAT(get([](auto& tx) { return documents(tx, "stad", "webhook"); }), IsEmpty());
  EXPECT_THAT(get([](auto& tx) { return all_documents(tx, "urlMapping"); }), SizeIs(2));
}

// ADP-102: scope tenant + key + path; the stored answer comes again.
TEST_P(Records, AnIdempotencyKeyGivesTheStoredAnswerAgain) {
  const auto take = [&](const char* tenant, const char* k, const char* path) {
    return get([&](auto& tx) { return take_idempotency_key(tx, tenant, k, path, "hash", t0); });
  };
  EXPECT_EQ(take("stad", "k", "/messages"), std::nullopt);
  const auto running = take("stad", "k", "/messages");
  ASSERT_TRUE(running);
  EXPECT_EQ(running->status, 0) << "the first request still runs";
  EXPECT_EQ(running->body_sha256, "hash");
  commit([](auto& tx) { ASSERT_TRUE(store_answer(tx, "stad", "k", "/messages", {"hash", 202, "/api/v1/messages/1", "{}"})); });
  const auto stored = take("stad", "k", "/messages");
  EXPECT_EQ(stored->status, 202);
  EXPECT_EQ(stored->location, "/api/v1/messages/1");
  EXPECT_EQ(stored->body, "{}");
  EXPECT_EQ(take("dorp", "k", "/messages"), std::nullopt);
  EXPECT_EQ(take("stad", "k", "/other"), std::nullopt);
  EXPECT_EQ(take("stad", "l", "/messages"), std::nullopt);
  EXPECT_EQ(code_of([](auto& tx) { return store_answer(tx, "stad", "none", "/messages", {}); }), "storage.failed");
}

// ADP-102, adapter.md acceptance 4: of 20 parallel requests with one key one is the first, on two nodes.
TEST_P(Records, OfParallelRequestsWithOneKeyOneIsTheFirst) {
  const auto other = open();
  std::atomic<int> firsts{0};
  std::latch done(20);
  for (int i = 0; i < 20; ++i) {
    auto first = std::make_shared<bool>();
    (i % 2 ? *other : *database)
        .submit(
            [first](sql::Transaction& tx) -> Result<> {
              SCHAKEL_TRY(const auto taken, take_idempotency_key(tx, "stad", "k", "/messages", "hash", t0));
              *first = !taken;
              return {};
            },
            [&, first](Result<> result) {
              EXPECT_TRUE(result);
              firsts += *first;
              done.count_down();
            });
  }
  done.wait();
  EXPECT_EQ(firsts, 1);
}

SCHAKEL_ON_BOTH_DATABASES(Records);

}  // namespace
}  // namespace schakel::exchange
