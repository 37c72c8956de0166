#include "xmlsecurity/issuer_serial.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "security/openssl.hpp"

namespace schakel::xmlsecurity {
namespace {

struct OpensslTextFree {
  void operator()(void* text) const { OPENSSL_free(text); }
};

// RFC 2253, 2.3; empty: the type has no keyword there.
std::string_view keyword_of(const ASN1_OBJECT* type) {
  struct Keyword {
    int nid;
    std::string_view name;
  };
  constexpr std::array keywords{
      Keyword{NID_commonName, "CN"},
      Keyword{NID_localityName, "L"},
      Keyword{NID_stateOrProvinceName, "ST"},
      Keyword{NID_organizationName, "O"},
      Keyword{NID_organizationalUnitName, "OU"},
      Keyword{NID_countryName, "C"},
      Keyword{NID_streetAddress, "STREET"},
      Keyword{NID_domainComponent, "DC"},
      Keyword{NID_userId, "UID"},
  };
  const auto found = std::ranges::find(keywords, OBJ_obj2nid(type), &Keyword::nid);
  return found == keywords.end() ? std::string_view() : found->name;
}

bool is_text(const ASN1_STRING* value) {
  switch (ASN1_STRING_type(value)) {
    case V_ASN1_UTF8STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_T61STRING:
    case V_ASN1_BMPSTRING:
    case V_ASN1_UNIVERSALSTRING:
      return true;
    default:
      return false;
  }
}

// RFC 2253, 2.4. Control characters, which XML cannot carry, as pairs of hexadecimal digits.
std::string escaped_value(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool first = i == 0, last = i + 1 == text.size();
    if (static_cast<unsigned char>(c) < 0x20) {
      out += '\\' + to_hex(text.substr(i, 1));
      continue;
    }
    if (std::string_view(",+\"\\<>;").find(c) != std::string_view::npos || (c == ' ' && (first || last)) || (c == '#' && first))
      out += '\\';
    out += c;
  }
  return out;
}

std::string attribute_text(const X509_NAME_ENTRY* entry) {
  const ASN1_OBJECT* type = X509_NAME_ENTRY_get_object(entry);
  ASN1_STRING* value = X509_NAME_ENTRY_get_data(entry);
  const auto keyword = keyword_of(type);
  if (!keyword.empty() && is_text(value)) {
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, value);
    const std::unique_ptr<unsigned char, OpensslTextFree> owner(utf8);
    if (size >= 0) return std::string(keyword) + '=' + escaped_value({reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)});
  }
  ASN1_TYPE any{};
  any.type = ASN1_STRING_type(value);
  any.value.asn1_string = value;
  return security::oid_of(type) + "=#" + to_hex(security::der_of(&any, i2d_ASN1_TYPE));
}

}  // namespace

std::string issuer_name(const security::Certificate& certificate) {
  const X509_NAME* name = X509_get_issuer_name(certificate.native());
  std::string out;
  int set = -1;  // number of the RDN at hand
  for (int i = X509_NAME_entry_count(name); i-- > 0;) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    if (!out.empty()) out += X509_NAME_ENTRY_set(entry) == set ? '+' : ',';
    out += attribute_text(entry);
    set = X509_NAME_ENTRY_set(entry);
  }
  return out;
}

std::string serial_number(const security::Certificate& certificate) {
  const security::BigNumberPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.native()), nullptr));
  const std::unique_ptr<char, OpensslTextFree> text(number ? BN_bn2dec(number.get()) : nullptr);
  return text ? std::string(text.get()) : std::string();
}

}  // namespace schakel::xmlsecurity
