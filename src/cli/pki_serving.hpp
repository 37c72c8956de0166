// What `pki serve` answers: CRLs and CA certificates from the folder of a test PKI (SEC-131; security.md 2.8.3).
#pragma once

#include <string>

#include "http/message.hpp"

namespace schakel::cli {

// GET and HEAD of /crl/<name>.crl and /certs/<name>.cer, read anew for every request, so that a revocation is seen at once. Everything else
// is 404.
http::Handler serve_pki(std::string directory);

}  // namespace schakel::cli
