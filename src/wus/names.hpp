// Namespaces and constants of wus.md section 0.
#pragma once

#include <string_view>

namespace schakel::wus {

namespace ns {
inline constexpr std::string_view soapenv = "http://schemas.xmlsoap.org/soap/envelope/";
inline constexpr std::string_view wsa = "http://www.w3.org/2005/08/addressing";
inline constexpr std::string_view wsam = "http://www.w3.org/2007/05/addressing/metadata";
inline constexpr std::string_view wsaw = "http://www.w3.org/2006/05/addressing/wsdl";
inline constexpr std::string_view wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
inline constexpr std::string_view wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
inline constexpr std::string_view wsse11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd";
inline constexpr std::string_view xop = "http://www.w3.org/2004/08/xop/include";
inline constexpr std::string_view xmime = "http://www.w3.org/2005/05/xmlmime";
inline constexpr std::string_view wsdl = "http://schemas.xmlsoap.org/wsdl/";
inline constexpr std::string_view wsdl_soap = "http://schemas.xmlsoap.org/wsdl/soap/";
inline constexpr std::string_view wsp = "http://www.w3.org/ns/ws-policy";
inline constexpr std::string_view sp = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702";
inline constexpr std::string_view xsd = "http://www.w3.org/2001/XMLSchema";
inline constexpr std::string_view xsi = "http://www.w3.org/2001/XMLSchema-instance";
inline constexpr std::string_view fault_detail = "urn:schakel:wus:fout:1";
}  // namespace ns

namespace uri {
inline constexpr std::string_view anonymous = "http://www.w3.org/2005/08/addressing/anonymous";
inline constexpr std::string_view none = "http://www.w3.org/2005/08/addressing/none";
inline constexpr std::string_view reply = "http://www.w3.org/2005/08/addressing/reply";
inline constexpr std::string_view unspecified = "http://www.w3.org/2005/08/addressing/unspecified";
inline constexpr std::string_view wsa_fault_action = "http://www.w3.org/2005/08/addressing/fault";
inline constexpr std::string_view soap_fault_action = "http://www.w3.org/2005/08/addressing/soap/fault";

inline constexpr std::string_view token_profile = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0";
inline constexpr std::string_view x509v3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";
inline constexpr std::string_view x509_pki_path =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509PKIPathv1";
inline constexpr std::string_view x509_ski =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier";
inline constexpr std::string_view thumbprint_sha1 = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1";
inline constexpr std::string_view encrypted_key_token = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#EncryptedKey";
inline constexpr std::string_view base64_binary =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";
inline constexpr std::string_view str_transform =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform";
inline constexpr std::string_view xenc_content = "http://www.w3.org/2001/04/xmlenc#Content";
inline constexpr std::string_view xenc_element = "http://www.w3.org/2001/04/xmlenc#Element";
}  // namespace uri

}  // namespace schakel::wus
