// What passing a request on takes, whatever its protocol (adapter.md 3.4.1): a body that was read ahead to decide, counted and digested
// while it streams to the next hop, and places so that one hop that hangs leaves room for the others.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "http/message.hpp"

namespace schakel::http {

// The octets that were read to decide, and then the rest of the body.
class Rewound final : public BodyReader {
 public:
  static constexpr std::size_t read_bytes = 64 * limits::KiB;

  explicit Rewound(BodyReader& rest) : rest_(rest) {}

  // Octets of the rest that a later `read` gives again, at most `bytes_max` in all; empty at the end of the body.
  Awaitable<Result<BytesView>> look_ahead(std::size_t bytes_max);
  std::size_t looked_at() const { return seen_.size(); }
  BytesView seen() const { return seen_; }

  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override;

 private:
  BodyReader& rest_;
  std::string seen_;
  std::size_t position_ = 0;
};

// Counts and digests what goes by.
class Measured final : public BodyReader {
 public:
  Measured(BodyReader& source, bool hashed) : source_(source), hashed_(hashed) {}

  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override;
  // A reader of this one, for ClientRequest::stream. Octets go by once, so only one connection attempt can have them.
  std::unique_ptr<BodyReader> lend();

  bool begun() const { return begun_; }
  bool broken() const { return broken_; }
  std::uint64_t bytes() const { return bytes_; }
  std::string sha256();  // hex; empty when it is not kept, or the body did not come to its end

 private:
  BodyReader& source_;
  bool hashed_, begun_ = false, broken_ = false, ended_ = false;
  std::uint64_t bytes_ = 0;
  Sha256 digest_;
};

// The headers that describe the entity, and its SOAPAction, in their order. Everything else is of one hop, or for us.
Headers entity_headers(const Headers&);

// Places of any kind, each with a limit of its own. Safe from every thread.
class Places {
 public:
  // One of at most `limit` places for one thing, as long as it lives.
  class Place {
   public:
    Place(Places&, std::string what, std::size_t limit);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    bool taken() const { return taken_; }

   private:
    Places& places_;
    std::string what_;
    bool taken_ = false;
  };

 private:
  std::mutex mutex_;
  std::map<std::string, std::size_t, std::less<>> taken_;
};

}  // namespace schakel::http
