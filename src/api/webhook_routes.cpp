// Webhooks as a resource: registration, change, test, rotation of the secret (adapter.md 2.1.3, 2.2).
#include "api/resources.hpp"
#include "exchange/store.hpp"
#include "http/address.hpp"
#include "http/url.hpp"

namespace schakel::api {
namespace {

using http::Awaitable;
using http::Response;

constexpr std::size_t secrets_max = 4;  // the newest, and those that still sign along
constexpr std::size_t webhooks_max = 1000;
constexpr std::string_view kind = "webhook";

OrderedJson filter_json(const WebhookFilter& filter) {
  OrderedJson out = OrderedJson::object();
  const auto put = [&](const char* name, const std::string& text) {
    if (!text.empty()) out[name] = text;
  };
  put("contractId", filter.contract_id);
  put("cpaId", filter.cpa_id);
  put("fromOin", filter.from_oin);
  put("toOin", filter.to_oin);
  put("service", filter.service);
  put("action", filter.action);
  return out;
}

// Without secrets: those are shown once, when they are made.
OrderedJson shown(const Webhook& hook) {
  OrderedJson out;
  out["id"] = hook.id;
  out["url"] = hook.url;
  if (!hook.description.empty()) out["description"] = hook.description;
  out["types"] = hook.types;
  out["filter"] = filter_json(hook.filter);
  out["payloadMode"] = hook.payload_mode == PayloadMode::inlined ? "inline" : "thin";
  out["confirm"] = hook.confirm == Confirm::explicit_ ? "explicit" : "onAccept";
  out["visibilitySeconds"] = std::chrono::duration_cast<std::chrono::seconds>(hook.visibility).count();
  out["tls"] = hook.tls;
  out["enabled"] = hook.enabled;
  if (!hook.disabled_reason.empty()) out["disabledReason"] = hook.disabled_reason;
  out["owner"] = hook.owner;
  out["createdAt"] = to_rfc3339(hook.created_at);
  out["changedAt"] = to_rfc3339(hook.changed_at);
  return out;
}

Json for_audit(const Webhook& hook) {
  return Json::parse(shown(hook).dump());
}

Response answer(unsigned status, const Webhook& hook, const std::string& secret = {}) {
  OrderedJson body = shown(hook);
  if (!secret.empty()) body["secret"] = secret;
  return versioned_response(status, body, hook.version);
}

Answer<Webhook> found(sql::Transaction& tx, const Visit& visit, std::string_view permission) {
  SCHAKEL_TRY(const auto document, exchange::find_document(tx, visit.tenant(), kind, visit.path[0]));
  if (!document) return not_found();
  SCHAKEL_TRY(auto hook, webhook_from(*document));
  if (visit.only_own(permission) && hook.owner != visit.principal.id) return not_found();
  return hook;
}

// --- input -----------------------------------------------------------------------------------------------------------------------

void read_types(Members& members, Faults& faults, Need need, std::vector<std::string>& out) {
  auto types = members.texts("types", std::size(webhook_types), need, 64);
  if (!types) return;
  if (types->empty()) members.fault("types", "count", "noem ten minste een soort");
  for (std::size_t i = 0; i < types->size(); ++i) {
    if (!is_webhook_type((*types)[i]))
      add_fault(faults, "body", members.pointer("types") + "/" + std::to_string(i), "enum", "geen soort webhook");
  }
  out = std::move(*types);
}

void read_filter(Members& members, Faults& faults, WebhookFilter& out) {
  const Json* given = members.object("filter");
  if (given == nullptr) return;
  Members filter(*given, members.pointer("filter"), faults);
  out.contract_id = filter.text("contractId").value_or("");
  out.cpa_id = filter.text("cpaId").value_or("");
  out.from_oin = read_oin(filter, "fromOin");
  out.to_oin = read_oin(filter, "toOin");
  out.service = filter.text("service").value_or("");
  out.action = filter.text("action").value_or("");
  filter.end();
}

// The members that a client may set, over the values that `hook` has.
void read_webhook(const Json& json, Faults& faults, bool is_new, Webhook& hook) {
  Members members(json, "", faults);
  const Need need = is_new ? Need::required : Need::optional;
  if (auto url = members.text("url", need, 2048)) hook.url = std::move(*url);
  if (auto text = members.text("description", Need::optional, 500, 0)) hook.description = std::move(*text);
  read_types(members, faults, need, hook.types);
  read_filter(members, faults, hook.filter);
  if (const auto mode = members.choice("payloadMode", {"thin", "inline"}))
    hook.payload_mode = *mode == "inline" ? PayloadMode::inlined : PayloadMode::thin;
  if (const auto confirm = members.choice("confirm", {"onAccept", "explicit"}))
    hook.confirm = *confirm == "explicit" ? Confirm::explicit_ : Confirm::on_accept;
  if (const auto seconds = members.integer("visibilitySeconds", 10, 86'400)) hook.visibility = std::chrono::seconds(*seconds);
  if (auto tls = members.choice("tls", {"none", "oneSided", "twoSided"})) hook.tls = std::move(*tls);
  if (!is_new) {
    if (const auto enabled = members.boolean("enabled")) {
      hook.enabled = *enabled;
      if (*enabled) hook.disabled_reason.clear();
      if (!*enabled) hook.disabled_reason = "operator";
    }
  }
  members.end();
}

// ADP-108: the form of the URL, and every address that its name has now.
Awaitable<Answer<>> check_target(const Office& office, const Webhook& hook) {
  const auto networks = office.dependencies.webhooks.networks_for(hook.tenant);
  const auto url = http::check_target_url(hook.url, office.settings.webhook_allow_http, networks);
  const auto refuse = [](std::string detail) {
    Refusal refusal("webhook.targetRefused", std::move(detail));
    refusal.errors.push_back({"body", "/url", "webhook.targetRefused", refusal.detail});
    return refusal;
  };
  if (!url) co_return refuse(url.error().detail);
  const bool mismatch = (hook.tls == "none") == url->is_tls();
  if (mismatch) co_return refuse("tls past niet bij het schema van de URL.");
  if (!office.dependencies.resolve || http::parse_address(url->host)) co_return Answer<>{};
  const auto addresses = co_await office.dependencies.resolve(url->host);
  if (!addresses) co_return refuse("De naam in de URL heeft geen adres.");
  for (const auto& text : *addresses) {
    const auto address = http::parse_address(text);
    if (!address || !http::may_connect(*address, networks)) co_return refuse("De naam in de URL wijst naar een adres dat niet mag.");
  }
  co_return Answer<>{};
}

// --- operations --------------------------------------------------------------------------------------------------------------------

InTransaction list(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  return [&visit, page](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto documents, exchange::documents(tx, visit.tenant(), kind));
    std::vector<OrderedJson> all;
    for (const auto& document : documents) {
      SCHAKEL_TRY(const auto hook, webhook_from(document));
      if (!visit.only_own("webhook.read") || hook.owner == visit.principal.id) all.push_back(shown(hook));
    }
    return paged(visit, page, all);
  };
}

InTransaction show(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto hook, found(tx, visit, "webhook.read"));
    return answer(200, hook);
  };
}

Awaitable<Answer<Response>> create(const Office& office, Visit& visit, Faults faults) {
  Webhook hook;
  hook.id = office.new_id();
  hook.tenant = visit.tenant();
  hook.owner = visit.principal.id;
  hook.created_at = hook.changed_at = office.now();
  read_webhook(visit.json, faults, true, hook);
  // http is only possible where it is allowed at all; then there is no TLS to speak of.
  if (hook.url.starts_with("http:") && !visit.json.contains("tls")) hook.tls = "none";
  if (auto verdict = judge_input(std::move(faults)); !verdict) co_return verdict.error();
  if (auto target = co_await check_target(office, hook); !target) co_return target.error();
  const std::string secret = make_webhook_secret(office.dependencies.random);
  hook.secrets = {{secret, hook.created_at, std::nullopt}};
  co_return co_await in_unit(office.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto present, exchange::documents(tx, visit.tenant(), kind));
    if (present.size() >= webhooks_max)
      return Refusal("state.conflict", "Deze tenant heeft al " + std::to_string(webhooks_max) + " webhooks.");
    SCHAKEL_CHECK(exchange::put_document(tx, to_document(hook)));
    SCHAKEL_CHECK(audit(tx, office, visit, "webhook.create", hook.id, nullptr, for_audit(hook)));
    auto response = answer(201, hook, secret);
    response.headers.set("Location", std::string(base_path) + "/webhooks/" + hook.id);
    return response;
  });
}

