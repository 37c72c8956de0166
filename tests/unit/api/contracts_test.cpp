// Contracts over the API: import, judging, life cycle, what is kept (cpa.md 1.2, 3.1 and section 5; adapter.md 1.4).
#include "api_fixture.hpp"
#include "integration/cpa_document.hpp"
#include "support/cpa_samples.hpp"
#include "support/pki.hpp"

namespace schakel::api {
namespace {

using integration::CpaDocument;
using integration::CpaTerms;

class ContractRoutes : public ApiTest {
 protected:
  static const security::Certificate& certificate_of(const std::string& oin) {
    static std::map<std::string, security::Certificate> made;
    auto found = made.find(oin);
    if (found == made.end())
      found = made.emplace(oin, test::pki().tls(oin, "Organisatie", {"stad.example", "lv.example"}).certificate).first;
    return found->second;
  }
  static std::string document(const CpaTerms& terms = {.cpa_id = "cpa-nieuw"}) {
    return CpaDocument(terms, {"Gemeente Voorbeeldstad", own_oin, "Melder", "https://stad.example/ebms", certificate_of(own_oin)},
                       {"LV-Voorbeeld", partner_oin, "Ontvanger", "https://lv.example/ebms", certificate_of(partner_oin)})
        .text();
  }
  static std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << "nothing to replace: " << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  }
  Reply upload(const std::string& octets, const std::string& query = "", const std::string& type = "application/xml") {
    return send("POST", "/api/v1/contracts" + query, {{"Content-Type", type}}, octets, admin_key);
  }
  Reply validate(const std::string& octets) {
    return send("POST", "/api/v1/contracts/_validate", {{"Content-Type", "application/xml"}}, octets, admin_key);
  }
  std::string imported(const std::string& octets) {
    const auto reply = upload(octets);
    EXPECT_EQ(reply.status, 201U) << reply.body;
    return reply.json.value("id", "");
  }
  std::string active(const CpaTerms& terms = {.cpa_id = "cpa-nieuw"}) {
    const auto id = imported(document(terms));
    EXPECT_EQ(change("POST", "/contracts/" + id, "/_activate").status, 200U);
    return id;
  }
  std::string state(const std::string& id) { return admin_get("/contracts/" + id).json.value("state", ""); }
  static std::set<std::string> codes(const Reply& reply, std::string_view severity) {
    std::set<std::string> out;
    for (const auto& finding : reply.json.value("findings", Json::array()))
      if (finding.value("severity", "") == severity) out.insert(finding.value("code", ""));
    return out;
  }
  std::size_t stored() {
    return query<std::vector<exchange::Contract>>([](sql::Transaction& tx) { return exchange::all_contracts(tx, "cpa"); }).size();
  }
};

// --- import ------------------------------------------------------------------------------------------------------------------------

// CPA-005, CPA-051, ADP-300, cpa.md 6.1 row 4
TEST_F(ContractRoutes, AnImportKeepsTheOctetsAndGivesThemBack) {
  auto odd = replaced(document(), "<tns:Status", "<!-- een opmerking\r\n --><tns:Status") + "\r\n";
  const auto reply = upload(odd);
  ASSERT_EQ(reply.status, 201U) << reply.body;
  const std::string id = reply.json["id"];
  EXPECT_EQ(reply.header("Location"), "/api/v1/contracts/" + id);
  EXPECT_EQ(reply.header("ETag"), "\"1\"");
  EXPECT_EQ(reply.json["kind"], "cpa");
  EXPECT_EQ(reply.json["cpaId"], "cpa-nieuw");
  EXPECT_EQ(reply.json["state"], "validated");
  EXPECT_EQ(reply.json["digest"], sha256_hex(odd));
  EXPECT_TRUE(reply.json["findings"].is_array());
  const auto exported = admin_get("/contracts/" + id + "/document");
  EXPECT_EQ(exported.body, odd);
  EXPECT_EQ(exported.header("Content-Type"), "application/xml");
  EXPECT_EQ(exported.header("Content-Disposition"), "attachment; filename=\"cpa-nieuw.xml\"");
  EXPECT_EQ(exported.header("Repr-Digest"), "sha-256=:" + to_base64(sha256(odd)) + ":");
  EXPECT_THAT(audited(), ElementsAre("contract.import " + id));
}

// cpa.md section 5 and CPA-111: an id is never a path
TEST_F(ContractRoutes, AnOddIdMakesAHarmlessFileName) {
  const auto id = imported(replaced(document(), "tns:cpaid=\"cpa-nieuw\"", "tns:cpaid=\"../a/b&quot;c\""));
  EXPECT_EQ(admin_get("/contracts/" + id).json["cpaId"], "../a/b\"c");
  EXPECT_EQ(admin_get("/contracts/" + id + "/document").header("Content-Disposition"), "attachment; filename=\"_._a_b_c.xml\"");
}

// CPA-051, cpa.md 6.1 row 19
TEST_F(ContractRoutes, TheSameOctetsChangeNothingAndOthersNeedOverwrite) {
  const auto first = document(), other = replaced(first, "Gemeente Voorbeeldstad", "Gemeente Elders");
  const auto id = imported(first);
  const auto again = upload(first);
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.json["id"], id);
  EXPECT_EQ(again.header("ETag"), "\"1\"");
  const auto refused = upload(other);
  EXPECT_EQ(refused.status, 409U);
  EXPECT_EQ(refused.code(), "state.conflict");
  EXPECT_THAT(refused.json.value("detail", ""), ::testing::AllOf(HasSubstr(sha256_hex(first)), HasSubstr(sha256_hex(other))));
  EXPECT_EQ(admin_get("/contracts/" + id + "/document").body, first);
  EXPECT_THAT(upload(other, "?overwrite=yes").faults(), ElementsAre("query overwrite format"));
  const auto replaced_reply = upload(other, "?overwrite=true");
  EXPECT_EQ(replaced_reply.status, 200U) << replaced_reply.body;
  EXPECT_EQ(replaced_reply.json["id"], id);
  EXPECT_EQ(admin_get("/contracts/" + id + "/document").body, other);
  EXPECT_EQ(admin_get("/contracts/" + id).json["formerVersions"], 1);
  EXPECT_THAT(audited(), ElementsAre("contract.import " + id, "contract.replace " + id));
}

