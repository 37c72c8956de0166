#include "wus/service_contract.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/database.hpp"
#include "support/wus_sample_service.hpp"
#include "wus/service_store.hpp"

namespace schakel::wus {
namespace {

using namespace schakel::testing;
using exchange::Contract;
using exchange::ContractState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Json = nlohmann::json;

const Instant now = parse_datetime("2026-03-02T12:00:00Z").value().instant;
constexpr const char* requester = "00000001800000001000";

Json provider_terms() {
  return {{"role", "provider"},
          {"ownOin", "00000001800000002000"},
          {"profile", "2W-be-SE"},
          {"path", "/wus/inschrijving/v1"},
          {"backend", {{"url", "http://127.0.0.1:9000/"}}},
          {"operations", {{{"name", "vraagInschrijving"}, {"idempotent", true}}}},
          {"grants", {{{"oin", requester}, {"operations", {"vraagInschrijving"}}}, {{"oin", "00000001800000003000"}}}}};
}
Json consumer_terms() {
  return {{"role", "consumer"}, {"ownOin", requester}, {"profile", "2W-be"}, {"partner", {{"oin", "00000001800000002000"}}}};
}
JudgedService judged(const Json& terms, const Bundle& bundle = sample_bundle()) {
  return judge_service(bundle, terms.dump(), {now});
}
std::vector<std::string> faults_of(const JudgedService& service) {
  std::vector<std::string> out;
  for (const auto& fault : service.faults) out.push_back(fault.location);
  return out;
}

// A service as if it were loaded.
std::shared_ptr<ServiceContract> loaded(std::string id, std::string tenant, std::string path, ContractState state = ContractState::active) {
  auto out = std::make_shared<ServiceContract>();
  out->id = id;
  out->name = "naam-" + id;
  out->tenant = std::move(tenant);
  out->path = std::move(path);
  out->state = state;
  return out;
}

// adapter.md 2.5
TEST(Services, KnowTheLogicalAddressOfASender) {
  ServiceContract service;
  service.grants = {
      {.oin = "1", .operations = {"a"}}, {.oin = "1", .operations = {"b"}, .dai_address = "urn:x"}, {.oin = "2", .operations = {}}};
  EXPECT_EQ(service.dai_address_of("1"), "urn:x");
  EXPECT_EQ(service.dai_address_of("2"), "");
  EXPECT_EQ(service.dai_address_of("3"), "");
}

// WUS-241, ADP-204
TEST(Services, AreFoundByPathWithinTheTenant) {
  const Services services({loaded("1", "t", "/wus/a"), loaded("2", "u", "/wus/a"), loaded("3", "u", "/wus/b"),
                           loaded("4", "t", "/wus/c", ContractState::suspended)});
  EXPECT_EQ(services.at_path("/wus/a", "t")->id, "1");
  EXPECT_EQ(services.at_path("/wus/a", "u")->id, "2");
  EXPECT_EQ(services.at_path("/wus/a", ""), nullptr) << "two tenants have it";
  EXPECT_EQ(services.at_path("/wus/b", "")->id, "3");
  EXPECT_EQ(services.at_path("/wus/b", "t"), nullptr);
  EXPECT_EQ(services.at_path("/wus/A", "t"), nullptr);
  EXPECT_EQ(services.at_path("/wus/c", "t"), nullptr) << "it is not active";
  EXPECT_EQ(services.find("t", "4")->path, "/wus/c");
  EXPECT_EQ(services.find("u", "4"), nullptr);
  EXPECT_EQ(services.by_name("t", "naam-1")->id, "1");
  EXPECT_EQ(services.by_name("u", "naam-1"), nullptr);
  EXPECT_EQ(services.all().size(), 4U);
}

// WUS-284: the address of a party behind a reverse proxy, with the OIN that it named.
TEST(Services, ShowAFromAddressAsTheTableSays) {
  ServiceContract service;
  service.from_addresses = {{"http://intern.example:80/a", "https://buiten.example/a"}};
  EXPECT_EQ(service.shown_from("http://Intern.example/a?oin=00000001800000001000"), "https://buiten.example/a?OIN=00000001800000001000");
  EXPECT_EQ(service.shown_from("http://intern.example/a"), "https://buiten.example/a");
  EXPECT_EQ(service.shown_from("http://intern.example/b"), "http://intern.example/b");
  EXPECT_EQ(service.shown_from(""), "");
}

// ADP-300, ADP-301: what the terms say is judged beside what the WSDL says.
TEST(JudgeService, FindsTermsThatTheDescriptionRefuses) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  EXPECT_FALSE(judged(provider_terms()).refused());
  EXPECT_FALSE(judged(consumer_terms()).refused()) << "the WSDL has an address";
  auto terms = provider_terms();
  terms["operations"][0]["name"] = "onbekend";
  terms["grants"][0]["operations"][0] = "onbekend";
  EXPECT_THAT(faults_of(judged(terms)), ElementsAre("/operations", "/grants/0/operations"));
  const auto nowhere = with_edit(binding_wsdl, "<soap:address location=\"https://wus.aanbieder.example/diensten/inschrijving/v1\"/>", "");
  EXPECT_THAT(faults_of(judged(provider_terms(), nowhere)), ElementsAre("/addresses"));
  EXPECT_THAT(faults_of(judged(consumer_terms(), nowhere)), ElementsAre("/partner/endpoint"));
  terms = provider_terms();
  terms["addresses"] = {"https://elders.example/x"};
  EXPECT_FALSE(judged(terms, nowhere).refused());
}

class ServiceStore : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    SCHAKEL_NEEDS_WUS_STANDARDS();
    const auto migrated = sql::migrate(*database, exchange::migrations());
    ASSERT_TRUE(migrated) << migrated.error().detail;
  }

  template <class T>
  Result<T> in_transaction(std::function<Result<T>(sql::Transaction&)> body) {
    std::optional<Result<T>> out;
    const auto done = database->commit([&](sql::Transaction& tx) -> Result<> {
      out = body(tx);
      if (!*out) return out->error();
      return {};
    });
    if (!done) return done.error();
    return *std::move(out);
  }
  Result<PutService> put(const JudgedService& service, std::string name = "", bool overwrite = false, std::string tenant = "t") {
    return in_transaction<PutService>([&](sql::Transaction& tx) { return put_service(tx, tenant, name, service, overwrite, random, now); });
  }
  using Move = Result<Contract> (*)(sql::Transaction&, std::string_view, std::string_view, std::int64_t, Instant);
  Result<Contract> move(Move step, const std::string& id, std::int64_t version = 0, std::string tenant = "t") {
    return in_transaction<Contract>([&](sql::Transaction& tx) { return step(tx, tenant, id, version, now); });
  }
  Contract stored(const std::string& id) {
    return in_transaction<std::optional<Contract>>([&](sql::Transaction& tx) { return exchange::find_contract(tx, "t", id); })
        .value()
        .value();
  }

  SystemRandom random;
};

