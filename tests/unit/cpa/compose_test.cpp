#include "cpa/compose.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libxml/xmlschemas.h>

#include "base/json_library.hpp"
#include "cpa/names.hpp"
#include "support/cpa_samples.hpp"
#include "support/pki.hpp"

namespace schakel::cpa {
namespace {

using namespace schakel::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* melder_oin = "00000099000000010000";
constexpr const char* register_oin = "00000099000000020000";
constexpr std::array all_profiles = {Profile::osb_be,   Profile::osb_rm,   Profile::osb_be_s,
                                     Profile::osb_rm_s, Profile::osb_be_e, Profile::osb_rm_e};

// Randomness that does not surprise.
class FixedRandom final : public Random {
 public:
  void fill(std::span<unsigned char> out) override { std::fill(out.begin(), out.end(), static_cast<unsigned char>(0x5A)); }
};

struct Identities {
  security::Issued melder = test::pki().g1(melder_oin, "Gemeente Voorbeeldstad", {"ebms.voorbeeldstad.example"});
  security::Issued registry = test::pki().g1(register_oin, "Voorbeeldregister", {"ebms.voorbeeldregister.example"});
};
const Identities& identities() {
  static const Identities made;
  return made;
}

PartyDescription party(const security::Issued& identity, std::string oin, std::string name, std::string host) {
  PartyDescription out;
  out.oin = out.party_id = std::move(oin);
  out.environment = "T";
  out.party_name = std::move(name);
  out.party_id_type = names::oin_type;
  out.endpoint_url = "https://" + std::move(host) + "/ebms";
  out.profiles.assign(all_profiles.begin(), all_profiles.end());
  out.tls_client = out.tls_server = out.signing = out.encryption = identity.certificate;
  out.authorities = identity.chain;
  return out;
}
PartyDescription melder() {
  return party(identities().melder, melder_oin, "Gemeente Voorbeeldstad", "ebms.voorbeeldstad.example");
}
PartyDescription registry() {
  return party(identities().registry, register_oin, "Voorbeeldregister", "ebms.voorbeeldregister.example");
}

constexpr std::string_view specification_xml = R"(<?xml version="1.0" encoding="UTF-8"?>
<ServiceSpecification xmlns="urn:schakel:cpa-service-specification:1" identifyingName="Voorbeeldregister.Meldingen.1.0" version="1"
    providerOin="00000099000000020000" profile="osb-rm-s" title="Meldingen aan het Voorbeeldregister">
  <Process name="Meldingen" version="1.0" uri="https://www.voorbeeldregister.example/meldingen"/>
  <Role name="Melder" side="consumer"/><Role name="Register" side="provider"/>
  <Service name="Voorbeeldregister:Meldingen:1:0">
    <Message action="meldWijziging" from="Melder" to="Register"/>
    <Message action="meldResultaat" from="Register" to="Melder"/>
  </Service>
  <AutoApproval mode="list"><Oin>00000099000000010000</Oin></AutoApproval>
</ServiceSpecification>
)";

ServiceSpecification specification(Profile profile = Profile::osb_rm_s) {
  auto out = parse_specification(specification_xml).value();
  out.profile = profile;
  return out;
}

Instant today() {
  return std::chrono::floor<std::chrono::seconds>(SystemClock().now());
}

const CertificateChecks& checks() {
  static const TrustStoreChecks made(test::pki().trust());
  return made;
}

ComposeRequest request(Profile profile = Profile::osb_rm_s) {
  ComposeRequest out{specification(profile), {{"Melder", melder()}, {"Register", registry()}}};
  out.certificates = &checks();
  return out;
}

ComposedAgreement composed(const ComposeRequest& wanted) {
  FixedRandom random;
  auto made = compose(wanted, random, today());
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().code + ": " + made.error().detail);
  return made ? *std::move(made) : ComposedAgreement{};
}
Agreement agreement_of(const ComposeRequest& wanted) {
  return parse(composed(wanted).document).value();
}
std::string refusal(const ComposeRequest& wanted) {
  FixedRandom random;
  const auto made = compose(wanted, random, today());
  return made ? "" : made.error().code;
}

