// Namespaces and fixed values of CPA 2.0 documents (cpa.md 2.1, 2.4).
#pragma once

#include <string_view>

namespace schakel::cpa::names {

inline constexpr std::string_view cpa = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd";
inline constexpr std::string_view ds = "http://www.w3.org/2000/09/xmldsig#";
inline constexpr std::string_view xlink = "http://www.w3.org/1999/xlink";
inline constexpr std::string_view xml = "http://www.w3.org/XML/1998/namespace";
inline constexpr std::string_view message_header = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd";

inline constexpr std::string_view oin_type = "urn:osb:oin";
inline constexpr std::string_view service_type = "urn:osb:services";
inline constexpr std::string_view signal_service = "urn:oasis:names:tc:ebxml-msg:service";
inline constexpr std::string_view to_party_actor = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH";
inline constexpr std::string_view next_actor = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH";

inline constexpr std::string_view sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
inline constexpr std::string_view sha384 = "http://www.w3.org/2001/04/xmldsig-more#sha384";
inline constexpr std::string_view sha512 = "http://www.w3.org/2001/04/xmlenc#sha512";
inline constexpr std::string_view rsa_sha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
inline constexpr std::string_view rsa_sha384 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384";
inline constexpr std::string_view rsa_sha512 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512";
inline constexpr std::string_view aes256_gcm = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
inline constexpr std::string_view aes128_gcm = "http://www.w3.org/2009/xmlenc11#aes128-gcm";
inline constexpr std::string_view aes256_cbc = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
inline constexpr std::string_view aes128_cbc = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";

}  // namespace schakel::cpa::names
