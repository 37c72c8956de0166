#include "http/url.hpp"

#include <gtest/gtest.h>

using namespace schakel;
using namespace schakel::http;

namespace {

TEST(Urls, parts_are_found) {
  const auto url = parse_url("https://DK.Voorbeeldstad.test/ebms?x=1").value();
  EXPECT_EQ(url.host, "dk.voorbeeldstad.test");
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.target, "/ebms?x=1");
  EXPECT_EQ(url.host_header(), "dk.voorbeeldstad.test");
  EXPECT_EQ(parse_url("http://a.test:8080").value().host_header(), "a.test:8080");
  EXPECT_EQ(parse_url("http://a.test:80").value().host_header(), "a.test");
  EXPECT_EQ(parse_url("http://a.test?q").value().target, "/?q");
  EXPECT_EQ(parse_url("https://[2A00::1]:8443/").value().host_header(), "[2a00::1]:8443");
  EXPECT_EQ(parse_url("https://10.0.0.1/").value().host, "10.0.0.1");
}

// ADP-108: forms that resolvers take for addresses and a guard may not.
TEST(Urls, disguised_addresses_and_malformed_urls_are_refused) {
  for (const auto* url : {"http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/",
                          "http://127.0.0.1./", "http://1.2.3.256/", "http://a.0x10/"})
    EXPECT_FALSE(parse_url(url)) << url;
  for (const auto* url : {"",
                          "a.test",
                          "//a.test/",
                          "ftp://a.test/",
                          "http://",
                          "http:///x",
                          "http://user@a.test/",
                          "http://user:pw@a.test/",
                          "http://a.test:0/",
                          "http://a.test:65536/",
                          "http://a.test:/",
                          "http://a.test:x/",
                          "http://a.test/#f",
                          "http://a test/",
                          "http://a.test/\r\nX: y",
                          "http://a..test/",
                          "http://-a.test/",
                          "http://a_.te$t/",
                          "http://[::1/",
                          "http://[127.0.0.1]/",
                          "http://[fe80::1%25eth0]/",
                          "http://a.test\\@b.test/",
                          "http://%61.test/",
                          "http://\xc3\xa9.test/"})
    EXPECT_EQ(parse_url(url).error().code, "transport.invalid") << url;
}

// ADP-108
TEST(Urls, a_webhook_goes_to_https_and_to_no_special_address) {
  const std::vector<std::string> none, office{"10.1.0.0/16"};
  EXPECT_TRUE(check_target_url("https://a.test/hook", false, none));
  EXPECT_TRUE(check_target_url("http://a.test/hook", true, none));
  EXPECT_TRUE(check_target_url("https://10.1.2.3/hook", false, office));
  for (const auto* url :
       {"http://a.test/hook", "https://10.1.2.3/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data", "https://0.0.0.0/", "https://user@a.test/", "https://a.test:0/", "https://0x7f.1/"})
    EXPECT_EQ(check_target_url(url, false, none).error().code, "webhook.targetRefused") << url;
}

}  // namespace
