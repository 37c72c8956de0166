// OpenSSL's algorithms, fetched once: naming them anew for each digest costs more than digesting an envelope. Internal to xmlsecurity/.
#pragma once

#include <openssl/evp.h>

#include "xmlsecurity/algorithms.hpp"

namespace schakel::xmlsecurity {

const EVP_MD* fetched(DigestMethod);
const EVP_CIPHER* fetched(ContentCipher);

}  // namespace schakel::xmlsecurity
