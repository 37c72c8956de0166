#include "cli/output.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace schakel::cli {
namespace {

// Columns on a terminal: code points, for text that is mostly Latin.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string plain(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
      return "";
    case Json::value_t::string:
      return value.get<std::string>();
    case Json::value_t::array: {
      std::string joined;
      for (const auto& item : value) {
        if (!joined.empty()) joined += ", ";
        joined += plain(item);
      }
      return joined;
    }
    default:
      return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

const Json* find(const Json& value, std::string_view member) {
  const auto* at = &value;
  while (!member.empty()) {
    const auto dot = member.find('.');
    const auto name = std::string(member.substr(0, dot));
    if (!at->is_object()) return nullptr;
    const auto found = at->find(name);
    if (found == at->end()) return nullptr;
    at = &*found;
    member = dot == std::string_view::npos ? std::string_view{} : member.substr(dot + 1);
  }
  return at;
}

std::string json_text(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

void pad(std::ostream& out, std::string_view text, std::size_t width, Align align, bool last) {
  const auto missing = width - std::min(width, width_of(text));
  if (align == Align::right) out << std::string(missing, ' ');
  out << text;
  if (align == Align::left && !last) out << std::string(missing, ' ');
}

void print_table(std::ostream& out, const std::vector<std::vector<std::string>>& rows, std::span<const Column> columns) {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    auto width = width_of(columns[c].title);
    for (const auto& row : rows) width = std::max(width, width_of(row[c]));
    widths.push_back(width);
  }
  const auto line = [&](auto cell) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (c > 0) out << "  ";
      pad(out, cell(c), widths[c], columns[c].align, c + 1 == columns.size());
    }
    out << '\n';
  };
  line([&](std::size_t c) { return std::string(columns[c].title); });
  for (const auto& row : rows) line([&](std::size_t c) { return row[c]; });
}

void print_csv_line(std::ostream& out, const std::vector<std::string>& cells) {
  for (std::size_t c = 0; c < cells.size(); ++c) out << (c > 0 ? "," : "") << csv_cell(cells[c]);
  out << "\r\n";
}

void print_csv(std::ostream& out, const Json& items, std::span<const Column> columns) {
  std::vector<std::string> head;
  for (const auto& column : columns) head.emplace_back(column.member);
  print_csv_line(out, head);
  for (const auto& item : items) {
    std::vector<std::string> cells;
    for (const auto& column : columns) cells.push_back(text_at(item, column.member));
    print_csv_line(out, cells);
  }
}

bool is_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

}  // namespace

std::string printable(std::string_view text) {
  static constexpr std::array digits{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string safe;
  safe.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<unsigned char>(text[i]);
    // U+0080..U+009F are control characters too; in UTF-8 they are C2 followed by 80..9F.
    const bool c1 = octet == 0xC2U && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80U &&
                    static_cast<unsigned char>(text[i + 1]) < 0xA0U;
    if (octet >= 0x20U && octet != 0x7FU && !c1) {
      safe += text[i];
      continue;
    }
    const auto shown = c1 ? static_cast<unsigned char>(text[++i]) : octet;
    safe += "\\x";
    safe += digits[shown >> 4U];
    safe += digits[shown & 0x0FU];
  }
  return safe;
}

std::string csv_cell(std::string_view text) {
  std::string cell;
  if (!text.empty() && (text.front() == '=' || text.front() == '+' || text.front() == '-' || text.front() == '@' || text.front() == '\t') &&
      !is_number(text))
    cell = "'";
  cell += text;
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string text_at(const Json& value, std::string_view member) {
  const auto* found = find(value, member);
  return found != nullptr ? plain(*found) : std::string{};
}

void print_list(std::ostream& out, Format format, const Json& items, std::span<const Column> columns, std::string_view when_empty) {
  if (format == Format::json) {
    out << json_text(items) << '\n';
    return;
  }
  if (format == Format::csv) {
    print_csv(out, items, columns);
    return;
  }
  if (items.empty()) {
    out << when_empty << '\n';
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : items) {
    auto& row = rows.emplace_back();
    for (const auto& column : columns) {
      auto cell = printable(text_at(item, column.member));
      row.push_back(cell.empty() ? "-" : std::move(cell));
    }
  }
  print_table(out, rows, columns);
}

void print_record(std::ostream& out, Format format, const Json& record, std::span<const Column> columns) {
  if (format == Format::json) {
    out << json_text(record) << '\n';
    return;
  }
  if (format == Format::csv) {
    print_csv(out, Json::array({record}), columns);
    return;
  }
  std::size_t width = 0;
  for (const auto& column : columns) width = std::max(width, width_of(column.title));
  for (const auto& column : columns) {
    const auto text = printable(text_at(record, column.member));
    if (text.empty()) continue;
    pad(out, column.title, width, Align::left, false);
    out << "  " << text << '\n';
  }
}

}  // namespace schakel::cli
