// The external door and the life of a node: what is refused, reload, drain, CRLs, certificates. Real processes, real TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ebms/envelope.hpp"
#include "integration/partner.hpp"
#include "integration/world.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Door : public ::testing::Test {
 protected:
  RestAnswer post(http::Headers headers, std::string body) {
    return partner_.send("POST", world().register_.ebms_url(), std::move(headers), std::move(body));
  }

  // A question under this agreement, as the partner that stands at the door would write it.
  static std::string question(const std::string& cpa_id) {
    SystemRandom random;
    ebms::Envelope e;
    e.header.from = {{{"urn:osb:oin", world().stad.options().oin + "_T"}}, "Melder"};
    e.header.to = {{{"urn:osb:oin", world().register_.options().oin + "_T"}}, "Register"};
    e.header.cpa_id = cpa_id;
    e.header.conversation_id = uuid_v4(random);
    e.header.service = "Voorbeeld:Meldingen:1:0";
    e.header.service_type = "urn:osb:services";
    e.header.action = "meld";
    e.header.message_id = uuid_v4(random) + "@door.example";
    e.header.timestamp = SystemClock().now();
    return *ebms::build_envelope(e);
  }
  static http::Headers ebxml() { return {{"Content-Type", "text/xml; charset=UTF-8"}, {"SOAPAction", "\"ebXML\""}}; }
  // Some record of the register's audit log, on whichever page, holds `text`.
  static bool is_audited(const std::string& text) {
    return becomes(
        [&] {
          auto api = world().register_.admin();
          for (std::string cursor;;) {
            const auto page = api.get("/api/v1/audit-events?limit=100" + (cursor.empty() ? "" : "&cursor=" + cursor));
            if (page.body.find(text) != std::string::npos) return true;
            cursor = page.json().value("nextCursor", "");
            if (cursor.empty()) return false;
          }
        },
        10s);
  }
  // A contract of best effort: whoever posts by hand need not answer.
  static std::string contract() { return world().cpa({"door", false, false}); }

  Partner partner_{world().pki, world().stad.identity().key_pair};
};

// EB-007, EB-011
TEST_F(Door, APasswordIsNeitherAskedNorRead) {
  auto headers = ebxml();
  headers.add("Authorization", "Basic Z2VoZWltOnB3");
  const auto cpa = contract();
  ASSERT_TRUE(becomes([&] { return post(headers, question(cpa)).status == 204U; }, 10s));
  const auto refused = post({{"Content-Type", "text/xml"}, {"Authorization", "Basic Z2VoZWltOnB3"}}, "<x/>");
  EXPECT_EQ(refused.status, 500U);
  EXPECT_EQ(refused.header("WWW-Authenticate"), "");
  EXPECT_THAT(world().register_.log(), Not(HasSubstr("Z2VoZWltOnB3")));
}

// EB-132, EB-223, SEC-103
TEST_F(Door, AnotherOrganisationCannotSpeakForAPartner) {
  const auto cpa = contract();
  ASSERT_TRUE(becomes([&] { return post(ebxml(), question(cpa)).status == 204U; }, 10s));
  const auto visitor =
      world().pki.with([](test::Pki& shared) { return shared.tls("00000099000000030000", "Waterschap Voorbeeld", {"localhost"}); });
  Partner stranger(world().pki, visitor.key_pair);
  const auto answer = stranger.send("POST", world().register_.ebms_url(), ebxml(), question(cpa));
  EXPECT_EQ(answer.status, 500U) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("SENDER_NOT_AUTHORIZED"));
  EXPECT_TRUE(is_audited("SEC.OIN.GEEN_MANDAAT"));
  EXPECT_TRUE(is_audited(visitor.certificate->serial)) << world().register_.log();
}

// EB-223, SEC-110
TEST_F(Door, ADoctypeIsInTheAuditLog) {
  const auto answer = post(ebxml(), "<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x\">" + question("any"));
  EXPECT_EQ(answer.status, 500U);
  EXPECT_THAT(answer.body, HasSubstr("XML_INVALID"));
  EXPECT_TRUE(is_audited("SEC.XML.DTD")) << world().register_.log();
}

// EB-223: who answered is in the sender's log, with OIN and serial number.
TEST_F(Door, TheLogOfTheSenderNamesThePeer) {
  auto api = world().stad.application();
  const auto sent =
      submit(api, {{"cpaId", contract()}, {"service", "Voorbeeld:Meldingen:1:0"}, {"action", "meld"}, {"payloads", Json::array()}});
  ASSERT_TRUE(reaches(api, sent.value("id", ""), "DELIVERED"));
  const auto names_peer = [&] {
    std::istringstream log(world().stad.log());
    for (std::string line; std::getline(log, line);)
      if (line.find("ebms.attempted") != std::string::npos && line.find(sent.value("messageId", "?")) != std::string::npos)
        return line.find(world().register_.options().oin) != std::string::npos &&
               line.find(world().register_.identity().certificate->serial) != std::string::npos;
    return false;
  };
  EXPECT_TRUE(becomes(names_peer, 10s)) << world().stad.log();
}

