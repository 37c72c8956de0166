#include "facade/soap.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/limits.hpp"
#include "ebms/mime.hpp"
#include "xml/document.hpp"

namespace schakel::facade {
namespace {

using xml::Element;

constexpr std::string_view soap_11 = "http://schemas.xmlsoap.org/soap/envelope/";
constexpr std::string_view xsi = "http://www.w3.org/2001/XMLSchema-instance";
constexpr std::string_view xop = "http://www.w3.org/2004/08/xop/include";
constexpr std::size_t text_bytes_max = 1024, elements_max = 10'000, depth_max = 64, event_types_max = 16;

Error invalid(const Element& where, std::string detail) {
  return fail("request.invalid", std::move(detail), where.path());
}

// The children of one element, each asked for by its name; what nobody asked for is a fault. The first fault is kept, and everything after
// it reads as absent.
class Children {
 public:
  explicit Children(Element parent) : parent_(parent) {}

  // The one child of this name; null when it is absent or xsi:nil.
  Element one(std::string_view name, bool required = false) {
    known_.insert(name);
    const auto found = parent_.children("", name);
    if (found.size() > 1) note(invalid(found[1], std::string(name) + " stands here twice"));
    if (found.empty() || is_nil(found[0])) {
      if (required) note(invalid(parent_, std::string(name) + " is missing"));
      return {};
    }
    return found[0];
  }
  std::vector<Element> all(std::string_view name, std::size_t count_max) {
    known_.insert(name);
    auto found = parent_.children("", name);
    std::erase_if(found, is_nil);
    if (found.size() > count_max) note(invalid(parent_, "more than " + std::to_string(count_max) + " of " + std::string(name)));
    return fault_ ? std::vector<Element>() : found;
  }
  std::string text(std::string_view name, bool required = false) {
    const Element child = one(name, required);
    return child ? text_of(child) : std::string();
  }
  std::string text_of(const Element& element) {
    // A comment may cut a text in two that another reader sees as one (SEC-111).
    if (element.has_comment_or_pi() || element.first_child()) note(invalid(element, "text is expected here"));
    std::string value(trim(element.text()));
    if (value.size() > text_bytes_max) note(invalid(element, "longer than " + std::to_string(text_bytes_max) + " octets"));
    return fault_ ? std::string() : value;
  }
  bool boolean(std::string_view name) {
    const auto value = text(name);
    if (!value.empty() && value != "true" && value != "false" && value != "1" && value != "0")
      note(invalid(parent_, std::string(name) + " is no boolean"));
    return value == "true" || value == "1";
  }
  std::int64_t count(std::string_view name) {
    const auto value = text(name);
    std::int32_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (!value.empty() && (error != std::errc() || end != value.data() + value.size() || number < 0))
      note(invalid(parent_, std::string(name) + " is no number of 0 or more"));
    return fault_ ? 0 : number;
  }

  void note(Error fault) {
    if (!fault_) fault_ = std::move(fault);
  }
  // Once, last.
  Result<> end() {
    for (const auto& child : parent_.children())
      if (!child.namespace_uri().empty() || !known_.contains(child.name())) note(invalid(child, "this element is not known here"));
    if (fault_) return *fault_;
    return {};
  }

 private:
  static bool is_nil(const Element& element) {
    const auto nil = element.attribute(xsi, "nil");
    return nil == "true" || nil == "1";
  }

