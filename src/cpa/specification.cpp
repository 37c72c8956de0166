#include "cpa/specification.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/json_library.hpp"
#include "base/limits.hpp"
#include "base/oin.hpp"
#include "cpa/names.hpp"
#include "xml/grammar.hpp"

namespace schakel::cpa {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using xml::Type;

constexpr std::string_view specification_namespace = "urn:schakel:cpa-service-specification:1";
constexpr std::size_t identifying_name_chars_max = 100;

Error invalid(std::string detail, std::string place = {}) {
  return fail("specification.invalid", std::move(detail), std::move(place));
}

const xml::Grammar& specification_grammar() {
  const auto ns = specification_namespace;
  const auto must = [](std::string_view name, Type type = Type::non_empty_string, std::vector<std::string_view> values = {}) {
    return xml::AttributeRule{"", name, type, true, std::move(values)};
  };
  const auto may = [](std::string_view name, Type type = Type::string, std::vector<std::string_view> values = {}) {
    return xml::AttributeRule{"", name, type, false, std::move(values)};
  };
  static const xml::Grammar made({
      {ns,
       "ServiceSpecification",
       Type::none,
       {must("identifyingName"), must("version", Type::integer), must("providerOin"), must("profile"), may("environment"), may("title"),
        may("description")},
       false,
       {{ns, "Process"},
        {ns, "Role", 2, 2},
        {ns, "Service", 1, -1},
        {ns, "Reliability", 0, 1},
        {ns, "Security", 0, 1},
        {ns, "AutoApproval", 0, 1}}},
      {ns, "Process", Type::none, {must("name"), must("version"), must("uri", Type::any_uri), may("uuid", Type::any_uri)}},
      {ns, "Role", Type::none, {must("name"), must("side", Type::nmtoken, {"provider", "consumer"})}},
      {ns, "Service", Type::none, {must("name"), may("type")}, false, {{ns, "Message", 1, -1}}},
      {ns,
       "Message",
       Type::none,
       {must("action"), must("from"), must("to"), may("mimeType"), may("timeToPerform", Type::duration), may("schemaUri", Type::any_uri),
        may("profile")}},
      {ns,
       "Reliability",
       Type::none,
       {may("retries", Type::non_negative_integer), may("retryInterval", Type::duration), may("persistDuration", Type::duration),
        may("messageOrder", Type::nmtoken, {"Guaranteed", "NotGuaranteed"}),
        may("syncReplyMode", Type::nmtoken, {"none", "mshSignalsOnly"})}},
      {ns, "Security", Type::none, {may("hashFunction"), may("signatureAlgorithm"), may("encryptionAlgorithm")}},
      {ns, "AutoApproval", Type::none, {must("mode", Type::nmtoken, {"none", "all", "list"})}, false, {{ns, "Oin", 0, -1}}},
      {ns, "Oin", Type::non_empty_string},
  });
  return made;
}

// The XML as the JSON of the same names: one reader for both forms.
json attributes_of(xml::Element element, std::initializer_list<const char*> attribute_names) {
  json out = json::object();
  for (const auto* name : attribute_names) {
    if (auto value = element.attribute("", name)) out[name] = std::string(trim(*value));
  }
  return out;
}

json json_of(xml::Element root) {
  const auto child = [&](std::string_view name) { return root.child(specification_namespace, name); };
  auto out = attributes_of(root, {"identifyingName", "version", "providerOin", "profile", "environment", "title", "description"});
  out["process"] = attributes_of(child("Process"), {"name", "version", "uri", "uuid"});
  for (const auto role : root.children(specification_namespace, "Role")) out["roles"].push_back(attributes_of(role, {"name", "side"}));
  for (const auto service : root.children(specification_namespace, "Service")) {
    auto made = attributes_of(service, {"name", "type"});
    for (const auto message : service.children(specification_namespace, "Message")) {
      made["messages"].push_back(attributes_of(message, {"action", "from", "to", "mimeType", "timeToPerform", "schemaUri", "profile"}));
    }
    out["services"].push_back(std::move(made));
  }
  if (const auto found = child("Reliability")) {
    out["reliability"] = attributes_of(found, {"retries", "retryInterval", "persistDuration", "messageOrder", "syncReplyMode"});
  }
  if (const auto found = child("Security")) {
    out["security"] = attributes_of(found, {"hashFunction", "signatureAlgorithm", "encryptionAlgorithm"});
  }
  if (const auto found = child("AutoApproval")) {
    out["autoApproval"] = attributes_of(found, {"mode"});
    for (const auto oin : found.children(specification_namespace, "Oin"))
      out["autoApproval"]["oins"].push_back(std::string(trim(oin.text())));
  }
  return out;
}

// Reads JSON by name; the first thing wrong is kept, with its pointer.
class Fields {
 public:
  Fields(const json& object, std::string pointer, std::optional<Error>& fault)
      : object_(object), pointer_(std::move(pointer)), fault_(fault) {
    if (!object_.is_object()) wrong("must be an object", pointer_);
  }

