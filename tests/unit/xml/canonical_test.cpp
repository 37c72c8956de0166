#include "xml/canonical.hpp"

#include <gtest/gtest.h>
#include <libxml/tree.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "support/jdk.hpp"
#include "support/libxml2_canonical.hpp"
#include "unit/xml/trees.hpp"

namespace schakel::xml {
namespace {

Document parsed(std::string_view text) {
  return Document::parse(text, {}).value();
}

Bytes form_of(Element element, Canonical form, std::vector<std::string> prefixes = {}) {
  return canonicalise(element, {.form = form, .inclusive_prefixes = prefixes}).value();
}

class Text final : public Sink {
 public:
  void write(BytesView octets) override { text += octets; }
  std::string text;
};

std::string whole(const Document& document, CanonicalOptions options = {}) {
  Text out;
  canonicalise(document, options, out).value();
  return out.text;
}

// --- trees that nobody would write ------------------------------------------------------------------------------------------------------

constexpr int trees_compared = 10'000;
constexpr unsigned seed = 20260302;

std::vector<Element> elements_of(Element top) {
  std::vector<Element> out;
  for (Element at = top; at; at = at.next_in(top)) out.push_back(at);
  return out;
}

// What acceptance row 15 of wus.md names: how often the trees have it. A generator that stopped making one of them would prove nothing.
struct Seen {
  int undeclared_defaults = 0, listed_defaults = 0, orders_by_uri = 0, carriage_returns = 0, comments = 0, cdata_sections = 0;

  void add(const std::string& text, const std::vector<Element>& elements, const std::vector<std::string>& prefixes,
           const std::string& canonical) {
    undeclared_defaults += contains(canonical, " xmlns=\"\"");
    listed_defaults += std::ranges::find(prefixes, "") != prefixes.end();
    orders_by_uri += std::ranges::any_of(elements, has_order_by_uri);
    carriage_returns += contains(canonical, "&#xD;");
    comments += contains(text, "<!--");
    cdata_sections += contains(text, "<![CDATA[");
  }
  int least() const { return std::min({undeclared_defaults, listed_defaults, orders_by_uri, carriage_returns, comments, cdata_sections}); }

