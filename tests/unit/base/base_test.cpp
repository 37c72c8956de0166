#include <gtest/gtest.h>

#include <set>

#include "base/base64_decoder.hpp"
#include "base/bytes.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

using namespace schakel;
using namespace std::chrono_literals;

namespace {

Instant at(std::string_view text) {
  return parse_datetime(text).value().instant;
}

class CountingRandom final : public Random {
 public:
  void fill(std::span<unsigned char> out) override {
    for (auto& octet : out) octet = next_++;
  }

 private:
  unsigned char next_ = 0;
};

Result<int> half_of(int n) {
  if (n % 2 != 0) return fail("number.odd", "an odd number has no half");
  return n / 2;
}
Result<int> quarter_of(int n) {
  SCHAKEL_TRY(const int half, half_of(n));
  SCHAKEL_CHECK(half_of(half));
  return half_of(half);
}

}  // namespace

TEST(Result, CarriesTheFirstErrorUp) {
  EXPECT_EQ(quarter_of(8).value(), 2);
  EXPECT_EQ(quarter_of(6).error().code, "number.odd");
  EXPECT_THROW(quarter_of(6).value(), std::logic_error);
}

// EB-068: Z, no zone, offsets and long fractions are read right; output is always Z.
TEST(Time, ReadsEveryFormOfDateTime) {
  const auto expected = at("2026-01-15T10:00:00Z");
  EXPECT_EQ(at("2026-01-15T10:00:00"), expected);
  EXPECT_FALSE(parse_datetime("2026-01-15T10:00:00").value().has_zone);
  EXPECT_EQ(at("2026-01-15T11:00:00+01:00"), expected);
  EXPECT_EQ(at("2026-01-15T04:30:00-05:30"), expected);
  EXPECT_EQ(at("2026-01-15T10:00:00.1234567Z"), expected + 123456us);
  EXPECT_EQ(at("2026-01-14T24:00:00Z"), at("2026-01-15T00:00:00Z"));
  EXPECT_EQ(to_xs_datetime(expected), "2026-01-15T10:00:00Z");
  EXPECT_EQ(to_xs_datetime(expected + 5ms), "2026-01-15T10:00:00.005Z");
  EXPECT_EQ(to_rfc3339(expected + 5ms), "2026-01-15T10:00:00.005Z");
}

TEST(Time, RefusesWhatIsNoDateTime) {
  for (const auto* text :
       {"", "2026-01-15", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-15T25:00:00Z", "2026-01-15T24:00:01Z",
        "2026-01-15T10:00:00.Z", "2026-01-15T10:00:00Zx", "2026-01-15T10:00:00+1:00", "2026-01-15T10:00:00+15:00", "26-01-15T10:00:00Z"}) {
    EXPECT_EQ(parse_datetime(text).error().code, "time.invalid") << text;
  }
}

TEST(Time, ReadsDurationsOfXmlSchema) {
  EXPECT_EQ(parse_xs_duration("PT3H").value().rest, 3h);
  EXPECT_EQ(parse_xs_duration("P5D").value().rest, 120h);
  EXPECT_EQ(parse_xs_duration("P1DT2H3M4.5S").value().rest, 26h + 3min + 4500ms);
  EXPECT_TRUE(parse_xs_duration("-PT3H").value().negative);
  for (const auto* text : {"", "P", "PT", "P1DT", "3H", "PT3", "P3H", "PT1D", "P1M1Y", "PT1.5H", "P-1D", "PT9999999999999S"}) {
    EXPECT_EQ(parse_xs_duration(text).error().code, "duration.invalid") << text;
  }
}

TEST(Time, AddsMonthsByTheCalendar) {
  EXPECT_EQ(parse_xs_duration("P1M").value().after(at("2026-01-31T10:00:00Z")), at("2026-02-28T10:00:00Z"));
  EXPECT_EQ(parse_xs_duration("P1Y").value().after(at("2024-02-29T00:00:00Z")), at("2025-02-28T00:00:00Z"));
  EXPECT_EQ(parse_xs_duration("-P1D").value().after(at("2026-01-01T00:00:00Z")), at("2025-12-31T00:00:00Z"));
}

