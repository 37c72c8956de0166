// What changes with time: contracts that begin and end by themselves, and the metrics that are looked up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "http/run.hpp"
#include "integration/cpa_document.hpp"
#include "server/configuration.hpp"
#include "server/maintenance.hpp"
#include "server/observation.hpp"
#include "support/database.hpp"
#include "support/pki.hpp"

namespace schakel::server {
namespace {

using namespace std::chrono_literals;
using exchange::ContractState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Instant end = parse_datetime("2034-12-31T23:59:59Z")->instant;  // of integration::CpaDocument

class KeepingTest : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(sql::migrate(*database, exchange::migrations()));
    Tenant tenant;
    tenant.slug = "stad";
    tenant.name = "Stad";
    tenant.oins = {"00000099000000010000"};
    ASSERT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(put_tenant(tx, tenant, clock_.now()));
      return {};
    }));
    take_lease();
    ASSERT_TRUE(ensure_periodic_work(*database, clock_.now()));
  }

  void take_lease() {
    ASSERT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(claimer_, exchange::take_node_lease(tx, "a", clock_.now(), 24h * 365 * 20));
      return {};
    }));
  }
  void add_contract(const std::string& name, ContractState state, const cpa::ContractSettings& settings = {}) {
    const auto certificate = test::pki().tls("00000099000000010000", "Stad", {"localhost"}).certificate;
    exchange::Contract contract;
    contract.id = "c-" + name;
    contract.tenant = "stad";
    contract.state = state;
    contract.name = name;
    contract.document =
        integration::CpaDocument({.cpa_id = name}, {"Stad", "00000099000000010000", "Melder", "https://stad.test/ebms", certificate},
                                 {"Register", "00000099000000020000", "Register", "https://register.test/ebms", certificate})
            .text();
    contract.digest = sha256_hex(contract.document);
    contract.created_at = contract.changed_at = clock_.now();
    contract.settings = cpa::to_json(settings);
    ASSERT_TRUE(database->commit([&](sql::Transaction& tx) { return exchange::insert_contract(tx, contract); }));
  }
  ContractState state(const std::string& name) {
    std::optional<exchange::Contract> contract;
    EXPECT_TRUE(database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(contract, exchange::find_contract(tx, "stad", "c-" + name));
      return {};
    }));
    return contract->state;
  }
  std::shared_ptr<const Configuration> configuration() {
    ConfigurationCache cache(*database, silent_log());
    EXPECT_TRUE(cache.load());
    return cache.current();
  }
  template <class Value>
  Value wait(http::Awaitable<Value> awaitable) {
    return boost::asio::co_spawn(io_.executor(), std::move(awaitable), boost::asio::use_future).get();
  }
  // One turn of the work row; when it is due again.
  Instant keep() {
    ContractKeeping keeping(
        *database, "a", [contracts = configuration()->contracts] { return contracts; },
        [this](std::string tenant, std::string id) -> http::Awaitable<Result<>> {
          activated_.push_back(tenant + "/" + id);
          co_return Result<>();
        },
        clock_, silent_log());
    exchange::Work row;
    EXPECT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::hasten_work(tx, "contract.keep", "contract.keep", clock_.now() - 1s));
      SCHAKEL_TRY(auto rows, exchange::claim_work(tx, claimer_, clock_.now(), 64, 64));
      for (auto& found : rows)
        if (found.kind == "contract.keep") row = std::move(found);
      return {};
    }));
    const auto done = wait(keeping.run(claimer_, row));
    EXPECT_TRUE(done) << done.error().code << done.error().detail;
    Instant due{};
    EXPECT_TRUE(database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto rows, tx.query("SELECT due FROM work WHERE kind = 'contract.keep'"));
      due = rows.at(0).instant(0);
      return {};
    }));
    return due;
  }
  std::vector<std::string> audited() {
    std::vector<std::string> records;
    EXPECT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::seal_audit(tx, 100));
      SCHAKEL_TRY(records, exchange::audit_events(tx, "stad", 0, 100));
      return {};
    }));
    return records;
  }

  test::FixedClock clock_{std::chrono::floor<std::chrono::seconds>(test::start())};
  http::IoThreads io_{1};  // outlives the database (exchange/commit.hpp)
  exchange::Claimer claimer_;
  std::vector<std::string> activated_;
};

