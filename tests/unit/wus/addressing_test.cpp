// WS-Addressing headers (wus.md 1.4, 3.2), every combination per header (acceptance 8), and OIN in addresses.
#include "wus/addressing.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "unit/wus/partners.hpp"
#include "wus/names.hpp"

namespace schakel::wus {
namespace {

const std::string address = "https://wus.aanbieder.example/diensten/inschrijving/v1";
const std::string anonymous(uri::anonymous), none(uri::none);

std::string element(const std::string& name, const std::string& inside) {
  return "<wsa:" + name + ">" + inside + "</wsa:" + name + ">";
}
std::string reference(const std::string& name, const std::string& to) {
  return element(name, element("Address", to));
}

// The headers of a message, by name; the test changes them.
struct Headers {
  std::string to = element("To", address), action = element("Action", "urn:example:vraag"), message_id = element("MessageID", "urn:uuid:1");
  std::string relates_to, from, reply_to, fault_to;

  std::string all() const { return to + action + message_id + relates_to + from + reply_to + fault_to; }
};
Headers answer() {
  Headers out;
  out.relates_to = element("RelatesTo", "urn:uuid:0");
  return out;
}

Result<Addressing> read(const std::string& headers, Kind kind = Kind::request, const Settings& settings = {}) {
  const auto document = xml::Document::parse("<h xmlns:wsa=\"" + std::string(ns::wsa) + "\">" + headers + "</h>", {}).value();
  return read_addressing(document.root().children(), kind, settings);
}
std::string told(const std::string& headers, Kind kind = Kind::request, const Settings& settings = {}) {
  const auto result = read(headers, kind, settings);
  return result ? "accepted" : test::told(result.error());
}
std::string with(std::string Headers::*header, const std::string& text, const Settings& settings = {}) {
  Headers headers;
  headers.*header = text;
  return told(headers.all(), Kind::request, settings);
}
std::string answered(std::string Headers::*header, const std::string& text) {
  auto headers = answer();
  headers.*header = text;
  return told(headers.all(), Kind::response);
}

// WUS-070, WUS-072
TEST(Addressing, ValuesAreCollapsed) {
  Headers headers;
  headers.to = "<wsa:To a='b'>\n  " + address + "?OIN=00000001800000002000 \n</wsa:To>";
  headers.from = "<wsa:From>\n<wsa:Address> urn:x:y </wsa:Address>\n</wsa:From>";
  const auto read_headers = read(headers.all());
  ASSERT_TRUE(read_headers);
  EXPECT_EQ(read_headers->to, address + "?OIN=00000001800000002000");
  EXPECT_EQ(read_headers->from, "urn:x:y");
  EXPECT_EQ(read_headers->reply_to, "");
}

struct Mandatory {
  std::string Headers::*header;
  const char* name;
  const char* missing;
  const char* invalid;
};
const Mandatory mandatory[] = {
    {&Headers::to, "To", "wsa:MessageAddressingHeaderRequired DK0005", "wsa:InvalidAddress DK0005"},
    {&Headers::action, "Action", "wsa:MessageAddressingHeaderRequired DK0006", "wsa:InvalidAddressingHeader DK0006"},
    {&Headers::message_id, "MessageID", "wsa:MessageAddressingHeaderRequired DK0007", "wsa:InvalidAddressingHeader DK0007"},
};

// WUS-073, WUS-082, acceptance 8
TEST(Addressing, MandatoryHeadersPresentMissingDoubleInvalid) {
  EXPECT_EQ(told(Headers().all()), "accepted");
  for (const auto& [header, name, missing, invalid] : mandatory) {
    SCOPED_TRACE(name);
    const auto one = element(name, "urn:example:value");
    EXPECT_EQ(with(header, one), "accepted");
    EXPECT_EQ(with(header, ""), missing);
    EXPECT_EQ(with(header, one + one), "wsa:InvalidCardinality DK0011");
    for (const std::string& text :
         {std::string(), std::string(" "), std::string("urn:a b"), std::string("urn:%zz"), std::string("urn:&lt;"),
          std::string("<wsa:Address>urn:x:y</wsa:Address>"), std::string("urn:x<!-- -->:y")}) {
      EXPECT_EQ(with(header, element(name, text)), invalid) << text;
    }
  }
}

// All combinations of the states of the three: the first that is wrong in the order To, Action, MessageID says what is told; a double one
// before any other.
TEST(Addressing, TheFirstFailureIsTold) {
  enum { present, missing, twice, invalid };
  for (int state = 0; state < 64; ++state) {
    Headers headers;
    std::string expected = "accepted";
    bool any_twice = false;
    for (int i = 2; i >= 0; --i) {
      const auto& one = mandatory[i];
      const auto good = element(one.name, "urn:example:value");
      const int of_this = state >> (2 * i) & 3;
      headers.*one.header = of_this == present ? good : of_this == missing ? "" : of_this == twice ? good + good : element(one.name, "");
      if (of_this == missing) expected = one.missing;
      if (of_this == invalid) expected = one.invalid;
      any_twice |= of_this == twice;
    }
    EXPECT_EQ(told(headers.all()), any_twice ? "wsa:InvalidCardinality DK0011" : expected) << state;
  }
}

TEST(Addressing, WithoutHeadersToIsMissing) {
  EXPECT_EQ(told(""), "wsa:MessageAddressingHeaderRequired DK0005");
}

// WUS-074
TEST(Addressing, ToIsAnAbsoluteUriOrAnonymous) {
  EXPECT_EQ(with(&Headers::to, element("To", anonymous)), "accepted");
  EXPECT_EQ(with(&Headers::to, element("To", "urn:example:dienst")), "accepted");
  for (const char* text :
       {"/dienst", "dienst", "https:", "https://", "https:///pad", "http:/pad", "https://?x", ":x", "1a:b", "//host/pad"}) {
    EXPECT_EQ(with(&Headers::to, element("To", text)), "wsa:InvalidAddress DK0005") << text;
  }
  EXPECT_EQ(with(&Headers::action, element("Action", "vraag")), "wsa:InvalidAddressingHeader DK0006");
}

// WUS-083: the forms of the Best Practices are not absolute.
TEST(Addressing, MessageIdsAreAnyUriUpTo512Characters) {
  for (const char* text : {"urn:uuid:6f1c2a10-0000-4000-8000-000000000002", "6f1c2a10@https://wus.afnemer.example",
                           "mijn%20ref@6f1c2a10@https://x.example/a?b=c", "x", "caf\xC3\xA9"}) {
    EXPECT_EQ(with(&Headers::message_id, element("MessageID", text)), "accepted") << text;
  }
  std::string accents;
  for (int i = 0; i < 512; ++i) accents += "\xC3\xA9";
  EXPECT_EQ(with(&Headers::message_id, element("MessageID", accents)), "accepted");
  EXPECT_EQ(with(&Headers::message_id, element("MessageID", accents + "x")), "wsa:InvalidAddressingHeader DK0007");
}

// WUS-071
TEST(Addressing, EndpointReferencesHoldOneAddressAndNothingElse) {
  for (const auto& [header, name] : {std::pair{&Headers::from, "From"}, {&Headers::reply_to, "ReplyTo"}, {&Headers::fault_to, "FaultTo"}}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(with(header, reference(name, anonymous)), "accepted");
    EXPECT_EQ(with(header, reference(name, anonymous) + reference(name, anonymous)), "wsa:InvalidCardinality DK0011");
    EXPECT_EQ(with(header, element(name, "")), "wsa:MissingAddressInEPR DK0011");
    EXPECT_EQ(with(header, element(name, anonymous)), "wsa:MissingAddressInEPR DK0011");
    const auto one = element("Address", anonymous);
    for (const char* more : {"<wsa:ReferenceParameters/>", "<wsa:Metadata/>", "<x xmlns='urn:x'/>", "text", "<!-- -->"}) {
      EXPECT_EQ(with(header, element(name, one + more)), "wsa:InvalidEPR DK0011") << more;
    }
    EXPECT_EQ(with(header, element(name, one + one)), "wsa:InvalidEPR DK0011");
    for (const char* text : {"", "a b", "<x/>"}) EXPECT_EQ(with(header, reference(name, text)), "wsa:InvalidAddress DK0011") << text;
  }
}

// WUS-076
TEST(Addressing, FromMayBeRequired) {
  Settings settings;
  settings.require_from = true;
  EXPECT_EQ(with(&Headers::from, "", settings), "wsa:MessageAddressingHeaderRequired DK0011");
  EXPECT_EQ(with(&Headers::from, reference("From", "urn:x:y"), settings), "accepted");
  EXPECT_EQ(told(answer().all(), Kind::response, settings), "accepted");
}

// WUS-077, WUS-078, WUS-079
TEST(Addressing, AnswersGoBackOnTheConnection) {
  const std::string refused = "wsa:OnlyAnonymousAddressSupported DK0011";
  EXPECT_EQ(with(&Headers::reply_to, reference("ReplyTo", "https://elders.example/")), refused);
  EXPECT_EQ(with(&Headers::reply_to, reference("ReplyTo", none)), refused);
  EXPECT_EQ(with(&Headers::fault_to, reference("FaultTo", none)), "accepted");
  EXPECT_EQ(with(&Headers::fault_to, reference("FaultTo", "https://elders.example/")), refused);
  EXPECT_EQ(answered(&Headers::reply_to, reference("ReplyTo", none)), "accepted");
  EXPECT_EQ(answered(&Headers::reply_to, reference("ReplyTo", "https://elders.example/")), refused);
  EXPECT_EQ(answered(&Headers::from, reference("From", "https://elders.example/")), "accepted");
  Settings settings;
  settings.reply_to_passthrough = true;
  EXPECT_EQ(with(&Headers::reply_to, reference("ReplyTo", "https://elders.example/"), settings), "accepted");
  EXPECT_EQ(with(&Headers::reply_to, reference("ReplyTo", none), settings), refused);
}

// WUS-078: in a request it says nothing.
TEST(Addressing, RelatesToOfARequestIsIgnored) {
  const auto one = element("RelatesTo", "urn:x:1");
  EXPECT_EQ(with(&Headers::relates_to, one + one + element("RelatesTo", "")), "accepted");
}

// WUS-080, WUS-081, WUS-082
TEST(Addressing, AnAnswerRelatesToItsRequest) {
  EXPECT_EQ(told(answer().all(), Kind::response), "accepted");
  EXPECT_EQ(answered(&Headers::to, ""), "accepted");
  EXPECT_EQ(answered(&Headers::to, element("To", "/relatief")), "wsa:InvalidAddress DK0005");
  EXPECT_EQ(answered(&Headers::message_id, ""), "wsa:MessageAddressingHeaderRequired DK0007");
  EXPECT_EQ(answered(&Headers::relates_to, ""), "wsa:MessageAddressingHeaderRequired DK0008");
  const auto related = [](const std::string& type) {
    return "<wsa:RelatesTo RelationshipType=\"" + type + "\">urn:uuid:0</wsa:RelatesTo>";
  };
  const auto reply = related(std::string(uri::reply));
  EXPECT_EQ(answered(&Headers::relates_to, reply), "accepted");
  EXPECT_EQ(answered(&Headers::relates_to, reply + related("urn:other")), "accepted");
  EXPECT_EQ(answered(&Headers::relates_to, related("urn:other")), "wsa:MessageAddressingHeaderRequired DK0008");
  EXPECT_EQ(answered(&Headers::relates_to, reply + element("RelatesTo", "urn:uuid:0")), "wsa:InvalidCardinality DK0011");
}

TEST(Addressing, AnAnswerIsToWhatWasSent) {
  Operation operation;
  operation.output_action = "urn:example:antwoord";
  operation.faults.push_back({"fout", {}, "urn:example:fout"});
  const auto code = [&](const std::string& relates_to, std::string_view action) {
    Addressing addressing;
    addressing.action = action;
    addressing.relates_to = relates_to;
    const auto result = check_response_addressing(addressing, "urn:uuid:0", operation);
    return result ? std::string("accepted") : std::string(client_code_of(result.error()));
  };
  for (const std::string_view action :
       {std::string_view("urn:example:antwoord"), std::string_view("urn:example:fout"), uri::wsa_fault_action, uri::soap_fault_action})
    EXPECT_EQ(code("urn:uuid:0", action), "accepted") << action;
  EXPECT_EQ(code("urn:uuid:1", "urn:example:antwoord"), "WUS-C-ADDR");
  EXPECT_EQ(code("URN:UUID:0", "urn:example:antwoord"), "WUS-C-ADDR");
  EXPECT_EQ(code("urn:uuid:0", "urn:example:vraag"), "WUS-C-ADDR");
}

// WUS-023, WUS-084
TEST(SoapAction, IsEmptyOrTheAction) {
  Addressing addressing;
  addressing.action = "urn:example:vraag";
  bool unquoted = false;
  const auto accepts = [&](std::optional<std::string_view> value) { return check_soap_action(value, addressing, unquoted).has_value(); };
  EXPECT_TRUE(accepts("\"\""));
  EXPECT_TRUE(accepts("\"urn:example:vraag\""));
  EXPECT_FALSE(unquoted);
  EXPECT_TRUE(accepts("urn:example:vraag"));
  EXPECT_TRUE(unquoted);
  EXPECT_TRUE(accepts(""));
  EXPECT_FALSE(accepts(std::nullopt));
  EXPECT_FALSE(accepts("\"x\""));
  EXPECT_FALSE(accepts("\"urn:example:VRAAG\""));
  EXPECT_FALSE(accepts("\"urn:example:vraag"));
  EXPECT_FALSE(accepts("\"\"urn:example:vraag\"\""));
  EXPECT_EQ(test::told(check_soap_action("\"x\"", addressing, unquoted).error()), "wsa:ActionMismatch DK0003");
}

// WUS-075, acceptance 8: upper and lower case, first and last parameter.
TEST(OinParameter, IsTakenApartWhereverItStands) {
  const auto split = [](const std::string& query) {
    const auto parts = split_oin("https://x.example/a" + query);
    return parts.address.substr(19) + " " + parts.oin + (parts.malformed_oin ? " malformed" : "") +
           (parts.conflicting ? " conflicting" : "");
  };
  const std::string oin = "00000001800000002000";
  EXPECT_EQ(split(""), " ");
  EXPECT_EQ(split("?OIN=" + oin), " " + oin);
  EXPECT_EQ(split("?oin=" + oin), " " + oin);
  EXPECT_EQ(split("?Oin=" + oin + "&a=1"), "?a=1 " + oin);
  EXPECT_EQ(split("?a=1&OIN=" + oin), "?a=1 " + oin);
  EXPECT_EQ(split("?a=1&OIN=" + oin + "&b#c?d"), "?a=1&b#c?d " + oin);
  EXPECT_EQ(split("?OIN=" + oin + "&oin=" + oin), " " + oin);
  EXPECT_EQ(split("?OIN=" + oin + "&oin=00000001800000003000"), "  conflicting");
  EXPECT_EQ(split("?OIN=" + oin + "&oin="), "  conflicting");
  EXPECT_EQ(split("?OIN=1"), "  malformed");
  EXPECT_EQ(split("?OIN"), "  malformed");
  EXPECT_EQ(split("?OIN=0000000180000000200x"), "  malformed");
  EXPECT_EQ(split("?OINX=" + oin + "&a=OIN=" + oin), "?OINX=" + oin + "&a=OIN=" + oin + " ");
  EXPECT_EQ(split("?a=1&&b"), "?a=1&&b ");
}

TEST(OinParameter, TwoThatDifferAreRefused) {
  const std::string two = "?OIN=00000001800000002000&amp;OIN=00000001800000003000";
  EXPECT_EQ(with(&Headers::to, element("To", address + two)), "wsa:InvalidAddress DK0005");
  EXPECT_EQ(with(&Headers::from, reference("From", address + two)), "wsa:InvalidAddress DK0011");
  EXPECT_EQ(with(&Headers::to, element("To", address + "?OIN=1")), "accepted");
}

TEST(OinParameter, IsAddedOnce) {
  EXPECT_EQ(with_oin("https://x.example/a", "1"), "https://x.example/a?OIN=1");
  EXPECT_EQ(with_oin("https://x.example/a?b=c#d", "1"), "https://x.example/a?b=c&OIN=1#d");
  EXPECT_EQ(with_oin("https://x.example/a?oin=2", "1"), "https://x.example/a?OIN=1");
  EXPECT_EQ(with_oin("https://x.example/a", ""), "https://x.example/a");
}

// WUS-242
TEST(SameAddress, IgnoresCaseOfSchemeAndHostAndTheDefaultPort) {
  EXPECT_TRUE(same_address("HTTPS://X.Example/a", "https://x.example:443/a"));
  EXPECT_TRUE(same_address("http://x.example", "http://x.example:80/"));
  EXPECT_FALSE(same_address("https://x.example/a", "https://x.example/A"));
  EXPECT_FALSE(same_address("https://x.example/a", "https://x.example/a/"));
  EXPECT_FALSE(same_address("https://x.example/a", "http://x.example/a"));
  EXPECT_FALSE(same_address("https://x.example/a", "https://x.example:80/a"));
  EXPECT_FALSE(same_address("https://x.example/a", "https://x.example/a?b"));
  EXPECT_TRUE(same_address("urn:x:y", "urn:x:y"));
  EXPECT_FALSE(same_address("urn:x:y", "urn:x:Y"));
}

// WUS-083
TEST(MessageIds, AreMadeInTheirThreeForms) {
  SystemRandom random;
  const auto plain = make_message_id(MessageIdFormat::urn_uuid, random);
  EXPECT_TRUE(plain.starts_with("urn:uuid:"));
  EXPECT_TRUE(is_uuid(plain.substr(9)));
  const auto at_uri = make_message_id(MessageIdFormat::uuid_at_uri, random, "https://x.example/a b");
  EXPECT_TRUE(is_uuid(at_uri.substr(0, 36)));
  EXPECT_EQ(at_uri.substr(36), "@https://x.example/a%20b");
  const auto custom = make_message_id(MessageIdFormat::custom_uuid_at_uri, random, "https://x.example", "zaak 1/\xC3\xA9@");
  EXPECT_TRUE(custom.starts_with("zaak%201%2F%C3%A9%40@"));
  EXPECT_TRUE(custom.ends_with("@https://x.example"));
  for (const auto& id : {plain, at_uri, custom}) EXPECT_EQ(with(&Headers::message_id, element("MessageID", id)), "accepted") << id;
  EXPECT_NE(plain, make_message_id(MessageIdFormat::urn_uuid, random));
}

}  // namespace
}  // namespace schakel::wus
