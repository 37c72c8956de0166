// What an attacker may learn from the answers to SE messages that do not decrypt: nothing, by octets or by time (WUS-150, acceptance 13).
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>

#include "unit/wus/parties.hpp"
#include "unit/wus/signed_message.hpp"

namespace schakel::wus {
namespace {

using namespace test;

constexpr std::size_t messages_of_each_kind = 1000;

enum class Kind { wrong_key, oaep, tag, plaintext };
constexpr std::array kinds{Kind::wrong_key, Kind::oaep, Kind::tag, Kind::plaintext};
constexpr std::array names{"wrong key", "OAEP", "tag", "plaintext"};

// Where the text of the n-th CipherValue is: first that of the key, then that of the data.
struct Place {
  std::size_t begin, size;
};
Place cipher_value(const std::string& text, int number) {
  std::size_t begin = 0;
  for (int i = 0; i <= number; ++i) begin = text.find("<xenc:CipherValue>", begin) + 18;
  return {begin, text.find('<', begin) - begin};
}
std::string octets_of(const std::string& text, int number) {
  const auto place = cipher_value(text, number);
  return from_base64_lenient(text.substr(place.begin, place.size)).value();
}
std::string with_octets(std::string text, int number, BytesView octets) {
  const auto place = cipher_value(text, number);
  return text.replace(place.begin, place.size, to_base64(octets));
}

class UniformFailure : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!vectors_are_here()) GTEST_SKIP() << "the keys are not beside this checkout (../shared/standards/wus)";
    good_ = message_of(plain_payload);
    others_ = replaced(signed_text_, plain_payload, encrypted_data(plain_payload, key_pair("requester")->certificate()));
  }
  std::string message_of(const std::string& plaintext) const { return replaced(signed_text_, plain_payload, encrypted_data(plaintext)); }

  // A message that fails in this way, another one each time.
  std::string corrupted(Kind kind) {
    switch (kind) {
      case Kind::wrong_key:  // a session key that was encrypted for somebody else, named as if for us
        return with_octets(with_octets(good_, 0, octets_of(others_, 0)), 1, flipped(octets_of(others_, 1), 12));
      case Kind::oaep:
        return with_octets(good_, 0, flipped(octets_of(good_, 0), 1));
      case Kind::tag:
        return with_octets(good_, 1, flipped(octets_of(good_, 1), 12));
      case Kind::plaintext:  // as long as the good one, and no XML
        return message_of(replaced(plain_payload, "</nummer>", "<" + letters(6) + "/>"));
    }
    return {};
  }
  // One octet at or behind `from` is another one.
  std::string flipped(std::string octets, std::size_t from) {
    auto& octet = octets[from + dice_() % (octets.size() - from)];
    octet = static_cast<char>(octet ^ static_cast<char>(1 + dice_() % 255));
    return octets;
  }
  std::string letters(std::size_t count) {
    std::string out;
    while (out.size() < count) out += static_cast<char>('a' + dice_() % 26);
    return out;
  }

  std::mt19937 dice_{20260302};
  const std::string signed_text_ = vectors_are_here() ? SignedMessage().text() : "";
  std::string good_, others_;
};

// The whole answer, ids and time apart.
std::string answer_to(const Error& error) {
  auto make = testing::response(fault_element(fault_of(error)));
  make.addressing.action = fault_of(error).action;
  testing::CountingRandom random;
  return make_message(make, testing::settings_of(Profile::be_se), receipt, random).value().entity;
}

TEST_F(UniformFailure, IsTheSameToTheOctetAndTakesTheSameTime) {
  const auto receiver = test::receiver(Profile::be_se);
  ASSERT_EQ(told(receiver(good_)), "accepted");
  const auto keys = keys_of("provider", receipt);
  const auto expected = answer_to(fail("wus.failedCheck", ""));
  EXPECT_THAT(expected, ::testing::HasSubstr("The signature or decryption was invalid."));
  std::array<std::vector<double>, kinds.size()> took;
  SystemRandom random;
  // In turn, so that whatever else the machine does falls on all kinds alike.
  for (std::size_t i = 0; i < messages_of_each_kind; ++i) {
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      const auto text = corrupted(kinds[kind]);
      auto message = read_message(text, text_xml, receiver.settings, wus::Kind::request);
      ASSERT_TRUE(message) << message.error().detail;
      const auto began = std::chrono::steady_clock::now();
      const auto opened = open(*message, receiver.settings, wus::Kind::request, keys, nullptr, receipt, random);
      took[kind].push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count());
      ASSERT_FALSE(opened) << names[kind];
      ASSERT_EQ(answer_to(opened.error()), expected) << names[kind] << ": " << opened.error().detail;
    }
  }
  for (auto& times : took) std::ranges::sort(times);
  const auto quantile = [&](std::size_t kind, std::size_t percent) { return took[kind][took[kind].size() * percent / 100]; };
  for (std::size_t a = 0; a < kinds.size(); ++a) {
    for (std::size_t b = 0; b < kinds.size(); ++b) {
      // An RSA operation that is left out or done twice shows as a factor of two or more.
      EXPECT_LT(quantile(a, 50), 1.5 * quantile(b, 50)) << names[a] << " and " << names[b];
      EXPECT_LT(quantile(a, 5), quantile(b, 95)) << names[a] << " and " << names[b] << " do not overlap";
    }
  }
}

}  // namespace
}  // namespace schakel::wus
