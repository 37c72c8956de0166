// The SOAP form of the facade: every operation of ebms.md 2.10 on both endpoints, with and without MTOM.
#include "facade/soap.hpp"

#include <fstream>

#include "facade_fixture.hpp"
#include "http/multipart.hpp"
#include "xml/document.hpp"

namespace schakel::facade {
namespace {

constexpr std::string_view soap_11 = "http://schemas.xmlsoap.org/soap/envelope/";
constexpr std::string_view xop = "http://www.w3.org/2004/08/xop/include";
const std::string plain = "/service/ebms", mtom = "/service/ebmsMTOM";

std::string envelope(const std::string& operation, const std::string& content) {
  return "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:ns=\"http://www.ordina.nl/ebms/2.18\">"
         "<soapenv:Header/><soapenv:Body><ns:" +
         operation + ">" + content + "</ns:" + operation + "></soapenv:Body></soapenv:Envelope>";
}

std::string id_element(const std::string& id) {
  return "<messageId>" + id + "</messageId>";
}

// An answer, parsed.
struct Answered {
  unsigned status = 0;
  std::shared_ptr<xml::Document> document;
  xml::Element content;  // <opResponse>, or the Fault

  std::string text(std::string_view name) const { return content.child("", name).text(); }
  std::vector<std::string> texts(std::string_view name) const {
    std::vector<std::string> out;
    for (const auto& child : content.children("", name)) out.push_back(child.text());
    return out;
  }
};

Answered parsed(unsigned status, const std::string& body) {
  Answered out;
  out.status = status;
  auto document = xml::Document::parse(body, {});
  EXPECT_TRUE(document) << body;
  if (!document) return out;
  out.document = std::make_shared<xml::Document>(std::move(*document));
  out.content = out.document->root().child(soap_11, "Body").first_child();
  return out;
}

class FacadeSoap : public FacadeTest {
 protected:
  Reply post(const std::string& path, const std::string& body, const std::string& type = "text/xml; charset=UTF-8") {
    return ask("POST", path, body, type, {{"SOAPAction", "\"\""}});
  }
  Answered call(const std::string& path, const std::string& operation, const std::string& content) {
    const auto reply = post(path, envelope(operation, content));
    auto out = parsed(reply.status, reply.body);
    if (reply.status == 200) {
      EXPECT_TRUE(out.content.is(service_namespace, operation + "Response")) << reply.body;
    }
    EXPECT_EQ(reply.header("Content-Type"), "text/xml; charset=UTF-8");
    return out;
  }
  static std::string properties_xml(const std::string& more = "") {
    return "<properties><cpaId>" + std::string(sample_cpa) + "</cpaId><fromPartyId>" + from_party +
           "</fromPartyId><fromRole>DIGIPOORT</fromRole><toPartyId>" + to_party + "</toPartyId><toRole>OVERHEID</toRole><service>" +
           typed_service + "</service><action>afleveren</action>" + more + "</properties>";
  }
  // A sendMessage with one attachment per pair of href and part.
  static std::string related(const std::string& root, const std::vector<std::string>& parts, const std::string& root_type = "") {
    std::string out =
        "--uuid:1\r\nContent-Type: " + (root_type.empty() ? "application/xop+xml; charset=UTF-8; type=\"text/xml\"" : root_type) +
        "\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <root.message@cxf.apache.org>\r\n\r\n" + root;
    for (const auto& part : parts) out += "\r\n--uuid:1\r\n" + part;
    return out + "\r\n--uuid:1--";
  }
  Reply post_related(const std::string& path, const std::string& body) {
    return post(path, body,
                "multipart/related; type=\"application/xop+xml\"; boundary=\"uuid:1\"; start=\"<root.message@cxf.apache.org>\"; "
                "start-info=\"text/xml\"");
  }
  static std::string include(const std::string& href) {
    return "<xop:Include xmlns:xop=\"" + std::string(xop) + "\" href=\"cid:" + href + "\"/>";
  }
};

// --- the operations, one after the other -------------------------------------------------------------------------------------------

// EB-210, EB-212
TEST_F(FacadeSoap, AMessageIsSentWithItsPayloadsInBase64) {
  const auto large = binary(200'000);
  const auto answer =
      call(plain, "sendMessage",
           "<message>" + properties_xml("<conversationId>zaak-7</conversationId>") +
               "<dataSource><name>a.xml</name><contentId>a1@stad.example</contentId><contentType>application/xml</contentType>"
               "<content>\n  " +
               to_base64("<a/>") + "\n</content></dataSource><dataSource><name/><contentType>x/y</contentType><content>" +
               to_base64(large) + "</content></dataSource></message>");
  ASSERT_EQ(answer.status, 200U);
  const auto sent = outbound(answer.text("messageId"));
  EXPECT_EQ(sent.conversation_id, "zaak-7");
  EXPECT_EQ(sent.service, "osb:afleveren:1.1$1.0");
  const auto parts = payloads(sent.id);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].file_name + " " + parts[0].content_id + " " + parts[0].content_type, "a.xml a1@stad.example application/xml");
  EXPECT_EQ(octets(parts[0]), "<a/>");
  EXPECT_TRUE(octets(parts[1]) == large) << "EB-216";
}

TEST_F(FacadeSoap, AResendGivesANewId) {
  const auto first = sent();
  const auto answer = call(plain, "resendMessage", id_element(first));
  EXPECT_EQ(outbound(answer.text("messageId")).copy_of, outbound(first).id);
  EXPECT_EQ(call(plain, "resendMessage", id_element("onbekend@x")).status, 500U);
}

// EB-210. The endpoint with MTOM names its lists in the plural, as ebms-core's does.
TEST_F(FacadeSoap, IdsAndEventsAreListed) {
  const auto first = received().message_id, second = received([](auto&message) { message.action = "anders"; }).message_id;
  EXPECT_THAT(call(plain, "getUnprocessedMessageIds", "").texts("messageId"), ElementsAre(first, second));
  EXPECT_THAT(call(mtom, "getUnprocessedMessageIds", "<maxNr>1</maxNr>").texts("messageIds"), ElementsAre(first));
  const std::string filter = "<messageFilter><cpaId>" + std::string(sample_cpa) + "</cpaId><fromParty><partyId>" + to_party +
                             "</partyId><role>OVERHEID</role></fromParty><toParty><partyId>" + from_party +
                             "</partyId></toParty><service>" + typed_service + "</service><action>anders</action></messageFilter>";
  EXPECT_THAT(call(plain, "getUnprocessedMessageIds", filter).texts("messageId"), ElementsAre(second));
  const auto events = call(plain, "getUnprocessedMessageEvents", filter + "<eventType>RECEIVED</eventType><maxNr>0</maxNr>");
  ASSERT_EQ(events.content.children("", "messageEvent").size(), 1U);
  EXPECT_EQ(events.content.child("", "messageEvent").child("", "messageId").text(), second);
  EXPECT_EQ(events.content.child("", "messageEvent").child("", "type").text(), "RECEIVED");
  EXPECT_EQ(call(mtom, "getUnprocessedMessageEvents", "").content.children("", "messageEvents").size(), 2U);
  EXPECT_EQ(call(plain, "getUnprocessedMessageEvents", "<eventType>FAILED</eventType>").content.children().size(), 0U);
}

// EB-213, EB-216
TEST_F(FacadeSoap, AMessageIsShownWithItsPayloadsInBase64) {
  const auto large = binary(300'001);
  const auto in = received([](auto& message) { message.ref_to_message_id = "eerder@stad.example"; }, {"<a/>", large});
  const auto answer = call(plain, "getMessage", id_element(in.message_id));
  const auto message = answer.content.child("", "message"), properties = message.child("", "properties");
  EXPECT_EQ(properties.child("", "fromParty").child("", "partyId").text(), to_party);
  EXPECT_EQ(properties.child("", "toParty").child("", "role").text(), "DIGIPOORT");
  EXPECT_EQ(properties.child("", "service").text(), typed_service);
  EXPECT_EQ(properties.child("", "timestamp").text(), to_rfc3339(*in.timestamp));
  EXPECT_EQ(properties.child("", "refToMessageId").text(), "eerder@stad.example");
  EXPECT_EQ(properties.child("", "messageStatus").text(), "RECEIVED");
  const auto sources = message.children("", "dataSource");
  ASSERT_EQ(sources.size(), 2U);
  EXPECT_EQ(sources[0].child("", "name").text(), "bericht.xml");
  EXPECT_EQ(sources[0].child("", "contentId").text(), "p0@overheid.example");
  EXPECT_EQ(sources[0].child("", "contentType").text(), "application/xml");
  EXPECT_EQ(from_base64(sources[0].child("", "content").text()).value(), "<a/>");
  EXPECT_TRUE(from_base64(sources[1].child("", "content").text()).value() == large);
  EXPECT_EQ(this->message(in.id).state, exchange::State::received);
  call(plain, "getMessage", id_element(in.message_id) + "<process>true</process>");
  EXPECT_EQ(this->message(in.id).state, exchange::State::processed);
}

// A text of a partner that XML cannot carry must not make the message unreadable.
TEST_F(FacadeSoap, NamesThatXmlCannotCarryAreShownInAscii) {
  const auto in = received();
  commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("UPDATE payloads SET file_name = $1, content_type = $2 WHERE message = $3", {"a\x01<b>", "x/y\x02", in.id}));
    return {};
  });
  const auto answer = call(plain, "getMessage", id_element(in.message_id));
  EXPECT_EQ(answer.content.child("", "message").child("", "dataSource").child("", "name").text(), "a_<b>");
}

