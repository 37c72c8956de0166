#include "cpa/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exchange/store.hpp"
#include "support/agreement_builder.hpp"
#include "support/cpa_samples.hpp"
#include "support/database.hpp"
#include "support/pki.hpp"

namespace schakel::cpa {
namespace {

using namespace schakel::testing;
using namespace std::chrono_literals;
using exchange::ContractState;

const Instant now = parse_datetime("2026-03-02T12:00:00Z").value().instant;

ValidationOptions in_test() {
  ValidationOptions out;
  out.mode = Mode::test;
  out.now = now;
  return out;
}
ValidationOptions activating() {
  auto out = in_test();
  out.activating = true;
  return out;
}

class ContractStore : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!has_cpa_standards()) GTEST_SKIP() << "the official CPA files are not beside the repository";
    const auto migrated = sql::migrate(*database, exchange::migrations());
    ASSERT_TRUE(migrated) << migrated.error().detail;
    example = example_cpa();
  }

  // Runs inside one committed transaction; a failure is rolled back and given back.
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

  Result<LoadedDocument> load(const Bytes& octets, bool overwrite = false, std::string tenant = "t") {
    const auto judged = judge(octets, in_test());
    return in_transaction<LoadedDocument>(
        [&](sql::Transaction& tx) { return cpa::load(tx, tenant, judged, overwrite, ContractSettings{}, random, now); });
  }
  Result<exchange::Contract> activate(const std::string& id, const Bytes& octets, std::int64_t version = 0, Instant when = now) {
    const auto judged = judge(octets, activating());
    return in_transaction<exchange::Contract>([&](sql::Transaction& tx) { return cpa::activate(tx, "t", id, judged, version, when); });
  }
  using Move = Result<exchange::Contract> (*)(sql::Transaction&, std::string_view, std::string_view, std::int64_t, Instant);
  Result<exchange::Contract> move(Move step, const std::string& id, std::int64_t version = 0) {
    return in_transaction<exchange::Contract>([&](sql::Transaction& tx) { return step(tx, "t", id, version, now); });
  }
  std::string removal(const std::string& id, Instant when) {
    const auto done = database->commit([&](sql::Transaction& tx) { return cpa::remove(tx, "t", id, 0, when); });
    return done ? "" : done.error().code;
  }
  std::int64_t versions(const std::string& id) {
    return in_transaction<std::int64_t>([&](sql::Transaction& tx) { return exchange::contract_history_count(tx, "t", id); }).value();
  }
  std::optional<exchange::Contract> stored(const std::string& id) {
    return in_transaction<std::optional<exchange::Contract>>([&](sql::Transaction& tx) { return exchange::find_contract(tx, "t", id); })
        .value();
  }
  std::int64_t configuration() {
    return in_transaction<std::int64_t>([](sql::Transaction& tx) { return exchange::configuration_version(tx); }).value();
  }

  SystemRandom random;
  Bytes example;
};

// ADP-304
TEST_P(ContractStore, WaitsForItsMomentWhenItIsScheduled) {
  const auto loaded = load(example);
  ASSERT_TRUE(loaded);
  const auto& id = loaded->contract.id;
  const auto judged = judge(example, activating());
  const auto schedule = [&](Instant when) {
    return in_transaction<exchange::Contract>([&](sql::Transaction& tx) { return cpa::schedule(tx, "t", id, judged, when, 0, now); });
  };
  const auto beyond = judged.validation.agreement->end.instant + 1s;
  EXPECT_EQ(schedule(beyond).error().code, "contract.expired");
  const auto scheduled = schedule(now + 24h);
  ASSERT_TRUE(scheduled) << scheduled.error().detail;
  EXPECT_EQ(scheduled->state, ContractState::validated);
  EXPECT_EQ(parse_settings(scheduled->settings)->valid_from, now + 24h);
  const auto waiting = in_transaction<std::vector<exchange::Contract>>(
      [](sql::Transaction& tx) { return exchange::contracts_in_state(tx, "cpa", ContractState::validated); });
  ASSERT_EQ(waiting->size(), 1U);
  EXPECT_EQ(waiting->front().id, id);
  EXPECT_EQ(parse_settings(waiting->front().settings)->valid_from, now + 24h);
  EXPECT_TRUE(waiting->front().document.empty()) << "thousands of contracts are looked at each minute";
  const auto active = activate(id, example, 0, now + 24h);
  ASSERT_TRUE(active) << active.error().detail;
  EXPECT_FALSE(parse_settings(active->settings)->valid_from);
  EXPECT_EQ(schedule(now + 48h).error().code, "state.conflict") << "it is active";
}

