#include "api/router.hpp"

#include "api/json.hpp"

namespace schakel::api {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    out.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return out;
}

bool is_variable(std::string_view segment) {
  return segment.starts_with('{');
}

// Fits the template; `values` receives its variables.
bool fits(std::string_view pattern, const std::vector<std::string_view>& segments, Router::Underscore underscore,
          std::vector<std::string>& values) {
  values.clear();
  const auto wanted = segments_of(pattern);
  if (wanted.size() != segments.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (is_variable(wanted[i])) {
      if (segments[i].empty()) return false;
      if (segments[i].starts_with('_') && underscore == Router::Underscore::operations) return false;
      values.emplace_back(segments[i]);
    } else if (wanted[i] != segments[i]) {
      return false;
    }
  }
  return true;
}

void add_once(std::vector<std::string_view>& methods, std::string_view method) {
  if (std::find(methods.begin(), methods.end(), method) == methods.end()) methods.push_back(method);
}

std::string encode(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    const bool plain = (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[octet >> 4];
      out += digits[octet & 15];
    }
  }
  return out;
}

}  // namespace

Router::Router(std::vector<Route> routes, Underscore underscore) : routes_(std::move(routes)), underscore_(underscore) {
  for (std::size_t i = 0; i < routes_.size(); ++i) by_first_segment_[std::string(segments_of(routes_[i].path).front())].push_back(i);
}

Router::Match Router::match(std::string_view method, std::string_view path, bool applications_only) const {
  Match out;
  const auto segments = segments_of(path);
  if (segments.empty()) return out;
  const auto candidates = by_first_segment_.find(std::string(segments.front()));
  if (candidates == by_first_segment_.end()) return out;
  std::vector<std::string> values;
  for (const std::size_t i : candidates->second) {
    const Route& route = routes_[i];
    if ((applications_only && !route.for_applications) || !fits(route.path, segments, underscore_, values)) continue;
    add_once(out.allow, route.method);
    if (route.method == "GET") add_once(out.allow, "HEAD");
    if (route.method == method || (method == "HEAD" && route.method == "GET")) {
      out.route = &route;
      out.path = values;
    }
  }
  if (!out.allow.empty()) out.allow.push_back("OPTIONS");
  return out;
}

void check_query(const http::Request& request, const std::vector<std::string_view>& known, Faults& faults, std::string_view repeatable) {
  std::vector<std::string_view> seen;
  for (const auto& [name, value] : request.query) {
    const std::string shown = name.substr(0, 64);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      add_fault(faults, "query", shown, "unknown", "is hier onbekend");
    } else if (name != repeatable && std::find(seen.begin(), seen.end(), name) != seen.end()) {
      add_fault(faults, "query", shown, "repeated", "mag maar eens voorkomen");
    }
    seen.push_back(name);
  }
}

void Query::fault(std::string_view name, std::string code, std::string detail) {
  add_fault(faults_, "query", std::string(name), std::move(code), std::move(detail));
}

std::string Query::text(std::string_view name, std::size_t bytes_max) {
  const auto value = request_.query_value(name);
  if (!value) return {};
  if (value->empty() || value->size() > bytes_max || !is_valid_utf8(*value)) {
    fault(name, "length", "moet 1 tot " + std::to_string(bytes_max) + " octetten UTF-8 zijn");
    return {};
  }
  return std::string(*value);
}

std::int64_t Query::integer(std::string_view name, std::int64_t min, std::int64_t max, std::int64_t otherwise) {
  const auto value = request_.query_value(name);
  if (!value) return otherwise;
  const auto number = read_digits(*value);
  if (number && *number >= min && *number <= max) return *number;
  fault(name, "range", "moet tussen " + std::to_string(min) + " en " + std::to_string(max) + " liggen");
  return otherwise;
}

std::optional<Instant> Query::instant(std::string_view name) {
  const auto value = request_.query_value(name);
  if (!value) return std::nullopt;
  auto parsed = read_instant(*value);
  if (parsed) return *parsed;
  fault(name, "format", "geen RFC 3339-tijdstip met tijdzone");
  return std::nullopt;
}

std::optional<bool> Query::boolean(std::string_view name) {
  const auto value = request_.query_value(name);
  if (!value) return std::nullopt;
  if (*value == "true" || *value == "false") return *value == "true";
  fault(name, "format", "moet true of false zijn");
  return std::nullopt;
}

std::string Query::choice(std::string_view name, std::initializer_list<std::string_view> values) {
  const auto value = request_.query_value(name);
  if (!value) return {};
  if (std::find(values.begin(), values.end(), *value) != values.end()) return std::string(*value);
  std::string allowed;
  for (const auto one : values) allowed += (allowed.empty() ? "" : ", ") + std::string(one);
  fault(name, "enum", "moet een zijn van " + allowed);
  return {};
}

Page read_page(Query& query) {
  constexpr std::int64_t page_max = 1'000'000'000;  // keeps the offset inside 64 bits
  Page page;
  page.page = query.integer("page", 1, page_max, 1);
  page.per_page = query.integer("perPage", 1, 100, 20);
  return page;
}

void add_page_headers(http::Response& response, const http::Request& request, const Page& page, std::int64_t total) {
  const std::int64_t pages = total == 0 ? 1 : (total + page.per_page - 1) / page.per_page;
  const auto link = [&](std::int64_t number, std::string_view relation) {
    std::string out = "<" + request.path + "?";
    for (const auto& [name, value] : request.query) {
      if (name != "page" && name != "perPage") out += encode(name) + "=" + encode(value) + "&";
    }
    return out + "page=" + std::to_string(number) + "&perPage=" + std::to_string(page.per_page) + ">; rel=\"" + std::string(relation) +
           "\"";
  };
  std::string links = link(1, "first");
  if (page.page > 1) links += ", " + link(std::min(page.page - 1, pages), "prev");
  if (page.page < pages) links += ", " + link(page.page + 1, "next");
  links += ", " + link(pages, "last");
  response.headers.set("Link", std::move(links));
  response.headers.set("Total-Count", std::to_string(total));
  response.headers.set("Total-Pages", std::to_string(pages));
  response.headers.set("Per-Page", std::to_string(page.per_page));
  response.headers.set("Current-Page", std::to_string(page.page));
}

http::Response json_response(unsigned status, const OrderedJson& body) {
  http::Response response;
  response.status = status;
  response.headers.set("Content-Type", "application/json");
  // Text that came from partners is kept as octets; what is no UTF-8 is shown with the replacement character rather than refused.
  response.body = body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  return response;
}

http::Response no_content() {
  http::Response response;
  response.status = 204;
  return response;
}

std::string etag(std::int64_t version) {
  return "\"" + std::to_string(version) + "\"";
}

http::Response versioned_response(unsigned status, const OrderedJson& body, std::int64_t version) {
  auto response = json_response(status, body);
  response.headers.set("ETag", etag(version));
  return response;
}

Answer<> check_if_match(const http::Request& request, std::int64_t version) {
  const auto given = request.headers.find("If-Match");
  if (!given) return Refusal("version.missing", "Deze wijziging vraagt om If-Match met de ETag van het object.");
  // A list of tags; weak ones never match (RFC 9110 13.1.1).
  std::string_view rest = *given;
  const std::string current = etag(version);
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto tag = trim(rest.substr(0, comma));
    if (tag == "*" || tag == current) return {};
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return Refusal("version.conflict", "Het object is intussen gewijzigd; de huidige versie is " + current + ".");
}

}  // namespace schakel::api
