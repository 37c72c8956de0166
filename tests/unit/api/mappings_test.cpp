// URL and certificate mappings, mandates (cpa.md 3.6, ADP-207, ADP-306).
#include "api_fixture.hpp"
#include "security/keys.hpp"
#include "support/pki.hpp"

namespace schakel::api {
namespace {

class Mappings : public ApiTest {
 protected:
  // Certificates of the test PKI are valid now, by the real clock.
  Mappings() { clock.at = test::start(); }
  static security::Issued issued(const std::string& oin) { return test::pki().tls(oin, "Organisatie", {"lv.example"}); }
  static std::string base64(const security::Issued& one) { return to_base64(one.certificate->der); }
};

const Json mapped = {{"source", "https://lv.example/ebms"}, {"destination", "https://nieuw.example/ebms"}};

// CPA-058, ADP-306
TEST_F(Mappings, AUrlIsMappedReplacedAndUnmapped) {
  const auto made = admin("POST", "/url-mappings", mapped);
  ASSERT_EQ(made.status, 201U) << made.body;
  const std::string id = made.json["id"];
  EXPECT_EQ(made.header("Location"), "/api/v1/url-mappings/" + id);
  EXPECT_EQ(made.header("ETag"), "\"1\"");
  EXPECT_EQ(made.json["destination"], "https://nieuw.example/ebms");
  EXPECT_FALSE(made.json.contains("cpaId"));
  auto other = mapped;
  other["destination"] = "https://nieuwer.example/ebms";
  const auto replaced = admin("POST", "/url-mappings", other);
  EXPECT_EQ(replaced.status, 200U) << "the same key replaces";
  EXPECT_EQ(replaced.json["id"], id);
  EXPECT_EQ(replaced.header("ETag"), "\"2\"");
  other["cpaId"] = "cpa-1";
  EXPECT_EQ(admin("POST", "/url-mappings", other).status, 201U) << "a specific one beside the general";
  EXPECT_EQ(admin_get("/url-mappings").json.size(), 2U);
  EXPECT_EQ(admin_get("/url-mappings?perPage=1&page=2").header("Total-Pages"), "2");
  EXPECT_EQ(admin_get("/url-mappings/" + id).json["destination"], "https://nieuwer.example/ebms");
  EXPECT_EQ(admin("DELETE", "/url-mappings/" + id).status, 428U);
  EXPECT_EQ(admin("DELETE", "/url-mappings/" + id, nullptr, {{"If-Match", "\"1\""}}).status, 412U);
  EXPECT_EQ(change("DELETE", "/url-mappings/" + id).status, 204U);
  EXPECT_EQ(change("DELETE", "/url-mappings/" + id).status, 404U);
  EXPECT_EQ(admin_get("/url-mappings/" + id).status, 404U);
  EXPECT_THAT(audited(), ::testing::Contains("urlMapping.delete " + id));
  EXPECT_EQ(audit_log()[1]["before"]["destination"], "https://nieuw.example/ebms") << "the override is in the audit log";
}

// cpa.md section 5: to itself, no URL; CPA-058: https in production
TEST_F(Mappings, AWrongUrlIsRefused) {
  const auto faults = [&](const Json& destination) {
    auto body = mapped;
    body["destination"] = destination;
    return admin("POST", "/url-mappings", body).faults();
  };
  for (const auto* wrong :
       {"https://lv.example/ebms", "lv.example/ebms", "ftp://nieuw.example/ebms", "/ebms", "https://u:p@nieuw.example/"})
    EXPECT_THAT(faults(wrong), ElementsAre("body /destination mapping.invalid")) << wrong;
  EXPECT_THAT(faults(5), ElementsAre("body /destination type"));
  EXPECT_THAT(admin("POST", "/url-mappings", Json::object()).faults(), ElementsAre("body /source required", "body /destination required"));
  EXPECT_EQ(faults("http://nieuw.example/ebms").size(), 0U) << "allowed in a test environment";
  stad_environment = "production";
  EXPECT_THAT(faults("http://nieuw.example/ebms"), ElementsAre("body /destination mapping.invalid"));
}

// CPA-058, cpa.md 6.1 row 16
TEST_F(Mappings, ACertificateIsMappedToOneOfTheSameOin) {
  const auto old_one = issued(partner_oin), new_one = issued(partner_oin), stranger = issued(strange_oin);
  const auto made = admin("POST", "/certificate-mappings", {{"source", base64(old_one)}, {"destination", base64(new_one)}});
  ASSERT_EQ(made.status, 201U) << made.body;
  EXPECT_EQ(made.json["serial"], old_one.certificate->serial);
  EXPECT_EQ(made.json["destination"], base64(new_one));
  EXPECT_FALSE(made.json["issuer"].get<std::string>().empty());
  EXPECT_EQ(admin("POST", "/certificate-mappings", {{"source", base64(old_one)}, {"destination", base64(new_one)}}).status, 200U);
  EXPECT_THAT(admin("POST", "/certificate-mappings", {{"source", base64(old_one)}, {"destination", base64(stranger)}}).faults(),
              ElementsAre("body /destination mapping.invalid"));
  EXPECT_THAT(admin("POST", "/certificate-mappings", {{"source", base64(old_one)}, {"destination", base64(old_one)}}).faults(),
              ElementsAre("body /destination mapping.invalid"));
  EXPECT_THAT(admin("POST", "/certificate-mappings", {{"source", "AAAA"}, {"destination", "?"}}).faults(),
              ElementsAre("body /source format", "body /destination format"));
  const std::string id = made.json["id"];
  EXPECT_EQ(admin_get("/certificate-mappings").json.size(), 1U);
  EXPECT_EQ(admin_get("/certificate-mappings/" + id).header("ETag"), "\"2\"");
  EXPECT_EQ(change("DELETE", "/certificate-mappings/" + id).status, 204U);
  EXPECT_EQ(admin_get("/certificate-mappings/" + id).status, 404U);
}

// cpa.md section 5: an expired destination
TEST_F(Mappings, AnExpiredCertificateReplacesNothing) {
  const auto old_one = issued(partner_oin), new_one = issued(partner_oin);
  clock.at = new_one.certificate->not_after + 1s;
  const auto fresh = make_key("stad", {"tenant-admin"});
  const auto reply = send("POST", "/api/v1/certificate-mappings", {{"Content-Type", "application/json"}},
                          Json{{"source", base64(old_one)}, {"destination", base64(new_one)}}.dump(), fresh);
  EXPECT_THAT(reply.faults(), ElementsAre("body /destination mapping.invalid")) << reply.body;
}

// CPA-120, cpa.md section 5: nothing of it is stored or logged
TEST_F(Mappings, APrivateKeyIsRefusedInEveryForm) {
  const auto one = issued(partner_oin);
  const auto pem = security::private_key_pem(one.key_pair->key()).value();
  const auto begin = pem.find('\n') + 1;
  const auto pkcs8 = from_base64_lenient(pem.substr(begin, pem.find("-----END") - begin)).value();
  const auto encrypted = security::private_key_pem(one.key_pair->key(), "geheim").value();
  const auto inner = encrypted.find('\n') + 1;
  const auto encrypted_der = from_base64_lenient(encrypted.substr(inner, encrypted.find("-----END") - inner)).value();
  // The beginning of a PFX (RFC 7292): SEQUENCE, version 3, ContentInfo.
  const std::string pfx("\x30\x82\x01\x10\x02\x01\x03\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", 22);
  for (const auto& secret : {pem, to_base64(pem), to_base64(pkcs8), to_base64(encrypted_der), to_base64(pfx)}) {
    const auto reply = admin("POST", "/certificate-mappings", {{"source", base64(one)}, {"destination", secret}});
    EXPECT_EQ(reply.status, 400U);
    EXPECT_EQ(reply.code(), "certificate.privateKeyRefused") << secret.substr(0, 60);
    EXPECT_THAT(reply.faults(), ElementsAre("body /destination certificate.privateKeyRefused"));
    EXPECT_EQ(reply.body.find(secret.substr(0, 40)), std::string::npos);
  }
  EXPECT_EQ(admin_get("/certificate-mappings").json.size(), 0U);
  EXPECT_TRUE(audit_log().empty());
}

// SEC-115: members that repeat, in every body
TEST_F(Mappings, ARepeatedMemberIsRefusedInEveryBody) {
  for (const auto& route : api->routes()) {
    const bool reads_json = route.body == Body::json || route.body == Body::merge_patch || route.body == Body::optional_json ||
                            (route.body == Body::stream && route.path == "/messages");
    if (!reads_json) continue;
    std::string path = "/api/v1" + std::string(route.path);
    for (auto begin = path.find('{'); begin != std::string::npos; begin = path.find('{'))
      path.replace(begin, path.find('}') - begin + 1, "0199a1b2-7c3d-7e11-9abc-0123456789ab");
    const auto& token = std::string(route.path).starts_with("/queues") ? key : admin_key;
    const auto reply = send(std::string(route.method), path, {{"Content-Type", "application/json"}, {"If-Match", "*"}},
                            R"({"a":1,"b":{"c":1,"c":2},"a":2})", token);
    EXPECT_EQ(reply.status, 400U) << route.method << " " << route.path << reply.body;
    EXPECT_THAT(reply.faults(), ::testing::IsSupersetOf({"body /b/c duplicateName", "body /a duplicateName"}))
        << route.method << " " << route.path;
  }
}

// --- mandates ------------------------------------------------------------------------------------------------------------------------

const Json mandate = {{"mandatorOin", own_oin},
                      {"mandataryOin", strange_oin},
                      {"scope", "ebms/sim:Melding:1:0"},
                      {"validFrom", "2026-01-01T00:00:00Z"},
                      {"validTo", "2027-01-01T00:00:00+01:00"},
                      {"evidence", "besluit 17"}};

// ADP-207
TEST_F(Mappings, AMandateIsRecordedShortenedAndRevoked) {
  const auto made = admin("POST", "/mandates", mandate);
  ASSERT_EQ(made.status, 201U) << made.body;
  const std::string path = "/mandates/" + std::string(made.json["id"]);
  EXPECT_EQ(made.json["status"], "active");
  EXPECT_EQ(made.json["direction"], "both");
  EXPECT_EQ(made.json["validTo"], "2026-12-31T23:00:00.000Z");
  EXPECT_EQ(admin_get(path).json["evidence"], "besluit 17");
  EXPECT_EQ(admin("POST", "/mandates", mandate).status, 201U) << "each is a record of its own";
  EXPECT_EQ(admin_get("/mandates").header("Total-Count"), "2");
  EXPECT_EQ(change("PATCH", path, "", {{"validTo", "2026-06-01T00:00:00Z"}}).json["validTo"], "2026-06-01T00:00:00.000Z");
  EXPECT_EQ(admin("PATCH", path, {{"status", "revoked"}}).status, 428U);
  EXPECT_EQ(change("PATCH", path, "", {{"status", "revoked"}}).json["status"], "revoked");
  EXPECT_EQ(change("PATCH", path, "", {{"status", "active"}}).code(), "state.conflict") << "a revoked one does not come back";
  EXPECT_THAT(change("PATCH", path, "", {{"mandatorOin", partner_oin}}).faults(), ElementsAre("body /mandatorOin unknown"))
      << "who acts for whom never changes under one id";
  EXPECT_EQ(audit_log().back()["before"]["status"], "active");
  EXPECT_EQ(audit_log().back()["after"]["status"], "revoked");
  EXPECT_EQ(send("GET", api_path(path), {}, "", other_key).status, 404U);
}

// ADP-207
TEST_F(Mappings, AWrongMandateIsToldEveryFault) {
  auto body = mandate;
  body["mandatorOin"] = "123";
  body["direction"] = "sideways";
  body["validTo"] = "2025-01-01T00:00:00Z";
  body.erase("scope");
  body["more"] = 1;
  EXPECT_THAT(admin("POST", "/mandates", body).faults(),
              ::testing::UnorderedElementsAre("body /mandatorOin oin.invalid", "body /scope required", "body /direction enum",
                                              "body /validTo range", "body /more unknown"));
  body = mandate;
  body["mandataryOin"] = own_oin;
  EXPECT_THAT(admin("POST", "/mandates", body).faults(), ElementsAre("body /mandataryOin format"));
  body["mandataryOin"] = "00000099-00000020000";
  EXPECT_EQ(admin("POST", "/mandates", body).code(), "oin.invalid");
}

// SEC-083
TEST_F(Mappings, AnAlgorithmExceptionIsDatedAndAudited) {
  const auto until = [&](std::chrono::days days) { return to_rfc3339(clock.at + days); };
  const Json wanted = {{"partnerOin", "00000099000000300000"},
                       {"protocol", "ebms"},
                       {"algorithm", "http://www.w3.org/2001/04/xmlenc#aes256-cbc"},
                       {"reason", "tot de nieuwe adapter"},
                       {"until", until(std::chrono::days(90))}};
  const auto made = admin("POST", "/algorithm-exceptions", wanted);
  ASSERT_EQ(made.status, 201U) << made.body;
  const std::string id = made.json["id"];
  EXPECT_EQ(made.json["from"], to_rfc3339(clock.at));
  EXPECT_EQ(admin("POST", "/algorithm-exceptions", wanted).status, 200U) << "set anew";
  EXPECT_EQ(admin_get("/algorithm-exceptions").json.size(), 1U);
  const auto faults = [&](const char* name, const Json& value) {
    auto body = wanted;
    body[name] = value;
    return admin("POST", "/algorithm-exceptions", body).faults();
  };
  EXPECT_THAT(faults("until", until(std::chrono::days(400))), ElementsAre("body /until range")) << "at most a year";
  EXPECT_THAT(faults("until", until(std::chrono::days(-1))), ElementsAre("body /until range"));
  EXPECT_EQ(faults("algorithm", "http://www.w3.org/2001/04/xmlenc#aes192-cbc").size(), 1U);
  EXPECT_EQ(faults("protocol", "wus").size(), 1U);
  EXPECT_EQ(faults("reason", nullptr).size(), 1U);
  EXPECT_EQ(change("DELETE", "/algorithm-exceptions/" + id).status, 204U);
  EXPECT_THAT(audited(), ::testing::Contains("algorithmException.delete " + id));
}

}  // namespace
}  // namespace schakel::api
