// The addressing headers of an envelope whose body nobody here may read (WUS-280, WUS-283): a streaming look at the header part only.
//
// It reads at most the octets that it is given until the Header ends; what comes after is never parsed. Pure; one look, one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"

namespace schakel::wus {

inline constexpr std::size_t peek_bytes_max = 64 * limits::KiB;

struct PeekedHeaders {
  std::string to, from, action, message_id;  // white space collapsed; empty: absent
};

class HeaderPeek {
 public:
  HeaderPeek();
  ~HeaderPeek();
  HeaderPeek(const HeaderPeek&) = delete;
  HeaderPeek& operator=(const HeaderPeek&) = delete;

  // True: the Header has ended (or a Body began without one). Errors: "wus.envelope" (not well-formed, no SOAP 1.1 Envelope, over
  // peek_bytes_max), "wus.encoding", "wus.doctype", "wus.limit", "wus.headerTwice" (two wsa:To).
  Result<bool> feed(BytesView octets);
  const PeekedHeaders& headers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Where the root part of a multipart/related entity begins in the octets read so far; npos: not yet; 0 for other media types. Only an
// entity whose root is its first part is passed on: some receivers take the first part whatever `start` says. Errors: "wus.envelope".
Result<std::size_t> root_offset(std::string_view content_type, BytesView seen);

}  // namespace schakel::wus
