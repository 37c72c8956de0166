#include "ebms/coverage.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "ebms/envelope.hpp"

namespace schakel::ebms {

namespace {

constexpr std::string_view former_next_msh = "urn:oasis:names:tc:ebxml-msg:service:nextMSH";  // EB-239: older releases of EC

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Without white space outside literals. nullopt: a literal is not closed.
std::optional<std::string> squeezed(std::string_view text) {
  std::string out;
  char quote = '\0';
  for (const char c : text) {
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (is_blank(c)) {
      continue;
    }
    out += c;
  }
  if (quote != '\0') return std::nullopt;
  return out;
}

bool is_ncname(std::string_view text) {
  const auto starts = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto goes_on = [&](char c) { return starts(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return !text.empty() && starts(text.front()) && std::all_of(text.begin(), text.end(), goes_on);
}

class FilterReader {
 public:
  FilterReader(std::string_view text, xml::Element context) : rest_(text), context_(context) {}

  std::optional<ActorFilter> read() {
    ActorFilter filter;
    if (!skip("not(") || !operand(filter.operands[0]) || !skip("|") || !operand(filter.operands[1]) || !skip(")") || !rest_.empty())
      return std::nullopt;
    const auto names = [&](std::string_view actor) {
      return std::ranges::any_of(filter.operands, [&](const ActorFilter::Operand& operand) { return operand.actor == actor; });
    };
    if (!names(uri::next) || (!names(uri::next_msh) && !names(former_next_msh))) return std::nullopt;
    return filter;
  }

 private:
  bool skip(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  bool operand(ActorFilter::Operand& out) {
    if (!skip("ancestor-or-self::node()[@")) return false;
    const std::size_t equals = rest_.find('=');
    if (equals == std::string_view::npos) return false;
    if (!name(rest_.substr(0, equals), out)) return false;
    rest_.remove_prefix(equals + 1);
    return literal(out.actor) && skip("]");
  }

  bool name(std::string_view text, ActorFilter::Operand& out) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return text == "actor";
    out.prefix = text.substr(0, colon);
    if (text.substr(colon + 1) != "actor" || !is_ncname(out.prefix)) return false;
    out.namespace_uri = context_.namespace_of(out.prefix).value_or("");
    return out.namespace_uri == uri::soap;
  }

  bool literal(std::string& out) {
    if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\'')) return false;
    const std::size_t end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos) return false;
    out = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return true;
  }

  std::string_view rest_;
  xml::Element context_;
};

bool is_left_out(const ActorFilter& filter, xml::Element element) {
  return std::ranges::any_of(filter.operands, [&](const ActorFilter::Operand& operand) {
    return element.attribute(operand.namespace_uri, "actor") == operand.actor;
  });
}

void collect(const ActorFilter& filter, xml::Element element, std::vector<xml::Element>& out) {
  if (is_left_out(filter, element)) {
    out.push_back(element);
    return;
  }
  for (xml::Element child = element.first_child(); child; child = child.next_sibling()) collect(filter, child, out);
}

}  // namespace

std::string_view own_actor_filter() {
  return "not(ancestor-or-self::node()[@soap:actor=\"urn:oasis:names:tc:ebxml-msg:actor:nextMSH\"]|"
         "ancestor-or-self::node()[@soap:actor=\"http://schemas.xmlsoap.org/soap/actor/next\"])";
}

std::optional<ActorFilter> read_actor_filter(xml::Element ds_xpath) {
  // A comment or an element could make two readers read two expressions (SEC-111).
  if (ds_xpath.first_child() || ds_xpath.has_comment_or_pi()) return std::nullopt;
  const auto text = squeezed(ds_xpath.text());
  return text ? FilterReader(*text, ds_xpath).read() : std::nullopt;
}

std::vector<xml::Element> left_out_by(const ActorFilter& filter, xml::Element root) {
  std::vector<xml::Element> out;
  collect(filter, root, out);
  return out;
}

bool may_be_left_out(xml::Element element, xml::Element soap_header) {
  if (element.parent() != soap_header) return false;
  if (element.is(uri::eb, "SyncReply")) return true;
  if (element.is(uri::eb, "AckRequested")) return element.attribute(uri::soap, "actor") == uri::next_msh;
  const std::string_view name = element.namespace_uri();
  return name != uri::eb && name != uri::soap && name != uri::ds;
}

}  // namespace schakel::ebms
