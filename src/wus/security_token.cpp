#include "wus/security_token.hpp"

#include <algorithm>
#include <array>

#include "security/openssl.hpp"
#include "wus/names.hpp"
#include "xml/grammar.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::wus {
namespace {

using security::Certificate;
using xml::Element;
namespace ds = xmlsecurity::uri;

constexpr std::size_t path_certificates_max = 10;  // SEC-112
constexpr std::size_t name_bytes_max = 4096, serial_digits_max = 60;

Error malformed(std::string detail, Element where) {
  return fail("wus.security", std::move(detail), where.path());
}
Error unavailable(std::string detail, Element where) {
  return fail("wus.tokenUnavailable", std::move(detail), where.path());
}

Bytes sha1(BytesView octets) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  // A name of a certificate (WSS 1.1, 7.3), not a signature.
  EVP_Digest(octets.data(), octets.size(), out.data(), &size, EVP_sha1(), nullptr);
  return {out.begin(), out.begin() + size};
}

// --- tokens ------------------------------------------------------------------------------------------------------------------------

// The first DER value; nullopt: not one within the octets.
std::optional<BytesView> first_value(BytesView octets, int tag) {
  const unsigned char* at = security::octets(octets);
  const unsigned char* const begin = at;
  long size = 0;
  int found = 0, type = 0;
  if (octets.empty() || (ASN1_get_object(&at, &size, &found, &type, static_cast<long>(octets.size())) & 0x80) != 0 || found != tag ||
      type != V_ASN1_UNIVERSAL) {
    ERR_clear_error();
    return std::nullopt;
  }
  return octets.substr(0, static_cast<std::size_t>(at - begin) + static_cast<std::size_t>(size));
}
BytesView content_of(BytesView value) {
  const unsigned char* at = security::octets(value);
  const unsigned char* const begin = at;
  long size = 0;
  int tag = 0, type = 0;
  ASN1_get_object(&at, &size, &tag, &type, static_cast<long>(value.size()));
  return value.substr(static_cast<std::size_t>(at - begin));
}

Result<Certificate> read_certificate(BytesView der, security::CertificateCache* known) {
  return known != nullptr ? known->from_der(der) : Certificate::from_der(der);
}

// PkiPath of X.509: SEQUENCE OF Certificate, from the authority to the subject.
Result<std::vector<Certificate>> read_path(BytesView octets, Element where, security::CertificateCache* known) {
  const auto invalid = [where] { return fail("wus.tokenInvalid", "a PKIPath that cannot be read", where.path()); };
  const auto path = first_value(octets, V_ASN1_SEQUENCE);
  if (!path || path->size() != octets.size()) return invalid();
  std::vector<Certificate> out;
  for (BytesView rest = content_of(*path); !rest.empty();) {
    const auto value = first_value(rest, V_ASN1_SEQUENCE);
    if (!value || out.size() == path_certificates_max) return invalid();
    auto certificate = read_certificate(*value, known);
    if (!certificate) return invalid();
    out.push_back(std::move(*certificate));
    rest.remove_prefix(value->size());
  }
  if (out.empty()) return invalid();
  std::ranges::reverse(out);
  return out;
}

bool is_token_type(std::string_view value_type) {
  return value_type == uri::x509v3 || value_type == uri::x509_pki_path;
}

bool is_named_by(const TokenReference& reference, const Certificate& certificate) {
  using Form = TokenReference::Form;
  if (reference.form == Form::subject_key_id) return reference.identifier == certificate->subject_key_id;
  if (reference.form == Form::thumbprint) return reference.identifier == sha1(certificate->der);
  return false;
}

// --- distinguished names -------------------------------------------------------------------------------------------------------------

struct Attribute {
  std::string type, value;  // OID; as compared
  friend auto operator<=>(const Attribute&, const Attribute&) = default;
};
using Name = std::vector<Attribute>;  // sorted

