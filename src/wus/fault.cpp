#include "wus/fault.hpp"

#include <algorithm>
#include <array>

#include "wus/names.hpp"

namespace schakel::wus {
namespace {

constexpr std::string_view wss4j_namespace = "http://ws.apache.org/wss4j";
constexpr std::string_view no_audit = "";
constexpr std::string_view of_detail = "SEC.";  // the reason stands in front of the detail: "SEC.PKI.VERLOPEN: …"

// How one failure is told: to a partner (wus.md 4.5), to our own caller (4.4), in the audit log (security.md section 4).
struct Row {
  std::string_view token;
  std::string_view code_namespace, code;
  std::string_view dk, text;
  std::string_view client_code;
  std::string_view audit;
};

constexpr std::string_view invalid_envelope = "Invalide soap envelope";
constexpr std::string_view other_headers = "Headers anders dan WSA-headers";
constexpr std::string_view other_value = "Header andere waarde dan voorgeschreven";
constexpr std::string_view wrong_action = "Invalide soapaction";
constexpr std::string_view unavailable = "Service niet beschikbaar";
constexpr std::string_view unauthorised = "Niet geautoriseerd";
constexpr std::string_view not_by_schema = "Niet conform xsd";
constexpr std::string_view relates_to = "WS-Addressing header RelatesTo ontbreekt";
// The fixed texts of WSS 1.0, section 12.
constexpr std::string_view invalid_security = "An error was discovered processing the <wsse:Security> header.";
constexpr std::string_view unsupported_algorithm = "An unsupported signature or encryption algorithm was used.";
constexpr std::string_view unsupported_token = "An unsupported token was provided.";
constexpr std::string_view invalid_token = "An invalid security token was provided.";
constexpr std::string_view token_unavailable = "Referenced security token could not be retrieved.";
constexpr std::string_view failed_authentication = "The security token could not be authenticated or authorized.";
constexpr std::string_view failed_check = "The signature or decryption was invalid.";
constexpr std::string_view expired = "The message has expired.";

constexpr std::array fault_table{
    // Envelope
    Row{"wus.envelope", ns::soapenv, "Client", "DK0001", invalid_envelope, "WUS-C-SOAP", no_audit},
    Row{"wus.doctype", ns::soapenv, "Client", "DK0001", invalid_envelope, "WUS-C-SOAP", "SEC.XML.DTD"},
    Row{"wus.limit", ns::soapenv, "Client", "DK0001", invalid_envelope, "WUS-C-SOAP", "SEC.XML.LIMIET"},
    Row{"wus.version", ns::soapenv, "VersionMismatch", "DK0001", invalid_envelope, "WUS-C-SOAP", no_audit},
    Row{"wus.encoding", ns::soapenv, "Client", "DK0009", "Niet volgens UTF", "WUS-C-SOAP", no_audit},
    Row{"wus.headerForeign", ns::soapenv, "Client", "DK0010", other_headers, "WUS-C-SOAP", no_audit},
    Row{"wus.headerMustUnderstand", ns::soapenv, "MustUnderstand", "DK0010", other_headers, "WUS-C-SOAP", no_audit},
    Row{"wus.securityInBe", ns::soapenv, "Client", "DK0010", other_headers, "WUS-C-POLICY", no_audit},
    // WS-Addressing
    Row{"wus.toMissing", ns::wsa, "MessageAddressingHeaderRequired", "DK0005", "WS-Addressing header To ontbreekt", "WUS-C-ADDR", no_audit},
    Row{"wus.toInvalid", ns::wsa, "InvalidAddress", "DK0005", "WS-Addressing header To is ongeldig", "WUS-C-ADDR", no_audit},
    Row{"wus.actionMissing", ns::wsa, "MessageAddressingHeaderRequired", "DK0006", "WS-Addressing header Action ontbreekt", "WUS-C-ADDR",
        no_audit},
    Row{"wus.actionInvalid", ns::wsa, "InvalidAddressingHeader", "DK0006", "WS-Addressing header Action is ongeldig", "WUS-C-ADDR",
        no_audit},
    Row{"wus.messageIdMissing", ns::wsa, "MessageAddressingHeaderRequired", "DK0007", "WS-Addressing header MessageID ontbreekt",
        "WUS-C-ADDR", no_audit},
    Row{"wus.messageIdInvalid", ns::wsa, "InvalidAddressingHeader", "DK0007", "WS-Addressing header MessageID is ongeldig", "WUS-C-ADDR",
        no_audit},
    Row{"wus.relatesToMissing", ns::wsa, "MessageAddressingHeaderRequired", "DK0008", relates_to, "WUS-C-ADDR", no_audit},
    Row{"wus.relatesToOther", ns::wsa, "InvalidAddressingHeader", "DK0008", "WS-Addressing header RelatesTo is ongeldig", "WUS-C-ADDR",
        no_audit},
    Row{"wus.headerTwice", ns::wsa, "InvalidCardinality", "DK0011", other_value, "WUS-C-ADDR", no_audit},
    Row{"wus.eprInvalid", ns::wsa, "InvalidEPR", "DK0011", other_value, "WUS-C-ADDR", no_audit},
    Row{"wus.eprAddressMissing", ns::wsa, "MissingAddressInEPR", "DK0011", other_value, "WUS-C-ADDR", no_audit},
    Row{"wus.eprAddressInvalid", ns::wsa, "InvalidAddress", "DK0011", other_value, "WUS-C-ADDR", no_audit},
    Row{"wus.notAnonymous", ns::wsa, "OnlyAnonymousAddressSupported", "DK0011", other_value, "WUS-C-ADDR", no_audit},
    Row{"wus.fromMissing", ns::wsa, "MessageAddressingHeaderRequired", "DK0011", other_value, "WUS-C-ADDR", no_audit},
    Row{"wus.soapAction", ns::wsa, "ActionMismatch", "DK0003", wrong_action, "WUS-C-ADDR", no_audit},
    Row{"wus.actionUnknown", ns::wsa, "ActionNotSupported", "DK0003", wrong_action, "WUS-C-ADDR", no_audit},
    Row{"wus.destination", ns::wsa, "DestinationUnreachable", "DK0011", other_value, "WUS-C-ADDR", no_audit},
    Row{"wus.duplicateMessageId", ns::wsa, "DuplicateMessageID", "DK0011", other_value, "WUS-C-ADDR", no_audit},
    Row{"wus.nextHop", ns::wsa, "EndpointUnavailable", "DK0051", unavailable, "WUS-C-CONNECT", no_audit},
    // WS-Security
    Row{"wus.security", ns::wsse, "InvalidSecurity", "", invalid_security, "WUS-C-POLICY", no_audit},
    Row{"wus.coverage", ns::wsse, "InvalidSecurity", "", invalid_security, "WUS-C-POLICY", "SEC.XML.DEKKING"},
    Row{"wus.transform", ns::wsse, "InvalidSecurity", "", invalid_security, "WUS-C-POLICY", "SEC.XML.TRANSFORM"},
    Row{"wus.duplicateId", ns::wsse, "InvalidSecurity", "", invalid_security, "WUS-C-POLICY", "SEC.XML.ID"},
    Row{"wus.timestamp", ns::wsse, "InvalidSecurity", "", invalid_security, "WUS-C-POLICY", "SEC.XML.TIJD"},
    Row{"wus.replay", ns::wsse, "InvalidSecurity", "", invalid_security, "WUS-C-POLICY", "SEC.XML.HERHALING"},
    Row{"wus.confirmation", ns::wsse, "InvalidSecurity", "", invalid_security, "WUS-C-CONF", no_audit},
    Row{"wus.algorithm", ns::wsse, "UnsupportedAlgorithm", "", unsupported_algorithm, "WUS-C-POLICY", "SEC.XML.ALGORITME"},
    Row{"wus.tokenType", ns::wsse, "UnsupportedSecurityToken", "", unsupported_token, "WUS-C-CERT", no_audit},
    Row{"wus.tokenInvalid", ns::wsse, "InvalidSecurityToken", "", invalid_token, "WUS-C-CERT", no_audit},
    Row{"wus.tokenUnavailable", ns::wsse, "SecurityTokenUnavailable", "", token_unavailable, "WUS-C-CERT", no_audit},
    Row{"wus.recipientUnknown", ns::wsse, "SecurityTokenUnavailable", "", token_unavailable, "WUS-C-DECRYPT", no_audit},
    Row{"wus.authentication", ns::wsse, "FailedAuthentication", "", failed_authentication, "WUS-C-CERT", of_detail},
    Row{"wus.signer", ns::wsse, "FailedAuthentication", "", failed_authentication, "WUS-C-CERT", "SEC.OIN.GEEN_MANDAAT"},
    Row{"wus.revocationUnknown", ns::soapenv, "Server", "DK0051", unavailable, "WUS-C-CERT", of_detail},
    Row{"wus.failedCheck", ns::wsse, "FailedCheck", "", failed_check, "WUS-C-DECRYPT", no_audit},
    Row{"wus.signature", ns::wsse, "FailedCheck", "", failed_check, "WUS-C-SIG", no_audit},
    Row{"wus.expired", ns::wsu, "MessageExpired", "", expired, "WUS-C-TIME", "SEC.XML.TIJD"},
    // Authorisation, payload, back-end
    Row{"wus.unauthorised", ns::soapenv, "Client", "DK0002", unauthorised, "WUS-C-POLICY", "SEC.OIN.NIET_GEAUTORISEERD"},
    Row{"wus.mandate", ns::soapenv, "Client", "DK0002", unauthorised, "WUS-C-POLICY", "SEC.OIN.GEEN_MANDAAT"},
    Row{"wus.bodyOfOther", ns::soapenv, "Client", "DK0004", not_by_schema, "WUS-C-XSD", no_audit},
    Row{"wus.payload", ns::soapenv, "Client", "DK0004", not_by_schema, "WUS-C-XSD", no_audit},
    Row{"wus.backend", ns::soapenv, "Server", "DK0050", "Proces voor afhandelen bericht geeft fout", "WUS-C-HTTP", no_audit},
    Row{"wus.backendRefused", ns::soapenv, "Client", "DK0050", "Proces voor afhandelen bericht geeft fout", "WUS-C-HTTP", no_audit},
    Row{"wus.backendUnavailable", ns::soapenv, "Server", "DK0051", unavailable, "WUS-C-TIMEOUT", no_audit},
    Row{"wus.busy", ns::soapenv, "Server", "DK0051", unavailable, "WUS-C-TIMEOUT", no_audit},
};
constexpr Row own_failure{"", ns::soapenv, "Server", "DK0051", unavailable, "WUS-C-SOAP", no_audit};

const Row& row_of(const Error& error) {
  const auto found = std::ranges::find(fault_table, error.code, &Row::token);
  return found == fault_table.end() ? own_failure : *found;
}

// The Body is the cause of these (SOAP 1.1, 4.4).
bool is_about_body(const Row& row) {
  return row.dk == "DK0004";
}

std::string detail_of(const Row& row, const Error& error) {
  std::string out = "<f:fout xmlns:f=\"" + std::string(ns::fault_detail) + "\"><f:code>" + std::string(row.dk) + "</f:code><f:element>";
  out.append(xml::escaped(error.location)).append("</f:element><f:melding>").append(xml::escaped(error.detail));
  return out += "</f:melding></f:fout>";
}

// The prefix of a fault code, and its declaration where the envelope does not have it.
struct Prefix {
  std::string_view name;
  bool declared;
};
Prefix prefix_of(std::string_view namespace_uri) {
  if (namespace_uri == ns::soapenv) return {"soapenv", true};
  if (namespace_uri == ns::wsa) return {"wsa", true};
  if (namespace_uri == ns::wsse) return {"wsse", false};
  if (namespace_uri == ns::wsu) return {"wsu", false};
  return {"c", false};
}

std::string code_element(const ExpandedName& code) {
  if (code.namespace_uri.empty()) return "<faultcode>" + xml::escaped(code.name) + "</faultcode>";
  const auto prefix = prefix_of(code.namespace_uri);
  std::string out = "<faultcode";
  if (!prefix.declared) out.append(" xmlns:").append(prefix.name).append("=\"").append(xml::escaped(code.namespace_uri)).append("\"");
  return out.append(">").append(prefix.name).append(":").append(xml::escaped(code.name)).append("</faultcode>");
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The first DK?(\d{4}) (4.5, last paragraph); empty: none.
std::string dk_code_in(std::string_view text) {
  for (std::size_t at = text.find('D'); at != std::string_view::npos; at = text.find('D', at + 1)) {
    auto rest = text.substr(at + 1);
    if (rest.starts_with('K')) rest.remove_prefix(1);
    if (rest.size() >= 4 && std::all_of(rest.begin(), rest.begin() + 4, is_digit)) return "DK" + std::string(rest.substr(0, 4));
  }
  return {};
}

// BP12 R1031 forbids dot notation; Digimelding and others write it all the same.
ExpandedName name_of(xml::Element faultcode) {
  const auto text = std::string(trim(faultcode.text()));
  const auto colon = text.find(':');
  const auto prefix = colon == std::string::npos ? std::string() : text.substr(0, colon);
  const auto local = colon == std::string::npos ? text : text.substr(colon + 1);
  if (local.find('.') != std::string::npos) return {{}, local};
  const auto namespace_uri = faultcode.namespace_of(prefix);
  if (!namespace_uri || namespace_uri->empty()) return {{}, text};
  return {*namespace_uri, local};
}

bool is_about_security(const ExpandedName& code) {
  return code.namespace_uri == ns::wsse || code == ExpandedName{std::string(ns::wsu), "MessageExpired"} ||
         code == ExpandedName{std::string(wss4j_namespace), "SecurityError"};
}

}  // namespace

std::string to_string(const ExpandedName& name) {
  return name.namespace_uri.empty() ? name.name : '{' + name.namespace_uri + '}' + name.name;
}

Fault fault_of(const Error& error) {
  const Row& row = row_of(error);
  const bool fixed = row.code_namespace == ns::wsse || row.code_namespace == ns::wsu;
  Fault fault;
  fault.code = {std::string(row.code_namespace), std::string(row.code)};
  fault.dk = row.dk;
  fault.text = row.text;
  fault.language = fixed ? "en" : "nl";
  if (is_about_body(row)) fault.detail_xml = detail_of(row, error);
  fault.action = row.code_namespace == ns::wsa ? uri::wsa_fault_action : uri::soap_fault_action;
  return fault;
}

std::string_view client_code_of(const Error& error) {
  if (error.code.starts_with("WUS-C-")) return error.code;
  return row_of(error).client_code;
}

std::string_view audit_reason_of(const Error& error) {
  const Row& row = row_of(error);
  if (row.audit != of_detail) return row.audit;
  const std::string_view detail = error.detail;
  return detail.starts_with(of_detail) ? detail.substr(0, detail.find(':')) : std::string_view();
}

std::string fault_element(const Fault& fault) {
  std::string out = "<soapenv:Fault>" + code_element(fault.code) + "<faultstring";
  if (!fault.language.empty()) out.append(" xml:lang=\"").append(xml::escaped(fault.language)).append("\"");
  out += '>';
  if (!fault.dk.empty()) out.append(fault.dk).append(": ");
  out.append(xml::escaped(fault.text)).append("</faultstring>");
  if (!fault.actor.empty()) out.append("<faultactor>").append(xml::escaped(fault.actor)).append("</faultactor>");
  if (!fault.detail_xml.empty()) out.append("<detail>").append(fault.detail_xml).append("</detail>");
  return out += "</soapenv:Fault>";
}

Result<ReceivedFault> read_fault(xml::Element soap_fault) {
  if (!soap_fault.is(ns::soapenv, "Fault")) return fail("wus.envelope", "not a soapenv:Fault", soap_fault.path());
  const auto faultcode = soap_fault.child("", "faultcode");
  if (!faultcode || faultcode.first_child() || trim(faultcode.text()).empty())
    return fail("wus.envelope", "a Fault without faultcode", soap_fault.path());
  ReceivedFault fault;
  fault.code = name_of(faultcode);
  if (const auto text = soap_fault.child("", "faultstring")) fault.string = text.text();
  if (const auto actor = soap_fault.child("", "faultactor")) fault.actor = std::string(trim(actor.text()));
  fault.detail = soap_fault.child("", "detail");
  fault.dk_code = dk_code_in(fault.string);
  if (fault.dk_code.empty()) fault.dk_code = dk_code_in(faultcode.text());
  fault.about_security = is_about_security(fault.code);
  return fault;
}

}  // namespace schakel::wus
