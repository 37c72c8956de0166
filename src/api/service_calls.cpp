#include "api/service_calls.hpp"

#include "http/fields.hpp"

namespace schakel::api {

using http::Request;
using http::Response;

http::Awaitable<Answer<std::string>> read_call(const Request& request, std::span<const std::string_view> types, std::size_t bytes_max) {
  const auto given = request.headers.find("Content-Type").value_or("");
  const auto media = http::parse_media_type(given, http::Unquoted::anything);
  const bool is_one = media && (std::ranges::find(types, media->type) != types.end() || wus::is_mtom(given));
  if (!is_one || request.headers.count("Content-Type") > 1 || request.headers.find("Content-Encoding"))
    co_return Refusal("request.mediaType", "Stuur " + std::string(types.front()) + ", of multipart/related met application/xop+xml.");
  if (request.content_length.value_or(0) > bytes_max)
    co_return Refusal("http.bodyTooLarge", "De inhoud is groter dan " + std::to_string(bytes_max) + " octetten.");
  auto body = co_await http::read_all(*request.body, bytes_max);
  if (!body) co_return Refusal(body.error().code, body.error().detail);
  co_return std::move(*body);
}

wus::Call call_of(const Request& request, std::shared_ptr<const wus::ServiceContract> service, const wus::Operation* operation,
                  wus::Plain payload) {
  const bool as_mtom = payload.mtom;
  return {.service = std::move(service),
          .operation = operation,
          .to_oin = {},
          .message_id = {},
          .traceparent = std::string(request.headers.find("traceparent").value_or("")),
          .attachments_apart = as_mtom,
          .payload = std::move(payload)};
}

Response answer_of_call(const Office& office, unsigned status, std::string root, std::string_view type, wus::CallOutcome outcome,
                        const wus::ServiceContract& service, bool as_mtom) {
  Response response;
  response.status = status;
  response.headers.set("Schakel-Message-Id", outcome.addressing.message_id);
  response.headers.set("Schakel-Relates-To", outcome.message_id);
  response.headers.set("Schakel-Profile", std::string(to_string(service.settings.profile)));
  if (as_mtom) {
    auto entity = wus::mtom_entity(root, std::move(outcome.attachments), type, office.dependencies.random);
    response.headers.set("Content-Type", std::move(entity.content_type));
    response.body = std::move(entity.octets);
  } else {
    response.headers.set("Content-Type", std::string(type) + "; charset=utf-8");
    response.body = std::move(root);
  }
  return response;
}

Response fault_of_call(std::string_view soap_fault) {
  Response response;
  response.status = 500;
  response.headers.set("Content-Type", "text/xml; charset=utf-8");
  response.body = wus::plain_envelope("", soap_fault);
  return response;
}

}  // namespace schakel::api
