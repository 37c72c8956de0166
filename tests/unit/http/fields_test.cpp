#include "http/fields.hpp"

#include <gtest/gtest.h>

using namespace schakel;
using namespace schakel::http;
using namespace std::chrono_literals;

namespace {

Instant at(std::string_view text) {
  return parse_datetime(text).value().instant;
}

TEST(HttpDate, all_three_forms_are_one_instant) {
  const auto instant = at("1994-11-06T08:49:37Z");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), instant);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), instant);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), instant);
  EXPECT_EQ(to_http_date(instant), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(to_http_date(at("2026-02-28T23:59:59.999Z")), "Sat, 28 Feb 2026 23:59:59 GMT");
}

TEST(HttpDate, nonsense_is_no_date) {
  for (const std::string_view text :
       {"", "soon", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Xyz 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08-49-37 GMT", ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,"})
    EXPECT_FALSE(parse_http_date(text)) << text;
}

TEST(RetryAfter, seconds_and_dates_are_waited_for_a_day_at_most) {
  const auto now = at("2026-03-02T09:15:00Z");
  const auto wait = [&](std::string value) { return retry_after(Headers{{"Retry-After", std::move(value)}}, now); };
  EXPECT_EQ(wait("60"), 60s);
  EXPECT_EQ(wait("0"), 0s);
  EXPECT_EQ(wait("Mon, 02 Mar 2026 09:16:30 GMT"), 90s);
  EXPECT_EQ(wait("Mon, 02 Mar 2026 09:00:00 GMT"), 0s);
  EXPECT_EQ(wait("90000"), 24h);
  EXPECT_EQ(wait("99999999999999999999"), 24h);
  EXPECT_EQ(wait("Mon, 02 Mar 2027 09:16:30 GMT"), 24h);
  for (const auto* bad : {"", "-1", "1.5", "later"}) EXPECT_FALSE(wait(bad)) << bad;
  EXPECT_FALSE(retry_after(Headers{}, now));
  EXPECT_FALSE(retry_after(Headers{{"Retry-After", "1"}, {"Retry-After", "2"}}, now));
}

std::string choice(std::string range, std::uint64_t size) {
  const auto chosen = choose_range(Headers{{"Range", std::move(range)}}, size);
  if (std::holds_alternative<WholeResource>(chosen)) return "whole";
  if (std::holds_alternative<RangeNotSatisfiable>(chosen)) return unsatisfied_content_range(size);
  return content_range(std::get<ByteRange>(chosen), size);
}

TEST(Range, one_range_gives_a_part) {
  EXPECT_EQ(choice("bytes=0-99", 1000), "bytes 0-99/1000");
  EXPECT_EQ(choice("bytes=990-", 1000), "bytes 990-999/1000");
  EXPECT_EQ(choice("bytes=-10", 1000), "bytes 990-999/1000");
  EXPECT_EQ(choice("bytes=-5000", 1000), "bytes 0-999/1000");
  EXPECT_EQ(choice("bytes=0-5000", 1000), "bytes 0-999/1000");
  EXPECT_EQ(choice("Bytes=999-999", 1000), "bytes 999-999/1000");
}

TEST(Range, what_lies_outside_cannot_be_satisfied) {
  EXPECT_EQ(choice("bytes=5-2", 1000), "bytes */1000");
  EXPECT_EQ(choice("bytes=1000-", 1000), "bytes */1000");
  EXPECT_EQ(choice("bytes=-0", 1000), "bytes */1000");
  EXPECT_EQ(choice("bytes=0-0", 0), "bytes */0");
}

TEST(Range, anything_else_gives_the_whole) {
  for (const auto* range :
       {"bytes=0-1,5-6", "bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2-3", "bytes=99999999999999999999999-", "bytes"})
    EXPECT_EQ(choice(range, 1000), "whole") << range;
  EXPECT_TRUE(std::holds_alternative<WholeResource>(choose_range(Headers{}, 10)));
  EXPECT_TRUE(std::holds_alternative<WholeResource>(choose_range(Headers{{"Range", "bytes=0-1"}, {"Range", "bytes=2-3"}}, 10)));
}

TEST(MediaTypes, types_and_parameters_are_read) {
  const auto type = parse_media_type("Multipart/Form-Data ; boundary=\"a b\\\"c\"; Charset=utf-8;");
  ASSERT_TRUE(type);
  EXPECT_EQ(type->type, "multipart/form-data");
  EXPECT_EQ(type->parameter("boundary"), "a b\"c");
  EXPECT_EQ(type->parameter("charset"), "utf-8");
  EXPECT_FALSE(type->parameter("x"));
}

TEST(MediaTypes, malformed_ones_are_refused) {
  for (const auto* text : {"", "text", "text/", "/plain", "text/plain; a", "text/plain; a=", "text/plain; a=\"b", "text/plain; a=b; a=c",
                           "te xt/plain", "text/plain; a=b c=d"})
    EXPECT_FALSE(parse_media_type(text)) << text;
}

}  // namespace
