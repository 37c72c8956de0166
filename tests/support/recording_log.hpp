// A log that keeps its lines for a test to read.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"

namespace schakel::testing {

// Safe from every thread.
class RecordingLog final : public Log {
 public:
  struct Line {
    LogLevel level;
    std::string event;
    std::map<std::string, std::string> fields;  // numbers and truth values as text

    std::string operator[](const std::string& name) const {
      const auto found = fields.find(name);
      return found == fields.end() ? std::string() : found->second;
    }
  };

  void write(LogLevel level, std::string_view event, Fields fields) override {
    Line line{level, std::string(event), {}};
    for (const LogField& field : fields) line.fields.emplace(std::string(field.name), std::visit(ToText{}, field.value));
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  bool enabled(LogLevel level) const override { return level >= LogLevel::info; }

  // Of one event, in order; empty name: all.
  std::vector<Line> lines(std::string_view event = {}) const {
    const std::lock_guard lock(mutex_);
    std::vector<Line> found;
    for (const Line& line : lines_)
      if (event.empty() || line.event == event) found.push_back(line);
    return found;
  }
  // Every line with every field, to look for what must not be there.
  std::string text() const {
    std::string out;
    for (const Line& line : lines()) {
      out += line.event;
      for (const auto& [name, value] : line.fields) out.append(" ").append(name).append("=").append(value);
      out += '\n';
    }
    return out;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
  }

 private:
  struct ToText {
    std::string operator()(std::string_view value) const { return std::string(value); }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return std::to_string(value); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
  };

  mutable std::mutex mutex_;
  std::vector<Line> lines_;
};

}  // namespace schakel::testing
