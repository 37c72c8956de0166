#include "api/openapi.hpp"

#include <map>
#include <span>
#include <vector>

#include "api/descriptor.hpp"
#include "api/openapi_schemas.hpp"
#include "api/router.hpp"

namespace schakel::api {
namespace {

using Text = std::string_view;

// What a request carries.
enum class Request { none, json, optional_json, patch, xml, message, payload_xml, soap };
// What a success carries.
enum class Success { object, list, page, empty, octets, document, archive, soap, element };

struct Operation {
  Text method, path, id, tag, summary;
  Request request;
  Text request_schema;
  unsigned status;
  Success success;
  Text schema;
  std::span<const Text> query;
  std::span<const unsigned> refusals;  // beyond 401, 403, 404, 406, 500 and 503, which every operation has
  bool versioned = false;              // answers with ETag
  bool conditional = false;            // wants If-Match
};

constexpr std::span<const Text> no_query;
constexpr Text pages[] = {"page", "perPage"};
constexpr Text message_search[] = {"direction",    "protocol",      "state",     "contractId",     "cpaId",          "fromOin", "toOin",
                                   "service",      "action",        "messageId", "conversationId", "refToMessageId", "traceId", "label",
                                   "receivedFrom", "receivedUntil", "errorCode", "sort",           "page",           "perPage"};
constexpr Text job_results[] = {"result", "page", "perPage"};
constexpr Text poll[] = {"max", "waitSeconds", "leaseSeconds"};
constexpr Text contract_search[] = {"kind", "cpaId", "state", "page", "perPage"};
constexpr Text match_query[] = {"from", "fromRole", "to", "toRole", "service", "action", "cpaId", "at"};
constexpr Text overwrite[] = {"overwrite"};
constexpr Text limit[] = {"limit"};
constexpr Text cursor[] = {"limit", "cursor"};

constexpr unsigned bad[] = {400U};
constexpr unsigned bad_page[] = {400U};
constexpr unsigned bad_body[] = {400U, 413U, 415U};
constexpr unsigned change[] = {400U, 409U, 412U, 413U, 415U, 428U};
constexpr unsigned removal[] = {400U, 409U, 412U, 428U};
constexpr unsigned submit[] = {400U, 409U, 413U, 415U};
constexpr unsigned decide[] = {400U, 409U, 410U, 413U, 415U};
constexpr unsigned decide_rotation[] = {400U, 409U, 413U, 415U};
constexpr unsigned download[] = {400U, 410U, 416U};
constexpr unsigned partner_call[] = {400U, 409U, 413U, 415U, 502U, 504U};
constexpr unsigned creation[] = {400U, 409U, 413U, 415U};

const Operation operations[] = {
    {"get", "/messages", "zoekBerichten", "Berichten", "Berichten zoeken", Request::none, "", 200, Success::page, "Message", message_search,
     bad_page},
    {"post", "/messages", "verzendBericht", "Berichten", "Een bericht aanbieden om te verzenden", Request::message, "MessageSubmit", 202,
     Success::object, "Message", no_query, submit},
    {"get", "/messages/{id}", "leesBericht", "Berichten", "Een bericht lezen", Request::none, "", 200, Success::object, "Message", no_query,
     bad},
    {"get", "/messages/{id}/payloads/{index}", "leesPayload", "Berichten", "De inhoud van een payload ophalen", Request::none, "", 200,
     Success::octets, "", no_query, download},
    {"get", "/messages/{id}/events", "leesSpoor", "Berichten", "Het spoor van een bericht lezen", Request::none, "", 200, Success::list,
     "TrailEvent", no_query, bad},
    {"post", "/messages/{id}/acknowledgement", "bevestigBericht", "Berichten", "Een ontvangen bericht bevestigen of weigeren",
     Request::json, "Acknowledgement", 204, Success::empty, "", no_query, decide},
    {"post", "/messages/{id}/actions", "voerActieUit", "Berichten", "Een beheeractie op een bericht uitvoeren", Request::json,
     "OperatorAction", 202, Success::object, "OperatorActionRecord", no_query, decide},
    {"get", "/messages/{id}/evidence", "leesBewijs", "Berichten", "Het bewijs van een bericht ophalen", Request::none, "", 200,
     Success::archive, "", no_query, bad},
    {"post", "/message-actions", "voerActiesUit", "Berichten",
     "Een beheeractie op alle berichten van een filter uitvoeren; dryRun toont welke dat zijn", Request::json, "BulkAction", 202,
     Success::object, "Job", no_query, bad_body},
    {"get", "/jobs/{id}", "leesOpdracht", "Berichten", "De voortgang van een opdracht lezen", Request::none, "", 200, Success::object,
     "Job", no_query, bad},
    {"get", "/jobs/{id}/results", "leesOpdrachtresultaten", "Berichten", "Per bericht lezen hoe een opdracht afliep", Request::none, "",
     200, Success::page, "JobResult", job_results, bad_page},
    {"post", "/jobs/{id}/_stop", "stopOpdracht", "Berichten", "Een opdracht stoppen; wat gedaan is blijft gedaan", Request::optional_json,
     "Empty", 200, Success::object, "Job", no_query, creation},
    {"post", "/calls", "roepDienstAan", "Aanroepen", "Een WUS-dienst van een partner aanroepen", Request::json, "Call", 200,
     Success::object, "CallOutcome", no_query, partner_call},
    {"post", "/wus/{contractId}/{operation}", "roepDienstAanMetXml", "Aanroepen", "Dezelfde aanroep met XML heen en terug",
     Request::payload_xml, "", 200, Success::element, "", no_query, partner_call},
    {"post", "/wus/{contractId}", "roepDienstAanMetSoap", "Aanroepen", "Dezelfde aanroep met een SOAP-envelop heen en terug", Request::soap,
     "", 200, Success::soap, "", no_query, partner_call},
    {"get", "/message-events", "leesGebeurtenissen", "Berichten", "Gebeurtenissen lezen die nog niet zijn verwerkt", Request::none, "", 200,
     Success::list, "MessageEvent", limit, bad},
    {"post", "/message-events/{id}/_process", "verwerkGebeurtenis", "Berichten", "Een gebeurtenis als verwerkt aanmerken", Request::none,
     "", 204, Success::empty, "", no_query, bad},
    {"get", "/queues/{name}/messages", "leesWachtrij", "Wachtrijen", "Berichten uit een wachtrij in bruikleen nemen", Request::none, "",
     200, Success::object, "QueueMessages", poll, bad},
    {"post", "/queues/{name}/acknowledgements", "bevestigWachtrij", "Wachtrijen",
     "Geleende berichten bevestigen, weigeren, teruggeven of langer houden", Request::json, "QueueAcknowledgements", 200, Success::object,
     "QueueResults", no_query, bad_body},
    {"get", "/webhooks", "zoekWebhooks", "Webhooks", "Webhooks lezen", Request::none, "", 200, Success::page, "Webhook", pages, bad_page},
    {"post", "/webhooks", "maakWebhook", "Webhooks", "Een webhook registreren", Request::json, "WebhookRequest", 201, Success::object,
     "Webhook", no_query, creation, true},
    {"get", "/webhooks/{id}", "leesWebhook", "Webhooks", "Een webhook lezen", Request::none, "", 200, Success::object, "Webhook", no_query,
     bad, true},
    {"patch", "/webhooks/{id}", "wijzigWebhook", "Webhooks", "Een webhook wijzigen", Request::patch, "WebhookChange", 200, Success::object,
     "Webhook", no_query, change, true, true},
    {"delete", "/webhooks/{id}", "verwijderWebhook", "Webhooks", "Een webhook verwijderen", Request::none, "", 204, Success::empty, "",
     no_query, removal, false, true},
    {"post", "/webhooks/{id}/_test", "testWebhook", "Webhooks", "Een proefaanroep doen", Request::optional_json, "Empty", 200,
     Success::object, "WebhookTestResult", no_query, bad_body},
    {"post", "/webhooks/{id}/secrets", "vernieuwGeheim", "Webhooks", "Het geheim vernieuwen; het oude tekent nog 24 uur mee",
     Request::optional_json, "Empty", 201, Success::object, "Webhook", no_query, bad_body, true},
    {"get", "/contracts", "zoekContracten", "Contracten", "Contracten lezen", Request::none, "", 200, Success::page, "Contract",
     contract_search, bad_page},
    {"post", "/contracts", "importeerContract", "Contracten", "Een CPA of de beschrijving van een dienst (WSDL) importeren", Request::xml,
     "", 201, Success::object, "Contract", overwrite, creation, true},
    {"post", "/contracts/_validate", "controleerContract", "Contracten",
     "Een CPA of de beschrijving van een dienst controleren zonder die op te slaan", Request::xml, "", 200, Success::object, "Validation",
     no_query, bad_body},
    {"get", "/contracts/_match", "zoekPassendContract", "Contracten", "Uitleggen welk contract een bericht zou gebruiken", Request::none,
     "", 200, Success::object, "Match", match_query, bad},
    {"get", "/contracts/{id}", "leesContract", "Contracten", "Een contract lezen", Request::none, "", 200, Success::object, "Contract",
     no_query, bad, true},
    {"patch", "/contracts/{id}", "wijzigContract", "Contracten", "De instellingen van een contract wijzigen", Request::patch,
     "ContractPatch", 200, Success::object, "Contract", no_query, change, true, true},
    {"delete", "/contracts/{id}", "verwijderContract", "Contracten", "Een contract verwijderen", Request::none, "", 204, Success::empty, "",
     no_query, removal, false, true},
    {"get", "/contracts/{id}/document", "leesContractdocument", "Contracten", "Het document zoals het is geladen", Request::none, "", 200,
     Success::document, "", no_query, bad, true},
    {"post", "/contracts/{id}/_activate", "activeerContract", "Contracten", "Een contract actief maken, nu of op een later moment",
     Request::optional_json, "ContractActivation", 200, Success::object, "Contract", no_query, change, true, true},
    {"post", "/contracts/{id}/_suspend", "schortContractOp", "Contracten", "Een contract opschorten", Request::optional_json, "Empty", 200,
     Success::object, "Contract", no_query, change, true, true},
    {"post", "/contracts/{id}/_retire", "trekContractTerug", "Contracten", "Een contract uit gebruik nemen", Request::optional_json,
     "Empty", 200, Success::object, "Contract", no_query, change, true, true},
    {"get", "/url-mappings", "zoekUrlVertalingen", "Contracten", "Vervangende URL's lezen", Request::none, "", 200, Success::page,
     "UrlMapping", pages, bad_page},
    {"post", "/url-mappings", "maakUrlVertaling", "Contracten", "Een URL vervangen", Request::json, "UrlMappingRequest", 201,
     Success::object, "UrlMapping", no_query, bad_body, true},
    {"get", "/url-mappings/{id}", "leesUrlVertaling", "Contracten", "Een vervangende URL lezen", Request::none, "", 200, Success::object,
     "UrlMapping", no_query, bad, true},
    {"delete", "/url-mappings/{id}", "verwijderUrlVertaling", "Contracten", "Een vervangende URL verwijderen", Request::none, "", 204,
     Success::empty, "", no_query, removal, false, true},
    {"get", "/certificate-mappings", "zoekCertificaatvertalingen", "Contracten", "Vervangende certificaten lezen", Request::none, "", 200,
     Success::page, "CertificateMapping", pages, bad_page},
    {"post", "/certificate-mappings", "maakCertificaatvertaling", "Contracten", "Een certificaat vervangen", Request::json,
     "CertificateMappingRequest", 201, Success::object, "CertificateMapping", no_query, bad_body, true},
    {"get", "/certificate-mappings/{id}", "leesCertificaatvertaling", "Contracten", "Een vervangend certificaat lezen", Request::none, "",
     200, Success::object, "CertificateMapping", no_query, bad, true},
    {"delete", "/certificate-mappings/{id}", "verwijderCertificaatvertaling", "Contracten", "Een vervangend certificaat verwijderen",
     Request::none, "", 204, Success::empty, "", no_query, removal, false, true},
    {"get", "/mandates", "zoekMachtigingen", "Contracten", "Machtigingen lezen", Request::none, "", 200, Success::page, "Mandate", pages,
     bad_page},
    {"post", "/mandates", "maakMachtiging", "Contracten", "Een machtiging vastleggen", Request::json, "MandateRequest", 201,
     Success::object, "Mandate", no_query, bad_body, true},
    {"get", "/mandates/{id}", "leesMachtiging", "Contracten", "Een machtiging lezen", Request::none, "", 200, Success::object, "Mandate",
     no_query, bad, true},
    {"patch", "/mandates/{id}", "wijzigMachtiging", "Contracten", "Een machtiging intrekken of laten eindigen", Request::patch,
     "MandatePatch", 200, Success::object, "Mandate", no_query, change, true, true},
    {"get", "/algorithm-exceptions", "zoekAlgoritmeUitzonderingen", "Contracten", "Uitzonderingen op de algoritmelijst lezen",
     Request::none, "", 200, Success::page, "AlgorithmException", pages, bad_page},
    {"post", "/algorithm-exceptions", "maakAlgoritmeUitzondering", "Contracten",
     "Een partner tijdelijk een ouder versleutelalgoritme toestaan, of die toestemming verlengen", Request::json,
     "AlgorithmExceptionRequest", 201, Success::object, "AlgorithmException", no_query, bad_body, true},
    {"get", "/algorithm-exceptions/{id}", "leesAlgoritmeUitzondering", "Contracten", "Een uitzondering lezen", Request::none, "", 200,
     Success::object, "AlgorithmException", no_query, bad, true},
    {"delete", "/algorithm-exceptions/{id}", "verwijderAlgoritmeUitzondering", "Contracten", "Een uitzondering intrekken", Request::none,
     "", 204, Success::empty, "", no_query, removal, false, true},
    {"get", "/routes", "leesRoutetabel", "Contracten", "De routetabel lezen", Request::none, "", 200, Success::object, "RoutingTable",
     no_query, bad, true},
    {"put", "/routes", "vervangRoutetabel", "Contracten", "De routetabel vervangen; geldt voor nieuwe berichten", Request::json,
     "RoutingTableRequest", 200, Success::object, "RoutingTable", no_query, change, true, true},
    {"post", "/routes/_evaluate", "evalueerRoutes", "Contracten", "Uitleggen welke regel van de routetabel een bericht zou gebruiken",
     Request::json, "RouteQuestion", 200, Success::object, "RouteEvaluation", no_query, bad_body},
    {"post", "/routes/_rollback", "herstelRoutetabel", "Contracten", "Een eerdere versie van de routetabel weer laten gelden",
     Request::json, "RouteRollback", 200, Success::object, "RoutingTable", no_query, change, true, true},
    {"get", "/routes/versions", "zoekRoutetabelversies", "Contracten", "De bewaarde versies van de routetabel, de nieuwste eerst",
     Request::none, "", 200, Success::page, "RoutingTableVersion", pages, bad_page},
    {"get", "/routes/versions/{version}", "leesRoutetabelversie", "Contracten", "Een versie van de routetabel lezen", Request::none, "",
     200, Success::object, "RoutingTable", no_query, bad},
    {"get", "/partners", "zoekPartners", "Contracten", "Partners lezen", Request::none, "", 200, Success::page, "Partner", pages, bad_page},
    {"get", "/partners/{oin}", "leesPartner", "Contracten", "Een partner lezen", Request::none, "", 200, Success::object, "Partner",
     no_query, bad},
    {"post", "/partners/{oin}/_ping", "pingPartner", "Contracten", "Een ebMS-ping naar een partner sturen", Request::optional_json,
     "PingRequest", 200, Success::object, "PingResult", no_query, partner_call},
    {"get", "/api-keys", "zoekSleutels", "Beheer", "API-sleutels lezen", Request::none, "", 200, Success::page, "ApiKey", pages, bad_page},
    {"post", "/api-keys", "maakSleutel", "Beheer", "Een API-sleutel maken; de sleutel wordt eenmaal getoond", Request::json,
     "ApiKeyRequest", 201, Success::object, "ApiKey", no_query, bad_body, true},
    {"get", "/api-keys/{id}", "leesSleutel", "Beheer", "Een API-sleutel lezen", Request::none, "", 200, Success::object, "ApiKey", no_query,
     bad, true},
    {"delete", "/api-keys/{id}", "trekSleutelIn", "Beheer", "Een API-sleutel intrekken", Request::none, "", 204, Success::empty, "",
     no_query, removal, false, true},
    {"get", "/roles", "leesRollen", "Beheer", "Rollen en hun rechten lezen", Request::none, "", 200, Success::list, "Role", no_query, bad},
    {"get", "/nodes", "zoekNodes", "Beheer", "Nodes lezen", Request::none, "", 200, Success::page, "Node", pages, bad_page},
    {"patch", "/nodes/{id}", "wijzigNode", "Beheer", "Een node laten leeglopen of hervatten", Request::patch, "NodePatch", 200,
     Success::object, "Node", no_query, bad_body},
    {"get", "/audit-events", "leesAuditlog", "Beheer", "Het auditlog lezen", Request::none, "", 200, Success::object, "AuditEvents", cursor,
     bad},
    {"get", "/certificates", "zoekCertificaten", "Beheer", "Eigen certificaten lezen", Request::none, "", 200, Success::page, "Certificate",
     pages, bad_page},
    {"post", "/certificates/{id}/_activate", "activeerCertificaat", "Beheer", "Een certificaat het laten overnemen, nu of later",
     Request::json, "CertificateActivation", 200, Success::object, "ActivatedCertificate", no_query, decide_rotation},
    {"post", "/certificates/{id}/_rotate", "roteerMetSpoed", "Beheer", "Een gecompromitteerde sleutel direct buiten gebruik stellen",
     Request::json, "EmergencyRotation", 200, Success::object, "EmergencyRotationPlan", no_query, decide_rotation},
    {"get", "/trust-anchors", "zoekAnkers", "Beheer", "Vertrouwensankers lezen", Request::none, "", 200, Success::page, "TrustAnchor",
     pages, bad_page},
    {"get", "/crls", "zoekCrls", "Beheer", "Intrekkingslijsten lezen", Request::none, "", 200, Success::page, "Crl", pages, bad_page},
    {"get", "/settings", "leesInstellingen", "Beheer", "Geldende instellingen lezen", Request::none, "", 200, Success::list, "Setting",
     no_query, bad},
};

// --- parts -------------------------------------------------------------------------------------------------------------------------

struct QueryKey {
  Text name, schema, description;
};
constexpr QueryKey query_keys[] = {
    {"page", R"({"type":"integer","minimum":1,"default":1})", "Bladzijde, vanaf 1."},
    {"perPage", R"({"type":"integer","minimum":1,"maximum":100,"default":20})", "Aantal per bladzijde."},
    {"direction", R"({"type":"string","enum":["inbound","outbound"]})", "Richting."},
    {"protocol", R"({"type":"string","enum":["ebms","wus","rest","gb","event","report"]})", "Protocol."},
    {"state", R"({"type":"string"})", "Toestand; bij berichten meer toestanden gescheiden door komma's."},
    {"contractId", R"({"type":"string"})", "Contract."},
    {"cpaId", R"({"type":"string"})", "CPAId, exact."},
    {"fromOin", R"({"type":"string"})", "OIN van de afzender."},
    {"toOin", R"({"type":"string"})", "OIN van de ontvanger."},
    {"service", R"({"type":"string"})", "Service, exact."},
    {"action", R"({"type":"string"})", "Action, exact."},
    {"messageId", R"({"type":"string"})", "MessageId, exact."},
    {"conversationId", R"({"type":"string"})", "ConversationId, exact."},
    {"refToMessageId", R"({"type":"string"})", "RefToMessageId, exact."},
    {"traceId", R"({"type":"string","pattern":"^[0-9a-f]{32}$"})", "Trace-id van W3C Trace Context."},
    {"label", R"({"type":"string"})", "Label, als naam:waarde."},
    {"result", R"({"type":"string","enum":["waiting","done","failed"]})", "Afloop per bericht."},
    {"sort", R"({"type":"string","enum":["createdAt","-createdAt"],"default":"-createdAt"})", "Volgorde; een minteken is aflopend."},
    {"receivedFrom", R"({"type":"string","format":"date-time"})", "Vanaf dit tijdstip vastgelegd."},
    {"receivedUntil", R"({"type":"string","format":"date-time"})", "Tot dit tijdstip vastgelegd."},
    {"errorCode", R"({"type":"string"})", "Code van de laatste fout."},
    {"max", R"({"type":"integer","minimum":1,"maximum":100,"default":10})", "Hoogste aantal berichten."},
    {"waitSeconds", R"({"type":"integer","minimum":0,"maximum":60,"default":0})", "Zo lang wachten tot er iets is."},
    {"leaseSeconds", R"({"type":"integer","minimum":10,"maximum":900,"default":60})", "Duur van de bruikleen."},
    {"limit", R"({"type":"integer","minimum":1,"maximum":100,"default":20})", "Hoogste aantal."},
    {"cursor", R"({"type":"string"})", "Waar de vorige lijst ophield."},
    {"kind", R"({"type":"string","enum":["cpa","wsdl","oas","gb","fsc"]})", "Soort contract."},
    {"overwrite", R"({"type":"boolean","default":false})", "Vervang een contract met hetzelfde cpaId."},
    {"from", R"({"type":"string"})", "OIN van de afzender."},
    {"fromRole", R"({"type":"string"})", "Rol van de afzender."},
    {"to", R"({"type":"string"})", "OIN van de ontvanger."},
    {"toRole", R"({"type":"string"})", "Rol van de ontvanger."},
    {"at", R"({"type":"string","format":"date-time"})", "Tijdstip; nu als het ontbreekt."},
};

struct RefusalName {
  unsigned status;
  Text name, description;
};
constexpr RefusalName refusal_names[] = {
    {400, "InvalidInput", "Ongeldige invoer; errors noemt alle fouten."},
    {401, "Unauthenticated", "Inloggegevens ontbreken of zijn niet geldig."},
    {403, "Forbidden", "Het recht ontbreekt."},
    {404, "NotFound", "Bestaat niet, of niet voor deze tenant."},
    {406, "NotAcceptable", "Gevraagd mediatype niet beschikbaar."},
    {409, "Conflict", "De toestand staat dit niet toe."},
    {410, "Gone", "De inhoud is opgeruimd."},
    {412, "VersionConflict", "De versie in If-Match is verouderd."},
    {413, "TooLarge", "De inhoud is te groot."},
    {415, "UnsupportedMediaType", "Mediatype niet ondersteund."},
    {416, "RangeNotSatisfiable", "Het bereik ligt buiten de inhoud."},
    {428, "VersionMissing", "If-Match ontbreekt."},
    {500, "InternalError", "Interne fout."},
    {502, "PartnerFailed", "De partner is niet bereikt of gaf een fout."},
    {503, "Unavailable", "Nu niet beschikbaar; probeer het later."},
    {504, "PartnerTimeout", "De partner antwoordt niet op tijd."},
};

OrderedJson reference(Text section, Text name) {
  return {{"$ref", "#/components/" + std::string(section) + "/" + std::string(name)}};
}
OrderedJson schema_of(Text name) {
  return reference("schemas", name);
}

OrderedJson parameters_of(const Operation& operation) {
  auto out = OrderedJson::array();
  for (auto rest = operation.path; rest.find('{') != Text::npos;) {
    const auto begin = rest.find('{') + 1, end = rest.find('}');
    out.push_back({{"name", rest.substr(begin, end - begin)}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
    rest.remove_prefix(end + 1);
  }
  for (const auto name : operation.query) {
    const auto* key = std::find_if(std::begin(query_keys), std::end(query_keys), [&](const QueryKey& one) { return one.name == name; });
    out.push_back({{"name", name}, {"in", "query"}, {"description", key->description}, {"schema", OrderedJson::parse(key->schema)}});
  }
  if (operation.conditional) out.push_back(reference("parameters", "IfMatch"));
  if (operation.request == Request::message) out.push_back(reference("parameters", "IdempotencyKey"));
  if (operation.success == Success::octets) out.push_back(reference("parameters", "Range"));
  return out;
}

OrderedJson mtom(Text what) {
  return {{"schema", {{"type", "string"}, {"format", "binary"}, {"description", what}}}};
}

std::optional<OrderedJson> request_of(const Operation& operation) {
  const auto schema = [&] { return OrderedJson{{"schema", schema_of(operation.request_schema)}}; };
  OrderedJson body;
  body["required"] = operation.request != Request::optional_json;
  auto& content = body["content"] = OrderedJson::object();
  switch (operation.request) {
    case Request::none:
      return std::nullopt;
    case Request::json:
    case Request::optional_json:
      content["application/json"] = schema();
      break;
    case Request::patch:
      content["application/merge-patch+json"] = schema();
      break;
    case Request::xml:
      content["application/xml"] = {{"schema", {{"type", "string"}, {"description", "De CPA, hooguit 2 MiB."}}}};
      content["text/xml"] = {{"schema", {{"type", "string"}}}};
      content["multipart/form-data"] = {{"schema", schema_of("ServiceForm")}};
      break;
    case Request::payload_xml:
      for (const Text type : {"application/xml", "text/xml"})
        content[std::string(type)] = {{"schema", {{"type", "string"}, {"description", "Het element in de Body."}}}};
      content["multipart/related"] = mtom("Het element in de Body als MTOM; het antwoord is dat dan ook.");
      break;
    case Request::soap:
      content["text/xml"] = {{"schema", {{"type", "string"}, {"description", "Een SOAP 1.1-envelop met wsa:Action."}}}};
      content["multipart/related"] = mtom("De envelop als MTOM; het antwoord is dat dan ook.");
      break;
    case Request::message:
      content["application/json"] = schema();
      content["multipart/form-data"] = {{"schema", schema_of("MessageForm")}};
      break;
  }
  return body;
}

OrderedJson success_of(const Operation& operation) {
  OrderedJson out;
  out["description"] = operation.status == 204   ? "Gelukt."
                       : operation.status == 202 ? "Aangenomen en duurzaam vastgelegd."
                       : operation.status == 201 ? "Gemaakt."
                                                 : "Gelukt.";
  auto& headers = out["headers"] = OrderedJson::object();
  headers["API-Version"] = reference("headers", "ApiVersion");
  if (operation.versioned) headers["ETag"] = reference("headers", "ETag");
  if (operation.status == 201 || operation.status == 202) headers["Location"] = reference("headers", "Location");
  if (operation.success == Success::page) {
    for (const Text name : {"Link", "Total-Count", "Total-Pages", "Per-Page", "Current-Page"}) {
      std::string component(name);
      std::erase(component, '-');
      headers[std::string(name)] = reference("headers", component);
    }
  }
  if (operation.success == Success::octets) headers["Repr-Digest"] = reference("headers", "ReprDigest");
  OrderedJson content;
  switch (operation.success) {
    case Success::empty:
      return out;
    case Success::object:
      content = {{"application/json", {{"schema", schema_of(operation.schema)}}}};
      break;
    case Success::list:
    case Success::page:
      content = {{"application/json", {{"schema", {{"type", "array"}, {"items", schema_of(operation.schema)}}}}}};
      break;
    case Success::octets:
      content = {{"application/octet-stream", {{"schema", {{"type", "string"}, {"format", "binary"}}}}}};
      break;
    case Success::archive:
      content = {{"application/zip", {{"schema", {{"type", "string"}, {"format", "binary"}}}}}};
      break;
    case Success::soap:
      content = {{"text/xml", {{"schema", {{"type", "string"}}}}}, {"multipart/related", mtom("Het antwoord op een aanroep als MTOM.")}};
      break;
    case Success::element:
      content = {{"application/xml", {{"schema", {{"type", "string"}}}}},
                 {"multipart/related", mtom("Het antwoord op een aanroep als MTOM.")}};
      break;
    case Success::document:
      content = {{"application/xml", {{"schema", {{"type", "string"}}}}}};
      break;
  }
  out["content"] = std::move(content);
  return out;
}

OrderedJson responses_of(const Operation& operation) {
  std::map<unsigned, OrderedJson> sorted;
  sorted[operation.status] = success_of(operation);
  // An import of what is there already, or a mapping that replaces one, makes nothing new.
  const bool may_be_there =
      operation.id == "importeerContract" || operation.id == "maakUrlVertaling" || operation.id == "maakCertificaatvertaling";
  if (may_be_there) {
    Operation again = operation;
    again.status = 200;
    sorted[200] = success_of(again);
  }
  if (operation.id == "voerActiesUit") {
    Operation shown = operation;
    shown.status = 200;
    shown.schema = "BulkPreview";
    sorted[200] = success_of(shown);
    sorted[200]["description"] = "Wat de actie zou raken; er is niets gedaan.";
  }
  if (operation.success == Success::octets) {
    sorted[206] = success_of(operation);
    sorted[206]["description"] = "Het gevraagde bereik.";
  }
  const auto refuse = [&](unsigned status) {
    const auto* name =
        std::find_if(std::begin(refusal_names), std::end(refusal_names), [&](const RefusalName& one) { return one.status == status; });
    sorted[status] = reference("responses", name->name);
  };
  for (const unsigned status : operation.refusals) refuse(status);
  for (const unsigned status : {401U, 403U, 404U, 406U, 500U, 503U}) refuse(status);
  OrderedJson out;
  for (auto& [status, response] : sorted) out[std::to_string(status)] = std::move(response);
  return out;
}

OrderedJson paths() {
  OrderedJson out;
  for (const auto& operation : operations) {
    OrderedJson one;
    one["operationId"] = operation.id;
    one["tags"] = {operation.tag};
    one["summary"] = operation.summary;
    if (auto parameters = parameters_of(operation); !parameters.empty()) one["parameters"] = std::move(parameters);
    if (auto request = request_of(operation)) one["requestBody"] = std::move(*request);
    one["responses"] = responses_of(operation);
    out[std::string(operation.path)][std::string(operation.method)] = std::move(one);
  }
  // The document describes its own place too.
  for (const Text name : {"json", "yaml"}) {
    OrderedJson success{{"description", "Dit document."}, {"headers", {{"API-Version", reference("headers", "ApiVersion")}}}};
    success["content"][name == "json" ? "application/json" : "application/yaml"] = {{"schema", {{"type", "object"}}}};
    out["/openapi." + std::string(name)]["get"] = {{"operationId", "leesOpenapi" + std::string(name == "json" ? "Json" : "Yaml")},
                                                   {"tags", {"Beschrijving"}},
                                                   {"summary", "Deze beschrijving lezen, zonder in te loggen"},
                                                   {"security", OrderedJson::array()},
                                                   {"responses", {{"200", success}, {"500", reference("responses", "InternalError")}}}};
  }
  return out;
}

OrderedJson header(Text type, Text description) {
  return {{"description", description}, {"schema", {{"type", type}}}};
}

OrderedJson components() {
  OrderedJson out;
  for (const Text text : {message_schemas, contract_schemas, operation_schemas}) {
    const auto schemas = OrderedJson::parse(text);
    for (const auto& [name, schema] : schemas.items()) out["schemas"][name] = schema;
  }
  out["headers"] = {{"ApiVersion", header("string", "Volledig versienummer van deze API.")},
                    {"ETag", header("string", "Versie van het object, voor If-Match.")},
                    {"Location", header("string", "Waar het object te lezen is.")},
                    {"ReprDigest", header("string", "SHA-256 van de hele inhoud (RFC 9530).")},
                    {"Link", header("string", "first, prev, next en last (RFC 8288).")},
                    {"TotalCount", header("integer", "Aantal in de hele lijst.")},
                    {"TotalPages", header("integer", "Aantal bladzijden.")},
                    {"PerPage", header("integer", "Aantal per bladzijde.")},
                    {"CurrentPage", header("integer", "Deze bladzijde.")}};
  out["parameters"]["IfMatch"] = {{"name", "If-Match"},
                                  {"in", "header"},
                                  {"required", true},
                                  {"description", "De ETag van het object zoals het is gelezen."},
                                  {"schema", {{"type", "string"}}}};
  out["parameters"]["IdempotencyKey"] = {
      {"name", "Idempotency-Key"},
      {"in", "header"},
      {"description", "Een herhaling met dezelfde sleutel en inhoud maakt geen tweede bericht; het eerste antwoord komt terug."},
      {"schema", {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}}};
  out["parameters"]["Range"] = {
      {"name", "Range"}, {"in", "header"}, {"description", "Een bereik van octetten."}, {"schema", {{"type", "string"}}}};
  for (const auto& refusal : refusal_names) {
    out["responses"][std::string(refusal.name)] = {{"description", refusal.description},
                                                   {"headers", {{"API-Version", reference("headers", "ApiVersion")}}},
                                                   {"content", {{"application/problem+json", {{"schema", schema_of("Problem")}}}}}};
  }
  out["securitySchemes"] = {{"ApiKey", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-Api-Key"}}},
                            {"Bearer", {{"type", "http"}, {"scheme", "bearer"}}}};
  return out;
}

void write_yaml(const OrderedJson& value, std::size_t depth, std::string& out) {
  const auto indent = [&] { out.append(depth * 2, ' '); };
  if (value.is_object() && !value.empty()) {
    for (const auto& [name, member] : value.items()) {
      indent();
      out += OrderedJson(name).dump() + ":";
      const bool nested = member.is_structured() && !member.empty();
      out += nested ? "\n" : " ";
      write_yaml(member, depth + 1, out);
    }
  } else if (value.is_array() && !value.empty()) {
    for (const auto& element : value) {
      indent();
      const bool nested = element.is_structured() && !element.empty();
      out += nested ? "-\n" : "- ";
      write_yaml(element, depth + 1, out);
    }
  } else {
    out += value.dump() + "\n";
  }
}

}  // namespace

OrderedJson openapi_document() {
  OrderedJson out;
  out["openapi"] = "3.0.3";
  out["info"] = {{"title", "Schakel"},
                 {"version", http::api_version},
                 {"description",
                  "Berichten uitwisselen over Digikoppeling en de adapter beheren. Alle tijdstippen zijn UTC; fouten zijn problem details "
                  "(RFC 9457)."},
                 {"contact", {{"name", "Schakel"}, {"url", "https://schakel.example/contact"}, {"email", "beheer@schakel.example"}}},
                 {"license", {{"name", "EUPL-1.2"}, {"url", "https://joinup.ec.europa.eu/collection/eupl/eupl-text-eupl-12"}}}};
  out["servers"] = {
      {{"url", "https://schakel.example" + std::string(base_path)}, {"description", "Vervang de host door die van de eigen node."}}};
  out["security"] = {{{"ApiKey", OrderedJson::array()}}, {{"Bearer", OrderedJson::array()}}};
  out["tags"] = OrderedJson::array();
  for (const Text tag : {"Berichten", "Aanroepen", "Wachtrijen", "Webhooks", "Contracten", "Beheer", "Beschrijving"})
    out["tags"].push_back({{"name", tag}});
  out["paths"] = paths();
  out["components"] = components();
  return out;
}

const std::string& openapi_json() {
  static const std::string text = openapi_document().dump(2) + "\n";
  return text;
}

const std::string& openapi_yaml() {
  static const std::string text = to_yaml(openapi_document());
  return text;
}

std::string to_yaml(const OrderedJson& value) {
  std::string out;
  write_yaml(value, 0, out);
  return out;
}

std::optional<http::Response> serve_openapi(const http::Request& request, std::string_view path) {
  const bool json = path == "/openapi.json";
  if (!json && path != "/openapi.yaml") return std::nullopt;
  http::Response response;
  response.headers.set("Access-Control-Allow-Origin", "*");
  if (request.method == "OPTIONS") {
    response.status = 204;
    response.headers.set("Allow", "GET, HEAD, OPTIONS");
    return response;
  }
  if (request.method != "GET" && request.method != "HEAD") {
    auto refused = http::problem("request.methodNotAllowed", "Deze methode bestaat hier niet.", request.request_id);
    refused.headers.set("Allow", "GET, HEAD, OPTIONS");
    return refused;
  }
  response.headers.set("Content-Type", json ? "application/json" : "application/yaml");
  response.body = json ? openapi_json() : openapi_yaml();
  return response;
}

}  // namespace schakel::api
