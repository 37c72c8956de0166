#include "cli/output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <sstream>

#include "cli/failure.hpp"

namespace schakel::cli {
namespace {

constexpr std::array columns = {Column{"NAME", "name"}, Column{"SIZE", "size", Align::right}, Column{"CODE", "lastError.code"}};

const Json& items() {
  static const Json list =
      Json::array({{{"name", "één"}, {"size", 7}, {"lastError", {{"code", "transport.timeout"}}}}, {{"name", "a, \"b\""}, {"size", 1024}}});
  return list;
}

std::string listed(Format format, const Json& list) {
  std::ostringstream out;
  print_list(out, format, list, columns);
  return out.str();
}

TEST(Output, aligns_tables_by_characters_not_octets) {
  EXPECT_EQ(listed(Format::table, items()),
            "NAME    SIZE  CODE\n"
            "één        7  transport.timeout\n"
            "a, \"b\"  1024  -\n");
}

TEST(Output, says_that_a_list_is_empty) {
  EXPECT_EQ(listed(Format::table, Json::array()), "none\n");
  EXPECT_EQ(listed(Format::json, Json::array()), "[]\n");
  EXPECT_EQ(listed(Format::csv, Json::array()), "name,size,lastError.code\r\n");
}

TEST(Output, prints_json_as_it_came) {
  EXPECT_EQ(Json::parse(listed(Format::json, items())), items());
}

TEST(Output, quotes_csv_as_rfc_4180_says) {
  EXPECT_EQ(listed(Format::csv, items()), "name,size,lastError.code\r\néén,7,transport.timeout\r\n\"a, \"\"b\"\"\",1024,\r\n");
}

// adapter.md section 4: CSV cells that a spreadsheet would run.
TEST(Output, disarms_formulas_in_csv_but_not_numbers) {
  EXPECT_EQ(csv_cell("=1+1"), "'=1+1");
  EXPECT_EQ(csv_cell("+cmd"), "'+cmd");
  EXPECT_EQ(csv_cell("-cmd"), "'-cmd");
  EXPECT_EQ(csv_cell("@cmd"), "'@cmd");
  EXPECT_EQ(csv_cell("\tcmd"), "'\tcmd");
  EXPECT_EQ(csv_cell("=a,b"), "\"'=a,b\"");
  EXPECT_EQ(csv_cell("-12.5"), "-12.5");
  EXPECT_EQ(csv_cell("00000099000000010000"), "00000099000000010000");
}

TEST(Output, shows_control_characters_instead_of_sending_them_to_the_terminal) {
  EXPECT_EQ(printable("a\x1b[2J\r\n\x7f"), "a\\x1b[2J\\x0d\\x0a\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "\\x9b2J");
  EXPECT_EQ(printable("één €"), "één €");
  EXPECT_THAT(listed(Format::table, Json::array({{{"name", "x\x1b[31m"}}})), testing::HasSubstr("x\\x1b[31m"));
}

TEST(Output, survives_text_that_is_not_utf8) {
  EXPECT_NO_THROW(listed(Format::json, Json::array({{{"name", "\xff\xfe"}}})));
}

TEST(Output, leaves_empty_fields_of_a_record_out) {
  std::ostringstream out;
  print_record(out, Format::table, {{"name", "x"}, {"size", nullptr}}, columns);
  EXPECT_EQ(out.str(), "NAME  x\n");
}

// adapter.md 2.12: exit codes
TEST(Failures, have_the_exit_code_of_their_kind) {
  EXPECT_EQ(exit_for("notFound"), Exit::not_found);
  EXPECT_EQ(exit_for("auth.missing"), Exit::not_allowed);
  EXPECT_EQ(exit_for("auth.forbidden"), Exit::not_allowed);
  EXPECT_EQ(exit_for("contract.invalid"), Exit::findings);
  EXPECT_EQ(exit_for("config.invalid"), Exit::usage);
  EXPECT_EQ(exit_for("transport.connect"), Exit::failure);
  EXPECT_EQ(exit_for("something.new"), Exit::failure);
}

TEST(Failures, say_where_what_and_what_to_do_next) {
  Failure failure = fail("auth.missing", "this request needs an API key", "GET /messages");
  failure.particulars = {"header X-Api-Key: absent"};
  EXPECT_EQ(describe(failure),
            "schakel: GET /messages: this request needs an API key (auth.missing)\n"
            "  - header X-Api-Key: absent\n"
            "  next: set SCHAKEL_API_KEY, or give --api-key-file FILE\n");
}

}  // namespace
}  // namespace schakel::cli
