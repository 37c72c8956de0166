// SE messages that do not decrypt, asked of a node: one answer, whatever went wrong (wus.md section 6: row 13; the pure functions are in
// tests/unit/wus/uniform_failure_test.cpp).
#include <algorithm>
#include <random>
#include <regex>

#include "integration/wus_by_hand.hpp"
#include "unit/wus/signed_message.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using wus::Profile;

constexpr std::size_t messages_of_each_kind = 40;

// The n-th CipherValue of a message, as octets: first that of the key, then that of the data.
std::pair<std::size_t, std::size_t> cipher_value(const std::string& text, int number) {
  std::size_t begin = 0;
  for (int i = 0; i <= number; ++i) begin = text.find("<xenc:CipherValue>", begin) + 18;
  return {begin, text.find('<', begin) - begin};
}
std::string with_cipher_value(std::string text, int number, const std::string& from) {
  const auto [begin, size] = cipher_value(text, number);
  const auto [other_begin, other_size] = cipher_value(from, number);
  return text.replace(begin, size, from.substr(other_begin, other_size));
}
// One octet from `from` on is another one.
std::string with_flip(std::string text, int number, std::size_t from, std::mt19937& dice) {
  const auto [begin, size] = cipher_value(text, number);
  auto octets = from_base64_lenient(text.substr(begin, size)).value();
  auto& octet = octets[from + dice() % (octets.size() - from)];
  octet = static_cast<char>(octet ^ static_cast<char>(1 + dice() % 255));
  return text.replace(begin, size, to_base64(octets));
}
// Ids and times apart.
std::string without_ids(const std::string& text) {
  return std::regex_replace(text, std::regex("urn:uuid:[0-9a-f-]{36}"), "urn:uuid:ID");
}

// WUS-150
TEST(WusFailure, OfDecryptionIsAlwaysToldInTheSameOctets) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("stil", "2W-be-SE");
  ByHand consumer(two.pki, two.consumer.identity(), two.provider.options().oin);
  const auto& recipient = two.provider.identity().certificate;
  const auto signed_only = ByHand::settings(Profile::be_s), settings = ByHand::settings(Profile::be_se);
  const auto made = [&](const security::Certificate& for_whom) {
    return consumer.made(consumer.request(two.address("stil"), question("12345678")), settings, for_whom).entity;
  };
  std::mt19937 dice(20260302);
  const std::vector<std::pair<const char*, std::function<std::string()>>> kinds{
      {"wrong key",
       [&] {
         const auto others = made(two.consumer.identity().certificate);
         return with_cipher_value(with_cipher_value(made(recipient), 0, others), 1, others);
       }},
      {"OAEP", [&] { return with_flip(made(recipient), 0, 1, dice); }},
      {"tag", [&] { return with_flip(made(recipient), 1, 12, dice); }},
      {"plaintext", [&] {
         // Signed, and then something encrypted that is no XML.
         const auto text = consumer.made(consumer.request(two.address("stil"), question("12345678")), signed_only, recipient).entity;
         const auto begin = text.find("<v:vraagInschrijving"), end = text.find("</soapenv:Body>");
         const auto broken = question("12345678").substr(1) + std::to_string(dice() % 10);
         return text.substr(0, begin) + wus::test::encrypted_data(broken, recipient) + text.substr(end);
       }}};
  const auto before = two.backend.asked().size();
  std::string expected;
  std::vector<std::vector<double>> took(kinds.size());
  for (std::size_t i = 0; i < messages_of_each_kind; ++i) {
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      const auto text = kinds[kind].second();
      const auto began = Steady::now();
      const auto answered = consumer.post(two.address("stil"), text);
      took[kind].push_back(std::chrono::duration<double>(Steady::now() - began).count());
      ASSERT_EQ(answered.status, 500U) << kinds[kind].first << answered.body;
      if (expected.empty()) expected = without_ids(answered.body);
      ASSERT_EQ(without_ids(answered.body), expected) << kinds[kind].first;
    }
  }
  EXPECT_THAT(expected, HasSubstr("wsse:FailedCheck"));
  EXPECT_THAT(expected, ::testing::Not(HasSubstr("wsse:Security>"))) << "before verification a fault is bare";
  EXPECT_EQ(two.backend.asked().size(), before);
  // Whole exchanges, so the noise is large; that each kind takes its turn spreads it over all.
  std::vector<double> medians;
  for (auto& times : took) {
    std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
    medians.push_back(times[times.size() / 2]);
  }
  const auto [least, most] = std::ranges::minmax(medians);
  EXPECT_LT(most, 3 * least);
}

}  // namespace
}  // namespace schakel::integration
