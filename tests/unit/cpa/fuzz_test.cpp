// Mutated octets in process, a bounded number: nothing crashes, everything is answered (cpa.md 6.1 row 30).
#include <gtest/gtest.h>

#include <random>

#include "cpa/specification.hpp"
#include "cpa/validate.hpp"
#include "support/cpa_samples.hpp"

namespace schakel::cpa {
namespace {

using namespace schakel::testing;

class Mangler {
 public:
  explicit Mangler(std::uint32_t seed) : random_(seed) {}

  std::string mangled(std::string text, const std::string& other) {
    const auto changes = 1 + below(4);
    for (std::size_t i = 0; i < changes && !text.empty(); ++i) change(text, other);
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }

  void change(std::string& text, const std::string& other) {
    const auto at = below(text.size());
    const auto length = below(std::min<std::size_t>(text.size() - at, 400)) + 1;
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(below(text.size()), length));
        break;
      case 3:
        text.insert(at, other.substr(below(other.size()), length));
        break;
      case 4:
        text.resize(at);
        break;
      default:
        swap_values(text);
    }
  }
  // Two quoted values change places: the document stays well-formed, its meaning does not.
  void swap_values(std::string& text) {
    const auto value_at = [&](std::size_t from) {
      const auto begin = text.find("=\"", from);
      const auto end = begin == std::string::npos ? begin : text.find('"', begin + 2);
      return std::pair(begin, end);
    };
    const auto first = value_at(below(text.size()));
    if (first.second == std::string::npos) return;
    const auto second = value_at(first.second);
    if (second.second == std::string::npos) return;
    const auto a = text.substr(first.first + 2, first.second - first.first - 2);
    const auto b = text.substr(second.first + 2, second.second - second.first - 2);
    text.replace(second.first + 2, b.size(), a);
    text.replace(first.first + 2, a.size(), b);
  }

  std::mt19937 random_;
};

// CPA-004
TEST(Fuzz, MutatedAgreementsAreAnsweredWithoutHarm) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  std::vector<std::string> sources = {example_cpa()};
  for (const auto name : sample_names) sources.push_back(sample_cpa(name));
  ValidationOptions options;
  options.mode = Mode::test;
  options.now = parse_datetime("2026-03-02T12:00:00Z").value().instant;
  std::size_t malformed = 0, invalid = 0, judged = 0;
  for (std::uint32_t seed = 1; seed <= 3'000; ++seed) {
    Mangler mangler(seed);
    const auto octets = mangler.mangled(sources[seed % sources.size()], sources[seed * 7 % sources.size()]);
    const auto validation = validate(octets, options);
    (validation.agreement ? judged : validation.schema_valid || validation.well_formed ? invalid : malformed) += 1;
    // What is not understood is always refused, and what is understood can be read again.
    EXPECT_TRUE(validation.agreement || validation.refused()) << "seed " << seed;
    EXPECT_EQ(validation.agreement.has_value(), validation.agreement && parse(octets)) << "seed " << seed;
  }
  EXPECT_GT(malformed, 100U);
  EXPECT_GT(invalid, 100U);
  EXPECT_GT(judged, 50U);
}

TEST(Fuzz, MutatedSpecificationsAreAnsweredWithoutHarm) {
  ServiceSpecification made;
  made.identifying_name = "A.1";
  made.provider_oin = "00000099000000020000";
  made.process_name = made.process_version = made.process_uri = "x";
  made.roles = {{"A", false}, {"B", true}};
  made.services = {{"S", "urn:osb:services", {{"do", "A", "B"}, {"done", "B", "A"}}}};
  made.reliability = best_practice_terms();
  for (const auto& source : {to_xml(made), to_json(made)}) {
    ASSERT_TRUE(parse_specification(source));
    std::size_t refused = 0;
    for (std::uint32_t seed = 1; seed <= 2'000; ++seed) {
      const auto parsed = parse_specification(Mangler(seed).mangled(source, source));
      if (!parsed) {
        ++refused;
        EXPECT_EQ(parsed.error().code, "specification.invalid");
      } else {
        EXPECT_EQ(parse_specification(to_json(*parsed)).value(), *parsed);
      }
    }
    EXPECT_GT(refused, 1'000U);
  }
}

}  // namespace
}  // namespace schakel::cpa
