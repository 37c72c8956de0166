// Octets to a checked envelope, on raw bytes (wus.md 1.2, 1.9 and section 5).
#include "wus/message.hpp"

#include "unit/wus/partners.hpp"
#include "wus/mtom.hpp"
#include "wus/names.hpp"
#include "xml/canonical.hpp"

namespace schakel::wus {
namespace {

using test::replaced;
using test::text_xml;

const std::string payload = "<vraag xmlns=\"urn:example:vraag\"><nummer>1</nummer></vraag>";
const std::string addressing =
    "<wsa:To>https://wus.aanbieder.example/v1</wsa:To><wsa:Action>urn:example:vraag</wsa:Action><wsa:MessageID>urn:uuid:1</wsa:MessageID>";

std::string envelope(const std::string& headers = addressing, const std::string& body = payload) {
  return "<soapenv:Envelope xmlns:soapenv=\"" + std::string(ns::soapenv) + "\" xmlns:wsa=\"" + std::string(ns::wsa) +
         "\"><soapenv:Header>" + headers + "</soapenv:Header><soapenv:Body>" + body + "</soapenv:Body></soapenv:Envelope>";
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::string told(BytesView entity, std::string_view content_type = text_xml, const Settings& settings = {}, Kind kind = Kind::request) {
  const auto message = read_message(entity, content_type, settings, kind);
  return message ? "accepted" : test::told(message.error());
}

const std::string invalid = "soapenv:Client DK0001", not_utf8 = "soapenv:Client DK0009", foreign = "soapenv:Client DK0010";

// WUS-020
TEST(Envelopes, HaveOneHeaderAndOneBodyWithOneElement) {
  EXPECT_EQ(told(envelope()), "accepted");
  const auto text = envelope();
  EXPECT_EQ(told(replaced(text, "<soapenv:Header>" + addressing + "</soapenv:Header>", "")), "accepted");  // told later: DK0005
  EXPECT_EQ(told(replaced(text, "</soapenv:Body>", "</soapenv:Body><x xmlns=\"urn:x\"/>")), invalid);
  EXPECT_EQ(told(replaced(text, "</soapenv:Body>", "</soapenv:Body><soapenv:Body>" + payload + "</soapenv:Body>")), invalid);
  EXPECT_EQ(told(replaced(text, "<soapenv:Header>", "<x xmlns=\"urn:x\"/><soapenv:Header>")), invalid);
  EXPECT_EQ(told(replaced(text, "<soapenv:Body>", "<soapenv:Header/><soapenv:Body>")), invalid);
  EXPECT_EQ(told(replaced(text, "<soapenv:Body>" + payload + "</soapenv:Body>", "")), invalid);
  EXPECT_EQ(told(replaced(text, "<soapenv:Body>", "text<soapenv:Body>")), invalid);
  EXPECT_EQ(told(envelope(addressing + "text")), invalid);
  EXPECT_EQ(told(envelope(addressing, "")), invalid);
  EXPECT_EQ(told(envelope(addressing, " text ")), invalid);
  EXPECT_EQ(told(envelope(addressing, payload + payload)), invalid);
  EXPECT_EQ(told(envelope(addressing, payload + "text")), invalid);
  EXPECT_EQ(told(envelope(addressing, "<vraag/>")), invalid);
  EXPECT_EQ(told(envelope(addressing, "\n <!-- c --> " + payload + "\n")), "accepted");
  EXPECT_EQ(told("<vraag xmlns=\"urn:example:vraag\"/>"), invalid);
  EXPECT_EQ(told(envelope(addressing, "<v xmlns=\"urn:v\"><w xmlns:r=\"../relative\"/></v>")), invalid);  // no canonical form
  EXPECT_EQ(told(replaced(text, "xmlns:wsa=", "xmlns:r=\"relative\" xmlns:wsa=")), invalid);
  EXPECT_EQ(told("<Envelope><Body/></Envelope>"), "soapenv:VersionMismatch DK0001");
  EXPECT_EQ(told(replaced(envelope(""), "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")),
            "soapenv:VersionMismatch DK0001");
}

TEST(Envelopes, AreWellFormedAndAlone) {
  for (const std::string& entity :
       {std::string(), std::string(" "), envelope().substr(0, 200), envelope() + "x", "x" + envelope(), envelope() + envelope(),
        replaced(envelope(), "</nummer>", ""), std::string("{}"), std::string("\xEF\xBB\xBF")}) {
    EXPECT_EQ(told(entity), invalid) << entity.substr(0, 60);
  }
  EXPECT_EQ(told("<!-- c -->\n" + envelope() + "\n<!-- c -->"), "accepted");
}

// WUS-021
TEST(Envelopes, HaveNoDtdNoInstructionNoEncodingStyle) {
  EXPECT_EQ(told("<!DOCTYPE a>" + envelope()), invalid);
  EXPECT_EQ(told("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>" + replaced(envelope(), ">1<", ">&b;<")), invalid);
  EXPECT_EQ(read_message("<!DOCTYPE a>" + envelope(), text_xml, {}, Kind::request).error().code, "wus.doctype");
  EXPECT_EQ(told("<?pi?>" + envelope()), invalid);
  EXPECT_EQ(told(envelope() + "<?pi?>"), invalid);
  EXPECT_EQ(told(replaced(envelope(), ">1<", "><?pi?>1<")), invalid);
  EXPECT_EQ(told("<?xml version=\"1.1\"?>" + envelope()), invalid);
  for (const char* tag : {"<soapenv:Envelope", "<soapenv:Header", "<wsa:To", "<soapenv:Body", "<vraag"}) {
    const std::string value =
        std::string(" xmlns:s=\"") + std::string(ns::soapenv) + "\" s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"";
    EXPECT_EQ(told(replaced(envelope(), tag, tag + value)), invalid) << tag;
  }
}

// WUS-022
TEST(Envelopes, AreUtf8WhereverItIsSaid) {
  EXPECT_EQ(told("\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?>" + envelope(), "text/xml"), "accepted");
  EXPECT_EQ(told(envelope(), "Text/XML; CharSet=\"UTF-8\""), "accepted");
  EXPECT_EQ(told(envelope(), "text/xml; charset=iso-8859-1"), not_utf8);
  EXPECT_EQ(told("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + envelope()), not_utf8);
  EXPECT_EQ(told(replaced(envelope(), ">1<", ">\xE9<")), not_utf8);
  EXPECT_EQ(told(std::string("\xFF\xFE<\0a\0/\0>\0", 10)), not_utf8);
  // Beyond the BMP, and not normalised.
  const std::string text = "\xF0\x9F\x98\x80 e\xCC\x81 \xC3\xA9";
  const auto message = read_message(replaced(envelope(), ">1<", ">" + text + "<"), text_xml, {}, Kind::request);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload.text(), text);
}

// WUS-027
TEST(Envelopes, KeepTheLimits) {
  EXPECT_EQ(told(envelope(addressing, "<a xmlns=\"urn:a\">" + repeated("<b>", 125) + repeated("</b>", 125) + "</a>")), "accepted");
  EXPECT_EQ(told(envelope(addressing, "<a xmlns=\"urn:a\">" + repeated("<b>", 126) + repeated("</b>", 126) + "</a>")), invalid);
  const auto with_attributes = [](std::size_t count) {
    std::string out = "<p:a xmlns:p=\"urn:a\"><b";
    for (std::size_t i = 0; i < count; ++i) out += " a" + std::to_string(i) + "=\"\"";
    return envelope(addressing, out + "/></p:a>");
  };
  EXPECT_EQ(told(with_attributes(128)), "accepted");
  EXPECT_EQ(told(with_attributes(129)), invalid);
  Settings settings;
  settings.max_size = envelope().size();
  EXPECT_EQ(told(envelope(), text_xml, settings), "accepted");
  --settings.max_size;
  EXPECT_EQ(told(envelope(), text_xml, settings), invalid);
  EXPECT_EQ(told(envelope(addressing + repeated("<wsa:RelatesTo>urn:x:1</wsa:RelatesTo>", 29))), "accepted");
  EXPECT_EQ(told(envelope(addressing + repeated("<wsa:RelatesTo>urn:x:1</wsa:RelatesTo>", 30))), invalid);
}

// WUS-026, WUS-001
TEST(HeaderBlocks, OfOthersAreRefused) {
  EXPECT_EQ(told(envelope(addressing + "<x xmlns=\"urn:x\"/>")), foreign);
  EXPECT_EQ(told(envelope(addressing + "<x xmlns=\"urn:x\" soapenv:mustUnderstand=\"0\"/>")), foreign);
  EXPECT_EQ(told(envelope(addressing + "<x xmlns=\"urn:x\" soapenv:mustUnderstand=\"1\"/>")), "soapenv:MustUnderstand DK0010");
  // Mandatory ones before anything else.
  EXPECT_EQ(told(envelope("<x xmlns=\"urn:x\"/>" + addressing + "<y xmlns=\"urn:x\" soapenv:mustUnderstand=\"1\"/>")),
            "soapenv:MustUnderstand DK0010");
  EXPECT_EQ(told(envelope(addressing + "<x xmlns=\"urn:x\" soapenv:mustUnderstand=\"true\"/>")), invalid);
  EXPECT_EQ(told(envelope("<wsa:To soapenv:mustUnderstand=\"1\">urn:x:1</wsa:To>")), "accepted");
  EXPECT_EQ(told(envelope("<wsa:To soapenv:mustUnderstand=\"yes\">urn:x:1</wsa:To>")), invalid);
  EXPECT_EQ(told(envelope(replaced(addressing, "<wsa:To>", "<wsa:To soapenv:actor=\"urn:other\">"))), foreign);
  EXPECT_EQ(told(envelope("<wsa:Other/>")), foreign);
  EXPECT_EQ(told(envelope(addressing + "<wsa:FaultDetail/>")), "accepted");
  EXPECT_EQ(told(envelope("<wsrm:Sequence xmlns:wsrm=\"http://docs.oasis-open.org/ws-rx/wsrm/200702\"/>")), foreign);
  EXPECT_EQ(told(replaced(envelope(), "http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing")),
            foreign);
  // Without security, encrypted headers are as foreign as any.
  EXPECT_EQ(told(envelope("<e:EncryptedHeader xmlns:e=\"" + std::string(ns::wsse11) + "\"/>")), foreign);
}

// WUS-026
TEST(HeaderBlocks, ThatTheServiceListsPass) {
  Settings settings;
  settings.extra_headers = {{"urn:x", "x"}};
  const auto message =
      read_message(envelope(addressing + "<x xmlns=\"urn:x\" soapenv:mustUnderstand=\"1\"/>"), text_xml, settings, Kind::request);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->extra_headers.size(), 1u);
  EXPECT_EQ(message->addressing.size(), 3u);
  EXPECT_EQ(told(envelope(addressing + "<y xmlns=\"urn:x\"/>"), text_xml, settings), foreign);
}

// WUS-025
TEST(Faults, AreAnswersNotRequests) {
  const std::string fault = "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>x</faultstring></soapenv:Fault>";
  EXPECT_EQ(told(envelope(addressing, fault)), invalid);
  const auto answer = read_message(envelope(addressing, fault), text_xml, {}, Kind::response);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->is_fault);
}

// WUS-024, WUS-181, WUS-185
TEST(MediaTypes, AreThoseOfSoapAndMtom) {
  EXPECT_EQ(media_type("text/xml; charset=utf-8", Mtom::off), MediaType::xml);
  EXPECT_EQ(media_type("TEXT/XML", Mtom::required), MediaType::xml);
  const std::string xop = "Multipart/Related; boundary=b; Type=\"application/XOP+xml\"; start-info=\"text/xml\"";
  EXPECT_EQ(media_type(xop, Mtom::off), MediaType::unsupported);
  EXPECT_EQ(media_type(xop, Mtom::optional), MediaType::xop);
  EXPECT_EQ(media_type(xop, Mtom::required), MediaType::xop);
  for (const char* other :
       {"application/soap+xml", "application/json", "multipart/related; boundary=b; type=\"text/xml\"", "multipart/related; boundary=b",
        "multipart/form-data; boundary=b; type=\"application/xop+xml\"", "", "text/xml;;=", "text"}) {
    EXPECT_EQ(media_type(other, Mtom::optional), MediaType::unsupported) << other;
  }
}

// --- MTOM ----------------------------------------------------------------------------------------------------------------------------

const std::string xop_type = "multipart/related; boundary=\"b\"; type=\"application/xop+xml\"; start=\"<root@x>\"; start-info=\"text/xml\"";
const std::string include = "<xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:part@x\"/>";
const std::string with_include = envelope(addressing, "<v xmlns=\"urn:v\"><bijlage>" + include + "</bijlage></v>");

std::string root_part(const std::string& text = with_include) {
  return "--b\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-Transfer-Encoding: binary\r\nContent-ID: "
         "<root@x>\r\n\r\n" +
         text + "\r\n";
}
std::string part(const std::string& octets, const std::string& encoding = "binary", const std::string& id = "part@x") {
  return "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: " + encoding + "\r\nContent-ID: <" + id +
         ">\r\n\r\n" + octets + "\r\n";
}
const std::string end = "--b--\r\n";

// The text of `bijlage`, or what is told.
std::string attached(const std::string& entity, const std::string& content_type = xop_type, const Settings& settings = {}) {
  const auto message = read_message(entity, content_type, settings, Kind::request);
  return message ? message->payload.text() : test::told(message.error());
}

// WUS-182, WUS-183
TEST(Mtom, PartsTakeThePlaceOfTheirIncludes) {
  const auto message = read_message(root_part() + part(std::string("\0\r\n--c\xFF", 7)) + end, xop_type, {}, Kind::request);
  ASSERT_TRUE(message) << message.error().detail;
  EXPECT_TRUE(message->mtom);
  EXPECT_EQ(message->payload.text(), to_base64(std::string("\0\r\n--c\xFF", 7)));
  ASSERT_EQ(message->binary_elements.size(), 1u);
  EXPECT_EQ(message->binary_elements[0].name(), "bijlage");
  EXPECT_EQ(xml::canonicalise(message->payload).value(), "<v xmlns=\"urn:v\"><bijlage>AA0KLS1j/w==</bijlage></v>");
}

TEST(Mtom, AcceptsWhatMimeAllows) {
  const std::string good = "eA==";
  EXPECT_EQ(attached(root_part() + part("x") + end), good);
  EXPECT_EQ(attached("preamble\r\n" + root_part() + part("x") + end + "epilogue --b"), good);
  EXPECT_EQ(attached(root_part() + part("x") + "--b--"), good);
  EXPECT_EQ(attached(replaced(root_part() + part("x") + end, "--b\r\n", "--b \t\r\n")), good);
  EXPECT_EQ(attached(part("x") + root_part() + end), good);  // start names the root
  EXPECT_EQ(attached(root_part() + part("x") + end, replaced(xop_type, " start=\"<root@x>\";", "")), good);
  EXPECT_EQ(attached(root_part() + part("x") + end, replaced(xop_type, "boundary=\"b\"", "BOUNDARY=b")), good);
  EXPECT_EQ(attached(replaced(root_part() + part("x") + end, "Content-ID: <part@x>", "content-id:\r\n\t<part@x>")), good);
  EXPECT_EQ(attached(root_part(replaced(with_include, "cid:part@x", "CID:p%61rt%40x")) + part("x") + end), good);
  EXPECT_EQ(attached(root_part() + part("") + end), "");
  EXPECT_EQ(attached(root_part() + replaced(part(""), "\r\n\r\n\r\n", "\r\n\r\n") + end), "");
}

TEST(Mtom, UndoesTransferEncodings) {
  EXPECT_EQ(attached(root_part() + part("eA =\r\n=", "BASE64") + end), "eA==");
  EXPECT_EQ(attached(root_part() + part("a=3D=\r\nb  \r\nc=0A", "quoted-printable") + end), to_base64("a=b\r\nc\n"));
  EXPECT_EQ(attached(root_part() + part("x", "8bit") + end), "eA==");
  EXPECT_EQ(attached(root_part() + part("x", "7bit") + end), "eA==");
  EXPECT_EQ(attached(root_part() + part("x!", "base64") + end), invalid);
  EXPECT_EQ(attached(root_part() + part("=ZZ", "quoted-printable") + end), invalid);
  EXPECT_EQ(attached(root_part() + part("=3", "quoted-printable") + end), invalid);
  EXPECT_EQ(attached(root_part() + part("x", "uuencode") + end), invalid);
  // The root too.
  const auto encoded = replaced(root_part(), "Encoding: binary", "Encoding: base64");
  EXPECT_EQ(attached(replaced(encoded, with_include, to_base64(with_include)) + part("x") + end), "eA==");
}

// WUS-182
TEST(Mtom, RefusesWhatDoesNotFit) {
  const auto whole = root_part() + part("x") + end;
  EXPECT_EQ(attached(root_part() + end), invalid);                                              // a part that is not there
  EXPECT_EQ(attached(root_part() + part("x") + part("y", "binary", "more@x") + end), invalid);  // one that nothing refers to
  EXPECT_EQ(attached(root_part() + part("x") + part("y") + end), invalid);                      // one Content-ID twice
  EXPECT_EQ(attached(root_part(replaced(with_include, "</bijlage>", "</bijlage><bijlage>" + include + "</bijlage>")) + part("x") + end),
            invalid);
  EXPECT_EQ(attached(root_part(replaced(with_include, include, "text" + include)) + part("x") + end), invalid);
  EXPECT_EQ(attached(root_part(replaced(with_include, include, include + "<a/>")) + part("x") + end), invalid);
  EXPECT_EQ(attached(root_part(replaced(with_include, include, include + "<!-- -->")) + part("x") + end), invalid);
  EXPECT_EQ(attached(root_part(replaced(with_include, "cid:part@x", "http://127.0.0.1:1/")) + part("x") + end), invalid);
  EXPECT_EQ(attached(root_part(replaced(with_include, " href=\"cid:part@x\"", "")) + part("x") + end), invalid);
  EXPECT_EQ(attached(root_part(replaced(with_include, "cid:part@x", "cid:root@x")) + part("x") + end), invalid);
  EXPECT_EQ(attached(root_part(include)), invalid);
  EXPECT_EQ(attached(whole, replaced(xop_type, "root@x", "other@x")), invalid);
  EXPECT_EQ(attached(whole, replaced(xop_type, "boundary=\"b\"; ", "")), invalid);
  EXPECT_EQ(attached(whole, replaced(xop_type, "\"b\"", "\"" + std::string(71, 'b') + "\"")), invalid);
  EXPECT_EQ(attached(whole.substr(0, whole.size() - end.size())), invalid);
  EXPECT_EQ(attached("no delimiter"), invalid);
  EXPECT_EQ(attached(end), invalid);
  EXPECT_EQ(attached(replaced(whole, "application/octet-stream", "Multipart/Mixed; boundary=c")), invalid);
  EXPECT_EQ(attached(replaced(whole, "application/xop+xml", "text/xml")), invalid);
  EXPECT_EQ(attached(replaced(whole, "type=\"text/xml\"", "type=\"application/soap+xml\"")), invalid);
  EXPECT_EQ(attached(replaced(whole, "charset=UTF-8", "charset=UTF-16")), not_utf8);
  EXPECT_EQ(attached(replaced(whole, "Content-ID: <part@x>", "Content-ID: <part@x>\r\nContent-ID: <part@x>")), invalid);
  EXPECT_EQ(attached(replaced(whole, "Content-ID: <part@x>", "Content-ID <part@x>")), invalid);
}

// WUS-027
TEST(Mtom, KeepsTheLimits) {
  const auto many = [](std::size_t count) {
    std::string text = "<v xmlns=\"urn:v\">", parts;
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = "p" + std::to_string(i);
      text += "<b>" + replaced(include, "part@x", id) + "</b>";
      parts += part("x", "binary", id);
    }
    return root_part(envelope(addressing, text + "</v>")) + parts + end;
  };
  EXPECT_EQ(attached(many(63)), repeated("eA==", 63));
  EXPECT_EQ(attached(many(64)), invalid);
  const auto with_header = [](std::size_t size) {
    return replaced(root_part() + part("x") + end, "Content-ID: <part@x>", "Content-ID: <part@x>\r\nX: " + std::string(size, 'x'));
  };
  EXPECT_EQ(attached(with_header(8000)), "eA==");
  EXPECT_EQ(attached(with_header(8192)), invalid);
  // Reached only by expansion.
  Settings settings;
  const auto entity = root_part() + part(std::string(3000, 'x')) + end;
  settings.max_size = with_include.size() + 4000;
  EXPECT_GE(settings.max_size, entity.size());
  EXPECT_EQ(attached(entity, xop_type, settings).size(), 4000u);
  --settings.max_size;
  EXPECT_EQ(attached(entity, xop_type, settings), invalid);
}

// WUS-186: large ones too, without a copy for each step.
TEST(Mtom, ReadsNineteenMebibytes) {
  const std::string large(19 * 1024 * 1024, '\xAB');
  EXPECT_EQ(attached(root_part() + part(large) + end).size(), (large.size() + 2) / 3 * 4);
}

}  // namespace
}  // namespace schakel::wus
