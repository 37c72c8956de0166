#include "wus/bundle.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace schakel::wus {
namespace {

// "schakel-wus-bundle 1 COUNT\n", then for each document, the main one first: "SIZE NAME\n", its octets, "\n".
constexpr std::string_view magic = "schakel-wus-bundle 1 ";

Error bad(std::string detail, std::string_view name = {}) {
  return fail("wus.bundle", std::move(detail), for_log(name));
}

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  while (true) {
    const auto slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    path.remove_prefix(slash + 1);
  }
}

std::string_view last_segment(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// RFC 3986 3.1: "http:", "file:", also "C:".
bool has_scheme(std::string_view location) {
  const auto colon = location.find(':');
  return colon != std::string_view::npos && colon < location.find_first_of("/?#");
}

bool is_good_name(std::string_view name) {
  if (name.empty() || name.size() > bundle_name_bytes_max || !is_valid_utf8(name) || has_scheme(name)) return false;
  const auto is_bad = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || std::string_view("\\?#").find(c) != std::string_view::npos;
  };
  if (std::ranges::any_of(name, is_bad)) return false;
  return std::ranges::none_of(segments_of(name), [](std::string_view s) { return s.empty() || s == "." || s == ".."; });
}

std::optional<std::size_t> number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Takes a line off the front, without its line feed.
std::optional<std::string_view> take_line(BytesView& rest) {
  const auto end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

}  // namespace

Result<> check_bundle(const Bundle& bundle) {
  if (bundle.documents.size() > bundle_documents_max) return bad("more than " + std::to_string(bundle_documents_max) + " documents");
  std::size_t bytes = 0;
  for (const auto& [name, octets] : bundle.documents) {
    if (!is_good_name(name)) return bad("the name of a document is no relative path inside the bundle", name);
    bytes += octets.size();
  }
  if (bytes > bundle_bytes_max) return bad("the documents are larger than " + std::to_string(bundle_bytes_max) + " octets together");
  if (!bundle.documents.contains(bundle.main)) return bad("the main document is not in the bundle", bundle.main);
  return {};
}

std::optional<std::string> resolve_location(const Documents& documents, std::string_view base, std::string_view location) {
  location = location.substr(0, location.find('#'));
  if (location.empty() || location.starts_with('/') || has_scheme(location)) return std::nullopt;
  auto path = segments_of(base);
  path.pop_back();
  for (const auto segment : segments_of(location)) {
    if (segment == "..") {
      if (!path.empty()) path.pop_back();
    } else if (segment != ".") {
      path.push_back(segment);
    }
  }
  std::string name;
  for (const auto segment : path) name.append(name.empty() ? "" : "/").append(segment);
  if (documents.contains(name)) return name;

  std::optional<std::string> alone;
  for (const auto& [candidate, octets] : documents) {
    if (last_segment(candidate) != last_segment(location)) continue;
    if (alone) return std::nullopt;
    alone = candidate;
  }
  return alone;
}

Bytes pack(const Bundle& bundle) {
  Bytes out = std::string(magic) + std::to_string(bundle.documents.size()) + '\n';
  const auto add = [&out](const std::string& name, const std::string& octets) {
    out.append(std::to_string(octets.size())).append(" ").append(name).append("\n").append(octets).append("\n");
  };
  if (const auto main = bundle.documents.find(bundle.main); main != bundle.documents.end()) add(main->first, main->second);
  for (const auto& [name, octets] : bundle.documents)
    if (name != bundle.main) add(name, octets);
  return out;
}

Result<Bundle> unpack(BytesView packed) {
  auto octets = packed;
  const auto head = take_line(octets);
  if (!head || !head->starts_with(magic)) return bad("the octets are no bundle");
  const auto count = number(head->substr(magic.size()));
  if (!count || *count > bundle_documents_max) return bad("the octets are no bundle");
  Bundle bundle;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto line = take_line(octets);
    const auto space = line ? line->find(' ') : std::string_view::npos;
    const auto size = space == std::string_view::npos ? std::nullopt : number(line->substr(0, space));
    if (!size || *size >= octets.size() || octets[*size] != '\n') return bad("the bundle is damaged");
    std::string name(line->substr(space + 1));
    if (i == 0) bundle.main = name;
    if (!bundle.documents.emplace(std::move(name), octets.substr(0, *size)).second) return bad("the bundle is damaged");
    octets.remove_prefix(*size + 1);
  }
  SCHAKEL_CHECK(check_bundle(bundle));
  // One bundle, one form: also no other order, no zeros in front of a size, nothing behind.
  if (pack(bundle) != packed) return bad("the bundle is damaged");
  return bundle;
}

}  // namespace schakel::wus
