#include "wus/backend.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "http/fields.hpp"
#include "wus/binary_elements.hpp"
#include "wus/dai.hpp"
#include "wus/names.hpp"

namespace schakel::wus {
namespace {

// RFC 9440: a byte sequence of structured fields.
std::string header_form(const security::Certificate& certificate) {
  return ":" + to_base64(certificate->der) + ":";
}

void add_metadata(http::Headers& headers, const CallFacts& facts, const Settings& settings) {
  const auto add = [&headers](std::string name, std::string value) {
    // Values are from a message that was checked as XML, where line ends are allowed; in a header they are not.
    const bool printable = std::ranges::all_of(value, [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
    if (!value.empty() && printable) headers.add(std::move(name), std::move(value));
  };
  const auto& addressing = facts.addressing;
  add("Schakel-Message-Id", addressing.message_id);
  add("Schakel-Relates-To", addressing.relates_to);
  add("Schakel-Action", addressing.action);
  add("Schakel-Operation", facts.operation->name);
  add("Schakel-Sender-Oin", facts.sender_oin);
  add("Schakel-Peer-Oin", facts.peer_oin);
  add("Schakel-Peer-Cert-Sha256", facts.peer_certificate_sha256);
  add("Schakel-Signer-Oin", facts.signer_oin);
  if (facts.signer) add("Schakel-Signer-Certificate", header_form(*facts.signer));
  add("Schakel-Receiver-Oin", facts.receiver_oin);
  add("Schakel-From-Address", addressing.from);
  if (settings.reply_to_passthrough) add("Schakel-Reply-To", addressing.reply_to);
  add("Schakel-Profile", std::string(to_string(settings.profile)));
  if (facts.created) add("Schakel-Created", to_rfc3339(*facts.created));
  add("traceparent", facts.traceparent);
}

bool is_declared(const Operation& operation, xml::Element detail_entry, const Operation::DeclaredFault** found) {
  for (const auto& fault : operation.faults) {
    if (!detail_entry.is(fault.element.namespace_uri, fault.element.name)) continue;
    *found = &fault;
    return true;
  }
  return false;
}

// --- mode xml ---------------------------------------------------------------------------------------------------------------------------

// `wusFault` of a problem document; nullopt: there is none.
Result<std::optional<BackendAnswer>> fault_of_problem(const http::ClientResponse& response, const Operation& operation,
                                                      const Schema* schema) {
  const auto type = http::parse_media_type(response.headers.find("Content-Type").value_or(""));
  if (!type || type->type != "application/problem+json") return std::optional<BackendAnswer>();
  std::vector<JsonFault> faults;
  const auto problem = read_strict_json(response.body, faults);
  if (!problem || !problem->is_object() || !problem->contains("wusFault")) return std::optional<BackendAnswer>();
  const auto& told = problem->at("wusFault");
  const auto text = [&told](const char* name) {
    const auto found = told.is_object() ? told.find(name) : told.end();
    return told.is_object() && found != told.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Fault fault{.code = {std::string(ns::soapenv), text("faultcode")},
              .dk = {},
              .text = text("faultstring"),
              .actor = {},
              .detail_xml = {},
              .action = std::string(uri::soap_fault_action)};
  if (fault.code.name != "Client" && fault.code.name != "Server")
    return fail("wus.backend", "wusFault.faultcode is neither Client nor Server");
  if (fault.text.empty() || !xml::is_xml_text(fault.text)) return fail("wus.backend", "wusFault.faultstring is absent or no text");
  BackendAnswer answer;
  answer.is_fault = true;
  if (const auto detail = text("detailXml"); !detail.empty()) {
    auto document = xml::Document::parse(detail, {});
    if (!document) return fail("wus.backend", "wusFault.detailXml is not well-formed");
    const Operation::DeclaredFault* declared = nullptr;
    if (!is_declared(operation, document->root(), &declared))
      return fail("wus.backend", "wusFault.detailXml is no fault that the operation declares");
    if (schema && !schema->validate(document->root()).empty()) answer.warnings.emplace_back("the fault detail is not valid");
    fault.action = declared->action;
    fault.detail_xml = handed_on(document->root());
  }
  answer.body = fault_element(fault);
  answer.action = fault.action;
  return std::optional(std::move(answer));
}

// --- mode soap --------------------------------------------------------------------------------------------------------------------------

BackendAnswer fault_passed_on(const Plain& plain, const Operation& operation, const Schema* schema) {
  BackendAnswer answer;
  answer.is_fault = true;
  answer.body = handed_on(plain.payload);
  answer.action = uri::soap_fault_action;
  for (const auto child : plain.payload.children()) {
    if (!child.is("", "detail") || !child.first_child()) continue;
    const Operation::DeclaredFault* declared = nullptr;
    if (!is_declared(operation, child.first_child(), &declared)) continue;
    answer.action = declared->action;
    if (schema && !schema->validate(child.first_child()).empty()) answer.warnings.emplace_back("the fault detail is not valid");
  }
  return answer;
}

Error unusable(std::string detail) {
  return fail("wus.backend", std::move(detail));
}

// --- the request -------------------------------------------------------------------------------------------------------------------------

using Elements = std::vector<xml::Element>;

std::string_view media_type_of(BackendMode mode) {
  return mode == BackendMode::xml ? "application/xml" : "text/xml";
}

// The payload in what its mode puts around it.
std::string enveloped(BackendMode mode, const BackendPlace& place, const CallFacts& facts, std::string payload,
                      const Elements& extra_headers) {
  if (mode == BackendMode::xml) return payload;
  if (mode == BackendMode::dai)
    return dai_envelope(
        {.to = place.dai_to, .from = place.dai_from, .action = facts.addressing.action, .message_id = as_iri(facts.addressing.message_id)},
        payload);
  auto headers = plain_headers(facts.addressing);
  for (const auto block : extra_headers) headers += handed_on(block);
  return plain_envelope(headers, payload);
}

}  // namespace

http::ClientRequest backend_request(const BackendPlace& place, const Settings& settings, const CallFacts& facts, Message& message,
                                    const Schema* schema, Random& random) {
  http::ClientRequest request;
  request.url = place.url;
  request.response_timeout = settings.backend_timeout;
  request.connect_timeout = std::min(settings.backend_timeout, std::chrono::milliseconds(10'000));
  request.response_bytes_max = settings.max_size;
  const bool as_mtom = settings.backend_mtom && message.mtom;
  const auto binary =
      as_mtom ? elements_at(message.payload, binary_positions(message.payload, schema, message.binary_elements)) : Elements();
  auto given = handed_on_apart(message.document, message.payload, binary, settings.mtom_threshold, random);
  auto root = enveloped(settings.backend_mode, place, facts, std::move(given.text), message.extra_headers);
  const auto type = media_type_of(settings.backend_mode);
  auto entity = as_mtom ? mtom_entity(root, std::move(given.attachments), type, random)
                        : PlainEntity{.content_type = std::string(type) + "; charset=utf-8", .octets = std::move(root)};
  request.body = std::move(entity.octets);
  request.headers.add("Content-Type", std::move(entity.content_type));
  if (settings.backend_mode == BackendMode::soap) request.headers.add("SOAPAction", facts.soap_action.empty() ? "\"\"" : facts.soap_action);
  if (settings.backend_mode == BackendMode::dai) request.headers.add("SOAPAction", "\"\"");
  auto accepted = std::string(type) + (settings.backend_mtom ? ", multipart/related" : "");
  if (settings.backend_mode == BackendMode::xml) accepted += ", application/problem+json";
  request.headers.add("Accept", std::move(accepted));
  if (!place.api_key_header.empty()) request.headers.add(place.api_key_header, place.api_key);
  add_metadata(request.headers, facts, settings);
  return request;
}

Result<BackendAnswer> read_backend_answer(const Result<http::ClientResponse>& response, const Settings& settings,
                                          const Operation& operation, const Schema* schema) {
  if (!response) return fail("wus.backendUnavailable", "the back-end did not answer: " + response.error().code);
  const bool soap = settings.backend_mode != BackendMode::xml;
  const bool success = response->status == 200;
  if (!success && !soap) {
    SCHAKEL_TRY(auto fault, fault_of_problem(*response, operation, schema));
    if (fault) return std::move(*fault);
  }
  if (!success && !(soap && response->status == 500)) {
    const auto detail = "the back-end answered " + std::to_string(response->status);
    if (response->status >= 500) return fail("wus.backendUnavailable", detail);
    if (response->status >= 400) return fail("wus.backendRefused", detail);
    return unusable(detail);
  }
  const auto content_type = response->headers.find("Content-Type").value_or("");
  if (is_mtom(content_type) && !settings.backend_mtom) return unusable("the back-end answered MTOM, which backend.mtom does not allow");
  auto plain = read_plain(response->body, content_type, soap ? PlainForm::envelope : PlainForm::element, settings.max_size);
  if (!plain) {
    // A 500 without a Fault is a back-end that is away, or a server in front of it.
    if (!success) return fail("wus.backendUnavailable", "the back-end answered 500 without a Fault");
    return unusable("the back-end's answer cannot be read: " + plain.error().code);
  }
  if (plain->is_fault) {
    if (!soap) return unusable("the back-end answered a SOAP Fault in mode xml");
    return fault_passed_on(*plain, operation, schema);
  }
  if (!success) return fail("wus.backendUnavailable", "the back-end answered 500 without a Fault");
  if (settings.backend_mode == BackendMode::dai) {
    if (const auto unwrapped = unwrap_dai(*plain); !unwrapped) return unusable("the back-end's answer: " + unwrapped.error().detail);
  }
  if (!plain->payload.is(operation.output.namespace_uri, operation.output.name))
    return unusable("the back-end answered another element than " + to_string(operation.output));
  if (schema && (settings.validate == Validate::both || settings.validate == Validate::response)) {
    if (const auto findings = schema->validate(plain->payload); !findings.empty())
      return unusable("the back-end's answer is not valid: " + findings.front().path + ": " + findings.front().message);
  }
  BackendAnswer answer;
  answer.body = handed_on(plain->payload);
  answer.action = operation.output_action;
  answer.binary_elements = binary_positions(plain->payload, schema, plain->binary_elements);
  return answer;
}

}  // namespace schakel::wus
