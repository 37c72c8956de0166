#include "ebms/envelope.hpp"

#include <algorithm>
#include <set>

#include "xml/canonical.hpp"

namespace schakel::ebms {

namespace {

using xml::Element;

Error schema(std::string detail, std::string path = {}) {
  return fail("SCHEMA_INVALID", std::move(detail), std::move(path));
}

std::string text_of(Element parent, std::string_view name) {
  const Element child = parent.child(uri::eb, name);
  return child ? child.text() : std::string();
}

// Every dateTime here has passed the grammar.
Instant instant_of(const std::string& text) {
  const auto parsed = parse_datetime(trim(text));
  return parsed ? parsed->instant : Instant{};
}

std::string version_of(Element element) {
  return element.attribute(uri::eb, "version").value_or("");
}

bool is_true(std::string_view lexical) {
  lexical = trim(lexical);
  return lexical == "1" || lexical == "true";
}

HeaderParty party_of(Element element) {
  HeaderParty party;
  for (Element child = element.first_child(); child; child = child.next_sibling()) {
    if (child.name() == "PartyId")
      party.ids.push_back({child.attribute(uri::eb, "type").value_or(""), child.text()});
    else
      party.role = child.text();
  }
  return party;
}

void read_message_data(Element element, MessageHeader& header) {
  for (Element child = element.first_child(); child; child = child.next_sibling()) {
    const std::string_view name = child.name();
    if (name == "MessageId")
      header.message_id = child.text();
    else if (name == "Timestamp")
      header.timestamp = instant_of(child.text());
    else if (name == "RefToMessageId")
      header.ref_to_message_id = child.text();
    else if (name == "TimeToLive")
      header.time_to_live = instant_of(child.text());
  }
}

MessageHeader read_header(Element element) {
  MessageHeader header;
  header.version = version_of(element);
  for (Element child = element.first_child(); child; child = child.next_sibling()) {
    if (child.namespace_uri() != uri::eb) continue;
    const std::string_view name = child.name();
    if (name == "From") {
      header.from = party_of(child);
    } else if (name == "To") {
      header.to = party_of(child);
    } else if (name == "CPAId") {
      header.cpa_id = child.text();
    } else if (name == "ConversationId") {
      header.conversation_id = child.text();
    } else if (name == "Service") {
      header.service = child.text();
      header.service_type = child.attribute(uri::eb, "type").value_or("");
    } else if (name == "Action") {
      header.action = child.text();
    } else if (name == "MessageData") {
      read_message_data(child, header);
    } else if (name == "DuplicateElimination") {
      header.duplicate_elimination = true;
    }
  }
  return header;
}

ErrorList read_errors(Element element) {
  ErrorList list;
  list.highest_is_error = element.attribute(uri::eb, "highestSeverity") == "Error";
  for (Element child = element.first_child(); child; child = child.next_sibling()) {
    if (!child.is(uri::eb, "Error")) continue;
    ErrorEntry entry;
    entry.code_context = child.attribute(uri::eb, "codeContext").value_or(std::string(uri::errors));
    entry.error_code = child.attribute(uri::eb, "errorCode").value_or("");
    entry.is_error = child.attribute(uri::eb, "severity") == "Error";
    entry.location = child.attribute(uri::eb, "location").value_or("");
    entry.description = text_of(child, "Description");
    list.errors.push_back(std::move(entry));
  }
  return list;
}

Result<MessageOrder> read_order(Element element) {
  const Element number = element.child(uri::eb, "SequenceNumber");
  const std::string text = number.text();
  const std::string_view digits = trim(text);
  MessageOrder order;
  order.reset = number.attribute(uri::eb, "status") == "Reset";
  if (digits.empty() || digits.size() > 18) return schema("SequenceNumber is not between 0 and 99999999", number.path());
  for (const char c : digits) {
    if (c < '0' || c > '9') return schema("SequenceNumber is not between 0 and 99999999", number.path());
    order.sequence_number = order.sequence_number * 10 + (c - '0');
  }
  if (order.sequence_number > 99'999'999) return schema("SequenceNumber is not between 0 and 99999999", number.path());
  return order;
}

Acknowledgment read_acknowledgment(Element element) {
  Acknowledgment acknowledgment;
  acknowledgment.actor = element.attribute(uri::soap, "actor");
  acknowledgment.timestamp = instant_of(text_of(element, "Timestamp"));
  acknowledgment.ref_to_message_id = text_of(element, "RefToMessageId");
  if (const Element from = element.child(uri::eb, "From")) acknowledgment.from = party_of(from).ids;
  return acknowledgment;
}

// EB-044: a block that we do not know, is meant for us, and must be understood.
bool must_be_understood(Element block) {
  if (!is_true(block.attribute(uri::soap, "mustUnderstand").value_or("0"))) return false;
  const std::string actor = block.attribute(uri::soap, "actor").value_or("");
  return actor.empty() || actor == uri::next || actor == uri::next_msh || actor == uri::to_party_msh;
}

template <class T>
Result<> once(std::optional<T>& place, T value, Element element) {
  if (place) return schema(std::string(element.name()) + " stands more than once", element.path());
  place = std::move(value);
  return {};
}

Result<> read_ack_requested(Element element, Envelope& out) {
  AckRequested request{version_of(element), element.attribute(uri::soap, "actor"),
                       is_true(element.attribute(uri::eb, "signed").value_or("false"))};
  const auto target = [](const AckRequested& ack) { return ack.actor ? std::string_view(*ack.actor) : uri::to_party_msh; };
  for (const AckRequested& other : out.ack_requested)
    if (target(other) == target(request)) return schema("AckRequested stands more than once for one actor", element.path());
  if (out.ack_requested.size() == 2) return schema("AckRequested stands more than twice", element.path());
  out.ack_requested.push_back(std::move(request));
  return {};
}

// One ebXML header block. False: not one that we know.
Result<bool> read_block(Element block, Envelope& out) {
  const std::string_view name = block.name();
  if (block.is(uri::ds, "Signature")) {
    ++out.signatures;
    return true;
  }
  if (block.namespace_uri() != uri::eb) return false;
  if (name == "MessageHeader") {
    if (out.message_header) return schema("MessageHeader stands more than once", block.path());
    out.message_header = block;
    out.header = read_header(block);
  } else if (name == "SyncReply") {
    SCHAKEL_CHECK(once(out.sync_reply, SyncReply{version_of(block), block.attribute(uri::soap, "actor").value_or("")}, block));
  } else if (name == "MessageOrder") {
    SCHAKEL_TRY(MessageOrder order, read_order(block));
    SCHAKEL_CHECK(once(out.message_order, order, block));
  } else if (name == "AckRequested") {
    SCHAKEL_CHECK(read_ack_requested(block, out));
  } else if (name == "Acknowledgment") {
    SCHAKEL_CHECK(once(out.acknowledgment, read_acknowledgment(block), block));
  } else if (name == "ErrorList") {
    SCHAKEL_CHECK(once(out.error_list, read_errors(block), block));
  } else {
    return false;
  }
  return true;
}

Result<> read_body(Element body, Envelope& out) {
  for (Element block = body.first_child(); block; block = block.next_sibling()) {
    if (block.is(uri::eb, "Manifest")) {
      Manifest manifest{version_of(block), {}};
      for (Element child = block.first_child(); child; child = child.next_sibling())
        if (child.is(uri::eb, "Reference")) manifest.references.push_back({child.attribute(uri::xlink, "href").value_or("")});
      SCHAKEL_CHECK(once(out.manifest, std::move(manifest), block));
    } else if (block.is(uri::eb, "StatusRequest")) {
      SCHAKEL_CHECK(once(out.status_request, StatusRequest{text_of(block, "RefToMessageId")}, block));
    } else if (block.is(uri::eb, "StatusResponse")) {
      StatusResponse response{block.attribute(uri::eb, "messageStatus").value_or(""), text_of(block, "RefToMessageId"), std::nullopt};
      if (const Element at = block.child(uri::eb, "Timestamp")) response.timestamp = instant_of(at.text());
      SCHAKEL_CHECK(once(out.status_response, std::move(response), block));
    }
  }
  return {};
}

// SEC-113: what identifies an element, by qualified name: the schemas' own, those of WS-Security and XML, and the two that XML Signature
// and SAML made a habit.
constexpr std::pair<std::string_view, std::string_view> id_attributes[] = {
    {uri::eb, "id"},
    {"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd", "Id"},
    {uri::xml, "id"},
    {"", "Id"},
    {"", "ID"}};

Result<> unique_ids(Element element, std::set<std::string, std::less<>>& seen) {
  for (const auto& [namespace_uri, name] : id_attributes) {
    const auto id = element.attribute(namespace_uri, name);
    if (id && !seen.insert(std::string(trim(*id))).second) return schema("an id stands twice", element.path());
  }
  for (Element child = element.first_child(); child; child = child.next_sibling()) SCHAKEL_CHECK(unique_ids(child, seen));
  return {};
}

// Text limits of ebms.md section 4 and EB-067: characters are counted, not octets.
Result<> check_text(std::string_view name, std::string_view text, bool blanks_allowed) {
  std::size_t characters = 0;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u & 0xc0) != 0x80) ++characters;
    if (u < 0x20 || u == 0x7f) return schema(std::string(name) + " holds a control character");
    if (u == 0x20 && !blanks_allowed) return schema(std::string(name) + " holds white space");
  }
  if (characters > limits::ebms_text_chars_max) return schema(std::string(name) + " is longer than 255 characters");
  return {};
}

