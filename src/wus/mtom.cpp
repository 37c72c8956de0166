#include "wus/mtom.hpp"

#include <algorithm>
#include <optional>

#include "wus/names.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::wus {
namespace {

using xml::Element;

constexpr std::string_view xop_type = "application/xop+xml";

Error malformed(std::string detail) {
  return fail("wus.envelope", std::move(detail));
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
std::string_view trim_blank(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string_view without_brackets(std::string_view id) {
  id = trim(id);
  if (id.size() >= 2 && id.front() == '<' && id.back() == '>') id = id.substr(1, id.size() - 2);
  return id;
}

// --- delimiters --------------------------------------------------------------------------------------------------------------------

// A delimiter in the entity: it begins with the line end before it, which belongs to it (RFC 2046 5.1.1).
struct Delimiter {
  std::size_t begin = 0, end = 0;  // of what follows it
  bool last = false;
};

// What may stand behind `--boundary` on its line: blanks, then the end of the line, or `--` first.
std::optional<Delimiter> delimiter_at(BytesView entity, std::size_t begin, std::size_t after) {
  Delimiter found{begin, after};
  auto rest = entity.substr(after);
  found.last = rest.starts_with("--");
  if (found.last) rest.remove_prefix(2);
  while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
  if (rest.starts_with("\r\n")) {
    rest.remove_prefix(2);
  } else if (!(found.last && rest.empty())) {
    return std::nullopt;
  }
  found.end = entity.size() - rest.size();
  return found;
}

std::optional<Delimiter> next_delimiter(BytesView entity, const std::string& delimiter, std::size_t from) {
  const std::string_view line = std::string_view(delimiter).substr(2);
  if (from == 0 && entity.starts_with(line)) {
    if (const auto found = delimiter_at(entity, 0, line.size())) return found;
  }
  for (auto at = entity.find(delimiter, from); at != BytesView::npos; at = entity.find(delimiter, at + 1)) {
    if (const auto found = delimiter_at(entity, at, at + delimiter.size())) return found;
  }
  return std::nullopt;
}

// --- a part ------------------------------------------------------------------------------------------------------------------------

struct PartHead {
  std::string content_id, content_type, transfer_encoding;
};

Result<> take_field(PartHead& head, std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return malformed("a header line of a part without a name");
  const auto name = trim_blank(line.substr(0, colon));
  const std::string value(trim_blank(line.substr(colon + 1)));
  const auto set = [&](std::string& field) -> Result<> {
    if (!field.empty()) return malformed("a header field of a part stands twice");
    field = value;
    return {};
  };
  if (equals_ignoring_case(name, "Content-ID")) return set(head.content_id);
  if (equals_ignoring_case(name, "Content-Type")) return set(head.content_type);
  if (equals_ignoring_case(name, "Content-Transfer-Encoding")) return set(head.transfer_encoding);
  return {};
}

// Lines end in CR LF, or in LF alone; a line that begins with a blank goes on with the one before it.
Result<PartHead> read_head(BytesView text) {
  PartHead head;
  std::string line;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto piece = text.substr(0, end);
    text.remove_prefix(end == BytesView::npos ? text.size() : end + 1);
    if (piece.ends_with('\r')) piece.remove_suffix(1);
    if (!piece.empty() && is_blank(piece.front()) && !line.empty()) {
      line.append(" ").append(trim_blank(piece));
      continue;
    }
    if (!line.empty()) SCHAKEL_CHECK(take_field(head, line));
    line = piece;
  }
  if (!line.empty()) SCHAKEL_CHECK(take_field(head, line));
  return head;
}

// Where the header of a part ends and its content begins.
struct Split {
  std::size_t head_end, content_begin;
};
std::optional<Split> split_part(BytesView part) {
  if (part.starts_with("\r\n")) return Split{0, 2};
  if (part.starts_with("\n")) return Split{0, 1};
  const auto window = part.substr(0, part_header_bytes_max + 4);
  for (auto at = window.find('\n'); at != BytesView::npos; at = window.find('\n', at + 1)) {
    const auto after = window.substr(at + 1);
    if (after.starts_with("\r\n")) return Split{at + 1, at + 3};
    if (after.starts_with("\n")) return Split{at + 1, at + 2};
  }
  // Nothing behind the header: then its last line end belongs to the delimiter.
  if (part.size() <= part_header_bytes_max && (part.empty() || part.ends_with('\n'))) return Split{part.size(), part.size()};
  return std::nullopt;
}

// RFC 2045 6.7. nullopt: an escape that is none.
std::optional<Bytes> from_quoted_printable(BytesView text) {
  Bytes out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto line_end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, line_end);
    const bool has_end = line_end < text.size();
    text.remove_prefix(has_end ? line_end + 1 : line_end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);  // white space at the end of a line is padding
    const bool soft = line.ends_with('=');
    if (soft) line.remove_suffix(1);
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] != '=') {
        out += line[i];
        continue;
      }
      if (i + 2 >= line.size() || hex_value(line[i + 1]) < 0 || hex_value(line[i + 2]) < 0) return std::nullopt;
      out += static_cast<char>(hex_value(line[i + 1]) * 16 + hex_value(line[i + 2]));
      i += 2;
    }
    if (has_end && !soft) out += "\r\n";
  }
  return out;
}

