#include "api/service_contracts.hpp"

#include "http/fields.hpp"
#include "http/multipart.hpp"

namespace schakel::api {
namespace {

using exchange::Contract;
using http::Response;

// One part of the form to its end.
http::Awaitable<Answer<std::string>> read_part(http::MultipartReader& form, std::size_t bytes_max) {
  auto octets = co_await http::read_all(form, bytes_max);
  if (octets) co_return std::move(*octets);
  if (octets.error().code == "http.bodyTooLarge")
    co_return Refusal("http.bodyTooLarge", "Een deel is groter dan " + std::to_string(bytes_max) + " octetten.");
  co_return Refusal(octets.error());
}

Refusal wrong_form(std::string detail) {
  Faults faults;
  add_fault(faults, "body", "", "form", std::move(detail));
  return judge(std::move(faults)).error();
}

// The part `contract`.
Answer<> read_members(const std::string& text, ServiceUpload& upload) {
  auto json = read_json(text);
  if (!json) return json.error();
  Faults faults;
  Members members(*json, "", faults);
  const auto kind = members.choice("kind", {"wsdl"}, Need::required);
  upload.name = members.text("name").value_or("");
  upload.bundle.main = members.text("main").value_or("");
  if (const auto* settings = members.object("settings", Need::required)) upload.terms = settings->dump();
  members.end();
  return judge(std::move(faults));
}

std::string_view severity_name(wus::Severity severity) {
  return severity == wus::Severity::error ? "error" : severity == wus::Severity::warning ? "warning" : "info";
}

OrderedJson findings_json(const wus::Import& import) {
  auto out = OrderedJson::array();
  for (const auto& finding : import.findings) {
    OrderedJson one{{"code", finding.rule},
                    {"severity", severity_name(finding.severity)},
                    {"document", finding.document},
                    {"path", finding.location},
                    {"message", finding.message}};
    if (finding.line > 0) one["line"] = finding.line;
    out.push_back(std::move(one));
  }
  return out;
}

OrderedJson operations_json(const std::vector<wus::Operation>& operations) {
  auto out = OrderedJson::array();
  for (const auto& operation : operations) {
    auto faults = OrderedJson::array();
    for (const auto& fault : operation.faults)
      faults.push_back({{"name", fault.name}, {"element", to_string(fault.element)}, {"action", fault.action}});
    out.push_back({{"name", operation.name},
                   {"input", to_string(operation.input)},
                   {"output", to_string(operation.output)},
                   {"inputAction", operation.input_action},
                   {"outputAction", operation.output_action},
                   {"faults", std::move(faults)}});
  }
  return out;
}

Faults faults_of(const std::vector<Error>& errors) {
  Faults faults;
  for (const auto& error : errors) add_fault(faults, "body", "/settings" + error.location, error.code, error.detail);
  return faults;
}

wus::Offered offered(const Office& office, std::string_view tenant) {
  return {.now = office.now(), .production = office.environment_of(tenant) == "production"};
}

// What the documents or the settings are refused for, all of it.
Refusal refusal_of(const wus::JudgedService& judged) {
  Refusal refusal("contract.invalid",
                  judged.import.ok() ? "De instellingen van het contract zijn niet goed." : "De beschrijving van de dienst is niet goed.");
  refusal.errors = faults_of(judged.faults);
  refusal.members["findings"] = findings_json(judged.import);
  return refusal;
}

// WUS-322: what departs from the standard for a time, and for whom.
OrderedJson exceptions_json(const wus::ServiceTerms& terms) {
  auto out = OrderedJson::array();
  for (const auto& exception : wus::exceptions_of(terms)) {
    OrderedJson one{{"setting", exception.setting}};
    if (!exception.partner_oin.empty()) one["partnerOin"] = exception.partner_oin;
    if (exception.until) one["until"] = to_rfc3339(*exception.until);
    out.push_back(std::move(one));
  }
  return out;
}

Json for_audit(const Contract& contract) {
  return {{"name", contract.name}, {"digest", contract.digest}, {"state", to_string(contract.state)}};
}

}  // namespace

bool is_service_upload(const http::Request& request) {
  const auto type = http::parse_media_type(request.headers.find("Content-Type").value_or(""), http::Unquoted::anything);
  return type && type->type == "multipart/form-data";
}

http::Awaitable<Answer<ServiceUpload>> read_service_upload(const Office& office, Visit& visit) {
  auto form = http::MultipartReader::make(
      *visit.request.headers.find("Content-Type"), *visit.request.body,
      {.parts_max = wus::bundle_documents_max + 2, .part_header_bytes_max = limits::ebms_part_header_bytes_max});
  if (!form) co_return Refusal(form.error());
  ServiceUpload upload;
  bool described = false;
  std::string first;
  std::size_t bytes_left = wus::bundle_bytes_max;
  for (;;) {
    auto part = co_await (*form)->next();
    if (!part) co_return Refusal(part.error());
    if (!*part) break;
    const auto& head = **part;
    const bool is_contract = head.name == "contract";
    if (!is_contract && head.name != "document") co_return wrong_form("de delen heten contract en document");
    if (is_contract && described) co_return wrong_form("er is meer dan een deel contract");
    if (!is_contract && (!head.file_name || head.file_name->empty())) co_return wrong_form("een deel document heeft een bestandsnaam");
    auto octets = co_await read_part(**form, is_contract ? office.settings.json_bytes_max : bytes_left);
    if (!octets) co_return octets.error();
    if (is_contract) {
      described = true;
      if (auto read = read_members(*octets, upload); !read) co_return read.error();
      continue;
    }
    bytes_left -= octets->size();
    if (first.empty()) first = *head.file_name;
    if (!upload.bundle.documents.emplace(*head.file_name, std::move(*octets)).second)
      co_return wrong_form("twee documenten heten hetzelfde");
  }
  if (!described) co_return wrong_form("het deel contract ontbreekt");
  if (upload.bundle.main.empty()) upload.bundle.main = first;
  co_return upload;
}

wus::JudgedService judge_upload(const Office& office, const std::string& tenant, const ServiceUpload& upload) {
  return wus::judge_service(upload.bundle, upload.terms, offered(office, tenant));
}

OrderedJson validation_json(const wus::JudgedService& judged) {
  OrderedJson out{{"kind", wus::contract_kind}, {"wellFormed", judged.import.wsdl.has_value()}, {"schemaValid", !judged.refused()}};
  auto profiles = OrderedJson::array();
  if (judged.terms) profiles.push_back(to_string(judged.terms->settings.profile));
  out["profiles"] = std::move(profiles);
  if (judged.import.wsdl) {
    out["name"] = judged.import.wsdl->name;
    out["operations"] = operations_json(judged.import.wsdl->operations);
  }
  auto findings = findings_json(judged.import);
  for (const auto& fault : judged.faults)
    findings.push_back({{"code", fault.code}, {"severity", "error"}, {"path", "/settings" + fault.location}, {"message", fault.detail}});
  out["findings"] = std::move(findings);
  return out;
}

Answer<Response> store_upload(sql::Transaction& tx, const Office& office, const Visit& visit, const ServiceUpload& upload,
                              const wus::JudgedService& judged, bool overwrite) {
  if (judged.refused()) return refusal_of(judged);
  SCHAKEL_TRY(const auto put,
              wus::put_service(tx, visit.tenant(), upload.name, judged, overwrite, office.dependencies.random, office.now()));
  const bool is_new = put.outcome == wus::PutOutcome::created;
  if (put.outcome != wus::PutOutcome::unchanged)
    SCHAKEL_CHECK(
        audit(tx, office, visit, is_new ? "contract.import" : "contract.replace", put.contract.id, nullptr, for_audit(put.contract)));
  auto body = service_json(put.contract);
  body["findings"] = findings_json(judged.import);
  auto response = versioned_response(is_new ? 201 : 200, body, put.contract.version);
  response.headers.set("Location", std::string(base_path) + "/contracts/" + put.contract.id);
  return response;
}

OrderedJson service_json(const Contract& contract) {
  OrderedJson out{{"id", contract.id},
                  {"kind", contract.kind},
                  {"name", contract.name},
                  {"digest", contract.digest},
                  {"state", to_string(contract.state)},
                  {"createdAt", to_rfc3339(contract.created_at)},
                  {"changedAt", to_rfc3339(contract.changed_at)}};
  if (contract.retired_at) out["retiredAt"] = to_rfc3339(*contract.retired_at);
  out["settings"] = OrderedJson::parse(contract.settings.empty() ? "{}" : contract.settings, nullptr, false);
  std::vector<Error> faults;
  if (const auto terms = wus::read_terms(contract.settings, std::nullopt, faults)) {
    out["exceptions"] = exceptions_json(*terms);
    out["compliant"] = out["exceptions"].empty();
  }
  if (const auto service = wus::make_service(contract, nullptr)) {
    out["role"] = to_string((*service)->role);
    out["profiles"] = OrderedJson::array({to_string((*service)->settings.profile)});
    out["operations"] = operations_json((*service)->operations);
  }
  return out;
}

Answer<wus::JudgedService> judge_change(const Office& office, const Contract& contract, const Json& patch) {
  Json merged = Json::parse(contract.settings.empty() ? "{}" : contract.settings, nullptr, false);
  merged.merge_patch(patch);
  auto judged = wus::judge_service(contract, merged.dump(), offered(office, contract.tenant));
  if (!judged.faults.empty() || !judged.terms) return judge(faults_of(judged.faults)).error();
  return judged;
}

}  // namespace schakel::api