// EB-004: two are none.
TEST_F(Door, ASecondSoapActionGetsAFault) {
  auto headers = ebxml();
  headers.add("SOAPAction", "\"ebXML\"");
  const auto answer = post(headers, "<x/>");
  EXPECT_EQ(answer.status, 500U);
  EXPECT_THAT(answer.body, HasSubstr("SOAPACTION_INVALID"));
}

// EB-003
TEST_F(Door, OnlyPostIsServed) {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}) {
    const auto answer = partner_.send(method, world().register_.ebms_url());
    EXPECT_EQ(answer.status, 405U) << method << answer.body;
    EXPECT_EQ(answer.header("Allow"), "POST");
    EXPECT_THAT(answer.body, IsEmpty());
  }
}

// EB-004, EB-010
TEST_F(Door, ARequestWithoutTheRightSoapActionGetsAFault) {
  for (const http::Headers& headers :
       {http::Headers{{"Content-Type", "text/xml"}}, http::Headers{{"Content-Type", "text/xml"}, {"SOAPAction", "\"other\""}}}) {
    const auto answer = post(headers, "<x/>");
    EXPECT_EQ(answer.status, 500U) << answer.body;
    EXPECT_EQ(answer.header("Content-Type"), "text/xml; charset=UTF-8");
    EXPECT_THAT(answer.body, HasSubstr("SOAPACTION_INVALID"));
  }
}

TEST_F(Door, AnotherContentTypeIsRefused) {
  const auto answer = post({{"Content-Type", "application/json"}, {"SOAPAction", "\"ebXML\""}}, "{}");
  EXPECT_EQ(answer.status, 415U);
  EXPECT_THAT(answer.body, HasSubstr("CONTENT_TYPE_INVALID"));
}

TEST_F(Door, MimeThatDoesNotEndIsRefused) {
  const auto answer = post({{"Content-Type", "multipart/related; boundary=b; type=\"text/xml\""}, {"SOAPAction", "ebXML"}},
                           "--b\r\nContent-Type: text/xml\r\n\r\n<x/>\r\n");
  EXPECT_EQ(answer.status, 500U);
  EXPECT_THAT(answer.body, HasSubstr("MIME_INVALID"));
}

TEST_F(Door, XmlThatIsNoneIsRefused) {
  const auto answer =
      post({{"Content-Type", "text/xml; charset=UTF-8"}, {"SOAPAction", "\"ebXML\""}}, "<!DOCTYPE x [<!ENTITY e 'e'>]><x>&e;</x>");
  EXPECT_EQ(answer.status, 500U);
  EXPECT_THAT(answer.body, HasSubstr("XML_INVALID"));
}

// EB-032
TEST_F(Door, ABodyOverTheLimitIsRefused) {
  const auto answer = post({{"Content-Type", "text/xml"}, {"SOAPAction", "\"ebXML\""}}, std::string(65 * 1024 * 1024, ' '));
  EXPECT_TRUE(answer.status == 413U || answer.status == 0U)
      << answer.status << " " << answer.body;  // the connection may be gone before the answer is read
}

TEST_F(Door, AnotherPathIsNotThere) {
  EXPECT_EQ(partner_.send("POST", "https://localhost:" + std::to_string(world().register_.external_port()) + "/api/v1/messages").status,
            404U);
}

// EB-016: the CPA names a dead address; the mapping names the real one.
TEST(Sending, GoesWhereTheUrlMappingSays) {
  auto& stad = world().stad;
  auto& register_ = world().register_;
  auto there = register_.party("Register");
  there.url = "https://localhost:" + std::to_string(free_port()) + "/ebms";
  const auto document = CpaDocument({.cpa_id = "cpa-mapped", .reliable = false}, stad.party("Melder"), there).text();
  stad.load(document);
  register_.load(document);
  auto admin = stad.admin();
  const auto mapped = admin.post("/api/v1/url-mappings", {{"source", there.url}, {"destination", register_.ebms_url()}});
  ASSERT_THAT(mapped.status, ::testing::AnyOf(200U, 201U)) << mapped.body;
  auto api = stad.application();
  EXPECT_TRUE(becomes(
      [&] {
        const auto sent =
            submit(api, {{"cpaId", "cpa-mapped"}, {"service", "Voorbeeld:Meldingen:1:0"}, {"action", "meld"}, {"payloads", Json::array()}});
        return reaches(api, sent.value("id", ""), "DELIVERED");
      },
      20s));
}

// --- a node of its own -------------------------------------------------------------------------------------------------------------------

class OwnNode : public ::testing::Test {
 protected:
  Partner partner() { return Partner(pki_, visitor_.key_pair); }
  unsigned answer_to(Partner& partner) { return partner.send("GET", site_.ebms_url()).status; }

