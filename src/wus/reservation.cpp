#include "wus/reservation.hpp"

namespace schakel::wus {

http::Awaitable<Result<std::size_t>> ReservingReader::read(std::span<char> buffer) {
  SCHAKEL_CO_TRY(const std::size_t count, co_await body_.read(buffer));
  read_ += count;
  while (read_ > octets_.own())
    if (!octets_.grow(step_)) co_return fail("wus.overload", "too many octets of requests are held");
  co_return count;
}

}  // namespace schakel::wus
