// The one table of problem codes (README section 8, adapter.md 2.1.5) and the responses made of it.
#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/json_library.hpp"
#include "base/random.hpp"
#include "http/message.hpp"

namespace schakel::http {
namespace {

struct ProblemKind {
  std::string_view code;
  unsigned status;
  std::string_view title;
};

constexpr auto problem_kinds = std::to_array<ProblemKind>({
    {"WUS-C-ADDR", 502, "Antwoord van de partner past niet bij de aanroep"},
    {"WUS-C-CERT", 502, "Certificaat van de ondertekenaar niet bruikbaar"},
    {"WUS-C-CONF", 502, "Handtekeningbevestiging ontbreekt of klopt niet"},
    {"WUS-C-CONNECT", 504, "Geen verbinding met de partner"},
    {"WUS-C-DECRYPT", 502, "Antwoord niet te ontsleutelen"},
    {"WUS-C-FAULT", 502, "De partner gaf een fout"},
    {"WUS-C-HTTP", 502, "Onbruikbaar antwoord van de partner"},
    {"WUS-C-INPUT", 400, "Aanroep past niet bij de dienst"},
    {"WUS-C-POLICY", 502, "Antwoord volgt het profiel niet"},
    {"WUS-C-SIG", 502, "Handtekening van het antwoord klopt niet"},
    {"WUS-C-SOAP", 502, "Antwoord is geen geldig SOAP-bericht"},
    {"WUS-C-TIME", 502, "Tijdstempel van het antwoord buiten het venster"},
    {"WUS-C-TIMEOUT", 504, "De partner antwoordt niet op tijd"},
    {"WUS-C-TLS", 502, "Beveiligde verbinding met de partner mislukt"},
    {"WUS-C-XSD", 502, "Antwoord voldoet niet aan het schema"},
    {"auth.forbidden", 403, "Niet toegestaan"},
    {"auth.invalid", 401, "Inloggegevens niet geldig"},
    {"auth.missing", 401, "Inloggegevens ontbreken"},
    {"call.timeout", 504, "De partner antwoordt niet op tijd"},
    {"call.upstream", 502, "De partner gaf een fout"},
    {"certificate.privateKeyRefused", 400, "Een privésleutel wordt hier niet aangenomen"},
    {"contract.actionNotAllowed", 400, "Actie niet toegestaan door het contract"},
    {"contract.ambiguous", 409, "Meer dan een contract past"},
    {"contract.expired", 409, "Contract verlopen"},
    {"contract.inUse", 409, "Contract in gebruik"},
    {"contract.invalid", 400, "Contract ongeldig"},
    {"contract.limitReached", 409, "Grens van het contract bereikt"},
    {"contract.notActive", 409, "Contract niet actief"},
    {"contract.notAuthorised", 403, "Contract staat dit niet toe"},
    {"contract.notYetValid", 409, "Contract nog niet geldig"},
    {"contract.suspended", 409, "Contract opgeschort"},
    {"contract.unknown", 400, "Contract onbekend"},
    {"http.bodyInvalid", 400, "Inhoud niet leesbaar"},
    {"http.bodyTimeout", 408, "Verzoek duurt te lang"},
    {"http.bodyTooLarge", 413, "Inhoud te groot"},
    {"http.bodyTruncated", 400, "Inhoud afgebroken"},
    {"internal", 500, "Interne fout"},
    {"mandate.missing", 403, "Machtiging ontbreekt"},
    {"message.duplicateId", 409, "Berichtnummer bestaat al"},
    {"message.tooLarge", 413, "Bericht te groot"},
    {"node.draining", 503, "Server wordt gestopt"},
    {"notFound", 404, "Niet gevonden"},
    {"oin.inUse", 409, "OIN in gebruik"},
    {"oin.invalid", 400, "OIN ongeldig"},
    {"payload.notAllowed", 400, "Bijlage niet toegestaan"},
    {"payload.purged", 410, "Inhoud is opgeruimd"},
    {"quota.month", 429, "Maandgrens bereikt"},
    {"quota.rate", 429, "Te veel verzoeken"},
    {"quota.storage", 507, "Opslaggrens bereikt"},
    {"request.expectation", 417, "Verwachting niet ondersteund"},
    {"request.headersTooLarge", 431, "Kopregels te groot"},
    {"request.idempotencyMismatch", 409, "Idempotency-Key al gebruikt voor een ander verzoek"},
    {"request.inProgress", 409, "Verzoek wordt al verwerkt"},
    {"request.invalid", 400, "Ongeldige invoer"},
    {"request.lengthRequired", 411, "Lengte ontbreekt"},
    {"request.mediaType", 415, "Mediatype niet ondersteund"},
    {"request.methodNotAllowed", 405, "Methode niet toegestaan"},
    {"request.misdirected", 421, "Verkeerde server"},
    {"request.notAcceptable", 406, "Gevraagd mediatype niet beschikbaar"},
    {"request.range", 416, "Bereik niet leverbaar"},
    {"request.timeout", 408, "Verzoek duurt te lang"},
    {"request.unsupportedCharset", 400, "Tekencodering niet ondersteund"},
    {"request.uriTooLong", 414, "Adres te lang"},
    {"request.version", 505, "HTTP-versie niet ondersteund"},
    {"route.duplicate", 409, "Route bestaat al"},
    {"route.none", 409, "Geen route"},
    {"routing.loop", 400, "Route bevat een lus"},
    {"state.conflict", 409, "Toestand staat dit niet toe"},
    {"storage.conflict", 409, "Gelijktijdige wijziging"},
    {"storage.unavailable", 503, "Opslag niet beschikbaar"},
    {"tenant.mismatch", 400, "Organisatie hoort bij een andere tenant"},
    {"tenant.suspended", 503, "Tenant opgeschort"},
    {"version.conflict", 412, "Versie verouderd"},
    {"version.missing", 428, "If-Match ontbreekt"},
    {"webhook.targetRefused", 400, "Adres van webhook geweigerd"},
});

constexpr bool is_sorted_by_code() {
  return std::is_sorted(problem_kinds.begin(), problem_kinds.end(), [](const auto& a, const auto& b) { return a.code < b.code; });
}
static_assert(is_sorted_by_code(), "find_kind searches by halves");

// Security and OIN reasons are codes of problems too (security.md 2.10 and section 4).
struct ReasonFamily {
  std::string_view prefix;
  unsigned status;
  std::string_view title;
};
constexpr auto reason_families = std::to_array<ReasonFamily>({
    {"SEC.CRL.", 503, "Intrekkingslijst niet beschikbaar"},
    {"SEC.HTTP.TRAAG", 408, "Verzoek duurt te lang"},
    {"SEC.HTTP.", 400, "Ongeldig HTTP-verzoek"},
    {"SEC.JOSE.", 400, "Ongeldige handtekening"},
    {"SEC.JSON.", 400, "Ongeldige JSON"},
    {"SEC.OIN.NIET_GEAUTORISEERD", 403, "Niet geautoriseerd"},
    {"SEC.OIN.GEEN_MANDAAT", 403, "Machtiging ontbreekt"},
    {"SEC.OIN.", 403, "Geen bruikbaar OIN"},
    {"SEC.PKI.", 403, "Certificaat niet bruikbaar"},
    {"SEC.SLEUTEL.", 400, "Sleutel geweigerd"},
    {"SEC.TLS.", 403, "Verbinding niet bruikbaar"},
    {"SEC.XML.", 400, "Ongeldige XML"},
    {"OIN.", 400, "OIN ongeldig"},
});

ProblemKind kind_of(std::string_view code) {
  const auto by_code = [](const ProblemKind& kind, std::string_view wanted) { return kind.code < wanted; };
  const auto found = std::lower_bound(problem_kinds.begin(), problem_kinds.end(), code, by_code);
  if (found != problem_kinds.end() && found->code == code) return *found;
  for (const auto& family : reason_families)
    if (code.starts_with(family.prefix)) return {code, family.status, family.title};
  return kind_of("internal");
}

// RFC 9562 version 8: the first 128 bits of the SHA-256 with the version and variant bits set.
std::string uuid_of_text(std::string_view text) {
  Bytes hash = sha256(text).substr(0, 16);
  hash[6] = static_cast<char>((static_cast<unsigned char>(hash[6]) & 0x0f) | 0x80);
  hash[8] = static_cast<char>((static_cast<unsigned char>(hash[8]) & 0x3f) | 0x80);
  std::string uuid = to_hex(hash);
  for (const std::size_t position : {8U, 13U, 18U, 23U}) uuid.insert(position, 1, '-');
  return uuid;
}

void add_missing(Headers& headers, std::string_view name, std::string_view value) {
  if (!headers.find(name)) headers.add(std::string(name), std::string(value));
}

}  // namespace

unsigned status_of(std::string_view code) {
  return kind_of(code).status;
}

std::string_view title_of(std::string_view code) {
  return kind_of(code).title;
}

void add_api_headers(Response& response, const std::string& request_id) {
  add_missing(response.headers, "Cache-Control", "no-store");
  add_missing(response.headers, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  add_missing(response.headers, "Strict-Transport-Security", "max-age=31536000");
  add_missing(response.headers, "X-Content-Type-Options", "nosniff");
  add_missing(response.headers, "X-Frame-Options", "DENY");
  add_missing(response.headers, "Referrer-Policy", "no-referrer");
  add_missing(response.headers, "API-Version", api_version);
  if (!request_id.empty()) add_missing(response.headers, "X-Request-Id", request_id);
}

Response api_response(unsigned status, std::string json, const std::string& request_id) {
  Response response;
  response.status = status;
  if (!json.empty()) response.headers.add("Content-Type", "application/json");
  response.body = std::move(json);
  add_api_headers(response, request_id);
  return response;
}

Response problem(std::string_view code, std::string_view detail, const std::string& request_id, std::span<const FieldError> errors) {
  const auto kind = kind_of(code);
  nlohmann::ordered_json body;
  body["type"] = "urn:schakel:problem:" + std::string(kind.code);
  body["code"] = kind.code;
  body["status"] = kind.status;
  body["title"] = kind.title;
  // The detail of an error that nobody foresaw is for the log, not for the outside.
  body["detail"] = kind.code == "internal" ? std::string_view("Het verzoek kon niet worden verwerkt.") : detail;
  body["instance"] = "urn:uuid:" + (is_uuid(request_id) ? request_id : uuid_of_text(request_id));
  for (const auto& error : errors)
    body["errors"].push_back({{"in", error.in}, {"location", error.location}, {"code", error.code}, {"detail", error.detail}});
  Response response;
  response.status = kind.status;
  response.headers.add("Content-Type", "application/problem+json");
  response.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  add_api_headers(response, request_id);
  return response;
}

std::optional<Response> refuse_unusable_peer(const Request& request, bool is_api) {
  if (request.peer == nullptr || request.peer->refusal.empty()) return std::nullopt;
  if (is_api) return problem(request.peer->refusal, "Het clientcertificaat geeft geen toegang tot deze dienst.", request.request_id);
  Response response;
  response.status = 403;
  return response;
}

}  // namespace schakel::http
