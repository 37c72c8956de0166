#include "base/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <deque>
#include <mutex>

namespace schakel {
namespace {

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void add(double amount) override { counter_.Increment(amount); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void set(double value) override { gauge_.Set(value); }
  void add(double amount) override { gauge_.Increment(amount); }

 private:
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram final : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

// Seconds from a fast commit to a slow partner.
const prometheus::Histogram::BucketBoundaries& buckets() {
  static const prometheus::Histogram::BucketBoundaries boundaries{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                                  0.5,    1,     2.5,    5,     10,   30,    60,   300, 3600};
  return boundaries;
}

}  // namespace

struct Metrics::State {
  using Key = std::pair<std::string, Labels>;
  mutable std::mutex mutex;
  prometheus::Registry registry;
  std::map<Key, std::unique_ptr<Counter>> counters;
  std::map<Key, std::unique_ptr<Gauge>> gauges;
  std::map<Key, std::unique_ptr<Histogram>> histograms;
  std::map<std::string, std::map<Labels, prometheus::Gauge*>, std::less<>> shown;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

namespace {
std::string full_name(std::string_view name) {
  return "schakel_" + std::string(name);
}
}  // namespace

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(state_->mutex);
  auto& slot = state_->counters[{std::string(name), labels}];
  if (!slot) {
    auto& family = prometheus::BuildCounter().Name(full_name(name)).Help(std::string(help)).Register(state_->registry);
    slot = std::make_unique<PrometheusCounter>(family.Add(labels));
  }
  return *slot;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(state_->mutex);
  auto& slot = state_->gauges[{std::string(name), labels}];
  if (!slot) {
    auto& family = prometheus::BuildGauge().Name(full_name(name)).Help(std::string(help)).Register(state_->registry);
    slot = std::make_unique<PrometheusGauge>(family.Add(labels));
  }
  return *slot;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(state_->mutex);
  auto& slot = state_->histograms[{std::string(name), labels}];
  if (!slot) {
    auto& family = prometheus::BuildHistogram().Name(full_name(name)).Help(std::string(help)).Register(state_->registry);
    slot = std::make_unique<PrometheusHistogram>(family.Add(labels, buckets()));
  }
  return *slot;
}

void Metrics::show(std::string_view name, std::string_view help, const std::vector<std::pair<Labels, double>>& series) {
  const std::lock_guard lock(state_->mutex);
  auto& family = prometheus::BuildGauge().Name(full_name(name)).Help(std::string(help)).Register(state_->registry);
  auto& former = state_->shown[std::string(name)];
  std::map<Labels, prometheus::Gauge*> present;
  for (const auto& [labels, value] : series) {
    auto& gauge = family.Add(labels);  // the one there is, when there is one
    gauge.Set(value);
    present[labels] = &gauge;
  }
  for (const auto& [labels, gauge] : former)
    if (!present.contains(labels)) family.Remove(gauge);
  former = std::move(present);
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace schakel
