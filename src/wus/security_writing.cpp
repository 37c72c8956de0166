#include "wus/security_writing.hpp"

#include "wus/names.hpp"

namespace schakel::wus {
namespace {

std::string attribute(std::string_view name, std::string_view value) {
  std::string out(" ");
  return out.append(name).append("=\"").append(value).append("\"");
}

}  // namespace

std::string security_start() {
  return "<wsse:Security" + attribute("xmlns:wsse", ns::wsse) + " soapenv:mustUnderstand=\"1\">";
}

std::string timestamp(std::string_view id, Instant created, std::chrono::seconds ttl) {
  const Instant from = std::chrono::floor<std::chrono::milliseconds>(created);
  return "<wsu:Timestamp" + attribute("wsu:Id", id) + "><wsu:Created>" + to_rfc3339(from) + "</wsu:Created><wsu:Expires>" +
         to_rfc3339(from + ttl) + "</wsu:Expires></wsu:Timestamp>";
}

std::string binary_security_token(std::string_view id, const security::Certificate& certificate) {
  return "<wsse:BinarySecurityToken" + attribute("wsu:Id", id) + attribute("EncodingType", uri::base64_binary) +
         attribute("ValueType", uri::x509v3) + '>' + to_base64(certificate->der) + "</wsse:BinarySecurityToken>";
}

std::string signature_confirmation(std::string_view id, BytesView signature_value) {
  std::string out = "<wsse11:SignatureConfirmation" + attribute("xmlns:wsse11", ns::wsse11) + attribute("wsu:Id", id);
  if (!signature_value.empty()) out += attribute("Value", to_base64(signature_value));
  return out += "/>";
}

std::string direct_reference(std::string_view token_id) {
  return "<wsse:SecurityTokenReference><wsse:Reference URI=\"#" + std::string(token_id) + '"' + attribute("ValueType", uri::x509v3) +
         "/></wsse:SecurityTokenReference>";
}

}  // namespace schakel::wus
