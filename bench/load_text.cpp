#include "load_text.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>

namespace schakel::bench {

void stop(const std::string& why) {
  std::fprintf(stderr, "schakel-load: %s\n", why.c_str());
  std::exit(1);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) stop("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) text.replace(at, what.size(), with);
}

std::string fresh_id() {
  static unsigned long long next = static_cast<unsigned long long>(Clock::now().time_since_epoch().count());
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%08llx-0000-4000-8000-%012llx", (next >> 20) & 0xFFFFFFFFULL, next & 0xFFFFFFFFFFFFULL);
  ++next;
  return out.data();
}

std::string now_text() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> out{};
  std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return out.data();
}

std::string_view between(std::string_view text, std::string_view open, std::string_view close) {
  const auto begin = text.find(open);
  if (begin == std::string_view::npos) return {};
  const auto start = begin + open.size(), end = text.find(close, start);
  return end == std::string_view::npos ? std::string_view() : text.substr(start, end - start);
}

const std::string& Options::at(const std::string& name) const {
  const auto found = values.find(name);
  if (found == values.end()) stop("--" + name + " is missing");
  return found->second;
}

std::string Options::get(const std::string& name, const std::string& otherwise) const {
  const auto found = values.find(name);
  return found == values.end() ? otherwise : found->second;
}

long Options::number(const std::string& name, long otherwise) const {
  const auto found = values.find(name);
  return found == values.end() ? otherwise : std::strtol(found->second.c_str(), nullptr, 10);
}

}  // namespace schakel::bench
