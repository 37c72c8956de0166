#include "wus/identity.hpp"

#include <gtest/gtest.h>

#include "http/run.hpp"
#include "sql/database.hpp"
#include "wus/names.hpp"

namespace schakel::wus {
namespace {

const std::string own = "00000001800000002000", caller = "00000001800000001000", between = "00000001800000003000",
                  mandator = "00000001800000004000", stranger = "00000001800000009000";

// Only the functions about parties are asked; what would do I/O is never touched.
class Judged {
 public:
  Judged() {
    office.is_intermediary = [](std::string_view, std::string_view party, std::string_view intermediary) {
      return party == caller && intermediary == between;
    };
    office.has_mandate = [](std::string_view, std::string_view principal, std::string_view agent, std::string_view) {
      return principal == mandator && agent == caller;
    };
    office.is_oin_of_tenant = [](std::string_view, std::string_view oin) { return oin == own; };
    service.name = "dienst";
    service.tenant = "aanbieder";
    service.own_oin = own;
    service.addresses = {"https://wus.aanbieder.example/dienst"};
    service.grants = {{caller, {"vraag"}}};
    vraag.name = "vraag";
    meld.name = "meld";
  }
  std::string verdict(const Identities& who, const Operation& operation) const {
    const auto sender = judge_sender(office, service, who, operation);
    return sender ? *sender : sender.error().code;
  }
  std::string destination(std::string_view to) const {
    const auto judged = judge_destination(office, service, to);
    return judged ? "" : judged.error().code;
  }

  ServiceContract service;
  Operation vraag, meld;

 private:
  http::IoThreads io_{1U};
  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  Measures measures_{metrics_};
  std::unique_ptr<sql::Database> database_ = sql::open({.url = "sqlite::memory:"}, silent_log(), metrics_).value();
  http::Client client_{io_.executor(), http::Client::Options{}, clock_, silent_log(), metrics_};

 public:
  Office office{.database = *database_, .client = client_, .random = random_, .clock = clock_, .log = silent_log(), .measures = measures_};
};

// WUS-243, row 19
TEST(Identity, TheSenderIsTheSignerElseTheTlsIdentity) {
  const Judged j;
  EXPECT_EQ(j.verdict({.tls_oin = caller, .signer_oin = {}, .from_oin = {}}, j.vraag), caller);
  EXPECT_EQ(j.verdict({.tls_oin = caller, .signer_oin = caller, .from_oin = caller}, j.vraag), caller);
  EXPECT_EQ(j.verdict({.tls_oin = caller, .signer_oin = caller, .from_oin = {}}, j.meld), "wus.unauthorised")
      << "no right on this operation";
  EXPECT_EQ(j.verdict({.tls_oin = stranger, .signer_oin = stranger, .from_oin = {}}, j.vraag), "wus.unauthorised");
}

TEST(Identity, AnotherTlsIdentityMustBeAnIntermediary) {
  const Judged j;
  EXPECT_EQ(j.verdict({.tls_oin = between, .signer_oin = caller, .from_oin = {}}, j.vraag), caller);
  EXPECT_EQ(j.verdict({.tls_oin = stranger, .signer_oin = caller, .from_oin = {}}, j.vraag), "wus.mandate");
  EXPECT_EQ(j.verdict({.tls_oin = mandator, .signer_oin = caller, .from_oin = {}}, j.vraag), "wus.mandate") << "a mandate is for From";
}

TEST(Identity, FromOfAnotherNeedsAMandate) {
  Judged j;
  EXPECT_EQ(j.verdict({.tls_oin = caller, .signer_oin = caller, .from_oin = stranger}, j.vraag), "wus.mandate");
  EXPECT_EQ(j.verdict({.tls_oin = caller, .signer_oin = caller, .from_oin = mandator}, j.vraag), caller);
  j.service.grants = {{mandator, {}}};
  EXPECT_EQ(j.verdict({.tls_oin = caller, .signer_oin = caller, .from_oin = mandator}, j.meld), caller) << "by the right of the mandator";
  EXPECT_EQ(j.verdict({.tls_oin = caller, .signer_oin = caller, .from_oin = {}}, j.meld), "wus.unauthorised");
}

// SEC-065
TEST(Identity, WhoHasNothingToDoHereDoesNotEnter) {
  Judged j;
  EXPECT_TRUE(may_enter(j.office, j.service, caller));
  EXPECT_TRUE(may_enter(j.office, j.service, between));
  EXPECT_FALSE(may_enter(j.office, j.service, stranger));
  EXPECT_FALSE(may_enter(j.office, j.service, ""));
  j.service.grants = {{mandator, {}}};
  EXPECT_TRUE(may_enter(j.office, j.service, caller)) << "as mandatary";
}

// WUS-242, WUS-075
TEST(Identity, TheDestinationIsOneOfOurAddresses) {
  Judged j;
  EXPECT_EQ(j.destination("https://wus.aanbieder.example/dienst"), "");
  EXPECT_EQ(j.destination("HTTPS://WUS.aanbieder.example:443/dienst?OIN=" + own), "");
  EXPECT_EQ(j.destination("https://wus.aanbieder.example/dienst?oin=" + own), "");
  EXPECT_EQ(j.destination(uri::anonymous), "");
  EXPECT_EQ(j.destination("https://wus.aanbieder.example/Dienst"), "wus.destination");
  EXPECT_EQ(j.destination("https://elders.example/dienst"), "wus.destination");
  EXPECT_EQ(j.destination("https://wus.aanbieder.example/dienst?OIN=" + stranger), "wus.destination");
  j.service.settings.to_check = false;
  EXPECT_EQ(j.destination("https://elders.example/dienst"), "") << "the address part only";
  EXPECT_EQ(j.destination("https://elders.example/dienst?OIN=" + stranger), "wus.destination");
}

}  // namespace
}  // namespace schakel::wus