Awaitable<Answer<Response>> change(const Office& office, Visit& visit, Faults faults) {
  std::optional<Webhook> before;
  const auto read = co_await in_unit(office.dependencies.database, Access::read, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(before, found(tx, visit, "webhook.update"));
    SCHAKEL_CHECK(check_if_match(visit.request, before->version));
    return no_content();
  });
  Webhook after = before.value_or(Webhook());
  if (before) read_webhook(visit.json, faults, false, after);
  if (auto verdict = judge_input(std::move(faults)); !verdict) co_return verdict.error();
  if (!read) co_return read.error();
  if (after.url != before->url || after.tls != before->tls) {
    if (auto target = co_await check_target(office, after); !target) co_return target.error();
  }
  after.changed_at = office.now();
  co_return co_await in_unit(office.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto present, found(tx, visit, "webhook.update"));
    SCHAKEL_CHECK(check_if_match(visit.request, present.version));
    Webhook stored = after;
    stored.version = present.version + 1;
    SCHAKEL_CHECK(exchange::put_document(tx, to_document(stored)));
    SCHAKEL_CHECK(audit(tx, office, visit, "webhook.update", stored.id, for_audit(present), for_audit(stored)));
    return answer(200, stored);
  });
}

InTransaction remove(const Office& office, const Visit& visit, Faults&) {
  return [&office, &visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto hook, found(tx, visit, "webhook.delete"));
    SCHAKEL_CHECK(check_if_match(visit.request, hook.version));
    SCHAKEL_CHECK(exchange::delete_document(tx, visit.tenant(), kind, hook.id));
    SCHAKEL_CHECK(audit(tx, office, visit, "webhook.delete", hook.id, for_audit(hook), nullptr));
    return no_content();
  };
}