// ADP-300, CPA-118: no side effect
TEST_F(ContractRoutes, ValidationStoresNothingAndTellsEverythingAtOnce) {
  const auto good = validate(document());
  EXPECT_EQ(good.status, 200U);
  EXPECT_EQ(good.json["wellFormed"], true);
  EXPECT_EQ(good.json["schemaValid"], true);
  EXPECT_EQ(good.json["profile"], "osb-rm");
  EXPECT_EQ(good.json["cpaId"], "cpa-nieuw");
  EXPECT_THAT(codes(good, "error"), ::testing::IsEmpty());
  auto wrong = replaced(replaced(document(), "<tns:PersistDuration>PT10M", "<tns:PersistDuration>PT1M"), "<tns:RetryInterval>PT2S",
                        "<tns:RetryInterval>-PT2S");
  wrong = replaced(wrong, "tns:action=\"meld\"", "tns:action=\"meld je\"");
  const auto many = validate(wrong);
  EXPECT_THAT(codes(many, "error"), ::testing::IsSupersetOf({"V14", "V29a"})) << many.body;
  EXPECT_THAT(codes(many, "warning"), ::testing::IsSupersetOf({"V13b", "V29c"})) << many.body;
  for (const auto& finding : many.json["findings"]) EXPECT_TRUE(finding["path"].get<std::string>().starts_with("/")) << finding;
  EXPECT_EQ(validate("<a").json["wellFormed"], false);
  EXPECT_EQ(stored(), 0U);
  EXPECT_TRUE(audit_log().empty());
}

