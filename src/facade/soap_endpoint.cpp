#include "facade/soap_endpoint.hpp"

#include <algorithm>

#include "ebms/mime.hpp"
#include "facade/operations.hpp"
#include "facade/rest.hpp"
#include "facade/stream.hpp"
#include "http/fields.hpp"
#include "http/multipart.hpp"

namespace schakel::facade {
namespace {

using api::Answer;
using api::Principal;
using api::Refusal;
using http::Awaitable;
using http::Response;

constexpr std::string_view root_id = "message@schakel";

Response xml(std::string body) {
  Response response;
  response.headers.set("Content-Type", "text/xml; charset=UTF-8");
  response.body = std::move(body);
  return response;
}

// SOAP 1.1 6.2 wants 500 for every fault; what is about the way here keeps its status.
Response fault(const Refusal& refusal) {
  const bool about_soap = refusal.code.starts_with("soap.") || refusal.code.starts_with("xml.");  // no codes of the REST API
  const unsigned status = about_soap ? 400 : text_status(refusal);
  std::string_view code = status < 500 ? "Client" : "Server";
  if (refusal.code == "soap.mustUnderstand") code = "MustUnderstand";
  if (refusal.code == "soap.versionMismatch") code = "VersionMismatch";
  Response response = xml(fault_envelope(code, about_soap ? refusal.detail : refusal_text(refusal)));
  response.status = status == 400 || status == 404 ? 500 : status;
  for (const auto& [name, value] : refusal.headers) response.headers.set(name, value);
  if (status == 503) response.headers.set("Retry-After", "5");
  return response;
}

// The octets of one request: the envelope, and the attachments that are still to be read.
struct Soap {
  std::string envelope;
  std::unique_ptr<http::MultipartReader> attachments;  // null: none
};

class Exchange {
 public:
  Exchange(const Operations& operations, InlineBytes& inline_bytes, Endpoint endpoint, http::Request& request, const Principal& principal)
      : operations_(operations), inline_body_(inline_bytes), endpoint_(endpoint), request_(request), principal_(principal) {}

  Awaitable<Answer<Operation>> read() {
    if (auto received = co_await receive(); !received) co_return received.error();
    auto operation = read_operation(soap_.envelope, bytes_max());
    soap_.envelope.clear();
    soap_.envelope.shrink_to_fit();
    if (operation) co_return std::move(*operation);
    // What the parser refused may be an attack on it (SEC-105).
    operations_.office().dependencies.log.warning(
        "facade.refused", {{"code", operation.error().code}, {"address", request_.remote_address}, {"requestId", request_.request_id}});
    co_return Refusal(operation.error());
  }

  Awaitable<Answer<Response>> perform(Operation operation) {
    if (auto* send = std::get_if<SendMessage>(&operation)) co_return co_await send_message(std::move(send->request));
    // Attachments that nobody asked for; the body is read to its end so that the connection can be used again.
    while (soap_.attachments) {
      const auto part = co_await soap_.attachments->next();
      if (!part) co_return api::broken_body(part.error());
      if (!*part) break;
    }
    if (auto* ping = std::get_if<Ping>(&operation)) {
      const auto done = co_await operations_.ping(principal_, std::move(*ping));
      co_return empty("ping", done);
    }
    if (const auto* again = std::get_if<ResendMessage>(&operation)) {
      auto copy = co_await operations_.resend(principal_, again->message_id);
      co_return message_id("resendMessage", std::move(copy));
    }
    if (const auto* processed = std::get_if<ProcessMessage>(&operation)) {
      const auto done = co_await operations_.process(principal_, processed->message_id);
      co_return empty("processMessage", done);
    }
    if (const auto* processed = std::get_if<ProcessMessageEvent>(&operation)) {
      const auto done = co_await operations_.process_event(principal_, processed->message_id);
      co_return empty("processMessageEvent", done);
    }
    if (const auto* asked = std::get_if<GetMessageStatus>(&operation)) co_return co_await message_status(asked->message_id);
    if (const auto* wanted = std::get_if<GetMessage>(&operation)) co_return co_await get_message(*wanted);
    if (auto* wanted = std::get_if<GetUnprocessedMessageIds>(&operation)) {
      auto form = ids_form();
      auto list = co_await operations_.unprocessed_ids(principal_, std::move(*wanted), std::move(form));
      co_return answer_list(std::move(list));
    }
    auto wanted = std::get<GetUnprocessedMessageEvents>(std::move(operation));
    auto form = events_form();
    auto list = co_await operations_.unprocessed_events(principal_, std::move(wanted), std::move(form));
    co_return answer_list(std::move(list));
  }