TEST(Time, WritesDurationsThatReadBack) {
  for (const Duration d : {Duration(0), Duration(3h), Duration(120h), Duration(26h + 3min + 4500ms), Duration(1us)}) {
    EXPECT_EQ(parse_xs_duration(to_xs_duration(d)).value().rest, d) << to_xs_duration(d);
  }
  EXPECT_EQ(to_xs_duration(3h), "PT3H");
}

TEST(Time, ReadsDurationsOfTheConfiguration) {
  EXPECT_EQ(parse_duration("30s").value(), 30s);
  EXPECT_EQ(parse_duration("15m").value(), 15min);
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("7d").value(), 168h);
  for (const auto* text : {"", "s", "30", "30 s", "1w", "13mo", "10wd", "-1s", "999999999999y"}) EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Bytes, Base64InPiecesIsThatOfTheWhole) {
  const std::string plain = std::string("a\0b\xff", 4) + "Sample message.", text = to_base64(plain);
  for (std::size_t step = 1; step <= text.size(); ++step) {
    Base64Decoder decoder;
    Bytes out;
    for (std::size_t at = 0; at < text.size(); at += step) ASSERT_TRUE(decoder.decode("\r\n" + text.substr(at, step), out)) << step;
    EXPECT_TRUE(decoder.finish());
    EXPECT_EQ(out, plain) << step;
  }
  Bytes out;
  for (const auto* wrong : {"Zm9*", "Z===", "=", "Zg==Zg==", "Zg=v"}) EXPECT_FALSE(Base64Decoder().decode(wrong, out)) << wrong;
  Base64Decoder half;
  ASSERT_TRUE(half.decode("Zm9", out));
  EXPECT_FALSE(half.finish());
}

TEST(Bytes, Base64AgreesWithRfc4648AndRefusesOtherTexts) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(to_base64(plain), text);
    EXPECT_EQ(from_base64(text).value(), plain);
    EXPECT_EQ(from_base64url(to_base64url(plain)).value(), plain);
  }
  for (const auto* text : {"Zg", "Zg=", "Zg===", "Zh==", "Z===", "Zm9v\n", "Zm9v====", "Zm=v", "Zm9-"})
    EXPECT_FALSE(from_base64(text)) << text;
  EXPECT_EQ(from_base64_lenient(" Zm\r\n9v ").value(), "foo");
}

TEST(Bytes, DigestsAgreeWithTheStandard) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 digest;
  digest.update("a");
  digest.update("bc");
  EXPECT_EQ(to_hex(digest.finish()), sha256_hex("abc"));
  EXPECT_EQ(to_hex(digest.finish()), sha256_hex(""));
}

// RFC 4231, test cases 2 and 6 (a key longer than the block).
TEST(Bytes, HmacSha256GivesThePublishedVectors) {
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Bytes, ChecksUtf8Strictly) {
  EXPECT_TRUE(is_valid_utf8("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"));
  for (const std::string_view text :
       {std::string_view("\xC0\x80", 2), std::string_view("\xED\xA0\x80"), std::string_view("\xF4\x90\x80\x80"),
        std::string_view("\xE2\x82"), std::string_view("\xFF"), std::string_view("\xE0\x80\xAF")}) {
    EXPECT_FALSE(is_valid_utf8(text));
  }
}

// ASCII is passed over eight octets at a time: what is not ASCII is seen wherever it stands.
TEST(Bytes, Utf8IsCheckedAtEveryPlace) {
  for (std::size_t before = 0; before < 20; ++before)
    for (std::size_t after = 0; after < 20; ++after) {
      const auto around = [&](std::string_view middle) { return std::string(before, 'x').append(middle) + std::string(after, 'y'); };
      EXPECT_TRUE(is_valid_utf8(around("\xE2\x82\xAC"))) << before << ' ' << after;
      for (const std::string_view wrong : {"\x80", "\xFF", "\xE2\x82", "\xC0\xAF"})
        EXPECT_FALSE(is_valid_utf8(around(wrong))) << before << ' ' << after;
    }
}

// SEC-105: no control characters and no endless text from a peer reach a log.
TEST(Bytes, TextForTheLogIsEscapedAndCut) {
  EXPECT_EQ(for_log("a\r\nb\x1b[0m"), "a\\x0d\\x0ab\\x1b[0m");
  EXPECT_EQ(for_log(std::string(600, 'x')), std::string(512, 'x') + "…");
  EXPECT_EQ(for_log("\xFF"), "\\xff");
  EXPECT_EQ(for_log("a\xC2\x9B"
                    "b\xC2\xA9"),
            "a\\xc2\\x9bb\xC2\xA9");
}