TEST_F(FacadeSoap, MessagesAndEventsAreProcessed) {
  const auto in = received();
  EXPECT_EQ(call(plain, "processMessage", id_element(in.message_id)).status, 200U);
  EXPECT_EQ(message(in.id).state, exchange::State::processed);
  const auto other = received();
  EXPECT_EQ(call(mtom, "processMessageEvent", id_element(other.message_id)).status, 200U);
  EXPECT_EQ(message(other.id).state, exchange::State::processed);
  EXPECT_EQ(call(plain, "getUnprocessedMessageEvents", "").content.children().size(), 0U);
}

// EB-181
TEST_F(FacadeSoap, PingAndStatusAskThePartner) {
  partner_answers("");
  const std::string parties =
      "<cpaId>" + std::string(sample_cpa) + "</cpaId><fromPartyId>" + from_party + "</fromPartyId><toPartyId>" + to_party + "</toPartyId>";
  EXPECT_EQ(call(plain, "ping", parties).status, 200U);
  partner_answers("Processed");
  const auto answered = call(plain, "getMessageStatus", id_element(sent()));
  const auto status = answered.content.child("", "messageStatus");
  EXPECT_EQ(status.child("", "status").text(), "PROCESSED");
  EXPECT_EQ(status.child("", "timestamp").text(), to_rfc3339(clock.at));
  partner_answers("", "transport.connect");
  const auto failed = call(plain, "ping", parties);
  EXPECT_EQ(failed.status, 500U);
  EXPECT_EQ(failed.text("faultcode"), "soap:Server");
  EXPECT_THAT(failed.text("faultstring"), HasSubstr("transport.connect"));
}

