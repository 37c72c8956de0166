#include "base/log.hpp"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace schakel {
namespace {

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : for_log(text)) {  // no control characters are left: only these two need care
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void append_value(std::string& out, const LogField& field, bool json) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    if (json) {
      append_json_text(out, *text);
    } else {
      out += for_log(*text);
    }
  } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    out += std::to_string(*integer);
  } else if (const auto* number = std::get_if<double>(&field.value)) {
    out += std::to_string(*number);
  } else {
    out += std::get<bool>(field.value) ? "true" : "false";
  }
}

class StreamLog final : public Log {
 public:
  StreamLog(LogLevel level, LogFormat format, std::string node) : level_(level), format_(format), node_(std::move(node)) {
    constexpr std::size_t lines_waiting_max = 8192;
    pool_ = std::make_shared<spdlog::details::thread_pool>(lines_waiting_max, 1);
    logger_ = std::make_shared<spdlog::async_logger>("schakel", std::make_shared<spdlog::sinks::stderr_sink_mt>(), pool_,
                                                     spdlog::async_overflow_policy::block);
    logger_->set_pattern("%v");
    logger_->set_level(spdlog::level::debug);
    logger_->flush_on(spdlog::level::warn);
  }
  ~StreamLog() override { logger_->flush(); }

  bool enabled(LogLevel level) const override { return level >= level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) override { level_ = level; }

  void write(LogLevel level, std::string_view event, Fields fields) override {
    if (!enabled(level)) return;  // no line is made for nobody
    logger_->log(to_spdlog(level), format_ == LogFormat::json ? json_line(level, event, fields) : text_line(level, event, fields));
  }

 private:
  std::string json_line(LogLevel level, std::string_view event, Fields fields) const {
    std::string out = "{\"time\":\"" + to_rfc3339(SystemClock().now()) + "\",\"level\":\"";
    out.append(to_string(level)).append("\",\"event\":\"").append(event).append("\",\"node\":");
    append_json_text(out, node_);
    for (const auto& field : fields) {
      out.append(",\"").append(field.name).append("\":");
      append_value(out, field, true);
    }
    return out += '}';
  }
  std::string text_line(LogLevel level, std::string_view event, Fields fields) const {
    std::string out = to_rfc3339(SystemClock().now());
    out.append(" ").append(to_string(level)).append(" ").append(event);
    for (const auto& field : fields) {
      out.append(" ").append(field.name).append("=");
      append_value(out, field, false);
    }
    return out;
  }

  std::atomic<LogLevel> level_;
  LogFormat format_;
  std::string node_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::async_logger> logger_;
};

class SilentLog final : public Log {
 public:
  void write(LogLevel, std::string_view, Fields) override {}
  bool enabled(LogLevel) const override { return false; }
};

}  // namespace

LogLevel log_level_from(std::string_view name) {
  for (const auto level : {LogLevel::debug, LogLevel::warning, LogLevel::error})
    if (to_string(level) == name) return level;
  return LogLevel::info;
}

std::unique_ptr<Log> make_log(LogLevel level, LogFormat format, std::string node) {
  return std::make_unique<StreamLog>(level, format, std::move(node));
}

Log& silent_log() {
  static SilentLog log;  // stateless, so one for all is no hidden dependency
  return log;
}

}  // namespace schakel
