#include "wus/envelope_writing.hpp"

#include <algorithm>

#include "wus/names.hpp"
#include "xml/document.hpp"

namespace schakel::wus {
namespace {

class Writing {
 public:
  explicit Writing(Identifiers* identifiers) : identifiers_(identifiers) {
    out_.before_security.append("<soapenv:Envelope xmlns:soapenv=\"").append(ns::soapenv).append("\" xmlns:wsa=\"").append(ns::wsa);
    if (identifiers_ != nullptr) out_.before_security.append("\" xmlns:wsu=\"").append(ns::wsu);
    out_.before_security += "\"><soapenv:Header>";
  }

  Result<> uri(std::string_view name, std::string_view value) { return block(name, value, "", ""); }
  Result<> endpoint(std::string_view name, std::string_view value) { return block(name, value, "<wsa:Address>", "</wsa:Address>"); }

  Result<> extra(std::string_view text) {
    const auto alone = xml::Document::parse(text, {});
    const auto tag_end = text.find_first_of(" \t\r\n/>");
    if (!alone || text.empty() || text.front() != '<' || tag_end == std::string_view::npos)
      return fail("wus.envelope", "an extra header block is not one serialised element");
    ++out_.header_blocks;
    if (identifiers_ == nullptr) {
      out_.before_security += text;
      return {};
    }
    if (auto own = alone->root().attribute(ns::wsu, "Id")) {
      if (std::ranges::find(out_.header_ids, *own) != out_.header_ids.end())
        return fail("wus.envelope", "two extra header blocks with the same wsu:Id");
      out_.header_ids.push_back(std::move(*own));
      out_.before_security += text;
      return {};
    }
    // The attribute goes into its start tag, where the prefix must still be the one of Envelope.
    if (const auto bound = alone->root().namespace_of("wsu"); bound && *bound != ns::wsu)
      return fail("wus.envelope", "an extra header block uses the prefix wsu for another namespace");
    out_.before_security.append(text.substr(0, tag_end)).append(id_attribute()).append(text.substr(tag_end));
    return {};
  }

  EnvelopeText finish() {
    out_.before_content = "</soapenv:Header><soapenv:Body";
    if (identifiers_ != nullptr) {
      out_.body_id = identifiers_->next();
      out_.before_content.append(" wsu:Id=\"").append(out_.body_id).append("\"");
    }
    out_.before_content += '>';
    return std::move(out_);
  }

 private:
  std::string id_attribute() {
    if (identifiers_ == nullptr) return {};
    out_.header_ids.push_back(identifiers_->next());
    return " wsu:Id=\"" + out_.header_ids.back() + '"';
  }

  // What is empty is not written.
  Result<> block(std::string_view name, std::string_view value, std::string_view open, std::string_view close) {
    if (value.empty()) return {};
    if (!xml::is_xml_text(value)) return fail("wus.envelope", "wsa:" + std::string(name) + " has a character that XML cannot carry");
    ++out_.header_blocks;
    out_.before_security.append("<wsa:").append(name).append(id_attribute()).append(">").append(open).append(xml::escaped(value));
    out_.before_security.append(close).append("</wsa:").append(name).append(">");
    return {};
  }

  Identifiers* identifiers_;
  EnvelopeText out_;
};

}  // namespace

Result<EnvelopeText> envelope_text(const MessageToMake& make, Identifiers* identifiers) {
  Writing writing(identifiers);
  const Addressing& addressing = make.addressing;
  SCHAKEL_CHECK(writing.uri("To", addressing.to));
  SCHAKEL_CHECK(writing.uri("Action", addressing.action));
  SCHAKEL_CHECK(writing.uri("MessageID", addressing.message_id));
  if (make.kind == Kind::response) {
    SCHAKEL_CHECK(writing.uri("RelatesTo", addressing.relates_to));
  } else {
    SCHAKEL_CHECK(writing.endpoint("From", addressing.from));
    SCHAKEL_CHECK(writing.endpoint("ReplyTo", addressing.reply_to));
  }
  for (const auto& header : make.headers) SCHAKEL_CHECK(writing.extra(header));
  return writing.finish();
}

}  // namespace schakel::wus