// ADP-304: what is in force ends with its agreement; what never was in force stays what it is.
TEST_P(KeepingTest, ContractsExpireWhenTheirAgreementHasEnded) {
  for (const auto& [name, at_first] : {std::pair{"active", ContractState::active},
                                       {"suspended", ContractState::suspended},
                                       {"validated", ContractState::validated},
                                       {"retired", ContractState::retired}})
    add_contract(name, at_first);
  clock_.set(end - 10s);
  EXPECT_EQ(keep(), end + 1ms) << "looks again when the first one ends";
  EXPECT_EQ(state("active"), ContractState::active);
  EXPECT_THAT(audited(), IsEmpty());
  clock_.set(end + 1ms);
  EXPECT_EQ(keep(), end + 1ms + 60s);
  EXPECT_EQ(state("active"), ContractState::expired);
  EXPECT_EQ(state("suspended"), ContractState::expired);
  EXPECT_EQ(state("validated"), ContractState::validated);
  EXPECT_EQ(state("retired"), ContractState::retired);
  EXPECT_THAT(audited(), ElementsAre(HasSubstr("contract.expire"), HasSubstr("contract.expire")));
  // CPA-056: retransmissions of what was exchanged before go on, so it is still loaded.
  EXPECT_EQ(configuration()->contracts->all().size(), 3U);
}

TEST_P(KeepingTest, ContractsAreActivatedAtTheirMoment) {
  cpa::ContractSettings soon, later;
  soon.valid_from = clock_.now() + 20s;
  later.valid_from = clock_.now() + 24h;
  add_contract("soon", ContractState::validated, soon);
  add_contract("later", ContractState::validated, later);
  add_contract("never", ContractState::validated);
  add_contract("already", ContractState::active, soon);
  EXPECT_EQ(keep(), *soon.valid_from);
  EXPECT_THAT(activated_, IsEmpty());
  clock_.set(*soon.valid_from);
  keep();
  EXPECT_THAT(activated_, ElementsAre("stad/c-soon"));
}

// adapter.md 2.8
TEST_P(KeepingTest, MetricsShowWhatIsOpen) {
  add_contract("cpa-1", ContractState::active);
  add_contract("cpa-2", ContractState::suspended);
  exchange::Message message;
  message.id = "m-1";
  message.tenant = "stad";
  message.direction = exchange::Direction::outbound;
  message.state = exchange::State::queued;
  message.message_id = "m-1@stad.test";
  message.created_at = clock_.now();
  auto ended = message;
  ended.id = "m-2";
  ended.message_id = "m-2@stad.test";
  ended.state = exchange::State::delivered;
  ended.final_at = clock_.now();
  ASSERT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(exchange::insert_message(tx, message, {}));
    return exchange::insert_message(tx, ended, {});
  }));
  Metrics shown;
  const auto observed = wait(observe(*database, clock_.now(), 15s));
  ASSERT_TRUE(observed) << observed.error().detail;
  show(shown, *observed);
  const Identities none;
  show_expiry(shown, none, *configuration()->contracts, end - 100s);
  const auto text = shown.text();
  EXPECT_THAT(text, HasSubstr("schakel_messages_in_state{direction=\"outbound\",state=\"QUEUED\",tenant=\"stad\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("DELIVERED")));
  EXPECT_THAT(text, HasSubstr("schakel_work_due{kind=\"contract.keep\"} 1"));
  EXPECT_THAT(text, HasSubstr("schakel_cluster_nodes 1"));
  EXPECT_THAT(text, HasSubstr("schakel_contract_expiry_seconds{contract=\"c-cpa-1\",tenant=\"stad\"} 100"));
  EXPECT_THAT(text, Not(HasSubstr("c-cpa-2")));
}

SCHAKEL_ON_BOTH_DATABASES(KeepingTest);

}  // namespace
}  // namespace schakel::server