// cpa.md section 5 (6.1 row 29), CPA-002, CPA-004, ADP-302 (exactly two parties), ADP-303: refused with its rule, nothing stored
TEST_F(ContractRoutes, EachKindOfBadDocumentIsRefusedWithItsRule) {
  const auto good = document();
  const std::string third = good.substr(good.find("<tns:PartyInfo"), good.find("</tns:PartyInfo>") + 16 - good.find("<tns:PartyInfo"));
  std::string deep = "<a>";
  for (int i = 0; i < 200; ++i) deep += "<a>";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"nothing of XML", "V01"},
      {good.substr(0, good.size() / 2), "V01"},
      {"\xff\xfe\xff\xff", "V01"},
      {replaced(good, "encoding=\"UTF-8\"", "encoding=\"EBCDIC\""), "V01"},
      {replaced(good, "?><tns", "?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><tns"), "V01"},
      {replaced(good, "<tns:Status", "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/><tns:Status"),
       "V01"},
      {deep, "V01"},
      {replaced(replaced(good, "<tns:CollaborationProtocolAgreement", "<tns:CollaborationProtocolProfile"),
                "</tns:CollaborationProtocolAgreement>", "</tns:CollaborationProtocolProfile>"),
       "V02"},
      {replaced(good, "<tns:SimplePart", third + "<tns:SimplePart"), "V02"},
      {replaced(good, "tns:cpaid=", "cpaid="), "V02"},
      {replaced(good, "tns:value=\"agreed\"", "tns:value=\"final\""), "V02"},
      {replaced(good, "<tns:Start>2025-01-01T00:00:00Z", "<tns:Start>2025-01-01"), "V02"},
      {replaced(good, "<tns:ChannelId>Melder_Action", "<tns:ChannelId>Nergens"), "V04"},
      {replaced(good, "<tns:ChannelId>Melder_Action", "<tns:ChannelId>Melder_Transport"), "V04"},
      {replaced(good, "<tns:ChannelId>Melder_Action", "<tns:ChannelId>Ontvanger_Action"), "V04"},
  };
  for (const auto& [octets, rule] : rows) {
    const auto reply = upload(octets);
    EXPECT_EQ(reply.status, 400U) << octets.substr(0, 200);
    EXPECT_EQ(reply.code(), "contract.invalid") << octets.substr(0, 200);
    EXPECT_THAT(codes(reply, "error"), ElementsAre(rule)) << reply.body;
    EXPECT_EQ(reply.header("Content-Type"), "application/problem+json");
  }
  EXPECT_EQ(stored(), 0U);
}

// cpa.md section 5: a schemaLocation is passed over, and nothing is fetched
TEST_F(ContractRoutes, AForeignSchemaLocationIsPassedOver) {
  const auto located = replaced(
      document(),
      "xmlns:tns=", "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:x http://127.0.0.1:1/x\" xmlns:tns=");
  EXPECT_EQ(upload(located).status, 201U);
}

// cpa.md section 5: the read stops at the limit; only XML is read
TEST_F(ContractRoutes, TooMuchOrSomethingElseIsNotRead) {
  const auto large = document() + std::string(2 * 1024 * 1024, ' ');
  EXPECT_EQ(upload(large).status, 413U);
  EXPECT_EQ(validate(large).status, 413U);
  for (const auto* type : {"application/json", "text/plain", "multipart/mixed; boundary=x", ""})
    EXPECT_EQ(upload(document(), "", type).status, 415U) << type;
  EXPECT_EQ(upload(document(), "", "text/xml; charset=utf-8").status, 201U);
}

