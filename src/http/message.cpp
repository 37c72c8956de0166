#include "http/message.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.hpp"
#include "base/limits.hpp"

namespace schakel::http {
namespace {

constexpr std::size_t read_step_bytes = 16 * limits::KiB;

}  // namespace

void Headers::set(std::string_view name, std::string value) {
  const auto same_name = [&](const auto& field) { return equals_ignoring_case(field.first, name); };
  const auto first = std::find_if(fields_.begin(), fields_.end(), same_name);
  if (first == fields_.end()) {
    fields_.emplace_back(std::string(name), std::move(value));
    return;
  }
  first->second = std::move(value);
  fields_.erase(std::remove_if(first + 1, fields_.end(), same_name), fields_.end());
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return equals_ignoring_case(field.first, name); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& [field, value] : fields_)
    if (equals_ignoring_case(field, name)) return value;
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(), [&](const auto& field) { return equals_ignoring_case(field.first, name); }));
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return std::nullopt;
}

Awaitable<Result<std::string>> read_all(BodyReader& reader, std::size_t bytes_max) {
  std::string body;
  std::array<char, read_step_bytes> step;  // not cleared: most bodies are shorter
  for (;;) {
    // One octet more than allowed is enough to know that the body is too large.
    const std::size_t room = std::min(read_step_bytes, bytes_max - body.size() + 1);
    auto count = co_await reader.read(std::span(step.data(), room));
    if (!count) co_return count.error();
    if (*count == 0) co_return body;
    body.append(step.data(), *count);
    if (body.size() > bytes_max) co_return fail("http.bodyTooLarge", "The body is larger than " + std::to_string(bytes_max) + " octets.");
  }
}

Awaitable<Result<std::size_t>> StringReader::read(std::span<char> buffer) {
  const std::size_t count = std::min(buffer.size(), bytes_.size() - position_);
  std::memcpy(buffer.data(), bytes_.data() + position_, count);
  position_ += count;
  co_return count;
}

}  // namespace schakel::http
