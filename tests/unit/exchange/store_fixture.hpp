// The store on a migrated, empty database of either kind.
#pragma once

#include <gmock/gmock.h>

#include "base/random.hpp"
#include "exchange/store.hpp"
#include "support/database.hpp"

namespace schakel::exchange {

using namespace std::chrono_literals;

// 2026-03-02T09:15:00.123456Z
inline const Instant t0 = Instant(Duration(1'772'442'900'123'456));

class StoreTest : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const auto migrated = sql::migrate(*database, migrations());
    ASSERT_TRUE(migrated) << migrated.error().detail;
  }

  // Runs `body` in a unit of its own. What `body` returns as an error fails the test.
  template <class Body>
  void commit(Body body) {
    commit_in(*database, std::move(body));
  }
  template <class Body>
  static void commit_in(sql::Database& node, Body body) {
    const auto done = node.commit([&](sql::Transaction& tx) -> Result<> {
      body(tx);
      return {};
    });
    ASSERT_TRUE(done) << done.error().code << ": " << done.error().detail;
  }

  // The value of one store function in a unit of its own.
  template <class Body>
  auto get(Body body) {
    return get_in(*database, std::move(body));
  }
  template <class Body>
  static auto get_in(sql::Database& node, Body body) {
    using Value = typename std::invoke_result_t<Body, sql::Transaction&>::value_type;
    std::optional<Value> value;
    const auto done = node.commit([&](sql::Transaction& tx) -> Result<> {
      auto result = body(tx);
      if (!result) return result.error();
      value = std::move(*result);
      return {};
    });
    EXPECT_TRUE(done) << done.error().code << ": " << done.error().detail;
    return value ? std::move(*value) : Value();
  }

  // The code of the error that a unit ends with; "done" when it has none.
  template <class Body>
  std::string code_of(Body body) {
    const auto done = database->commit([&](sql::Transaction& tx) -> Result<> {
      auto result = body(tx);
      if (!result) return result.error();
      return {};
    });
    return done ? "done" : done.error().code;
  }

  std::int64_t rows_in(const char* table) {
    return get([&](auto& tx) -> Result<std::int64_t> {
      SCHAKEL_TRY(const sql::Rows rows, tx.query(std::string("SELECT count(*) FROM ") + table));
      return rows[0].integer(0);
    });
  }

  std::string id(Instant at = t0) { return uuid_v7(random, at); }

  Message message(std::string tenant = "stad", Direction direction = Direction::outbound) {
    Message m;
    m.id = id();
    m.tenant = std::move(tenant);
    m.direction = direction;
    m.state = direction == Direction::outbound ? State::queued : State::received;
    m.contract_id = "c-17";
    m.message_id = m.id + "@dk.example";
    m.conversation_id = "zaak-1";
    m.created_at = t0;
    return m;
  }

  SystemRandom random;
};

}  // namespace schakel::exchange
