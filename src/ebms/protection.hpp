// The seams for signed and encrypted profiles (ebms.md 1.9, 1.10, 3.8): three interfaces that the Msh is given, or not.
//
// Without them the Msh stays safe: `submit` refuses an action of a signed or encrypted profile ("contract.actionNotAllowed"),
// `Msh::unprotected_actions` lets the API refuse to activate its contract, and an inbound message that passed every other check but cannot
// be verified or decrypted is answered 503 with an alert in the log: the partner's retries do the rest when the means are there. It is
// never answered with SecurityFailure (the message is not at fault) and never accepted unverified.
//
// Implementations are safe from every thread. They do no I/O.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "cpa/contracts.hpp"
#include "ebms/envelope.hpp"

namespace schakel::ebms {

// A row of ebms.md 3.5 that a message failed: what the MessageError says.
struct Failure {
  int row = 0;
  std::string error_code;
  std::string location;  // complete: "xpointer(…)" or "cid:…"; empty: none
  std::string description;
};

// What a signature covers beside the envelope.
struct PayloadDigest {
  std::string href;  // "cid:…"
  std::string content_type;
  std::string sha256;  // hex, of the plain octets
  BytesView octets;    // when in memory; for other digest methods a blob must be read
  std::string blob;
};

// Adds the ds:Signature as last child of soap:Header (EB-150..154).
class Signer {
 public:
  virtual ~Signer() = default;
  // Whether our side of the channel has a key that may sign (check 15, EB-158).
  virtual bool can_sign(const cpa::LoadedContract&, const cpa::PartyInfo& own, const cpa::DeliveryChannel&) const = 0;
  virtual Result<Bytes> sign(Bytes envelope, const std::vector<PayloadDigest>&, const cpa::LoadedContract&, const cpa::Channels&,
                             Instant now) const = 0;
};

// Verifies by ebms.md 3.8.
class Verifier {
 public:
  virtual ~Verifier() = default;
  // nullopt: valid. A Failure: rows 20 and 25. An Error: not decidable now (CRL missing): 503 (EB-155).
  virtual Result<std::optional<Failure>> verify(const Envelope&, const std::vector<PayloadDigest>&, const cpa::LoadedContract&,
                                                const cpa::Channels&, Instant receipt) const = 0;
  // The ds:Reference elements of the verified signature, serialised for an Acknowledgment (EB-158).
  virtual std::string references(const Envelope&) const = 0;
};

// Encrypts and decrypts payloads (EB-170..176).
class Cipher {
 public:
  virtual ~Cipher() = default;
  virtual Result<Bytes> encrypt(BytesView plain, std::string_view content_type, std::string_view content_id, const cpa::LoadedContract&,
                                const cpa::Channels&) const = 0;
  struct Plain {
    Bytes octets;
    std::string content_type;
  };
  // An Error is row 24, always with the same text (EB-176).
  virtual Result<Plain> decrypt(BytesView encrypted, const cpa::LoadedContract&, const cpa::Channels&) const = 0;
};

}  // namespace schakel::ebms
