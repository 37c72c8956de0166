// MTOM as received (wus.md 1.9, 3.6): a multipart/related entity in its parts, and XOP undone in the parsed root part.
//
// Pure functions over octets that are all there. Errors: "wus.envelope", "wus.limit".
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "http/fields.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

// WUS-027
inline constexpr std::size_t parts_max = 64;
inline constexpr std::size_t part_header_bytes_max = 8 * limits::KiB;

struct Part {
  std::string content_id;    // without angle brackets
  std::string content_type;  // as written
  BytesView encoded;         // in the entity
  std::optional<Bytes> decoded;

  BytesView octets() const { return decoded ? BytesView(*decoded) : encoded; }  // transfer encoding undone
};

// Parts in the order of the entity. The first delimiter may stand after a preamble; the closing one must be there; an epilogue is dropped.
// Content-IDs are unique, no part is a multipart itself, transfer encodings are those of WUS-182.
Result<std::vector<Part>> split_related(BytesView entity, std::string_view boundary);

// The Content-ID of the root part stands in `start`, with brackets; empty: the first part is the root.
Result<std::size_t> root_of(const std::vector<Part>&, std::string_view start);

// An entity of multipart/related taken apart.
struct Package {
  std::vector<Part> parts;
  std::size_t root = 0;
  std::optional<std::string> root_charset;  // that the root part states

  BytesView root_octets() const { return parts[root].octets(); }
};
// `media`: the Content-Type of the entity. The root part is application/xop+xml of one of these types, "text/xml" for a message.
Result<Package> read_package(BytesView entity, const http::MediaType& media, std::initializer_list<std::string_view> root_types);
// Is this the media type of such an entity? SOAP with Attachments is none (WUS-185).
bool is_package(const http::MediaType&);

// Every xop:Include of the document becomes the base64 text of its part. Each part but the root is included exactly once. `bytes_max`: of
// the document with all that is included; a xenc:CipherValue counts by its octets, since its text does not stay. Gives the elements that
// were filled, in document order.
Result<std::vector<xml::Element>> expand_xop(xml::Document&, const std::vector<Part>&, std::size_t root, std::size_t bytes_max);

}  // namespace schakel::wus
