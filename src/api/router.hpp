// Which operation a request asks for: method and path template, with what the template left open (REST-063).
//
// A Router is a value made once; matching is const and safe from every thread. It knows nothing of logins or bodies.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "api/keys.hpp"
#include "api/refusal.hpp"
#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::api {

// One request by one principal, after login and checks. Lives as long as the request.
struct Visit {
  http::Request& request;
  const Principal& principal;
  std::vector<std::string> path;  // values of the template's variables, in order
  std::string body;               // whole, when the route wants one
  Json json;                      // parsed, when the route wants JSON

  const std::string& tenant() const { return principal.tenant; }
  // True when the permission reaches only what this principal made.
  bool only_own(std::string_view permission) const { return principal.only_own(permission); }
};

// Most operations are one transaction in two steps: a Plan reads the input outside the database and notes every fault; what it returns runs
// inside the unit, perhaps more than once, when there were none. The others (streams, waiting) are coroutines that get the faults noted so
// far.
using InTransaction = std::function<Answer<http::Response>(sql::Transaction&)>;
using Plan = std::function<InTransaction(const Visit&, Faults&)>;
using Streaming = std::function<http::Awaitable<Answer<http::Response>>(Visit&, Faults)>;

enum class Access { read, write };
// contract: an agreement as XML, read whole; or a form, which its operation reads.
enum class Body { none, json, merge_patch, optional_json, contract, stream };

struct Route {
  std::string_view method;
  std::string_view path;          // below the base path: "/messages/{id}"
  std::string_view permission;    // "message.read"; empty: every login
  bool for_applications = false;  // also on the internal listener (adapter.md 2.1.1)
  Body body = Body::none;
  std::vector<std::string_view> query;  // keys that it knows
  Access access = Access::read;
  std::variant<Plan, Streaming> operation;
  bool any_answer = false;  // answers with something else than JSON: Accept is not judged
};

class Router {
 public:
  // A segment that begins with an underscore is an operation and never the value of a variable (README section 5), unless `names_may_have`
  // it: where names are those of others.
  enum class Underscore { operations, names_may_have };
  explicit Router(std::vector<Route>, Underscore = Underscore::operations);

  struct Match {
    const Route* route = nullptr;  // null: no such method; `allow` empty too: no such path
    std::vector<std::string> path;
    std::vector<std::string_view> allow;  // methods of this path, HEAD and OPTIONS included
  };
  // `applications_only`: as the internal listener sees it.
  Match match(std::string_view method, std::string_view path_below_base, bool applications_only) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  const Underscore underscore_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_first_segment_;
};

// Unknown and repeated keys, all at once. `repeatable`: the one key that may be repeated.
void check_query(const http::Request&, const std::vector<std::string_view>& known, Faults&, std::string_view repeatable = {});

// The values of query keys, with their faults.
class Query {
 public:
  Query(const http::Request& request, Faults& faults) : request_(request), faults_(faults) {}

  std::string text(std::string_view name, std::size_t bytes_max = 255);  // empty: absent
  std::int64_t integer(std::string_view name, std::int64_t min, std::int64_t max, std::int64_t otherwise);
  std::optional<Instant> instant(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  std::string choice(std::string_view name, std::initializer_list<std::string_view> values);
  void fault(std::string_view name, std::string code, std::string detail);

 private:
  const http::Request& request_;
  Faults& faults_;
};

// Pages (adapter.md 2.1.1).
struct Page {
  std::int64_t page = 1, per_page = 20;
  std::int64_t offset() const { return (page - 1) * per_page; }
};
Page read_page(Query&);
// Link, Total-Count, Total-Pages, Per-Page, Current-Page. Links keep the other query keys.
void add_page_headers(http::Response&, const http::Request&, const Page&, std::int64_t total);

// A JSON answer.
http::Response json_response(unsigned status, const OrderedJson& body);
http::Response no_content();

// Versions of configuration objects (README section 5): ETag out, If-Match in. version.missing (428), version.conflict (412).
std::string etag(std::int64_t version);
http::Response versioned_response(unsigned status, const OrderedJson& body, std::int64_t version);
Answer<> check_if_match(const http::Request&, std::int64_t version);

}  // namespace schakel::api
