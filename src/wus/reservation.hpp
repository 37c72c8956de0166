// A share of something that many requests take from at once, such as the octets that the endpoint holds (WUS-024, WUS-186).
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "http/message.hpp"

namespace schakel::wus {

// Safe from every thread as far as the count goes; one Reservation belongs to one request, and gives back what it took when it ends.
class Reservation {
 public:
  Reservation(std::atomic<std::size_t>& taken, std::size_t limit) : taken_(taken), limit_(limit) {}
  ~Reservation() { taken_.fetch_sub(own_); }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  // Takes so much more; false: there is not so much left, and nothing was taken.
  bool grow(std::size_t amount) {
    if (taken_.fetch_add(amount) + amount > limit_) {
      taken_.fetch_sub(amount);
      return false;
    }
    own_ += amount;
    return true;
  }
  std::size_t own() const { return own_; }

 private:
  std::atomic<std::size_t>& taken_;
  const std::size_t limit_;
  std::size_t own_ = 0;
};

// A body whose length nobody told: the reservation for it grows by a step whenever more than it was read. Error: "wus.overload", when it
// cannot; else those of the body.
class ReservingReader final : public http::BodyReader {
 public:
  ReservingReader(http::BodyReader& body, Reservation& octets, std::size_t step) : body_(body), octets_(octets), step_(step) {}
  http::Awaitable<Result<std::size_t>> read(std::span<char> buffer) override;

 private:
  http::BodyReader& body_;
  Reservation& octets_;
  const std::size_t step_;
  std::size_t read_ = 0;
};

}  // namespace schakel::wus
