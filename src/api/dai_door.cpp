#include "api/dai_door.hpp"

#include "api/login.hpp"
#include "api/service_calls.hpp"
#include "wus/dai.hpp"
#include "wus/service_json.hpp"

namespace schakel::api {
namespace {

using http::Awaitable;
using http::Request;
using http::Response;

// A failure of ours, told to the application as REST tells it.
Response failure(const Error& error) {
  auto reason = error.code + ": " + std::string(http::title_of(error.code)) + ": " + error.detail;
  if (!error.location.empty()) reason += " (" + error.location + ")";
  return fault_of_call(wus::dai_failure(reason, http::status_of(error.code) < 500));
}

}  // namespace

http::Handler DaiDoor::handler() {
  return [this](Request& request) { return handle(request); };
}

Awaitable<Response> DaiDoor::handle(Request& request) const {
  auto answered = co_await answer(request);
  auto response = answered ? std::move(*answered) : to_response(answered.error(), request.request_id);
  if (response.status == 503 && !response.headers.find("Retry-After")) response.headers.set("Retry-After", "5");
  http::add_api_headers(response, request.request_id);
  co_return response;
}

Awaitable<Answer<Response>> DaiDoor::answer(Request& request) const {
  if (auto refusal = co_await api_.login().refuse_token_in_target(request)) co_return std::move(*refusal);
  if (request.method != "POST") {
    Refusal refusal("request.methodNotAllowed", "Hier is alleen POST mogelijk.");
    refusal.headers.set("Allow", "POST");
    co_return refusal;
  }
  const auto caller = co_await api_.login().authenticate_application(request, key_);
  if (!caller) co_return caller.error();
  if (auto allowed = co_await api_.login().authorise(request, **caller, "message.create"); !allowed) co_return allowed.error();
  auto body = co_await read_call(request, envelope_types, wus::message_bytes_ceiling);
  if (!body) co_return body.error();
  co_return co_await call(request, (*caller)->tenant, std::move(*body));
}

Awaitable<Response> DaiDoor::call(Request& request, std::string tenant, std::string body) const {
  const auto& office = api_.office();
  wus::DaiHeaders headers;
  auto plain = wus::read_dai_request(body, request.headers.find("Content-Type").value_or(""), wus::message_bytes_ceiling, headers);
  if (!plain) co_return fault_of_call(wus::dai_refusal(plain.error(), headers, office.new_id(), office.now()));
  if (!office.dependencies.wus_caller || !office.dependencies.wus_services)
    co_return failure(fail("contract.unknown", "no service can be called here"));
  const auto found = wus::contract_for(*office.dependencies.wus_services(), tenant, headers);
  if (!found) co_return failure(found.error());
  const auto& service = *found;
  if (body.size() > service->settings.max_size)
    co_return failure(fail("message.tooLarge", "more than " + std::to_string(service->settings.max_size) + " octets"));
  Bytes().swap(body);
  const bool as_mtom = plain->mtom;
  auto call = call_of(request, service, service->by_action(headers.action), std::move(*plain));
  call.message_id = headers.message_id;
  auto outcome = co_await office.dependencies.wus_caller->call(std::move(call));
  if (!outcome) co_return failure(outcome.error());
  const bool is_fault = outcome->fault.has_value();
  auto root = is_fault ? wus::plain_envelope("", outcome->body) : wus::dai_envelope({}, outcome->body);
  co_return answer_of_call(office, is_fault ? 500 : 200, std::move(root), "text/xml", std::move(*outcome), *service, as_mtom && !is_fault);
}

}  // namespace schakel::api