bool official_schema_accepts(const Bytes& document) {
  static const auto schema = [] {
    auto* parser = xmlSchemaNewParserCtxt((cpa_standards() / "cpp-cpa-2_0.xsd").c_str());
    auto* parsed = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    return std::unique_ptr<xmlSchema, decltype(&xmlSchemaFree)>(parsed, xmlSchemaFree);
  }();
  const std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)> parsed(
      xmlReadMemory(document.data(), static_cast<int>(document.size()), nullptr, nullptr, XML_PARSE_NONET), xmlFreeDoc);
  const std::unique_ptr<xmlSchemaValidCtxt, decltype(&xmlSchemaFreeValidCtxt)> context(xmlSchemaNewValidCtxt(schema.get()),
                                                                                       xmlSchemaFreeValidCtxt);
  return xmlSchemaValidateDoc(context.get(), parsed.get()) == 0;
}

// --- 6.1 row 5

// CPA-022, CPA-105, CPA-021
TEST(Compose, EveryProfileGivesAValidAgreementWithoutFindings) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  for (const auto profile : all_profiles) {
    SCOPED_TRACE(to_string(profile));
    const auto made = composed(request(profile));
    EXPECT_TRUE(official_schema_accepts(made.document));
    for (const auto& finding : made.findings) ADD_FAILURE() << finding.code << ' ' << finding.path << ' ' << finding.message;
    ValidationOptions import;
    import.mode = Mode::test;
    import.now = today();
    import.certificates = &checks();
    const auto validation = validate(made.document, import);
    EXPECT_THAT(validation.findings, IsEmpty());
    EXPECT_EQ(validation.profiles, std::vector{profile});
  }
}

// CPA-105
TEST(Compose, TheSameInputGivesTheSameOctets) {
  EXPECT_EQ(composed(request()).document, composed(request()).document);
}

struct Values {
  Profile profile;
  Occurrence reliable, signed_ack;
  bool non_repudiation, receipt;
  std::string_view authenticated, confidential, package;
};

// CPA-022, CPA-024, CPA-025, CPA-032, CPA-036, CPA-037: the columns of cpa.md 2.3.
TEST(Compose, WritesTheValuesOfEachProfile) {
  using enum Occurrence;
  constexpr std::string_view passing = "transient", durable = "transient-and-persistent";
  const std::array columns = {
      Values{Profile::osb_be, never, never, false, false, passing, passing, "MessagePackage"},
      Values{Profile::osb_rm, always, never, false, false, passing, passing, "MessagePackage"},
      Values{Profile::osb_be_s, never, never, true, false, durable, passing, "MessagePackage"},
      Values{Profile::osb_rm_s, always, always, true, true, durable, passing, "MessagePackage"},
      Values{Profile::osb_be_e, never, never, true, false, durable, durable, "EncryptedMessagePackage"},
      Values{Profile::osb_rm_e, always, always, true, true, durable, durable, "EncryptedMessagePackage"},
  };
  for (const auto& column : columns) {
    SCOPED_TRACE(to_string(column.profile));
    const auto agreement = agreement_of(request(column.profile));
    for (const auto& side : agreement.parties) {
      const auto* msh = side.channel(side.default_channel_id);
      const auto* action = side.channel(side.roles[0].actions[0].channel_ids[0]);
      ASSERT_TRUE(msh != nullptr && action != nullptr && msh != action);
      EXPECT_EQ(action->characteristics.ack_requested, column.reliable);
      EXPECT_EQ(action->characteristics.duplicate_elimination, column.reliable);
      EXPECT_EQ(action->characteristics.ack_signature_requested, column.signed_ack);
      for (const auto value :
           {msh->characteristics.ack_requested, msh->characteristics.duplicate_elimination, msh->characteristics.ack_signature_requested}) {
        EXPECT_EQ(value, never);
      }
      for (const auto* channel : {msh, action}) {
        EXPECT_EQ(channel->characteristics.actor, names::to_party_actor);
        EXPECT_EQ(channel->characteristics.sync_reply, SyncReplyMode::none);
        const auto* exchange = side.doc_exchange(channel->doc_exchange_id);
        ASSERT_TRUE(exchange != nullptr && exchange->sender && exchange->receiver);
        const bool business = channel == action;
        for (const auto* binding : {&*exchange->sender, &*exchange->receiver}) {
          EXPECT_EQ(binding->has_reliable_messaging, business && is_reliable(column.profile));
          EXPECT_EQ(binding->persist_duration.has_value(), business && is_reliable(column.profile));
          EXPECT_EQ(binding->non_repudiation.has_value(), is_signed(column.profile));
          EXPECT_EQ(binding->envelope.has_value(), business && is_encrypted(column.profile));
        }
      }
      for (const auto& binding : side.roles[0].actions) {
        const auto& has = binding.characteristics;
        EXPECT_EQ(has.non_repudiation, column.non_repudiation);
        EXPECT_EQ(has.non_repudiation_receipt, column.receipt);
        EXPECT_EQ(has.authenticated, column.authenticated);
        EXPECT_EQ(has.tamper_proof, column.authenticated);
        EXPECT_EQ(has.confidential, column.confidential);
        EXPECT_EQ(has.authorization, true);
        EXPECT_EQ(has.intelligible_check, false);
        EXPECT_EQ(binding.package_id, column.package);
        EXPECT_FALSE(binding.other_party_binding.empty());
      }
      const auto& transport = side.transports[0];
      EXPECT_EQ(transport.sender_protocol + transport.sender_protocol_version, "HTTP1.1");
      EXPECT_EQ(transport.client_security_protocol + transport.client_security_version, "TLS1.2");
      EXPECT_EQ(transport.endpoints.size(), 1U);
      EXPECT_EQ(transport.endpoints[0].type, "allPurpose");
      EXPECT_FALSE(transport.client_certificate_ref.empty() || transport.server_certificate_ref.empty());
    }
  }
}

