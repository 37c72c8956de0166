// HTTP as values and streams: what handlers see and what clients send. No Beast type leaves http/*.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "http/asio.hpp"
#include "security/peer.hpp"

namespace schakel::http {

// Fields in order; look-up ignores case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);
  std::optional<std::string_view> find(std::string_view name) const;  // the first
  std::size_t count(std::string_view name) const;
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  bool empty() const { return fields_.empty(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// A stream of octets that somebody reads. `read` gives the number of octets, 0 at the end. Errors: "http.bodyTooLarge", "http.bodyTimeout",
// "http.bodyTruncated", "http.bodyInvalid", or what the producer meets.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  virtual Awaitable<Result<std::size_t>> read(std::span<char> buffer) = 0;
};

// Octets that are already here, as a stream.
class StringReader final : public BodyReader {
 public:
  explicit StringReader(std::string bytes) : bytes_(std::move(bytes)) {}
  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override;

 private:
  std::string bytes_;
  std::size_t position_ = 0;
};

// The whole body, at most `bytes_max` octets; "http.bodyTooLarge" above it.
Awaitable<Result<std::string>> read_all(BodyReader&, std::size_t bytes_max);

struct Request {
  std::string method;
  std::string target;                                      // as on the request line
  std::string path;                                        // percent-decoded, no dot segments, no double slash
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Headers headers;
  std::optional<std::uint64_t> content_length;   // empty: chunked or no body
  BodyReader* body = nullptr;                    // never null; lives as long as the request
  const security::PeerIdentity* peer = nullptr;  // null on a listener without client certificates
  std::string listener;
  std::string remote_address;  // without port
  std::string request_id;      // X-Request-Id or our own uuid
  std::string tls_version, tls_cipher, sni;

  std::optional<std::string_view> query_value(std::string_view name) const;
};

struct Response {
  unsigned status = 200;
  Headers headers;
  std::string body;                    // used when `stream` is empty
  std::unique_ptr<BodyReader> stream;  // streamed with Content-Length when `stream_bytes` is known, else chunked
  std::optional<std::uint64_t> stream_bytes;
  bool close = false;  // close the connection afterwards
};

using Handler = std::function<Awaitable<Response>(Request&)>;

// application/problem+json of README section 8. `title` is fixed per code (http/problem.cpp holds the table). `instance` is the request id
// when that is a UUID, else a UUID made from it.
struct FieldError {
  std::string in, location, code, detail;
};
Response problem(std::string_view code, std::string_view detail, const std::string& request_id, std::span<const FieldError> errors = {});
// Status of a code: SEC.… and OIN.… reasons by their prefix; unknown codes are 500.
unsigned status_of(std::string_view code);
// Title of a code; unknown codes have that of "internal".
std::string_view title_of(std::string_view code);

// The version of our own APIs (REST-062).
inline constexpr std::string_view api_version = "1.0.0";
// Adds the headers that every response of our own APIs carries (rest-api.md 3.3, SEC-120, adapter.md 2.1.1). Headers that are there already
// stay, so a resource that may be cached or a page with its own policy sets them first.
void add_api_headers(Response&, const std::string& request_id);
// A response of our own APIs with a JSON body.
Response api_response(unsigned status, std::string json, const std::string& request_id);

// 403 for a peer whose certificate cannot be used (security.md 3.1 step 6), or nothing when the peer may go on. `is_api`: with a problem
// as body, else empty (ebMS2). A listener without client certificates has no peer and refuses nobody here.
std::optional<Response> refuse_unusable_peer(const Request&, bool is_api);

}  // namespace schakel::http