// ADP-300: the description of a service comes as a form; every fault is told, nothing is stored
TEST_F(ContractRoutes, AFormThatIsNoServiceIsRefused) {
  const std::string type = "multipart/form-data; boundary=b";
  const auto part = [](const std::string& disposition, const std::string& octets) {
    return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + octets + "\r\n";
  };
  const std::string contract =
      R"({"kind":"wsdl","settings":{"role":"provider","profile":"2W-be","ownOin":"00000099000000010000","path":"/wus/x","backend":{"url":"http://127.0.0.1:1/x"}}})";
  const std::string wsdl = part(R"(name="document"; filename="a.wsdl")", "<definitions xmlns=\"http://schemas.xmlsoap.org/wsdl/\"/>");
  const auto code = [&](const std::string& form) { return upload(form + "--b--\r\n", "", type).code(); };
  EXPECT_EQ(code(wsdl), "request.invalid") << "no contract";
  EXPECT_EQ(code(part("name=\"contract\"", contract) + part("name=\"contract\"", contract) + wsdl), "request.invalid") << "two contracts";
  EXPECT_EQ(code(part("name=\"contract\"", contract) + part("name=\"document\"", "<a/>")), "request.invalid")
      << "a document without a name";
  EXPECT_EQ(code(part("name=\"other\"", "x")), "request.invalid");
  EXPECT_EQ(code(part("name=\"contract\"", "{") + wsdl), "request.invalid");
  EXPECT_EQ(code(part("name=\"contract\"", R"({"kind":"cpa","settings":{}})") + wsdl), "request.invalid");
  EXPECT_EQ(code(part("name=\"contract\"", R"({"kind":"wsdl","settings":{},"more":1})") + wsdl), "request.invalid");
  EXPECT_EQ(code(part("name=\"contract\"", contract) + wsdl + wsdl), "request.invalid") << "one name twice";
  const auto judged = upload(part("name=\"contract\"", R"({"kind":"wsdl","settings":{"role":"provider"}})") + wsdl + "--b--\r\n", "", type);
  EXPECT_EQ(judged.code(), "contract.invalid") << judged.body;
  EXPECT_FALSE(judged.json["findings"].empty()) << judged.body;
  EXPECT_FALSE(judged.json["errors"].empty()) << judged.body;
  EXPECT_EQ(get("/contracts?kind=wsdl").body, "[]");
}

// CPA-052, ADP-303: neither party, or both, is of the tenant; CPA-011: the end has come
TEST_F(ContractRoutes, OnlyAContractOfTheTenantIsTaken) {
  EXPECT_THAT(codes(upload(replaced(document(), own_oin, strange_oin)), "error"), ::testing::Contains("V44"));
  const auto theirs = send("POST", "/api/v1/contracts", {{"Content-Type", "application/xml"}}, document(), other_key);
  EXPECT_EQ(theirs.status, 201U) << "the other party loads its own copy: " << theirs.body;
  const auto ours = imported(document());
  EXPECT_NE(ours, theirs.json["id"]);
  EXPECT_EQ(admin_get("/contracts").json.size(), 1U);
}

// ADP-010 (contracts), CPA-034, CPA-063, cpa.md section 5: certificate of another OIN, in production; no override
TEST_F(ContractRoutes, ProductionRefusesWhatATestOnlyWarnsOf) {
  const auto mixed = CpaDocument({.cpa_id = "cpa-nieuw"},
                                 {"Gemeente Voorbeeldstad", own_oin, "Melder", "http://stad.example/ebms", certificate_of(own_oin)},
                                 {"LV-Voorbeeld", partner_oin, "Ontvanger", "https://lv.example/ebms", certificate_of(own_oin)})
                         .text();
  const auto in_test = validate(mixed);
  EXPECT_THAT(codes(in_test, "error"), ::testing::IsEmpty()) << in_test.body;
  EXPECT_THAT(codes(in_test, "warning"), ::testing::IsSupersetOf({"V20a", "V37b"}));
  stad_environment = "production";
  const auto refused = upload(mixed, "?overwrite=true");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_THAT(codes(refused, "error"), ::testing::IsSupersetOf({"V07e", "V08", "V20a", "V37b"})) << refused.body;
  EXPECT_EQ(stored(), 0U);
}