Result<> decode(Part& part, std::string_view encoding) {
  const auto is = [encoding](std::string_view name) { return equals_ignoring_case(encoding, name); };
  if (encoding.empty() || is("binary") || is("8bit") || is("7bit")) return {};
  if (is("base64")) {
    auto decoded = from_base64_lenient(part.encoded);
    if (!decoded) return malformed("a part that is not base64");
    part.decoded = std::move(*decoded);
  } else if (is("quoted-printable")) {
    auto decoded = from_quoted_printable(part.encoded);
    if (!decoded) return malformed("a part that is not quoted-printable");
    part.decoded = std::move(*decoded);
  } else {
    return malformed("a Content-Transfer-Encoding that is not supported");
  }
  return {};
}

Result<Part> read_part(BytesView octets) {
  const auto split = split_part(octets);
  if (!split || split->head_end > part_header_bytes_max)
    return fail("wus.limit", "the header of a part has no end within " + std::to_string(part_header_bytes_max) + " octets");
  SCHAKEL_TRY(auto head, read_head(octets.substr(0, split->head_end)));
  Part part;
  part.content_id = without_brackets(head.content_id);
  part.content_type = std::move(head.content_type);
  if (to_lower(part.content_type).starts_with("multipart/")) return malformed("a multipart inside the multipart");
  part.encoded = octets.substr(split->content_begin);
  SCHAKEL_CHECK(decode(part, head.transfer_encoding));
  return part;
}

// --- XOP ---------------------------------------------------------------------------------------------------------------------------

std::vector<Element> includes_in(Element root) {
  std::vector<Element> out;
  for (Element element = root; element; element = element.next_in(root)) {
    if (element.is(ns::xop, "Include")) out.push_back(element);
  }
  return out;
}

class Expansion {
 public:
  Expansion(xml::Document& document, const std::vector<Part>& parts, std::size_t root, std::size_t bytes_max)
      : document_(document), parts_(parts), room_(bytes_max), used_(parts.size()) {
    used_[root] = true;
  }

  Result<std::vector<Element>> run(std::size_t root_bytes) {
    SCHAKEL_CHECK(take(root_bytes));
    std::vector<Element> filled;
    const auto includes = includes_in(document_.root());
    if (includes.size() > parts_.size()) return malformed("more xop:Include than parts");
    for (const Element include : includes) {
      SCHAKEL_TRY(const Element target, fill(include));
      filled.push_back(target);
    }
    if (std::ranges::find(used_, false) != used_.end()) return malformed("a part that no xop:Include refers to");
    return filled;
  }

