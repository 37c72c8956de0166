#include "xml/canonical.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/bytes.hpp"
#include "support/libxml2_canonical.hpp"

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

class Trees {
 public:
  explicit Trees(unsigned seed) : random_(seed) {}

  std::string next() {
    bound_.assign(1, {});
    std::string out = chance(4) ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" : "";
    beside(out);
    element(out, 0);
    beside(out);
    return out;
  }
  std::vector<std::string> prefix_list() {
    std::vector<std::string> out;
    for (const auto* prefix : prefixes_)
      if (chance(2)) out.emplace_back(prefix);
    return out;
  }
  std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  template <std::size_t N>
  const char* any(const std::array<const char*, N>& of) {
    return of[below(N)];
  }

  void beside(std::string& out) {
    while (chance(3)) out += chance(2) ? "<?beside the root?>\n" : "<!-- beside -->\n";
  }

  void element(std::string& out, std::size_t depth) {
    auto scope = bound_.back();
    std::string attributes;
    for (const auto* prefix : prefixes_) {
      if (!chance(4)) continue;
      const std::string uri = *prefix == '\0' && chance(3) ? "" : any(uris_);
      attributes += *prefix == '\0' ? " xmlns=\"" + uri + '"' : " xmlns:" + std::string(prefix) + "='" + uri + '\'';
      scope[prefix] = uri;
    }
    std::set<std::pair<std::string, std::string>> names;
    const auto attribute = [&](const std::string& prefix, const std::string& name) {
      const std::string uri = prefix.empty() ? "" : prefix == "xml" ? "xml" : scope[prefix];
      if (names.emplace(uri, name).second) attributes += ' ' + (prefix.empty() ? name : prefix + ':' + name) + "=\"" + value() + '"';
    };
    for (auto count = below(5); count > 0; --count) {
      const auto prefix = usable(scope);
      attribute(prefix, any(names_));
    }
    if (chance(5)) attribute("xml", chance(2) ? "lang" : "base");
    if (chance(8)) attribute("xml", "space");
    std::string name = usable(scope);
    name += (name.empty() ? "" : ":") + std::string(any(names_));
    out += '<' + name + attributes;
    if (chance(6)) {
      out += "/>";
      return;
    }
    out += '>';
    bound_.push_back(scope);
    for (auto count = below(depth < 4 ? 5 : 3); count > 0 && depth < 24; --count) content(out, depth);
    bound_.pop_back();
    out += "</" + name + (chance(5) ? " >" : ">");
  }

  void content(std::string& out, std::size_t depth) {
    switch (below(8)) {
      case 0:
        out += value();
        break;
      case 1:
        out += "<!-- c & < -->";
        break;
      case 2:
        out += "<![CDATA[ <a b=\"c\"> & ]]]]>";
        break;
      case 3:
        out += chance(2) ? "<?do?>" : "<?do this & \"<that>\" ?>";
        break;
      default:
        element(out, depth + 1);
    }
  }

  // A bound prefix other than the default, or none.
  std::string usable(const std::map<std::string, std::string>& scope) {
    const std::string prefix = any(prefixes_);
    return scope.contains(prefix) ? prefix : "";
  }

  std::string value() {
    std::string out;
    for (auto count = below(6); count > 0; --count) out += any(texts_);
    return out;
  }

  static constexpr std::array<const char*, 5> prefixes_{"", "a", "b", "zz", "\xC3\xA9"};
  static constexpr std::array<const char*, 5> uris_{"urn:a", "urn:b", "http://example.nl/x?y=1", "http://example.nl/%C3%A9", "urn:zz"};
  static constexpr std::array<const char*, 5> names_{"n", "m", "A", "\xC3\xBCn", "long-name.1"};
  static constexpr std::array<const char*, 11> texts_{"x",   "&amp;", "&lt;",         "&gt;", "&quot;", "&#9;",
                                                      "\n ", "&#13;", "\xE2\x82\xAC", "'",    "&#10;"};
  std::mt19937 random_;
  std::vector<std::map<std::string, std::string>> bound_;
};

std::vector<Element> elements_of(Element top) {
  std::vector<Element> out{top};
  for (std::size_t i = 0; i < out.size(); ++i)
    for (const Element child : out[i].children()) out.push_back(child);
  return out;
}

// WUS A15, EB-152, WUS-106: octet for octet what libxml2 makes, over the whole document and below one of its elements.
TEST(CanonicalForms, EqualThoseOfLibxml2On10000Trees) {
  Trees trees(20260302);
  std::size_t octets = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto text = trees.next();
    const auto document = parsed(text);
    const auto all = elements_of(document.root());
    const Element apex = all[trees.below(all.size())];
    const auto prefixes = i % 2 == 0 ? std::vector<std::string>{} : trees.prefix_list();
    for (const auto form : {Canonical::exclusive, Canonical::inclusive}) {
      const auto subtree = form_of(apex, form, prefixes);
      ASSERT_EQ(subtree, test::canonical_by_libxml2(document, apex, form, prefixes).value()) << text << "\nat " << apex.path();
      ASSERT_EQ(whole(document, {.form = form, .inclusive_prefixes = prefixes}),
                test::canonical_by_libxml2(document, {}, form, prefixes).value())
          << text;
      octets += subtree.size();
    }
  }
  EXPECT_GT(octets, 1'000'000U) << "the trees are too small to prove anything";
}

// --- by hand ---------------------------------------------------------------------------------------------------------------------------

TEST(CanonicalForms, ExclusiveKeepsOnlyNamespacesInUse) {
  const auto document = parsed("<a:r xmlns:a='urn:a' xmlns:b='urn:b'><a:c y='2' x=\"1\"><!-- out --><b:d></b:d>&gt;\r\n</a:c></a:r>");
  EXPECT_EQ(form_of(document.root().first_child(), Canonical::exclusive),
            "<a:c xmlns:a=\"urn:a\" x=\"1\" y=\"2\"><b:d xmlns:b=\"urn:b\"></b:d>&gt;\n</a:c>");
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