std::string rendered(const std::string& template_name, const std::string& message_id) {
  std::ifstream file(std::string(SCHAKEL_SOURCE_DIR) + "/../shared/standards/ebms/messages/" + template_name);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::pair<std::string, std::string> values[] = {{"[[${messageId}]]", message_id},
                                                        {"[[${cpaId}]]", sample_cpa},
                                                        {"[[${partyType}]]", "urn:osb:oin"},
                                                        {"[[${fromPartyId}]]", overheid},
                                                        {"[[${fromRole}]]", "OVERHEID"},
                                                        {"[[${toPartyId}]]", digipoort},
                                                        {"[[${toRole}]]", "DIGIPOORT"},
                                                        {"[[${serviceType}]]", "urn:osb:services"},
                                                        {"[[${service}]]", "osb:afleveren:1.1$1.0"},
                                                        {"[[${action}]]", "bevestigAfleveren"}};
  for (const auto& [name, value] : values)
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) text.replace(at, name.size(), value);
  return text;
}

// EB-212: the calls that ebms-core's own tests make
TEST_F(FacadeSoap, TheTemplatesOfEbmsCoreAreAnswered) {
  const auto in = received([](auto& message) { message.message_id = "m-1@localhost"; });
  const auto ids = rendered("GetUnprocessedMessageIds.xml", "m-1");
  if (ids.empty()) GTEST_SKIP() << "the templates of ebms-core are not beside the repository (../shared/standards)";
  const auto listed = post(plain, ids);
  EXPECT_THAT(parsed(listed.status, listed.body).texts("messageId"), ElementsAre("m-1@localhost"));
  const auto shown = post(plain, rendered("GetMessage.xml", "m-1"));
  EXPECT_EQ(parsed(shown.status, shown.body).content.child("", "message").child("", "dataSource").child("", "content").text(),
            to_base64("Sample message."));
  EXPECT_EQ(post(plain, rendered("ProcessMessage.xml", "m-1")).status, 200U);
  EXPECT_EQ(message(in.id).state, exchange::State::processed);
}

// --- MTOM ----------------------------------------------------------------------------------------------------------------------------

