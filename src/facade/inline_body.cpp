#include "facade/inline_body.hpp"

#include <vector>

#include "api/intake.hpp"

namespace schakel::facade {
namespace {

constexpr std::size_t step_bytes = 64 * limits::KiB;

}  // namespace

bool InlineBytes::take(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (left_ < bytes) return false;
  left_ -= bytes;
  return true;
}

void InlineBytes::give(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  left_ += bytes;
}

InlineBody::~InlineBody() {
  all_.give(taken_);
}

http::Awaitable<api::Answer<std::string>> InlineBody::read(http::BodyReader& source, std::size_t bytes_max) {
  std::string out;
  std::vector<char> buffer(step_bytes);
  for (;;) {
    const auto count = co_await source.read(buffer);
    if (!count) co_return api::broken_body(count.error());
    if (*count == 0) co_return out;
    if (out.size() + *count > bytes_max)
      co_return api::Refusal("http.bodyTooLarge",
                             "De inhoud is groter dan " + std::to_string(bytes_max) + " octetten; gebruik MTOM voor grote berichten.");
    if (out.size() + *count > taken_) {
      if (!all_.take(step_bytes))
        co_return api::Refusal("storage.unavailable", "Er zijn nu te veel grote berichten tegelijk; probeer het zo weer of gebruik MTOM.");
      taken_ += step_bytes;
    }
    out.append(buffer.data(), *count);
  }
}

}  // namespace schakel::facade
