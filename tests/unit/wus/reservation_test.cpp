#include "wus/reservation.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

namespace schakel::wus {
namespace {

TEST(Reservation, TakesNoMoreThanThereIsAndGivesAllBack) {  // WUS-024, WUS-186
  std::atomic<std::size_t> taken = 0;
  {
    Reservation one(taken, 10), other(taken, 10);
    EXPECT_TRUE(one.grow(4));
    EXPECT_TRUE(one.grow(2));
    EXPECT_FALSE(other.grow(5));
    EXPECT_EQ(taken, 6U) << "what was refused is not taken";
    EXPECT_TRUE(other.grow(4));
    EXPECT_EQ(one.own(), 6U);
  }
  EXPECT_EQ(taken, 0U);
}

Result<std::string> read(std::string body, Reservation& octets, std::size_t step) {
  boost::asio::io_context context;
  http::StringReader reader(std::move(body));
  ReservingReader reserving(reader, octets, step);
  auto whole = boost::asio::co_spawn(context, http::read_all(reserving, 1'000'000), boost::asio::use_future);
  context.run();
  return whole.get();
}

TEST(Reservation, OfABodyOfUnknownLengthGrowsWithIt) {
  std::atomic<std::size_t> taken = 0;
  Reservation octets(taken, 300'000);
  ASSERT_TRUE(octets.grow(100'000));
  EXPECT_EQ(read(std::string(90'000, 'x'), octets, 100'000).value().size(), 90'000U);
  EXPECT_EQ(taken, 100'000U) << "it was large enough";
  EXPECT_EQ(read(std::string(250'000, 'x'), octets, 100'000).value().size(), 250'000U);
  EXPECT_EQ(taken, 300'000U);
  EXPECT_EQ(read(std::string(310'000, 'x'), octets, 100'000).error().code, "wus.overload");
  EXPECT_EQ(taken, 300'000U);
}

}  // namespace
}  // namespace schakel::wus
