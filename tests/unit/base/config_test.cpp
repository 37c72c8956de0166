#include "base/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace schakel::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Checked checked(std::string_view toml, const Environment& variables = {}) {
  return check(toml, "schakel.toml", "/etc/schakel", variables);
}

// The only fault, as "location detail".
std::string only_fault(const Checked& result) {
  if (result.faults.size() != 1) return "faults: " + std::to_string(result.faults.size());
  return result.faults.front().location + " " + result.faults.front().detail;
}

std::string shown(const Checked& result, std::string_view key) {
  for (const auto& effective : result.effective)
    if (effective.key == key) return effective.value + " (" + effective.source + ")";
  return "absent";
}

TEST(Config, AnEmptyFileGivesTheDefaultsOfTheSpecification) {
  const auto result = checked("");
  EXPECT_THAT(result.faults, IsEmpty());
  const auto& settings = result.settings;
  EXPECT_EQ(settings.node.name, "a");
  EXPECT_EQ(settings.node.environment, "test");
  EXPECT_EQ(settings.database.url, "sqlite:/etc/schakel/schakel.db");
  EXPECT_EQ(settings.database.pool_size, 16);
  EXPECT_EQ(settings.listeners.at("external").port, 443);
  EXPECT_EQ(settings.listeners.at("internal").address, "127.0.0.1");
  EXPECT_EQ(settings.listeners.at("ops").port, 9090);
  EXPECT_FALSE(settings.listeners.at("public").enabled);
  EXPECT_EQ(settings.crl.refresh, std::chrono::hours(1));
  EXPECT_EQ(settings.limits.message_max, 64 * 1024 * 1024);
  EXPECT_EQ(settings.http_client.connect_timeout, std::chrono::seconds(30));  // EB-013: connect 30 s,
  EXPECT_EQ(settings.http_client.read_timeout, std::chrono::seconds(30));     // response 30 s
  EXPECT_EQ(settings.ebms.path, "/ebms");
  EXPECT_EQ(settings.ebms.accept_status, 204);
  EXPECT_EQ(settings.retention.trail.months, 13);
  EXPECT_EQ(settings.retention.payload.rest, std::chrono::hours(7 * 24));
  const auto chosen =
      checked("[retention]\npayload = \"0s\"\n[ebms]\nfacade-key = \"file:app.key\"\n[dai]\nkey = \"file:dai.key\"").settings;
  EXPECT_EQ(chosen.retention.payload.rest, Duration(0)) << "EB-217";
  EXPECT_THAT(chosen.ebms.facade_key.reference, ::testing::EndsWith("/app.key")) << "beside the file, like every secret";
  EXPECT_THAT(chosen.dai.key.reference, ::testing::EndsWith("/dai.key"));
  EXPECT_EQ(settings.cluster.lease, std::chrono::seconds(15));
}

TEST(Config, TablesMayBeWrittenInlineOrInFull) {
  const auto result = checked(
      "node = { name = \"b\" }\n[listeners]\nexternal = { bind = \"127.0.0.1:10443\", hosts = [\"dk.example\"] }\n[tls]\nmin = \"1.3\"\n");
  EXPECT_THAT(result.faults, IsEmpty());
  EXPECT_EQ(result.settings.node.name, "b");
  EXPECT_EQ(result.settings.listeners.at("external").port, 10443);
  EXPECT_THAT(result.settings.listeners.at("external").hosts, testing::ElementsAre("dk.example"));
  EXPECT_EQ(result.settings.tls.min, "1.3");
}

// ADP-806
TEST(Config, AnUnknownKeyIsAnErrorThatNamesLineKeyAndWhatIsAllowed) {
  const auto fault = only_fault(checked("[node]\nname = \"a\"\nnaam = \"b\"\n"));
  EXPECT_THAT(fault, HasSubstr("schakel.toml:3 "));
  EXPECT_THAT(fault, HasSubstr("node.naam"));
  EXPECT_THAT(fault, HasSubstr("name, environment"));
  EXPECT_THAT(only_fault(checked("[nood]\nname = \"a\"\n")), HasSubstr("schakel.toml:1 unknown key nood"));
}

// ADP-806
TEST(Config, EveryFaultIsReportedAtOnce) {
  const auto result =
      checked("[node]\nname = 7\nenvironment = \"acceptance\"\n[database]\npool-size = 1\n[listeners.external]\nbind = \"443\"\n[x]\n");
  ASSERT_THAT(result.faults, SizeIs(5));
  EXPECT_EQ(result.faults[0].location, "schakel.toml:5");
  for (const auto& fault : result.faults) EXPECT_EQ(fault.code, "config.invalid");
}

