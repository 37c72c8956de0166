// Children of wsse:Security as text, but those of encryption (wus.md 3.3, 3.4). Prefixes soapenv, wsa and wsu are declared on Envelope,
// wsse on Security; all else is declared where it is used.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "security/certificate.hpp"

namespace schakel::wus {

std::string security_start();
inline constexpr std::string_view security_end = "</wsse:Security>";

// Created is cut to milliseconds, never rounded up: a receiver may have no patience for what is to come (WUS-101).
std::string timestamp(std::string_view id, Instant created, std::chrono::seconds ttl);
std::string binary_security_token(std::string_view id, const security::Certificate&);
// `signature_value`: of the request; empty: it had none, and there is no Value (WUS-160).
std::string signature_confirmation(std::string_view id, BytesView signature_value);
// `<wsse:SecurityTokenReference>` to a BinarySecurityToken in the same header.
std::string direct_reference(std::string_view token_id);

}  // namespace schakel::wus
