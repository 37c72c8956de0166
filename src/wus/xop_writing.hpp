// The wire form of MTOM (wus.md 3.6): an envelope with xop:Include in it as the root part of multipart/related, and the octets beside it.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

struct XopPart {
  std::string content_id;    // "uuid@host", without angle brackets
  std::string content_type;  // of the octets; must be a media type, for it is written as it is
};
inline constexpr std::string_view binary_media_type = "application/octet-stream";
// The media type that an element gives its octets (xmime:contentType); binary_media_type when it gives none, or none for a header line.
std::string part_media_type(xml::Element);

// A part with an id that no other has.
XopPart make_part(Random&, std::string_view content_type = binary_media_type);
// `<xop:Include …/>`, which stands for the part's octets as base64.
std::string xop_include(const XopPart&);

// One package, written from front to end: open_root, the envelope; for each part open_part, its octets; close.
class XopPackage {
 public:
  // `root_type`: of the root without XOP; on our own side an element alone is application/xml.
  explicit XopPackage(Random&, std::string_view root_type = "text/xml");

  // The HTTP header Content-Type of the whole.
  std::string content_type() const;

  void open_root(std::string& out) const;
  void open_part(const XopPart&, std::string& out) const;
  void close(std::string& out) const;
  // Upper bound of what this class writes for a root and so many parts, apart from their content types.
  static std::size_t overhead_bytes(std::size_t parts);

 private:
  void open(const XopPart&, std::string& out) const;

  std::string boundary_, root_type_;
  XopPart root_;
};

}  // namespace schakel::wus
