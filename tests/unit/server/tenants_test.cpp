#include "server/tenants.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace schakel::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Tenant voorbeeldstad() {
  Tenant tenant;
  tenant.slug = "voorbeeldstad";
  tenant.name = "Gemeente Voorbeeldstad";
  tenant.oins = {"00000099000000010000"};
  tenant.hosts = {"dk.voorbeeldstad.test"};
  tenant.certificates = {{.certificates = "a.pem", .key = "a.key", .passphrase = {"file:a.pass"}, .purposes = {"tls-server"}}};
  return tenant;
}

std::vector<std::string> pointers(const Tenant& tenant) {
  std::vector<std::string> result;
  for (const auto& fault : check(tenant)) result.push_back(fault.location);
  return result;
}

// ADP-200
TEST(Tenant, IsTheSameAfterJson) {
  EXPECT_EQ(*tenant_from_json(to_json(voorbeeldstad())), voorbeeldstad());
  EXPECT_THAT(check(voorbeeldstad()), IsEmpty());
}

// SEC-074
TEST(Tenant, ACertificateMayBeActiveFromAMomentOn) {
  auto tenant = voorbeeldstad();
  tenant.certificates[0].active_from = Instant(std::chrono::days(20'000));
  EXPECT_EQ(*tenant_from_json(to_json(tenant)), tenant);
  EXPECT_NE(tenant, voorbeeldstad());
  EXPECT_EQ(tenant_from_json(R"({"certificates":[{"key":"k","activeFromAt":"morgen"}]})").error().location, "/certificates/0/activeFromAt");
}

// SEC-070, SEC-071: a PIN in a URI would be shown with it.
TEST(Tenant, AKeyInATokenIsNamedWithoutItsPin) {
  auto tenant = voorbeeldstad();
  tenant.certificates[0].key = "pkcs11:token=stad;object=tls";
  EXPECT_THAT(check(tenant), IsEmpty());
  tenant.certificates[0].key = "pkcs11:token=stad;object=tls?pin-value=1234";
  EXPECT_THAT(pointers(tenant), ElementsAre("/certificates/0/key"));
  EXPECT_THAT(check(tenant).front().detail, ::testing::Not(::testing::HasSubstr("1234")));
}

TEST(Tenant, ACertificateServesAndConnectsUnlessToldOtherwise) {
  const auto tenant = tenant_from_json(R"({"slug":"abc","certificates":[{"certificates":"a.pem","key":"a.key"}]})");
  EXPECT_TRUE(tenant->certificates[0].serves("tls-server"));
  EXPECT_TRUE(tenant->certificates[0].serves("tls-client"));
  EXPECT_FALSE(tenant->certificates[0].serves("signing"));
}

TEST(Tenant, JsonThatDoesNotFitIsRefusedWithItsPointer) {
  EXPECT_EQ(tenant_from_json("{").error().detail, "no JSON");
  EXPECT_EQ(tenant_from_json("[]").error().code, "request.invalid");
  EXPECT_EQ(tenant_from_json(R"({"slug":7})").error().location, "/slug");
  EXPECT_EQ(tenant_from_json(R"({"slogan":"x"})").error().location, "/slogan");
  EXPECT_EQ(tenant_from_json(R"({"oins":"00000099000000010000"})").error().location, "/oins");
  EXPECT_EQ(tenant_from_json(R"({"certificates":{}})").error().location, "/certificates");
  EXPECT_EQ(tenant_from_json(R"({"certificates":[{"key":"k","purpose":"x"}]})").error().location, "/certificates/0/purpose");
}

// ADP-200
TEST(Tenant, EveryWrongValueIsFound) {
  auto tenant = voorbeeldstad();
  tenant.slug = "Voorbeeldstad";
  tenant.name = "";
  tenant.environment = "acceptance";
  tenant.oins = {"00000099000000010000", "123"};
  tenant.hosts = {"DK.example"};
  tenant.certificates = {{.certificates = "a.pem", .key = "", .passphrase = {"geheim"}, .purposes = {"serving"}}};
  EXPECT_THAT(pointers(tenant), ElementsAre("/slug", "/name", "/environment", "/oins/1", "/hosts/0", "/certificates/0/key",
                                            "/certificates/0/passphrase", "/certificates/0/purposes"));
}

TEST(Tenant, NeedsAnOin) {
  auto tenant = voorbeeldstad();
  tenant.oins.clear();
  EXPECT_THAT(pointers(tenant), ElementsAre("/oins"));
}

// SEC-067
TEST(Tenant, ATestOinHasNoPlaceInProduction) {
  auto tenant = voorbeeldstad();
  tenant.environment = "production";
  EXPECT_THAT(pointers(tenant), ElementsAre("/oins/0"));
}

TEST(Tenant, SlugsHaveThreeToFortyCharacters) {
  auto tenant = voorbeeldstad();
  for (const char* slug : {"ab", "1abc", "abc-", "a_c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    tenant.slug = slug;
    EXPECT_THAT(check(tenant), SizeIs(1)) << slug;
  }
  tenant.slug = "a-1";
  EXPECT_THAT(check(tenant), IsEmpty());
}

}  // namespace
}  // namespace schakel::server
