// Health as application/health+json (ADP-601): live, ready and startup, each check by name.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "http/message.hpp"

namespace schakel::server {

struct HealthCheck {
  enum class Status { pass, warn, fail };
  std::string name;
  Status status = Status::pass;
  std::string output = {};  // why not; empty when it passes
};

// "pass", "warn" or "fail" with the checks; 200, or 503 when one fails. `warn` is ready.
http::Response health_response(const std::vector<HealthCheck>&, const std::string& version);

// Offset of this host's clock: to the database server and by jumps against a clock that cannot be set (SEC-100, ADP-504).
class ClockWatch {
 public:
  static constexpr std::chrono::seconds warn_above{1}, fail_above{30};

  // One observation; `database`: its time, when it is another host. True when the clock jumped back more than 30 s since the last one.
  bool observe(std::chrono::system_clock::time_point own, std::chrono::steady_clock::time_point steady,
               std::optional<std::chrono::system_clock::time_point> database);
  double offset_seconds() const;
  HealthCheck check() const;

 private:
  mutable std::mutex mutex_;
  std::optional<std::chrono::system_clock::time_point> last_own_;
  std::chrono::steady_clock::time_point last_steady_{};
  double offset_ = 0;
};

}  // namespace schakel::server