// ADP-301, ADP-302: what was uploaded and said is what runs.
TEST_P(ServiceStore, MakesAProviderOfWhatIsStored) {
  const auto put_one = put(judged(provider_terms()));
  ASSERT_TRUE(put_one) << put_one.error().detail;
  EXPECT_EQ(put_one->outcome, PutOutcome::created);
  const auto row = stored(put_one->contract.id);
  EXPECT_EQ(row.kind, "wsdl");
  EXPECT_EQ(row.state, ContractState::validated);
  EXPECT_EQ(row.name, "InschrijvingService_v1");
  EXPECT_EQ(row.digest, sha256_hex(row.document));
  const auto made = make_service(row, nullptr);
  ASSERT_TRUE(made) << made.error().detail;
  const auto& service = **made;
  EXPECT_EQ(service.bundle, sample_bundle());
  EXPECT_EQ(service.own_oin, "00000001800000002000");
  EXPECT_EQ(service.settings.profile, Profile::be_se);
  EXPECT_EQ(service.path, "/wus/inschrijving/v1");
  EXPECT_THAT(service.addresses, ElementsAre("https://wus.aanbieder.example/diensten/inschrijving/v1")) << "of the WSDL";
  EXPECT_EQ(service.backend_url, "http://127.0.0.1:9000/");
  ASSERT_NE(service.schema, nullptr);

  // WUS-044
  const auto* ask = service.operation("vraagInschrijving");
  ASSERT_NE(ask, nullptr);
  EXPECT_TRUE(ask->idempotent);
  EXPECT_EQ(service.by_action(ask->input_action), ask);
  EXPECT_EQ(service.by_action(ask->output_action), nullptr);
  EXPECT_EQ(service.by_element(data_namespace, "vraagInschrijving"), ask);
  EXPECT_EQ(service.by_element("", "vraagInschrijving"), nullptr);
  const auto* report = service.operation("meldWijziging");
  ASSERT_NE(report, nullptr);
  EXPECT_FALSE(report->idempotent);

  // WUS-243: per sender and operation
  EXPECT_TRUE(service.grants_to(requester, ask));
  EXPECT_FALSE(service.grants_to(requester, report));
  EXPECT_TRUE(service.grants_to(requester, nullptr));
  EXPECT_TRUE(service.grants_to("00000001800000003000", report)) << "all operations";
  EXPECT_FALSE(service.grants_to("00000001800000004000", nullptr));
}