// CPA-004: the fields of a problem
TEST_F(ContractRoutes, ARefusedImportIsAProblemWithFindings) {
  const auto reply = upload("<a/>");
  EXPECT_EQ(reply.json["type"], "urn:schakel:problem:contract.invalid");
  EXPECT_EQ(reply.json["status"], 400);
  EXPECT_EQ(reply.json["title"], "Contract ongeldig");
  ASSERT_EQ(reply.json["findings"].size(), 1U);
  const auto& finding = reply.json["findings"][0];
  for (const auto* member : {"code", "severity", "path", "message"}) EXPECT_TRUE(finding.contains(member)) << member;
}

// --- life cycle --------------------------------------------------------------------------------------------------------------------

// ADP-304, CPA-050, CPA-053
TEST_F(ContractRoutes, GoesFromValidatedToRetired) {
  const auto id = imported(document());
  const std::string path = "/contracts/" + id;
  EXPECT_EQ(change("POST", path, "/_suspend").code(), "state.conflict") << "it is not active yet";
  const auto activated = change("POST", path, "/_activate");
  EXPECT_EQ(activated.status, 200U) << activated.body;
  EXPECT_EQ(activated.json["state"], "active");
  EXPECT_EQ(activated.header("ETag"), admin_get(path).header("ETag"));
  EXPECT_EQ(change("POST", path, "/_suspend").json["state"], "suspended");
  EXPECT_EQ(change("POST", path, "/_activate").json["state"], "active") << "resumed";
  const auto retired = change("POST", path, "/_retire");
  EXPECT_EQ(retired.json["state"], "retired");
  EXPECT_EQ(retired.json["retiredAt"], to_rfc3339(clock.at));
  EXPECT_EQ(change("POST", path, "/_activate").code(), "state.conflict");
  EXPECT_EQ(change("POST", path, "/_retire").code(), "state.conflict");
  EXPECT_EQ(change("DELETE", path).status, 204U);
  EXPECT_EQ(admin_get(path).status, 404U);
  EXPECT_EQ(admin_get(path + "/document").status, 404U);
  EXPECT_THAT(audited(), ElementsAre("contract.import " + id, "contract.activate " + id, "contract.suspend " + id,
                                     "contract.activate " + id, "contract.retire " + id, "contract.delete " + id));
}

// README section 5: every change of configuration
TEST_F(ContractRoutes, EveryChangeWantsTheVersionThatItSaw) {
  const auto id = imported(document());
  const std::string path = "/api/v1/contracts/" + id;
  const std::vector<std::tuple<std::string, std::string, std::string>> changes = {{"POST", "/_activate", ""},
                                                                                  {"POST", "/_suspend", ""},
                                                                                  {"POST", "/_retire", ""},
                                                                                  {"PATCH", "", R"({"settings":{"tlsOffloaded":true}})"},
                                                                                  {"DELETE", "", ""}};
  for (const auto& [method, operation, body] : changes) {
    http::Headers headers;
    if (!body.empty()) headers.set("Content-Type", "application/merge-patch+json");
    const auto missing = send(method, path + operation, headers, body, admin_key);
    EXPECT_EQ(missing.status, 428U) << method << operation;
    EXPECT_EQ(missing.code(), "version.missing") << method << operation;
    for (const auto* stale : {"\"0\"", "\"2\"", "W/\"1\"", "1"}) {
      headers.set("If-Match", stale);
      const auto refused = send(method, path + operation, headers, body, admin_key);
      EXPECT_EQ(refused.status, 412U) << method << operation << stale;
      EXPECT_EQ(refused.code(), "version.conflict") << method << operation << stale;
    }
  }
  EXPECT_EQ(state(id), "validated");
}

