// The node's API as commands see it: requests and answers as values behind one interface, and the calls that every command makes.
//
// An Api is used by one thread; it blocks. Errors: "transport.…" when the node was not reached; problem+json becomes a Failure with the
// problem's code, detail, errors[] and findings[] (README section 8).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "http/message.hpp"

namespace schakel::cli {

struct ApiAccess {
  std::string url{};      // of the listener: "http://127.0.0.1:8081" or https
  std::string api_key{};  // never printed
  std::string ca_pem{};   // CAs besides the system's, for https
};

// A file that is streamed as one part of a multipart/form-data body.
struct FilePart {
  std::string path;
  std::string content_type;
  std::string file_name;
};

struct ApiRequest {
  std::string method = "GET";
  std::string path{};  // below /api/v1, percent-encoded, with its query: "/messages?state=FAILED"
  http::Headers headers{};
  std::string body{};
  std::string content_type{};     // of the body; empty: none
  std::vector<FilePart> files{};  // not empty: multipart, the body is the part "message" and the files are parts "payload"
  std::function<void(std::uint64_t sent, std::uint64_t total)> progress{};
};

struct ApiResponse {
  unsigned status = 0;
  http::Headers headers;
  std::string body;
};

class Api {
 public:
  virtual ~Api() = default;
  virtual Result<ApiResponse> send(const ApiRequest&) = 0;
};

// --- calls ---------------------------------------------------------------------------------------------------------------------

// Any 2xx is a success; everything else becomes a Failure.
Outcome<ApiResponse> call(Api&, const ApiRequest&);
// One object.
Outcome<Json> get(Api&, const std::string& path);
// A whole list that has no pages: a trail.
Outcome<Json> get_array(Api&, const std::string& path);
// Every page of a list, at most `items_max` items.
Outcome<Json> get_list(Api&, const std::string& path, std::size_t items_max);
// A request with a JSON body (null: none). The answer's JSON, or null when it has no body.
Outcome<Json> post(Api&, const std::string& path, const Json& body, http::Headers headers = {});
// Changes an object as it is now: GET `object` for its ETag, then `method` on `object` + `operation` with If-Match (README section 5).
Outcome<Json> change(Api&, std::string_view method, const std::string& object, std::string_view operation, const Json& body);
Outcome<> remove(Api&, const std::string& object);

// The Failure of an answer that is no success.
Failure failure_of(const ApiResponse&);
Outcome<Json> parse_body(const ApiResponse&);

// --- paths ---------------------------------------------------------------------------------------------------------------------
// One path segment or query value, percent-encoded.
std::string percent_encoded(std::string_view);

// A query of those parameters that have a value.
class Query {
 public:
  Query& add(std::string_view name, std::string_view value);
  std::string on(std::string_view path) const;

 private:
  std::string text_;
};

}  // namespace schakel::cli
