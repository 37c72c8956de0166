// Why a request is refused: a code of adapter.md 2.1.5, a sentence for a person, and for wrong input every fault at once (README section
// 8).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json_library.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

namespace schakel::api {

inline constexpr std::string_view base_path = "/api/v1";

using Json = nlohmann::json;                 // what comes in
using OrderedJson = nlohmann::ordered_json;  // what goes out: members in the order of the specification

// `in` of a FieldError: "body", "query", "header", "path". `location`: a JSON Pointer, or a name.
using Faults = std::vector<http::FieldError>;
inline constexpr std::size_t faults_max = 100;  // REST-065
void add_fault(Faults&, std::string in, std::string location, std::string code, std::string detail);

struct Refusal {
  std::string code;
  std::string detail;
  Faults errors;
  http::Headers headers;                        // Retry-After, Allow, WWW-Authenticate
  OrderedJson members = OrderedJson::object();  // further members of the problem: findings, candidates, id

  Refusal() = default;
  Refusal(std::string code_, std::string detail_) : code(std::move(code_)), detail(std::move(detail_)) {}
  Refusal(const Error& error);  // NOLINT: an expected failure of a room below becomes the same problem
  friend bool operator==(const Refusal& a, const Refusal& b) { return a.code == b.code && a.detail == b.detail; }
};
[[noreturn]] inline void throw_exception_from_error(const Refusal& refusal, const boost::source_location&) {
  throw std::logic_error(refusal.code + ": " + refusal.detail);
}

template <class T = void>
using Answer = boost::system::result<T, Refusal>;

// 400 request.invalid with all faults; success when there are none.
Answer<> judge(Faults);

// The problem as a response, members included.
http::Response to_response(const Refusal&, const std::string& request_id);

}  // namespace schakel::api