// CPA-010, CPA-052: a proposal, and an own certificate without its private key
TEST_F(ContractRoutes, WhatMayNotBeActiveSaysWhy) {
  const auto proposal = imported(replaced(document(), "tns:value=\"agreed\"", "tns:value=\"proposed\""));
  const auto refused = change("POST", "/contracts/" + proposal, "/_activate");
  EXPECT_EQ(refused.status, 409U);
  EXPECT_THAT(codes(refused, "error"), ElementsAre("V11"));
  const auto keyless = imported(document({.cpa_id = "cpa-zonder-sleutel"}));
  std::string asked_tenant;
  complete_validation = [&](std::string_view tenant, cpa::ValidationOptions& options) {
    asked_tenant = tenant;
    options.has_private_key = [](const security::Certificate&) { return false; };
  };
  const auto without_key = change("POST", "/contracts/" + keyless, "/_activate");
  EXPECT_EQ(without_key.status, 409U);
  EXPECT_THAT(codes(without_key, "error"), ElementsAre("V43"));
  EXPECT_EQ(asked_tenant, "stad");
  complete_validation = nullptr;
  EXPECT_EQ(change("POST", "/contracts/" + keyless, "/_activate").status, 200U);
}

// EB-211: a profile that this node has no means for is not activated; it would be refused at every message.
TEST_F(ContractRoutes, ASignedProfileNeedsTheMeansToSign) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto id = imported(testing::example_cpa());
  const auto refused = change("POST", "/contracts/" + id, "/_activate");
  EXPECT_EQ(refused.status, 409U) << refused.body;
  EXPECT_EQ(refused.code(), "state.conflict");
  EXPECT_FALSE(refused.json["actions"].empty());
  EXPECT_EQ(state(id), "validated");
}

// ADP-306, cpa.md 2.7: settings beside the document
TEST_F(ContractRoutes, SettingsAreMergedAndJudged) {
  const auto id = imported(document());
  const std::string path = "/contracts/" + id;
  const auto changed = change("PATCH", path, "", {{"settings", {{"tlsOffloaded", true}, {"authentication", "exact"}}}});
  ASSERT_EQ(changed.status, 200U) << changed.body;
  EXPECT_EQ(changed.json["settings"]["tlsOffloaded"], true);
  EXPECT_EQ(change("PATCH", path, "", {{"settings", {{"replaces", "former"}}}}).json["settings"]["authentication"], "exact");
  EXPECT_THAT(change("PATCH", path, "", {{"settings", {{"unknown", 1}}}}).faults(),
              ElementsAre("body /settings/unknown contract.settings"));
  EXPECT_THAT(change("PATCH", path, "", {{"settings", {{"authentication", "maybe"}}}}).faults(),
              ElementsAre("body /settings/authentication contract.settings"));
  EXPECT_THAT(change("PATCH", path, "", {{"state", "active"}}).faults(), ElementsAre("body /settings required", "body /state unknown"));
  const auto version = admin_get(path).header("ETag");
  const auto twice = send("PATCH", api_path(path), {{"Content-Type", "application/merge-patch+json"}, {"If-Match", version}},
                          R"({"settings":{"tlsOffloaded":true,"tlsOffloaded":false}})", admin_key);
  EXPECT_THAT(twice.faults(), ElementsAre("body /settings/tlsOffloaded duplicateName"));
}

// CPA-053, ADP-307, cpa.md 6.1 row 20
TEST_F(ContractRoutes, IsNotDeletedWhileMessagesAreOpenOrKept) {
  const auto id = active();
  auto inbound = receive();
  commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("UPDATE messages SET contract_id = $1, persist_until = $2 WHERE id = $3", {id, clock.at + 48h, inbound.id}));
    return {};
  });
  const auto refused = change("DELETE", "/contracts/" + id);
  EXPECT_EQ(refused.status, 409U);
  EXPECT_EQ(refused.code(), "contract.inUse");
  EXPECT_THAT(refused.json.value("detail", ""), HasSubstr("1"));
  EXPECT_EQ(post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}}).status, 204U);
  EXPECT_EQ(change("DELETE", "/contracts/" + id).code(), "contract.inUse") << "inside PersistDuration";
  clock.at += 49h;
  EXPECT_EQ(change("DELETE", "/contracts/" + id).status, 204U);
}

