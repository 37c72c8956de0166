// The provider's call to its back-end and what comes of the answer (wus.md 3.7, WUS-244, WUS-245), as values: the endpoint does the
// waiting.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/client.hpp"
#include "security/certificate.hpp"
#include "wus/message.hpp"
#include "wus/plain.hpp"
#include "wus/schema.hpp"
#include "wus/service.hpp"

namespace schakel::wus {

// What a request is about, for its Schakel-… headers and for the record.
struct CallFacts {
  const Operation* operation = nullptr;
  Addressing addressing;  // as received
  std::string soap_action;
  std::string sender_oin, receiver_oin, peer_oin, peer_certificate_sha256, signer_oin;
  std::optional<security::Certificate> signer;
  std::optional<Instant> created;
  std::string traceparent;
};

struct BackendPlace {
  std::string url;
  std::string api_key_header{}, api_key{};  // sent as they are; empty: none
  std::string dai_to{}, dai_from{};         // mode dai: the logical addresses of the back-end and of the sender
};

// With Settings::backend_mtom a request that came as MTOM goes on as MTOM: the binary texts of its payload leave `message` then. `schema`
// may be null.
http::ClientRequest backend_request(const BackendPlace&, const Settings&, const CallFacts&, Message& message, const Schema* schema,
                                    Random&);

// What goes back to the partner.
struct BackendAnswer {
  std::string body;  // serialised: the output element, or a soapenv:Fault
  bool is_fault = false;
  std::string action;  // of the response: the operation's output or fault action, or one of the two fault URIs
  std::vector<std::size_t> binary_elements;
  std::vector<std::string> warnings;  // for the log: a fault detail that is not valid (WUS-201)
};
// `schema` may be null. Errors: "wus.backend" (DK0050, soapenv:Server), "wus.backendRefused" (DK0050, soapenv:Client),
// "wus.backendUnavailable" (DK0051): details are for our log, the back-end's own text never goes on.
Result<BackendAnswer> read_backend_answer(const Result<http::ClientResponse>&, const Settings&, const Operation&, const Schema* schema);

}  // namespace schakel::wus