  std::string text(const char* name, bool required = false, std::string fallback = {}) {
    const auto* value = find(name, required);
    if (value == nullptr) return fallback;
    if (!value->is_string()) return wrong("must be text", at(name)), std::string();
    return value->get<std::string>();
  }
  std::optional<std::int64_t> number(const char* name, bool required = false) {
    const auto* value = find(name, required);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_integer()) return value->get<std::int64_t>();
    // From XML every value is text.
    if (value->is_string() && xml::matches(Type::non_negative_integer, value->get<std::string>())) {
      const auto digits = value->get<std::string>();
      if (digits.size() <= 9) return std::stoll(digits);
    }
    wrong("must be a number", at(name));
    return std::nullopt;
  }
  const json& list(const char* name, bool required) {
    static const json none = json::array();
    const auto* value = find(name, required);
    if (value == nullptr) return none;
    if (!value->is_array()) return wrong("must be a list", at(name)), none;
    return *value;
  }
  const json* find(const char* name, bool required = false) {
    if (!object_.is_object()) return nullptr;
    seen_.push_back(name);
    const auto found = object_.find(name);
    if (found != object_.end() && !found->is_null()) return &*found;
    if (required) wrong("is missing", at(name));
    return nullptr;
  }
  std::string at(std::string_view name) const { return pointer_ + "/" + std::string(name); }
  void wrong(std::string_view what, const std::string& place) {
    if (!fault_) fault_ = invalid("the value at " + place + " " + std::string(what), place);
  }
  // Members that nobody asked for are mistakes.
  void end() {
    if (!object_.is_object()) return;
    for (const auto& [name, value] : object_.items()) {
      if (std::find(seen_.begin(), seen_.end(), name) == seen_.end()) wrong("is not known", at(name));
    }
  }

 private:
  const json& object_;
  std::string pointer_;
  std::optional<Error>& fault_;
  std::vector<std::string> seen_;
};

Profile read_profile(Fields& fields, const char* name, std::optional<Profile>& out) {
  const auto text = fields.text(name, name == std::string_view("profile") && !out);
  if (text.empty()) return Profile::osb_be;
  const auto profile = profile_from(text);
  if (!profile) fields.wrong("is no profile", fields.at(name));
  out = profile;
  return profile.value_or(Profile::osb_be);
}

SpecifiedMessage read_message(const json& object, const std::string& pointer, std::optional<Error>& fault) {
  Fields fields(object, pointer, fault);
  SpecifiedMessage out;
  out.action = fields.text("action", true);
  out.from = fields.text("from", true);
  out.to = fields.text("to", true);
  out.mime_type = fields.text("mimeType", false, "application/xml");
  out.time_to_perform = fields.text("timeToPerform", false, "P2D");
  out.schema_uri = fields.text("schemaUri");
  if (const auto text = fields.text("profile"); !text.empty()) {
    out.profile = profile_from(text);
    if (!out.profile) fields.wrong("is no profile", fields.at("profile"));
  }
  fields.end();
  return out;
}

SpecifiedService read_service(const json& object, const std::string& pointer, std::optional<Error>& fault) {
  Fields fields(object, pointer, fault);
  SpecifiedService out;
  out.name = fields.text("name", true);
  out.type = fields.text("type", false, std::string(names::service_type));
  const auto& messages = fields.list("messages", true);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    out.messages.push_back(read_message(messages[i], pointer + "/messages/" + std::to_string(i), fault));
  }
  fields.end();
  return out;
}