TEST(Config, TextThatIsNotTomlIsOneFaultWithItsLine) {
  EXPECT_THAT(only_fault(checked("[node]\nname = \n")), HasSubstr("schakel.toml:2"));
}

// SEC-118
TEST(Config, ValuesOutsideTheirBoundsSayWhatIsAllowed) {
  EXPECT_THAT(only_fault(checked("[node]\nenvironment = \"acceptance\"")), HasSubstr("allowed: production, test"));
  EXPECT_THAT(only_fault(checked("[ebms]\naccept-status = 201")), HasSubstr("allowed: 200, 202, 204"));
  EXPECT_THAT(only_fault(checked("[ebms]\nparts-max = 257")), HasSubstr("allowed: 1 to 256"));
  EXPECT_THAT(only_fault(checked("[webhook]\ntimeout = \"31s\"")), HasSubstr("allowed: 1 to 30 seconds"));
  EXPECT_THAT(only_fault(checked("[limits]\njson-max = \"1GiB\"")), HasSubstr("allowed: 1024 to 16777216"));
  EXPECT_THAT(only_fault(checked("[node]\nname = \"A b\"")), HasSubstr("a-z, 0-9"));
  EXPECT_THAT(only_fault(checked("[ebms]\npath = \"ebms\"")), HasSubstr("begins with /"));
  EXPECT_THAT(only_fault(checked("[listeners.ops]\nbind = \"::1:9090\"")), HasSubstr("address:port"));
}

TEST(Config, TheWrongTypeSaysWhatWasExpected) {
  EXPECT_THAT(only_fault(checked("[tls]\nsni-strict = \"yes\"")), HasSubstr("expected true or false"));
  EXPECT_THAT(only_fault(checked("[http-client]\nno-proxy = \"a\"")), HasSubstr("expected a list of texts"));
  EXPECT_THAT(only_fault(checked("[crl]\nrefresh = 3600")), HasSubstr("expected a duration"));
  EXPECT_THAT(only_fault(checked("[retention]\ntrail = \"13 months\"")), HasSubstr("expected a period"));
  EXPECT_THAT(only_fault(checked("[limits]\nmessage-max = -1")), HasSubstr("expected a size"));
  EXPECT_THAT(only_fault(checked("[crl]\nurls = { a = 1 }")), HasSubstr("expected a table of texts"));
  EXPECT_THAT(only_fault(checked("node = 1")), HasSubstr("node is a table"));
}

// SEC-022: a refresh rarer than every four hours cannot be configured.
TEST(Config, CrlsAreRefreshedAtLeastEveryFourHours) {
  EXPECT_THAT(only_fault(checked("[crl]\nrefresh = \"5h\"")), HasSubstr("crl.refresh: allowed: 1 to 14400 seconds"));
  EXPECT_THAT(checked("[crl]\nrefresh = \"4h\"").faults, IsEmpty());
}

TEST(Config, KeysOfLaterFacilitiesAreKnownAndTypeChecked) {
  EXPECT_THAT(checked("[oidc]\nissuer = \"https://login.example\"\n[fsc.demo]\ngrants-max = 12\ntoken-lifetime = "
                      "\"60s\"\n[notice]\nmaintenance-lead-time = \"5wd\"\n"
                      "[gb]\nthreshold = \"20MiB\"\n[wus]\nskew-past = \"60s\"\n[storage]\ns3 = { endpoint = \"https://s3.example\", "
                      "secret-key = \"env:KEY\" }\n")
                  .faults,
              IsEmpty());
  EXPECT_THAT(only_fault(checked("[fsc.demo]\ngrants-max = \"many\"")), HasSubstr("fsc.demo.grants-max: expected a whole number"));
  EXPECT_THAT(only_fault(checked("[fsc.demo]\nname = \"x\"")), HasSubstr("keys of fsc.demo: group-id"));
  EXPECT_THAT(only_fault(checked("[notice]\nmaintenance-lead-time = \"wd\"")), HasSubstr("10wd"));
}

