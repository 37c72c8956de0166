#include "http/failure_log.hpp"

#include <algorithm>
#include <vector>

namespace schakel::http {
namespace {

constexpr std::uint64_t tell_every = 100;
constexpr std::chrono::minutes tell_after{1};
constexpr std::size_t entries_max = 8192;

}  // namespace

std::optional<std::uint64_t> FailureLog::note(std::string_view reason, std::string_view address, Instant now) {
  std::string key;
  key.append(reason).append(1, ' ').append(address);
  if (entries_.size() >= entries_max && !entries_.contains(key)) forget_oldest_half();
  const auto [found, is_first] = entries_.try_emplace(std::move(key));
  Entry& entry = found->second;
  ++entry.untold;
  if (!is_first && entry.untold < tell_every && now - entry.told < tell_after) return std::nullopt;
  entry.told = now;
  return std::exchange(entry.untold, 0);
}

void FailureLog::forget_oldest_half() {
  std::vector<Instant> told;
  told.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) told.push_back(entry.told);
  const auto middle = told.begin() + static_cast<std::ptrdiff_t>(told.size() / 2);
  std::nth_element(told.begin(), middle, told.end());
  std::erase_if(entries_, [&](const auto& item) { return item.second.told <= *middle; });
}

}  // namespace schakel::http