 private:
  Result<Element> fill(Element include) {
    const Element target = include.parent();
    if (!target || target.first_child() != include || include.next_sibling() || target.has_comment_or_pi() || !target.text().empty())
      return malformed("xop:Include is not the only child of its parent");
    SCHAKEL_TRY(const auto number, part_of(include));
    const BytesView octets = parts_[number].octets();
    const bool stays = !target.is(xmlsecurity::uri::xenc, "CipherValue");
    SCHAKEL_CHECK(take(stays ? (octets.size() + 2) / 3 * 4 : octets.size()));
    document_.set_text(target, to_base64(octets));
    return target;
  }

  Result<std::size_t> part_of(Element include) {
    const auto href = include.attribute("", "href");
    if (!href || !to_lower(href->substr(0, 4)).starts_with("cid:")) return malformed("xop:Include without a cid: URL");
    const auto id = percent_decoded(std::string_view(*href).substr(4));
    const auto found = std::ranges::find(parts_, id, &Part::content_id);
    if (id.empty() || found == parts_.end()) return malformed("xop:Include of a part that is not there");
    const auto number = static_cast<std::size_t>(found - parts_.begin());
    if (used_[number]) return malformed("a part that is included twice");
    used_[number] = true;
    return number;
  }

  Result<> take(std::size_t bytes) {
    if (bytes > room_) return fail("wus.limit", "the message is too large with what it includes");
    room_ -= bytes;
    return {};
  }

  xml::Document& document_;
  const std::vector<Part>& parts_;
  std::size_t room_;
  std::vector<bool> used_;
};

}  // namespace

Result<std::vector<Part>> split_related(BytesView entity, std::string_view boundary) {
  if (boundary.empty() || boundary.size() > 70) return malformed("no boundary, or one of more than 70 characters");
  const auto delimiter = "\r\n--" + std::string(boundary);
  auto at = next_delimiter(entity, delimiter, 0);
  if (!at || at->last) return malformed("there is no first delimiter");
  std::vector<Part> parts;
  while (!at->last) {
    if (parts.size() == parts_max) return fail("wus.limit", "more than " + std::to_string(parts_max) + " parts");
    const auto next = next_delimiter(entity, delimiter, at->end);
    if (!next) return malformed("the closing delimiter is missing");
    SCHAKEL_TRY(auto part, read_part(entity.substr(at->end, next->begin - at->end)));
    const bool known = !part.content_id.empty() && std::ranges::find(parts, part.content_id, &Part::content_id) != parts.end();
    if (known) return malformed("two parts with one Content-ID");
    parts.push_back(std::move(part));
    at = next;
  }
  return parts;
}

Result<std::size_t> root_of(const std::vector<Part>& parts, std::string_view start) {
  if (start.empty()) return std::size_t{0};
  const auto found = std::ranges::find(parts, without_brackets(start), &Part::content_id);
  if (found == parts.end()) return malformed("start names no part");
  return static_cast<std::size_t>(found - parts.begin());
}

Result<Package> read_package(BytesView entity, const http::MediaType& media, std::initializer_list<std::string_view> root_types) {
  Package package;
  SCHAKEL_TRY(package.parts, split_related(entity, media.parameter("boundary").value_or("")));
  SCHAKEL_TRY(package.root, root_of(package.parts, media.parameter("start").value_or("")));
  const auto root = http::parse_media_type(package.parts[package.root].content_type, http::Unquoted::anything);
  const auto type = root ? root->parameter("type").value_or("") : std::string_view();
  const bool expected = std::ranges::any_of(root_types, [&](std::string_view wanted) { return equals_ignoring_case(type, wanted); });
  if (!root || root->type != xop_type || !expected)
    return malformed("the root part is not application/xop+xml of " + std::string(*root_types.begin()));
  if (const auto charset = root->parameter("charset")) package.root_charset = *charset;
  return package;
}

bool is_package(const http::MediaType& media) {
  return media.type == "multipart/related" && equals_ignoring_case(media.parameter("type").value_or(""), xop_type);
}

Result<std::vector<Element>> expand_xop(xml::Document& document, const std::vector<Part>& parts, std::size_t root, std::size_t bytes_max) {
  return Expansion(document, parts, root, bytes_max).run(parts[root].octets().size());
}

}  // namespace schakel::wus