// WUS-260
TEST_P(ServiceStore, MakesAConsumerOfWhatIsStored) {
  const auto put_one = put(judged(consumer_terms()), "aanroep");
  ASSERT_TRUE(put_one) << put_one.error().detail;
  const auto made = make_service(stored(put_one->contract.id), nullptr);
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_EQ((*made)->name, "aanroep");
  EXPECT_EQ((*made)->role, Role::consumer);
  EXPECT_EQ((*made)->endpoint, "https://wus.aanbieder.example/diensten/inschrijving/v1") << "of the WSDL";
  EXPECT_EQ((*made)->partner_oin, "00000001800000002000");
}

// CPA-051 for services: the same documents are the same contract.
TEST_P(ServiceStore, ReplacesOnlyWhenAsked) {
  const auto first = put(judged(provider_terms()));
  EXPECT_EQ(put(judged(provider_terms()))->outcome, PutOutcome::unchanged);
  const auto changed = judged(provider_terms(), with_edit(binding_wsdl, "MTOM: optional.", "MTOM: off."));
  EXPECT_EQ(put(changed).error().code, "state.conflict");
  const auto replaced = put(changed, "", true);
  ASSERT_TRUE(replaced) << replaced.error().detail;
  EXPECT_EQ(replaced->outcome, PutOutcome::replaced);
  EXPECT_EQ(replaced->contract.id, first->contract.id);
  EXPECT_EQ(stored(first->contract.id).digest, changed.digest);
  EXPECT_EQ(put(judged(provider_terms()), "", false, "u")->outcome, PutOutcome::created) << "another tenant";
}

// WUS-040: errors block.
TEST_P(ServiceStore, StoresNothingThatIsRefused) {
  const auto wrong = put(judged(provider_terms(), with_edit(binding_wsdl, "style=\"document\"", "style=\"rpc\"")));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, "contract.invalid");
  EXPECT_EQ(wrong.error().detail, "the service is refused: WW001");
  auto terms = provider_terms();
  terms["path"] = "/elders";
  EXPECT_EQ(put(judged(terms)).error().detail, "the service is refused: /path");
}

