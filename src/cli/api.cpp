#include "cli/api.hpp"

#include <algorithm>
#include <charconv>

namespace schakel::cli {
namespace {

constexpr std::size_t page_items = 100;  // perPage at most (adapter.md 2.1.1)

std::string member(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string() ? object[name].get<std::string>() : std::string{};
}

std::vector<std::string> particulars_of(const Json& problem) {
  std::vector<std::string> lines;
  if (problem.contains("errors") && problem["errors"].is_array())
    for (const auto& error : problem["errors"])
      lines.push_back(member(error, "in") + " " + member(error, "location") + ": " + member(error, "detail") + " (" +
                      member(error, "code") + ")");
  if (problem.contains("findings") && problem["findings"].is_array())
    for (const auto& finding : problem["findings"])
      lines.push_back(member(finding, "severity") + " " + member(finding, "code") + ": " + member(finding, "message") + " at " +
                      member(finding, "path"));
  if (const auto reason = member(problem, "reason"); !reason.empty()) lines.push_back(reason);
  if (problem.contains("candidates") && problem["candidates"].is_array())
    for (const auto& candidate : problem["candidates"])
      lines.push_back("candidate " + (candidate.is_string() ? candidate.get<std::string>() : candidate.dump()));
  return lines;
}

Exit exit_for_status(unsigned status, std::string_view code) {
  const auto exit = exit_for(code);
  if (exit != Exit::failure) return exit;
  if (status == 404) return Exit::not_found;
  return status == 401 || status == 403 ? Exit::not_allowed : Exit::failure;
}

std::size_t total_pages(const ApiResponse& response) {
  const auto field = response.headers.find("Total-Pages");
  std::size_t pages = 1;
  if (field) std::from_chars(field->data(), field->data() + field->size(), pages);
  return pages;
}

}  // namespace

Failure failure_of(const ApiResponse& response) {
  const auto problem = Json::parse(response.body, nullptr, false);
  const auto code = member(problem, "code");
  if (code.empty()) {
    const auto status = std::to_string(response.status);
    Failure failure(exit_for_status(response.status, {}), "http." + status, "the answer has status " + status + " and no problem details",
                    "check that --url is the admin or internal listener of a Schakel node");
    return failure;
  }
  const auto detail = member(problem, "detail");
  Failure failure(exit_for_status(response.status, code), code, detail.empty() ? member(problem, "title") : detail);
  failure.particulars = particulars_of(problem);
  return failure;
}

Outcome<ApiResponse> call(Api& api, const ApiRequest& request) {
  SCHAKEL_TRY(auto response, api.send(request));
  if (response.status < 200 || response.status >= 300) return failure_of(response);
  return response;
}

Outcome<Json> parse_body(const ApiResponse& response) {
  if (response.body.empty()) return Json();
  auto json = Json::parse(response.body, nullptr, false);
  if (json.is_discarded())
    return Failure(Exit::failure, "transport.invalid", "the node's answer is not JSON", "check that --url is a Schakel node");
  return json;
}

static Failure another_form(const char* expected) {
  return {Exit::failure, "transport.invalid", std::string("the node's answer is not ") + expected,
          "check that --url is a Schakel node of the same release (`schakel version`)"};
}

Outcome<Json> get(Api& api, const std::string& path) {
  SCHAKEL_TRY(auto response, call(api, {.path = path}));
  SCHAKEL_TRY(auto json, parse_body(response));
  if (!json.is_object()) return another_form("one object");
  return json;
}

Outcome<Json> get_array(Api& api, const std::string& path) {
  SCHAKEL_TRY(auto response, call(api, {.path = path}));
  SCHAKEL_TRY(auto json, parse_body(response));
  if (!json.is_array()) return another_form("a list");
  return json;
}

Outcome<Json> get_list(Api& api, const std::string& path, std::size_t items_max) {
  Json all = Json::array();
  for (std::size_t page = 1; all.size() < items_max; ++page) {
    // The page size stays the same on every page, else pages would overlap.
    const auto query = Query().add("page", std::to_string(page)).add("perPage", std::to_string(std::min(items_max, page_items)));
    SCHAKEL_TRY(auto response, call(api, {.path = query.on(path)}));
    SCHAKEL_TRY(auto items, parse_body(response));
    if (!items.is_array()) return another_form("a list");
    for (auto& item : items)
      if (all.size() < items_max) all.push_back(std::move(item));
    if (items.empty() || page >= total_pages(response)) break;
  }
  return all;
}

static ApiRequest json_request(std::string_view method, std::string path, const Json& body, http::Headers headers) {
  ApiRequest request{.method = std::string(method), .path = std::move(path), .headers = std::move(headers)};
  if (!body.is_null()) {
    request.body = body.dump();
    request.content_type = method == "PATCH" ? "application/merge-patch+json" : "application/json";
  }
  return request;
}

Outcome<Json> post(Api& api, const std::string& path, const Json& body, http::Headers headers) {
  SCHAKEL_TRY(auto response, call(api, json_request("POST", path, body, std::move(headers))));
  return parse_body(response);
}

static Outcome<http::Headers> present_version(Api& api, const std::string& object) {
  SCHAKEL_TRY(auto present, call(api, {.path = object}));
  http::Headers headers;
  if (const auto version = present.headers.find("ETag")) headers.add("If-Match", std::string(*version));
  return headers;
}

Outcome<Json> change(Api& api, std::string_view method, const std::string& object, std::string_view operation, const Json& body) {
  SCHAKEL_TRY(auto headers, present_version(api, object));
  SCHAKEL_TRY(auto response, call(api, json_request(method, object + std::string(operation), body, std::move(headers))));
  return parse_body(response);
}

Outcome<> remove(Api& api, const std::string& object) {
  SCHAKEL_TRY(auto headers, present_version(api, object));
  SCHAKEL_CHECK(call(api, json_request("DELETE", object, Json(), std::move(headers))));
  return Exit::ok;
}

std::string percent_encoded(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool unreserved =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      encoded += c;
      continue;
    }
    encoded += '%';
    encoded += digits[static_cast<unsigned char>(c) >> 4U];
    encoded += digits[static_cast<unsigned char>(c) & 0x0FU];
  }
  return encoded;
}

Query& Query::add(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  if (!text_.empty()) text_ += '&';
  text_ += percent_encoded(name) + '=' + percent_encoded(value);
  return *this;
}

std::string Query::on(std::string_view path) const {
  auto whole = std::string(path);
  if (!text_.empty()) whole += (path.find('?') == std::string_view::npos ? '?' : '&') + text_;
  return whole;
}

}  // namespace schakel::cli
