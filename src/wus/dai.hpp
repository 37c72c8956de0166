// The SOAP interface between a Digikoppeling adapter and the systems behind it, "Digikoppeling adapter intern" 1.0 (adapter.md 2.5), for
// synchronous messages: arrow 7 (an application calls) and arrow 8 (an application is called).
//
// Pure; safe from every thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "wus/plain.hpp"
#include "wus/service_contract.hpp"

namespace schakel::wus {

// The header blocks of a message. Empty: absent.
struct DaiHeaders {
  std::string to, from, action, message_id;
};

// A request of an application: its payload is the one element in dai:bericht. `headers` are filled as far as they can be read, also when
// the rest is refused, because a refusal names them. Errors: "dai.mustUnderstand"; "dai.invalid" for all else (adapter.md section 4).
Result<Plain> read_dai_request(std::string_view octets, std::string_view content_type, std::size_t bytes_max, DaiHeaders& headers);
// From the payload dai:bericht to the one element in it. Error: "dai.invalid".
Result<> unwrap_dai(Plain&);

std::string dai_envelope(const DaiHeaders&, std::string_view payload);

// The logical address of a party: what was agreed, else `urn:dkintern:<OIN>::`, as an organisation without application or administration.
std::string logical_address(std::string_view agreed, std::string_view oin);
// With the prefix `urn:dkintern:` when it is no IRI.
std::string as_iri(std::string_view message_id);

// The contract of an application's call (DAI 3.1.1): active, for calling a service, with an operation of this wsa:Action; wsa:To is the
// partner's logical address; when it is that of none, it begins with `urn:dkintern:<OIN of the partner>:`, of a contract without an agreed
// one. wsa:From, when it begins with such an OIN too, is of our own. Errors: "contract.unknown", "contract.ambiguous".
Result<std::shared_ptr<const ServiceContract>> contract_for(const Services&, std::string_view tenant, const DaiHeaders&);

// Faults as serialised elements for plain_envelope. StUF058 is the one code of the adapter; the reason stands in `details`.
//
// A failure of ours or of what lies behind us: Fo02. `of_client`: the request is the cause.
std::string dai_failure(std::string_view reason, bool of_client);
// A request that is not what the interface says, with the error of read_dai_request: Fo03. `reference`: a number of ours for the fault.
std::string dai_refusal(const Error&, const DaiHeaders&, std::string_view reference, Instant now);

}  // namespace schakel::wus