struct Keyword {
  std::string_view word, oid;
};
constexpr std::array keywords{
    Keyword{"CN", "2.5.4.3"},
    Keyword{"SURNAME", "2.5.4.4"},
    Keyword{"SN", "2.5.4.4"},
    Keyword{"SERIALNUMBER", "2.5.4.5"},
    Keyword{"C", "2.5.4.6"},
    Keyword{"L", "2.5.4.7"},
    Keyword{"ST", "2.5.4.8"},
    Keyword{"S", "2.5.4.8"},
    Keyword{"STREET", "2.5.4.9"},
    Keyword{"O", "2.5.4.10"},
    Keyword{"OU", "2.5.4.11"},
    Keyword{"T", "2.5.4.12"},
    Keyword{"TITLE", "2.5.4.12"},
    Keyword{"GN", "2.5.4.42"},
    Keyword{"GIVENNAME", "2.5.4.42"},
    Keyword{"ORGANIZATIONIDENTIFIER", "2.5.4.97"},
    Keyword{"DC", "0.9.2342.19200300.100.1.25"},
    Keyword{"UID", "0.9.2342.19200300.100.1.1"},
    Keyword{"E", "1.2.840.113549.1.9.1"},
    Keyword{"EMAIL", "1.2.840.113549.1.9.1"},
    Keyword{"EMAILADDRESS", "1.2.840.113549.1.9.1"},
};

std::string compared(std::string_view value) {
  return to_lower(xml::collapsed(value));
}

std::optional<std::string> text_of(const ASN1_STRING* text) {
  unsigned char* octets = nullptr;
  const int size = ASN1_STRING_to_UTF8(&octets, text);
  if (size < 0) {
    ERR_clear_error();
    return std::nullopt;
  }
  std::string out(reinterpret_cast<char*>(octets), static_cast<std::size_t>(size));
  OPENSSL_free(octets);
  return out;
}

Name name_of(const X509_NAME* from) {
  Name out;
  for (int i = 0; i < X509_NAME_entry_count(from); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(from, i);
    out.push_back(
        {security::oid_of(X509_NAME_ENTRY_get_object(entry)), compared(text_of(X509_NAME_ENTRY_get_data(entry)).value_or(std::string()))});
  }
  std::ranges::sort(out);
  return out;
}

// "#0c0e…": the DER of the value.
std::optional<std::string> value_of_hex(std::string_view hex) {
  const auto octets = from_hex(hex);
  if (!octets) return std::nullopt;
  const unsigned char* at = security::octets(*octets);
  struct Free {
    void operator()(ASN1_TYPE* value) const { ASN1_TYPE_free(value); }
  };
  const std::unique_ptr<ASN1_TYPE, Free> value(d2i_ASN1_TYPE(nullptr, &at, static_cast<long>(octets->size())));
  const int type = value ? ASN1_TYPE_get(value.get()) : V_ASN1_NULL;
  const bool is_string = type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING || type == V_ASN1_IA5STRING ||
                         type == V_ASN1_T61STRING || type == V_ASN1_BMPSTRING || type == V_ASN1_UNIVERSALSTRING ||
                         type == V_ASN1_VISIBLESTRING || type == V_ASN1_NUMERICSTRING;
  ERR_clear_error();
  return is_string ? text_of(value->value.asn1_string) : std::nullopt;
}

// The string form of RFC 2253 and 4514, and what toolkits make of it.
class NameReader {
 public:
  explicit NameReader(std::string_view text) : rest_(text) {}

  std::optional<Name> read() {
    Name out;
    while (true) {
      auto type = take_type();
      auto value = type ? take_value() : std::nullopt;
      if (!value) return std::nullopt;
      out.push_back({std::move(*type), compared(*value)});
      rest_ = trim(rest_);
      if (rest_.empty()) break;
      if (!is_separator(rest_.front())) return std::nullopt;
      rest_.remove_prefix(1);
    }
    std::ranges::sort(out);
    return out;
  }

 private:
  static bool is_separator(char c) { return c == ',' || c == ';' || c == '+'; }

  std::optional<std::string> take_type() {
    const auto equals = rest_.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    auto type = trim(rest_.substr(0, equals));
    rest_ = trim(rest_.substr(equals + 1));
    if (type.size() > 4 && equals_ignoring_case(type.substr(0, 4), "OID.")) type.remove_prefix(4);
    if (!type.empty() && type.front() >= '0' && type.front() <= '9') return std::string(type);
    const auto found = std::ranges::find_if(keywords, [type](const Keyword& known) { return equals_ignoring_case(known.word, type); });
    if (found == keywords.end()) return std::nullopt;
    return std::string(found->oid);
  }

