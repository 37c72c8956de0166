// Structured logs: one line per step, with the message id. One call: log.info("message.received", {{"messageId", id}, {"bytes", n}}).
//
// Values from outside are escaped and cut (SEC-105). Never give a payload's content, a key, a token or a password.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace schakel {

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { json, text };

struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) LogField(std::string_view n, Integer v) : name(n), value(static_cast<std::int64_t>(v)) {}
};

// Safe from every thread. Lines go to standard error, written by one background thread; the constructor's owner outlives all users.
class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  virtual ~Log() = default;
  virtual void write(LogLevel, std::string_view event, Fields) = 0;
  virtual bool enabled(LogLevel) const = 0;
  virtual void set_level(LogLevel) {}  // from now on; at a reload

  void debug(std::string_view event, Fields fields = {}) { put(LogLevel::debug, event, fields); }
  void info(std::string_view event, Fields fields = {}) { put(LogLevel::info, event, fields); }
  void warning(std::string_view event, Fields fields = {}) { put(LogLevel::warning, event, fields); }
  void error(std::string_view event, Fields fields = {}) { put(LogLevel::error, event, fields); }

 private:
  void put(LogLevel level, std::string_view event, Fields fields) {
    if (enabled(level)) write(level, event, fields);
  }
};

// "debug", "info", "warning" or "error"; anything else is info.
LogLevel log_level_from(std::string_view name);

std::unique_ptr<Log> make_log(LogLevel, LogFormat, std::string node);
// Drops everything: for tests and tools.
Log& silent_log();

}  // namespace schakel
