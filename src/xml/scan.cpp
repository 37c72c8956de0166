#include "xml/scan.hpp"

#include <array>
#include <cstdint>

namespace schakel::xml {
namespace {

// Canonical forms repeat namespace names on many elements.
constexpr std::size_t namespace_bytes_max = 4 * limits::KiB;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

constexpr std::array<bool, 256> ends_name = [] {
  std::array<bool, 256> out{};
  for (const char c : std::string_view(" \t\r\n=/><\"'")) out[static_cast<unsigned char>(c)] = true;
  return out;
}();

class Scanner {
 public:
  Scanner(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {}

  Result<> run() {
    while (true) {
      const auto markup = text_.find('<', at_);
      if (markup == std::string_view::npos) break;
      if (markup - at_ > limits::xml_text_bytes_max) return over("text longer than", limits::xml_text_bytes_max);
      at_ = markup;
      SCHAKEL_CHECK(token());
    }
    if (depth_ != 0 || elements_ == 0) return malformed("the document ends inside an element or has none");
    return {};
  }

 private:
  std::string_view rest() const { return text_.substr(at_); }
  bool looking_at(std::string_view prefix) const { return rest().starts_with(prefix); }

  Result<> token() {
    if (looking_at("</")) return end_tag();
    if (looking_at("<?")) return instruction();
    if (!looking_at("<!")) return start_tag();
    if (looking_at("<!--")) return skip_until("-->", 4);
    if (looking_at("<![CDATA[")) return skip_until("]]>", 9);
    for (const std::string_view declaration : {"<!DOCTYPE", "<!ENTITY", "<!ELEMENT", "<!ATTLIST", "<!NOTATION", "<!["}) {
      if (looking_at(declaration)) return fail("xml.doctype", "a document type or entity declaration is not allowed", place());
    }
    return malformed("unknown markup declaration");
  }

  Result<> instruction() {
    const bool declaration = at_ == 0 && text_.size() > 5 && looking_at("<?xml") && is_space(text_[5]);
    if (!declaration && !limits_.instructions_allowed) return fail("xml.instruction", "a processing instruction is not allowed", place());
    return skip_until("?>", 2);
  }

  Result<> skip_until(std::string_view end, std::size_t opening) {
    if (++other_nodes_ > limits::xml_nodes_max) return over("comments and instructions more than", limits::xml_nodes_max);
    const auto found = text_.find(end, at_ + opening);
    if (found == std::string_view::npos) return malformed("a comment, instruction or CDATA section has no end");
    at_ = found + end.size();
    return {};
  }

  Result<> end_tag() {
    const auto end = text_.find('>', at_);
    if (end == std::string_view::npos || depth_ == 0) return malformed("an end tag that closes nothing");
    if (end - at_ > limits::xml_name_bytes_max * 2) return over("an end tag longer than", limits::xml_name_bytes_max * 2);
    leave_namespaces();
    --depth_;
    at_ = end + 1;
    return {};
  }

  Result<> start_tag() {
    ++at_;
    SCHAKEL_CHECK(name());
    if (++elements_ > limits_.elements_max) return over("elements more than", limits_.elements_max);
    if (++depth_ > limits_.depth_max) return over("depth over", limits_.depth_max);
    std::size_t attributes = 0;
    while (true) {
      skip_spaces();
      if (at_ >= text_.size()) return malformed("a tag has no end");
      if (text_[at_] == '>') {
        ++at_;
        return {};
      }
      if (text_[at_] == '/') {
        if (!looking_at("/>")) return malformed("a stray '/' in a tag");
        at_ += 2;
        leave_namespaces();
        --depth_;
        return {};
      }
      if (++attributes > limits_.attributes_max) return over("attributes of one element more than", limits_.attributes_max);
      SCHAKEL_CHECK(attribute());
    }
  }

  Result<> attribute() {
    const auto begin = at_;
    SCHAKEL_CHECK(name());
    const auto attribute_name = text_.substr(begin, at_ - begin);
    const bool is_namespace = attribute_name.starts_with("xmlns") && (attribute_name.size() == 5 || attribute_name[5] == ':');
    if (is_namespace) SCHAKEL_CHECK(enter_namespace());
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != '=') return malformed("an attribute without a value");
    ++at_;
    skip_spaces();
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) return malformed("an attribute value without quotes");
    const auto end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return malformed("an attribute value without end");
    if (is_namespace && end - at_ > namespace_bytes_max) return over("a namespace name longer than", namespace_bytes_max);
    if (text_.substr(at_, end - at_).find('<') != std::string_view::npos) return malformed("'<' in an attribute value");
    at_ = end + 1;
    return {};
  }

  Result<> name() {
    const auto begin = at_;
    while (at_ < text_.size() && !ends_name[static_cast<unsigned char>(text_[at_])]) ++at_;
    if (at_ == begin) return malformed("a name is missing");
    if (at_ - begin > limits::xml_name_bytes_max) return over("a name longer than", limits::xml_name_bytes_max);
    return {};
  }

  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  Result<> enter_namespace() {
    if (namespaces_ == limits::xml_namespaces_max) return over("namespaces in scope more than", limits::xml_namespaces_max);
    namespace_depth_[namespaces_++] = depth_;
    return {};
  }
  void leave_namespaces() {
    while (namespaces_ > 0 && namespace_depth_[namespaces_ - 1] == depth_) --namespaces_;
  }

  std::string place() const {
    const auto before = text_.substr(0, std::min(at_, text_.size()));
    return "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n'));
  }
  Error malformed(std::string_view what) const { return fail("xml.notWellFormed", std::string(what), place()); }
  Error over(std::string_view what, std::size_t limit) const {
    return fail("xml.limit", std::string(what) + ' ' + std::to_string(limit), place());
  }

  std::string_view text_;
  const Limits& limits_;
  std::size_t at_ = 0, depth_ = 0, elements_ = 0, other_nodes_ = 0, namespaces_ = 0;
  std::array<std::size_t, limits::xml_namespaces_max> namespace_depth_{};
};

}  // namespace

Result<> scan(std::string_view text, const Limits& limits) {
  return Scanner(text, limits).run();
}

std::string_view declared_encoding(std::string_view text) {
  if (!text.starts_with("<?xml") || text.size() < 6 || !is_space(text[5])) return {};
  const auto declaration = text.substr(0, text.find("?>"));
  const auto found = declaration.find("encoding");
  if (found == std::string_view::npos) return {};
  const auto open = declaration.find_first_of("\"'", found);
  if (open == std::string_view::npos) return {};
  const auto close = declaration.find(declaration[open], open + 1);
  if (close == std::string_view::npos) return {};
  return declaration.substr(open + 1, close - open - 1);
}

}  // namespace schakel::xml
