// Gives OpenSSL a key that stays in its token: a provider built into this program ("schakel-token"), so that TLS, XML signatures,
// decryption and certificate requests use an EVP_PKEY as always (docs/decisions). Internal to security/.
#pragma once

#include <memory>

#include "security/keys.hpp"
#include "security/token.hpp"

namespace schakel::security {

// Error "SEC.SLEUTEL.PKCS11": OpenSSL refuses the provider.
Result<PrivateKey> as_private_key(std::shared_ptr<const TokenKey>);

}  // namespace schakel::security