// The new secret signs at once, the old one along with it for a day (adapter.md 2.2).
InTransaction rotate(const Office& office, const Visit& visit, Faults& faults) {
  Members(visit.json, "", faults).end();
  const std::string secret = make_webhook_secret(office.dependencies.random);
  return [&office, &visit, secret](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto hook, found(tx, visit, "webhook.update"));
    const Instant now = office.now();
    std::erase_if(hook.secrets, [&](const WebhookSecret& old) { return old.expires_at && *old.expires_at <= now; });
    for (auto& old : hook.secrets) {
      if (!old.expires_at) old.expires_at = now + webhook_secret_overlap;
    }
    hook.secrets.insert(hook.secrets.begin(), {secret, now, std::nullopt});
    if (hook.secrets.size() > secrets_max) hook.secrets.resize(secrets_max);
    hook.changed_at = now;
    ++hook.version;
    SCHAKEL_CHECK(exchange::put_document(tx, to_document(hook)));
    SCHAKEL_CHECK(audit(tx, office, visit, "webhook.rotateSecret", hook.id, nullptr, nullptr));
    return answer(201, hook, secret);
  };
}

Awaitable<Answer<Response>> test(const Office& office, Visit& visit, Faults faults) {
  Members(visit.json, "", faults).end();
  if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
  std::optional<Webhook> hook;
  const auto read = co_await in_unit(office.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(hook, found(tx, visit, "webhook.act"));
    SCHAKEL_CHECK(audit(tx, office, visit, "webhook.test", hook->id, nullptr, nullptr));
    return no_content();
  });
  if (!read) co_return read.error();
  if (!office.dependencies.post) co_return Refusal("node.draining", "Deze node doet nu geen aanroepen.");
  const auto call = office.dependencies.webhooks.test_call(*hook);
  const auto outcome = co_await office.dependencies.post(call);
  OrderedJson body{{"event", call.event},
                   {"ok", outcome.status >= 200 && outcome.status < 300},
                   {"durationMs", std::chrono::duration_cast<std::chrono::milliseconds>(outcome.took).count()}};
  if (outcome.status != 0) body["status"] = outcome.status;
  if (!outcome.error_code.empty()) body["error"] = {{"code", outcome.error_code}, {"detail", outcome.error_detail}};
  co_return json_response(200, body);
}

}  // namespace

void add_webhook_routes(std::vector<Route>& routes, const Office& office) {
  const auto plan = [&office](auto function) {
    return Plan([&office, function](const Visit& visit, Faults& faults) { return function(office, visit, faults); });
  };
  const auto streaming = [&office](auto function) {
    return Streaming([&office, function](Visit& visit, Faults faults) { return function(office, visit, std::move(faults)); });
  };
  routes.push_back({"GET", "/webhooks", "webhook.read", true, Body::none, {"page", "perPage"}, Access::read, Plan(list)});
  routes.push_back({"POST", "/webhooks", "webhook.create", true, Body::json, {}, Access::write, streaming(create)});
  routes.push_back({"GET", "/webhooks/{id}", "webhook.read", true, Body::none, {}, Access::read, Plan(show)});
  routes.push_back({"PATCH", "/webhooks/{id}", "webhook.update", true, Body::merge_patch, {}, Access::write, streaming(change)});
  routes.push_back({"DELETE", "/webhooks/{id}", "webhook.delete", true, Body::none, {}, Access::write, plan(remove)});
  routes.push_back({"POST", "/webhooks/{id}/_test", "webhook.act", true, Body::optional_json, {}, Access::write, streaming(test)});
  routes.push_back({"POST", "/webhooks/{id}/secrets", "webhook.update", true, Body::optional_json, {}, Access::write, plan(rotate)});
}

}  // namespace schakel::api
