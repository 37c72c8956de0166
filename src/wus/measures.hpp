// What /metrics tells about WUS (WUS-323). Every label is of a bounded set (ADP-600): tenants and their contracts, states, the codes of the
// fault table and of 4.4, phases, and partners up to partners_max.
//
//   schakel_wus_exchanges_total{tenant, service, direction, result, code}   result: state of the record; code: empty when it went well
//   schakel_wus_verification_failures_total{direction, reason}              reason: token of the fault table
//   schakel_wus_replay_total{tenant, service}
//   schakel_wus_phase_seconds{direction, phase}                             parse, crypto, backend (inbound) or partner (outbound)
//   schakel_wus_clock_difference_seconds{partner}                           median of Created - receipt of the last messages
// The time of TLS is that of handshakes, and a connection carries many exchanges: http/ tells it, for all protocols, as
// schakel_tls_handshake_seconds{listener} and schakel_http_client_handshake_seconds.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.hpp"
#include "base/time.hpp"
#include "exchange/message.hpp"

namespace schakel::wus {

// Time of one exchange, by what it was spent on; zero: not at all.
struct Phases {
  Duration parse{0}, crypto{0}, other_side{0};
};

// Adds the time of its life to one of them.
class Timed {
 public:
  Timed(const Clock& clock, Duration& sum) : clock_(clock), sum_(sum), began_(clock.now()) {}
  ~Timed() { sum_ += clock_.now() - began_; }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  const Clock& clock_;
  Duration& sum_;
  const Instant began_;
};

// Safe from every thread.
class Measures {
 public:
  explicit Measures(Metrics&);

  // An exchange that ended: its record, and what its time went into.
  void exchanged(const exchange::Message&, const Phases&);
  void not_verified(exchange::Direction, std::string_view reason);
  void replayed(std::string_view tenant, std::string_view service);
  // A verified message of this partner.
  void received(const std::string& partner_oin, Instant created, Instant receipt);

  static constexpr std::size_t partners_max = 1000;  // further ones are not told about
  static constexpr std::size_t differences_kept = 31;

 private:
  struct Differences {
    Gauge& median;
    std::vector<Duration> last{};
    std::size_t next = 0;
  };

  Metrics& metrics_;
  std::array<std::array<Histogram*, 3>, 2> phases_{};  // by direction
  std::mutex mutex_;
  std::map<std::string, Differences> partners_;
};

}  // namespace schakel::wus
