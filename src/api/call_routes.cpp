// Synchronous calls of WUS services (adapter.md 2.1.3; wus.md 1.12, 3.7): as JSON (`/calls`), as XML (`/wus/{contractId}/{operation}`) and
// as SOAP (`/wus/{contractId}`).
//
// A call may be MTOM (JSON: with attachments), and its answer then is too.
#include "api/json.hpp"
#include "api/resources.hpp"
#include "api/service_calls.hpp"
#include "http/fields.hpp"
#include "wus/names.hpp"

namespace schakel::api {
namespace {

using http::Response;

Refusal no_such_service() {
  return Refusal("notFound", "Er is geen WUS-contract met dit kenmerk.");
}

// By id or by name.
std::shared_ptr<const wus::ServiceContract> service_of(const Office& office, std::string_view tenant, std::string_view wanted) {
  if (!office.dependencies.wus_caller || !office.dependencies.wus_services) return nullptr;
  const auto services = office.dependencies.wus_services();
  auto found = services->find(tenant, wanted);
  if (!found) found = services->by_name(tenant, wanted);
  return found && found->role == wus::Role::consumer ? found : nullptr;
}

Refusal unreadable(const Error& error) {
  return Refusal("WUS-C-INPUT", "De inhoud is niet te lezen: " + error.detail);
}

Refusal refusal_of(const Error& error) {
  Refusal refusal(error.code, error.detail);
  refusal.members["code"] = error.code;
  if (!error.location.empty()) refusal.members["element"] = error.location;
  return refusal;
}

Refusal refusal_of(const wus::CallOutcome::PartnerFault& fault) {
  Refusal refusal("WUS-C-FAULT", "De partner antwoordde met een SOAP Fault.");
  refusal.members["faultcode"] = fault.code;
  refusal.members["faultstring"] = fault.string;
  if (!fault.actor.empty()) refusal.members["faultactor"] = fault.actor;
  if (!fault.dk_code.empty()) refusal.members["dkCode"] = fault.dk_code;
  if (!fault.detail_xml.empty()) refusal.members["detailXml"] = fault.detail_xml;
  refusal.members["authenticated"] = fault.authenticated;
  return refusal;
}

// --- POST /calls ------------------------------------------------------------------------------------------------------------------------

// `attachments`: what xop:Includes of `body` refer to; nullopt: absent.
std::optional<std::vector<wus::Part>> read_attachments(Members& members, std::size_t bytes_max, Faults& faults) {
  const auto* list = members.array("attachments", wus::parts_max - 1);
  if (list == nullptr) return std::nullopt;
  std::vector<wus::Part> parts;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Members one((*list)[i], members.pointer("attachments") + "/" + std::to_string(i), faults);
    wus::Part part{.content_id = one.text("contentId", Need::required).value_or(""),
                   .content_type = one.text("contentType").value_or(""),
                   .encoded = {},
                   .decoded = {}};
    if (!part.content_type.empty() && !http::parse_media_type(part.content_type)) one.fault("contentType", "format", "geen mediatype");
    auto octets = from_base64(one.text("data", Need::required, bytes_max, 0).value_or(""));
    if (!octets) one.fault("data", "format", "geen base64");
    part.decoded = octets ? std::move(*octets) : Bytes();
    one.end();
    parts.push_back(std::move(part));
  }
  return parts;
}

OrderedJson attachments_json(const std::vector<wus::Attachment>& attachments) {
  auto out = OrderedJson::array();
  for (const auto& [part, octets] : attachments)
    out.push_back(
        {{"contentId", part.content_id}, {"contentType", part.content_type}, {"size", octets.size()}, {"data", to_base64(octets)}});
  return out;
}

http::Awaitable<Answer<Response>> call_as_json(const Office& office, Visit& visit, Faults faults) {
  Members members(visit.json, "", faults);
  const auto contract = members.text("contractId", Need::required), name = members.text("operation", Need::required);
  const auto to_oin = read_oin(members, "toOin");
  const auto message_id = members.text("messageId", Need::optional, 512);
  const auto body = members.text("body", Need::required, office.settings.message_bytes_max);
  auto attachments = read_attachments(members, office.settings.json_bytes_max, faults);
  members.end();
  if (auto judged = judge_input(std::move(faults)); !judged) co_return judged.error();
  const auto service = service_of(office, visit.tenant(), *contract);
  if (!service) co_return no_such_service();
  const auto* operation = service->operation(*name);
  if (!operation) co_return Refusal("WUS-C-INPUT", "Het contract kent deze operatie niet.");
  const auto bytes_max = service->settings.max_size;
  const bool apart = attachments.has_value();
  auto payload = apart ? wus::read_plain(*body, std::move(*attachments), bytes_max)
                       : wus::read_plain(*body, "application/xml; charset=utf-8", wus::PlainForm::element, bytes_max);
  if (!payload) co_return unreadable(payload.error());
  auto call = call_of(visit.request, service, operation, std::move(*payload));
  call.to_oin = to_oin;
  call.message_id = message_id.value_or("");
  auto outcome = co_await office.dependencies.wus_caller->call(std::move(call));
  if (!outcome) co_return refusal_of(outcome.error());
  OrderedJson answer{{"outcome", outcome->fault ? "fault" : "response"},
                     {"id", outcome->record},
                     {"messageId", outcome->message_id},
                     {"responseMessageId", outcome->addressing.message_id}};
  if (outcome->fault) {
    answer["fault"] = refusal_of(*outcome->fault).members;
  } else {
    answer["body"] = outcome->body;
    if (apart) answer["attachments"] = attachments_json(outcome->attachments);
  }
  co_return json_response(200, answer);
}

// --- POST /wus/{contractId}/{operation} -------------------------------------------------------------------------------------------------

http::Awaitable<Answer<Response>> call_as_xml(const Office& office, Visit& visit, Faults faults) {
  if (auto judged = judge_input(std::move(faults)); !judged) co_return judged.error();
  const auto service = service_of(office, visit.tenant(), visit.path[0]);
  if (!service) co_return no_such_service();
  const auto* operation = service->operation(visit.path[1]);
  if (!operation) co_return Refusal("notFound", "Het contract kent deze operatie niet.");
  auto body = co_await read_call(visit.request, element_types, service->settings.max_size);
  if (!body) co_return body.error();
  auto payload =
      wus::read_plain(*body, visit.request.headers.find("Content-Type").value_or(""), wus::PlainForm::element, service->settings.max_size);
  if (!payload) co_return unreadable(payload.error());
  Bytes().swap(*body);
  const bool as_mtom = payload->mtom;
  auto call = call_of(visit.request, service, operation, std::move(*payload));
  auto outcome = co_await office.dependencies.wus_caller->call(std::move(call));
  if (!outcome) co_return refusal_of(outcome.error());
  if (outcome->fault) co_return refusal_of(*outcome->fault);
  auto root = std::move(outcome->body);
  co_return answer_of_call(office, 200, std::move(root), "application/xml", std::move(*outcome), *service, as_mtom);
}

// --- POST /wus/{contractId}: SOAP in, SOAP out ------------------------------------------------------------------------------------------

// Our own refusals of a call as a Fault, with the code of 4.4 in front of its text (WUS-263).
Response own_fault(const Error& error) {
  const bool callers = http::status_of(error.code) < 500;
  wus::Fault fault;
  fault.code = {std::string(wus::ns::soapenv), callers ? "Client" : "Server"};
  fault.text = error.code + ": " + std::string(http::title_of(error.code));
  return fault_of_call(wus::fault_element(fault));
}

http::Awaitable<Answer<Response>> call_as_soap(const Office& office, Visit& visit, Faults faults) {
  if (auto judged = judge_input(std::move(faults)); !judged) co_return judged.error();
  const auto service = service_of(office, visit.tenant(), visit.path[0]);
  if (!service) co_return no_such_service();
  auto body = co_await read_call(visit.request, envelope_types, service->settings.max_size);
  if (!body) co_return body.error();
  auto plain =
      wus::read_plain(*body, visit.request.headers.find("Content-Type").value_or(""), wus::PlainForm::envelope, service->settings.max_size);
  if (!plain) co_return own_fault(fail("WUS-C-INPUT", plain.error().detail));
  Bytes().swap(*body);
  const auto* operation = service->by_action(plain->action);
  if (!operation) co_return own_fault(fail("WUS-C-INPUT", "wsa:Action is of no operation"));
  const auto message_id = plain->message_id;
  const bool as_mtom = plain->mtom;
  auto call = call_of(visit.request, service, operation, std::move(*plain));
  call.message_id = message_id;
  auto outcome = co_await office.dependencies.wus_caller->call(std::move(call));
  if (!outcome) co_return own_fault(outcome.error());
  const bool is_fault = outcome->fault.has_value();
  auto root = wus::plain_envelope(is_fault ? std::string() : wus::plain_headers(outcome->addressing), outcome->body);
  co_return answer_of_call(office, is_fault ? 500 : 200, std::move(root), "text/xml", std::move(*outcome), *service, as_mtom && !is_fault);
}

}  // namespace

void add_call_routes(std::vector<Route>& routes, const Office& office) {
  const auto streaming = [&office](auto function) {
    return Streaming([&office, function](Visit& visit, Faults faults) { return function(office, visit, std::move(faults)); });
  };
  routes.push_back({"POST", "/calls", "message.create", true, Body::json, {}, Access::write, streaming(call_as_json)});
  routes.push_back(
      {"POST", "/wus/{contractId}/{operation}", "message.create", true, Body::stream, {}, Access::write, streaming(call_as_xml), true});
  routes.push_back({"POST", "/wus/{contractId}", "message.create", true, Body::stream, {}, Access::write, streaming(call_as_soap), true});
}

}  // namespace schakel::api