// ADP-304: the End is inclusive, to the millisecond (CPA-056).
TEST_P(ContractStore, ExpiresAfterItsEndAndNotBefore) {
  const auto loaded = load(example);
  const auto& id = loaded->contract.id;
  const auto end = parse(example)->end.instant;
  const auto expire = [&](Instant when) {
    return in_transaction<exchange::Contract>([&](sql::Transaction& tx) { return cpa::expire(tx, "t", id, when); });
  };
  EXPECT_EQ(expire(end + 1s).error().code, "state.conflict") << "it was never active";
  ASSERT_TRUE(activate(id, example));
  EXPECT_EQ(expire(end).error().code, "state.conflict");
  const auto expired = expire(end + 1ms);
  ASSERT_TRUE(expired) << expired.error().detail;
  EXPECT_EQ(stored(id)->state, ContractState::expired);
  EXPECT_EQ(expire(end + 1ms).error().code, "state.conflict");
}

TEST(ContractSettings, HoldTheMomentOfActivation) {
  const auto settings = parse_settings(R"({"validFrom":"2027-01-01T00:00:00+01:00"})");
  ASSERT_TRUE(settings);
  EXPECT_EQ(to_rfc3339(*settings->valid_from), "2026-12-31T23:00:00.000Z");
  EXPECT_EQ(parse_settings(to_json(*settings))->valid_from, settings->valid_from);
  EXPECT_EQ(to_json(ContractSettings{}).find("validFrom"), std::string::npos);
  for (const char* wrong : {R"({"validFrom":"2027-01-01T00:00:00"})", R"({"validFrom":true})", R"({"validFrom":"soon"})"})
    EXPECT_EQ(parse_settings(wrong).error().location, "/validFrom") << wrong;
}

// CPA-005: also with line ends, comments and a prefix of its own.
TEST_P(ContractStore, KeepsTheOctetsAsTheyCame) {
  auto odd = replaced_all(replaced_all(example, "tns:", "cpa:"), "xmlns:tns", "xmlns:cpa");
  odd = replaced_all(odd, "\n", "\r\n") + "<!-- after -->\r\n";
  const auto loaded = load(odd);
  ASSERT_TRUE(loaded) << loaded.error().detail;
  const auto contract = stored(loaded->contract.id);
  ASSERT_TRUE(contract);
  EXPECT_EQ(contract->document, odd);
  EXPECT_EQ(contract->digest, sha256_hex(odd));
}

// CPA-051 and 6.1 row 19
TEST_P(ContractStore, LoadsOnceRefusesOtherOctetsAndOverwritesWhenTold) {
  const auto first = load(example);
  ASSERT_TRUE(first) << first.error().detail;
  EXPECT_EQ(first->outcome, LoadOutcome::created);
  EXPECT_EQ(first->contract.state, ContractState::validated);
  const auto before = configuration();
  const auto again = load(example);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->outcome, LoadOutcome::unchanged);
  EXPECT_EQ(again->contract.id, first->contract.id);
  EXPECT_EQ(configuration(), before);

  const auto changed = replaced_first(example, "Gemeente Voorbeeldstad", "Gemeente Voorbeeldstede");
  const auto refused = load(changed);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "state.conflict");
  EXPECT_NE(refused.error().detail.find(sha256_hex(example)), std::string::npos);
  EXPECT_NE(refused.error().detail.find(sha256_hex(changed)), std::string::npos);

  const auto replaced = load(changed, true);
  ASSERT_TRUE(replaced) << replaced.error().detail;
  EXPECT_EQ(replaced->outcome, LoadOutcome::replaced);
  EXPECT_EQ(replaced->contract.id, first->contract.id);
  EXPECT_EQ(stored(first->contract.id)->document, changed);
  // The present document and the one before it.
  EXPECT_EQ(versions(first->contract.id) + 1, 2);
  EXPECT_GT(configuration(), before);
}

