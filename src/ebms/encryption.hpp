// Payload encryption of ebMS2 (ebms.md 1.10, 2.6; security.md 3.7): with what a payload leaves, and with what one that came may be opened.
// Private to src/ebms. The octets themselves pass through xmlsecurity's streams, in submission.cpp and examination.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cpa/contracts.hpp"
#include "ebms/context.hpp"
#include "xmlsecurity/encryption.hpp"

namespace schakel::ebms {

// --- out -----------------------------------------------------------------------------------------------------------------------------

struct Encrypting {
  xmlsecurity::ContentCipher cipher = xmlsecurity::ContentCipher::aes256_gcm;
  security::Certificate recipient;
};

// EB-171, EB-174. Error "contract.actionNotAllowed": no ReceiverDigitalEnvelope, an algorithm that is never used, or no certificate.
Result<Encrypting> encrypting_of(const Context&, const cpa::Contracts&, const cpa::LoadedContract&, const cpa::Channels&, Instant now);
// EB-155 for the recipient. Error "state.conflict": the certificate may not be used, or not now.
Result<> check_recipient(const Context&, const cpa::LoadedContract&, const Encrypting&, Instant now);
// One payload's EncryptedData; its Id is made of the Content-ID.
xmlsecurity::EncryptionToMake encryption_to_make(const Encrypting&, std::string_view content_id, std::string_view content_type);

inline constexpr std::string_view encrypted_content_type = "application/xml";  // EB-170

// --- in ------------------------------------------------------------------------------------------------------------------------------

struct Decrypting {
  xmlsecurity::DecryptionPolicy policy;
  Bytes agreed, mapped;  // DER: EncryptionCertificateRef, and what a mapping has put in its place
  std::vector<std::shared_ptr<const security::KeyPair>> keys;
};

// What the agreement and dated exceptions allow today (EB-173, EB-175, SEC-083), and the keys that are ours.
Decrypting decrypting_of(const Context&, const cpa::Contracts&, const cpa::LoadedContract&, const cpa::Channels&, Instant now);
// Our key for the agreed certificate exists. Error "contract.actionNotAllowed", naming the certificate.
Result<> can_decrypt(const Context&, const cpa::Contracts&, const cpa::LoadedContract&, const cpa::PartyInfo& own,
                     const cpa::DeliveryChannel*, Instant now);
// EB-175: the key of the agreed certificate, unless the hints name another one of ours. Null: none.
security::PrivateKey key_for(const Decrypting&, const xmlsecurity::KeyHints&);

// SEC-083: an algorithm that only an exception or an old agreement lets pass; each use is a finding. Empty: none.
std::string exceptional_use(xmlsecurity::ContentCipher, xmlsecurity::KeyTransport);

}  // namespace schakel::ebms
