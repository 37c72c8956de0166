#include "facade/rest.hpp"

#include <algorithm>

#include "api/json.hpp"
#include "ebms/mime.hpp"
#include "facade/stream.hpp"
#include "http/fields.hpp"
#include "http/multipart.hpp"

namespace schakel::facade {
namespace {

using api::Access;
using api::Answer;
using api::Body;
using api::Faults;
using api::Json;
using api::Members;
using api::Need;
using api::OrderedJson;
using api::Refusal;
using api::Visit;
using http::Awaitable;
using http::Response;

constexpr std::size_t text_bytes_max = 1024;  // of names and ids: what they may really be, the contract says

Response text(std::string body) {
  Response response;
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(body);
  return response;
}

Response json(Operations::Text list) {
  Response response;
  response.headers.set("Content-Type", "application/json");
  response.body = std::move(list.text);
  response.stream = std::move(list.stream);
  return response;
}

std::string dump(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string media_type_of(const http::Request& request) {
  const auto given = request.headers.find("Content-Type").value_or("");
  return to_lower(trim(given.substr(0, given.find(';'))));
}

// --- what comes in -------------------------------------------------------------------------------------------------------------------

// Many a client writes null for what it does not give.
void remove_nulls(Json& object) {
  if (!object.is_object()) return;
  for (auto member = object.begin(); member != object.end();) member = member->is_null() ? object.erase(member) : std::next(member);
}

RequestProperties read_properties(Json& json, const std::string& pointer, Faults& faults) {
  remove_nulls(json);
  Members members(json, pointer, faults);
  const auto text = [&](std::string_view name, Need need = Need::optional) {
    return members.text(name, need, text_bytes_max).value_or("");
  };
  RequestProperties out;
  out.cpa_id = text("cpaId", Need::required);
  out.from_party_id = text("fromPartyId", Need::required);
  out.from_role = text("fromRole", Need::required);
  out.to_party_id = text("toPartyId");
  out.to_role = text("toRole");
  out.service = text("service", Need::required);
  out.action = text("action", Need::required);
  out.conversation_id = text("conversationId");
  out.message_id = text("messageId");
  out.ref_to_message_id = text("refToMessageId");
  members.end();
  return out;
}

DataSource read_data_source(Json& json, const std::string& pointer, Faults& faults) {
  remove_nulls(json);
  Members members(json, pointer, faults);
  DataSource out;
  out.name = members.text("name", Need::optional, 255, 0).value_or("");
  out.content_id = members.text("contentId").value_or("");
  out.content_type = members.text("contentType", Need::required).value_or("");
  const Json* content = members.any("content");
  auto octets = content != nullptr && content->is_string() ? from_base64_lenient(content->get_ref<const std::string&>())
                                                           : Result<Bytes>(fail("base64.invalid", "no text"));
  if (octets) {
    out.content = std::move(*octets);
  } else {
    members.fault("content", content == nullptr ? "required" : "format", content == nullptr ? "ontbreekt" : "geen base64");
  }
  members.end();
  return out;
}

MessageRequest read_message(Json& json, Faults& faults) {
  MessageRequest out;
  remove_nulls(json);
  Members members(json, "", faults);
  if (members.object("properties", Need::required) != nullptr) out.properties = read_properties(json["properties"], "/properties", faults);
  if (members.array("dataSources", limits::ebms_parts_max - 1) != nullptr) {
    std::size_t i = 0;
    for (auto& source : json["dataSources"]) {
      out.data_sources.push_back(read_data_source(source, "/dataSources/" + std::to_string(i++), faults));
      source = nullptr;  // its text is needed no more, and may be large
    }
  }
  members.end();
  return out;
}

bool read_process(api::Query& query) {
  return query.boolean("process").value_or(false);
}

constexpr std::string_view filter_keys[] = {"cpaId",   "fromPartyId", "fromRole",       "toPartyId", "toRole",
                                            "service", "action",      "conversationId", "messageId", "refToMessageId"};

exchange::MessageFilter read_filter(api::Query& query) {
  const auto text = [&](std::string_view name) { return query.text(name, text_bytes_max); };
  exchange::MessageFilter filter;
  filter.cpa_id = text("cpaId");
  filter.from_party_id = text("fromPartyId");
  filter.from_role = text("fromRole");
  filter.to_party_id = text("toPartyId");
  filter.to_role = text("toRole");
  filter.typed_service = text("service");
  filter.action = text("action");
  filter.conversation_id = text("conversationId");
  filter.message_id = text("messageId");
  filter.ref_to_message_id = text("refToMessageId");
  return filter;
}

std::int64_t read_max(api::Query& query) {
  return query.integer("maxNr", 0, INT32_MAX, 0);
}

std::vector<std::string_view> read_event_types(const http::Request& request, Faults& faults) {
  std::vector<std::string_view> types;
  for (const auto& [name, value] : request.query) {
    if (name != "eventTypes") continue;
    const auto type = application_event(value);
    if (type.empty()) {
      api::add_fault(faults, "query", "eventTypes", "enum", "moet een zijn van RECEIVED, DELIVERED, FAILED, EXPIRED");
    } else if (std::ranges::find(types, type) == types.end()) {
      types.push_back(type);
    }
  }
  return types;
}

// --- the operations ------------------------------------------------------------------------------------------------------------------

class Routes {
 public:
  Routes(const Operations& operations, InlineBytes& inline_bytes) : operations_(operations), inline_bytes_(inline_bytes) {}

  using Function = Awaitable<Answer<Response>> (Routes::*)(Visit&, Faults) const;

  Awaitable<Answer<Response>> ping(Visit& visit, Faults faults) const {
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    Ping wanted{visit.path[0], visit.path[1], visit.path[2]};
    const auto done = co_await operations_.ping(visit.principal, std::move(wanted));
    if (!done) co_return done.error();
    co_return api::no_content();
  }

  Awaitable<Answer<Response>> send_message(Visit& visit, Faults faults) const {
    if (media_type_of(visit.request) != "application/json")
      co_return Refusal("request.mediaType", "Een bericht is hier application/json, of multipart/form-data op /messages/mtom.");
    InlineBody body(inline_bytes_);
    auto octets = co_await body.read(*visit.request.body, operations_.office().settings.message_bytes_max);
    if (!octets) co_return octets.error();
    auto json = api::read_json(*octets);
    if (!json) co_return json.error();
    octets->clear();
    octets->shrink_to_fit();
    auto message = read_message(*json, faults);
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    auto taken = operations_.begin(visit.principal, message.properties);
    for (auto& source : message.data_sources) {
      auto& payload = taken.request.payloads.emplace_back(submit_payload(source));
      api::place(operations_.office(), payload, std::move(source.content), taken);
    }
    co_return answer_id(co_await operations_.submit(std::move(taken)));
  }

  Awaitable<Answer<Response>> send_form(Visit& visit, Faults faults) const {
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    const auto type = visit.request.headers.find("Content-Type").value_or("");
    auto form =
        http::MultipartReader::make(type, *visit.request.body, http::MultipartReader::Limits(), http::MultipartKind::form_data_of_old);
    if (!form) co_return api::broken_body(form.error());
    api::Taken taken;
    const auto read = co_await take_form(**form, visit.principal, taken);
    if (read) co_return answer_id(co_await operations_.submit(std::move(taken)));
    co_await api::remove_blobs(operations_.office(), taken);
    co_return read.error();
  }

  Awaitable<Answer<Response>> resend_message(Visit& visit, Faults faults) const {
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    co_return answer_id(co_await operations_.resend(visit.principal, visit.path[0]));
  }

  Awaitable<Answer<Response>> unprocessed_messages(Visit& visit, Faults faults) const {
    api::Query query(visit.request, faults);
    GetUnprocessedMessageIds wanted{read_filter(query), read_max(query)};
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    const auto write = [](const std::string& message_id, std::string_view) { return dump(message_id); };
    Operations::Form form{"[", ",", "]", write};
    auto list = co_await operations_.unprocessed_ids(visit.principal, std::move(wanted), std::move(form));
    if (!list) co_return list.error();
    co_return json(std::move(*list));
  }

  Awaitable<Answer<Response>> unprocessed_events(Visit& visit, Faults faults) const {
    api::Query query(visit.request, faults);
    GetUnprocessedMessageEvents wanted{read_filter(query), read_event_types(visit.request, faults), read_max(query)};
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    const auto write = [](const std::string& message_id, std::string_view type) {
      return dump(OrderedJson{{"messageId", message_id}, {"type", type}});
    };
    Operations::Form form{"[", ",", "]", write};
    auto list = co_await operations_.unprocessed_events(visit.principal, std::move(wanted), std::move(form));
    if (!list) co_return list.error();
    co_return json(std::move(*list));
  }

  Awaitable<Answer<Response>> get_message(Visit& visit, Faults faults) const { return show(visit, std::move(faults), as_json); }
  Awaitable<Answer<Response>> get_form(Visit& visit, Faults faults) const { return show(visit, std::move(faults), as_form); }

  Awaitable<Answer<Response>> process_message(Visit& visit, Faults faults) const {
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    const auto done = co_await operations_.process(visit.principal, visit.path[0]);
    if (!done) co_return done.error();
    co_return api::no_content();
  }

  Awaitable<Answer<Response>> process_event(Visit& visit, Faults faults) const {
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    const auto done = co_await operations_.process_event(visit.principal, visit.path[0]);
    if (!done) co_return done.error();
    co_return api::no_content();
  }

  Awaitable<Answer<Response>> message_status(Visit& visit, Faults faults) const {
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    const auto found = co_await operations_.remote_status(visit.principal, visit.path[0]);
    if (!found) co_return found.error();
    OrderedJson out = OrderedJson::object();
    if (found->timestamp) out["timestamp"] = to_rfc3339(*found->timestamp);
    out["status"] = found->status;
    co_return api::json_response(200, out);
  }

 private:
  static Answer<Response> answer_id(Answer<std::string> message_id) {
    if (!message_id) return message_id.error();
    return text(std::move(*message_id));
  }

  // `requestProperties`, then the payloads.
  Awaitable<Answer<>> take_form(http::MultipartReader& form, const api::Principal& principal, api::Taken& taken) const {
    const auto first = co_await form.next();
    if (!first) co_return api::broken_body(first.error());
    if (!*first || (*first)->name != "requestProperties")
      co_return api::body_fault("", "form", "het eerste deel moet requestProperties heten");
    const auto octets = co_await http::read_all(form, operations_.office().settings.json_bytes_max);
    if (!octets) co_return api::broken_body(octets.error());
    auto json = api::read_json(*octets);
    if (!json) co_return json.error();
    Faults faults;
    const auto properties = read_properties(*json, "", faults);
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict;
    taken = operations_.begin(principal, properties);
    std::size_t bytes_left = operations_.office().settings.message_bytes_max;
    for (;;) {
      const auto part = co_await form.next();
      if (!part) co_return api::broken_body(part.error());
      if (!*part) co_return Answer<>{};
      if ((*part)->name != "attachment") co_return api::body_fault("", "form", "na requestProperties heten alle delen attachment");
      auto& payload = taken.request.payloads.emplace_back();
      payload.content_type = (*part)->content_type;
      payload.file_name = (*part)->file_name.value_or("");
      payload.content_id = ebms::without_brackets((*part)->headers.find("Content-ID").value_or(""));
      if (auto done = co_await api::take_octets(operations_.office(), form, payload, bytes_left, taken); !done) co_return done;
    }
  }

  using Shape = Response (*)(const Operations&, const ShownMessage&, std::vector<Piece>&);

  Awaitable<Answer<Response>> show(Visit& visit, Faults faults, Shape shape) const {
    api::Query query(visit.request, faults);
    const bool process = read_process(query);
    if (auto verdict = api::judge(std::move(faults)); !verdict) co_return verdict.error();
    if (process && !visit.principal.may("message.update"))
      co_return Refusal("auth.forbidden", "Om te verwerken is het recht message.update nodig.");
    const auto shown = co_await operations_.get(visit.principal, visit.path[0]);
    if (!shown) co_return shown.error();
    std::vector<Piece> pieces;
    Response response = shape(operations_, *shown, pieces);
    operations_.give(response, std::move(pieces), visit.principal, *shown, process);
    co_return response;
  }

  static Response as_json(const Operations&, const ShownMessage& shown, std::vector<Piece>& pieces) {
    std::string before = R"({"properties":)" + dump(properties_json(shown.message)) + R"(,"dataSources":[)";
    for (const auto& payload : shown.payloads) {
      OrderedJson head{{"name", payload.file_name}};
      if (!payload.content_id.empty()) head["contentId"] = payload.content_id;
      head["contentType"] = payload.content_type;
      std::string members = dump(head);
      members.pop_back();
      pieces.push_back({before + members + R"(,"content":")", payload.blob, payload.size, true});
      before = R"("},)";
    }
    if (!shown.payloads.empty()) before = R"("})";
    pieces.push_back({before + "]}", {}, 0, false});
    Response response;
    response.headers.set("Content-Type", "application/json");
    return response;
  }