// CPA-031: algorithms of cpa.md 2.4.
TEST(Compose, ChoosesTheFirstAlgorithmsUnlessTold) {
  const auto binding_of = [](const ComposeRequest& wanted) { return agreement_of(wanted).parties[0].doc_exchanges[1]; };
  const auto made = binding_of(request(Profile::osb_rm_e));
  EXPECT_EQ(made.sender->non_repudiation->hash_function, names::sha256);
  EXPECT_EQ(made.receiver->non_repudiation->signature_algorithm, names::rsa_sha256);
  EXPECT_EQ(made.receiver->envelope->encryption_algorithm, names::aes256_gcm);
  auto wanted = request(Profile::osb_rm_e);
  wanted.specification.security = SecurityTerms{std::string(names::sha512), std::string(names::rsa_sha512), std::string(names::aes128_gcm)};
  EXPECT_EQ(binding_of(wanted).sender->non_repudiation->hash_function, names::sha512);
  EXPECT_EQ(binding_of(wanted).sender->envelope->encryption_algorithm, names::aes128_gcm);
  wanted.specification.security->hash_function = "http://www.w3.org/2000/09/xmldsig#sha1";
  EXPECT_EQ(refusal(wanted), "contract.invalid");
}

// --- 6.1 row 7

// CPA-020, CPA-103
TEST(Compose, RefusesMixedProfilesWithASplit) {
  auto mixed = request();
  mixed.specification.services[0].messages[1].profile = Profile::osb_be;
  FixedRandom random;
  const auto made = compose(mixed, random, today());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "compose.mixedProfiles");
  EXPECT_THAT(made.error().detail, HasSubstr("Voorbeeldregister.Meldingen.1.0-osb-rm-s (osb-rm-s): meldWijziging"));
  EXPECT_THAT(made.error().detail, HasSubstr("Voorbeeldregister.Meldingen.1.0-osb-be (osb-be): meldResultaat"));

  const auto parts = split_by_profile(mixed.specification);
  ASSERT_EQ(parts.size(), 2U);
  std::set<std::string> ids;
  SystemRandom real_random;
  for (const auto& part : parts) {
    auto wanted = request();
    wanted.specification = part;
    const auto agreement = compose(wanted, real_random, today());
    ASSERT_TRUE(agreement) << agreement.error().detail;
    ids.insert(agreement->cpa_id);
  }
  EXPECT_EQ(ids.size(), 2U);
  EXPECT_EQ(split_by_profile(specification()), std::vector{specification()});
}

// --- 6.1 row 8

// CPA-011, CPA-060
TEST(Compose, EndsWithTheFirstCertificateThatExpires) {
  auto wanted = request();
  const auto tls = test::pki().issue({.profile = security::PkiProfile::g1_server,
                                      .oin = melder_oin,
                                      .organisation = "Gemeente Voorbeeldstad",
                                      .kvk = "90000001",
                                      .hosts = {"ebms.voorbeeldstad.example"},
                                      .days = 30});
  wanted.roles["Melder"].tls_client = wanted.roles["Melder"].tls_server = tls.certificate;
  EXPECT_EQ(agreement_of(wanted).end.instant, tls.certificate->not_after);
  wanted.roles["Melder"].tls_offloaded = true;
  const auto others = std::min(identities().melder.certificate->not_after, identities().registry.certificate->not_after);
  EXPECT_EQ(agreement_of(wanted).end.instant, others);
}

