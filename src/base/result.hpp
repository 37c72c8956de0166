// Results: expected failures are values, never exceptions.
//
// A function that can fail returns Result<T>. An Error has a code from the vocabulary of docs/requirements (for instance "contract.unknown"
// or "SEC.CRL.GEEN"), a sentence for the operator, and where it is about (a line, an XPath, a JSON pointer). Exceptions are for broken
// invariants only.
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace schakel {

struct Error {
  std::string code;      // stable token; the outside may see it
  std::string detail;    // one sentence for a person; never a secret, never payload content
  std::string location;  // optional: "schakel.toml:12", an XPath, a JSON pointer

  Error() = default;
  // A constructor, so that no single string turns into an Error by itself.
  Error(std::string code_, std::string detail_, std::string location_ = {})
      : code(std::move(code_)), detail(std::move(detail_)), location(std::move(location_)) {}
  friend bool operator==(const Error&, const Error&) = default;
};

// Called by Result::value() on a failed result: a programming error, so it throws.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error(error.code + ": " + error.detail);
}

template <class T = void>
using Result = boost::system::result<T, Error>;

inline Error fail(std::string code, std::string detail, std::string location = {}) {
  return {std::move(code), std::move(detail), std::move(location)};
}

}  // namespace schakel

// SCHAKEL_TRY(auto x, f());   binds the value or returns the error.     SCHAKEL_CHECK(g());   returns the error, drops the value.
#define SCHAKEL_JOIN_(a, b) a##b
#define SCHAKEL_JOIN(a, b) SCHAKEL_JOIN_(a, b)
#define SCHAKEL_TRY(variable, expression)                                               \
  auto SCHAKEL_JOIN(result_, __LINE__) = (expression);                                  \
  if (!SCHAKEL_JOIN(result_, __LINE__)) return SCHAKEL_JOIN(result_, __LINE__).error(); \
  variable = std::move(*SCHAKEL_JOIN(result_, __LINE__))
#define SCHAKEL_CHECK(expression)                                         \
  do {                                                                    \
    if (auto checked_ = (expression); !checked_) return checked_.error(); \
  } while (false)
