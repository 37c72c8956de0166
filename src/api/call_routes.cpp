// Synchronous calls of WUS services (adapter.md 2.1.3; wus.md 1.12, 3.7): as JSON (`/calls`), as XML (`/wus/{contractId}/{operation}`) and
// as SOAP (`/wus/{contractId}`).
#include "api/json.hpp"
#include "api/resources.hpp"
#include "http/fields.hpp"
#include "wus/caller.hpp"
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

std::string traceparent_of(const http::Request& request) {
  return std::string(request.headers.find("traceparent").value_or(""));
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

void add_metadata(Response& response, const wus::CallOutcome& outcome, const wus::ServiceContract& service) {
  response.headers.add("Schakel-Message-Id", outcome.addressing.message_id);
  response.headers.add("Schakel-Relates-To", outcome.message_id);
  response.headers.add("Schakel-Profile", std::string(to_string(service.settings.profile)));
}

// --- POST /calls ------------------------------------------------------------------------------------------------------------------------

http::Awaitable<Answer<Response>> call_as_json(const Office& office, Visit& visit, Faults faults) {
  Members members(visit.json, "", faults);
  const auto contract = members.text("contractId", Need::required), name = members.text("operation", Need::required);
  const auto to_oin = read_oin(members, "toOin");
  const auto message_id = members.text("messageId", Need::optional, 512);
  const auto body = members.text("body", Need::required, office.settings.message_bytes_max);
  members.end();
  if (auto judged = judge_input(std::move(faults)); !judged) co_return judged.error();
  const auto service = service_of(office, visit.tenant(), *contract);
  if (!service) co_return no_such_service();
  const auto* operation = service->operation(*name);
  if (!operation) co_return Refusal("WUS-C-INPUT", "Het contract kent deze operatie niet.");
  auto payload = wus::read_plain(*body, "application/xml; charset=utf-8", wus::PlainForm::element, service->settings.max_size);
  if (!payload) co_return unreadable(payload.error());
  // Named: g++ 12 destroys an aggregate twice when it is made inside a co_await.
  wus::Call call{.service = service,
                 .operation = operation,
                 .to_oin = to_oin,
                 .message_id = message_id.value_or(""),
                 .traceparent = traceparent_of(visit.request),
                 .payload = std::move(*payload)};
  auto outcome = co_await office.dependencies.wus_caller->call(std::move(call));
  if (!outcome) co_return refusal_of(outcome.error());
  OrderedJson answer{{"outcome", outcome->fault ? "fault" : "response"},
                     {"id", outcome->record},
                     {"messageId", outcome->message_id},
                     {"responseMessageId", outcome->addressing.message_id}};
  if (outcome->fault)
    answer["fault"] = refusal_of(*outcome->fault).members;
  else
    answer["body"] = outcome->body;
  co_return json_response(200, answer);
}

// --- POST /wus/{contractId}/{operation} -------------------------------------------------------------------------------------------------

http::Awaitable<Answer<std::string>> whole_body(Visit& visit, const wus::ServiceContract& service) {
  auto body = co_await http::read_all(*visit.request.body, service.settings.max_size);
  if (!body) co_return Refusal(body.error().code, body.error().detail);
  co_return std::move(*body);
}

bool is_media_type(const http::Request& request, std::initializer_list<std::string_view> wanted) {
  const auto type = http::parse_media_type(request.headers.find("Content-Type").value_or(""), http::Unquoted::anything);
  return type && std::ranges::find(wanted, type->type) != wanted.end();
}

http::Awaitable<Answer<Response>> call_as_xml(const Office& office, Visit& visit, Faults faults) {
  if (auto judged = judge_input(std::move(faults)); !judged) co_return judged.error();
  const auto service = service_of(office, visit.tenant(), visit.path[0]);
  if (!service) co_return no_such_service();
  const auto* operation = service->operation(visit.path[1]);
  if (!operation) co_return Refusal("notFound", "Het contract kent deze operatie niet.");
  if (!is_media_type(visit.request, {"application/xml", "text/xml"})) co_return Refusal("request.mediaType", "Stuur application/xml.");
  auto body = co_await whole_body(visit, *service);
  if (!body) co_return body.error();
  auto payload =
      wus::read_plain(*body, visit.request.headers.find("Content-Type").value_or(""), wus::PlainForm::element, service->settings.max_size);
  if (!payload) co_return unreadable(payload.error());
  // Named: g++ 12 destroys an aggregate twice when it is made inside a co_await.
  wus::Call call{.service = service,
                 .operation = operation,
                 .to_oin = {},
                 .message_id = {},
                 .traceparent = traceparent_of(visit.request),
                 .payload = std::move(*payload)};
  auto outcome = co_await office.dependencies.wus_caller->call(std::move(call));
  if (!outcome) co_return refusal_of(outcome.error());
  if (outcome->fault) co_return refusal_of(*outcome->fault);
  Response response;
  response.headers.set("Content-Type", "application/xml; charset=utf-8");
  add_metadata(response, *outcome, *service);
  response.body = std::move(outcome->body);
  co_return response;
}

// --- POST /wus/{contractId}: SOAP in, SOAP out
// --------------------------------------------------------------------------------------------

Response soap_response(unsigned status, std::string headers, std::string_view body) {
  Response response;
  response.status = status;
  response.headers.set("Content-Type", "text/xml; charset=utf-8");
  response.body = wus::plain_envelope(headers, body);
  return response;
}

// Our own refusals of a call as a Fault, with the code of 4.4 in front of its text (WUS-263).
Response own_fault(const Error& error) {
  const bool callers = http::status_of(error.code) < 500;
  wus::Fault fault;
  fault.code = {std::string(wus::ns::soapenv), callers ? "Client" : "Server"};
  fault.text = error.code + ": " + std::string(http::title_of(error.code));
  return soap_response(500, "", wus::fault_element(fault));
}

http::Awaitable<Answer<Response>> call_as_soap(const Office& office, Visit& visit, Faults faults) {
  if (auto judged = judge_input(std::move(faults)); !judged) co_return judged.error();
  const auto service = service_of(office, visit.tenant(), visit.path[0]);
  if (!service) co_return no_such_service();
  if (!is_media_type(visit.request, {"text/xml"})) co_return Refusal("request.mediaType", "Stuur text/xml.");
  auto body = co_await whole_body(visit, *service);
  if (!body) co_return body.error();
  auto plain =
      wus::read_plain(*body, visit.request.headers.find("Content-Type").value_or(""), wus::PlainForm::envelope, service->settings.max_size);
  if (!plain) co_return own_fault(fail("WUS-C-INPUT", plain.error().detail));
  const auto* operation = service->by_action(plain->action);
  if (!operation) co_return own_fault(fail("WUS-C-INPUT", "wsa:Action is of no operation"));
  const auto message_id = plain->message_id;
  // Named: g++ 12 destroys an aggregate twice when it is made inside a co_await.
  wus::Call call{.service = service,
                 .operation = operation,
                 .to_oin = {},
                 .message_id = message_id,
                 .traceparent = traceparent_of(visit.request),
                 .payload = std::move(*plain)};
  auto outcome = co_await office.dependencies.wus_caller->call(std::move(call));
  if (!outcome) co_return own_fault(outcome.error());
  // A Fault goes on without headers of the partner (WUS-263).
  auto response =
      outcome->fault ? soap_response(500, "", outcome->body) : soap_response(200, wus::plain_headers(outcome->addressing), outcome->body);
  add_metadata(response, *outcome, *service);
  co_return response;
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