  ServedPki pki_;
  Site site_{
      pki_,
      {.slug = "voorbeeldstad", .name = "Gemeente Voorbeeldstad", .oin = "00000099000000010000", .database_url = {}, .crl_refresh = "1s"}};
  security::Issued visitor_ =
      pki_.with([](test::Pki& shared) { return shared.tls("00000099000000030000", "Waterschap Voorbeeld", {"localhost"}); });
};

// SEC-022, SEC-028: a revocation takes effect without a restart, also on a connection that is open.
TEST_F(OwnNode, RefusesACertificateSoonAfterItsRevocation) {
  site_.start_and_wait();
  auto visitor = partner();
  ASSERT_TRUE(becomes([&] { return answer_to(visitor) == 405; }, 10s)) << site_.log();
  pki_.with([&](test::Pki& shared) { shared.authority().revoke(visitor_.certificate->serial, 1, SystemClock().now()).value(); });
  EXPECT_TRUE(becomes([&] { return answer_to(visitor) == 0; }, 60s));
  auto fresh = partner();
  EXPECT_EQ(answer_to(fresh), 0U);
  EXPECT_TRUE(becomes(
      [&] { return site_.admin().get("/api/v1/audit-events?limit=100").body.find("SEC.PKI.INGETROKKEN") != std::string::npos; }, 10s));
}

// SEC-021, SEC-023: stored CRLs serve after a restart; without any, nobody comes in.
TEST_F(OwnNode, UsesStoredCrlsAfterARestartAndFailsClosedWithoutAny) {
  site_.start_and_wait();
  auto visitor = partner();
  ASSERT_TRUE(becomes([&] { return answer_to(visitor) == 405; }, 10s)) << site_.log();
  pki_.be_silent(true);
  site_.process().kill();
  site_.start_and_wait();
  auto after = partner();
  EXPECT_TRUE(becomes([&] { return answer_to(after) == 405; }, 10s)) << "the stored CRLs are valid\n" << site_.log();
}

TEST_F(OwnNode, LetsNobodyInBeforeAnyCrlWasFetched) {
  pki_.be_silent(true);
  site_.start_and_wait();
  auto visitor = partner();
  EXPECT_EQ(answer_to(visitor), 0U);
}

// SEC-074: a new certificate without a restart; the open connection stays.
TEST_F(OwnNode, TakesANewCertificateOnSighup) {
  site_.start_and_wait();
  auto visitor = partner();
  ASSERT_TRUE(becomes([&] { return answer_to(visitor) == 405; }, 10s)) << site_.log();
  const auto renewed = site_.issue();
  site_.install(renewed);
  site_.process().signal(SIGHUP);
  EXPECT_TRUE(
      becomes([&] { return site_.admin().get("/api/v1/certificates").body.find(renewed.certificate->sha256) != std::string::npos; }, 10s))
      << site_.log();
  EXPECT_EQ(answer_to(visitor), 405U) << "the old connection goes on";
  auto fresh = partner();
  EXPECT_EQ(answer_to(fresh), 405U);
  EXPECT_THAT(site_.log(), HasSubstr("node.reloaded"));
}

// ADP-806
TEST_F(OwnNode, AFaultyFileOnSighupChangesNothing) {
  site_.start_and_wait();
  std::ofstream(site_.path("schakel.toml"), std::ios::app) << "[nonsense]\n";
  site_.process().signal(SIGHUP);
  EXPECT_TRUE(becomes([&] { return site_.log().find("config.invalid") != std::string::npos; }, 10s));
  EXPECT_EQ(site_.ops().get("/health/ready").status, 200U);
}

// ADP-902: a drained node ends its requests before it stops; its name is free at once.
TEST_F(OwnNode, DrainsOnSigtermAndExitsWithZero) {
  site_.start_and_wait();
  site_.process().signal(SIGTERM);
  EXPECT_EQ(site_.process().wait(20s), 0) << site_.log();
  site_.start_and_wait();
  EXPECT_THAT(site_.log(), ::testing::Not(HasSubstr("node.nameInUse")));
}

TEST_F(OwnNode, ASecondProcessOnTheSameDatabaseIsRefused) {
  site_.start_and_wait();
  Process second({SCHAKEL_PROGRAM, "serve", "--config", site_.path("second.toml").string()}, site_.path("second.log").string());
  EXPECT_EQ(second.wait(20s), 1);
  EXPECT_EQ(site_.ops().get("/health/ready").status, 200U);
}

// SEC-005
TEST_F(OwnNode, ATestAnchorInProductionStopsTheStart) {
  std::ofstream(site_.path("schakel.toml"), std::ios::app) << "\n";
  std::string text;
  {
    std::ifstream file(site_.path("schakel.toml"));
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  const std::string test_anchors = "test-anchors = \"anchors.pem\"";
  text.replace(text.find(test_anchors), test_anchors.size(), "anchors = \"anchors.pem\"");
  std::ofstream(site_.path("schakel.toml")) << text;
  site_.start();
  EXPECT_EQ(site_.process().wait(20s), 1);
  EXPECT_THAT(site_.log(), HasSubstr("Schakel TEST"));
}

}  // namespace
}  // namespace schakel::integration
