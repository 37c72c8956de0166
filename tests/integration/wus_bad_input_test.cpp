// Each row of wus.md section 5 as raw octets to a node (acceptance 18): status, fault, media type, the record's reason, a back-end that saw
// nothing, and what becomes of the connection. The rows about the response side are in wus_consumer_test.cpp.
#include "integration/tls_connection.hpp"
#include "integration/wus_by_hand.hpp"
#include "unit/wus/signed_message.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using wus::Profile;
using wus::test::replaced;

constexpr const char* be = "fout-be";
constexpr const char* s = "fout-s";
constexpr const char* se = "fout-se";

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

class WusBadInput : public ::testing::Test {
 protected:
  static constexpr std::size_t max_size = 64 * 1024;

  void SetUp() override {
    SCHAKEL_NEEDS_WUS_STANDARDS();
    const Json limits{{"maxSize", max_size}};
    two.offer(be, "2W-be", {{"maxSize", max_size}, {"mtom", "optional"}});
    two.offer(s, "2W-be-S", limits);
    two.offer(se, "2W-be-SE", limits);
    two.offer("fout-mtom-uit", "2W-be");
    two.backend.answers(answer("12345678"));
    connection.emplace(two.provider.external_port(), two.consumer.identity());
  }

  // --- messages
  // A good 2W-be request, in pieces that a row changes.
  std::string headers(const std::string& service = be) const {
    return "<a:To>" + two.address(service) + "</a:To><a:Action>" + action + "</a:Action><a:MessageID>" + ByHand::new_id() +
           "</a:MessageID>";
  }
  static std::string envelope(const std::string& header, const std::string& body, const std::string& attributes = "") {
    return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:a=\"http://www.w3.org/2005/08/addressing\"" +
           attributes + ">" + header + body + "</s:Envelope>";
  }
  std::string plain(const std::string& body) const { return envelope("<s:Header>" + headers() + "</s:Header>", body); }
  std::string plain() const { return plain("<s:Body>" + question("12345678") + "</s:Body>"); }
  std::string with_headers(const std::string& inside) const {
    return envelope("<s:Header>" + inside + "</s:Header>", "<s:Body>" + question("12345678") + "</s:Body>");
  }
  // A signed request whose every piece is the row's choice.
  wus::test::SignedMessage signed_request(const std::string& service = s) const {
    const auto now = SystemClock().now();
    wus::test::SignedMessage message{.signer = two.consumer.identity().key_pair,
                                     .headers = "<wsa:To wsu:Id=\"to\">" + two.address(service) +
                                                "</wsa:To><wsa:Action wsu:Id=\"action\">" + action +
                                                "</wsa:Action><wsa:MessageID wsu:Id=\"message\">" + ByHand::new_id() + "</wsa:MessageID>",
                                     .time = wus::test::timestamp(to_rfc3339(now), to_rfc3339(now + 60s)),
                                     .token = wus::test::binary_token(two.consumer.identity().certificate->der)};
    message.body = question("12345678");
    return message;
  }
  std::string encrypted(const wus::test::SignedMessage& message, const std::string& plaintext = "") const {
    return replaced(message.text(), message.body,
                    wus::test::encrypted_data(plaintext.empty() ? message.body : plaintext, two.provider.identity().certificate));
  }
  std::string changed(const std::function<void(wus::test::SignedMessage&)>& change) const {
    auto message = signed_request();
    change(message);
    return message.text();
  }

