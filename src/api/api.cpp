#include "api/api.hpp"

#include "api/login.hpp"
#include "api/openapi.hpp"
#include "api/resources.hpp"
#include "base/oin.hpp"
#include "exchange/commit.hpp"
#include "exchange/store.hpp"
#include "http/run.hpp"

namespace schakel::api {
namespace {

using http::Awaitable;
using http::Request;
using http::Response;

constexpr std::chrono::milliseconds configuration_awaited_max{2000}, configuration_step{2};

bool is_storage_error(std::string_view code) {
  return code.starts_with("storage.") && code != "storage.conflict";
}

// `Accept` lets JSON pass (REST-064).
bool accepts_json(const Request& request) {
  static constexpr std::string_view fine[] = {"*/*", "application/*", "application/json", "application/problem+json"};
  bool any = false;
  for (const auto& [name, value] : request.headers) {
    if (!equals_ignoring_case(name, "Accept")) continue;
    any = true;
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      const auto range = rest.substr(0, comma);
      const auto type = to_lower(trim(range.substr(0, range.find(';'))));
      if (std::find(std::begin(fine), std::end(fine), type) != std::end(fine)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return !any;
}

// `type` with no parameter but charset=utf-8.
bool is_media_type(std::string_view header, std::initializer_list<std::string_view> types) {
  const auto semicolon = header.find(';');
  const auto type = to_lower(trim(header.substr(0, semicolon)));
  if (std::find(types.begin(), types.end(), type) == types.end()) return false;
  if (semicolon == std::string_view::npos) return true;
  const auto parameter = to_lower(trim(header.substr(semicolon + 1)));
  return parameter == "charset=utf-8" || parameter == "charset=\"utf-8\"";
}

bool has_body(const Request& request) {
  return request.content_length.value_or(0) > 0 || request.headers.find("Transfer-Encoding");
}

bool fits_content_type(const Request& request, Body wanted) {
  if (request.headers.find("Content-Encoding")) return false;
  if (request.headers.count("Content-Type") > 1) return false;
  const auto given = request.headers.find("Content-Type");
  switch (wanted) {
    case Body::none:
      return !has_body(request);
    case Body::optional_json:
      return !has_body(request) || (given && is_media_type(*given, {"application/json"}));
    case Body::json:
      return given && is_media_type(*given, {"application/json"});
    case Body::merge_patch:
      return given && is_media_type(*given, {"application/merge-patch+json", "application/json"});
    case Body::contract:
      return given && std::ranges::any_of(std::initializer_list<std::string_view>{"application/xml", "text/xml", "multipart/form-data"},
                                          [&](std::string_view type) { return to_lower(*given).starts_with(type); });
    case Body::stream:
      return true;  // its operation judges
  }
  return false;
}

Refusal too_large(std::size_t bytes_max) {
  return {"http.bodyTooLarge", "De inhoud is groter dan " + std::to_string(bytes_max) + " octetten."};
}

Response options_response(const std::vector<std::string_view>& allow) {
  Response response = no_content();
  std::string list;
  for (const auto method : allow) list += (list.empty() ? "" : ", ") + std::string(method);
  response.headers.set("Allow", std::move(list));
  return response;
}

}  // namespace

Awaitable<Answer<Response>> in_unit(sql::Database& database, Access access, InTransaction operation) {
  std::optional<Answer<Response>> answer;
  const sql::Unit unit = [&](sql::Transaction& tx) -> Result<> {
    answer.emplace(operation(tx));
    if (answer->has_value()) return {};
    return fail(answer->error().code, answer->error().detail);
  };
  Result<> done;
  if (access == Access::read) {
    done = co_await exchange::read(database, unit);
  } else {
    done = co_await exchange::commit(database, unit);
  }
  // A refusal of ours comes back with its errors; an error of the database has nothing but itself.
  if (answer && !answer->has_value() && !is_storage_error(answer->error().code)) co_return answer->error();
  if (!done)
    co_return Refusal(done.error().code, is_storage_error(done.error().code) ? "De opslag is nu niet beschikbaar." : done.error().detail);
  co_return std::move(*answer);
}

struct Api::State : std::enable_shared_from_this<Api::State> {
  State(Settings given_settings, Dependencies given)
      : settings(std::move(given_settings)),
        dependencies(std::move(given)),
        office{settings, dependencies},
        router(make_routes()),
        login(office) {}

  std::vector<Route> make_routes() const {
    std::vector<Route> routes;
    add_message_routes(routes, office);
    add_call_routes(routes, office);
    add_payload_routes(routes, office);
    add_evidence_routes(routes, office);
    add_job_routes(routes, office);
    add_queue_routes(routes, office);
    add_webhook_routes(routes, office);
    add_contract_routes(routes, office);
    add_mapping_routes(routes, office);
    add_routing_routes(routes, office);
    add_key_routes(routes, office);
    add_operation_routes(routes, office);
    return routes;
  }

  Awaitable<Response> handle(Request& request, bool applications_only);
  Awaitable<Answer<Response>> answer(Request& request, bool applications_only);
  Awaitable<Answer<Response>> run(const Route& route, Visit& visit);
  Awaitable<Answer<>> read_body(const Route& route, Visit& visit, Faults& faults);
  Awaitable<std::int64_t> configuration_version();
  Awaitable<> await_configuration(std::int64_t version_before, std::shared_ptr<const cpa::Contracts> loaded_before);

  const Settings settings;
  const Dependencies dependencies;
  const Office office;
  const Router router;
  Login login;
};

Awaitable<Answer<>> Api::State::read_body(const Route& route, Visit& visit, Faults& faults) {
  if (route.body == Body::none || route.body == Body::stream) co_return Answer<>{};
  const bool is_xml = route.body == Body::contract;
  if (is_xml && to_lower(visit.request.headers.find("Content-Type").value_or("")).starts_with("multipart/")) co_return Answer<>{};
  const std::size_t bytes_max = is_xml ? settings.document_bytes_max : settings.json_bytes_max;
  if (visit.request.content_length.value_or(0) > bytes_max) co_return too_large(bytes_max);
  auto body = co_await http::read_all(*visit.request.body, bytes_max);
  if (!body) co_return body.error().code == "http.bodyTooLarge" ? too_large(bytes_max) : Refusal(body.error());
  visit.body = std::move(*body);
  if (is_xml) co_return Answer<>{};
  if (visit.body.empty() && route.body == Body::optional_json) {
    visit.json = Json::object();
    co_return Answer<>{};
  }
  auto json = read_json(visit.body);
  if (json) {
    visit.json = std::move(*json);
    co_return Answer<>{};
  }
  if (json.error().errors.empty()) co_return json.error();
  for (auto& fault : json.error().errors) faults.push_back(std::move(fault));
  co_return judge(std::move(faults)).error();
}

Awaitable<Answer<Response>> Api::State::run(const Route& route, Visit& visit) {
  Faults faults;
  check_query(visit.request, route.query, faults);
  const auto body = co_await read_body(route, visit, faults);
  if (!body) co_return body.error();
  if (const auto* streaming = std::get_if<Streaming>(&route.operation)) co_return co_await (*streaming)(visit, std::move(faults));
  InTransaction operation = std::get<Plan>(route.operation)(visit, faults);
  if (const auto verdict = judge_input(std::move(faults)); !verdict) co_return verdict.error();
  co_return co_await in_unit(dependencies.database, route.access, std::move(operation));
}

// That of the database; 0 when it cannot be read.
Awaitable<std::int64_t> Api::State::configuration_version() {
  std::int64_t version = 0;
  const auto read = co_await exchange::read(dependencies.database, [&version](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(version, exchange::configuration_version(tx));
    return {};
  });
  co_return read ? version : 0;
}

// Who changed something finds it in effect with the next request to this node: a contract that was imported can be sent under. Other nodes
// follow by their poll; so does this one when reading takes longer than is worth an answer's delay.
Awaitable<> Api::State::await_configuration(std::int64_t version_before, std::shared_ptr<const cpa::Contracts> loaded_before) {
  const auto version = co_await configuration_version();
  if (version == version_before) co_return;
  for (Duration waited{0}; waited < configuration_awaited_max && dependencies.contracts() == loaded_before; waited += configuration_step)
    co_await http::sleep(configuration_step);
}

Awaitable<Answer<Response>> Api::State::answer(Request& request, bool applications_only) {
  if (auto refusal = co_await login.refuse_token_in_target(request)) co_return std::move(*refusal);
  const bool below_base =
      request.path.starts_with(base_path) && request.path.size() > base_path.size() && request.path[base_path.size()] == '/';
  if (!below_base) co_return not_found();
  const std::string_view path = std::string_view(request.path).substr(base_path.size());
  if (auto document = serve_openapi(request, path)) co_return std::move(*document);
  auto match = router.match(request.method, path, applications_only);
  if (match.allow.empty()) co_return not_found();
  if (request.method == "OPTIONS") co_return options_response(match.allow);
  if (match.route == nullptr) {
    Refusal refusal("request.methodNotAllowed", "Deze methode bestaat hier niet.");
    refusal.headers = options_response(match.allow).headers;
    co_return refusal;
  }
  const Route& route = *match.route;
  const auto caller = co_await login.authenticate(request, credential_of(request));
  if (!caller) co_return caller.error();
  if (auto allowed = co_await login.authorise(request, **caller, route.permission); !allowed) co_return allowed.error();
  if (!route.any_answer && !accepts_json(request))
    co_return Refusal("request.notAcceptable", "Hier is alleen application/json te krijgen.");
  if (!fits_content_type(request, route.body)) co_return Refusal("request.mediaType", "Dit mediatype wordt hier niet aangenomen.");
  Visit visit{request, **caller, std::move(match.path), {}, {}};
  const bool configures =
      route.access == Access::write && !route.permission.starts_with("message.") && !route.permission.starts_with("queue.");
  if (!configures || !dependencies.configuration_changed) {
    auto result = co_await run(route, visit);
    if (result && configures) login.forget();
    co_return result;
  }
  const auto version = co_await configuration_version();
  const auto loaded = dependencies.contracts();
  auto result = co_await run(route, visit);
  if (result) {
    login.forget();
    dependencies.configuration_changed();
    co_await await_configuration(version, loaded);
  }
  co_return result;
}

Awaitable<Response> Api::State::handle(Request& request, bool applications_only) {
  auto result = co_await answer(request, applications_only);
  Response response = result ? std::move(*result) : to_response(result.error(), request.request_id);
  if (!result && response.status == 500) {
    dependencies.log.error(
        "api.internal",
        {{"code", result.error().code}, {"detail", result.error().detail}, {"requestId", request.request_id}, {"path", request.path}});
  }
  if (response.status == 503 && !response.headers.find("Retry-After")) response.headers.set("Retry-After", "5");
  http::add_api_headers(response, request.request_id);
  co_return response;
}

Api::Api(Settings settings, Dependencies dependencies) : state_(std::make_shared<State>(std::move(settings), std::move(dependencies))) {}
Api::~Api() = default;

http::Handler Api::admin() {
  return [state = state_](Request& request) { return state->handle(request, false); };
}

http::Handler Api::internal() {
  return [state = state_](Request& request) { return state->handle(request, true); };
}

const Office& Api::office() const {
  return state_->office;
}

Login& Api::login() const {
  return state_->login;
}

const std::vector<Route>& Api::routes() const {
  return state_->router.routes();
}

Awaitable<Result<>> Api::activate_scheduled(std::string tenant, std::string contract_id) {
  const auto state = state_;
  co_return co_await api::activate_scheduled(state->office, std::move(tenant), std::move(contract_id));
}

void Api::reload_keys() {
  state_->login.forget();
}

// --- what the resources share ------------------------------------------------------------------------------------------------------

std::string Office::environment_of(std::string_view tenant) const {
  const auto found = dependencies.tenant(tenant);
  return found ? found->environment : "test";
}

Refusal not_found() {
  return {"notFound", "Dit bestaat hier niet."};
}

Result<> audit(sql::Transaction& tx, const Office& office, const Visit& visit, std::string_view action, std::string_view object,
               const Json& before, const Json& after) {
  Json record = {{"kind", "administration"},
                 {"result", "ok"},
                 {"listener", visit.request.listener},
                 {"address", visit.request.remote_address},
                 {"actor", "apiKey:" + visit.principal.id},
                 {"action", action},
                 {"object", object}};
  if (const auto agent = visit.request.headers.find("User-Agent")) record["userAgent"] = for_log(*agent);
  if (!before.is_null()) record["before"] = before;
  if (!after.is_null()) record["after"] = after;
  return exchange::append_audit(tx, visit.tenant(), office.settings.node, office.now(),
                                record.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Awaitable<Result<ebms::Msh::SignalResult>> await_signal(const Office& office, std::string request_message_id) {
  ebms::Msh::SignalResult result;
  for (Duration waited{0};; waited += office.settings.poll_interval) {
    SCHAKEL_CO_CHECK(co_await exchange::read(office.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(result, office.dependencies.msh.signal_result(tx, request_message_id));
      return {};
    }));
    if (result.answered || !result.error.empty() || waited >= office.settings.ping_timeout) co_return result;
    co_await http::sleep(office.settings.poll_interval);
  }
}

std::string read_oin(Members& members, std::string_view name, Need need) {
  const auto text = members.text(name, need, 64);
  if (!text) return {};
  if (is_oin(*text)) return *text;
  members.fault(name, "oin.invalid", "geen geldig OIN");
  return {};
}

std::string read_reason(Members& members) {
  return members.text("reason", Need::required, 500, 3).value_or("");
}

WantedAction read_operator_action(Members& members, Faults& faults) {
  WantedAction wanted;
  wanted.action = members
                      .choice("action", {"retryNow", "resend", "cancel", "release", "replay", "requeue", "markProcessed", "purgePayload"},
                              Need::required)
                      .value_or("");
  wanted.reason = read_reason(members);
  if (const Json* given = members.object("parameters")) {
    Members parameters(*given, members.pointer("parameters"), faults);
    wanted.force = parameters.boolean("force").value_or(false);
    parameters.end();
  }
  return wanted;
}

http::Response paged(const Visit& visit, const Page& page, const std::vector<OrderedJson>& all) {
  auto list = OrderedJson::array();
  const auto total = static_cast<std::int64_t>(all.size());
  for (std::int64_t i = page.offset(); i < std::min(total, page.offset() + page.per_page); ++i)
    list.push_back(all[static_cast<std::size_t>(i)]);
  auto response = json_response(200, list);
  add_page_headers(response, visit.request, page, total);
  return response;
}

Answer<> judge_input(Faults faults) {
  // A request that is wrong in one of these alone has its code (adapter.md section 4, cpa.md section 5).
  std::string own_code;
  for (const std::string_view code : {"oin.invalid", "certificate.privateKeyRefused"}) {
    const bool only = !faults.empty() && std::all_of(faults.begin(), faults.end(), [&](const auto& fault) { return fault.code == code; });
    if (only) own_code = code;
  }
  auto verdict = judge(std::move(faults));
  if (verdict || own_code.empty()) return verdict;
  Refusal refusal = verdict.error();
  refusal.code = own_code;
  return refusal;
}

}  // namespace schakel::api
