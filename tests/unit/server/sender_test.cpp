#include "ebms/sender.hpp"

#include <gtest/gtest.h>

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;

const Instant now = Instant(std::chrono::seconds(1'772'442'900));  // Mon, 02 Mar 2026 09:15:00 GMT

// README section 7: obeyed everywhere, at most 24 h.
TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(retry_after("120", now), Duration(120s));
  EXPECT_EQ(retry_after("0", now), Duration(0));
  EXPECT_EQ(retry_after("999999999999", now), Duration(24h));
  EXPECT_EQ(retry_after("Mon, 02 Mar 2026 09:20:00 GMT", now), Duration(5min));
  EXPECT_EQ(retry_after("Mon, 02 Mar 2026 09:00:00 GMT", now), Duration(0)) << "past";
  EXPECT_EQ(retry_after("Tue, 02 Mar 2027 09:00:00 GMT", now), Duration(24h));
  for (const char* wrong : {"", "-1", "soon", "120s", "Mon, 02 Mar 2026"}) EXPECT_EQ(retry_after(wrong, now), std::nullopt) << wrong;
}

}  // namespace
}  // namespace schakel::ebms
