// Certificates and keys that a Security header names: the signer's token (WUS-108) and which of our own keys a key was encrypted for
// (WUS-144, WUS-145). Internal to the opening.
//
// Errors: "wus.security", "wus.tokenType", "wus.tokenInvalid", "wus.tokenUnavailable".
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "security/certificate_cache.hpp"
#include "security/keys.hpp"
#include "wus/security_header.hpp"
#include "xmlsecurity/encryption.hpp"

namespace schakel::wus {

// The certificates of a wsse:BinarySecurityToken, the leaf first. `known`: those that came before; may be null.
Result<std::vector<security::Certificate>> read_binary_token(xml::Element, security::CertificateCache* known = nullptr);

struct SignerToken {
  xml::Element reference;  // the wsse:SecurityTokenReference in ds:KeyInfo
  xml::Element element;    // the wsse:BinarySecurityToken
  std::vector<security::Certificate> chain;
  std::vector<std::string> deviations;
};
// `key_info`: of the signature; may be absent.
Result<SignerToken> find_signer_token(const SecurityHeader&, xml::Element key_info, const Ids&, const Settings&,
                                      security::CertificateCache* known);

// What an xenc:EncryptedKey says about the certificate that it is for; what is absent is empty.
struct Recipient {
  xmlsecurity::KeyHints hints;
  Bytes thumbprint_sha1;
};
// `key_info`: of the EncryptedKey; may be absent. `hints`: what stands in it without wsse:SecurityTokenReference.
Result<Recipient> read_recipient(xml::Element key_info, xmlsecurity::KeyHints hints, const SecurityHeader&, const Ids&);

struct OwnKey {
  std::shared_ptr<const security::KeyPair> pair;  // null: none of ours
  bool issuer_differs = false;                    // the serial number alone selected it
};
OwnKey find_own_key(const Recipient&, std::span<const std::shared_ptr<const security::KeyPair>>);

// Two spellings of one distinguished name: order, spaces, case of keywords and values, keyword or OID do not count (WUS-145).
bool names_issuer(std::string_view text, const security::Certificate&);

}  // namespace schakel::wus