Result<> check_texts(const MessageHeader& header) {
  SCHAKEL_CHECK(check_text("MessageId", header.message_id, false));
  SCHAKEL_CHECK(check_text("RefToMessageId", header.ref_to_message_id, false));
  SCHAKEL_CHECK(check_text("CPAId", header.cpa_id, true));
  SCHAKEL_CHECK(check_text("ConversationId", header.conversation_id, true));
  SCHAKEL_CHECK(check_text("Service", header.service, true));
  return check_text("Action", header.action, true);
}

std::string_view reason_of(const Error& error) {
  if (error.code == "xml.doctype") return "SEC.XML.DTD";
  return error.code == "xml.limit" ? "SEC.XML.LIMIET" : "";
}

Result<xml::Document> parse_document(BytesView root, const std::optional<std::string>& charset, std::string_view& audit_reason) {
  if (charset && !equals_ignoring_case(trim(*charset), "utf-8"))
    return fail("CHARSET_INVALID", "the charset of the root part is not UTF-8");
  if (root.starts_with("\xFE\xFF") || root.starts_with("\xFF\xFE") || root.starts_with(std::string_view("\0<", 2)) ||
      root.starts_with(std::string_view("<\0", 2)))
    return fail("CHARSET_INVALID", "the root part is UTF-16");
  xml::Limits limits;
  limits.bytes_max = limits::ebms_root_bytes_ceiling;  // ebms.root-max is kept while the part arrives
  limits.depth_max = limits::ebms_root_depth_max;
  limits.elements_max = limits::ebms_root_elements_max;
  limits.attributes_max = limits::ebms_root_attributes_max;
  auto document = xml::Document::parse(root, limits);
  if (document) return document;
  audit_reason = reason_of(document.error());
  return fail(document.error().code == "xml.encoding" ? "CHARSET_INVALID" : "XML_INVALID", document.error().detail,
              document.error().location);
}