  // --- what comes of them
  struct Expected {
    const char *code, *text;  // "soapenv:Client", "DK0001"
  };
  std::int64_t refused() const {
    return std::stoll(
        two.provider.admin().get("/api/v1/messages?protocol=wus&direction=inbound&state=REFUSED&perPage=1").header("Total-Count"));
  }
  TlsConnection::Response send(const std::string& service, const std::string& entity, const std::string& header_lines) {
    EXPECT_TRUE(connection->write("POST /wus/" + service + " HTTP/1.1\r\nHost: localhost\r\n" + header_lines +
                                  "Content-Length: " + std::to_string(entity.size()) + "\r\n\r\n" + entity));
    return connection->read();
  }
  static constexpr const char* usual = "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"\"\r\n";
  // A Fault with 500, a record with a reason, and the connection goes on.
  void expect_fault(const std::string& row, const std::string& service, const std::string& entity, const Expected& expected,
                    const std::string& header_lines = usual) {
    SCOPED_TRACE(row);
    const auto before = refused();
    const auto asked = two.backend.asked().size();
    const auto answered = send(service, entity, header_lines);
    EXPECT_EQ(answered.status, 500U) << answered.body;
    EXPECT_THAT(answered.head, HasSubstr("Content-Type: text/xml; charset=utf-8\r\n"));
    EXPECT_THAT(answered.body, HasSubstr(std::string(">") + expected.code + "</faultcode>"));
    EXPECT_THAT(answered.body, HasSubstr(expected.text));
    EXPECT_FALSE(answered.says_close());
    EXPECT_EQ(two.backend.asked().size(), asked);
    EXPECT_EQ(refused(), before + 1) << "one record";
    const auto record = newest(two.provider, "direction=inbound");
    EXPECT_THAT(record["lastError"].value("code", ""), ::testing::StartsWith("wus.")) << record.dump(1);
  }
  void expect_status(const std::string& row, const std::string& service, const std::string& request, unsigned status, bool closes) {
    SCOPED_TRACE(row);
    TlsConnection own(two.provider.external_port(), two.consumer.identity());
    const auto asked = two.backend.asked().size();
    ASSERT_TRUE(own.write(replaced(request, "PATH", "/wus/" + service)));
    const auto answered = own.read();
    EXPECT_EQ(answered.status, status) << answered.head << answered.body;
    EXPECT_EQ(answered.body, "");
    EXPECT_EQ(answered.says_close(), closes) << answered.head;
    if (closes) {
      EXPECT_TRUE(own.has_ended());
    }
    EXPECT_EQ(two.backend.asked().size(), asked);
  }

  const std::string action = std::string(wus_wsdl) + "/IInschrijvingService_v1/vraagInschrijvingRequest";
  Chain& two = chain();
  std::optional<TlsConnection> connection;
};

