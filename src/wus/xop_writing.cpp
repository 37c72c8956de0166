#include "wus/xop_writing.hpp"

#include <algorithm>

#include "http/fields.hpp"
#include "wus/names.hpp"

namespace schakel::wus {
namespace {

// What is unique is the UUID; the right side of a Content-ID only has to be there.
constexpr std::string_view content_id_host = "schakel";

}  // namespace

XopPart make_part(Random& random, std::string_view content_type) {
  return {uuid_v4(random) + '@' + std::string(content_id_host), std::string(content_type)};
}

std::string xop_include(const XopPart& part) {
  return "<xop:Include xmlns:xop=\"" + std::string(ns::xop) + "\" href=\"cid:" + part.content_id + "\"/>";
}

std::string part_media_type(xml::Element element) {
  const auto named = element.attribute(ns::xmime, "contentType");
  const auto is_printable = [](char c) { return c >= 0x20 && c < 0x7F && c != '<' && c != '>' && c != '&'; };
  const bool usable = named && http::parse_media_type(*named) && std::ranges::all_of(*named, is_printable);
  return usable ? *named : std::string(binary_media_type);
}

XopPackage::XopPackage(Random& random, std::string_view root_type)
    : boundary_("uuid-" + uuid_v4(random)),
      root_type_(root_type),
      root_(make_part(random, "application/xop+xml; charset=UTF-8; type=\"" + root_type_ + '"')) {}

std::string XopPackage::content_type() const {
  return "multipart/related; boundary=\"" + boundary_ + "\"; type=\"application/xop+xml\"; start=\"<" + root_.content_id +
         ">\"; start-info=\"" + root_type_ + '"';
}

void XopPackage::open_root(std::string& out) const {
  open(root_, out);
}

void XopPackage::open_part(const XopPart& part, std::string& out) const {
  out += "\r\n";
  open(part, out);
}

void XopPackage::open(const XopPart& part, std::string& out) const {
  out.append("--").append(boundary_).append("\r\nContent-Type: ").append(part.content_type);
  out.append("\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <").append(part.content_id).append(">\r\n\r\n");
}

void XopPackage::close(std::string& out) const {
  out.append("\r\n--").append(boundary_).append("--\r\n");
}

std::size_t XopPackage::overhead_bytes(std::size_t parts) {
  constexpr std::size_t one = 256;  // delimiter, three header lines
  return (parts + 2) * one;
}

}  // namespace schakel::wus
