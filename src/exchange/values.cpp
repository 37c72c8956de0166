#include <array>

#include "exchange/message.hpp"

namespace schakel::exchange {
namespace {

// In the order of enum class State.
constexpr std::array<std::string_view, 21> state_names = {
    "ACCEPTED", "HELD",      "QUEUED",   "SENDING", "SENT",      "DELIVERED", "FAILED",    "EXPIRED", "CANCELLED", "RECEIVED", "OFFERED",
    "DEAD",     "PROCESSED", "REJECTED", "REFUSED", "FORWARDED", "RUNNING",   "COMPLETED", "FAULT",   "TIMEOUT",   "ABORTED"};
static_assert(static_cast<std::size_t>(State::aborted) + 1 == state_names.size());

constexpr std::array<std::string_view, 6> contract_state_names = {"draft", "validated", "active", "suspended", "expired", "retired"};
static_assert(static_cast<std::size_t>(ContractState::retired) + 1 == contract_state_names.size());

template <class Enum, std::size_t N>
std::optional<Enum> find_name(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Direction direction) {
  return direction == Direction::inbound ? "inbound" : "outbound";
}

Direction direction_from(std::string_view text) {
  return text == "inbound" ? Direction::inbound : Direction::outbound;
}

std::string_view to_string(State state) {
  return state_names[static_cast<std::size_t>(state)];
}

std::optional<State> state_from(std::string_view name) {
  return find_name<State>(state_names, name);
}

bool is_final(State state) {
  switch (state) {
    case State::delivered:
    case State::failed:
    case State::expired:
    case State::cancelled:
    case State::processed:
    case State::rejected:
    case State::refused:
    case State::forwarded:
    case State::completed:
    case State::fault:
    case State::timeout:
    case State::aborted:
      return true;
    case State::accepted:
    case State::held:
    case State::queued:
    case State::sending:
    case State::sent:
    case State::received:
    case State::offered:
    case State::dead:
    case State::running:
      return false;
  }
  return false;
}

std::string_view to_string(ContractState state) {
  return contract_state_names[static_cast<std::size_t>(state)];
}

std::optional<ContractState> contract_state_from(std::string_view name) {
  return find_name<ContractState>(contract_state_names, name);
}

}  // namespace schakel::exchange
