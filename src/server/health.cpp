#include "server/health.hpp"
#include "base/json_library.hpp"

#include <algorithm>
#include <cmath>

namespace schakel::server {
namespace {

std::string_view to_string(HealthCheck::Status status) {
  switch (status) {
    case HealthCheck::Status::pass:
      return "pass";
    case HealthCheck::Status::warn:
      return "warn";
    case HealthCheck::Status::fail:
      return "fail";
  }
  return "fail";
}

}  // namespace

http::Response health_response(const std::vector<HealthCheck>& checks, const std::string& version) {
  auto overall = HealthCheck::Status::pass;
  auto list = nlohmann::ordered_json::object();
  for (const auto& check : checks) {
    overall = std::max(overall, check.status);
    nlohmann::ordered_json entry{{"status", to_string(check.status)}};
    if (!check.output.empty()) entry["output"] = check.output;
    list[check.name] = nlohmann::ordered_json::array({std::move(entry)});
  }
  http::Response response;
  response.status = overall == HealthCheck::Status::fail ? 503 : 200;
  response.headers.add("Content-Type", "application/health+json");
  response.headers.add("Cache-Control", "no-store");
  response.body = nlohmann::ordered_json{{"status", to_string(overall)}, {"releaseId", version}, {"checks", std::move(list)}}.dump();
  return response;
}

bool ClockWatch::observe(std::chrono::system_clock::time_point own, std::chrono::steady_clock::time_point steady,
                         std::optional<std::chrono::system_clock::time_point> database) {
  const std::lock_guard lock(mutex_);
  bool jumped_back = false;
  if (last_own_) {
    const auto expected = *last_own_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(steady - last_steady_);
    jumped_back = expected - own > fail_above;
  }
  last_own_ = own;
  last_steady_ = steady;
  if (database) offset_ = std::chrono::duration<double>(own - *database).count();
  return jumped_back;
}

double ClockWatch::offset_seconds() const {
  const std::lock_guard lock(mutex_);
  return offset_;
}

HealthCheck ClockWatch::check() const {
  const auto offset = std::abs(offset_seconds());
  using Status = HealthCheck::Status;
  const auto above = [&](std::chrono::seconds bound) { return offset > static_cast<double>(bound.count()); };
  HealthCheck result{.name = "clock",
                     .status = above(fail_above)   ? Status::fail
                               : above(warn_above) ? Status::warn
                                                   : Status::pass,
                     .output = {}};
  if (result.status != Status::pass)
    result.output = "the clock differs " + std::to_string(std::lround(offset * 1000)) + " ms from the database's";
  return result;
}

}  // namespace schakel::server