// ADP-304
TEST_P(ServiceStore, MovesThroughItsStates) {
  const auto id = put(judged(provider_terms()))->contract.id;
  EXPECT_EQ(move(suspend_service, id).error().code, "state.conflict");
  EXPECT_EQ(move(activate_service, id, 7).error().code, "version.conflict");
  EXPECT_EQ(move(activate_service, id, 0, "u").error().code, "contract.unknown");
  EXPECT_EQ(move(activate_service, id, 1)->state, ContractState::active);
  EXPECT_EQ(move(activate_service, id).error().code, "state.conflict");
  EXPECT_EQ(move(suspend_service, id)->state, ContractState::suspended);
  EXPECT_EQ(move(activate_service, id)->state, ContractState::active);
  EXPECT_EQ(move(retire_service, id)->state, ContractState::retired);
  EXPECT_EQ(stored(id).retired_at, now);
  EXPECT_EQ(move(retire_service, id).error().code, "state.conflict");
  EXPECT_EQ(move(activate_service, id).error().code, "state.conflict");
  const auto removed = database->commit([&](sql::Transaction& tx) { return remove_service(tx, "t", id, 0, now); });
  EXPECT_TRUE(removed) << removed.error().detail;
  EXPECT_EQ(move(retire_service, id).error().code, "contract.unknown");
}

// WUS-241: one path, one active provider of the tenant.
TEST_P(ServiceStore, GivesAPathToOneOnly) {
  const auto first = put(judged(provider_terms()), "een")->contract.id;
  const auto second = put(judged(provider_terms()), "twee")->contract.id;
  ASSERT_TRUE(move(activate_service, first));
  EXPECT_EQ(move(activate_service, second).error().code, "state.conflict");
  auto terms = provider_terms();
  terms["path"] = "/wus/inschrijving/v2";
  const auto change = [&](const std::string& id, const Json& wanted) {
    const auto service = judge_service(stored(id), wanted.dump(), {now});
    return in_transaction<Contract>([&](sql::Transaction& tx) { return change_terms(tx, "t", id, service, 0, now); });
  };
  ASSERT_TRUE(change(second, terms));
  ASSERT_TRUE(move(activate_service, second));
  EXPECT_EQ(change(second, provider_terms()).error().code, "state.conflict");
  const auto elsewhere = put(judged(provider_terms()), "een", false, "u")->contract.id;
  EXPECT_TRUE(move(activate_service, elsewhere, 0, "u")) << "of another tenant";
}

// WUS-322: a setting changes without the documents being read again.
TEST_P(ServiceStore, TakesWhatDidNotChangeFromTheFormer) {
  const auto id = put(judged(provider_terms()))->contract.id;
  const auto before = make_service(stored(id), nullptr).value();
  auto terms = provider_terms();
  terms["validate"] = "request";
  terms["partners"][requester]["oaepDigest"] = "sha1";
  terms.erase("operations");
  const auto service = judge_service(stored(id), terms.dump(), {now});
  ASSERT_FALSE(service.refused());
  ASSERT_TRUE(in_transaction<Contract>([&](sql::Transaction& tx) { return change_terms(tx, "t", id, service, 1, now); }));
  const auto after = make_service(stored(id), before.get()).value();
  EXPECT_EQ(after->schema, before->schema) << "the same object";
  EXPECT_EQ(after->settings.validate, Validate::request);
  ASSERT_NE(after->settings_of(requester), nullptr);
  EXPECT_EQ(after->settings_of(requester)->oaep_digest, std::nullopt);
  EXPECT_EQ(after->settings_of(requester)->validate, Validate::request);
  EXPECT_EQ(after->settings_of("00000001800000003000"), nullptr);
  EXPECT_FALSE(after->operation("vraagInschrijving")->idempotent);
  EXPECT_EQ(after->version, 2);
}

TEST_P(ServiceStore, RefusesRowsThatItCannotRead) {
  auto row = put(judged(provider_terms()))->contract;
  row.document = "schakel-wus-bundle 1 0\n";
  EXPECT_FALSE(make_service(row, nullptr));
  row = put(judged(provider_terms()))->contract;
  row.settings = "{}";
  EXPECT_EQ(make_service(row, nullptr).error().code, "contract.settings");
}

SCHAKEL_ON_BOTH_DATABASES(ServiceStore);

}  // namespace
}  // namespace schakel::wus
