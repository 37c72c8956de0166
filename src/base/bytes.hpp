// Octets and their text forms. Octets travel as std::string / std::string_view (a Bytes is not text).
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace schakel {

using Bytes = std::string;
using BytesView = std::string_view;

std::string to_hex(BytesView);  // lower case
Result<Bytes> from_hex(std::string_view);
std::string to_base64(BytesView);                     // standard alphabet with padding
Result<Bytes> from_base64(std::string_view);          // strict: no white space, padding required
Result<Bytes> from_base64_lenient(std::string_view);  // ignores white space (XML, MIME)
std::string to_base64url(BytesView);                  // without padding
Result<Bytes> from_base64url(std::string_view);

// SHA-256 of the octets: 32 bytes.
Bytes sha256(BytesView);
std::string sha256_hex(BytesView);
// HMAC (RFC 2104) with SHA-256: 32 bytes.
Bytes hmac_sha256(BytesView key, BytesView text);

// SHA-256 of a stream.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(BytesView);
  Bytes finish();  // 32 bytes; the object starts anew

 private:
  void* context_;
};

bool constant_time_equal(BytesView, BytesView);

bool is_valid_utf8(BytesView);

// Text from outside, made safe for a log line: control characters escaped, at most 512 characters (SEC-105).
std::string for_log(std::string_view);

bool equals_ignoring_case(std::string_view, std::string_view);  // ASCII
std::string to_lower(std::string_view);                         // ASCII
std::string_view trim(std::string_view);                        // XML white space

}  // namespace schakel