// --- reading -----------------------------------------------------------------------------------------------------------------------

TEST_F(ContractRoutes, AreListedByKindIdAndState) {
  for (const auto* cpa_id : {"a", "b", "c"}) imported(document({.cpa_id = cpa_id}));
  const auto b = admin_get("/contracts?cpaId=b").json;
  ASSERT_EQ(b.size(), 1U);
  ASSERT_EQ(change("POST", "/contracts/" + b[0].value("id", ""), "/_activate").status, 200U);
  EXPECT_EQ(admin_get("/contracts?state=active").json[0]["cpaId"], "b");
  EXPECT_EQ(admin_get("/contracts?state=validated").json.size(), 2U);
  EXPECT_EQ(admin_get("/contracts?kind=cpa").json.size(), 3U);
  EXPECT_EQ(admin_get("/contracts?kind=wsdl").json.size(), 0U);
  const auto page = admin_get("/contracts?perPage=2&page=2");
  EXPECT_EQ(page.json.size(), 1U);
  EXPECT_EQ(page.header("Total-Count"), "3");
  EXPECT_EQ(page.header("Link"),
            "</api/v1/contracts?page=1&perPage=2>; rel=\"first\", </api/v1/contracts?page=1&perPage=2>; rel=\"prev\", "
            "</api/v1/contracts?page=2&perPage=2>; rel=\"last\"");
  EXPECT_THAT(admin_get("/contracts?kind=x&state=y&perPage=101&other=1").faults(),
              ::testing::UnorderedElementsAre("query kind enum", "query state enum", "query perPage range", "query other unknown"));
}

// ADP-202, cpa.md section 5: not 403, existence is not revealed
TEST_F(ContractRoutes, OfAnotherTenantLookLikeNothing) {
  const auto id = imported(document());
  const auto unknown = send("GET", "/api/v1/contracts/none", {}, "", other_key);
  EXPECT_EQ(unknown.status, 404U);
  for (const auto* operation : {"", "/document"})
    EXPECT_EQ(send("GET", "/api/v1/contracts/" + id + operation, {}, "", other_key).body, unknown.body) << operation;
  for (const auto* operation : {"/_activate", "/_suspend", "/_retire"})
    EXPECT_EQ(send("POST", "/api/v1/contracts/" + id + operation, {{"If-Match", "*"}}, "", other_key).body, unknown.body) << operation;
  EXPECT_EQ(send("DELETE", "/api/v1/contracts/" + id, {{"If-Match", "*"}}, "", other_key).body, unknown.body);
  EXPECT_EQ(state(id), "validated");
}

// ADP-305, CPA-057: the choice is explained, with the reason of every other
TEST_F(ContractRoutes, TheMatchIsExplained) {
  load_contracts({agreement("cpa-1", cpa::Profile::osb_rm).loaded("stad", 0), agreement("cpa-2", cpa::Profile::osb_be).loaded("stad", 0),
                  agreement("cpa-3", cpa::Profile::osb_be).loaded("dorp", 1)});
  const std::string asked =
      std::string("/contracts/_match?from=") + own_oin + "&to=" + partner_oin + "&service=sim:Melding:1:0&action=question";
  const auto several = admin_get(asked);
  EXPECT_EQ(several.json["reason"]["code"], "contract.ambiguous");
  EXPECT_EQ(several.json["others"].size(), 2U) << "of the tenant only";
  const auto named = admin_get(asked + "&cpaId=cpa-2");
  EXPECT_EQ(named.json["chosen"]["cpaId"], "cpa-2");
  EXPECT_EQ(named.json["chosen"]["profile"], "osb-be");
  EXPECT_EQ(named.json["chosen"]["url"], "https://lv.example/ebms");
  EXPECT_EQ(admin_get("/contracts/_match?action=nothing").json["reason"]["code"], "contract.unknown");
  EXPECT_EQ(admin_get(asked + "&cpaId=cpa-2&fromRole=Ontvanger").json["reason"]["code"], "contract.actionNotAllowed");
  EXPECT_EQ(admin_get(asked + "&cpaId=cpa-2&toRole=Melder").json["reason"]["code"], "contract.actionNotAllowed");
  EXPECT_EQ(admin_get(asked + "&cpaId=cpa-2&at=2099-01-01T00:00:00Z").json["reason"]["code"], "contract.expired");
  EXPECT_THAT(admin_get("/contracts/_match?at=today").faults(), ElementsAre("query at format"));
}