TEST(Random, UuidsHaveTheirVersionAndOrder) {
  SystemRandom random;
  const auto now = at("2026-03-02T09:15:00Z");
  EXPECT_TRUE(is_uuid(uuid_v4(random)));
  EXPECT_EQ(uuid_v4(random)[14], '4');
  EXPECT_EQ(uuid_v7(random, now)[14], '7');
  EXPECT_LT(uuid_v7(random, now), uuid_v7(random, now + 1ms));
  EXPECT_LT(uuid_v7(random, now), uuid_v7(random, now + 2us));
  EXPECT_FALSE(is_uuid("0199a1b2-7c3d-7e11-9abc-0123456789a"));
  EXPECT_FALSE(is_uuid("0199a1b2-7c3d-7e11-9abc-0123456789ag"));
}

TEST(Random, BelowReachesEveryValueAndNoOther) {
  CountingRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.below(7));
  EXPECT_EQ(seen.size(), 7U);
  EXPECT_EQ(*seen.rbegin(), 6U);
}

// ADP-600: series carry the prefix and their labels.
TEST(Metrics, TextHoldsEverySeries) {
  Metrics metrics;
  metrics.counter("messages_total", "Messages", {{"direction", "inbound"}}).add();
  metrics.counter("messages_total", "Messages", {{"direction", "inbound"}}).add(2);
  metrics.gauge("queue_depth", "Depth").set(4);
  metrics.histogram("db_commit_seconds", "Commit").observe(0.002);
  const auto text = metrics.text();
  EXPECT_NE(text.find("schakel_messages_total{direction=\"inbound\"} 3"), std::string::npos) << text;
  EXPECT_NE(text.find("schakel_queue_depth 4"), std::string::npos);
  EXPECT_NE(text.find("schakel_db_commit_seconds_count 1"), std::string::npos);
}

// ADP-600: a certificate that is gone leaves no series behind.
TEST(Metrics, AFamilyThatIsShownAsAWholeForgetsWhatIsNotListed) {
  Metrics metrics;
  metrics.show("certificate_expiry_seconds", "Left", {{{{"serial", "1"}}, 10}, {{{"serial", "2"}}, 20}});
  metrics.show("certificate_expiry_seconds", "Left", {{{{"serial", "2"}}, 15}, {{{"serial", "3"}}, -5}});
  const auto text = metrics.text();
  EXPECT_EQ(text.find("serial=\"1\""), std::string::npos) << text;
  EXPECT_NE(text.find("schakel_certificate_expiry_seconds{serial=\"2\"} 15"), std::string::npos) << text;
  EXPECT_NE(text.find("schakel_certificate_expiry_seconds{serial=\"3\"} -5"), std::string::npos) << text;
}

TEST(Log, ItsLevelChangesWhileItRuns) {
  testing::internal::CaptureStderr();
  {
    const auto log = make_log(LogLevel::info, LogFormat::json, "a");
    log->debug("before");
    log->set_level(log_level_from("debug"));
    log->debug("between");
    log->set_level(log_level_from("error"));
    log->warning("after");
  }
  const auto lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines.find("before"), std::string::npos) << lines;
  EXPECT_NE(lines.find("between"), std::string::npos) << lines;
  EXPECT_EQ(lines.find("after"), std::string::npos) << lines;
  EXPECT_EQ(log_level_from("nonsense"), LogLevel::info);
}

TEST(Log, LinesAreJsonAndEscaped) {
  testing::internal::CaptureStderr();
  {
    const auto log = make_log(LogLevel::info, LogFormat::json, "a");
    log->info("message.received", {{"messageId", "x\n\"y\""}, {"bytes", 12}, {"ok", true}});
    log->debug("not.written");
  }
  const auto line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find(R"("event":"message.received","node":"a","messageId":"x\\x0a\"y\"","bytes":12,"ok":true})"), std::string::npos)
      << line;
  EXPECT_EQ(line.find("not.written"), std::string::npos);
}