// CPA-011
TEST(Compose, StartsNowUnlessTold) {
  FixedRandom random;
  const auto now = today() + 123ms;
  EXPECT_EQ(parse(compose(request(), random, now)->document)->start.instant, today());
  auto wanted = request();
  wanted.start = today() + 24h;
  wanted.end = today() + 48h;
  const auto agreement = agreement_of(wanted);
  EXPECT_EQ(agreement.start.instant, today() + 24h);
  EXPECT_EQ(agreement.end.instant, today() + 48h);
  EXPECT_TRUE(agreement.start.has_zone && agreement.end.has_zone);
  wanted.end = today();
  EXPECT_EQ(refusal(wanted), "compose.refused");
}

// cpa.md 3.8 step 5
TEST(Compose, RefusesAnEndBeyondACertificateUnlessConfirmed) {
  auto wanted = request();
  wanted.end = today() + std::chrono::hours(24 * 365 * 9);
  EXPECT_EQ(refusal(wanted), "contract.invalid");
  wanted.end_beyond_certificates = true;
  EXPECT_EQ(agreement_of(wanted).end.instant, *wanted.end);
}

// --- 6.1 row 9

// CPA-028, CPA-029
TEST(Compose, FillsInReliability) {
  const auto terms = [](const ComposeRequest& wanted) {
    const auto agreement = agreement_of(wanted);
    for (const auto& side : agreement.parties) {
      const auto& exchange = side.doc_exchanges[1];
      EXPECT_EQ(exchange.sender->retries, exchange.receiver->retries);
      EXPECT_EQ(exchange.sender->persist_duration, exchange.receiver->persist_duration);
    }
    const auto& binding = *agreement.parties[1].doc_exchanges[1].receiver;
    return std::tuple(*binding.retries, binding.retry_interval->rest, binding.persist_duration->rest);
  };
  EXPECT_EQ(terms(request()), std::tuple(39, Duration(3h), Duration(120h)));
  auto wanted = request();
  wanted.reliability = best_practice_terms();
  EXPECT_EQ(std::get<0>(terms(wanted)), 8);
  EXPECT_EQ(std::get<1>(terms(wanted)), 3h);
  EXPECT_GE(std::get<2>(terms(wanted)), 27h);
  wanted.reliability = ReliabilityTerms{.retries = 100, .retry_interval = "PT3H"};
  EXPECT_EQ(std::get<2>(terms(wanted)), 303h);
  wanted.reliability->persist_duration = "P1D";
  EXPECT_EQ(refusal(wanted), "contract.invalid");
  wanted.reliability = ReliabilityTerms{.retries = 100, .retry_interval = "P1M"};
  EXPECT_EQ(refusal(wanted), "compose.refused");
  auto best_effort = request(Profile::osb_be);
  best_effort.reliability = best_practice_terms();
  EXPECT_EQ(refusal(best_effort), "compose.refused");
}

// CPA-023, CPA-030
TEST(Compose, SyncAndOrderNeedBothParties) {
  auto wanted = request();
  wanted.reliability = ReliabilityTerms{.signals_in_sync = true};
  wanted.roles["Melder"].sync_reply = true;
  EXPECT_EQ(refusal(wanted), "compose.refused");
  wanted.roles["Register"].sync_reply = true;
  for (const auto& side : agreement_of(wanted).parties) {
    for (const auto& channel : side.channels) EXPECT_EQ(channel.characteristics.sync_reply, SyncReplyMode::msh_signals_only);
  }
  wanted.reliability = ReliabilityTerms{.order_guaranteed = true};
  EXPECT_EQ(refusal(wanted), "compose.refused");
  wanted.roles["Melder"].message_order = wanted.roles["Register"].message_order = true;
  EXPECT_TRUE(agreement_of(wanted).parties[0].doc_exchanges[1].sender->order_guaranteed);
}

