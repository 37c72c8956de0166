#include "wus/addressing.hpp"

#include <algorithm>

#include "wus/names.hpp"
#include "xml/grammar.hpp"

namespace schakel::wus {
namespace {

using xml::Element;

constexpr std::size_t message_id_characters_max = 512;  // WUS-083
constexpr std::size_t oin_digits = 20;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The characters of RFC 3987. Of the grammar above them only the scheme is looked at: message ids of the Best Practices
// (`<uuid>@<uri>`) do not follow it (WUS-083).
bool is_iri_text(std::string_view text) {
  if (text.empty()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || std::string_view("<>\"{}|\\^`").find(c) != std::string_view::npos)
      return false;
    if (c == '%' && (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))) return false;
  }
  return true;
}

// --- addresses ---------------------------------------------------------------------------------------------------------------------

// An address in the pieces that two of them are compared by.
struct AddressParts {
  std::string scheme, authority;  // in lower case, without the scheme's own port
  std::string_view rest;          // path, query, fragment
};

AddressParts parts_of(std::string_view address) {
  AddressParts parts;
  const auto colon = address.find("://");
  if (colon == std::string_view::npos) {
    parts.rest = address;
    return parts;
  }
  parts.scheme = to_lower(address.substr(0, colon));
  const auto after = address.substr(colon + 3);
  const auto end = std::min(after.find_first_of("/?#"), after.size());
  auto authority = after.substr(0, end);
  const std::string_view own_port = parts.scheme == "https" ? ":443" : parts.scheme == "http" ? ":80" : "";
  if (!own_port.empty() && authority.ends_with(own_port)) authority.remove_suffix(own_port.size());
  parts.authority = to_lower(authority);
  parts.rest = after.substr(end);
  if (parts.rest == "/") parts.rest = {};  // RFC 3986 6.2.3
  return parts;
}

bool is_oin_parameter(std::string_view parameter) {
  return equals_ignoring_case(parameter.substr(0, parameter.find('=')), "OIN");
}

// --- headers -----------------------------------------------------------------------------------------------------------------------

// WUS-071, WUS-072: the URI as direct text; a comment inside could make two readers read two values (SEC-111). nullopt: not so.
std::optional<std::string> uri_text(Element element) {
  if (element.first_child() || element.has_comment_or_pi()) return std::nullopt;
  return xml::collapsed(element.text());
}

Error invalid(std::string_view token, std::string_view what, Element where) {
  return fail(std::string(token), std::string(what), where.path());
}

bool is_reply(Element relates_to) {
  const auto relation = relates_to.attribute("", "RelationshipType");
  return !relation || xml::collapsed(*relation) == uri::reply;
}

class Reader {
 public:
  Reader(const std::vector<Element>& headers, Kind kind, const Settings& settings) : kind_(kind), settings_(settings) {
    for (const Element header : headers) add(header);
  }

  Result<Addressing> read() {
    SCHAKEL_CHECK(cardinality());
    SCHAKEL_CHECK(to());
    SCHAKEL_CHECK(action());
    SCHAKEL_CHECK(message_id());
    if (kind_ == Kind::response) SCHAKEL_CHECK(relates_to());
    SCHAKEL_CHECK(reply_to());
    SCHAKEL_CHECK(from());
    SCHAKEL_CHECK(fault_to());
    return std::move(out_);
  }

 private:
  using Headers = std::vector<Element>;

  void add(Element header) {
    const auto name = header.name();
    if (name == "To") to_.push_back(header);
    if (name == "Action") action_.push_back(header);
    if (name == "MessageID") message_id_.push_back(header);
    if (name == "From") from_.push_back(header);
    if (name == "ReplyTo") reply_to_.push_back(header);
    if (name == "FaultTo") fault_to_.push_back(header);
    if (name == "RelatesTo" && is_reply(header)) relates_to_.push_back(header);  // other relations are tolerated (WUS-082)
  }

  Result<> cardinality() const {
    for (const Headers* headers : {&to_, &action_, &message_id_, &from_, &reply_to_, &fault_to_}) {
      if (headers->size() > 1) return invalid("wus.headerTwice", "a WS-Addressing header stands twice", headers->back());
    }
    if (kind_ == Kind::response && relates_to_.size() > 1)
      return invalid("wus.headerTwice", "RelatesTo of a reply stands twice", relates_to_.back());
    return {};
  }

