#include "base/oin.hpp"
#include "base/json_library.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <regex>
#include <string>

namespace schakel {
namespace {

struct Vector {
  std::string_view oin;
  OinVerdict verdict;
};

// oin.md 2.2. OIN-001, OIN-003, OIN-004, OIN-005, OIN-007
TEST(Oin, TheVectorsOfTheSpecificationGetTheirVerdicts) {
  using enum OinVerdict;
  for (const auto& [oin, verdict] :
       {Vector{"00000001123456782000", valid}, {"00000001123456789000", valid},     {"00000003900000010000", valid},
        {"00000003900000010001", irregular},   {"00000004900000017000", valid},     {"00000004003999999001", irregular},
        {"00000006510200001000", valid},       {"0000000700AB12CD0000", valid},     {"0000000190AB12CD0000", invalid},
        {"00000012123456782000", irregular},   {"00000005123456782000", irregular}, {"10000001123456782000", invalid},
        {"00000099000000001000", valid},       {"0000000112345678200", invalid},    {"000000011234567820000", invalid},
        {" 0000000112345678200", invalid},     {"00000001 23456782000", invalid},   {"００000001123456782000", invalid},
        {"00000001000000000000", invalid},     {"00000000123456782000", invalid},   {"0000000700ab12cd0000", invalid},
        {"00000012123456782A00", invalid},     {"0000000390000001000A", invalid},   {"", invalid}}) {
    EXPECT_EQ(classify_oin(oin).verdict, verdict) << oin;
  }
}

// OIN-003: the same rules written as regular expressions, on ten thousand strings near the real ones.
TEST(Oin, RandomStringsAgreeWithRegularExpressions) {
  const std::regex usable(
      "^(0000000[12468]|00000010|00000099)[0-9]{12}$|^00000003[0-9]{12}$|^(0000000[79]|00000011)[0-9A-Z]{9}[0-9]{3}$|^000000(05|1[2-9]|[2-"
      "8][0-9]|9[0-8])[0-9A-Z]{9}[0-9]{3}$");
  const std::regex regular("^(0000000[12468]|00000010|00000099)[0-9]{9}000$|^00000003[0-9]{8}0000$|^(0000000[79]|00000011)[0-9A-Z]{9}000$");
  const std::regex empty_number("^[0-9]{8}000000000...$|^0000000300000000....$");
  std::mt19937 random(20260301);
  int seen[3] = {0, 0, 0};
  for (int i = 0; i < 10'000; ++i) {
    std::string text = "000000";
    const std::string_view digits = "0123456789", wide = "0123456789AZaz -";
    for (int k = 0; k < 2; ++k) text += digits[random() % (random() % 2 == 0 ? 2 : 10)];
    const bool letters = random() % 4 == 0;
    for (int k = 0; k < 9; ++k) text += letters ? wide[random() % 12] : digits[random() % 10];
    for (int k = 0; k < 3; ++k) text += digits[random() % (random() % 3 == 0 ? 10 : 1)];
    if (random() % 20 == 0) text[random() % text.size()] = wide[random() % wide.size()];
    if (random() % 50 == 0) text.pop_back();
    const bool is_usable = std::regex_match(text, usable) && !std::regex_match(text, empty_number);
    const auto expected = !is_usable ? OinVerdict::invalid : std::regex_match(text, regular) ? OinVerdict::valid : OinVerdict::irregular;
    const auto verdict = classify_oin(text).verdict;
    ASSERT_EQ(verdict, expected) << text;
    ++seen[static_cast<int>(verdict)];
  }
  EXPECT_GT(seen[0], 500);
  EXPECT_GT(seen[1], 500);
  EXPECT_GT(seen[2], 500);
}

// OIN-003 step 8
TEST(Oin, APartOfANumberIsFoundByItsPrefix) {
  const auto kvk = classify_oin("00000003900000010000");
  EXPECT_EQ(kvk.number, "KVK-nummer");
  EXPECT_EQ(kvk.main_number, "90000001");
  EXPECT_EQ(kvk.suffix, "0000");
  EXPECT_EQ(kvk.kind, OinKind::main);
  EXPECT_EQ(classify_oin("00000004900000017000").kind, OinKind::sub);
  EXPECT_EQ(classify_oin("00000007000000001000").kind, OinKind::register_only);
  EXPECT_EQ(classify_oin("00000099000000001000").kind, OinKind::test);
  EXPECT_EQ(classify_oin("00000042000000001000").kind, OinKind::unknown);
  EXPECT_TRUE(is_test_oin("00000099000000001000"));
  EXPECT_FALSE(is_test_oin("00000001123456782000"));
}

// OIN-002
TEST(Oin, AnInstallationAddsAPrefixAndItsRuleHolds) {
  const OinPrefix local[] = {{"00000012", "nieuw register", OinKind::main, OinDigits::nine}};
  EXPECT_EQ(classify_oin("00000012123456782000", local).verdict, OinVerdict::valid);
  EXPECT_EQ(classify_oin("00000012A23456782000", local).verdict, OinVerdict::invalid);
}

// OIN-002: the table in the program is the table of the official data.
TEST(Oin, TheTableHoldsEveryOfficialPrefix) {
  std::ifstream in(SCHAKEL_SOURCE_DIR "/../shared/standards/oin/oin-prefixes.json");
  if (!in) GTEST_SKIP() << "the official data are not here";
  const auto data = nlohmann::json::parse(in);
  ASSERT_EQ(data.at("prefixes").size(), oin_prefixes().size());
  for (const auto& row : data.at("prefixes")) {
    const auto text = row.at("prefix").get<std::string>();
    const auto found = std::ranges::find(oin_prefixes(), text, &OinPrefix::prefix);
    ASSERT_NE(found, oin_prefixes().end()) << text;
    EXPECT_EQ(found->digits == OinDigits::unassigned, row.at("status") == "gereserveerd") << text;
    EXPECT_EQ(found->kind == OinKind::sub, row.at("soort") == "sub") << text;
    EXPECT_EQ(found->kind == OinKind::test, row.at("soort") == "test") << text;
  }
}

// OIN-006
TEST(Oin, TheElevenTestPassesAndFails) {
  EXPECT_TRUE(passes_eleven_test("123456782"));
  EXPECT_FALSE(passes_eleven_test("123456789"));
  EXPECT_FALSE(passes_eleven_test("000000000"));
  EXPECT_FALSE(passes_eleven_test("12345678"));
  EXPECT_FALSE(passes_eleven_test("12345678A"));
  // It never rejects a number that is seen.
  EXPECT_EQ(classify_oin("00000001123456789000").verdict, OinVerdict::valid);
}

}  // namespace
}  // namespace schakel
