// How ds:X509IssuerSerial names a certificate (XML-DSig 4.5.4.1). Texts, not yet escaped for XML.
#pragma once

#include <string>

#include "security/certificate.hpp"

namespace schakel::xmlsecurity {

// RFC 2253: keywords of its table only, every other attribute type as an OID with the DER of its value ("2.5.4.97=#0c0e…"): the form that
// every reader of names knows, as the JDK writes it.
std::string issuer_name(const security::Certificate&);
// Decimal, of any length.
std::string serial_number(const security::Certificate&);

}  // namespace schakel::xmlsecurity