// ADP-806
TEST(Config, TheEnvironmentOverridesTheFile) {
  const auto result =
      checked("[listeners.external]\nbind = \"0.0.0.0:443\"\n", {{"SCHAKEL_LISTENERS__EXTERNAL__BIND", "127.0.0.1:10443"},
                                                                 {"SCHAKEL_TLS__PEER_RSA_MIN", "3072"},
                                                                 {"SCHAKEL_LISTENERS__FSC_INWAY__ENABLED", "false"},
                                                                 {"SCHAKEL_WEBHOOK__ALLOWED_NETWORKS", "10.0.0.0/8, 127.0.0.1/32"},
                                                                 {"SCHAKEL_API_KEY", "no setting: it has no section"}});
  EXPECT_THAT(result.faults, IsEmpty());
  EXPECT_EQ(result.settings.listeners.at("external").port, 10443);
  EXPECT_EQ(result.settings.tls.peer_rsa_min, 3072);
  EXPECT_THAT(result.settings.webhook.allowed_networks, testing::ElementsAre("10.0.0.0/8", "127.0.0.1/32"));
  EXPECT_EQ(shown(result, "listeners.external.bind"), "\"127.0.0.1:10443\" (SCHAKEL_LISTENERS__EXTERNAL__BIND)");
}

// ADP-806
TEST(Config, AnUnknownOrWrongVariableIsAnErrorToo) {
  EXPECT_THAT(only_fault(checked("", {{"SCHAKEL_NODE__NAAM", "b"}})), HasSubstr("SCHAKEL_NODE__NAAM no setting"));
  EXPECT_THAT(only_fault(checked("", {{"SCHAKEL_TLS__SNI_STRICT", "yes"}})),
              HasSubstr("SCHAKEL_TLS__SNI_STRICT tls.sni-strict: expected true or false"));
  EXPECT_THAT(only_fault(checked("", {{"SCHAKEL_CRL__URLS", "a=b"}})), HasSubstr("only be given in the file"));
}

// ADP-806
TEST(Config, SecretsAreReferencesAndAreNeverShown) {
  const auto literal = only_fault(checked("[oidc]\nclient-secret = \"geheim\""));
  EXPECT_THAT(literal, HasSubstr("expected a reference to a secret"));
  EXPECT_THAT(literal, Not(HasSubstr("geheim")));

  ::setenv("SCHAKEL_TEST_SECRET", "geheim", 1);
  const auto result = checked("[storage]\nmaster-key = \"env:SCHAKEL_TEST_SECRET\"");
  EXPECT_EQ(*result.settings.storage.master_key.read(), "geheim");
  for (const auto& effective : result.effective) EXPECT_THAT(effective.value, Not(HasSubstr("geheim")));
  ::unsetenv("SCHAKEL_TEST_SECRET");
  EXPECT_EQ(result.settings.storage.master_key.read().error().code, "config.secret");
}

// ADP-806
TEST(Config, APasswordInADatabaseUrlIsNeverShown) {
  const auto result = checked("[database]\nurl = \"postgresql://schakel:geheim@db.example/schakel\"");
  EXPECT_EQ(result.settings.database.url, "postgresql://schakel:geheim@db.example/schakel");
  EXPECT_EQ(shown(result, "database.url"), "\"postgresql://schakel:***@db.example/schakel\" (schakel.toml:2)");
}

TEST(Config, TheDatabaseUrlMayBeASecret) {
  const auto directory = std::filesystem::temp_directory_path() / "schakel-config-test";
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "db.url") << "postgresql://schakel:geheim@db.example/schakel\n";
  const auto result = check("[database]\nurl = \"file:db.url\"", "schakel.toml", directory.string(), {});
  EXPECT_THAT(result.faults, IsEmpty());
  EXPECT_EQ(result.settings.database.url, "postgresql://schakel:geheim@db.example/schakel");
  EXPECT_EQ(shown(result, "database.url"), "\"file:db.url\" (schakel.toml:2)");
  EXPECT_THAT(only_fault(checked("[database]\nurl = \"file:absent.url\"")),
              HasSubstr("database.url: the file /etc/schakel/absent.url cannot be read"));
  std::filesystem::remove_all(directory);
}

TEST(Config, RelativePathsBeginAtTheFile) {
  const auto result = checked("[pki]\nanchors = \"../anchors.pem\"\n[database]\nurl = \"sqlite:data/x.db\"");
  EXPECT_EQ(result.settings.resolve(result.settings.pki.anchors), "/etc/anchors.pem");
  EXPECT_EQ(result.settings.database.url, "sqlite:/etc/schakel/data/x.db");
  EXPECT_EQ(checked("[database]\nurl = \"sqlite::memory:\"").settings.database.url, "sqlite::memory:");
}

