// The body that comes in on a connection: a request's on the server, a response's on the client. Private to http/.
#pragma once

#include <optional>
#include <string>

#include "http/message.hpp"
#include "http/stream.hpp"
#include "http/syntax.hpp"

namespace schakel::http {

// Octets that were received and not yet used. Holds no memory while empty, so that idle connections are cheap.
class InputBuffer {
 public:
  BytesView view() const { return BytesView(bytes_).substr(begin_); }
  bool empty() const { return begin_ == bytes_.size(); }
  void consume(std::size_t count);
  void append(BytesView octets) { bytes_.append(octets); }
  // Room for `count` octets at the end; give what was received to `commit`.
  std::span<char> prepare(std::size_t count);
  void commit(std::size_t count) { bytes_.resize(filled_ + count); }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;
  std::size_t filled_ = 0;
};

struct BodyFraming {
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
  bool until_close = false;  // responses only
};

struct BodyPace {
  std::chrono::milliseconds idle_timeout;
  Stream::Time deadline = Stream::Time::max();
};

class IncomingBody final : public BodyReader {
 public:
  // The stream and the buffer outlive the body.
  IncomingBody(Stream& stream, InputBuffer& buffer, const BodyFraming& framing, std::uint64_t bytes_max, const BodyPace& pace);

  // The first read that has to wait says "100 Continue" first (EB-006).
  void expect_continue() { continue_due_ = true; }
  bool continue_due() const { return continue_due_; }

  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override;

  bool finished() const { return finished_; }
  // Octets that are still to come; empty when unknown.
  std::optional<std::uint64_t> remaining() const;
  // The code of the error that `read` gave; empty when there was none.
  const std::string& failure() const { return failure_; }

 private:
  Awaitable<Result<std::size_t>> receive(std::span<char> buffer);
  Awaitable<Result<std::size_t>> read_sized(std::span<char> buffer);
  Awaitable<Result<std::size_t>> read_chunked(std::span<char> buffer);
  Error failed(const char* code, const char* detail);

  Stream& stream_;
  InputBuffer& buffer_;
  BodyFraming framing_;
  std::uint64_t bytes_max_;
  BodyPace pace_;
  ChunkedDecoder decoder_;
  std::uint64_t received_ = 0;  // body octets
  std::chrono::steady_clock::duration waited_{0};
  bool continue_due_ = false;
  bool finished_ = false;
  std::string failure_;
};

}  // namespace schakel::http
