#include "wus/measures.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace schakel::wus {
namespace {

using namespace std::chrono_literals;
using exchange::Direction;
using ::testing::HasSubstr;
using ::testing::Not;

exchange::Message record(Direction direction, exchange::State state, std::string code) {
  exchange::Message message;
  message.tenant = "gemeente";
  message.service = "Inschrijving";
  message.direction = direction;
  message.state = state;
  if (!code.empty()) message.last_error = exchange::LastError{.code = std::move(code), .detail = "anything", .source = "local", .at = {}};
  return message;
}

class MeasuresOf : public ::testing::Test {
 protected:
  Metrics metrics;
  Measures measures{metrics};
  const Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 3 / 2} + 12h};
};

TEST_F(MeasuresOf, ExchangesCountByServiceResultAndCode) {  // WUS-323
  measures.exchanged(record(Direction::inbound, exchange::State::completed, ""), {});
  measures.exchanged(record(Direction::inbound, exchange::State::refused, "wus.payload"), {});
  measures.exchanged(record(Direction::outbound, exchange::State::timeout, "WUS-C-TIMEOUT"), {});
  measures.exchanged(record(Direction::outbound, exchange::State::timeout, "WUS-C-TIMEOUT"), {});
  const auto text = metrics.text();
  const auto series = [](std::string_view code, std::string_view direction, std::string_view result, int count) {
    return "schakel_wus_exchanges_total{code=\"" + std::string(code) + "\",direction=\"" + std::string(direction) + "\",result=\"" +
           std::string(result) + "\",service=\"Inschrijving\",tenant=\"gemeente\"} " + std::to_string(count) + "\n";
  };
  EXPECT_THAT(text, HasSubstr(series("", "inbound", "COMPLETED", 1)));
  EXPECT_THAT(text, HasSubstr(series("wus.payload", "inbound", "REFUSED", 1)));
  EXPECT_THAT(text, HasSubstr(series("WUS-C-TIMEOUT", "outbound", "TIMEOUT", 2)));
  EXPECT_THAT(text, Not(HasSubstr("anything"))) << "only codes are labels";
}

TEST_F(MeasuresOf, TimeIsSplitByWhatItWasSpentOn) {  // WUS-323
  measures.exchanged(record(Direction::inbound, exchange::State::completed, ""), {.parse = 2ms, .crypto = 40ms, .other_side = 3s});
  measures.exchanged(record(Direction::outbound, exchange::State::completed, ""), {.parse = 1ms, .crypto = 0ms, .other_side = 7s});
  const auto text = metrics.text();
  const auto sum = [](std::string_view direction, std::string_view phase, std::string_view of) {
    return "schakel_wus_phase_seconds_sum{direction=\"" + std::string(direction) + "\",phase=\"" + std::string(phase) + "\"} " +
           std::string(of) + "\n";
  };
  EXPECT_THAT(text, HasSubstr(sum("inbound", "parse", "0.002")));
  EXPECT_THAT(text, HasSubstr(sum("inbound", "crypto", "0.04")));
  EXPECT_THAT(text, HasSubstr(sum("inbound", "backend", "3")));
  EXPECT_THAT(text, HasSubstr(sum("outbound", "partner", "7")));
  EXPECT_THAT(text, HasSubstr("schakel_wus_phase_seconds_count{direction=\"outbound\",phase=\"crypto\"} 0\n")) << "nothing was secured";
}

TEST_F(MeasuresOf, RefusedSecurityAndReplaysCount) {  // WUS-323, WUS-246
  measures.not_verified(Direction::inbound, "wus.signature");
  measures.not_verified(Direction::inbound, "wus.signature");
  measures.replayed("gemeente", "Inschrijving");
  const auto text = metrics.text();
  EXPECT_THAT(text, HasSubstr("schakel_wus_verification_failures_total{direction=\"inbound\",reason=\"wus.signature\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("schakel_wus_replay_total{service=\"Inschrijving\",tenant=\"gemeente\"} 1\n"));
}

TEST_F(MeasuresOf, TheClockOfAPartnerIsToldAsAMedian) {  // WUS-323
  const auto shown = [&](std::string_view value) {
    return HasSubstr("schakel_wus_clock_difference_seconds{partner=\"00000001800000002000\"} " + std::string(value) + "\n");
  };
  const std::string partner = "00000001800000002000";
  measures.received(partner, noon - 2s, noon);
  EXPECT_THAT(metrics.text(), shown("-2"));
  measures.received(partner, noon - 290s, noon);  // one that was long on its way says nothing about a clock
  measures.received(partner, noon - 1s, noon);
  EXPECT_THAT(metrics.text(), shown("-2"));
  for (std::size_t i = 0; i < Measures::differences_kept; ++i) measures.received(partner, noon + 5s, noon);
  EXPECT_THAT(metrics.text(), shown("5")) << "only the last ones count";
}

TEST_F(MeasuresOf, PartnersAreNotToldAboutWithoutEnd) {  // WUS-323, ADP-600
  for (std::size_t i = 0; i < Measures::partners_max + 10; ++i) measures.received("partner-" + std::to_string(i), noon, noon);
  const auto text = metrics.text();
  std::size_t series = 0;
  for (auto at = text.find("partner=\""); at != std::string::npos; at = text.find("partner=\"", at + 1)) ++series;
  EXPECT_EQ(series, Measures::partners_max);
}

}  // namespace
}  // namespace schakel::wus
