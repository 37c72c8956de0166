#include "wus/measures.hpp"

#include <algorithm>

namespace schakel::wus {
namespace {

using exchange::Direction;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Measures::Measures(Metrics& metrics) : metrics_(metrics) {
  for (const auto direction : {Direction::inbound, Direction::outbound}) {
    const auto histogram = [&](std::string phase) {
      return &metrics.histogram("wus_phase_seconds", "Time of a WUS exchange by what it was spent on",
                                {{"direction", std::string(to_string(direction))}, {"phase", std::move(phase)}});
    };
    phases_[static_cast<std::size_t>(direction)] = {histogram("parse"), histogram("crypto"),
                                                    histogram(direction == Direction::inbound ? "backend" : "partner")};
  }
}

void Measures::exchanged(const exchange::Message& record, const Phases& phases) {
  metrics_
      .counter("wus_exchanges_total", "WUS exchanges that ended",
               {{"tenant", record.tenant},
                {"service", record.service},
                {"direction", std::string(to_string(record.direction))},
                {"result", std::string(to_string(record.state))},
                {"code", record.last_error ? record.last_error->code : std::string()}})
      .add();
  const auto& histograms = phases_[static_cast<std::size_t>(record.direction)];
  const std::array spent{phases.parse, phases.crypto, phases.other_side};
  for (std::size_t i = 0; i < spent.size(); ++i)
    if (spent[i] > Duration::zero()) histograms[i]->observe(seconds(spent[i]));
}

void Measures::not_verified(Direction direction, std::string_view reason) {
  metrics_
      .counter("wus_verification_failures_total", "WUS messages whose WS-Security was refused",
               {{"direction", std::string(to_string(direction))}, {"reason", std::string(reason)}})
      .add();
}

void Measures::replayed(std::string_view tenant, std::string_view service) {
  metrics_
      .counter("wus_replay_total", "WUS requests that were accepted before",
               {{"tenant", std::string(tenant)}, {"service", std::string(service)}})
      .add();
}

void Measures::received(const std::string& partner_oin, Instant created, Instant receipt) {
  const std::lock_guard lock(mutex_);
  auto found = partners_.find(partner_oin);
  if (found == partners_.end()) {
    if (partners_.size() >= partners_max) return;
    auto& gauge = metrics_.gauge("wus_clock_difference_seconds", "Median of Created less receipt of the last WUS messages of a partner",
                                 {{"partner", partner_oin}});
    found = partners_.emplace(partner_oin, Differences{.median = gauge}).first;
  }
  auto& [median, last, next] = found->second;
  if (last.size() < differences_kept)
    last.push_back(created - receipt);
  else
    last[next] = created - receipt;
  next = (next + 1) % differences_kept;
  auto sorted = last;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::ranges::nth_element(sorted, middle);
  median.set(seconds(*middle));
}

}  // namespace schakel::wus