ReliabilityTerms read_reliability(const json& object, std::optional<Error>& fault) {
  Fields fields(object, "/reliability", fault);
  ReliabilityTerms out;
  out.retries = fields.number("retries");
  out.retry_interval = fields.text("retryInterval");
  out.persist_duration = fields.text("persistDuration");
  const auto order = fields.text("messageOrder", false, "NotGuaranteed");
  if (order != "Guaranteed" && order != "NotGuaranteed") fields.wrong("is no order", fields.at("messageOrder"));
  out.order_guaranteed = order == "Guaranteed";
  const auto sync = fields.text("syncReplyMode", false, "none");
  if (sync != "none" && sync != "mshSignalsOnly") fields.wrong("is no syncReplyMode", fields.at("syncReplyMode"));
  out.signals_in_sync = sync == "mshSignalsOnly";
  for (const auto& [name, value] : {std::pair("retryInterval", &out.retry_interval), std::pair("persistDuration", &out.persist_duration)}) {
    if (!value->empty() && !parse_xs_duration(*value)) fields.wrong("is no duration", fields.at(name));
  }
  fields.end();
  return out;
}

ServiceSpecification read_specification(const json& object, std::optional<Error>& fault) {
  Fields fields(object, "", fault);
  ServiceSpecification out;
  out.identifying_name = fields.text("identifyingName", true);
  out.version = fields.number("version", true).value_or(0);
  out.provider_oin = fields.text("providerOin", true);
  std::optional<Profile> profile;
  out.profile = read_profile(fields, "profile", profile);
  out.environment = fields.text("environment");
  out.title = fields.text("title");
  out.description = fields.text("description");
  if (const auto* process = fields.find("process", true)) {
    Fields inner(*process, "/process", fault);
    out.process_name = inner.text("name", true);
    out.process_version = inner.text("version", true);
    out.process_uri = inner.text("uri", true);
    out.process_uuid = inner.text("uuid");
    inner.end();
  }
  const auto& roles = fields.list("roles", true);
  for (std::size_t i = 0; i < roles.size(); ++i) {
    Fields inner(roles[i], "/roles/" + std::to_string(i), fault);
    const auto side = inner.text("side", true);
    if (side != "provider" && side != "consumer") inner.wrong("must be provider or consumer", inner.at("side"));
    out.roles.push_back({inner.text("name", true), side == "provider"});
    inner.end();
  }
  const auto& services = fields.list("services", true);
  for (std::size_t i = 0; i < services.size(); ++i)
    out.services.push_back(read_service(services[i], "/services/" + std::to_string(i), fault));
  if (const auto* found = fields.find("reliability")) out.reliability = read_reliability(*found, fault);
  if (const auto* found = fields.find("security")) {
    Fields inner(*found, "/security", fault);
    out.security = SecurityTerms{inner.text("hashFunction"), inner.text("signatureAlgorithm"), inner.text("encryptionAlgorithm")};
    inner.end();
  }
  if (const auto* found = fields.find("autoApproval")) {
    Fields inner(*found, "/autoApproval", fault);
    out.auto_approval = inner.text("mode", true);
    for (const auto& oin : inner.list("oins", false)) {
      if (!oin.is_string())
        inner.wrong("must be a list of OINs", inner.at("oins"));
      else
        out.auto_approval_oins.push_back(oin.get<std::string>());
    }
    inner.end();
  }
  fields.end();
  return out;
}

bool has_space(std::string_view text) {
  return text.find_first_of(" \t\r\n") != std::string_view::npos;
}

bool is_identifying_name(std::string_view name) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= identifying_name_chars_max && alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return alphanumeric(c) || c == '.' || c == '-'; });
}

