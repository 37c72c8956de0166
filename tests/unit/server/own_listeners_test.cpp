#include "server/own_listeners.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace schakel::server {
namespace {

// ADP-412 at run time
TEST(OwnListeners, AreKnownByTheirNamesAndAddresses) {
  const std::vector<OwnListener> own{{"0.0.0.0", 10443, {"dk.stad.example"}}, {"127.0.0.1", 8081, {}}};
  const std::vector<std::string> local{"127.0.0.1", "192.0.2.7", "::1"};
  const auto leads = [&](std::string_view url) { return leads_to_listener(url, own, local); };
  EXPECT_TRUE(leads("https://dk.stad.example:10443/ebms"));
  EXPECT_TRUE(leads("https://DK.stad.example/ebms")) << "published with 443 whatever the bind port";
  EXPECT_TRUE(leads("https://192.0.2.7:10443/"));
  EXPECT_TRUE(leads("https://[::1]:10443/"));
  EXPECT_TRUE(leads("https://localhost:10443/"));
  EXPECT_TRUE(leads("http://127.0.0.1:8081/"));
  EXPECT_FALSE(leads("http://192.0.2.7:8081/")) << "that listener is bound to loopback";
  EXPECT_FALSE(leads("https://dk.dorp.example/ebms"));
  EXPECT_FALSE(leads("https://dk.stad.example:9443/ebms")) << "another program on this host";
  EXPECT_FALSE(leads("https://192.0.2.8:10443/"));
  EXPECT_FALSE(leads("no url"));
}

TEST(OwnListeners, ThisHostHasAnAddress) {
  EXPECT_THAT(local_addresses(), ::testing::Contains("127.0.0.1"));
}

}  // namespace
}  // namespace schakel::server
