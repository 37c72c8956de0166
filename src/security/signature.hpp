// The signature algorithms of certificates, CRLs and CSRs (SEC-010). Internal to security/.
#pragma once

#include <openssl/x509.h>

#include "security/certificate.hpp"

namespace schakel::security {

SignatureFacts signature_facts(const X509_ALGOR*);

}  // namespace schakel::security
