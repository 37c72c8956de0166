// GET /messages/{id}/payloads/{index}: octets, streamed from the store, whole or one range (adapter.md 2.1.3).
#include "api/confirmation.hpp"
#include "api/descriptor.hpp"
#include "api/resources.hpp"
#include "exchange/blob_reader.hpp"
#include "exchange/commit.hpp"

namespace schakel::api {
namespace {

using http::Awaitable;
using http::Response;

struct Range {
  std::int64_t first = 0, last = -1;  // both included
  std::int64_t bytes() const { return last - first + 1; }
};

enum class RangeKind { whole, part, unsatisfiable };

// The Range header (RFC 9110 14.2). More than one range is answered with the whole; what is no byte range at all is ignored.
RangeKind read_range(std::string_view text, std::int64_t size, Range& out) {
  text = trim(text);
  if (!text.starts_with("bytes=") || text.find(',') != std::string_view::npos) return RangeKind::whole;
  text.remove_prefix(6);
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return RangeKind::whole;
  const auto from = trim(text.substr(0, dash)), to = trim(text.substr(dash + 1));
  const auto first = read_digits(from), last = read_digits(to);
  if ((!from.empty() && !first) || (!to.empty() && !last) || (from.empty() && to.empty())) return RangeKind::whole;
  if (from.empty()) {  // the last n octets
    if (*last == 0 || size == 0) return RangeKind::unsatisfiable;
    out = {std::max<std::int64_t>(0, size - *last), size - 1};
    return RangeKind::part;
  }
  if (*first >= size || (last && *last < *first)) return RangeKind::unsatisfiable;
  out = {*first, last ? std::min(*last, size - 1) : size - 1};
  return RangeKind::part;
}

// RFC 6266 with RFC 8187 for names outside ASCII.
std::string content_disposition(const std::string& file_name) {
  if (file_name.empty()) return "attachment";
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string plain, encoded;
  for (const char c : file_name) {
    const auto octet = static_cast<unsigned char>(c);
    const bool harmless = octet >= 0x20 && octet < 0x7f && c != '"' && c != '\\' && c != '/';
    if (harmless) plain += c;
    if (!harmless && (octet & 0xC0) != 0x80) plain += '_';  // one per character
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    if (unreserved) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[octet >> 4];
      encoded += digits[octet & 15];
    }
  }
  return "attachment; filename=\"" + plain + "\"; filename*=UTF-8''" + encoded;
}

std::string repr_digest(const std::string& sha256) {
  const auto octets = from_hex(sha256);
  return "sha-256=:" + to_base64(octets ? *octets : Bytes()) + ":";
}

struct Wanted {
  exchange::Message message;
  exchange::Payload payload;
};

Answer<Wanted> find_payload(sql::Transaction& tx, const Visit& visit) {
  const auto index = read_digits(visit.path[1]);
  if (!is_uuid(visit.path[0]) || !index) return not_found();
  SCHAKEL_TRY(auto message, exchange::find_message(tx, visit.tenant(), visit.path[0]));
  if (!message) return not_found();
  SCHAKEL_TRY(auto payloads, exchange::payloads_of(tx, message->id));
  for (auto& payload : payloads) {
    if (payload.index == *index) return Wanted{std::move(*message), std::move(payload)};
  }
  return not_found();
}

Response head_of(const exchange::Payload& payload) {
  Response response;
  // The sender chose the type; it is told, and nothing may act on it (attachment, nosniff).
  response.headers.set("Content-Type", payload.content_type.empty() ? "application/octet-stream" : payload.content_type);
  response.headers.set("Content-Disposition", content_disposition(payload.file_name));
  response.headers.set("Repr-Digest", repr_digest(payload.sha256));
  response.headers.set("Accept-Ranges", "bytes");
  return response;
}

Awaitable<Answer<Response>> download(const Office& office, Visit& visit, Faults faults) {
  if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
  const bool is_head = visit.request.method == "HEAD";
  std::optional<Wanted> wanted;
  // Looking at the octets is in the trail (adapter.md 2.9) before the first of them leaves.
  auto looked =
      co_await in_unit(office.dependencies.database, is_head ? Access::read : Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
        SCHAKEL_TRY(wanted, find_payload(tx, visit));
        if (wanted->payload.purged) return Refusal("payload.purged", "De inhoud van deze payload is opgeruimd.");
        if (!is_head)
          SCHAKEL_CHECK(
              add_trail(tx, office.settings.node, wanted->message, "payloadViewed", "apiKey:" + visit.principal.id, office.now()));
        return no_content();
      });
  if (!looked) co_return looked.error();
  const auto& payload = wanted->payload;
  Response response = head_of(payload);
  Range range{0, payload.size - 1};
  const auto asked = visit.request.headers.find("Range");
  const RangeKind kind = asked ? read_range(*asked, payload.size, range) : RangeKind::whole;
  if (kind == RangeKind::unsatisfiable) {
    Refusal refusal("request.range", "Dit bereik ligt buiten de payload.");
    refusal.headers.set("Content-Range", "bytes */" + std::to_string(payload.size));
    co_return refusal;
  }
  if (kind == RangeKind::part) {
    response.status = 206;
    response.headers.set("Content-Range",
                         "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" + std::to_string(payload.size));
  }
  response.stream_bytes = static_cast<std::uint64_t>(range.bytes());
  if (is_head) {
    response.headers.set("Content-Length", std::to_string(range.bytes()));
  } else {
    response.stream = exchange::read_blob(office.dependencies.database, payload.blob, range.first, range.bytes());
  }
  co_return response;
}

}  // namespace

void add_payload_routes(std::vector<Route>& routes, const Office& office) {
  Route route{"GET",          "/messages/{id}/payloads/{index}",
              "payload.read", true,
              Body::none,     {},
              Access::write,  Streaming([&office](Visit& visit, Faults faults) { return download(office, visit, std::move(faults)); })};
  route.any_answer = true;
  routes.push_back(std::move(route));
}

}  // namespace schakel::api