// WUS-024, WUS-028
TEST_F(WusBadInput, OfHttp) {
  const std::string host = " HTTP/1.1\r\nHost: localhost\r\n";
  const auto post = [&](const std::string& header_lines, const std::string& body = "<x/>") {
    return "POST PATH" + host + header_lines + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  for (const auto* method : {"GET", "PUT", "DELETE", "OPTIONS"})
    expect_status(method, be, std::string(method) + " PATH" + host + "\r\n", 405, false);
  {
    TlsConnection own(two.provider.external_port(), two.consumer.identity());
    ASSERT_TRUE(own.write("HEAD /wus/" + std::string(be) + host + "\r\n"));
    const auto answered = own.read();
    EXPECT_EQ(answered.status, 405U);
    EXPECT_THAT(answered.head, HasSubstr("Allow: POST, GET\r\n"));
  }
  for (const auto* type : {"application/soap+xml", "application/json", "application/xml", "text/plain"})
    expect_status(type, be, post("Content-Type: " + std::string(type) + "\r\nSOAPAction: \"\"\r\n"), 415, true);
  expect_status("no Content-Type", be, post("SOAPAction: \"\"\r\n"), 415, true);
  const std::string multipart =
      "Content-Type: multipart/related; boundary=\"b\"; type=\"application/xop+xml\"; start-info=\"text/xml\"\r\n";
  expect_status("multipart, mtom off", "fout-mtom-uit", post(multipart + "SOAPAction: \"\"\r\n"), 415, true);
  expect_status("gzip", be, post(std::string(usual) + "Content-Encoding: gzip\r\n"), 415, true);
  expect_status("413 by its length", be, post(usual, std::string(max_size + 1, ' ')), 413, true);
  expect_status(
      "413 while it comes", be,
      "POST PATH" + host + usual + "Transfer-Encoding: chunked\r\n\r\n" + "20000\r\n" + std::string(0x20000, ' ') + "\r\n0\r\n\r\n", 413,
      true);
  expect_status("unknown path", "geen", post(usual), 404, false);
}

// WUS-020..022, WUS-027
TEST_F(WusBadInput, OfEnvelopes) {
  const Expected invalid{"soapenv:Client", "DK0001"}, not_utf8{"soapenv:Client", "DK0009"};
  const auto good = plain();
  const std::string body = "<s:Body>" + question("12345678") + "</s:Body>";
  const std::vector<std::pair<const char*, std::string>> rows{
      {"empty", ""},
      {"truncated", good.substr(0, good.size() / 2)},
      {"text in front", "x" + good},
      {"text behind", good + "x"},
      {"an element behind", good + "<x/>"},
      {"DOCTYPE", "<!DOCTYPE s:Envelope>" + good},
      {"entities", "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" + replaced(good, "12345678", "&e;")},
      {"an instruction before the root", "<?x y?>" + good},
      {"an instruction inside", replaced(good, "<s:Body>", "<?x y?><s:Body>")},
      {"XML 1.1", "<?xml version=\"1.1\"?>" + good},
      {"depth 129", plain("<s:Body>" + repeated("<x xmlns=\"urn:x\">", 129) + repeated("</x>", 129) + "</s:Body>")},
      {"129 attributes", plain("<s:Body><x xmlns=\"urn:x\"" +
                               [] {
                                 std::string out;
                                 for (int i = 0; i < 129; ++i) out += " a" + std::to_string(i) + "=\"\"";
                                 return out;
                               }() +
                               "/></s:Body>")},
      {"an element after Body", plain(body + "<s:X/>")},
      {"two Body", plain(body + body)},
      {"an empty Body", plain("<s:Body/>")},
      {"a Body of two elements", plain("<s:Body>" + question("12345678") + question("12345678") + "</s:Body>")},
      {"a child without namespace", plain("<s:Body><x/></s:Body>")},
  };
  for (const auto& [row, entity] : rows) expect_fault(row, be, entity, invalid);
  expect_fault("comments around are no fault of the envelope", be, "<!-- a -->" + replaced(good, "<a:To>", "<a:To> x ") + "<!-- b -->\n",
               {"wsa:InvalidAddress", "DK0005"});

  std::string utf16 = "\xff\xfe";
  for (const char c : good) utf16 += {c, '\0'};
  expect_fault("UTF-16", be, utf16, not_utf8);
  expect_fault("declared otherwise", be, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + good, not_utf8);
  expect_fault("charset otherwise", be, good, not_utf8, "Content-Type: text/xml; charset=iso-8859-1\r\nSOAPAction: \"\"\r\n");
  expect_fault("not valid UTF-8", be, replaced(good, "12345678", "\xc3("), not_utf8);
  expect_fault("SOAP 1.2", be, replaced(good, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"),
               {"soapenv:VersionMismatch", "DK0001"});

  // Small on the wire, and over the size when the parts stand where they are referred to.
  const std::string part(48 * 1024, 'x');
  const auto packed = "--b\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-ID: <r>\r\n\r\n" +
                      plain("<s:Body><meldWijziging xmlns=\"" + std::string(wus_types) +
                            "\"><inschrijfnummer>12345678</inschrijfnummer><omschrijving>x</omschrijving><bijlage><xop:Include "
                            "xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:p\"/></bijlage></meldWijziging></s:Body>") +
                      "\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <p>\r\n\r\n" +
                      part + "\r\n--b--\r\n";
  ASSERT_LT(packed.size(), max_size);
  expect_fault("too large by XOP expansion", be, packed, invalid,
               "Content-Type: multipart/related; boundary=\"b\"; type=\"application/xop+xml\"; start=\"<r>\"; start-info=\"text/xml\"\r\n"
               "SOAPAction: \"\"\r\n");
}

// WUS-023, WUS-026, WUS-070..084, WUS-242
TEST_F(WusBadInput, OfAddressing) {
  const auto good = headers();
  const auto to = "<a:To>" + two.address(be) + "</a:To>";
  expect_fault("WSA 2004/08", be,
               replaced(plain(), "http://www.w3.org/2005/08/addressing\"", "http://schemas.xmlsoap.org/ws/2004/08/addressing\""),
               {"soapenv:Client", "DK0010"});
  expect_fault("a wsrm header", be, with_headers(good + "<r:Sequence xmlns:r=\"http://docs.oasis-open.org/ws-rx/wsrm/200702\"/>"),
               {"soapenv:Client", "DK0010"});
  expect_fault("a mandatory foreign header", be, with_headers(good + "<r:X xmlns:r=\"urn:x\" s:mustUnderstand=\"1\"/>"),
               {"soapenv:MustUnderstand", "DK0010"});
  expect_fault("no Header", be, envelope("", "<s:Body>" + question("12345678") + "</s:Body>"),
               {"wsa:MessageAddressingHeaderRequired", "DK0005"});
  expect_fault("To relative", be, with_headers(replaced(good, to, "<a:To>/dienst</a:To>")), {"wsa:InvalidAddress", "DK0005"});
  expect_fault("To with an Address", be, with_headers(replaced(good, to, "<a:To><a:Address>https://x/</a:Address></a:To>")),
               {"wsa:InvalidAddress", "DK0005"});
  expect_fault("ReplyTo elsewhere", be, with_headers(good + "<a:ReplyTo><a:Address>https://elders.example/</a:Address></a:ReplyTo>"),
               {"wsa:OnlyAnonymousAddressSupported", "DK0011"});
  expect_fault("no SOAPAction", be, plain(), {"wsa:ActionMismatch", "DK0003"}, "Content-Type: text/xml; charset=utf-8\r\n");
  expect_fault("another SOAPAction", be, plain(), {"wsa:ActionMismatch", "DK0003"},
               "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"x\"\r\n");
  expect_fault("To with the OIN of another", be,
               with_headers(replaced(good, to, "<a:To>" + two.address(be) + "?OIN=00000099000000770000</a:To>")),
               {"wsa:DestinationUnreachable", "DK0011"});
}

// WUS-002, WUS-005
TEST_F(WusBadInput, OfAnotherProfile) {
  const Expected invalid{"wsse:InvalidSecurity", "An error was discovered processing"};
  expect_fault("unsigned to S", s, with_headers(headers(s)), invalid);
  expect_fault("unsigned to SE", se, with_headers(headers(se)), invalid);
  expect_fault("S to SE", se, signed_request(se).text(), invalid);
  expect_fault("SE to S", s, encrypted(signed_request(s)), invalid);
  expect_fault("S to 2W-be", be, signed_request(be).text(), {"soapenv:Client", "DK0010"});
  expect_fault("SE to 2W-be", be, encrypted(signed_request(be)), {"soapenv:Client", "DK0010"});
}

// WUS-104..106, WUS-110..112, WUS-170..174
TEST_F(WusBadInput, OfSignatures) {
  const Expected invalid{"wsse:InvalidSecurity", "An error was discovered processing"};
  for (const auto* part : {"to", "action", "message", "ts", "body"})
    expect_fault("not covered: " + std::string(part), s, changed([&](auto& message) { std::erase(message.signed_ids, part); }), invalid);
  const auto message = signed_request();
  const auto text = message.text();
  const auto body = "<soapenv:Body wsu:Id=\"body\">" + message.body + "</soapenv:Body>";
  const auto forged = "<soapenv:Body>" + question("87654321") + "</soapenv:Body>";
  expect_fault("the signed Body elsewhere", s, replaced(replaced(text, body, forged), "<wsu:Timestamp", body + "<wsu:Timestamp"), invalid);
  expect_fault("the signed Body in a header", s,
               replaced(replaced(text, body, forged), "</soapenv:Header>", "<x:y xmlns:x=\"urn:x\">" + body + "</x:y></soapenv:Header>"),
               {"soapenv:Client", "DK0010"});
  expect_fault("a second To", s, replaced(text, "</soapenv:Header>", "<wsa:To>" + two.address(s) + "</wsa:To></soapenv:Header>"),
               {"wsa:InvalidCardinality", "DK0011"});
  expect_fault("two of an Id", s, changed([](auto& m) {
                 m.body = replaced(m.body, "<v:inschrijfnummer>",
                                   "<v:inschrijfnummer xmlns:wsu=\"" + std::string(wus::ns::wsu) + "\" wsu:Id=\"to\">");
               }),
               invalid);
  for (const auto* uri : {"URI=\"\"", "URI=\"http://127.0.0.1:1/\"", "URI=\"cid:body\"", "URI=\"#xpointer(id('body'))\""})
    expect_fault(uri, s, replaced(text, "URI=\"#body\"", uri), invalid);
  const auto transform = [](const std::string& algorithm) {
    return "<ds:Transforms><ds:Transform Algorithm=\"" + algorithm + "\"/></ds:Transforms>";
  };
  for (const auto* algorithm : {"http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/TR/1999/REC-xslt-19991116"})
    expect_fault(algorithm, s, changed([&](auto& m) { m.transforms = transform(algorithm); }), invalid);
  expect_fault("no Transforms", s, changed([](auto& m) { m.transforms.clear(); }), invalid);
  expect_fault("65 references", s, changed([](auto& m) { m.signed_ids.insert(m.signed_ids.end(), 60, "body"); }), invalid);

  const Expected unsupported{"wsse:UnsupportedAlgorithm", "An unsupported signature or encryption algorithm was used."};
  const std::string method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
  for (const auto* other : {"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"})
    expect_fault(other, s, replaced(text, method, other), unsupported);
  expect_fault("a SHA-1 digest", s, replaced(text, "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1"),
               unsupported);

  const Expected failed{"wsse:FailedCheck", "The signature or decryption was invalid."};
  expect_fault("tampered Body", s, replaced(text, "12345678", "12345679"), failed);
  expect_fault("tampered header", s, replaced(text, "<wsa:Action wsu:Id=\"action\">", "<wsa:Action wsu:Id=\"action\"> "), failed);
  const auto expires = message.time.find("<wsu:Expires>") + 13;
  expect_fault("tampered Timestamp", s, replaced(text, message.time, std::string(message.time).replace(expires, 4, "2199")), failed);
}

// WUS-108, WUS-109
TEST_F(WusBadInput, OfTokens) {
  const Expected unavailable{"wsse:SecurityTokenUnavailable", "Referenced security token could not be retrieved."};
  const auto& own = two.consumer.identity().certificate;
  const auto with_key_info = [&](const std::string& inside) {
    return changed([&](auto& m) { m.key_info = "<wsse:SecurityTokenReference>" + inside + "</wsse:SecurityTokenReference>"; });
  };
  expect_fault("by SKI", s,
               with_key_info("<wsse:KeyIdentifier ValueType=\"" + std::string(wus::uri::x509_ski) + "\">" + to_base64(own->subject_key_id) +
                             "</wsse:KeyIdentifier>"),
               unavailable);
  expect_fault("by issuer and serial", s,
               with_key_info("<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName><ds:X509SerialNumber>1"
                             "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"),
               unavailable);

  const Expected refused_token{"wsse:FailedAuthentication", "The security token could not be authenticated or authorized."};
  // Expired, another root, no OIN. A revoked one: tests/unit/wus/vectors_test.cpp, for a node knows it when the list is fetched anew.
  std::vector<security::NegativeCase> bad;
  two.pki.with([&](test::Pki& shared) {
    for (auto& one : shared.authority().negative(SystemClock().now()).value())
      if (one.id == "N01" || one.id == "N06" || one.id == "N07") bad.push_back(std::move(one));
  });
  ASSERT_EQ(bad.size(), 3U);
  for (auto& one : bad) {
    const auto pair = security::KeyPair::make(std::move(one.key), one.chain.front(), {one.chain.begin() + 1, one.chain.end()}).value();
    expect_fault(one.id + " " + one.description, s, changed([&](auto& m) {
                   m.signer = pair;
                   m.token = wus::test::binary_token(one.chain.front()->der);
                 }),
                 refused_token);
  }
}

// WUS-101..103
TEST_F(WusBadInput, OfTime) {
  const auto at = [](std::chrono::seconds shift) { return to_rfc3339(SystemClock().now() + std::chrono::duration_cast<Duration>(shift)); };
  const auto with_time = [&](const std::string& time) { return changed([&](auto& m) { m.time = time; }); };
  const Expected expired{"wsu:MessageExpired", "The message has expired."};
  expect_fault("too old", s, with_time(wus::test::timestamp(at(-400s))), expired);
  expect_fault("from the future", s, with_time(wus::test::timestamp(at(400s))), expired);
  expect_fault("Expires passed", s, with_time(wus::test::timestamp(at(-200s), at(-100s))), expired);
  const Expected invalid{"wsse:InvalidSecurity", "An error was discovered processing"};
  const auto now = at(0s);
  expect_fault("without zone", s, with_time(wus::test::timestamp(now.substr(0, now.size() - 1))), invalid);
  expect_fault("another zone", s, with_time(wus::test::timestamp(now.substr(0, now.size() - 1) + "+01:00")), invalid);
  expect_fault("two Timestamps", s,
               with_time(wus::test::timestamp(now) + replaced(wus::test::timestamp(now), "wsu:Id=\"ts\"", "wsu:Id=\"ts2\"")), invalid);
  expect_fault("Expires before Created", s, with_time(wus::test::timestamp(now, at(-1s))), invalid);
}

// WUS-140..150, WUS-172..174
TEST_F(WusBadInput, OfEncryption) {
  const Expected failed{"wsse:FailedCheck", "The signature or decryption was invalid."};
  const auto message = signed_request(se);
  const auto good = encrypted(message);
  const auto value = good.rfind("<xenc:CipherValue>") + 18 + 40;
  expect_fault("tampered ciphertext", se, std::string(good).replace(value, 1, good[value] == 'A' ? "B" : "A"), failed);
  expect_fault("a DTD inside", se, encrypted(message, "<!DOCTYPE x>" + message.body), failed);
  expect_fault("two roots inside", se, encrypted(message, message.body + message.body), failed);
  // A name declared above and rendered on each element below: little text, a large canonical form.
  expect_fault("an expansion by namespaces", se,
               encrypted(message, "<a xmlns=\"urn:a\" xmlns:p=\"urn:" + std::string(2000, 'x') + "\">" +
                                      repeated("<p:b p:Id=\"\"/>", 2500) + "</a>"),
               failed);
  expect_fault("for somebody else", se,
               replaced(message.text(), message.body, wus::test::encrypted_data(message.body, two.consumer.identity().certificate)),
               {"wsse:SecurityTokenUnavailable", "Referenced security token could not be retrieved."});
  const Expected unsupported{"wsse:UnsupportedAlgorithm", "An unsupported signature or encryption algorithm was used."};
  for (const auto* cipher : {"http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
                             "http://www.w3.org/2009/xmlenc11#aes192-gcm"})
    expect_fault(cipher, se, replaced(good, "http://www.w3.org/2009/xmlenc11#aes256-gcm", cipher), unsupported);
  const auto transport = good.find("<xenc:EncryptionMethod", good.find("<xenc:EncryptedKey"));
  const auto transport_end = good.find("</xenc:EncryptionMethod>", transport) + 24;
  expect_fault("rsa-1_5", se,
               std::string(good).replace(transport, transport_end - transport,
                                         "<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-1_5\"/>"),
               unsupported);
  const auto key_begin = good.find("<xenc:EncryptedKey"), key_end = good.find("</xenc:EncryptedKey>") + 20;
  const auto key = good.substr(key_begin, key_end - key_begin);
  expect_fault("9 EncryptedKeys", se, std::string(good).replace(key_begin, key_end - key_begin, repeated(key, 9)),
               {"wsse:InvalidSecurity", "An error was discovered processing"});
}

// WUS-200, WUS-201, WUS-243, WUS-246
TEST_F(WusBadInput, OfWhoAndWhat) {
  const auto once = signed_request().text();
  ASSERT_EQ(send(s, once, usual).status, 200U);
  const auto replays = [&] {
    const auto text = two.provider.ops().get("/metrics").body;
    const auto found = text.find("schakel_wus_replay_total{service=\"" + std::string(s) + "\",");
    return found == std::string::npos ? std::string("0") : text.substr(found, text.find('\n', found) - found);
  };
  const auto before = replays();
  expect_fault("an exact replay", s, once, {"wsse:InvalidSecurity", "An error was discovered processing"});
  EXPECT_NE(replays(), before);

  const Expected unauthorised{"soapenv:Client", "DK0002"};
  expect_fault("From of somebody else", s, changed([](auto& m) {
                 m.headers += "<wsa:From wsu:Id=\"from\"><wsa:Address>https://x.example/?OIN=00000099000000770000</wsa:Address></wsa:From>";
                 m.signed_ids.emplace_back("from");
               }),
               unauthorised);
  // A signer who may not: another organisation's certificate over the consumer's connection.
  const auto stranger = two.pki.with([](test::Pki& shared) { return shared.tls("00000099000000770000", "Iemand anders"); });
  expect_fault("a signer without a right", s, changed([&](auto& m) {
                 m.signer = stranger.key_pair;
                 m.token = wus::test::binary_token(stranger.certificate->der);
               }),
               unauthorised);

  const auto payload_fault = [&](const char* row, const std::string& body, const std::string& place) {
    expect_fault(row, s, changed([&](auto& m) { m.body = body; }), {"soapenv:Client", "DK0004"});
    const auto answered = send(s, changed([&](auto& m) { m.body = body; }), usual);
    EXPECT_THAT(answered.body, HasSubstr(place)) << row;
    EXPECT_THAT(answered.body, Not(HasSubstr("7654321"))) << "never the value";
  };
  payload_fault("seven digits", question("7654321"), "inschrijfnummer");
  payload_fault(
      "nil where it may not be",
      "<v:vraagInschrijving xmlns:v=\"" + std::string(wus_types) +
          "\"><v:inschrijfnummer xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/></v:vraagInschrijving>",
      "inschrijfnummer");
}

// SEC-051: what only we say is taken off a partner's request.
TEST_F(WusBadInput, OfHeadersThatOnlyWeGive) {
  const auto answered = send(be, plain(), std::string(usual) + "Schakel-Sender-Oin: 00000099000000770000\r\nSchakel-Profile: 2W-be-SE\r\n");
  EXPECT_EQ(answered.status, 200U) << answered.body;
  const auto asked = two.backend.last();
  EXPECT_EQ(asked.header("Schakel-Sender-Oin"), two.consumer.options().oin);
  EXPECT_EQ(asked.header("Schakel-Profile"), "2W-be");
  EXPECT_THAT(asked.head, Not(HasSubstr("00000099000000770000")));
  EXPECT_TRUE(becomes(
      [&] {
        return two.provider.admin().get("/api/v1/audit-events?limit=100").body.find("SEC.HTTP.HEADER_VERWIJDERD") != std::string::npos;
      },
      10s));
}

}  // namespace
}  // namespace schakel::integration