  static Response as_form(const Operations& operations, const ShownMessage& shown, std::vector<Piece>& pieces) {
    const std::string boundary = ebms::make_boundary(operations.office().dependencies.random);
    std::string before = "--" + boundary +
                         "\r\nContent-Type: application/json\r\nContent-ID: <properties>\r\nContent-Disposition: form-data; "
                         "name=\"properties\"\r\n\r\n" +
                         dump(properties_json(shown.message));
    for (const auto& payload : shown.payloads) {
      pieces.push_back(
          {before + "\r\n--" + boundary + "\r\n" + part_headers(payload, payload.content_id, R"(form-data; name="attachment")"),
           payload.blob, payload.size, false});
      before.clear();
    }
    pieces.push_back({before + "\r\n--" + boundary + "--\r\n", {}, 0, false});
    Response response;
    response.headers.set("Content-Type", "multipart/form-data; boundary=\"" + boundary + "\"");
    return response;
  }

  const Operations& operations_;
  InlineBytes& inline_bytes_;
};

bool keeps_status(unsigned status) {
  static constexpr unsigned kept[] = {401, 403, 404, 405, 408, 413, 415, 429, 503, 507};
  return std::ranges::find(kept, status) != std::end(kept);
}

}  // namespace

unsigned text_status(const Refusal& refusal) {
  const unsigned status = http::status_of(refusal.code);
  if (keeps_status(status)) return status;
  return status < 500 ? 400 : 500;
}