  // WUS-073, WUS-074, WUS-080
  Result<> to() {
    if (to_.empty()) {
      if (kind_ == Kind::response) return {};
      return fail("wus.toMissing", "wsa:To is missing");
    }
    const auto text = uri_text(to_.front());
    if (!text || !is_iri(*text)) return invalid("wus.toInvalid", "wsa:To is not an absolute URI", to_.front());
    if (split_oin(*text).conflicting) return invalid("wus.toInvalid", "wsa:To has two OIN parameters that differ", to_.front());
    out_.to = *text;
    return {};
  }

  Result<> action() {
    if (action_.empty()) return fail("wus.actionMissing", "wsa:Action is missing");
    const auto text = uri_text(action_.front());
    if (!text || !is_iri(*text)) return invalid("wus.actionInvalid", "wsa:Action is not an absolute URI", action_.front());
    out_.action = *text;
    return {};
  }

  Result<> message_id() {
    if (message_id_.empty()) return fail("wus.messageIdMissing", "wsa:MessageID is missing");
    const auto text = uri_text(message_id_.front());
    if (!text || !is_message_id(*text))
      return invalid("wus.messageIdInvalid", "wsa:MessageID is not a URI of at most 512 characters", message_id_.front());
    out_.message_id = *text;
    return {};
  }

  Result<> relates_to() {
    if (relates_to_.empty()) return fail("wus.relatesToMissing", "wsa:RelatesTo is missing");
    const auto text = uri_text(relates_to_.front());
    if (!text || !is_iri_text(*text)) return invalid("wus.relatesToOther", "wsa:RelatesTo is not a URI", relates_to_.front());
    out_.relates_to = *text;
    return {};
  }

  // WUS-071: exactly one wsa:Address and nothing else.
  Result<std::string> endpoint_reference(Element reference) const {
    const auto addresses = reference.children(ns::wsa, "Address");
    if (addresses.empty()) return invalid("wus.eprAddressMissing", "an endpoint reference without wsa:Address", reference);
    if (reference.children().size() != 1 || reference.has_comment_or_pi() || reference.has_text())
      return invalid("wus.eprInvalid", "an endpoint reference with more than wsa:Address", reference);
    auto text = uri_text(addresses.front());
    if (!text || !is_iri_text(*text) || split_oin(*text).conflicting)
      return invalid("wus.eprAddressInvalid", "wsa:Address is not a URI, or has two OIN parameters that differ", addresses.front());
    return std::move(*text);
  }

  // WUS-077, WUS-078, WUS-079
  Result<> reply_to() {
    if (reply_to_.empty()) return {};
    SCHAKEL_TRY(out_.reply_to, endpoint_reference(reply_to_.front()));
    const bool passed_through = kind_ == Kind::request && settings_.reply_to_passthrough && is_iri(out_.reply_to);
    const bool allowed = out_.reply_to == uri::none ? kind_ == Kind::response : out_.reply_to == uri::anonymous || passed_through;
    if (!allowed) return invalid("wus.notAnonymous", "wsa:ReplyTo is not the anonymous address", reply_to_.front());
    return {};
  }

  Result<> from() {
    if (!from_.empty()) {
      SCHAKEL_TRY(out_.from, endpoint_reference(from_.front()));
    } else if (kind_ == Kind::request && settings_.require_from) {
      return fail("wus.fromMissing", "wsa:From is missing, and the service requires it");
    }
    return {};
  }

  Result<> fault_to() {
    if (fault_to_.empty()) return {};
    SCHAKEL_TRY(out_.fault_to, endpoint_reference(fault_to_.front()));
    if (out_.fault_to != uri::anonymous && out_.fault_to != uri::none)
      return invalid("wus.notAnonymous", "wsa:FaultTo is neither the anonymous address nor none", fault_to_.front());
    return {};
  }

  Kind kind_;
  const Settings& settings_;
  Headers to_, action_, message_id_, from_, reply_to_, fault_to_, relates_to_;
  Addressing out_;
};

// Everything but unreserved characters as %XX (RFC 3986 2.1); `kept`: further ones that stay.
std::string percent_encoded(std::string_view text, std::string_view kept) {
  std::string out;
  for (const char c : text) {
    if (is_alpha(c) || is_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos ||
        kept.find(c) != std::string_view::npos) {
      out += c;
    } else {
      constexpr std::string_view digits = "0123456789ABCDEF";
      const auto octet = static_cast<unsigned char>(c);
      out += {'%', digits[octet >> 4], digits[octet & 15]};
    }
  }
  return out;
}
constexpr std::string_view uri_characters = "%:/?#[]@!$&'()*+,;=";

}  // namespace