// ADP-305
TEST_F(ContractRoutes, ASubmitThatFitsTwoContractsMustNameOne) {
  load_contracts({agreement("cpa-1", cpa::Profile::osb_rm).loaded("stad", 0), agreement("cpa-2", cpa::Profile::osb_rm).loaded("stad", 0)});
  auto body = submit_body();
  body.erase("cpaId");
  const auto refused = post("/messages", body);
  EXPECT_EQ(refused.status, 409U);
  EXPECT_EQ(refused.code(), "contract.ambiguous");
  EXPECT_THAT(refused.json.value("candidates", std::vector<std::string>()), ::testing::SizeIs(2)) << refused.body;
  body["cpaId"] = "cpa-2";
  EXPECT_EQ(post("/messages", body).json["cpaId"], "cpa-2");
}

// --- partners ----------------------------------------------------------------------------------------------------------------------

TEST_F(ContractRoutes, PartnersAreShownWithTheirContractsAndEndpoints) {
  const auto partners = admin_get("/partners");
  ASSERT_EQ(partners.json.size(), 1U) << partners.body;
  EXPECT_EQ(partners.header("Total-Count"), "1");
  EXPECT_EQ(partners.json[0]["oin"], partner_oin);
  EXPECT_EQ(partners.json[0]["contracts"][0]["cpaId"], "cpa-1");
  EXPECT_EQ(partners.json[0]["endpoints"][0]["url"], "https://lv.example/ebms");
  for (int i = 0; i < 5; ++i)
    commit([&](sql::Transaction& tx) { return exchange::record_outcome(tx, "https://lv.example:443", false, clock.at); });
  const auto one = admin_get(std::string("/partners/") + partner_oin);
  EXPECT_EQ(one.json["endpoints"][0]["failures"], 5);
  EXPECT_EQ(one.json["endpoints"][0]["circuitOpenUntilAt"], to_rfc3339(clock.at + 60s)) << "ADP-704";
  EXPECT_EQ(admin_get(std::string("/partners/") + strange_oin).status, 404U);
  EXPECT_EQ(admin_get(std::string("/partners/") + own_oin).status, 404U);
}

// ADP-808 (ping): what the partner answered, or why there is no answer
TEST_F(ContractRoutes, APingThatIsNotAnsweredSaysSo) {
  settings.ping_timeout = 0ms;
  start();
  const auto silent = send("POST", api_path(std::string("/partners/") + partner_oin + "/_ping"), {}, "", admin_key);
  EXPECT_EQ(silent.status, 504U) << silent.body;
  EXPECT_EQ(silent.code(), "call.timeout");
  EXPECT_EQ(send("POST", api_path(std::string("/partners/") + strange_oin + "/_ping"), {}, "", admin_key).status, 404U);
  EXPECT_EQ(admin("POST", std::string("/partners/") + partner_oin + "/_ping", {{"cpaId", "cpa-2"}}).status, 404U)
      << "the contract of another tenant";
  EXPECT_THAT(admin("POST", std::string("/partners/") + partner_oin + "/_ping", {{"other", 1}}).faults(),
              ElementsAre("body /other unknown"));
}

}  // namespace
}  // namespace schakel::api