  std::optional<std::string> take_value() {
    if (rest_.starts_with('#')) {
      const auto end = std::min(rest_.find_first_of(",;+ "), rest_.size());
      const auto hex = rest_.substr(1, end - 1);
      rest_.remove_prefix(end);
      return value_of_hex(hex);
    }
    const bool quoted = rest_.starts_with('"');
    if (quoted) rest_.remove_prefix(1);
    std::string out;
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (quoted ? c == '"' : is_separator(c)) break;
      rest_.remove_prefix(1);
      if (c != '\\') {
        out += c;
      } else if (!take_escape(out)) {
        return std::nullopt;
      }
    }
    if (!quoted) return out;
    if (rest_.empty()) return std::nullopt;
    rest_.remove_prefix(1);
    return out;
  }

  bool take_escape(std::string& out) {
    if (rest_.empty()) return false;
    if (const auto octet = from_hex(rest_.substr(0, 2)); octet && octet->size() == 1) {
      out += *octet;
      rest_.remove_prefix(2);
    } else {
      out += rest_.front();
      rest_.remove_prefix(1);
    }
    return true;
  }

  std::string_view rest_;
};

// --- own keys ------------------------------------------------------------------------------------------------------------------------

bool has_serial(const Certificate& certificate, const std::string& decimal) {
  if (decimal.empty() || decimal.size() > serial_digits_max || decimal.find_first_not_of("0123456789") != std::string::npos) return false;
  BIGNUM* number = nullptr;
  if (BN_dec2bn(&number, decimal.c_str()) == 0) return false;
  const security::BigNumberPtr given(number);
  const security::BigNumberPtr own(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.native()), nullptr));
  return own && BN_cmp(given.get(), own.get()) == 0;
}

OwnKey find_by_serial(const xmlsecurity::KeyHints& hints, std::span<const std::shared_ptr<const security::KeyPair>> own) {
  std::vector<std::shared_ptr<const security::KeyPair>> found;
  std::ranges::copy_if(own, std::back_inserter(found),
                       [&](const auto& pair) { return has_serial(pair->certificate(), hints.serial_number); });
  for (const auto& pair : found) {
    if (names_issuer(hints.issuer_name, pair->certificate())) return {pair};
  }
  return found.size() == 1 ? OwnKey{found.front(), true} : OwnKey{};
}

}  // namespace

Result<std::vector<Certificate>> read_binary_token(Element element, security::CertificateCache* known) {
  const auto value_type = element.attribute("", "ValueType").value_or("");
  if (!is_token_type(value_type)) return fail("wus.tokenType", "a token that is neither X509v3 nor X509PKIPathv1", element.path());
  if (element.attribute("", "EncodingType").value_or(std::string(uri::base64_binary)) != uri::base64_binary)
    return fail("wus.tokenType", "a token that is not base64", element.path());
  const auto invalid = [element] { return fail("wus.tokenInvalid", "a token that cannot be read", element.path()); };
  if (element.first_child() || element.has_comment_or_pi()) return invalid();
  const auto octets = from_base64_lenient(element.text());
  if (!octets || octets->empty()) return invalid();
  if (value_type == uri::x509_pki_path) return read_path(*octets, element, known);
  auto certificate = read_certificate(*octets, known);
  if (!certificate) return invalid();
  return std::vector{std::move(*certificate)};
}

namespace {

// WUS-108: the token itself is pointed at.
Result<Element> find_direct(const TokenReference& reference, Element where, const SecurityHeader& header, const Ids& ids) {
  const auto id = id_of_reference(reference.uri);
  if (!id) return unavailable("a token outside of the message", where);
  const Element token = ids[*id];
  if (std::ranges::find(header.tokens, token) == header.tokens.end())
    return unavailable("a reference to what is no BinarySecurityToken of the header", where);
  return token;
}

// accept_indirect_token: described, and in the same header all the same.
Result<Element> find_indirect(const TokenReference& reference, Element where, const SecurityHeader& header,
                              security::CertificateCache* known) {
  for (const Element token : header.tokens) {
    const auto chain = read_binary_token(token, known);
    if (!chain) continue;
    const Certificate& leaf = chain->front();
    const bool named = reference.form == TokenReference::Form::issuer_serial
                           ? has_serial(leaf, reference.serial_number) && names_issuer(reference.issuer_name, leaf)
                           : is_named_by(reference, leaf);
    if (named) return token;
  }
  return unavailable("the certificate is not in the message", where);
}

}  // namespace