 private:
  std::size_t bytes_max() const { return operations_.office().settings.message_bytes_max; }

  // --- the request -----------------------------------------------------------------------------------------------------------------

  Awaitable<Answer<>> receive() {
    const auto given = request_.headers.find("Content-Type").value_or("");
    const auto type = http::parse_media_type(given, http::Unquoted::anything);
    const std::string essence = type ? type->type : "";
    if (essence == "text/xml") co_return co_await receive_plain(*type);
    if (essence != "multipart/related")
      co_return Refusal("request.mediaType", "Een SOAP-bericht is text/xml of multipart/related met application/xop+xml.");
    co_return co_await receive_related(given, *type);
  }

  static bool is_utf8(const http::MediaType& type) {
    const auto charset = type.parameter("charset");
    return !charset || equals_ignoring_case(*charset, "utf-8");
  }

  Awaitable<Answer<>> receive_plain(const http::MediaType& type) {
    if (!is_utf8(type)) co_return Refusal("request.unsupportedCharset", "Alleen UTF-8 wordt aangenomen.");
    auto octets = co_await inline_body_.read(*request_.body, bytes_max());
    if (!octets) co_return octets.error();
    soap_.envelope = std::move(*octets);
    co_return Answer<>{};
  }

  Awaitable<Answer<>> receive_related(std::string_view header, const http::MediaType& type) {
    auto parts = http::MultipartReader::make(header, *request_.body, http::MultipartReader::Limits(), http::MultipartKind::related);
    if (!parts) co_return api::broken_body(parts.error());
    const auto root = co_await (*parts)->next();
    if (!root) co_return api::broken_body(root.error());
    if (!*root) co_return api::body_fault("", "form", "het deel met de envelop ontbreekt");
    const auto root_type = http::parse_media_type((*root)->content_type, http::Unquoted::anything);
    if (!root_type || (root_type->type != "application/xop+xml" && root_type->type != "text/xml"))
      co_return Refusal("request.mediaType", "Het eerste deel moet de envelop zijn: application/xop+xml.");
    if (!is_utf8(*root_type)) co_return Refusal("request.unsupportedCharset", "Alleen UTF-8 wordt aangenomen.");
    // Attachments are stored while they arrive, by what the envelope says of them: so it comes first.
    const auto start = type.parameter("start");
    const auto id = (*root)->headers.find("Content-ID").value_or("");
    if (start && ebms::without_brackets(*start) != ebms::without_brackets(id))
      co_return api::body_fault("", "form", "het eerste deel moet het deel zijn dat start noemt");
    auto octets = co_await inline_body_.read(**parts, bytes_max());
    if (!octets) co_return octets.error();
    soap_.envelope = std::move(*octets);
    soap_.attachments = std::move(*parts);
    co_return Answer<>{};
  }

  // --- sendMessage -------------------------------------------------------------------------------------------------------------------

  Awaitable<Answer<Response>> send_message(MessageRequest message) {
    auto taken = operations_.begin(principal_, message.properties);
    for (auto& source : message.data_sources) {
      auto& payload = taken.request.payloads.emplace_back(submit_payload(source));
      if (!source.attachment) api::place(operations_.office(), payload, std::move(source.content), taken);
    }
    if (auto read = co_await take_attachments(message.data_sources, taken); !read) {
      co_await api::remove_blobs(operations_.office(), taken);
      co_return read.error();
    }
    auto sent = co_await operations_.submit(std::move(taken));
    co_return message_id("sendMessage", std::move(sent));
  }

