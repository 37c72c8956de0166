// The client certificate in the headers of a TLS-terminating proxy (SEC-050..052). Private to http/, pure.
#pragma once

#include <string_view>

#include "http/message.hpp"
#include "http/server.hpp"

namespace schakel::http {

// True for headers that only a proxy or we may set: Client-Cert…, X-SSL-Client-Cert and Schakel-…
bool is_internal_header(std::string_view name);
// From Client-Cert and Client-Cert-Chain (RFC 9440), else X-SSL-Client-Cert (URL-encoded PEM). "SEC.TLS.GEEN_CERT" when there is none or it
// is repeated or malformed.
Result<OffloadedCertificate> offloaded_certificate(const Headers&);

}  // namespace schakel::http
