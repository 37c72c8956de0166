// The content of a Body that is being sent: an element as text, of which long plain texts stay out of the parser.
//
// A payload of megabytes is nearly always one base64 text. It is cut out of what is parsed for signing and given to the canonical form as
// it is (xml::Filling), so that a message costs its octets once and no tree of them (WUS-186).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wus/sealing.hpp"
#include "xml/canonical.hpp"

namespace schakel::wus {

// The whole text of an element that has nothing else: printable ASCII without markup, so that canonical form and serialisation are alike.
struct PlainText {
  std::size_t element;     // its position among all elements, in document order
  std::size_t begin, end;  // octets of the text
};
// Of the elements at `positions` (ascending), and of every element with at least `bytes_min`. Reads tags only: that the text is XML must be
// checked by parsing it.
std::vector<PlainText> plain_texts(std::string_view xml, std::span<const std::size_t> positions, std::size_t bytes_min);

class BodyText {
 public:
  struct Cut {
    PlainText at;
    bool is_part;     // leaves the envelope as a part of its own
    Bytes octets;     // decoded, of a part
    Bytes canonical;  // base64 of a part when the text is another spelling of it; else empty
    std::string content_type{};
  };

  static constexpr std::size_t uncut_text_bytes_max = std::size_t{64} * 1024;

  // `optimise`: elements at MessageToMake::binary_elements with enough octets become parts (WUS-184).
  BodyText(const MessageToMake&, bool optimise, std::size_t mtom_threshold, std::size_t uncut_bytes_max = uncut_text_bytes_max);

  std::string_view text() const { return text_; }
  const std::vector<Cut>& cuts() const { return cuts_; }
  std::string without_cuts() const;

  // After without_cuts() was parsed as the only content of `soap_body`: checks that it is one element, and finds the elements of the cuts.
  // Errors: "wus.envelope".
  Result<> bind(xml::Element soap_body);
  // For the canonical form; points into this object.
  std::vector<xml::Filling> fillings() const;
  // Declarations (" xmlns:p=\"…\"") that the element takes from around it, to make it self-contained (WUS-147); usually none.
  std::string outer_declarations() const;

 private:
  std::string_view text_;
  std::vector<Cut> cuts_;
  xml::Element root_;
  std::vector<xml::Element> elements_;  // of the cuts
};

}  // namespace schakel::wus