 private:
  static bool contains(const std::string& text, std::string_view what) { return text.find(what) != std::string::npos; }
  // Two attributes whose namespaces are in another order than their prefixes.
  static bool has_order_by_uri(Element element) {
    for (const xmlAttr* one = element.node()->properties; one != nullptr; one = one->next)
      for (const xmlAttr* other = one->next; other != nullptr; other = other->next)
        if (one->ns != nullptr && other->ns != nullptr &&
            (xmlStrcmp(one->ns->prefix, other->ns->prefix) < 0) != (xmlStrcmp(one->ns->href, other->ns->href) < 0) &&
            xmlStrcmp(one->ns->href, other->ns->href) != 0)
          return true;
    return false;
  }
};

// WUS-106, WUS-107, WUS-114, EB-152; wus.md acceptance 15: octet for octet what libxml2 makes, over the whole document and below one of its
// elements.
TEST(CanonicalForms, EqualThoseOfLibxml2On10000Trees) {
  Trees trees(seed);
  Seen seen;
  for (int i = 0; i < trees_compared; ++i) {
    const auto text = trees.next();
    const auto document = parsed(text);
    const auto all = elements_of(document.root());
    const Element apex = all[trees.below(all.size())];
    const auto prefixes = i % 2 == 0 ? std::vector<std::string>{} : trees.prefix_list();
    for (const auto form : {Canonical::exclusive, Canonical::inclusive}) {
      ASSERT_EQ(form_of(apex, form, prefixes), test::canonical_by_libxml2(document, apex, form, prefixes).value())
          << text << "\nat " << apex.path();
      ASSERT_EQ(whole(document, {.form = form, .inclusive_prefixes = prefixes}),
                test::canonical_by_libxml2(document, {}, form, prefixes).value())
          << text;
    }
    seen.add(text, all, prefixes, whole(document, {.inclusive_prefixes = prefixes}));
  }
  EXPECT_GT(seen.least(), trees_compared / 100) << "the trees lack what this test is about";
}

// The same rows: octet for octet what the JDK makes for XML Signature, all in one run of the JVM.
TEST(CanonicalForms, EqualThoseOfTheJdkOn10000Trees) {
  if (!test::Jdk::installed()) GTEST_SKIP() << "no JDK is installed";
  test::Jdk jdk;
  // Its canonicaliser for XML Signature, which it exports to nobody.
  const std::string exports = "--add-exports java.xml.crypto/com.sun.org.apache.xml.internal.security.c14n=ALL-UNNAMED ";
  ASSERT_TRUE(jdk.compile(SCHAKEL_SOURCE_DIR "/tests/unit/xml/Canonical.java", exports)) << jdk.said();
  Trees trees(seed + 1);
  Seen seen;
  Bytes cases;
  const auto put = [&cases](std::string_view field) {
    const auto size = field.size();
    for (int shift = 24; shift >= 0; shift -= 8) cases += static_cast<char>(size >> shift & 0xFF);
    cases += field;
  };
  for (int i = 0; i < trees_compared; ++i) {
    const auto text = trees.next();
    const auto document = parsed(text);
    const auto all = elements_of(document.root());
    const auto apex = i % 3 == 0 ? 0 : trees.below(all.size());
    const auto prefixes = i % 2 == 0 ? std::vector<std::string>{} : trees.prefix_list();
    std::string list;
    for (const auto& prefix : prefixes) list += (prefix.empty() ? "#default" : prefix) + ' ';
    const auto canonical = form_of(all[apex], Canonical::exclusive, prefixes);
    for (const std::string_view field :
         {std::string_view(text), std::string_view(std::to_string(apex)), std::string_view(list), BytesView(canonical)})
      put(field);
    seen.add(text, all, prefixes, canonical);
  }
  EXPECT_GT(seen.least(), trees_compared / 100) << "the trees lack what this test is about";
  EXPECT_EQ(jdk.run(exports + "Canonical " + jdk.file("cases", cases)), std::to_string(trees_compared) + " equal") << jdk.said();
  cases.back() = cases.back() == '>' ? '<' : '>';
  EXPECT_NE(jdk.run(exports + "Canonical " + jdk.file("cases", cases)), std::to_string(trees_compared) + " equal") << "this test can fail";
}

// --- by hand ---------------------------------------------------------------------------------------------------------------------------

TEST(CanonicalForms, ExclusiveKeepsOnlyNamespacesInUse) {
  const auto document = parsed("<a:r xmlns:a='urn:a' xmlns:b='urn:b'><a:c y='2' x=\"1\"><!-- out --><b:d></b:d>&gt;\r\n</a:c></a:r>");
  EXPECT_EQ(form_of(document.root().first_child(), Canonical::exclusive),
            "<a:c xmlns:a=\"urn:a\" x=\"1\" y=\"2\"><b:d xmlns:b=\"urn:b\"></b:d>&gt;\n</a:c>");
}

TEST(CanonicalForms, OrderAttributesByNamespaceAndNotByPrefix) {
  const auto document = parsed("<r xmlns:a='urn:z' xmlns:b='urn:a' a:x='1' b:x='2' c='3'/>");
  EXPECT_EQ(form_of(document.root(), Canonical::exclusive), "<r xmlns:a=\"urn:z\" xmlns:b=\"urn:a\" c=\"3\" b:x=\"2\" a:x=\"1\"></r>");
}

TEST(CanonicalForms, InclusiveCarriesTheNamespacesAndXmlAttributesOfAncestors) {
  const auto document =
      parsed("<a:r xmlns:a='urn:a' xmlns:b='urn:b' xml:lang='nl' xml:space='preserve'><m xml:lang='en'><c xml:space='default'/></m></a:r>");
  EXPECT_EQ(form_of(document.root().first_child().first_child(), Canonical::inclusive),
            "<c xmlns:a=\"urn:a\" xmlns:b=\"urn:b\" xml:lang=\"en\" xml:space=\"default\"></c>");
}

TEST(CanonicalForms, OfAnElementLeaveOutWhatStandsBesideIt) {
  const auto document = parsed("<?x y?><!-- c --><r><a/>t</r><!-- d --><?z?>");
  EXPECT_EQ(form_of(document.root(), Canonical::exclusive), "<r><a></a>t</r>");
  EXPECT_EQ(whole(document), "<?x y?>\n<r><a></a>t</r>\n<?z?>");
}

TEST(CanonicalForms, UndeclareTheDefaultNamespaceOnlyWhereOneWasWritten) {
  const auto document = parsed("<r xmlns='urn:a'><b xmlns=''><c/></b></r>");
  EXPECT_EQ(whole(document), "<r xmlns=\"urn:a\"><b xmlns=\"\"><c></c></b></r>");
  for (const auto form : {Canonical::exclusive, Canonical::inclusive})
    EXPECT_EQ(form_of(document.root().first_child(), form), "<b><c></c></b>");
}

TEST(CanonicalForms, TreatListedPrefixesAsTheInclusiveFormDoes) {  // WUS-106, WUS-107
  const auto document = parsed("<r xmlns='urn:d' xmlns:a='urn:a' xmlns:b='urn:b'><b:c a='1'><b:e xmlns:a='urn:a2'/></b:c></r>");
  EXPECT_EQ(form_of(document.root().first_child(), Canonical::exclusive, {"a", ""}),
            "<b:c xmlns=\"urn:d\" xmlns:a=\"urn:a\" xmlns:b=\"urn:b\" a=\"1\"><b:e xmlns:a=\"urn:a2\"></b:e></b:c>");
}

TEST(CanonicalForms, LeaveOutOmittedElementsWithAllBelow) {
  const auto document = parsed("<r><a><b/></a>t<a/></r>");
  const std::vector<Element> omitted{document.root().first_child()};
  EXPECT_EQ(whole(document, {.omitted = omitted}), "<r>t<a></a></r>");
  EXPECT_EQ(canonicalise(document.root().first_child(), {.omitted = omitted}).value(), "");
}

TEST(CanonicalForms, FillElementsThatStandEmptyForATextThatWasLeftOut) {  // WUS-186
  const auto document = parsed("<r><a b='1'/><a/><c/></r>");
  const Element first = document.root().first_child();
  const std::string text(10'000, 'x');  // longer than what is gathered at once
  const std::vector<Filling> filled{{first.next_sibling(), text}, {first.next_sibling().next_sibling(), "y"}};
  const auto whole_document = parsed("<r><a b='1'/><a>" + text + "</a><c>y</c></r>");
  for (const auto form : {Canonical::exclusive, Canonical::inclusive})
    EXPECT_EQ(canonicalise(document.root(), {.form = form, .filled = filled}).value(), form_of(whole_document.root(), form));
  EXPECT_EQ(canonicalise(first, {.filled = filled}).value(), "<a b=\"1\"></a>");
}

TEST(CanonicalForms, OfAPieceCountWhatIsInScopeWhereItWillStand) {
  const auto document = parsed("<a:r xmlns:a='urn:a' xmlns='urn:d' xml:lang='nl'><a:parent xmlns:b='urn:b'/></a:r>");
  const auto piece = parsed("<a:s xmlns:a='urn:s'><a:i/></a:s>");
  const auto inserted = parsed(
      "<a:r xmlns:a='urn:a' xmlns='urn:d' xml:lang='nl'><a:parent xmlns:b='urn:b'><a:s xmlns:a='urn:s'><a:i/></a:s></a:parent></a:r>");
  for (const auto form : {Canonical::exclusive, Canonical::inclusive}) {
    const auto expected = form_of(inserted.root().first_child().first_child().first_child(), form);
    EXPECT_EQ(canonicalise(piece.root().first_child(), {.form = form, .context = document.root().first_child()}).value(), expected);
  }
}

TEST(CanonicalForms, RefuseRelativeNamespaceUris) {
  for (const std::string uri : {"relative/uri", "//host/path", "#part", "a/b:c", "?x"}) {
    const auto document = parsed("<r><p xmlns:a='" + uri + "'><a:c/></p></r>");
    for (const auto form : {Canonical::exclusive, Canonical::inclusive}) {
      EXPECT_EQ(canonicalise(document.root(), {.form = form}).error().code, "xml.canonical") << uri;
      EXPECT_EQ(canonicalise(document.root().first_child().first_child(), {.form = form}).error().code, "xml.canonical") << uri;
    }
  }
}

// As of attribute values (Canonical XML 1.0, 2.3); libxml2 writes such a URI as it is, so the comparison above goes without.
TEST(CanonicalForms, EscapeNamespaceUris) {
  EXPECT_EQ(whole(parsed("<r xmlns='http://example.nl/?a=1&amp;b=2'/>")), "<r xmlns=\"http://example.nl/?a=1&amp;b=2\"></r>");
}

TEST(CanonicalForms, AreTheSameInHoweverManyPieces) {
  std::string text(10'000, 'x');
  for (std::size_t at = 7; at < text.size(); at += 13) text.replace(at, 1, "\r");
  const auto document = parsed("<r>" + escaped(text) + "<b/>" + std::string(5'000, 'y') + "</r>");
  EXPECT_EQ(form_of(document.root(), Canonical::exclusive),
            test::canonical_by_libxml2(document, document.root(), Canonical::exclusive, {}).value());
}

// --- ebms.md 2.5 -----------------------------------------------------------------------------------------------------------------------

constexpr std::string_view before_signature =
    R"(<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" xmlns:xlink="http://www.w3.org/1999/xlink"><soap:Header><eb:MessageHeader eb:version="2.0" soap:mustUnderstand="1"><eb:From><eb:PartyId eb:type="urn:osb:oin">00000001999999990000</eb:PartyId><eb:Role>Melder</eb:Role></eb:From><eb:To><eb:PartyId eb:type="urn:osb:oin">00000001888888880000</eb:PartyId><eb:Role>Ontvanger</eb:Role></eb:To><eb:CPAId>voorbeeld_melding_1</eb:CPAId><eb:ConversationId>conv-0001</eb:ConversationId><eb:Service eb:type="urn:osb:services">voorbeeld:Melding:1:0</eb:Service><eb:Action>indienenMelding</eb:Action><eb:MessageData><eb:MessageId>5f0c2c1e-7a54-4c0b-9d3b-0b8f6a1d0001@ebms.melder.example</eb:MessageId><eb:Timestamp>2026-01-15T10:00:00Z</eb:Timestamp><eb:TimeToLive>2026-01-20T10:00:00Z</eb:TimeToLive></eb:MessageData><eb:DuplicateElimination/></eb:MessageHeader><eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="http://schemas.xmlsoap.org/soap/actor/next"/><eb:AckRequested eb:version="2.0" soap:mustUnderstand="1" soap:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH" eb:signed="true"/>)";
constexpr std::string_view after_signature =
    R"(</soap:Header><soap:Body><eb:Manifest eb:version="2.0"><eb:Reference xlink:type="simple" xlink:href="cid:p1-0001@ebms.melder.example"/></eb:Manifest></soap:Body></soap:Envelope>)";
constexpr std::string_view ds = "http://www.w3.org/2000/09/xmldsig#";

// EB-151, EB-152: the envelope without its signature and without what goes to the next MSH only.
TEST(CanonicalForms, GiveTheDigestsOfTheEnvelopeThatTheStandardsPagePrints) {
  const auto document = parsed(std::string(before_signature) + "<ds:Signature xmlns:ds=\"" + std::string(ds) +
                               "\"><ds:SignedInfo/></ds:Signature>" + std::string(after_signature));
  const Element header = document.root().first_child();
  const std::vector<Element> omitted{header.child(ds, "Signature"), header.children()[1]};
  const auto exclusive = whole(document, {.omitted = omitted});
  EXPECT_EQ(exclusive.size(), 1488U);
  EXPECT_EQ(to_base64(sha256(exclusive)), "cdYNnUfSFpfkiV1wdbIcbqXmoPzVqn2XsYfO/9mZYTM=");
  const auto inclusive = whole(document, {.form = Canonical::inclusive, .omitted = omitted});
  EXPECT_EQ(inclusive.size(), 1320U);
  EXPECT_EQ(to_base64(sha256(inclusive)), "AMWT3iCAou7RRfPbbKoHykatzQaj9UEuOvzOMcFQWK8=");
}

}  // namespace
}  // namespace schakel::xml
