// Why a command ends otherwise than well, and the exit codes (adapter.md 2.12).
//
// A command returns an Outcome: an exit code, or a Failure that the program prints in one place. Plain values.
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace schakel::cli {

enum class Exit : int { ok = 0, failure = 1, usage = 2, not_found = 3, not_allowed = 4, findings = 5 };

// The exit code that belongs to an error's code: "notFound" 3, "auth.…" 4, "contract.invalid" 5, "usage" and "config.…" 2, else 1.
Exit exit_for(std::string_view code);

// What a person can do about an error with this code; empty when there is nothing general to say.
std::string_view advice_for(std::string_view code);

struct Failure {
  Exit exit = Exit::failure;
  std::string code;
  std::string detail;
  std::string location;
  std::vector<std::string> particulars;  // one line each: errors[] of a problem, findings
  std::string advice;                    // what to do next; empty: advice_for(code)

  Failure() = default;
  Failure(Exit exit_, std::string code_, std::string detail_, std::string advice_ = {})
      : exit(exit_), code(std::move(code_)), detail(std::move(detail_)), advice(std::move(advice_)) {}
  // An expected error of a room below becomes a failure of the command.
  Failure(const Error& error)  // NOLINT(google-explicit-constructor)
      : exit(exit_for(error.code)), code(error.code), detail(error.detail), location(error.location) {}
  friend bool operator==(const Failure&, const Failure&) = default;
};

[[noreturn]] inline void throw_exception_from_error(const Failure& failure, const boost::source_location&) {
  throw std::logic_error(failure.code + ": " + failure.detail);
}

template <class T = Exit>
using Outcome = boost::system::result<T, Failure>;

inline Failure wrong_usage(std::string detail, std::string advice = {}) {
  return {Exit::usage, "usage", std::move(detail), std::move(advice)};
}

// "schakel: <detail> (<code>)", the particulars, and what to do next; no control characters.
std::string describe(const Failure&);

}  // namespace schakel::cli
