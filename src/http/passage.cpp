#include "http/passage.hpp"

#include <algorithm>
#include <cstring>

namespace schakel::http {
namespace {

class Borrowed final : public BodyReader {
 public:
  explicit Borrowed(Measured* source) : source_(source) {}
  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
    if (!source_) co_return fail("transport.closed", "the body was partly sent on a connection that broke");
    co_return co_await source_->read(buffer);
  }

 private:
  Measured* source_;
};

bool describes_entity(std::string_view name) {
  if (equals_ignoring_case(name, "Content-Length")) return false;  // framing, made anew
  return equals_ignoring_case(name, "SOAPAction") || equals_ignoring_case(name, "MIME-Version") ||
         to_lower(name.substr(0, std::min<std::size_t>(name.size(), 8))) == "content-";
}

}  // namespace

Awaitable<Result<BytesView>> Rewound::look_ahead(std::size_t bytes_max) {
  const auto before = seen_.size();
  seen_.resize(std::min(before + read_bytes, bytes_max));
  const auto count = co_await rest_.read(std::span(seen_).subspan(before));
  seen_.resize(before + (count ? *count : 0));
  if (!count) co_return count.error();
  co_return BytesView(seen_).substr(before);
}

Awaitable<Result<std::size_t>> Rewound::read(std::span<char> buffer) {
  if (position_ == seen_.size()) {
    std::string().swap(seen_);
    position_ = 0;
    co_return co_await rest_.read(buffer);
  }
  const auto count = std::min(buffer.size(), seen_.size() - position_);
  std::memcpy(buffer.data(), seen_.data() + position_, count);
  position_ += count;
  co_return count;
}

Awaitable<Result<std::size_t>> Measured::read(std::span<char> buffer) {
  begun_ = true;
  auto count = co_await source_.read(buffer);
  if (count && *count > 0) {
    bytes_ += *count;
    if (hashed_) digest_.update(BytesView(buffer.data(), *count));
  }
  broken_ = broken_ || !count;
  ended_ = ended_ || (count && *count == 0);
  co_return count;
}

std::unique_ptr<BodyReader> Measured::lend() {
  return std::make_unique<Borrowed>(begun_ ? nullptr : this);
}

std::string Measured::sha256() {
  return hashed_ && ended_ ? to_hex(digest_.finish()) : std::string();
}

Headers entity_headers(const Headers& headers) {
  Headers out;
  for (const auto& [name, value] : headers)
    if (describes_entity(name)) out.add(name, value);
  return out;
}

Places::Place::Place(Places& places, std::string what, std::size_t limit) : places_(places), what_(std::move(what)) {
  const std::lock_guard lock(places_.mutex_);
  auto& count = places_.taken_[what_];
  taken_ = count < limit;
  if (taken_) ++count;
}

Places::Place::~Place() {
  if (!taken_) return;
  const std::lock_guard lock(places_.mutex_);
  const auto found = places_.taken_.find(what_);
  if (--found->second == 0) places_.taken_.erase(found);
}

}  // namespace schakel::http