Result<> check_schema(Element root, std::string_view& audit_reason) {
  if (root.name() != "Envelope") return schema("the root element is not soap:Envelope", root.path());
  if (root.namespace_uri() != uri::soap) return fail("VERSION_MISMATCH", "the envelope is not SOAP 1.1");
  const auto violations = envelope_grammar().check(root, 1);
  if (!violations.empty())
    return schema(violations.front().message, violations.front().path + ":" + std::to_string(violations.front().line));
  std::set<std::string, std::less<>> seen;
  auto unique = unique_ids(root, seen);
  if (!unique) audit_reason = "SEC.XML.ID";
  return unique;
}

}  // namespace

Result<Envelope> parse_envelope(BytesView root, const std::optional<std::string>& charset, std::string_view* audit_reason) {
  std::string_view ignored;
  std::string_view& reason = audit_reason ? *audit_reason : ignored;
  reason = {};
  SCHAKEL_TRY(xml::Document document, parse_document(root, charset, reason));
  Envelope out;
  out.document = std::make_shared<const xml::Document>(std::move(document));
  const Element envelope = out.document->root();
  SCHAKEL_CHECK(check_schema(envelope, reason));
  const Element header = envelope.child(uri::soap, "Header");
  if (!header) return schema("there is no soap:Header");
  for (Element block = header.first_child(); block; block = block.next_sibling()) {
    SCHAKEL_TRY(const bool known, read_block(block, out));
    if (!known && must_be_understood(block))
      return fail("MUST_UNDERSTAND", "header block " + for_log(block.name()) + " is not understood", block.path());
  }
  if (!out.message_header) return schema("there is no MessageHeader");
  SCHAKEL_CHECK(read_body(envelope.child(uri::soap, "Body"), out));
  SCHAKEL_CHECK(check_texts(out.header));
  return out;
}

