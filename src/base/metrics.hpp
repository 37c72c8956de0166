// Prometheus metrics with the prefix schakel_ (README section 13). Labels come from bounded sets only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace schakel {

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double amount = 1) = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
  virtual void add(double amount) = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
};

// Owns every series. Look a series up once and keep the reference: the look-up takes a lock, the series do not. Safe from every thread.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // `name` without the prefix, for instance "messages_total".
  Counter& counter(std::string_view name, std::string_view help, const Labels& = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& = {});
  Histogram& histogram(std::string_view name, std::string_view help, const Labels& = {});

  // A family of gauges as a whole: series that are not listed disappear. For values that are looked up from time to time, such as days that
  // a certificate has left. Such a name is not used with `gauge`.
  void show(std::string_view name, std::string_view help, const std::vector<std::pair<Labels, double>>& series);

  // The text exposition format.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace schakel
