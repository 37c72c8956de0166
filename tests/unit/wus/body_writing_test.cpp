#include "wus/body_writing.hpp"

#include <random>

#include "unit/wus/parties.hpp"
#include "wus/envelope_signing.hpp"

namespace schakel::wus {
namespace {

using namespace testing;

// The canonical form of Body as it is digested, when texts longer than `uncut_bytes_max` stay out of the parser; or the code of the
// refusal.
std::string digested_form(const std::string& body, std::size_t uncut_bytes_max) {
  const auto make = request(body);
  BodyText content(make, false, 1024, uncut_bytes_max);
  const auto tree = parse_envelope(envelope_text(make, nullptr).value(), {}, content, settings_of(Profile::be));
  if (!tree) return tree.error().code;
  const auto fillings = content.fillings();
  return xml::canonicalise(tree->body, {.filled = fillings}).value();
}

// Pieces of markup in any order, nearly well-formed.
class Markup {
 public:
  std::string next() {
    std::string out = "<r xmlns=\"urn:r\">";
    std::vector<std::string> open;
    for (auto pieces = below(12); pieces > 0; --pieces) {
      const auto kind = below(100);
      if (kind < 35) {
        const std::string name(1, static_cast<char>('a' + below(3)));
        out += '<' + name + any(attributes_) + (below(4) == 0 ? "/>" : ">");
        if (out[out.size() - 2] != '/') open.push_back(name);
      } else if (kind < 65 && !open.empty()) {
        out += "</" + open.back() + any(ends_);
        open.pop_back();
      } else if (kind < 97) {
        out += any(texts_);
      } else {
        out += any(faults_);
      }
    }
    for (; !open.empty(); open.pop_back()) out += "</" + open.back() + '>';
    return out + "</r>";
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  template <std::size_t N>
  std::string any(const std::array<const char*, N>& of) {
    return of[below(N)];
  }

  std::mt19937 random_{1};  // the same in every run
  static constexpr std::array<const char*, 6> attributes_{"", "", " x='>'", " x=\"/>\"", " x=\"'\"", " x = '1'"};
  static constexpr std::array<const char*, 4> ends_{">", ">", " >", "\n>"};
  static constexpr std::array<const char*, 15> texts_{
      "x",    "text one",     " ",        "\n\t", "&amp;",           "&#65;",        "\r\n", "\xC3\xA9",
      "QUJD", "<!-- <d> -->", "<!--'-->", "'",    "<![CDATA[<e>]]>", "<![CDATA[]]>", "/"};
  static constexpr std::array<const char*, 12> faults_{"<",     ">",    "]]>", "<?p <q>?>", "</a>",      "<a",
                                                       "<a x=", "<!--", "&x;", "\x01",      "<![CDATA[", "</r><r>"};
};

TEST(BodyText, IsDigestedTheSameWithAndWithoutCuts) {  // WUS-114, WUS-186
  Markup markup;
  int accepted = 0, cut = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto body = markup.next();
    const auto whole = digested_form(body, std::string::npos - 1);
    ASSERT_EQ(digested_form(body, 0), whole) << body;
    accepted += whole != "wus.envelope";
    cut += whole != "wus.envelope" && !plain_texts(body, {}, 1).empty();
  }
  EXPECT_GT(accepted, 5'000);
  EXPECT_LT(accepted, 19'000);
  EXPECT_GT(cut, 2'000);
}

TEST(PlainTexts, AreFoundByPositionAndByLength) {  // WUS-184
  const std::string text =
      "<a x='>'><!-- <z> --><b>one</b><c/><d y=\"/>\"/><e>two<f>three</f></e><![CDATA[<g>]]><h>f&amp;r</h><i></i><j>five</j ><?p <k>?></a>";
  const auto found = [&](std::vector<std::size_t> positions, std::size_t bytes_min) {
    std::vector<std::string> out;
    for (const auto& plain : plain_texts(text, positions, bytes_min))
      out.push_back(std::to_string(plain.element) + text.substr(plain.begin, plain.end - plain.begin));
    return out;
  };
  using Found = std::vector<std::string>;
  EXPECT_EQ(found({}, 1), (Found{"1one", "5three", "8five"}));
  EXPECT_EQ(found({}, 4), (Found{"5three", "8five"}));
  EXPECT_EQ(found({1, 4, 6, 7}, 100), (Found{"1one"}));
}

TEST(PlainTexts, BrokenTextEndsTheSearch) {
  for (const std::string text : {"<", "<a", "<a b='", "<a>", "<a>x", "<!--", "<![CDATA[", "<?", "</", "<a><", "<a>x<", "<a>x</", "", ">"})
    EXPECT_LE(plain_texts(text, {}, 1).size(), 1U) << text;
}

}  // namespace
}  // namespace schakel::wus
