#include "http/body.hpp"

#include <cstring>

namespace schakel::http {

void InputBuffer::consume(std::size_t count) {
  begin_ += count;
  if (begin_ < bytes_.size()) return;
  std::string().swap(bytes_);
  begin_ = 0;
}

std::span<char> InputBuffer::prepare(std::size_t count) {
  filled_ = bytes_.size();
  bytes_.resize(filled_ + count);
  return std::span(bytes_.data() + filled_, count);
}

IncomingBody::IncomingBody(Stream& stream, InputBuffer& buffer, const BodyFraming& framing, std::uint64_t bytes_max, const BodyPace& pace)
    : stream_(stream), buffer_(buffer), framing_(framing), bytes_max_(bytes_max), pace_(pace) {
  finished_ = !framing_.chunked && !framing_.until_close && framing_.content_length.value_or(0) == 0;
}

std::optional<std::uint64_t> IncomingBody::remaining() const {
  if (finished_) return 0;
  if (framing_.content_length) return *framing_.content_length - received_;
  return std::nullopt;
}

Error IncomingBody::failed(const char* code, const char* detail) {
  failure_ = code;
  return fail(code, detail);
}

// Octets from the buffer, else from the network; 0 at the end of the connection.
Awaitable<Result<std::size_t>> IncomingBody::receive(std::span<char> out) {
  if (!buffer_.empty()) {
    const auto octets = buffer_.view().substr(0, out.size());
    std::memcpy(out.data(), octets.data(), octets.size());
    const std::size_t count = octets.size();
    buffer_.consume(count);
    co_return count;
  }
  const auto begin = std::chrono::steady_clock::now();
  if (std::exchange(continue_due_, false)) {
    if (co_await stream_.write("HTTP/1.1 100 Continue\r\n\r\n", {}, pace_.idle_timeout) != Io::ok)
      co_return failed("http.bodyTruncated", "The other side closed the connection.");
  }
  stream_.set_deadline(std::min<Stream::Time>(begin + pace_.idle_timeout, pace_.deadline));
  const auto transfer = co_await stream_.read_some(out);
  waited_ += std::chrono::steady_clock::now() - begin;
  if (transfer.status == Io::ok) co_return transfer.bytes;
  if (transfer.status == Io::timeout) co_return failed("http.bodyTimeout", "No octet of the body came in time.");
  if (transfer.status == Io::closed) co_return std::size_t{0};
  co_return failed("http.bodyTruncated", "The connection broke inside the body.");
}

Awaitable<Result<std::size_t>> IncomingBody::read_sized(std::span<char> out) {
  if (framing_.content_length && *framing_.content_length > bytes_max_)
    co_return failed("http.bodyTooLarge", "The body is larger than is accepted here.");
  if (framing_.content_length)
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), *framing_.content_length - received_)));
  SCHAKEL_CO_TRY(const std::size_t count, co_await receive(out));
  received_ += count;
  if (count == 0 && framing_.content_length) co_return failed("http.bodyTruncated", "The connection was closed inside the body.");
  finished_ = count == 0 || (framing_.content_length && received_ == *framing_.content_length);
  if (!framing_.content_length && received_ > bytes_max_)
    co_return failed("http.bodyTooLarge", "The body is larger than is accepted here.");
  co_return count;
}

Awaitable<Result<std::size_t>> IncomingBody::read_chunked(std::span<char> out) {
  for (;;) {
    SCHAKEL_CO_TRY(const std::size_t count, co_await receive(out));
    if (count == 0) co_return failed("http.bodyTruncated", "The connection was closed inside the body.");
    auto step = decoder_.decode(out.first(count));
    if (!step) {
      failure_ = step.error().code;
      co_return step.error();
    }
    received_ += step->body_bytes;
    if (received_ > bytes_max_) co_return failed("http.bodyTooLarge", "The body is larger than is accepted here.");
    finished_ = decoder_.done();
    // What follows the body belongs to the next message. It goes back in front of what is still buffered.
    if (step->used < count) {
      const std::string after(buffer_.view());
      buffer_.consume(after.size());
      buffer_.append(BytesView(out.data() + step->used, count - step->used));
      buffer_.append(after);
    }
    if (finished_ || step->body_bytes > 0) co_return step->body_bytes;
    if (is_below_minimum_rate(received_, waited_)) co_return failed("http.bodyTimeout", "The body comes too slowly.");
  }
}

Awaitable<Result<std::size_t>> IncomingBody::read(std::span<char> out) {
  if (!failure_.empty()) co_return fail(failure_, "The body failed before.");
  if (finished_ || out.empty()) co_return std::size_t{0};
  if (is_below_minimum_rate(received_, waited_)) co_return failed("http.bodyTimeout", "The body comes too slowly.");
  if (framing_.chunked) co_return co_await read_chunked(out);
  co_return co_await read_sized(out);
}

}  // namespace schakel::http