// CPA-008, CPA-009
TEST(Compose, MakesIdsInThreeForms) {
  auto wanted = request();
  const std::string parties = std::string(melder_oin) + "_" + register_oin;
  EXPECT_EQ(composed(wanted).cpa_id, "Voorbeeldregister-Meldingen-1-0_" + parties + "_5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a");
  wanted.version = "0007";
  EXPECT_EQ(composed(wanted).cpa_id, "Voorbeeldregister-Meldingen-1-0_" + parties + "_0007");
  wanted.id_form = IdForm::standard;
  EXPECT_EQ(composed(wanted).cpa_id, std::string(melder_oin) + register_oin + "0007");
  wanted.id_form = IdForm::toolkit;
  EXPECT_EQ(composed(wanted).cpa_id, "Voorbeeldregister-Meldingen-1-0_" + std::string(melder_oin) + "-" + register_oin + "_0007");
  wanted.id_form = IdForm::standard;
  wanted.version = "7";
  EXPECT_EQ(refusal(wanted), "compose.refused");
  wanted.cpa_id = "../etc/passwd";
  EXPECT_EQ(refusal(wanted), "contract.invalid");
  wanted.cpa_id = "eigen-id_1";
  EXPECT_EQ(composed(wanted).cpa_id, "eigen-id_1");
}

// CPA-010
TEST(Compose, WritesAProposalWhenAsked) {
  auto wanted = request();
  EXPECT_EQ(agreement_of(wanted).status, "agreed");
  wanted.proposed = true;
  EXPECT_EQ(agreement_of(wanted).status, "proposed");
}

// CPA-033, CPA-035
TEST(Compose, AnchorsAreTheOtherPartysAuthorities) {
  const auto agreement = agreement_of(request());
  for (const auto& side : agreement.parties) {
    ASSERT_EQ(side.trust_anchors.size(), 1U);
    for (const auto& id : side.trust_anchors.begin()->second) {
      const auto certificate = security::Certificate::from_der(side.certificate(id)->der);
      EXPECT_TRUE((*certificate)->is_ca);
    }
  }
  auto wanted = request();
  wanted.roles["Melder"].authorities.clear();
  EXPECT_TRUE(agreement_of(wanted).parties[1].trust_anchors.empty());
}

// CPA-013, CPA-016, CPA-017: awkward names become right ids.
TEST(Compose, RoleAndActionNamesBecomeUniqueIds) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  auto wanted = request();
  auto& spec = wanted.specification;
  spec.roles = {{"9 & rol", false}, {"9 # rol", true}};
  for (auto& message : spec.services[0].messages) {
    const bool up = message.from == "Melder";
    message.from = up ? "9 & rol" : "9 # rol";
    message.to = up ? "9 # rol" : "9 & rol";
  }
  spec.services[0].messages.push_back({"meld:Wijziging", "9 & rol", "9 # rol"});
  spec.services[0].messages.push_back({"meld_Wijziging", "9 & rol", "9 # rol", "application/pdf"});
  spec.services.push_back({"Tweede:1", std::string(names::service_type), {{"meldWijziging", "9 & rol", "9 # rol"}}});
  wanted.roles = {{"9 & rol", melder()}, {"9 # rol", registry()}};
  const auto made = composed(wanted);
  EXPECT_TRUE(official_schema_accepts(made.document));
  const auto agreement = parse(made.document).value();
  EXPECT_EQ(agreement.parties[0].roles.size(), 2U);
  EXPECT_EQ(agreement.parties[0].roles[0].role, "9 & rol");
}

struct Refusal {
  std::string_view name;
  std::function<void(ComposeRequest&)> spoil;
  std::string_view code;
};

