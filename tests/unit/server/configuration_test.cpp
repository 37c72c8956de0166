#include "server/configuration.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exchange/commit.hpp"
#include "http/run.hpp"
#include "integration/cpa_document.hpp"
#include "support/database.hpp"
#include "support/pki.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

namespace schakel::server {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const Instant t0 = Instant(std::chrono::seconds(1'800'000'000));

class ConfigurationTest : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(sql::migrate(*database, exchange::migrations()));
  }

  Result<Put> put(const Tenant& tenant) {
    Put done = Put::same;
    const auto committed = database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(done, put_tenant(tx, tenant, t0));
      return {};
    });
    if (!committed) return committed.error();
    return done;
  }
  static Tenant tenant(std::string slug, std::string oin) {
    Tenant tenant;
    tenant.slug = std::move(slug);
    tenant.name = "Gemeente";
    tenant.oins = {std::move(oin)};
    tenant.hosts = {tenant.slug + ".test"};
    return tenant;
  }

  std::string cpa(const std::string& id) {
    const auto certificate = test::pki().tls("00000099000000010000", "Gemeente", {"localhost"}).certificate;
    return integration::CpaDocument({.cpa_id = id}, {"Stad", "00000099000000010000", "Melder", "https://stad.test/ebms", certificate},
                                    {"Register", "00000099000000020000", "Register", "https://register.test/ebms", certificate})
        .text();
  }
  void add_contract(const std::string& tenant, const std::string& name, Bytes document,
                    exchange::ContractState state = exchange::ContractState::active) {
    exchange::Contract contract;
    contract.id = "c-" + name;
    contract.tenant = tenant;
    contract.state = state;
    contract.name = name;
    contract.digest = sha256_hex(document);
    contract.document = std::move(document);
    contract.created_at = contract.changed_at = t0;
    contract.settings = cpa::to_json({});
    const auto added = database->commit([&](sql::Transaction& tx) { return exchange::insert_contract(tx, contract); });
    ASSERT_TRUE(added) << added.error().detail;
  }
  void add_document(const std::string& kind, const std::string& key, std::string body) {
    const exchange::Document document{
        .id = key, .tenant = "stad", .kind = kind, .key = key, .body = std::move(body), .version = 1, .changed_at = t0};
    ASSERT_TRUE(database->commit([&](sql::Transaction& tx) { return exchange::put_document(tx, document); }));
  }
  http::IoThreads io_{1};  // outlives the database (exchange/commit.hpp)

  std::shared_ptr<const Configuration> load() {
    ConfigurationCache cache(*database, silent_log());
    EXPECT_TRUE(cache.load());
    return cache.current();
  }
};

// ADP-200, ADP-201
TEST_P(ConfigurationTest, AnOinBelongsToOneTenantOfAnEnvironment) {
  EXPECT_EQ(*put(tenant("stad", "00000099000000010000")), Put::created);
  EXPECT_EQ(*put(tenant("stad", "00000099000000010000")), Put::same);
  EXPECT_EQ(put(tenant("dorp", "00000099000000010000")).error().code, "oin.inUse");
  auto more = tenant("stad", "00000099000000010000");
  more.oins.push_back("00000099000000020000");
  EXPECT_EQ(*put(more), Put::changed);
  more.environment = "production";
  more.oins = {"00000001000000010000"};
  EXPECT_EQ(put(more).error().code, "tenant.mismatch");
  EXPECT_EQ(put(tenant("Stad", "00000099000000030000")).error().code, "request.invalid");
}

TEST_P(ConfigurationTest, HoldsTheContractsThatCanBeUsed) {
  ASSERT_TRUE(put(tenant("stad", "00000099000000010000")));
  add_contract("stad", "cpa-1", cpa("cpa-1"));
  add_contract("stad", "cpa-draft", cpa("cpa-draft"), exchange::ContractState::draft);
  add_contract("stad", "cpa-broken", "no XML");
  add_contract("elders", "cpa-2", cpa("cpa-2"));
  const auto configuration = load();
  ASSERT_THAT(configuration->contracts->all(), SizeIs(1));
  const auto& contract = configuration->contracts->all()[0];
  EXPECT_EQ(contract.row.name, "cpa-1");
  EXPECT_EQ(contract.own().oin(), "00000099000000010000");
  EXPECT_EQ(contract.partner().oin(), "00000099000000020000");
  EXPECT_EQ(contract.environment, "test");
  EXPECT_THAT(contract.row.document, IsEmpty()) << "the store keeps it";
}