TEST(Config, SqliteWithClusterSettingsIsRefused) {
  EXPECT_THAT(only_fault(checked("[cluster]\nlease = \"30s\"")), HasSubstr("schakel.toml:2 cluster.lease: a cluster needs PostgreSQL"));
  EXPECT_THAT(checked("[cluster]\nlease = \"30s\"\n[database]\nurl = \"postgresql:///schakel\"").faults, IsEmpty());
}

TEST(Config, ALeaseOutlivesTwoHeartbeats) {
  EXPECT_THAT(only_fault(checked("[cluster]\nheartbeat = \"10s\"\n[database]\nurl = \"postgresql:///schakel\"")),
              HasSubstr("twice cluster.heartbeat"));
}

// EB-001: plain HTTP is a setting of test environments only.
TEST(Config, PlainHttpForEbmsIsRefusedInProduction) {
  EXPECT_THAT(only_fault(checked("[node]\nenvironment = \"production\"\n[ebms]\ninsecure-transport = true")),
              HasSubstr("schakel.toml:4 ebms.insecure-transport"));
  EXPECT_THAT(checked("[ebms]\ninsecure-transport = true").faults, IsEmpty());
}

TEST(Config, ListenersOfDifferentTrustNeverShareAnAddress) {
  EXPECT_THAT(only_fault(checked("[listeners.admin]\nbind = \"127.0.0.1:8080\"")), HasSubstr("has this address too"));
  EXPECT_THAT(checked("[listeners.fsc-inway]\nenabled = true\nhosts = [\"inway.example\"]").faults, IsEmpty());
}

TEST(Config, AFileThatCannotBeReadIsOneFault) {
  EXPECT_THAT(only_fault(check_file("/absent/schakel.toml", {})), HasSubstr("/absent/schakel.toml the configuration file"));
}

// SEC-051: a listener that believes a header is reached by the proxy alone.
TEST(Config, AnOffloadListenerIsOnLoopbackOrNamesItsProxy) {
  const std::string offload = "[listeners.external]\noffload = true\n";
  EXPECT_THAT(only_fault(checked(offload)), HasSubstr("schakel.toml:2 listeners.external.offload: needs a bind address of loopback"));
  for (const char* bind : {"bind = \"127.0.0.1:10443\"", "bind = \"[::1]:10443\"", "proxy-certificate = \"proxy.pem\""})
    EXPECT_THAT(checked(offload + bind).faults, IsEmpty()) << bind;
  EXPECT_THAT(only_fault(checked("[listeners.internal]\noffload = true")), HasSubstr("only the external listener"));
  EXPECT_THAT(only_fault(checked("[listeners.external]\nproxy-certificate = \"proxy.pem\"")), HasSubstr("no meaning without offload"));
}

// README section 12: TLS "by setting" on the inner listeners.
TEST(Config, TheInnerListenersMaySpeakTls) {
  const auto result = checked(
      "[listeners.admin]\ntls = \"twoSided\"\ncertificate = \"admin.pem\"\nkey = \"admin.key\"\n"
      "passphrase = \"file:admin.pass\"");
  EXPECT_THAT(result.faults, IsEmpty());
  EXPECT_EQ(result.settings.listeners.at("admin").tls, "twoSided");
  EXPECT_EQ(result.settings.listeners.at("admin").passphrase.reference, "file:/etc/schakel/admin.pass");
  EXPECT_EQ(result.settings.listeners.at("internal").tls, "none");
  EXPECT_THAT(only_fault(checked("[listeners.admin]\ntls = \"oneSided\"\ncertificate = \"admin.pem\"")), HasSubstr("given together"));
  EXPECT_THAT(only_fault(checked("[listeners.admin]\ncertificate = \"a.pem\"\nkey = \"a.key\"")), HasSubstr("while tls is \"none\""));
  EXPECT_THAT(only_fault(checked("[listeners.admin]\ntls = \"sometimes\"")), HasSubstr("allowed: none, oneSided, twoSided"));
  // SEC-001: the external listener has no such choice.
  EXPECT_THAT(only_fault(checked("[listeners.external]\ntls = \"oneSided\"")), HasSubstr("unknown key"));
}

TEST(Config, AProxyIsReachedOverHttp) {
  EXPECT_THAT(only_fault(checked("[http-client]\nproxy = \"proxy.intern:3128\"")), HasSubstr("begins with http://"));
  EXPECT_THAT(only_fault(checked("[crl]\nproxy = \"https://proxy.intern\"")), HasSubstr("begins with http://"));
  EXPECT_THAT(checked("[crl]\nproxy = \"http://proxy.intern:3128\"").faults, IsEmpty());
}

}  // namespace
}  // namespace schakel::config