  // Each attachment goes where it is named; one that nobody names is read and dropped, as in ebMS (EB-033).
  Awaitable<Answer<>> take_attachments(std::vector<DataSource>& sources, api::Taken& taken) {
    std::size_t bytes_left = bytes_max();
    while (soap_.attachments) {
      const auto part = co_await soap_.attachments->next();
      if (!part) co_return api::broken_body(part.error());
      if (!*part) break;
      const auto id = ebms::without_brackets((*part)->headers.find("Content-ID").value_or(""));
      const auto source = std::ranges::find_if(sources, [&](const auto& one) { return one.attachment == id && !id.empty(); });
      if (source == sources.end()) continue;
      auto& payload = taken.request.payloads[static_cast<std::size_t>(source - sources.begin())];
      if (source->content_type.empty() && (*part)->headers.find("Content-Type")) payload.content_type = (*part)->content_type;
      if (payload.file_name.empty()) payload.file_name = (*part)->file_name.value_or("");
      if (auto read = co_await api::take_octets(operations_.office(), *soap_.attachments, payload, bytes_left, taken); !read)
        co_return read;
      source->attachment.reset();
    }
    const bool all_there = std::ranges::none_of(sources, [](const auto& one) { return one.attachment.has_value(); });
    if (!all_there) co_return api::body_fault("dataSource", "form", "een bijlage ontbreekt, of wordt twee keer genoemd");
    co_return Answer<>{};
  }

  // --- answers -----------------------------------------------------------------------------------------------------------------------

  static Answer<Response> empty(std::string_view operation, const Answer<>& done) {
    if (!done) return done.error();
    return xml(response_begin(operation) + response_end(operation));
  }

  static Answer<Response> message_id(std::string_view operation, Answer<std::string> id) {
    if (!id) return id.error();
    return xml(response_begin(operation) + element("messageId", *id) + response_end(operation));
  }

  Operations::Form ids_form() const {
    const auto plain = [](const std::string& id, std::string_view) { return element("messageId", id); };
    const auto mtom = [](const std::string& id, std::string_view) { return element("messageIds", id); };
    constexpr std::string_view name = "getUnprocessedMessageIds";
    if (endpoint_ == Endpoint::mtom) return {response_begin(name), "", response_end(name), mtom};
    return {response_begin(name), "", response_end(name), plain};
  }

  Operations::Form events_form() const {
    const auto plain = [](const std::string& id, std::string_view type) {
      return "<messageEvent>" + element("messageId", id) + element("type", type) + "</messageEvent>";
    };
    const auto mtom = [](const std::string& id, std::string_view type) {
      return "<messageEvents>" + element("messageId", id) + element("type", type) + "</messageEvents>";
    };
    constexpr std::string_view name = "getUnprocessedMessageEvents";
    if (endpoint_ == Endpoint::mtom) return {response_begin(name), "", response_end(name), mtom};
    return {response_begin(name), "", response_end(name), plain};
  }

  static Answer<Response> answer_list(Answer<Operations::Text> list) {
    if (!list) return list.error();
    Response response = xml(std::move(list->text));
    response.stream = std::move(list->stream);
    return response;
  }

  Awaitable<Answer<Response>> message_status(const std::string& id) {
    const auto found = co_await operations_.remote_status(principal_, id);
    if (!found) co_return found.error();
    std::string out = response_begin("getMessageStatus") + "<messageStatus>";
    if (found->timestamp) out += element("timestamp", to_rfc3339(*found->timestamp));
    co_return xml(out + element("status", found->status) + "</messageStatus>" + response_end("getMessageStatus"));
  }