std::string refusal_text(const Refusal& refusal) {
  if (http::status_of(refusal.code) == 500) return "Het verzoek kon niet worden verwerkt.";
  std::string out = refusal.detail;
  for (const auto& fault : refusal.errors) {
    if (fault.detail != refusal.detail) out += "\n" + fault.location + ": " + fault.detail;
  }
  return out;
}

Response text_response(const Refusal& refusal) {
  Response response = text(refusal_text(refusal));
  response.status = text_status(refusal);
  for (const auto& [name, value] : refusal.headers) response.headers.set(name, value);
  if (response.status == 503 && !response.headers.find("Retry-After")) response.headers.set("Retry-After", "5");
  return response;
}

std::vector<api::Route> rest_routes(const Operations& operations, InlineBytes& inline_bytes) {
  const auto all = std::make_shared<const Routes>(operations, inline_bytes);
  std::vector<api::Route> routes;
  const auto add = [&](std::string_view method, std::string_view path, std::string_view permission, Routes::Function function,
                       std::vector<std::string_view> query = {}) {
    api::Route route{method,
                     path,
                     permission,
                     true,
                     Body::stream,
                     std::move(query),
                     Access::write,
                     api::Streaming([all, function](Visit& visit, Faults faults) { return ((*all).*function)(visit, std::move(faults)); })};
    routes.push_back(std::move(route));
  };
  std::vector<std::string_view> keys(std::begin(filter_keys), std::end(filter_keys));
  keys.emplace_back("maxNr");
  auto event_keys = keys;
  event_keys.emplace_back("eventTypes");
  add("POST", "/ping/{cpaId}/from/{fromPartyId}/to/{toPartyId}", "message.create", &Routes::ping);
  add("POST", "/messages", "message.create", &Routes::send_message);
  add("PUT", "/messages/{messageId}", "message.create", &Routes::resend_message);
  add("PATCH", "/messages/{messageId}", "message.update", &Routes::process_message);
  add("GET", "/messages/{messageId}", "payload.read", &Routes::get_message, {"process"});
  add("GET", "/messages/mtom/{messageId}", "payload.read", &Routes::get_form, {"process"});
  add("GET", "/messages/{messageId}/status", "message.read", &Routes::message_status);
  add("PATCH", "/events/{messageId}", "message.update", &Routes::process_event);
  // Names of their own, after the ids that they would otherwise be.
  add("POST", "/messages/mtom", "message.create", &Routes::send_form);
  add("GET", "/messages/unprocessed", "message.read", &Routes::unprocessed_messages, keys);
  add("GET", "/events/unprocessed", "message.read", &Routes::unprocessed_events, event_keys);
  return routes;
}

}  // namespace schakel::facade
