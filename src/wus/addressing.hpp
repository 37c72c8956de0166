// WS-Addressing 1.0 headers (wus.md 1.4, 3.2): read with every rule that needs no service but its settings, and written.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "wus/service.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

enum class Kind { request, response };

// Whitespace-collapsed values; empty: absent.
struct Addressing {
  std::string to, action, message_id, relates_to, from, reply_to, fault_to;
};

// Is this text an absolute IRI, for wsa:To and wsa:Action?
bool is_iri(std::string_view);
// May wsa:MessageID hold it (WUS-083)?
bool is_message_id(std::string_view);

// An address with its OIN parameter taken apart (WUS-074, WUS-075).
struct OinAddress {
  std::string address;         // without the parameter
  std::string oin;             // 20 digits; empty: none
  bool malformed_oin = false;  // a parameter that is not 20 digits: for the log
  bool conflicting = false;    // two with different values
};
OinAddress split_oin(std::string_view address);
// The address with `OIN=` added (the query may exist already).
std::string with_oin(std::string_view address, std::string_view oin);
// WUS-242: scheme and host without case, default port dropped, path exact.
bool same_address(std::string_view left, std::string_view right);

// `headers`: the children of soapenv:Header in namespace wsa. Cardinality, syntax and allowed values (WUS-070..082); a response needs
// `request_message_id` and `allowed_actions` (WUS-081). Errors: tokens of fault_table.
Result<Addressing> read_addressing(const std::vector<xml::Element>& headers, Kind, const Settings&);
// WUS-081: against what was sent.
Result<> check_response_addressing(const Addressing&, std::string_view request_message_id, const Operation&);
// WUS-023: `soap_action` as in the HTTP header; nullopt: absent. `unquoted`: set when that deviation is to be logged.
Result<> check_soap_action(std::optional<std::string_view> soap_action, const Addressing&, bool& unquoted);

// WUS-083. `uri`: for the forms that carry one.
std::string make_message_id(MessageIdFormat, Random&, std::string_view uri = {}, std::string_view custom = {});

}  // namespace schakel::wus