  Awaitable<Answer<Response>> get_message(const GetMessage& wanted) {
    if (wanted.process && !principal_.may("message.update"))
      co_return Refusal("auth.forbidden", "Om te verwerken is het recht message.update nodig.");
    const auto shown = co_await operations_.get(principal_, wanted.message_id);
    if (!shown) co_return shown.error();
    const bool with_attachments = endpoint_ == Endpoint::mtom && !shown->payloads.empty();
    Response response = xml({});
    auto pieces = with_attachments ? attached(*shown, response) : inlined(*shown);
    operations_.give(response, std::move(pieces), principal_, *shown, wanted.process);
    co_return response;
  }

  static std::vector<Piece> inlined(const ShownMessage& shown) {
    std::vector<Piece> pieces;
    std::string before = response_begin("getMessage") + "<message>" + properties_element(shown.message);
    for (const auto& payload : shown.payloads) {
      before += "<dataSource>" + element("name", payload.file_name);
      if (!payload.content_id.empty()) before += element("contentId", payload.content_id);
      before += element("contentType", payload.content_type) + "<content>";
      pieces.push_back({std::move(before), payload.blob, payload.size, true});
      before = "</content></dataSource>";
    }
    pieces.push_back({before + "</message>" + response_end("getMessage"), {}, 0, false});
    return pieces;
  }

  // XOP 1.0 and SwA: the envelope, then one part per payload.
  std::vector<Piece> attached(const ShownMessage& shown, Response& response) const {
    const std::string boundary = ebms::make_boundary(operations_.office().dependencies.random);
    std::string envelope = response_begin("getMessage") + "<message>" + properties_element(shown.message);
    for (const auto& payload : shown.payloads) {
      envelope += "<dataSource>";
      if (!payload.content_id.empty()) envelope += element("contentId", payload.content_id);
      envelope += "<attachment><xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:" + attachment_id(payload) +
                  "\"/></attachment></dataSource>";
    }
    envelope += "</message>" + response_end("getMessage");
    std::vector<Piece> pieces;
    std::string before = "--" + boundary +
                         "\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-Transfer-Encoding: "
                         "binary\r\nContent-ID: <" +
                         std::string(root_id) + ">\r\n\r\n" + envelope;
    for (const auto& payload : shown.payloads) {
      pieces.push_back({before + "\r\n--" + boundary + "\r\nContent-Transfer-Encoding: binary\r\n" +
                            part_headers(payload, attachment_id(payload), "attachment"),
                        payload.blob, payload.size, false});
      before.clear();
    }
    pieces.push_back({"\r\n--" + boundary + "--\r\n", {}, 0, false});
    response.headers.set("Content-Type", "multipart/related; type=\"application/xop+xml\"; boundary=\"" + boundary + "\"; start=\"<" +
                                             std::string(root_id) + ">\"; start-info=\"text/xml\"");
    return pieces;
  }

  static std::string attachment_id(const exchange::Payload& payload) { return std::to_string(payload.index) + "@schakel"; }

  const Operations& operations_;
  InlineBody inline_body_;
  const Endpoint endpoint_;
  http::Request& request_;
  const Principal& principal_;
  Soap soap_;
};

Awaitable<Answer<Response>> answer(const Operations& operations, InlineBytes& inline_bytes, api::Login& login, Endpoint endpoint,
                                   http::Request& request, const Principal& principal) {
  Exchange exchange(operations, inline_bytes, endpoint, request, principal);
  auto operation = co_await exchange.read();
  if (!operation) co_return operation.error();
  const auto allowed = co_await login.authorise(request, principal, permission_of(*operation));
  if (!allowed) co_return allowed.error();
  co_return co_await exchange.perform(std::move(*operation));
}

}  // namespace

Awaitable<Response> answer_soap(const Operations& operations, InlineBytes& inline_bytes, api::Login& login, Endpoint endpoint,
                                http::Request& request, const Principal& principal) {
  auto answered = co_await answer(operations, inline_bytes, login, endpoint, request, principal);
  if (answered) co_return std::move(*answered);
  co_return fault(answered.error());
}

}  // namespace schakel::facade