  Element parent_;
  std::set<std::string_view> known_;
  std::optional<Error> fault_;
};

// --- what operations are made of -------------------------------------------------------------------------------------------------------

Result<RequestProperties> read_properties(Element element) {
  Children children(element);
  RequestProperties out;
  out.cpa_id = children.text("cpaId", true);
  out.from_party_id = children.text("fromPartyId", true);
  out.from_role = children.text("fromRole", true);
  out.to_party_id = children.text("toPartyId");
  out.to_role = children.text("toRole");
  out.service = children.text("service", true);
  out.action = children.text("action", true);
  out.conversation_id = children.text("conversationId");
  out.message_id = children.text("messageId");
  out.ref_to_message_id = children.text("refToMessageId");
  SCHAKEL_CHECK(children.end());
  return out;
}

// Octets in base64, or the xop:Include that stands for them.
Result<> read_content(Element element, DataSource& out) {
  const Element include = element.first_child();
  if (!include) {
    if (element.has_comment_or_pi()) return invalid(element, "text is expected here");
    auto octets = from_base64_lenient(element.text());
    if (!octets) return invalid(element, "not base64");
    out.content = std::move(*octets);
    return {};
  }
  const auto href = include.attribute("", "href");
  if (!include.is(xop, "Include") || include.next_sibling() || !href || !href->starts_with("cid:") || href->size() > text_bytes_max)
    return invalid(element, "base64 or one xop:Include with a cid: is expected here");
  out.attachment = ebms::percent_decoded(std::string_view(*href).substr(4));
  return {};
}

Result<DataSource> read_data_source(Element element) {
  Children children(element);
  DataSource out;
  out.name = children.text("name");
  out.content_id = children.text("contentId");
  out.content_type = children.text("contentType");
  // The endpoint with MTOM calls it an attachment.
  Element content = children.one("attachment");
  if (!content) content = children.one("content", true);
  SCHAKEL_CHECK(children.end());
  SCHAKEL_CHECK(read_content(content, out));
  return out;
}

Result<MessageRequest> read_message(Element element) {
  Children children(element);
  const Element properties = children.one("properties", true);
  const auto sources = children.all("dataSource", limits::ebms_parts_max - 1);
  SCHAKEL_CHECK(children.end());
  MessageRequest out;
  SCHAKEL_TRY(out.properties, read_properties(properties));
  for (const auto& source : sources) {
    SCHAKEL_TRY(auto read, read_data_source(source));
    out.data_sources.push_back(std::move(read));
  }
  return out;
}

Result<> read_party(Element element, std::string& party_id, std::string& role) {
  if (!element) return {};
  Children children(element);
  party_id = children.text("partyId");
  role = children.text("role");
  return children.end();
}

Result<exchange::MessageFilter> read_filter(Element element) {
  exchange::MessageFilter filter;
  if (!element) return filter;
  Children children(element);
  filter.cpa_id = children.text("cpaId");
  const Element from = children.one("fromParty"), to = children.one("toParty");
  filter.typed_service = children.text("service");
  filter.action = children.text("action");
  filter.conversation_id = children.text("conversationId");
  filter.message_id = children.text("messageId");
  filter.ref_to_message_id = children.text("refToMessageId");
  SCHAKEL_CHECK(children.end());
  SCHAKEL_CHECK(read_party(from, filter.from_party_id, filter.from_role));
  SCHAKEL_CHECK(read_party(to, filter.to_party_id, filter.to_role));
  return filter;
}

// --- the operations --------------------------------------------------------------------------------------------------------------------

Result<Operation> read_ping(Children children) {
  Ping out{children.text("cpaId", true), children.text("fromPartyId", true), children.text("toPartyId", true)};
  SCHAKEL_CHECK(children.end());
  return Operation(std::move(out));
}

Result<Operation> read_send(Children children) {
  const Element message = children.one("message", true);
  SCHAKEL_CHECK(children.end());
  SCHAKEL_TRY(auto request, read_message(message));
  return Operation(SendMessage{std::move(request)});
}

Result<Operation> read_ids(Children children) {
  const Element filter = children.one("messageFilter");
  GetUnprocessedMessageIds out;
  out.max_nr = children.count("maxNr");
  SCHAKEL_CHECK(children.end());
  SCHAKEL_TRY(out.filter, read_filter(filter));
  return Operation(std::move(out));
}

Result<Operation> read_get(Children children) {
  GetMessage out{children.text("messageId", true), children.boolean("process")};
  SCHAKEL_CHECK(children.end());
  return Operation(std::move(out));
}

Result<Operation> read_events(Children children) {
  const Element filter = children.one("messageFilter");
  GetUnprocessedMessageEvents out;
  for (const auto& element : children.all("eventType", event_types_max)) {
    const auto type = application_event(children.text_of(element));
    if (type.empty()) children.note(invalid(element, "one of RECEIVED, DELIVERED, FAILED, EXPIRED is expected here"));
    if (std::ranges::find(out.types, type) == out.types.end()) out.types.push_back(type);
  }
  out.max_nr = children.count("maxNr");
  SCHAKEL_CHECK(children.end());
  SCHAKEL_TRY(out.filter, read_filter(filter));
  return Operation(std::move(out));
}

// The operations about one message and nothing else.
template <class Request>
Result<Operation> read_message_id(Children children) {
  Request out{children.text("messageId", true)};
  SCHAKEL_CHECK(children.end());
  return Operation(std::move(out));
}

struct Reader {
  std::string_view name;
  Result<Operation> (*read)(Children);
};
constexpr auto readers = std::to_array<Reader>({{"ping", read_ping},
                                                {"sendMessage", read_send},
                                                {"resendMessage", read_message_id<ResendMessage>},
                                                {"getUnprocessedMessageIds", read_ids},
                                                {"getMessage", read_get},
                                                {"processMessage", read_message_id<ProcessMessage>},
                                                {"getMessageStatus", read_message_id<GetMessageStatus>},
                                                {"getUnprocessedMessageEvents", read_events},
                                                {"processMessageEvent", read_message_id<ProcessMessageEvent>}});

// SOAP 1.1 4.2.3: a block that we must understand, and do not.
Result<> check_header(Element header) {
  for (const auto& block : header.children()) {
    const auto must = block.attribute(soap_11, "mustUnderstand");
    if (must == "1" || must == "true") return fail("soap.mustUnderstand", "this header block is not understood", block.path());
  }
  return {};
}

std::string party_element(std::string_view name, const exchange::Party& party) {
  std::string out = "<" + std::string(name) + ">" + element("partyId", typed(party.party_id_type, party.party_id));
  if (!party.role.empty()) out += element("role", party.role);
  return out + "</" + std::string(name) + ">";
}

}  // namespace

Result<Operation> read_operation(BytesView envelope, std::size_t bytes_max) {
  xml::Limits limits;
  limits.bytes_max = bytes_max;
  limits.depth_max = depth_max;
  limits.elements_max = elements_max;
  SCHAKEL_TRY(const auto document, xml::Document::parse(envelope, limits));
  const Element root = document.root();
  if (root.name() != "Envelope" || root.namespace_uri() != soap_11) {
    if (root.name() == "Envelope") return fail("soap.versionMismatch", "SOAP 1.1 is expected here");
    return invalid(root, "a SOAP envelope is expected here");
  }
  for (const auto& header : root.children(soap_11, "Header")) SCHAKEL_CHECK(check_header(header));
  const auto bodies = root.children(soap_11, "Body");
  if (bodies.size() != 1) return invalid(root, "one Body is expected here");
  const Element request = bodies[0].first_child();
  if (!request || request.next_sibling()) return invalid(bodies[0], "one operation is expected here");
  const auto reader = std::ranges::find(readers, request.name(), &Reader::name);
  if (request.namespace_uri() != service_namespace || reader == readers.end()) return invalid(request, "this operation is not known");
  return reader->read(Children(request));
}

std::string element(std::string_view name, std::string_view text) {
  // Names of files and the like come from partners: a character that XML cannot carry must not make a message unreadable.
  const std::string clean = xml::is_xml_text(text) ? std::string() : ebms::wire_file_name(text);
  if (!clean.empty()) text = clean;
  std::string out;
  return out.append("<").append(name).append(">").append(xml::escaped(text)).append("</").append(name).append(">");
}

std::string properties_element(const exchange::Message& message) {
  std::string out = "<properties>" + element("cpaId", message.cpa_id) + party_element("fromParty", message.from) +
                    party_element("toParty", message.to) + element("service", typed(message.service_type, message.service)) +
                    element("action", message.action) + element("timestamp", to_rfc3339(message.timestamp.value_or(message.created_at))) +
                    element("conversationId", message.conversation_id) + element("messageId", message.message_id);
  if (!message.ref_to_message_id.empty()) out += element("refToMessageId", message.ref_to_message_id);
  return out + element("messageStatus", status_of(message)) + "</properties>";
}

std::string response_begin(std::string_view operation) {
  return "<soap:Envelope xmlns:soap=\"" + std::string(soap_11) + "\"><soap:Body><ns2:" + std::string(operation) + "Response xmlns:ns2=\"" +
         std::string(service_namespace) + "\">";
}

std::string response_end(std::string_view operation) {
  return "</ns2:" + std::string(operation) + "Response></soap:Body></soap:Envelope>";
}

std::string fault_envelope(std::string_view code, std::string_view text) {
  std::string out = "<soap:Envelope xmlns:soap=\"" + std::string(soap_11) + "\"><soap:Body><soap:Fault><faultcode>soap:";
  out.append(code).append("</faultcode>").append(element("faultstring", text));
  // SOAP 1.1 4.4: a detail speaks of the Body, so the other two have none.
  if (code == "Client" || code == "Server")
    out.append("<detail><ns2:EbMSMessageServiceException xmlns:ns2=\"")
        .append(service_namespace)
        .append("\">")
        .append(element("message", text))
        .append("</ns2:EbMSMessageServiceException></detail>");
  return out + "</soap:Fault></soap:Body></soap:Envelope>";
}

}  // namespace schakel::facade
