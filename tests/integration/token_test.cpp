// A node whose TLS key is in a token (SEC-070, A14), with SoftHSM as the token. Real processes, real TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/partner.hpp"
#include "integration/world.hpp"
#include "support/softhsm.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto pin = "1234-geheim";

class InToken : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::SoftHsm::library().empty()) GTEST_SKIP() << "softhsm2 is not installed";
    hsm_.emplace();
    stad_.emplace(pki_, SiteOptions{.slug = "voorbeeldstad",
                                    .name = "Gemeente Voorbeeldstad",
                                    .oin = "00000099000000010000",
                                    .database_url = {},
                                    .pki = "pkcs11-module = \"" + test::SoftHsm::library() + "\"\n"});
    hsm_->add_token("stad", pin);
    hsm_->add_key("stad", pin, stad_->identity().key_pair->key(), "tls", "01");
    std::filesystem::remove(stad_->path("keys/tls.key"));
    stad_->write("pin", std::string(pin) + "\n");
    stad_->use_certificates({server::OwnCertificate{
        .certificates = "tls.pem", .key = "pkcs11:token=stad;object=tls", .passphrase = {"file:" + stad_->path("pin").string()}}});
    stad_->start_and_wait();
  }
  std::string keys_check() { return stad_->ops().get("/health/ready").json()["checks"]["keys"].dump(); }

  ServedPki pki_;
  std::optional<test::SoftHsm> hsm_;
  std::optional<Site> stad_;
};

// osb-rm both ways: as a server and as a client.
TEST_F(InToken, MessagesAreExchanged) {
  Site partner(pki_, {.slug = "voorbeeldregister", .name = "Voorbeeldregister", .oin = "00000099000000020000", .database_url = {}});
  partner.start_and_wait();
  const auto document =
      CpaDocument({.cpa_id = "cpa-token", .reliable = true, .synchronous = false}, stad_->party("Melder"), partner.party("Register"))
          .text();
  stad_->load(document);
  partner.load(document);
  for (auto* sender : {&*stad_, &partner}) {
    auto api = sender->application();
    const auto sent = submit(api, {{"cpaId", "cpa-token"},
                                   {"service", "Voorbeeld:Meldingen:1:0"},
                                   {"action", sender == &partner ? "antwoord" : "meld"},
                                   {"payloads", {{{"contentType", "text/plain"}, {"data", to_base64("hallo")}}}}});
    EXPECT_TRUE(reaches(api, sent.value("id", ""), "DELIVERED")) << message(api, sent.value("id", "")).dump(1) << sender->log();
  }
  EXPECT_THAT(keys_check(), HasSubstr("pass"));
  EXPECT_THAT(stad_->log() + stad_->ops().get("/metrics").body + stad_->admin().get("/api/v1/certificates").body, Not(HasSubstr(pin)));
}

// The node says what is wrong, and goes on when the token is back.
TEST_F(InToken, ATokenThatIsTakenOutFailsHandshakesUntilItIsBack) {
  const auto visitor = pki_.with([](test::Pki& shared) { return shared.tls("00000099000000030000", "Waterschap Voorbeeld"); });
  Partner partner(pki_, visitor.key_pair);
  const auto gets_in = [&] {
    partner.hang_up();
    return partner.send("GET", stad_->ebms_url()).status != 0;
  };
  ASSERT_TRUE(becomes(gets_in, 10s)) << stad_->log();
  const auto away = hsm_->folder() / "away";
  std::filesystem::rename(hsm_->tokens(), away);
  std::filesystem::create_directories(hsm_->tokens());
  EXPECT_TRUE(becomes([&] { return !gets_in(); }, 5s));
  EXPECT_THAT(keys_check(), HasSubstr("\\\"stad\\\""));
  EXPECT_EQ(stad_->ops().get("/health/ready").status, 200U) << "a warning: other tenants go on";
  EXPECT_THAT(stad_->ops().get("/metrics").body, HasSubstr("schakel_token_failures_total{token=\"stad\"}"));
  std::filesystem::remove_all(hsm_->tokens());
  std::filesystem::rename(away, hsm_->tokens());
  EXPECT_TRUE(becomes(gets_in, 10s)) << stad_->log();
  EXPECT_THAT(keys_check(), HasSubstr("pass"));
}

}  // namespace
}  // namespace schakel::integration
