#include "facade/facade.hpp"

#include <algorithm>

#include "facade/rest.hpp"
#include "facade/soap_endpoint.hpp"

namespace schakel::facade {
namespace {

using api::Answer;
using api::Refusal;
using http::Awaitable;
using http::Request;
using http::Response;

Refusal method_not_allowed(const std::vector<std::string_view>& allowed) {
  Refusal refusal("request.methodNotAllowed", "Deze methode bestaat hier niet.");
  std::string list;
  for (const auto method : allowed) list += (list.empty() ? "" : ", ") + std::string(method);
  refusal.headers.set("Allow", std::move(list));
  return refusal;
}

bool is_below(std::string_view path, std::string_view base) {
  return path.starts_with(base) && path.size() > base.size() && path[base.size()] == '/';
}

}  // namespace

struct Facade::State {
  State(Settings given, const api::Api& used)
      : settings(std::move(given)),
        api(used),
        operations(used.office(), settings.page_items),
        router(rest_routes(operations, inline_bytes), api::Router::Underscore::names_may_have) {}

  Awaitable<Response> handle(Request& request) {
    auto response = co_await answer(request);
    http::add_api_headers(response, request.request_id);
    co_return response;
  }

  Awaitable<Response> answer(Request& request) {
    if (auto refusal = co_await api.login().refuse_token_in_target(request)) co_return text_response(*refusal);
    if (request.path == soap_path) co_return co_await soap(request, Endpoint::plain);
    if (request.path == mtom_path) co_return co_await soap(request, Endpoint::mtom);
    auto answered = co_await rest(request);
    if (answered) co_return std::move(*answered);
    tell(request, answered.error());
    co_return text_response(answered.error());
  }

  // What is wrong with us is for the log, not for the outside.
  void tell(const Request& request, const Refusal& refusal) const {
    if (http::status_of(refusal.code) != 500) return;
    operations.office().dependencies.log.error(
        "facade.internal", {{"code", refusal.code}, {"detail", refusal.detail}, {"requestId", request.request_id}, {"path", request.path}});
  }

  Awaitable<Response> soap(Request& request, Endpoint endpoint) {
    const bool asks_wsdl = request.method == "GET" && request.query.size() == 1 && equals_ignoring_case(request.query[0].first, "wsdl");
    if (asks_wsdl) co_return serve_wsdl(request, endpoint);
    if (request.method != "POST") co_return text_response(method_not_allowed({"POST"}));
    const auto caller = co_await api.login().authenticate_application(request, settings.key);
    if (!caller) co_return text_response(caller.error());
    co_return co_await answer_soap(operations, inline_bytes, api.login(), endpoint, request, **caller);
  }

  static Response serve_wsdl(const Request& request, Endpoint endpoint) {
    const std::string host(request.headers.find("Host").value_or("localhost"));
    Response response;
    response.headers.set("Content-Type", "text/xml; charset=UTF-8");
    response.body = wsdl(endpoint, (request.tls_version.empty() ? "http://" : "https://") + host + request.path);
    return response;
  }

  Awaitable<Answer<Response>> rest(Request& request) {
    if (!is_below(request.path, rest_path)) co_return api::not_found();
    auto match = router.match(request.method, std::string_view(request.path).substr(rest_path.size()), false);
    if (match.allow.empty()) co_return api::not_found();
    if (match.route == nullptr || match.route->method != request.method) {
      std::erase_if(match.allow, [](std::string_view method) { return method == "HEAD" || method == "OPTIONS"; });
      co_return method_not_allowed(match.allow);
    }
    const auto caller = co_await api.login().authenticate_application(request, settings.key);
    if (!caller) co_return caller.error();
    const auto allowed = co_await api.login().authorise(request, **caller, match.route->permission);
    if (!allowed) co_return allowed.error();
    api::Faults faults;
    api::check_query(request, match.route->query, faults, "eventTypes");
    api::Visit visit{request, **caller, std::move(match.path), {}, {}};
    co_return co_await std::get<api::Streaming>(match.route->operation)(visit, std::move(faults));
  }

  const Settings settings;
  const api::Api& api;
  const Operations operations;
  InlineBytes inline_bytes;
  const api::Router router;
};

Facade::Facade(Settings settings, const api::Api& api) : state_(std::make_unique<State>(std::move(settings), api)) {}
Facade::~Facade() = default;

bool Facade::serves(std::string_view path) {
  return path == soap_path || path == mtom_path || is_below(path, rest_path);
}

http::Handler Facade::handler() {
  return [this](Request& request) { return state_->handle(request); };
}

}  // namespace schakel::facade