// What the parts say about each other.
Result<> check(const ServiceSpecification& specification) {
  if (!is_identifying_name(specification.identifying_name))
    return invalid("the identifying name has other characters than A-Z a-z 0-9 . -", "/identifyingName");
  if (specification.version < 1) return invalid("a version is at least 1", "/version");
  if (!is_oin(specification.provider_oin)) return invalid("the provider's OIN is not an OIN", "/providerOin");
  if (specification.environment.size() > 1 || std::string_view("OTAP").find(specification.environment) == std::string_view::npos) {
    return invalid("the environment is O, T, A or P", "/environment");
  }
  const auto& roles = specification.roles;
  if (roles.size() != 2 || roles[0].is_provider == roles[1].is_provider)
    return invalid("there must be one provider and one consumer role", "/roles");
  const auto is_role = [&](const std::string& name) { return name == roles[0].name || name == roles[1].name; };
  if (specification.services.empty()) return invalid("there is no service", "/services");
  if (!is_reliable(specification.profile) && specification.reliability)
    return invalid("a best-effort profile has no reliability terms", "/reliability");
  if (!is_signed(specification.profile) && specification.security) return invalid("an unsigned profile has no security terms", "/security");
  for (std::size_t s = 0; s < specification.services.size(); ++s) {
    const auto& service = specification.services[s];
    const auto place = "/services/" + std::to_string(s);
    if (has_space(service.name)) return invalid("white space in the name of a service", place + "/name");
    if (service.messages.empty()) return invalid("a service has no message", place + "/messages");
    for (std::size_t m = 0; m < service.messages.size(); ++m) {
      const auto& message = service.messages[m];
      const auto at = place + "/messages/" + std::to_string(m);
      if (has_space(message.action) || message.action.empty()) return invalid("an action is empty or has white space", at + "/action");
      if (!is_role(message.from)) return invalid("the role " + for_log(message.from) + " is not declared", at + "/from");
      if (!is_role(message.to)) return invalid("the role " + for_log(message.to) + " is not declared", at + "/to");
      // Two roles of one name are told apart by their sides only, which `from` and `to` cannot.
      if (message.from == message.to) return invalid("a message goes from a role to the same role", at + "/to");
      if (!parse_xs_duration(message.time_to_perform)) return invalid("timeToPerform is no duration", at + "/timeToPerform");
    }
  }
  return {};
}

ordered_json json_from(const ServiceSpecification& specification) {
  ordered_json out;
  const auto put = [](ordered_json& to, const char* name, const std::string& value) {
    if (!value.empty()) to[name] = value;
  };
  out["identifyingName"] = specification.identifying_name;
  out["version"] = specification.version;
  out["providerOin"] = specification.provider_oin;
  out["profile"] = to_string(specification.profile);
  put(out, "environment", specification.environment);
  put(out, "title", specification.title);
  put(out, "description", specification.description);
  out["process"] = {{"name", specification.process_name}, {"version", specification.process_version}, {"uri", specification.process_uri}};
  put(out["process"], "uuid", specification.process_uuid);
  for (const auto& role : specification.roles)
    out["roles"].push_back({{"name", role.name}, {"side", role.is_provider ? "provider" : "consumer"}});
  for (const auto& service : specification.services) {
    ordered_json made = {{"name", service.name}, {"type", service.type}};
    for (const auto& message : service.messages) {
      ordered_json one = {{"action", message.action},
                          {"from", message.from},
                          {"to", message.to},
                          {"mimeType", message.mime_type},
                          {"timeToPerform", message.time_to_perform}};
      put(one, "schemaUri", message.schema_uri);
      if (message.profile) one["profile"] = to_string(*message.profile);
      made["messages"].push_back(std::move(one));
    }
    out["services"].push_back(std::move(made));
  }
  if (const auto& terms = specification.reliability) {
    auto& made = out["reliability"] = ordered_json::object();
    if (terms->retries) made["retries"] = *terms->retries;
    put(made, "retryInterval", terms->retry_interval);
    put(made, "persistDuration", terms->persist_duration);
    made["messageOrder"] = terms->order_guaranteed ? "Guaranteed" : "NotGuaranteed";
    made["syncReplyMode"] = terms->signals_in_sync ? "mshSignalsOnly" : "none";
  }
  if (const auto& terms = specification.security) {
    auto& made = out["security"] = ordered_json::object();
    put(made, "hashFunction", terms->hash_function);
    put(made, "signatureAlgorithm", terms->signature_algorithm);
    put(made, "encryptionAlgorithm", terms->encryption_algorithm);
  }
  if (!specification.auto_approval.empty()) {
    out["autoApproval"] = {{"mode", specification.auto_approval}};
    for (const auto& oin : specification.auto_approval_oins) out["autoApproval"]["oins"].push_back(oin);
  }
  return out;
}

