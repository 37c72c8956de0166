#include "wus/xop_writing.hpp"

#include "unit/wus/parties.hpp"
#include "xml/document.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::wus {
namespace {

using namespace testing;

// A package taken apart by what its own Content-Type says; everything else is compared octet for octet.
struct Parts {
  std::string boundary, root_id;
  std::vector<std::string> pieces;  // heads and contents, without delimiters

  explicit Parts(const MadeMessage& message) {
    const auto value = [&](const std::string& before, const std::string& after) {
      const auto begin = message.content_type.find(before) + before.size();
      return message.content_type.substr(begin, message.content_type.find(after, begin) - begin);
    };
    boundary = value("boundary=\"", "\"");
    root_id = value("start=\"<", ">\"");
    std::string rest = "\r\n" + message.entity;
    const auto delimiter = "\r\n--" + boundary;
    if (!rest.starts_with(delimiter)) return;
    for (std::size_t at_piece = delimiter.size(); at_piece < rest.size();) {
      const auto end = rest.find(delimiter, at_piece);
      if (end == std::string::npos) {
        EXPECT_EQ(rest.substr(at_piece), "--\r\n");
        return;
      }
      EXPECT_EQ(rest.substr(at_piece, 2), "\r\n");
      pieces.push_back(rest.substr(at_piece + 2, end - at_piece - 2));
      at_piece = end + delimiter.size();
    }
  }
  std::string content(std::size_t i) const { return pieces.at(i).substr(pieces.at(i).find("\r\n\r\n") + 4); }
  std::string head(std::size_t i) const { return pieces.at(i).substr(0, pieces.at(i).find("\r\n\r\n") + 2); }
  std::string id(std::size_t i) const {
    const auto text = head(i);
    const auto begin = text.find("Content-ID: <") + 13;
    return text.substr(begin, text.find('>', begin) - begin);
  }
  // The root with every Include replaced by the base64 of its part.
  std::string expanded() const {
    std::string out = content(0);
    for (std::size_t i = 1; i < pieces.size(); ++i) {
      const auto include = xop_include({id(i), {}});
      const auto found = out.find(include);
      EXPECT_NE(found, std::string::npos);
      out.replace(found, include.size(), to_base64(content(i)));
    }
    EXPECT_EQ(out.find("xop:Include"), std::string::npos);
    return out;
  }
};

Bytes some_octets(std::size_t size) {
  Bytes out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31);
  return out;
}

Settings optimising(Profile profile) {
  Settings settings = settings_of(profile);
  settings.mtom = Mtom::optional;
  return settings;
}

MessageToMake attaching(std::string_view base64) {
  auto make = request(notification(base64));
  make.mtom = true;
  make.binary_elements = {attachment_position};
  return make;
}

bool digests_hold(const std::string& envelope) {
  const auto document = xml::Document::parse(envelope, {.bytes_max = 64 * limits::MiB}).value();
  const auto header = document.root().first_child();
  const auto security = header.child(ns::wsse, "Security");
  const auto signature = xmlsecurity::read_signature(security.child(xmlsecurity::uri::ds, "Signature"), {.references_max = 64}).value();
  const auto body = header.next_sibling();
  const auto& reference = signature.references.back();
  return reference.uri == "#" + *body.attribute(ns::wsu, "Id") &&
         xmlsecurity::canonical_digest(xmlsecurity::DigestMethod::sha256, body, {}).value() == reference.digest_value &&
         xmlsecurity::verify_value(signature, consumer()->certificate());
}

