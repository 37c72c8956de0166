// How commands show things: one JSON value, shown as an aligned table, as JSON, or as CSV (adapter.md 2.12).
//
// Commands make JSON (their own, or the API's) and name columns into it; nothing is formatted anywhere else. Pure functions.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "base/json_library.hpp"

namespace schakel::cli {

using Json = nlohmann::ordered_json;

enum class Format { table, json, csv };

enum class Align { left, right };

// `member`: a member of each item, or members joined by dots ("lastError.code"). `title`: the head in a table; CSV uses `member`.
struct Column {
  std::string_view title;
  std::string_view member;
  Align align = Align::left;
};

// A list: table with one line per item, JSON array, CSV with a head line (RFC 4180). `when_empty` stands in for an empty table.
void print_list(std::ostream&, Format, const Json& items, std::span<const Column>, std::string_view when_empty = "none");

// One object: table of "title  value" lines without empty ones, JSON object, CSV with one line.
void print_record(std::ostream&, Format, const Json& record, std::span<const Column>);

// The value at a dotted path as text: "" when absent or null, arrays joined with ", ".
std::string text_at(const Json&, std::string_view member);

// For a terminal: control characters are shown as \xNN, so that text from a partner cannot move the cursor.
std::string printable(std::string_view);

// A CSV cell: quoted when needed; a leading = + - @ or tab is disarmed with ' (adapter.md section 4), but not in numbers.
std::string csv_cell(std::string_view);

}  // namespace schakel::cli