// CPA-051
TEST_P(ContractStore, StoresNothingThatIsRefused) {
  const auto refused = load(replaced_first(example, "<tns:ChannelId>Melder_Channel_Action", "<tns:ChannelId>Nergens"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "contract.invalid");
  EXPECT_NE(refused.error().detail.find("V04"), std::string::npos);
  const auto all = in_transaction<std::vector<exchange::Contract>>([](sql::Transaction& tx) { return exchange::all_contracts(tx, "cpa"); });
  EXPECT_TRUE(all->empty());
}

// CPA-007
TEST_P(ContractStore, AnIdIsUniqueIgnoringCaseAndNeverUsedAgain) {
  const auto first = load(example);
  ASSERT_TRUE(first);
  const auto shouted = replaced_first(example, "tns:cpaid=\"Voorbeeldregister", "tns:cpaid=\"VOORBEELDREGISTER");
  EXPECT_EQ(load(shouted).error().code, "state.conflict");
  EXPECT_EQ(load(shouted, true).error().code, "state.conflict");
  EXPECT_TRUE(load(shouted, false, "another-tenant"));

  EXPECT_EQ(removal(first->contract.id, now), "");
  EXPECT_EQ(load(replaced_first(example, "Gemeente Voorbeeldstad", "Gemeente Elders")).error().code, "state.conflict");
  EXPECT_TRUE(load(example));
}

// CPA-050, CPA-053, CPA-010
TEST_P(ContractStore, ActivatesSuspendsAndRetires) {
  const auto id = load(example)->contract.id;
  EXPECT_EQ(move(suspend, id).error().code, "state.conflict");
  const auto active = activate(id, example);
  ASSERT_TRUE(active) << active.error().detail;
  EXPECT_EQ(active->state, ContractState::active);
  EXPECT_EQ(stored(id)->version, active->version);
  EXPECT_EQ(activate(id, example).error().code, "state.conflict");
  EXPECT_EQ(move(suspend, id)->state, ContractState::suspended);
  EXPECT_EQ(activate(id, example)->state, ContractState::active);
  const auto retired = move(retire, id);
  EXPECT_EQ(retired->state, ContractState::retired);
  EXPECT_EQ(stored(id)->retired_at, now);
  EXPECT_EQ(move(retire, id).error().code, "state.conflict");
  EXPECT_EQ(activate(id, example).error().code, "state.conflict");
  EXPECT_EQ(load(replaced_first(example, "Gemeente Voorbeeldstad", "Gemeente Elders"), true).error().code, "state.conflict");
  EXPECT_EQ(move(retire, "nowhere").error().code, "contract.unknown");
  EXPECT_EQ(activate("nowhere", example).error().code, "contract.unknown");
}

// CPA-052
TEST_P(ContractStore, DoesNotActivateWhatMayNotBe) {
  const auto proposal = replaced_first(example, "tns:value=\"agreed\"", "tns:value=\"proposed\"");
  const auto id = load(proposal)->contract.id;
  EXPECT_EQ(activate(id, proposal).error().code, "state.conflict");
  EXPECT_EQ(activate(id, example).error().code, "version.conflict");

  ASSERT_TRUE(load(example, true));
  EXPECT_EQ(activate(id, example, 1).error().code, "version.conflict");
  EXPECT_EQ(activate(id, example, 0, now + 20 * 366 * 24h).error().code, "contract.expired");

  auto options = activating();
  options.own = std::vector{PartyId{"urn:osb:oin", "00000099000000010000"}};
  options.has_private_key = [](const security::Certificate&) { return false; };
  const auto judged = judge(example, options);
  const auto missing = in_transaction<exchange::Contract>([&](sql::Transaction& tx) { return cpa::activate(tx, "t", id, judged, 0, now); });
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "state.conflict");
  EXPECT_NE(missing.error().detail.find("V43"), std::string::npos);
}

