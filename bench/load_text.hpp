// What the parts of schakel-load share: options of the command line, and texts that templates are filled in with.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

namespace schakel::bench {

using Clock = std::chrono::steady_clock;

// Ends the program with a sentence on standard error.
[[noreturn]] void stop(const std::string& why);

std::string read_file(const std::string& path);
void replace_all(std::string& text, std::string_view what, std::string_view with);
// What stands between the first `open` and the next `close`; empty when there is no such place.
std::string_view between(std::string_view text, std::string_view open, std::string_view close);
// In the form of a UUID.
std::string fresh_id();
// Of this second, 20 characters.
std::string now_text();

// --name value, in pairs.
struct Options {
  std::map<std::string, std::string> values;

  bool has(const std::string& name) const { return values.contains(name); }
  const std::string& at(const std::string& name) const;  // stops when it is missing
  std::string get(const std::string& name, const std::string& otherwise) const;
  long number(const std::string& name, long otherwise) const;
  unsigned short port(const std::string& name) const { return static_cast<unsigned short>(number(name, 0)); }
};

}  // namespace schakel::bench