TEST(XopWriting, IsTheWireFormOctetForOctet) {  // WUS-180, WUS-182, 3.6
  CountingRandom random;
  auto make = attaching(to_base64(some_octets(1024)));
  const auto message = make_message(make, optimising(Profile::be), at, random).value();
  const std::string boundary = "uuid-00010203-0405-4607-8809-0a0b0c0d0e0f", root = "10111213-1415-4617-9819-1a1b1c1d1e1f@schakel",
                    part = "20212223-2425-4627-a829-2a2b2c2d2e2f@schakel";
  EXPECT_EQ(message.content_type, "multipart/related; boundary=\"" + boundary + "\"; type=\"application/xop+xml\"; start=\"<" + root +
                                      ">\"; start-info=\"text/xml\"");
  const auto plain = make_message(request(notification("@")), settings_of(Profile::be), at, random).value().entity;
  const auto at_text = plain.find('@', plain.find("<bijlage>"));
  EXPECT_EQ(message.entity,
            "--" + boundary +
                "\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-Transfer-Encoding: binary\r\n"
                "Content-ID: <" +
                root + ">\r\n\r\n" + plain.substr(0, at_text) +
                "<xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:" + part + "\"/>" + plain.substr(at_text + 1) +
                "\r\n--" + boundary + "\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <" +
                part + ">\r\n\r\n" + some_octets(1024) + "\r\n--" + boundary + "--\r\n");
}

TEST(XopWriting, TakesWhatIsAsLargeAsTheThreshold) {  // WUS-184
  const auto settings = optimising(Profile::be_s);
  EXPECT_EQ(Parts(sealed(settings, attaching(to_base64(some_octets(1023))))).pieces.size(), 1U);
  EXPECT_EQ(Parts(sealed(settings, attaching(to_base64(some_octets(1024))))).pieces.size(), 2U);
}

TEST(XopWriting, AMessageWithoutPartsIsStillAPackage) {  // WUS-181
  const auto message = sealed(optimising(Profile::be_s), [] {
    auto make = request();
    make.mtom = true;
    return make;
  }());
  const Parts parts(message);
  ASSERT_EQ(parts.pieces.size(), 1U);
  EXPECT_EQ(parts.id(0), parts.root_id);
  EXPECT_TRUE(digests_hold(parts.content(0)));
}