// CPA-051: an active contract goes on under its new document, unless that may not be active.
TEST_P(ContractStore, OverwritingKeepsAnActiveContractActive) {
  const auto id = load(example)->contract.id;
  ASSERT_TRUE(activate(id, example));
  EXPECT_EQ(load(replaced_first(example, "Gemeente Voorbeeldstad", "Gemeente Elders"), true)->contract.state, ContractState::active);
  EXPECT_EQ(load(replaced_first(example, "tns:value=\"agreed\"", "tns:value=\"proposed\""), true)->contract.state,
            ContractState::validated);
}

// CPA-053 and 6.1 row 20, ADP-307
TEST_P(ContractStore, RemovesOnlyWhenNothingIsPending) {
  const auto loaded = load(example);
  exchange::Message message;
  message.id = uuid_v7(random, now);
  message.tenant = "t";
  message.contract_id = loaded->contract.id;
  message.message_id = "m@example";
  message.state = exchange::State::sending;
  message.created_at = now;
  message.persist_until = now + 48h;
  const auto change = [&](auto function) { ASSERT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> { return function(tx); })); };
  change([&](sql::Transaction& tx) { return exchange::insert_message(tx, message, {}); });
  EXPECT_EQ(removal(loaded->contract.id, now), "contract.inUse");
  EXPECT_EQ(removal(loaded->contract.id, now + 72h), "contract.inUse");
  message.state = exchange::State::delivered;
  message.final_at = now;
  change([&](sql::Transaction& tx) { return exchange::update_message(tx, message); });
  EXPECT_EQ(removal(loaded->contract.id, now + 47h), "contract.inUse");
  EXPECT_EQ(removal(loaded->contract.id, now + 49h), "");
  EXPECT_EQ(removal(loaded->contract.id, now + 49h), "contract.unknown");
}

// CPA-050 and 6.1 row 18: the counter that every node polls moves with each change.
TEST_P(ContractStore, EveryChangeMovesTheConfigurationVersion) {
  auto last = configuration();
  const auto grew = [&] {
    const auto before = std::exchange(last, configuration());
    return last > before;
  };
  const auto id = load(example)->contract.id;
  EXPECT_TRUE(grew());
  ASSERT_TRUE(activate(id, example));
  EXPECT_TRUE(grew());
  ContractSettings settings;
  settings.partner_installed = true;
  const auto changed =
      in_transaction<exchange::Contract>([&](sql::Transaction& tx) { return change_settings(tx, "t", id, settings, 0, now); });
  ASSERT_TRUE(changed);
  EXPECT_TRUE(parse_settings(stored(id)->settings)->partner_installed);
  EXPECT_TRUE(grew());
  ASSERT_TRUE(move(suspend, id));
  EXPECT_TRUE(grew());
  EXPECT_EQ(removal(id, now), "");
  EXPECT_TRUE(grew());
}

SCHAKEL_ON_BOTH_DATABASES(ContractStore);

// CPA-058
TEST(MappingChecks, AUrlMustBeAbsoluteAndElsewhere) {
  const auto code = [](std::string source, std::string destination, bool production = true) {
    const auto checked = check_mapping({"t", std::move(source), std::move(destination), ""}, production);
    return checked ? "" : checked.error().code;
  };
  EXPECT_EQ(code("https://a/", "https://b.example/"), "");
  EXPECT_EQ(code("https://a.example/", "https://a.example/"), "mapping.invalid");
  EXPECT_EQ(code("", "https://b.example/"), "mapping.invalid");
  EXPECT_EQ(code("https://a.example/", "b.example"), "mapping.invalid");
  EXPECT_EQ(code("https://a.example/", "http://b.example/"), "mapping.invalid");
  EXPECT_EQ(code("https://a.example/", "http://b.example/", false), "");
}