// cpa.md 3.8 step 1
TEST(Compose, RefusesWhatThePartiesDoNotAllow) {
  const std::vector<Refusal> list = {
      {"role without party", [](auto& r) { r.roles.erase("Melder"); }, "compose.refused"},
      {"party without role", [](auto& r) { r.roles["Anders"] = melder(); }, "compose.refused"},
      {"other provider", [](auto& r) { r.roles["Register"].oin = melder_oin; }, "compose.refused"},
      {"mixed environments", [](auto& r) { r.roles["Register"].environment = "P"; }, "compose.refused"},
      {"production specification", [](auto& r) { r.specification.environment = "P"; }, "compose.refused"},
      {"profile not supported", [](auto& r) { r.roles["Melder"].profiles = {Profile::osb_be}; }, "compose.refused"},
      {"no TLS certificate", [](auto& r) { r.roles["Melder"].tls_client.reset(); }, "compose.refused"},
      {"no signing certificate", [](auto& r) { r.roles["Melder"].signing.reset(); }, "compose.refused"},
      {"certificate of another", [](auto& r) { r.roles["Melder"].signing = identities().registry.certificate; }, "contract.invalid"},
      {"other host", [](auto& r) { r.roles["Melder"].endpoint_url = "https://elders.example/ebms"; }, "contract.invalid"},
      {"plain http", [](auto& r) { r.roles["Melder"].endpoint_url = "http://ebms.voorbeeldstad.example/ebms"; }, "contract.invalid"},
      {"test OIN in production",
       [](auto& r) {
         for (auto& [role, side] : r.roles) side.environment = "P";
       },
       "contract.invalid"},
      {"suffix of one", [](auto& r) { r.roles["Melder"].party_id += "_T"; }, "contract.invalid"},
      {"no name", [](auto& r) { r.roles["Melder"].party_name.clear(); }, "contract.invalid"},
  };
  for (const auto& each : list) {
    auto wanted = request();
    each.spoil(wanted);
    EXPECT_EQ(refusal(wanted), each.code) << each.name;
  }
  auto encrypted = request(Profile::osb_rm_e);
  encrypted.roles["Register"].encryption.reset();
  EXPECT_EQ(refusal(encrypted), "compose.refused");
}

// CPA-034: an intermediary's certificate needs a mandate.
TEST(Compose, AMandateAllowsTheIntermediarysCertificate) {
  auto wanted = request();
  wanted.roles["Melder"].signing = identities().registry.certificate;
  wanted.mandates = {{"t", melder_oin, register_oin, "*", "", today() - 1h, today() + 1h, true}};
  const auto made = composed(wanted);
  ASSERT_EQ(made.findings.size(), 1U);
  EXPECT_EQ(made.findings[0].code, "V37b");
  EXPECT_EQ(made.findings[0].severity, Severity::warning);
}

// --- specifications

// CPA-104 and 6.1 row 31
TEST(Specification, ReadsXmlAndJsonAlike) {
  auto full = specification();
  full.environment = "T";
  full.description = "a <description> & more";
  full.process_uuid = "urn:uuid:0d1b7a54-6a0e-4f3a-9a53-2c7a5f1f2a10";
  full.reliability = best_practice_terms();
  full.reliability->signals_in_sync = true;
  full.security = SecurityTerms{std::string(names::sha256), "", ""};
  full.services[0].messages[0].schema_uri = "urn:x";
  full.services[0].messages[1].profile = Profile::osb_be;
  EXPECT_EQ(parse_specification(to_xml(full)).value(), full);
  EXPECT_EQ(parse_specification(to_json(full)).value(), full);
  EXPECT_EQ(specification().auto_approval_oins, std::vector<std::string>{melder_oin});
  EXPECT_EQ(specification().services[0].type, names::service_type);
  EXPECT_EQ(specification().services[0].messages[0].time_to_perform, "P2D");
}

// cpa.md section 5: each is refused with its place.
TEST(Specification, RefusesMistakesWithTheirPlace) {
  const auto place = [](std::string_view pointer, const nlohmann::json& value) {
    auto object = nlohmann::json::parse(to_json(specification()));
    object[nlohmann::json::json_pointer(std::string(pointer))] = value;
    const auto parsed = parse_specification(object.dump());
    return parsed ? std::string("accepted") : parsed.error().location;
  };
  for (const auto& [pointer, value] :
       std::vector<std::pair<std::string_view, nlohmann::json>>{{"/identifyingName", "a b"},
                                                                {"/version", 0},
                                                                {"/version", "x"},
                                                                {"/providerOin", "1"},
                                                                {"/profile", "osb-xx"},
                                                                {"/environment", "X"},
                                                                {"/roles/0/side", "both"},
                                                                {"/services/0/name", "a b"},
                                                                {"/services/0/messages/0/action", "meld Wijziging"},
                                                                {"/services/0/messages/0/from", "Anders"},
                                                                {"/services/0/messages/0/to", "Melder"},
                                                                {"/services/0/messages/0/timeToPerform", "2 days"},
                                                                {"/unknown", 1},
                                                                {"/services/0/messages/0/unknown", 1},
                                                                {"/services/0/messages/0/profile", "x"},
                                                                {"/title", 5},
                                                                {"/services", 1}}) {
    EXPECT_EQ(place(pointer, value), pointer) << value;
  }
  EXPECT_EQ(place("/roles/1/side", "consumer"), "/roles");
  EXPECT_EQ(parse_specification("").error().code, "specification.invalid");
  EXPECT_EQ(parse_specification("[]").error().code, "specification.invalid");
  EXPECT_EQ(parse_specification("<x/>").error().code, "specification.invalid");
  EXPECT_EQ(parse_specification("<!DOCTYPE x><x/>").error().code, "specification.invalid");
  EXPECT_EQ(parse_specification("{\"profile\":").error().code, "specification.invalid");
}