TEST(XopWriting, SignaturesAreOverTheInlineText) {  // WUS-183, WUS-184
  for (const std::size_t size : {std::size_t{1024}, std::size_t{1} << 20, std::size_t{19} << 20}) {
    const auto message = sealed(optimising(Profile::be_s), attaching(to_base64(some_octets(size))));
    const Parts parts(message);
    ASSERT_EQ(parts.pieces.size(), 2U);
    EXPECT_EQ(parts.content(1), some_octets(size));
    EXPECT_LT(parts.content(0).size(), 10'000U);
    EXPECT_TRUE(digests_hold(parts.expanded())) << size;
  }
}

TEST(XopWriting, AnotherSpellingOfBase64BecomesTheCanonicalOne) {  // WUS-183, WUS-184
  std::string folded = "\n  ";
  const auto text = to_base64(some_octets(5000));
  for (std::size_t i = 0; i < text.size(); i += 76) folded += text.substr(i, 76) + "\n  ";
  const auto message = sealed(optimising(Profile::be_s), attaching(folded));
  const Parts parts(message);
  ASSERT_EQ(parts.pieces.size(), 2U);
  EXPECT_TRUE(digests_hold(parts.expanded()));
  // Inline, the text is nobody's to change.
  auto make = attaching(folded);
  make.mtom = false;
  const auto plain = sealed(settings_of(Profile::be_s), make);
  EXPECT_NE(plain.entity.find(folded), std::string::npos);
  EXPECT_TRUE(digests_hold(plain.entity));
}

TEST(XopWriting, SeveralPartsKeepTheirPlaces) {  // WUS-182
  auto make = request("<v xmlns=\"urn:v\"><a>" + to_base64(some_octets(2000)) + "</a><b>" + to_base64(some_octets(3000)) + "</b><c>" +
                      to_base64(some_octets(10)) + "</c><d>" + to_base64(some_octets(4000)) + "</d></v>");
  make.mtom = true;
  make.binary_elements = {1, 2, 3, 4};
  const Parts parts(sealed(optimising(Profile::be_s), make));
  ASSERT_EQ(parts.pieces.size(), 4U);
  EXPECT_EQ(parts.content(1).size(), 2000U);
  EXPECT_EQ(parts.content(2).size(), 3000U);
  EXPECT_EQ(parts.content(3).size(), 4000U);
  EXPECT_TRUE(digests_hold(parts.expanded()));
}

TEST(XopWriting, MorePartsThanReceiversTakeStayInline) {  // WUS-027
  std::string body = "<v xmlns=\"urn:v\">";
  auto make = request();
  for (std::size_t i = 1; i <= 70; ++i) {
    body += "<a>" + to_base64(some_octets(1024 + i)) + "</a>";
    make.binary_elements.push_back(i);
  }
  make.body = body + "</v>";
  make.mtom = true;
  const Parts parts(sealed(optimising(Profile::be_s), make));
  EXPECT_EQ(parts.pieces.size(), 64U);
  EXPECT_TRUE(digests_hold(parts.expanded()));
}

TEST(XopWriting, WhatIsNotPlainBase64StaysInline) {  // WUS-184
  const auto base64 = to_base64(some_octets(3000));
  for (const auto& text :
       {"<!-- c -->" + base64, "<![CDATA[" + base64 + "]]>", base64 + "&#10;", base64 + "!", base64.substr(1), std::string()}) {
    const Parts parts(sealed(optimising(Profile::be_s), attaching(text)));
    EXPECT_EQ(parts.pieces.size(), 1U) << text.substr(0, 20);
    EXPECT_TRUE(digests_hold(parts.content(0)));
  }
  auto make = attaching(base64);
  make.binary_elements.clear();
  EXPECT_EQ(Parts(sealed(optimising(Profile::be_s), make)).pieces.size(), 1U);
}

TEST(XopWriting, TheMediaTypeComesFromThePayloadWhenItIsOne) {  // 3.6
  const auto type_of = [](const std::string& attribute) {
    auto body = notification(to_base64(some_octets(2000)));
    body.replace(body.find("<bijlage"), 8, "<bijlage xmlns:m=\"" + std::string(ns::xmime) + "\" m:contentType=\"" + attribute + "\"");
    auto make = request(body);
    make.mtom = true;
    make.binary_elements = {attachment_position};
    const auto head = Parts(sealed(optimising(Profile::be_s), make)).head(1);
    return head.substr(0, head.find("\r\n"));
  };
  EXPECT_EQ(type_of("application/pdf"), "Content-Type: application/pdf");
  EXPECT_EQ(type_of("text/plain; charset=utf-8"), "Content-Type: text/plain; charset=utf-8");
  for (const auto* odd : {"", "nonsense", "text/plain&#13;&#10;X: y", "text/plain&#10; x=y", "text/é"})
    EXPECT_EQ(type_of(odd), "Content-Type: application/octet-stream") << odd;
}

TEST(XopWriting, OfAnEncryptedMessageOnlyTheCipherValueLeaves) {  // WUS-184
  const auto settings = optimising(Profile::be_se);
  const Parts parts(sealed(settings, attaching(to_base64(some_octets(5000)))));
  ASSERT_EQ(parts.pieces.size(), 2U);
  const auto body = notification(to_base64(some_octets(5000)));
  EXPECT_EQ(parts.content(1).size(), 12 + body.size() + 16);
  EXPECT_NE(parts.content(0).find("<xenc:CipherValue>" + xop_include({parts.id(1), {}}) +
                                  "</xenc:CipherValue></xenc:CipherData>"
                                  "</xenc:EncryptedData></soapenv:Body>"),
            std::string::npos);
  EXPECT_EQ(Parts(sealed(settings, attaching(""))).pieces.size(), 1U) << "below the threshold";
}

}  // namespace
}  // namespace schakel::wus
