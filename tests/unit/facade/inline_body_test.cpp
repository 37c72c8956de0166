#include "facade/inline_body.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

namespace schakel::facade {
namespace {

constexpr std::size_t kib = 1024;

api::Answer<std::string> read(InlineBody& body, std::string octets, std::size_t bytes_max) {
  http::StringReader source(std::move(octets));
  boost::asio::io_context io;
  auto future = boost::asio::co_spawn(io, body.read(source, bytes_max), boost::asio::use_future);
  io.run();
  return future.get();
}

// README section 15: every body has its bound, and all of them together have one
TEST(InlineBody, BodiesAreBoundedEachAndTogether) {
  InlineBytes all(256 * kib);
  {
    InlineBody first(all), second(all), third(all);
    EXPECT_EQ(read(first, std::string(100 * kib, 'a'), 200 * kib).value(), std::string(100 * kib, 'a'));
    EXPECT_TRUE(read(second, std::string(128 * kib, 'b'), 200 * kib));
    const auto refused = read(third, "c", 200 * kib);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "storage.unavailable") << "503, for this will pass";
  }
  InlineBody after(all);
  EXPECT_TRUE(read(after, std::string(200 * kib, 'd'), 200 * kib)) << "what was taken is given back";
  InlineBody large(all);
  EXPECT_EQ(read(large, std::string(201, 'e'), 200).error().code, "http.bodyTooLarge");
}

}  // namespace
}  // namespace schakel::facade
