// The documents that describe one service, as they were uploaded together: how one names another, and all of them as one octet string.
//
// Nothing outside a bundle is ever read (WUS-051): locations resolve to names in a map, not to files. Pure; safe from every thread.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace schakel::wus {

// File name -> octets. A name is a relative path with '/' between its segments.
using Documents = std::map<std::string, std::string, std::less<>>;

struct Bundle {
  std::string main;  // the WSDL with the binding
  Documents documents;
  friend bool operator==(const Bundle&, const Bundle&) = default;
};
inline constexpr std::size_t bundle_documents_max = 100;
inline constexpr std::size_t bundle_bytes_max = 10u * 1024 * 1024;
inline constexpr std::size_t bundle_name_bytes_max = 255;

// Numbers, size and names, before any document is parsed. Error "wus.bundle", its location a document.
Result<> check_bundle(const Bundle&);

// The document that `location`, as written in document `base`, stands for; nullopt: none of these. A ".." at the top stays at the top (RFC
// 3986 5.2.4); documents that were uploaded without their folders are found by the last segment, when one alone has it.
std::optional<std::string> resolve_location(const Documents&, std::string_view base, std::string_view location);

// The same bundle always gives the same octets: this is what a contract stores and what its digest is over.
Bytes pack(const Bundle&);
// Error "wus.bundle".
Result<Bundle> unpack(BytesView);

}  // namespace schakel::wus
