#include "xmlsecurity/encrypted_data.hpp"

#include "xmlsecurity/elements.hpp"

namespace schakel::xmlsecurity {
namespace {

using xml::Element;

constexpr std::string_view structure = "encryption.structure";
constexpr std::size_t depth_max = 16, elements_max = 400, encrypted_keys_max = 8;  // SEC-114

std::string_view local_name(std::string_view qualified) {
  const auto colon = qualified.find(':');
  return colon == std::string_view::npos ? qualified : qualified.substr(colon + 1);
}

// SEC-114: nothing that sends the reader elsewhere, and no encryption inside encryption.
Result<> check_below(Element parent, Element key_info) {
  for (Element child = parent.first_child(); child; child = child.next_sibling()) {
    const bool own_key = child.is(uri::xenc, "EncryptedKey") && parent == key_info;
    if (child.is(uri::xenc, "CipherReference") || child.is(uri::xenc, "EncryptedData") || child.is(uri::xenc, "AgreementMethod") ||
        child.is(uri::xenc11, "DerivedKey") || (child.is(uri::xenc, "EncryptedKey") && !own_key)) {
      return malformed(structure, "an element that is not accepted in EncryptedData", child);
    }
    SCHAKEL_CHECK(check_below(child, key_info));  // the parser's depth limit bounds this
  }
  return {};
}

}  // namespace

ContentFinder::Progress ContentFinder::advance(std::string_view text) {
  const char c = text.back();
  const auto markup = text.substr(begin_);
  switch (at_) {
    case At::text:
      if (c == '<') {
        at_ = At::markup;
        begin_ = text.size() - 1;
      }
      return Progress::more;
    case At::markup:
      at_ = c == '?' ? At::instruction : c == '!' ? At::declaration : c == '/' ? At::end_tag : At::start_tag;
      return c == '>' ? Progress::impossible : Progress::more;
    case At::declaration:
      if (markup == "<!--") at_ = At::comment;
      if (markup == "<![CDATA[") at_ = At::character_data;
      return std::string_view("<!--").starts_with(markup) || std::string_view("<![CDATA[").starts_with(markup) ? Progress::more
                                                                                                               : Progress::impossible;
    case At::instruction:
      if (markup.size() >= 4 && markup.ends_with("?>")) at_ = At::text;
      return Progress::more;
    case At::comment:
      if (markup.size() >= 7 && markup.ends_with("-->")) at_ = At::text;
      return Progress::more;
    case At::character_data:
      if (markup.ends_with("]]>")) at_ = At::text;
      return Progress::more;
    case At::start_tag:
      if (quote_ != 0) {
        if (c == quote_) quote_ = 0;
      } else if (c == '"' || c == '\'') {
        quote_ = c;
      } else if (c == '>') {
        return end_of_start_tag(markup);
      }
      return Progress::more;
    case At::end_tag:
      if (c != '>') return Progress::more;
      at_ = At::text;
      if (open_.size() <= 1) return Progress::impossible;  // the root ends without content
      open_.pop_back();
      return Progress::more;
  }
  return Progress::impossible;
}

ContentFinder::Progress ContentFinder::end_of_start_tag(std::string_view tag) {
  at_ = At::text;
  if (tag.ends_with("/>")) return open_.empty() ? Progress::impossible : Progress::more;
  if (open_.size() == depth_max) return Progress::impossible;
  open_.emplace_back(tag.substr(1, tag.find_first_of(" \t\r\n>") - 1));
  const bool content = open_.size() == 3 && local_name(open_[0]) == "EncryptedData" && local_name(open_[1]) == "CipherData" &&
                       local_name(open_[2]) == "CipherValue";
  return content ? Progress::found : Progress::more;
}

std::string ContentFinder::closing_tags() const {
  std::string out;
  for (auto name = open_.rbegin(); name != open_.rend(); ++name) out.append("</").append(*name).append(">");
  return out;
}

Result<EncryptedDataHead> read_encrypted_data(std::string_view without_content) {
  const xml::Limits limits{.depth_max = depth_max, .elements_max = elements_max, .attributes_max = 64};
  SCHAKEL_TRY(const auto document, xml::Document::parse(without_content, limits));
  const Element root = document.root();
  if (!root.is(uri::xenc, "EncryptedData")) return malformed(structure, "the root is not EncryptedData", root);
  EncryptedDataHead head;
  head.mime_type = root.attribute("", "MimeType").value_or("");
  head.encoding = root.attribute("", "Encoding").value_or("");
  head.type = root.attribute("", "Type").value_or("");

  Sequence parts(root, uri::xenc, structure);
  SCHAKEL_TRY(const Element method, parts.required("EncryptionMethod"));
  SCHAKEL_TRY(head.algorithm, algorithm_of(method, structure));
  for (const Element parameter : method.children()) {
    if (!parameter.is(uri::xenc, "KeySize")) return malformed(structure, "a parameter that no content cipher has", parameter);
  }
  const Element key_info = method.next_sibling();
  if (!key_info || !key_info.is(uri::ds, "KeyInfo")) return malformed(structure, "KeyInfo is missing or not at its place", root);
  SCHAKEL_CHECK(check_below(root, key_info));
  const auto keys = key_info.children(uri::xenc, "EncryptedKey");
  if (keys.empty() || keys.size() > encrypted_keys_max) return malformed(structure, "no EncryptedKey, or too many", key_info);
  for (const Element key : keys) {
    SCHAKEL_TRY(auto read, read_encrypted_key(key));
    head.keys.push_back(std::move(read));
  }
  const Element cipher_data = key_info.next_sibling();
  if (!cipher_data || !cipher_data.is(uri::xenc, "CipherData"))
    return malformed(structure, "CipherData is missing or not at its place", root);
  const Element value = cipher_data.first_child();
  if (!value || !value.is(uri::xenc, "CipherValue") || value.next_sibling() || value.first_child() || value.has_comment_or_pi() ||
      !value.text().empty())
    return malformed(structure, "CipherData does not hold one CipherValue of plain text", cipher_data);
  const Element properties = cipher_data.next_sibling();
  if (properties && (!properties.is(uri::xenc, "EncryptionProperties") || properties.next_sibling()))
    return malformed(structure, "an element that has no place here", properties);
  return head;
}

}  // namespace schakel::xmlsecurity