// --- parties

nlohmann::json party_json() {
  std::string chain = identities().melder.certificate.pem();
  for (const auto& authority : identities().melder.chain) chain += authority.pem();
  return {
      {"oin", melder_oin},
      {"environment", "T"},
      {"partyName", "Gemeente Voorbeeldstad"},
      {"partyId", std::string(melder_oin) + "_T"},
      {"endpointUrl", "https://ebms.voorbeeldstad.example/ebms"},
      {"profiles", {"osb-rm", "osb-rm-s"}},
      {"syncReply", true},
      {"certificates", {{"tlsClient", chain}, {"tlsServer", to_base64(identities().melder.certificate->der)}, {"encryption", nullptr}}}};
}

TEST(PartyDescription, ReadsTheConnectionOfTheRequirements) {
  const auto parsed = parse_party(party_json().dump());
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->party_id, std::string(melder_oin) + "_T");
  EXPECT_EQ(parsed->party_id_type, names::oin_type);
  EXPECT_EQ(parsed->profiles, (std::vector{Profile::osb_rm, Profile::osb_rm_s}));
  EXPECT_TRUE(parsed->sync_reply);
  EXPECT_FALSE(parsed->message_order);
  EXPECT_EQ(*parsed->tls_client, *parsed->tls_server);
  EXPECT_EQ(parsed->authorities.size(), identities().melder.chain.size());
  EXPECT_FALSE(parsed->encryption || parsed->signing);
}

// CPA-120
TEST(PartyDescription, RefusesPrivateKeysAndMistakes) {
  const auto code = [](std::string_view pointer, const nlohmann::json& value) {
    auto object = party_json();
    object[nlohmann::json::json_pointer(std::string(pointer))] = value;
    const auto parsed = parse_party(object.dump());
    return parsed ? std::string("accepted") : parsed.error().code;
  };
  EXPECT_EQ(code("/certificates/tlsClient", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "certificate.privateKeyRefused");
  // PKCS#8 and PKCS#12 in base64: a SEQUENCE that begins with a version
  EXPECT_EQ(code("/certificates/tlsClient", to_base64(std::string("\x30\x08\x02\x01\x00\x30\x03\x06\x01\x2a", 10))),
            "certificate.privateKeyRefused");
  EXPECT_EQ(code("/certificates/tlsClient", to_base64(std::string("\x30\x08\x02\x01\x03\x30\x03\x06\x01\x2a", 10))),
            "certificate.privateKeyRefused");
  EXPECT_EQ(code("/certificates/tlsClient", "AAAA"), "party.invalid");
  EXPECT_EQ(code("/certificates/tlsClient", 5), "party.invalid");
  EXPECT_EQ(code("/certificates/tlsServer", identities().melder.chain[0].pem()), "party.invalid");
  EXPECT_EQ(code("/environment", "X"), "party.invalid");
  EXPECT_EQ(code("/profiles", {"osb-xx"}), "party.invalid");
  EXPECT_EQ(code("/syncReply", "yes"), "party.invalid");
  EXPECT_EQ(code("/oin", nullptr), "party.invalid");
  EXPECT_EQ(parse_party("[]").error().code, "party.invalid");
}

// SEC-115
TEST(PartyDescription, RefusesARepeatedMember) {
  auto text = party_json().dump();
  text.insert(1, R"("partyName":"Een ander",)");
  const auto parsed = parse_party(text);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, "party.invalid");
  EXPECT_EQ(parsed.error().location, "/partyName");
}

// SEC-115
TEST(Specification, RefusesARepeatedMember) {
  const auto parsed = parse_specification(R"({"identifyingName":"A","identifyingName":"B"})");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().location, "/identifyingName");
}

}  // namespace
}  // namespace schakel::cpa