Result<MessageHeader> read_message_header(BytesView root, const std::optional<std::string>& charset) {
  std::string_view ignored;
  SCHAKEL_TRY(const xml::Document document, parse_document(root, charset, ignored));
  if (!document.root().is(uri::soap, "Envelope")) return schema("the root element is not soap:Envelope");
  const auto headers = document.root().children(uri::soap, "Header");
  if (headers.size() != 1) return schema("there is not one soap:Header");
  const auto message_headers = headers.front().children(uri::eb, "MessageHeader");
  if (message_headers.size() != 1) return schema("there is not one MessageHeader");
  // What stands twice could be read otherwise by the one that it is for.
  for (const std::string_view name : {"From", "To", "CPAId", "Service", "Action", "MessageData"})
    if (message_headers.front().children(uri::eb, name).size() != 1) return schema("there is not one " + std::string(name));
  auto header = read_header(message_headers.front());
  SCHAKEL_CHECK(check_texts(header));
  for (const auto* party : {&header.from, &header.to})
    for (const auto& id : party->ids) SCHAKEL_CHECK(check_text("PartyId", id.value, true));
  SCHAKEL_CHECK(check_text("From/Role", header.from.role, true));
  SCHAKEL_CHECK(check_text("To/Role", header.to.role, true));
  if (header.message_id.empty() || header.cpa_id.empty()) return schema("MessageId or CPAId is empty");
  return header;
}

Result<Bytes> header_hash(const Envelope& envelope) {
  SCHAKEL_TRY(const Bytes canonical, xml::canonicalise(envelope.message_header));
  return sha256(canonical);
}

namespace {

// Writes start tags, attributes and text straight into one string; the only place that knows our prefixes.
class EnvelopeWriter {
 public:
  EnvelopeWriter() { out_.reserve(2048); }

