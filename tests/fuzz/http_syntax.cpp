// Heads, targets and chunked bodies: the first octet says which. A chunked body must give the same octets in one piece and in many.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/syntax.hpp"

using namespace schakel;

namespace {

struct Decoded {
  bool failed = false, done = false;
  std::string body;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded decode(BytesView input, std::size_t piece) {
  http::ChunkedDecoder decoder;
  Decoded out;
  for (std::size_t at = 0; at < input.size() && !decoder.done(); at += piece) {
    std::string octets(input.substr(at, piece));
    const auto step = decoder.decode(octets);
    if (!step) return {true, false, {}};
    out.body += octets.substr(0, step->body_bytes);
  }
  out.done = decoder.done();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(octets) + 1, size - 1);
  switch (octets[0] % 4) {
    case 0: {
      const auto head = http::parse_request_head(input);
      if (head.has_value() != http::check_request_head(input).has_value()) std::abort();
      if (head && head->content_length && head->chunked) std::abort();  // two framings at once
      break;
    }
    case 1:
      (void)http::parse_response_head(input);
      break;
    case 2: {
      const auto target = http::parse_target(input);
      if (target && (target->path.find("//") != std::string::npos || target->path.find("/../") != std::string::npos ||
                     !target->path.starts_with('/')))
        std::abort();
      break;
    }
    default:
      if (decode(input, input.size() + 1) != decode(input, 1)) std::abort();
  }
  return 0;
}
