#include "xml/encoding.hpp"

#include <gtest/gtest.h>

namespace schakel::xml {
namespace {

constexpr std::size_t plenty = 1000;

std::string text(std::string_view octets, std::string_view charset = {}) {
  const auto converted = to_utf8(octets, charset, plenty);
  return converted ? *converted : converted.error().code;
}

// WUS-200, wus.md 3.7: XML declaration, then charset, then UTF-8
TEST(ToUtf8, TheDeclarationGoesBeforeTheCharset) {
  EXPECT_EQ(text("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>caf\xE9</a>", "utf-8"), "<a>café</a>");
  EXPECT_EQ(text("<a>caf\xE9</a>", "iso-8859-1"), "<a>café</a>");
  EXPECT_EQ(text("<a>\x80</a>", "windows-1252"), "<a>€</a>");
  EXPECT_EQ(text("<a>café</a>"), "<a>café</a>");
  EXPECT_EQ(text("\xEF\xBB\xBF<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>", "latin1"), "<a>é</a>") << "the mark is the truth";
}

TEST(ToUtf8, Utf16NeedsItsMark) {
  const std::string little("\xFF\xFE<\0a\0/\0>\0", 10), big("\xFE\xFF\0<\0a\0/\0>", 10);
  EXPECT_EQ(text(little), "<a/>");
  EXPECT_EQ(text(big), "<a/>");
}

TEST(ToUtf8, WhatItDeclaredIsTakenAway) {
  EXPECT_EQ(text("<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>"), "<a/>");
  EXPECT_EQ(text("<?xml version=\"1.0\"?>\n<a/>"), "\n<a/>");
  EXPECT_EQ(text("<?xml-stylesheet href='x'?><a/>"), "<?xml-stylesheet href='x'?><a/>") << "an instruction is no declaration";
}

TEST(ToUtf8, UnknownEncodingsWrongOctetsAndSizesAreRefused) {
  EXPECT_EQ(text("<a/>", "no-such-charset"), "xml.encoding");
  EXPECT_EQ(text("<a/>", "utf-8//IGNORE"), "xml.encoding");
  EXPECT_EQ(text("<?xml version=\"1.0\" encoding=\"UTF-7//TRANSLIT\"?><a/>"), "xml.encoding");
  EXPECT_EQ(text("<a>\x81</a>", "windows-1252"), "xml.encoding") << "octets that are none of it";
  EXPECT_EQ(text(std::string(plenty + 1, 'a')), "xml.limit");
  EXPECT_EQ(text(std::string(plenty, '\xE9'), "iso-8859-1"), "xml.limit") << "larger after than before";
}

}  // namespace
}  // namespace schakel::xml