// CPA-058
TEST(MappingChecks, ACertificateMustBeOfTheSameOinValidAndAsUseful) {
  const std::string oin = "00000099000000010000";
  const auto source = test::pki().g1(oin, "Een").certificate, destination = test::pki().g1(oin, "Een").certificate;
  const auto stranger = test::pki().g1("00000099000000020000", "Ander").certificate;
  const auto today = SystemClock().now();
  const auto code = [&](BytesView from, BytesView to, Instant when) {
    const auto made = make_mapping("t", from, to, "", when);
    return made ? "" : made.error().code;
  };
  EXPECT_EQ(code(source->der, destination->der, today), "");
  EXPECT_EQ(make_mapping("t", source->der, destination->der, "a", today)->serial, source->serial);
  EXPECT_EQ(code(source->der, source->der, today), "mapping.invalid");
  EXPECT_EQ(code(source->der, stranger->der, today), "mapping.invalid");
  EXPECT_EQ(code(source->der, destination->der, destination->not_after + 1s), "mapping.invalid");
  EXPECT_EQ(code("x", destination->der, today), "mapping.invalid");
  EXPECT_EQ(code(source->der, "x", today), "mapping.invalid");
}

// CPA-038
TEST(Conversations, StopAtTheLimits) {
  Agreement agreement;
  EXPECT_TRUE(check_conversation(agreement, {1'000'000, 1'000'000, false}));
  agreement.invocation_limit = 3;
  agreement.concurrent_conversations = 2;
  EXPECT_TRUE(check_conversation(agreement, {2, 1, false}));
  EXPECT_EQ(check_conversation(agreement, {3, 1, false}).error().code, "contract.limitReached");
  EXPECT_EQ(check_conversation(agreement, {2, 2, false}).error().code, "contract.limitReached");
  EXPECT_TRUE(check_conversation(agreement, {3, 2, true}));
}

// CPA-062, ADP-308
TEST(ExpiryWarnings, ComeAtEachStepOnceAndThenDaily) {
  auto contract =
      AgreementBuilder("a", {"00000099000000010000", "A", "https://a/"}, {"00000099000000020000", "B", "https://b/"}).loaded("t", 0);
  const auto end = contract.agreement.end.instant;
  constexpr auto day = 24h;
  EXPECT_FALSE(expiry_warning(contract, end - 91 * day, {}));
  std::vector<std::int64_t> days;
  std::optional<Instant> last;
  for (auto clock = end - 95 * day; clock <= end + 3 * day; clock += 6h) {
    if (const auto warning = expiry_warning(contract, clock, last)) {
      EXPECT_EQ(warning->subject, "agreement");
      EXPECT_EQ(warning->ends, end);
      days.push_back(warning->days);
      last = clock;
    }
  }
  EXPECT_EQ(days, (std::vector<std::int64_t>{90, 60, 30, 14, 7, 1, 0, -1, -2, -3}));
  contract.row.state = ContractState::suspended;
  EXPECT_FALSE(expiry_warning(contract, end - 1 * day, {}));
}

// CPA-062: whichever is first; CPA-060: not for offloaded TLS certificates.
TEST(ExpiryWarnings, NameTheCertificateThatExpiresFirst) {
  auto contract =
      AgreementBuilder("a", {"00000099000000010000", "A", "https://a/"}, {"00000099000000020000", "B", "https://b/"}).loaded("t", 0);
  const auto certificate = test::pki().g1("00000099000000010000", "Een").certificate;
  auto& party = contract.agreement.parties[0];
  party.certificates = {{"A_TlsCert", certificate->der}};
  party.transports[0].client_certificate_ref = "A_TlsCert";
  const auto warning = expiry_warning(contract, certificate->not_after - 240h, {});
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->subject, "A_TlsCert");
  EXPECT_EQ(warning->days, 10);
  contract.settings.tls_offloaded = true;
  EXPECT_FALSE(expiry_warning(contract, certificate->not_after - 240h, {}));
}

}  // namespace
}  // namespace schakel::cpa