Result<SignerToken> find_signer_token(const SecurityHeader& header, Element key_info, const Ids& ids, const Settings& settings,
                                      security::CertificateCache* known) {
  if (!key_info || !key_info.first_child()) return unavailable("a signature without ds:KeyInfo", header.signature);
  if (key_info.first_child().next_sibling()) return malformed("ds:KeyInfo with more than one child", key_info);
  SignerToken signer;
  signer.reference = key_info.first_child();
  if (!signer.reference.is(ns::wsse, "SecurityTokenReference")) return unavailable("a signer named without a token", signer.reference);
  SCHAKEL_TRY(const auto reference, read_token_reference(signer.reference));
  if (reference.form == TokenReference::Form::direct) {
    SCHAKEL_TRY(signer.element, find_direct(reference, signer.reference, header, ids));
    if (reference.value_type.empty()) {
      signer.deviations.emplace_back("the reference to the signing token has no ValueType");
    } else if (reference.value_type != signer.element.attribute("", "ValueType")) {
      return malformed("ValueType of the reference and of the token differ", signer.reference);
    }
  } else {
    if (!settings.accept_indirect_token) return unavailable("the signing token is not referenced directly", signer.reference);
    SCHAKEL_TRY(signer.element, find_indirect(reference, signer.reference, header, known));
    signer.deviations.emplace_back("the signing token is not referenced directly");
  }
  SCHAKEL_TRY(signer.chain, read_binary_token(signer.element, known));
  return signer;
}

Result<Recipient> read_recipient(Element key_info, xmlsecurity::KeyHints hints, const SecurityHeader& header, const Ids& ids) {
  Recipient recipient{std::move(hints), {}};
  const Element element = key_info ? key_info.child(ns::wsse, "SecurityTokenReference") : Element();
  if (!element) return recipient;
  SCHAKEL_TRY(auto reference, read_token_reference(element));
  switch (reference.form) {
    case TokenReference::Form::direct: {
      const auto id = id_of_reference(reference.uri);
      const Element token = id ? ids[*id] : Element();
      if (std::ranges::find(header.tokens, token) == header.tokens.end()) break;
      SCHAKEL_TRY(const auto chain, read_binary_token(token));
      recipient.hints.certificate = chain.front()->der;
      break;
    }
    case TokenReference::Form::issuer_serial:
      recipient.hints.issuer_name = std::move(reference.issuer_name);
      recipient.hints.serial_number = std::move(reference.serial_number);
      break;
    case TokenReference::Form::subject_key_id:
      recipient.hints.subject_key_id = std::move(reference.identifier);
      break;
    case TokenReference::Form::thumbprint:
      recipient.thumbprint_sha1 = std::move(reference.identifier);
      break;
    case TokenReference::Form::other:
      break;
  }
  return recipient;
}

OwnKey find_own_key(const Recipient& recipient, std::span<const std::shared_ptr<const security::KeyPair>> own) {
  const auto& hints = recipient.hints;
  const auto find = [own](const auto& is_it) -> OwnKey {
    const auto found = std::ranges::find_if(own, [&](const auto& pair) { return is_it(pair->certificate()); });
    return found == own.end() ? OwnKey{} : OwnKey{*found};
  };
  if (!hints.certificate.empty()) return find([&](const Certificate& certificate) { return certificate->der == hints.certificate; });
  if (!hints.subject_key_id.empty())
    return find([&](const Certificate& certificate) { return certificate->subject_key_id == hints.subject_key_id; });
  if (!recipient.thumbprint_sha1.empty())
    return find([&](const Certificate& certificate) { return sha1(certificate->der) == recipient.thumbprint_sha1; });
  return find_by_serial(hints, own);
}

bool names_issuer(std::string_view text, const Certificate& certificate) {
  if (text.size() > name_bytes_max) return false;
  const auto name = NameReader(text).read();
  return name && *name == name_of(X509_get_issuer_name(certificate.native()));
}

}  // namespace schakel::wus
