// What the doors for calls of WUS services share: the body of a call, and its answer in the same form (wus.md 3.7).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/resources.hpp"
#include "wus/caller.hpp"

namespace schakel::api {

// What a call may be, beside MTOM.
inline constexpr std::string_view element_types[] = {"application/xml", "text/xml"};
inline constexpr std::string_view envelope_types[] = {"text/xml"};

// The entity of a call, whole. It is of one of these media types, or MTOM. Errors: request.mediaType, those of the body.
http::Awaitable<Answer<std::string>> read_call(const http::Request&, std::span<const std::string_view> types, std::size_t bytes_max);

// Of a Call: with its trace, and with the answer in the form of the payload.
wus::Call call_of(const http::Request&, std::shared_ptr<const wus::ServiceContract>, const wus::Operation*, wus::Plain payload);

// An answer with its Schakel-… headers. `root`: what goes around the body of the outcome, or that alone, as this media type. `as_mtom`: the
// call was MTOM, so this is too.
http::Response answer_of_call(const Office&, unsigned status, std::string root, std::string_view type, wus::CallOutcome,
                              const wus::ServiceContract&, bool as_mtom);
// A Fault in an envelope, without headers of the partner (WUS-263).
http::Response fault_of_call(std::string_view soap_fault);

}  // namespace schakel::api