  EnvelopeWriter& raw(std::string_view text) {
    out_ += text;
    return *this;
  }
  EnvelopeWriter& text(std::string_view value) {
    out_ += xml::escaped(value);
    return *this;
  }
  EnvelopeWriter& attribute(std::string_view name, std::string_view value) {
    out_.append(" ").append(name).append("=\"");
    out_ += xml::escaped(value);
    out_ += '"';
    return *this;
  }
  EnvelopeWriter& element(std::string_view name, std::string_view value) {
    out_.append("<eb:").append(name).append(">");
    out_ += xml::escaped(value);
    out_.append("</eb:").append(name).append(">");
    return *this;
  }
  EnvelopeWriter& time(std::string_view name, Instant at) { return element(name, to_xs_datetime(at)); }
  EnvelopeWriter& party_ids(const std::vector<cpa::PartyId>& ids) {
    for (const cpa::PartyId& id : ids) {
      raw("<eb:PartyId");
      if (!id.type.empty()) attribute("eb:type", id.type);
      raw(">").text(id.value).raw("</eb:PartyId>");
    }
    return *this;
  }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

constexpr std::string_view kHeaderExtension = " eb:version=\"2.0\" soap:mustUnderstand=\"1\"";

void write_party(EnvelopeWriter& out, std::string_view name, const HeaderParty& party) {
  out.raw("<eb:").raw(name).raw(">").party_ids(party.ids);
  if (!party.role.empty()) out.element("Role", party.role);
  out.raw("</eb:").raw(name).raw(">");
}

void write_header(EnvelopeWriter& out, const MessageHeader& header) {
  out.raw("<eb:MessageHeader").raw(kHeaderExtension).raw(">");
  write_party(out, "From", header.from);
  write_party(out, "To", header.to);
  out.element("CPAId", header.cpa_id).element("ConversationId", header.conversation_id).raw("<eb:Service");
  if (!header.service_type.empty()) out.attribute("eb:type", header.service_type);
  out.raw(">").text(header.service).raw("</eb:Service>").element("Action", header.action);
  out.raw("<eb:MessageData>").element("MessageId", header.message_id).time("Timestamp", header.timestamp);
  if (!header.ref_to_message_id.empty()) out.element("RefToMessageId", header.ref_to_message_id);
  if (header.time_to_live) out.time("TimeToLive", *header.time_to_live);
  out.raw("</eb:MessageData>");
  if (header.duplicate_elimination) out.raw("<eb:DuplicateElimination/>");
  out.raw("</eb:MessageHeader>");
}

void write_errors(EnvelopeWriter& out, const ErrorList& list) {
  const auto severity = [](bool error) { return error ? "Error" : "Warning"; };
  out.raw("<eb:ErrorList").raw(kHeaderExtension).attribute("eb:highestSeverity", severity(list.highest_is_error)).raw(">");
  for (const ErrorEntry& error : list.errors) {
    out.raw("<eb:Error")
        .attribute("eb:codeContext", error.code_context)
        .attribute("eb:errorCode", error.error_code)
        .attribute("eb:severity", severity(error.is_error));
    if (!error.location.empty()) out.attribute("eb:location", error.location);
    if (error.description.empty()) {
      out.raw("/>");
      continue;
    }
    out.raw("><eb:Description xml:lang=\"en-US\">").text(error.description).raw("</eb:Description></eb:Error>");
  }
  out.raw("</eb:ErrorList>");
}

void write_acknowledgment(EnvelopeWriter& out, const Acknowledgment& acknowledgment) {
  out.raw("<eb:Acknowledgment").raw(kHeaderExtension);
  if (acknowledgment.actor) out.attribute("soap:actor", *acknowledgment.actor);
  out.raw(">").time("Timestamp", acknowledgment.timestamp).element("RefToMessageId", acknowledgment.ref_to_message_id);
  if (!acknowledgment.from.empty()) out.raw("<eb:From>").party_ids(acknowledgment.from).raw("</eb:From>");
  out.raw(acknowledgment.references).raw("</eb:Acknowledgment>");
}

void write_header_blocks(EnvelopeWriter& out, const Envelope& envelope) {
  if (envelope.sync_reply) out.raw("<eb:SyncReply").raw(kHeaderExtension).attribute("soap:actor", envelope.sync_reply->actor).raw("/>");
  if (envelope.message_order) {
    out.raw("<eb:MessageOrder")
        .raw(kHeaderExtension)
        .raw("><eb:SequenceNumber")
        .attribute("eb:status", envelope.message_order->reset ? "Reset" : "Continue")
        .raw(">");
    out.raw(std::to_string(envelope.message_order->sequence_number)).raw("</eb:SequenceNumber></eb:MessageOrder>");
  }
  for (const AckRequested& ack : envelope.ack_requested) {
    out.raw("<eb:AckRequested").raw(kHeaderExtension);
    if (ack.actor) out.attribute("soap:actor", *ack.actor);
    out.attribute("eb:signed", ack.is_signed ? "true" : "false").raw("/>");
  }
  if (envelope.acknowledgment) write_acknowledgment(out, *envelope.acknowledgment);
  if (envelope.error_list) write_errors(out, *envelope.error_list);
}

void write_body(EnvelopeWriter& out, const Envelope& envelope) {
  if (!envelope.manifest && !envelope.status_request && !envelope.status_response) {
    out.raw("<soap:Body/>");
    return;
  }
  out.raw("<soap:Body>");
  if (envelope.manifest) {
    out.raw("<eb:Manifest eb:version=\"2.0\">");
    for (const ManifestReference& reference : envelope.manifest->references)
      out.raw("<eb:Reference xlink:type=\"simple\"").attribute("xlink:href", reference.href).raw("/>");
    out.raw("</eb:Manifest>");
  }
  if (envelope.status_request)
    out.raw("<eb:StatusRequest eb:version=\"2.0\">")
        .element("RefToMessageId", envelope.status_request->ref_to_message_id)
        .raw("</eb:StatusRequest>");
  if (envelope.status_response) {
    out.raw("<eb:StatusResponse eb:version=\"2.0\"").attribute("eb:messageStatus", envelope.status_response->message_status).raw(">");
    out.element("RefToMessageId", envelope.status_response->ref_to_message_id);
    if (envelope.status_response->timestamp) out.time("Timestamp", *envelope.status_response->timestamp);
    out.raw("</eb:StatusResponse>");
  }
  out.raw("</soap:Body>");
}

// EB-045.
Result<> check_combination(const Envelope& e) {
  const auto wrong = [](std::string detail) { return fail("envelope.combination", std::move(detail)); };
  const bool errors = e.error_list && e.error_list->highest_is_error;
  if (!e.ack_requested.empty() && (e.header.is_signal() || errors)) return wrong("AckRequested stands in no signal");
  if (e.header.duplicate_elimination && e.header.is_signal()) return wrong("DuplicateElimination stands in no signal");
  if (errors && (e.manifest || e.status_response))
    return wrong("an ErrorList of severity Error stands with neither Manifest nor StatusResponse");
  if (e.status_request && (e.manifest || e.status_response || e.error_list)) return wrong("StatusRequest stands alone");
  if (e.message_order && e.sync_reply) return wrong("MessageOrder stands not with SyncReply");
  if (e.manifest && e.manifest->references.empty()) return wrong("a Manifest names at least one payload");
  return {};
}

}  // namespace

Result<Bytes> build_envelope(const Envelope& envelope) {
  SCHAKEL_CHECK(check_combination(envelope));
  EnvelopeWriter out;
  out.raw("<soap:Envelope xmlns:soap=\"").raw(uri::soap).raw("\" xmlns:eb=\"").raw(uri::eb).raw("\"");
  if (envelope.manifest) out.raw(" xmlns:xlink=\"").raw(uri::xlink).raw("\"");
  out.raw("><soap:Header>");
  write_header(out, envelope.header);
  write_header_blocks(out, envelope);
  out.raw("</soap:Header>");
  write_body(out, envelope);
  out.raw("</soap:Envelope>");
  return out.take();
}

Bytes soap_fault(const Error& error) {
  std::string_view code = "Client", token = error.code;
  if (error.code == "VERSION_MISMATCH") {
    code = "VersionMismatch", token = "SCHEMA_INVALID";
  } else if (error.code == "MUST_UNDERSTAND") {
    code = "MustUnderstand", token = "SCHEMA_INVALID";
  } else if (error.code == "INTERNAL") {
    code = "Server";
  }
  Bytes out = "<soap:Envelope xmlns:soap=\"";
  out.append(uri::soap).append("\"><soap:Body><soap:Fault><faultcode>soap:").append(code).append("</faultcode><faultstring>").append(token);
  // for_log: what stands in a detail may come from outside, and a fault must always be well-formed.
  if (!error.detail.empty()) out.append(": ").append(xml::escaped(for_log(error.detail)));
  out += "</faultstring></soap:Fault></soap:Body></soap:Envelope>";
  return out;
}

std::string xpointer(std::string_view path) {
  return "xpointer(" + std::string(path) + ")";
}

}  // namespace schakel::ebms