// Members with a text or number as attributes, in order.
std::string attributes_from(const ordered_json& object) {
  std::string out;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) out += " " + name + "=\"" + xml::escaped(value.get<std::string>()) + "\"";
    if (value.is_number()) out += " " + name + "=\"" + value.dump() + "\"";
  }
  return out;
}

}  // namespace

ReliabilityTerms best_practice_terms() {
  ReliabilityTerms out;
  out.retries = 8;
  out.retry_interval = "PT3H";
  out.persist_duration = "P2D";
  return out;
}

Result<ServiceSpecification> parse_specification(BytesView octets) {
  const auto text = trim(octets);
  std::optional<Error> fault;
  ServiceSpecification out;
  if (text.starts_with("<") || text.starts_with("\xEF\xBB\xBF")) {
    xml::Limits limits;
    limits.bytes_max = limits::cpa_bytes_max;
    const auto document = xml::Document::parse(octets, limits);
    if (!document) return invalid(document.error().detail, document.error().location);
    if (const auto violations = specification_grammar().check(document->root(), 1); !violations.empty()) {
      return invalid(violations.front().message, violations.front().path);
    }
    out = read_specification(json_of(document->root()), fault);
  } else {
    if (octets.size() > limits::json_bytes_max) return invalid("the specification is too large");
    std::vector<JsonFault> faults;
    const auto object = read_strict_json(text, faults);
    if (!object) return invalid("neither XML nor JSON: " + describe(faults.front()), faults.front().pointer);
    out = read_specification(*object, fault);
  }
  if (fault) return *std::move(fault);
  SCHAKEL_CHECK(check(out));
  return out;
}

std::string to_json(const ServiceSpecification& specification) {
  return json_from(specification).dump(2) + "\n";
}

std::string to_xml(const ServiceSpecification& specification) {
  const auto object = json_from(specification);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ServiceSpecification xmlns=\"" + std::string(specification_namespace) +
                    "\"" + attributes_from(object) + ">\n";
  out += "  <Process" + attributes_from(object["process"]) + "/>\n";
  for (const auto& role : object["roles"]) out += "  <Role" + attributes_from(role) + "/>\n";
  for (const auto& service : object["services"]) {
    out += "  <Service" + attributes_from(service) + ">\n";
    for (const auto& message : service["messages"]) out += "    <Message" + attributes_from(message) + "/>\n";
    out += "  </Service>\n";
  }
  if (object.contains("reliability")) out += "  <Reliability" + attributes_from(object["reliability"]) + "/>\n";
  if (object.contains("security")) out += "  <Security" + attributes_from(object["security"]) + "/>\n";
  if (object.contains("autoApproval")) {
    out += "  <AutoApproval" + attributes_from(object["autoApproval"]) + ">";
    for (const auto& oin : specification.auto_approval_oins) out += "<Oin>" + xml::escaped(oin) + "</Oin>";
    out += "</AutoApproval>\n";
  }
  return out + "</ServiceSpecification>\n";
}

std::vector<ServiceSpecification> split_by_profile(const ServiceSpecification& specification) {
  std::vector<Profile> profiles;
  for (const auto& service : specification.services) {
    for (const auto& message : service.messages) {
      const auto profile = message.profile.value_or(specification.profile);
      if (std::find(profiles.begin(), profiles.end(), profile) == profiles.end()) profiles.push_back(profile);
    }
  }
  std::vector<ServiceSpecification> out;
  for (const auto profile : profiles) {
    auto part = specification;
    part.profile = profile;
    if (profiles.size() > 1) part.identifying_name += "-" + std::string(to_string(profile));
    if (!is_reliable(profile)) part.reliability.reset();
    if (!is_signed(profile)) part.security.reset();
    for (auto& service : part.services) {
      std::erase_if(service.messages,
                    [&](const SpecifiedMessage& message) { return message.profile.value_or(specification.profile) != profile; });
      for (auto& message : service.messages) message.profile.reset();
    }
    std::erase_if(part.services, [](const SpecifiedService& service) { return service.messages.empty(); });
    out.push_back(std::move(part));
  }
  return out;
}

}  // namespace schakel::cpa