TEST_P(ConfigurationTest, AContractOfWhichBothOrNoPartyIsTheTenantIsLeftOut) {
  auto both = tenant("stad", "00000099000000010000");
  both.oins.push_back("00000099000000020000");
  ASSERT_TRUE(put(both));
  ASSERT_TRUE(put(tenant("dorp", "00000099000000030000")));
  add_contract("stad", "cpa-1", cpa("cpa-1"));
  add_contract("dorp", "cpa-2", cpa("cpa-2"));
  EXPECT_THAT(load()->contracts->all(), IsEmpty());
}

// ADP-204
TEST_P(ConfigurationTest, AServerNameBelongsToATenant) {
  ASSERT_TRUE(put(tenant("stad", "00000099000000010000")));
  const auto configuration = load();
  ASSERT_NE(configuration->tenant_of_host("STAD.test"), nullptr);
  EXPECT_EQ(configuration->tenant_of_host("STAD.test")->slug, "stad");
  EXPECT_EQ(configuration->tenant_of_host("dorp.test"), nullptr);
}

TEST_P(ConfigurationTest, AUrlMappingReplacesTheAddressOfTheContract) {
  ASSERT_TRUE(put(tenant("stad", "00000099000000010000")));
  add_contract("stad", "cpa-1", cpa("cpa-1"));
  add_document("urlMapping", "m-1", R"({"source":"https://register.test/ebms","destination":"https://elders.test/ebms"})");
  add_document("urlMapping", "m-2", "no JSON");
  const auto configuration = load();
  const auto& contract = configuration->contracts->all()[0];
  const auto& partner = contract.partner();
  EXPECT_EQ(configuration->contracts->url(contract, *partner.channel("Register_Action"), partner, "request"), "https://elders.test/ebms");
}

// ADP-413: the table comes with the contracts, one for each tenant; one that cannot be read takes nothing else down
TEST_P(ConfigurationTest, HoldsTheRoutingTables) {
  ASSERT_TRUE(put(tenant("stad", "00000099000000010000")));
  add_document("routes", "current",
               R"({"actor":"x","routes":[{"id":"r","direction":"outbound","match":{"toOin":"00000099000000020000"},)"
               R"("target":{"kind":"intermediary","oin":"00000099000000220000","url":"https://b.test/ebms"}}]})");
  const auto configuration = load();
  const auto* table = configuration->contracts->routing().table("stad");
  ASSERT_NE(table, nullptr);
  EXPECT_TRUE(table->names_intermediary("00000099000000020000", "00000099000000220000", t0));
  EXPECT_EQ(configuration->contracts->routing().all().at("stad").environment, "test");
  EXPECT_FALSE(configuration->contracts->routing().has_transparent());
  add_document("routes", "current", R"({"routes":[{"id":"r"}]})");
  EXPECT_EQ(load()->contracts->routing().table("stad"), nullptr);
}

// CPA-050
TEST_P(ConfigurationTest, IsReadAgainOnlyWhenItChanged) {
  ASSERT_TRUE(put(tenant("stad", "00000099000000010000")));
  ConfigurationCache cache(*database, silent_log());
  ASSERT_TRUE(cache.load());
  const auto refresh = [&] { return boost::asio::co_spawn(io_.executor(), cache.refresh(), boost::asio::use_future).get(); };
  EXPECT_FALSE(*refresh());
  add_contract("stad", "cpa-1", cpa("cpa-1"));
  EXPECT_TRUE(*refresh());
  EXPECT_THAT(cache.current()->contracts->all(), SizeIs(1));
  EXPECT_FALSE(*refresh());
}

SCHAKEL_ON_BOTH_DATABASES(ConfigurationTest);

}  // namespace
}  // namespace schakel::server
