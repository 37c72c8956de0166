// Bodies that must be whole in memory, because their payloads stand inside them in base64 (JSON, SOAP without MTOM): bounded each, and all
// of this node together, so that many at once cannot exhaust it. MTOM needs no such thing.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>

#include "api/refusal.hpp"
#include "base/limits.hpp"
#include "http/message.hpp"

namespace schakel::facade {

inline constexpr std::size_t inline_bytes_in_flight_max = 128 * limits::MiB;

// Octets held by all requests. Safe from every thread.
class InlineBytes {
 public:
  explicit InlineBytes(std::size_t bytes_max = inline_bytes_in_flight_max) : left_(bytes_max) {}

 private:
  friend class InlineBody;
  bool take(std::size_t bytes);
  void give(std::size_t bytes);

  std::mutex mutex_;
  std::size_t left_;
};

// The body of one request; what it counts for is given back with it.
class InlineBody {
 public:
  explicit InlineBody(InlineBytes& all) : all_(all) {}
  ~InlineBody();
  InlineBody(const InlineBody&) = delete;
  InlineBody& operator=(const InlineBody&) = delete;

  // Errors: http.bodyTooLarge, storage.unavailable when the node holds too much already, those of the body.
  http::Awaitable<api::Answer<std::string>> read(http::BodyReader&, std::size_t bytes_max);

 private:
  InlineBytes& all_;
  std::size_t taken_ = 0;
};

}  // namespace schakel::facade
