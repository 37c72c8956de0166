#include "http/address.hpp"

#include <gtest/gtest.h>

namespace schakel::http {
namespace {

bool guard_lets_pass(std::string_view text, std::vector<std::string> allowed = {}) {
  const auto address = parse_address(text);
  return address && may_connect(*address, allowed);
}

TEST(Address, OtherNotationsOfIpv4AreNoAddresses) {
  for (const auto* text : {"0177.0.0.1", "0x7f.0.0.1", "127.1", "2130706433", "127.0.0.1 ", "", "fe80::1%eth0", "::1::", "1.2.3.4.5"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

TEST(Address, AMappedAddressIsItsIpv4Address) {
  EXPECT_EQ(parse_address("::ffff:10.1.2.3"), parse_address("10.1.2.3"));
  EXPECT_TRUE(parse_address("::ffff:10.1.2.3")->is_v4());
  EXPECT_FALSE(parse_address("2a00::1")->is_v4());
}

// ADP-108, SEC-119
TEST(AddressGuard, SpecialAddressesAreRefusedEvenWhenListed) {
  for (const auto* text : {"0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "ff02::1",
                           "::ffff:169.254.169.254", "::ffff:0.0.0.0", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"}) {
    EXPECT_FALSE(guard_lets_pass(text, {"0.0.0.0/0", "::/0"})) << text;
  }
}

// ADP-108
TEST(AddressGuard, PrivateAndLoopbackAddressesPassOnlyWhenListed) {
  for (const auto* text : {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "127.0.0.1", "127.8.8.8", "::1",
                           "fd00::1", "::ffff:127.0.0.1"}) {
    EXPECT_FALSE(guard_lets_pass(text)) << text;
  }
  EXPECT_TRUE(guard_lets_pass("10.1.2.3", {"10.1.0.0/16"}));
  EXPECT_FALSE(guard_lets_pass("10.2.2.3", {"10.1.0.0/16"}));
  EXPECT_TRUE(guard_lets_pass("127.0.0.1", {"127.0.0.0/8"}));
  EXPECT_TRUE(guard_lets_pass("fd00::1", {"fd00::1"}));
}

TEST(AddressGuard, PublicAddressesPass) {
  for (const auto* text : {"8.8.8.8", "172.32.0.1", "2a00:1450::1"}) EXPECT_TRUE(guard_lets_pass(text)) << text;
}

TEST(Network, TextsThatAreNoNetworkHoldNothing) {
  for (const auto* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "x/8", "fd00::/129", "10.0.0.0/8x"})
    EXPECT_FALSE(parse_network(text)) << text;
  const std::vector<std::string> networks = {"nonsense", "10.0.0.0/8"};
  EXPECT_TRUE(is_in_networks("10.9.9.9", networks));
  EXPECT_FALSE(is_in_networks("11.0.0.1", networks));
  EXPECT_FALSE(is_in_networks("no address", networks));
}

}  // namespace
}  // namespace schakel::http
