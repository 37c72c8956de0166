// What the trail of an exchange says beside the members that every event has (WUS-320): "name=value name=value", one line, no payload.
#pragma once

#include <string>
#include <string_view>

#include "wus/addressing.hpp"
#include "wus/opening.hpp"
#include "wus/sealing.hpp"

namespace schakel::wus {

// "to=URI from=URI": where it was sent, and by whom as a person or an application should know it (WUS-284).
std::string address_text(const Addressing&, std::string_view shown_from);
// "signer=OIN serial=HEX signature=rsa-sha256 digest=sha256 cipher=aes256-gcm transport=rsa-oaep-mgf1p issuer=DN" of what was opened; empty
// when it was not secured.
std::string opened_text(const Opened&);
// The same of what was made with these settings.
std::string secured_text(const MessageToMake::Protection&, const Settings&);

}  // namespace schakel::wus
