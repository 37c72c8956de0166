// Documents that nobody would write, the same ones for the same seed: prefixes bound anew and default namespaces undeclared at every depth,
// attributes of all of them, comments, processing instructions, CDATA sections, character references, text outside ASCII.
#pragma once

#include <array>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace schakel::xml {

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

}  // namespace schakel::xml
