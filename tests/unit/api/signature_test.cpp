#include <gtest/gtest.h>

#include "api/webhooks.hpp"
#include "base/bytes.hpp"

namespace schakel::api {
namespace {

using namespace std::chrono_literals;

Instant at(std::int64_t unix_seconds) {
  return Instant(std::chrono::seconds(unix_seconds));
}

// Gives the same octet for ever: the largest draw or the smallest.
class Constant final : public Random {
 public:
  explicit Constant(unsigned char octet) : octet_(octet) {}
  void fill(std::span<unsigned char> out) override { std::fill(out.begin(), out.end(), octet_); }

 private:
  unsigned char octet_;
};

// ADP-106
TEST(WebhookSignature, GivesThePublishedVector) {
  EXPECT_EQ(
      webhook_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})")
          .value(),
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

// ADP-106
TEST(WebhookSignature, GivesOurOwnVector) {
  EXPECT_EQ(webhook_signature("whsec_c2NoYWtlbC12b29yYmVlbGQtZ2VoZWltLTMyYnl0ZXM=", "0199a1b2-0000-7000-8000-000000000001", 1767225600,
                              R"({"type":"message.delivered","tenant":"voorbeeldstad","messageId":"m-1"})")
                .value(),
            "v1,qeC3mqopTjGFmu1SSy7gvhknsR2S23bjAqUWo1dZa4c=");
}

// ADP-106
TEST(WebhookSecret, IsTwentyFourToSixtyFourOctetsWithItsPrefix) {
  const auto valid = [](const std::string& secret) { return webhook_signature(secret, "id", 1, "x").has_value(); };
  EXPECT_TRUE(valid("whsec_" + to_base64(std::string(24, 'k'))));
  EXPECT_TRUE(valid("whsec_" + to_base64(std::string(64, 'k'))));
  EXPECT_FALSE(valid("whsec_" + to_base64(std::string(23, 'k'))));
  EXPECT_FALSE(valid("whsec_" + to_base64(std::string(65, 'k'))));
  EXPECT_FALSE(valid(to_base64(std::string(32, 'k'))));
  EXPECT_FALSE(valid("whsec_!!!"));
  SystemRandom random;
  const auto made = make_webhook_secret(random);
  EXPECT_TRUE(valid(made));
  EXPECT_NE(made, make_webhook_secret(random));
}

// ADP-106: during a rotation two signatures, newest first
TEST(WebhookSecret, SignsAlongForADayAfterItsReplacement) {
  const std::string old_secret = "whsec_" + to_base64(std::string(32, 'o')), new_secret = "whsec_" + to_base64(std::string(32, 'n'));
  const std::vector<WebhookSecret> secrets = {{new_secret, at(1000), std::nullopt}, {old_secret, at(0), at(1000) + webhook_secret_overlap}};
  const auto signatures = webhook_signatures(secrets, "id", at(2000), "body");
  EXPECT_EQ(signatures,
            webhook_signature(new_secret, "id", 2000, "body").value() + " " + webhook_signature(old_secret, "id", 2000, "body").value());
  const auto later = at(1000) + webhook_secret_overlap;
  EXPECT_EQ(webhook_signatures(secrets, "id", later, "body"), webhook_signature(new_secret, "id", 1000 + 86'400, "body").value());
}

TEST(WebhookReceiver, RefusesOldOrForgedCalls) {
  const std::string secret = "whsec_" + to_base64(std::string(32, 's'));
  const auto headers_at = [&](std::int64_t seconds, const std::string& body) {
    return http::Headers{{"webhook-id", "e1"},
                         {"webhook-timestamp", std::to_string(seconds)},
                         {"webhook-signature", "v1,AAAA " + webhook_signature(secret, "e1", seconds, body).value()}};
  };
  EXPECT_TRUE(webhook_is_genuine(secret, headers_at(1000, "x"), "x", at(1300)));
  EXPECT_FALSE(webhook_is_genuine(secret, headers_at(1000, "x"), "x", at(1301)));
  EXPECT_FALSE(webhook_is_genuine(secret, headers_at(1301, "x"), "x", at(1000)));
  EXPECT_FALSE(webhook_is_genuine(secret, headers_at(1000, "x"), "y", at(1000)));
  auto headers = headers_at(1000, "x");
  headers.set("webhook-id", "e2");
  EXPECT_FALSE(webhook_is_genuine(secret, headers, "x", at(1000)));
  headers.remove("webhook-id");
  EXPECT_FALSE(webhook_is_genuine(secret, headers, "x", at(1000)));
}

// ADP-107
TEST(WebhookRetries, FollowTheScheduleWithAtMostAFifthMore) {
  const Duration delays[] = {5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h};
  Constant smallest(0);
  SystemRandom random;
  for (std::int64_t attempts = 1; attempts <= 9; ++attempts) {
    const Duration delay = delays[attempts - 1];
    EXPECT_EQ(next_webhook_attempt(attempts, at(0), std::nullopt, smallest), at(0) + delay);
    for (int i = 0; i < 200; ++i) {
      const auto next = next_webhook_attempt(attempts, at(0), std::nullopt, random);
      EXPECT_GE(*next, at(0) + delay);
      EXPECT_LE(*next, at(0) + delay + delay / 5);
    }
  }
  EXPECT_FALSE(next_webhook_attempt(10, at(0), std::nullopt, random));
}

// ADP-107
TEST(WebhookRetries, HonourRetryAfterUpToADay) {
  Constant smallest(0);
  EXPECT_EQ(next_webhook_attempt(1, at(0), Duration(60s), smallest), at(60));
  EXPECT_EQ(next_webhook_attempt(2, at(0), Duration(60s), smallest), at(300)) << "never sooner than the schedule";
  EXPECT_EQ(next_webhook_attempt(1, at(0), Duration(240h), smallest), at(86'400));
}

TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(read_retry_after("120", at(0)), Duration(120s));
  EXPECT_EQ(read_retry_after("99999999", at(0)), Duration(24h));
  EXPECT_EQ(read_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", at(0)), Duration(60s));
  EXPECT_EQ(read_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", at(3600)), Duration(0));
  for (const auto* wrong : {"", "soon", "-5", "Thu, 01 Foo 1970 00:01:00 GMT", "Thu, 01 Jan 1970 00:01:00 CET"})
    EXPECT_FALSE(read_retry_after(wrong, at(0))) << wrong;
}

}  // namespace
}  // namespace schakel::api