// Scheme in front, something behind it; a host when there must be one.
bool is_iri(std::string_view text) {
  if (!is_iri_text(text) || !is_alpha(text.front())) return false;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return false;
  const auto scheme = text.substr(0, colon);
  const auto in_scheme = [](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; };
  if (!std::ranges::all_of(scheme, in_scheme)) return false;
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) return true;
  const auto rest = text.substr(colon + 1);
  return rest.starts_with("//") && rest.find_first_of("/?#", 2) != 2 && rest.size() > 2;
}

bool is_message_id(std::string_view text) {
  return is_iri_text(text) && characters(text) <= message_id_characters_max;
}

OinAddress split_oin(std::string_view address) {
  OinAddress out;
  const auto fragment = std::min(address.find('#'), address.size());
  const auto question = address.substr(0, fragment).find('?');
  if (question == std::string_view::npos) {
    out.address = address;
    return out;
  }
  std::string query;
  std::optional<std::string_view> value;
  bool any_kept = false;
  std::string_view rest = address.substr(question + 1, fragment - question - 1);
  while (true) {
    const auto end = rest.find('&');
    const auto parameter = rest.substr(0, end);
    if (is_oin_parameter(parameter)) {
      const auto equals = parameter.find('=');
      const auto found = equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
      out.conflicting = out.conflicting || (value && *value != found);
      value = found;
    } else {
      query.append(any_kept ? "&" : "?").append(parameter);
      any_kept = true;
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  out.address.append(address.substr(0, question)).append(query).append(address.substr(fragment));
  if (!value || out.conflicting) return out;
  if (value->size() == oin_digits && std::ranges::all_of(*value, is_digit)) {
    out.oin = *value;
  } else {
    out.malformed_oin = true;
  }
  return out;
}

std::string with_oin(std::string_view address, std::string_view oin) {
  auto out = split_oin(address).address;
  if (oin.empty()) return out;
  const auto fragment = std::min(out.find('#'), out.size());
  const bool has_query = out.substr(0, fragment).find('?') != std::string::npos;
  return out.insert(fragment, (has_query ? "&OIN=" : "?OIN=") + std::string(oin));
}

bool same_address(std::string_view left, std::string_view right) {
  const auto a = parts_of(left), b = parts_of(right);
  return a.scheme == b.scheme && a.authority == b.authority && a.rest == b.rest;
}

Result<Addressing> read_addressing(const std::vector<Element>& headers, Kind kind, const Settings& settings) {
  return Reader(headers, kind, settings).read();
}

Result<> check_response_addressing(const Addressing& addressing, std::string_view request_message_id, const Operation& operation) {
  if (addressing.relates_to != request_message_id) return fail("wus.relatesToOther", "wsa:RelatesTo is not the MessageID of the request");
  const auto is_of_fault = [&](const Operation::DeclaredFault& fault) { return fault.action == addressing.action; };
  if (addressing.action != operation.output_action && addressing.action != uri::wsa_fault_action &&
      addressing.action != uri::soap_fault_action && std::ranges::none_of(operation.faults, is_of_fault))
    return fail("wus.actionUnknown", "wsa:Action is none of the actions of the answer");
  return {};
}

Result<> check_soap_action(std::optional<std::string_view> soap_action, const Addressing& addressing, bool& unquoted) {
  unquoted = false;
  if (!soap_action) return fail("wus.soapAction", "the HTTP header SOAPAction is missing");
  auto value = trim(*soap_action);
  if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
    value = value.substr(1, value.size() - 2);
  } else {
    unquoted = true;
  }
  if (!value.empty() && value != addressing.action) return fail("wus.soapAction", "SOAPAction is not wsa:Action");
  return {};
}

std::string make_message_id(MessageIdFormat format, Random& random, std::string_view uri, std::string_view custom) {
  const auto uuid = uuid_v4(random);
  const auto at_uri = uuid + '@' + percent_encoded(uri, uri_characters);
  switch (format) {
    case MessageIdFormat::urn_uuid:
      break;
    case MessageIdFormat::uuid_at_uri:
      return at_uri;
    case MessageIdFormat::custom_uuid_at_uri:
      return percent_encoded(custom, {}) + '@' + at_uri;
  }
  return "urn:uuid:" + uuid;
}

}  // namespace schakel::wus