// EB-212, EB-216: attachments are streamed
TEST_F(FacadeSoap, AMessageIsSentWithAttachments) {
  const auto large = binary(700'000);
  const std::string source = "<dataSource><attachment>", end = "</attachment></dataSource>";
  const auto root =
      envelope("sendMessage", "<message>" + properties_xml() + "<dataSource><contentId>a1@stad.example</contentId><attachment>" +
                                  include("een%40app") + end + source + include("twee@app") + end + source + to_base64("in de envelop") +
                                  end + "</message>");
  const auto reply = post_related(
      mtom, related(root, {"Content-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <twee@app>\r\n"
                           "Content-Disposition: attachment; filename=\"groot.pdf\"\r\n\r\n" +
                               large,
                           "Content-ID: <niemand@app>\r\n\r\nweg", "Content-Type: text/plain\r\nContent-Id: <een@app>\r\n\r\neerste"}));
  const auto answer = parsed(reply.status, reply.body);
  ASSERT_EQ(reply.status, 200U) << reply.body;
  const auto parts = payloads(outbound(answer.text("messageId")).id);
  ASSERT_EQ(parts.size(), 3U) << "in the order of the envelope";
  EXPECT_EQ(parts[0].content_id + " " + parts[0].content_type, "a1@stad.example text/plain");
  EXPECT_EQ(octets(parts[0]), "eerste");
  EXPECT_EQ(parts[1].file_name + " " + parts[1].content_type, "groot.pdf application/pdf");
  EXPECT_TRUE(octets(parts[1]) == large);
  EXPECT_EQ(octets(parts[2]) + " " + parts[2].content_type, "in de envelop application/octet-stream");
}

// A client of the plain endpoint may optimise as well.
TEST_F(FacadeSoap, ThePlainEndpointTakesAttachmentsToo) {
  const auto root = envelope("sendMessage", "<message>" + properties_xml() +
                                                "<dataSource><name>a.txt</name><contentType>text/plain</contentType><content>" +
                                                include("een@app") + "</content></dataSource></message>");
  const auto reply = post_related(plain, related(root, {"Content-Type: application/octet-stream\r\nContent-ID: <een@app>\r\n\r\neerste"}));
  ASSERT_EQ(reply.status, 200U) << reply.body;
  const auto part = payloads(outbound(parsed(200, reply.body).text("messageId")).id).at(0);
  EXPECT_EQ(part.file_name + " " + part.content_type, "a.txt text/plain") << "as the message says";
  EXPECT_EQ(octets(part), "eerste");
}

struct ReadPart {
  http::PartHead head;
  std::string octets;
};
http::Awaitable<std::vector<ReadPart>> parts_of(const Reply& reply) {
  http::StringReader body(reply.body);
  auto reader = http::MultipartReader::make(reply.header("Content-Type"), body, {}, http::MultipartKind::related).value();
  std::vector<ReadPart> out;
  for (;;) {
    auto part = (co_await reader->next()).value();
    if (!part) co_return out;
    auto octets = (co_await http::read_all(*reader, 1 << 24)).value();
    out.push_back({std::move(*part), std::move(octets)});
  }
}

TEST_F(FacadeSoap, AMessageIsShownWithAttachments) {
  const auto large = binary(300'000);
  const auto in = received({}, {"<a/>", large});
  const auto reply = post(mtom, envelope("getMessage", id_element(in.message_id) + "<process>1</process>"));
  ASSERT_EQ(reply.status, 200U) << reply.body;
  EXPECT_THAT(reply.header("Content-Type"), HasSubstr("type=\"application/xop+xml\""));
  const auto parts = await(parts_of(reply));
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_THAT(parts[0].head.content_type, HasSubstr("application/xop+xml"));
  const auto root = parsed(200, parts[0].octets);
  const auto message = root.content.child("", "message");
  const auto sources = message.children("", "dataSource");
  ASSERT_EQ(sources.size(), 2U);
  EXPECT_EQ(sources[1].child("", "contentId").text(), "p1@overheid.example");
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto href = sources[i].child("", "attachment").child(xop, "Include").attribute("", "href").value();
    EXPECT_EQ("<" + href.substr(4) + ">", parts[i + 1].head.headers.find("Content-ID").value());
  }
  EXPECT_EQ(parts[1].octets, "<a/>");
  EXPECT_EQ(parts[1].head.file_name, "bericht.xml");
  EXPECT_EQ(parts[1].head.content_type, "application/xml");
  EXPECT_TRUE(parts[2].octets == large);
  EXPECT_EQ(this->message(in.id).state, exchange::State::processed);
  const auto bare = post(mtom, envelope("getMessage", id_element(received({}, {}).message_id)));
  EXPECT_EQ(bare.header("Content-Type"), "text/xml; charset=UTF-8") << "nothing to attach";
}

// SEC-111 and the limits of README section 15 hold here too
TEST_F(FacadeSoap, AttachmentsThatDoNotFitTheEnvelopeAreRefused) {
  const auto send = [&](const std::string& source, const std::vector<std::string>& parts) {
    const auto root = envelope("sendMessage", "<message>" + properties_xml() + source + "</message>");
    const auto reply = post_related(mtom, related(root, parts));
    return reply.status == 200 ? std::string("sent") : parsed(reply.status, reply.body).text("faultstring");
  };
  const auto source = [](const std::string& content) { return "<dataSource><attachment>" + content + "</attachment></dataSource>"; };
  const std::string part = "Content-ID: <een@app>\r\n\r\nx";
  EXPECT_THAT(send(source(include("een@app")), {}), HasSubstr("ontbreekt"));
  EXPECT_THAT(send(source(include("een@app")) + source(include("een@app")), {part}), HasSubstr("twee keer"));
  EXPECT_THAT(send(source("<xop:Include xmlns:xop=\"" + std::string(xop) + "\" href=\"http://evil.example/x\"/>"), {part}),
              HasSubstr("cid:"));
  EXPECT_THAT(send(source(include("een@app") + include("een@app")), {part}), HasSubstr("cid:"));
  EXPECT_THAT(send(source("<x/>"), {}), HasSubstr("cid:"));
  EXPECT_THAT(send(source("***"), {}), HasSubstr("base64"));
  const auto root = envelope("sendMessage", "<message>" + properties_xml() + source(include("een@app")) + "</message>");
  EXPECT_EQ(post(mtom, root).status, 500U) << "no attachments at all";
  const auto other_start = post(mtom, related(root, {part}), "multipart/related; boundary=\"uuid:1\"; start=\"<een@app>\"");
  EXPECT_EQ(other_start.status, 500U);
  EXPECT_EQ(post(mtom, related(root, {part}, "application/json"), "multipart/related; boundary=\"uuid:1\"").status, 415U);
  EXPECT_EQ(query<std::int64_t>([](sql::Transaction& tx) -> Result<std::int64_t> {
              SCHAKEL_TRY(const auto rows, tx.query("SELECT count(*) FROM messages"));
              return rows[0].integer(0);
            }),
            0);
}

// --- faults --------------------------------------------------------------------------------------------------------------------------

// 2.10: 404 unknown id, 400 bad request, 500 otherwise: in SOAP a fault with a text
TEST_F(FacadeSoap, WhatIsWrongIsAFault) {
  struct Case {
    std::string body, code, text;
  };
  const std::string doctype = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>";
  const std::string soap_12 = "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body/></e:Envelope>";
  const std::string header =
      "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Header>"
      "<x:y xmlns:x=\"urn:x\" soap:mustUnderstand=\"1\"/></soap:Header><soap:Body/></soap:Envelope>";
  const Case cases[] = {
      {"", "soap:Client", ""},
      {"<a>", "soap:Client", ""},
      {"<a/>", "soap:Client", "envelope"},
      {doctype + envelope("ping", ""), "soap:Client", ""},
      {soap_12, "soap:VersionMismatch", "SOAP 1.1"},
      {header, "soap:MustUnderstand", ""},
      {"<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"/>", "soap:Client", "Body"},
      {envelope("deleteEverything", ""), "soap:Client", "not known"},
      {envelope("getMessage", ""), "soap:Client", "messageId is missing"},
      {envelope("getMessage", "<messageId>a</messageId><messageId>b</messageId>"), "soap:Client", "twice"},
      {envelope("getMessage", "<messageId>a<!-- -->b</messageId>"), "soap:Client", "text is expected"},
      {envelope("getMessage", "<messageId>a</messageId><more/>"), "soap:Client", "not known"},
      {envelope("getMessage", "<messageId>a</messageId><process>ja</process>"), "soap:Client", "boolean"},
      {envelope("getMessage", "<messageId>" + std::string(2000, 'a') + "</messageId>"), "soap:Client", "longer than"},
      {envelope("getMessage", "<ns:messageId>a</ns:messageId>"), "soap:Client", "messageId is missing"},
      {envelope("getMessage", id_element("onbekend@x")), "soap:Client", "geen bericht"},
      {envelope("getUnprocessedMessageIds", "<maxNr>-1</maxNr>"), "soap:Client", "maxNr"},
      {envelope("getUnprocessedMessageIds", "<maxNr>99999999999</maxNr>"), "soap:Client", "maxNr"},
      {envelope("getUnprocessedMessageEvents", "<eventType>WARNING</eventType>"), "soap:Client", "RECEIVED"},
      {envelope("sendMessage", "<message><properties/></message>"), "soap:Client", "cpaId is missing"},
      {envelope("sendMessage", "<message>" + properties_xml("<messageId>a b@x</messageId>") + "</message>"), "soap:Client", "messageId"},
  };
  for (const auto& one : cases) {
    const auto reply = post(plain, one.body);
    EXPECT_EQ(reply.status, 500U) << one.body.substr(0, 300);
    const auto fault = parsed(reply.status, reply.body);
    ASSERT_TRUE(fault.content.is(soap_11, "Fault")) << reply.body;
    EXPECT_EQ(fault.text("faultcode"), one.code) << one.body.substr(0, 300);
    EXPECT_THAT(fault.text("faultstring"), HasSubstr(one.text)) << one.body.substr(0, 300);
    if (one.code == "soap:Client") {
      const auto detail = fault.content.child("", "detail").child(service_namespace, "EbMSMessageServiceException");
      EXPECT_EQ(detail.child("", "message").text(), fault.text("faultstring"));
    }
  }
}

TEST_F(FacadeSoap, WhatIsAbsentMayBeNil) {
  const std::string nil = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/>";
  const auto id = received().message_id;
  EXPECT_THAT(call(plain, "getUnprocessedMessageIds", "<messageFilter" + nil + "<maxNr" + nil).texts("messageId"), ElementsAre(id));
}

TEST_F(FacadeSoap, TheWayHereKeepsItsStatus) {
  const auto body = envelope("getUnprocessedMessageIds", "");
  EXPECT_EQ(post(plain, body, "application/soap+xml").status, 415U);
  EXPECT_EQ(post(plain, body, "text/xml; charset=ISO-8859-1").status, 500U) << "a bad request, hence a fault";
  EXPECT_EQ(ask("GET", plain).status, 405U);
  token = "";
  const auto stranger = post(plain, body);
  EXPECT_EQ(stranger.status, 401U);
  EXPECT_THAT(stranger.header("WWW-Authenticate"), ::testing::StartsWith("Basic "));
  token = make_key("stad", {"viewer"});
  EXPECT_EQ(post(plain, body).status, 200U);
  EXPECT_EQ(post(plain, envelope("processMessage", id_element("a@x"))).status, 403U);
  EXPECT_EQ(post(plain, envelope("getMessage", id_element("a@x"))).status, 403U);
  settings.message_bytes_max = 1000;
  start();
  start_facade();
  token = key;
  EXPECT_EQ(post(plain, envelope("getMessage", id_element(std::string(1000, 'a')))).status, 413U);
}

// --- WSDL ----------------------------------------------------------------------------------------------------------------------------

// Clients that are made from a WSDL read it at the address they are given, before anything else.
TEST_F(FacadeSoap, TheWsdlNamesEveryOperation) {
  for (const auto& path : {plain, mtom}) {
    token = "";
    const auto reply = ask("GET", path + "?wsdl", "", "", {{"Host", "schakel.intern:8080"}});
    ASSERT_EQ(reply.status, 200U);
    const auto document = xml::Document::parse(reply.body, {});
    ASSERT_TRUE(document) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr("location=\"http://schakel.intern:8080" + path + "\""));
    constexpr std::string_view wsdl = "http://schemas.xmlsoap.org/wsdl/";
    std::vector<std::string> operations;
    for (const auto& one : document->root().child(wsdl, "portType").children(wsdl, "operation"))
      operations.push_back(one.attribute("", "name").value());
    EXPECT_THAT(operations, ElementsAre("ping", "sendMessage", "resendMessage", "getUnprocessedMessageIds", "getMessage", "processMessage",
                                        "getMessageStatus", "getUnprocessedMessageEvents", "processMessageEvent"));
    for (const auto& name : operations) {
      const auto answer = read_operation(envelope(name, ""), 10'000);
      EXPECT_TRUE(answer || answer.error().detail.find("not known") == std::string::npos) << name;
    }
  }
}

}  // namespace
}  // namespace schakel::facade
