#include "wus/bundle.hpp"

#include <gtest/gtest.h>

namespace schakel::wus {
namespace {

Documents named(std::initializer_list<const char*> names) {
  Documents out;
  for (const auto* name : names) out[name] = "<x/>";
  return out;
}

// WUS-051: a location is a name among the uploaded ones; whatever it says, nothing else can be meant.
TEST(Bundle, ResolvesLocationsInsideItself) {
  const auto documents = named({"wsdl/service.wsdl", "wsdl/types.xsd", "xsd/common.xsd", "top.xsd"});
  const auto resolved = [&](std::string_view location) { return resolve_location(documents, "wsdl/service.wsdl", location).value_or("-"); };
  EXPECT_EQ(resolved("types.xsd"), "wsdl/types.xsd");
  EXPECT_EQ(resolved("./types.xsd"), "wsdl/types.xsd");
  EXPECT_EQ(resolved("types.xsd#part"), "wsdl/types.xsd");
  EXPECT_EQ(resolved("../xsd/common.xsd"), "xsd/common.xsd");
  EXPECT_EQ(resolved("../top.xsd"), "top.xsd");
  EXPECT_EQ(resolved("../../../../top.xsd"), "top.xsd") << "the top has nothing above it";
  EXPECT_EQ(resolved("elsewhere/common.xsd"), "xsd/common.xsd") << "uploaded without its folder";
  for (const auto* outside : {"", "#id", "/etc/passwd", "/wsdl/types.xsd", "//host/types.xsd", "http://host/types.xsd", "file:///types.xsd",
                              "file:types.xsd", "C:types.xsd", "..\\types.xsd", "../../etc/passwd", "absent.xsd"})
    EXPECT_EQ(resolved(outside), "-") << outside;
}

TEST(Bundle, DoesNotGuessBetweenTwoOfAName) {
  const auto documents = named({"a/types.xsd", "b/types.xsd", "c/service.wsdl"});
  EXPECT_FALSE(resolve_location(documents, "c/service.wsdl", "types.xsd"));
  EXPECT_EQ(resolve_location(documents, "c/service.wsdl", "../b/types.xsd"), "b/types.xsd");
}

// WUS-051
TEST(Bundle, RefusesNamesThatAreNoPathsInside) {
  for (const auto* name : {"", "../a.wsdl", "a/../b.wsdl", "/a.wsdl", "a//b.wsdl", "./a.wsdl", "a\\b.wsdl", "http://host/a.wsdl",
                           "C:a.wsdl", "a\nb.wsdl", "a.wsdl?x", "a.wsdl#x", "\xFF.wsdl"}) {
    Bundle bundle{name, {}};
    bundle.documents[name] = "<x/>";
    const auto checked = check_bundle(bundle);
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code, "wus.bundle");
  }
  Bundle bundle{std::string(bundle_name_bytes_max + 1, 'a'), {}};
  bundle.documents[bundle.main] = "<x/>";
  EXPECT_FALSE(check_bundle(bundle));
  bundle.main.pop_back();
  bundle.documents[bundle.main] = "<x/>";
  bundle.documents.erase(bundle.main + "a");
  EXPECT_TRUE(check_bundle(bundle));
  bundle.main = "other";
  EXPECT_FALSE(check_bundle(bundle));
}

TEST(Bundle, IsTheSameOctetsEveryTimeAndComesBack) {
  Bundle bundle{"b.wsdl", named({"a.xsd", "b.wsdl", "c/d.xsd"})};
  bundle.documents["a.xsd"] = "line\n2 c.xsd\nx\n";
  const auto octets = pack(bundle);
  EXPECT_EQ(octets, "schakel-wus-bundle 1 3\n4 b.wsdl\n<x/>\n15 a.xsd\nline\n2 c.xsd\nx\n\n4 c/d.xsd\n<x/>\n");
  const auto back = unpack(octets);
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(*back, bundle);
}

TEST(Bundle, RefusesDamagedOctets) {
  const auto octets = pack({"b.wsdl", named({"a.xsd", "b.wsdl"})});
  for (std::size_t length = 0; length < octets.size(); ++length) EXPECT_FALSE(unpack(octets.substr(0, length))) << length;
  EXPECT_FALSE(unpack(octets + "x"));
  EXPECT_TRUE(unpack("schakel-wus-bundle 1 3\n1 b\nx\n1 a\nx\n1 c\nx\n"));
  EXPECT_FALSE(unpack("schakel-wus-bundle 1 3\n1 b\nx\n1 c\nx\n1 a\nx\n")) << "another order";
  EXPECT_FALSE(unpack("schakel-wus-bundle 1 1\n01 b\nx\n"));
  EXPECT_FALSE(unpack("schakel-wus-bundle 1 2\n4 b.wsdl\n<x/>\n4 b.wsdl\n<x/>\n"));
  EXPECT_FALSE(unpack("schakel-wus-bundle 1 1\n99999999999999999999 b.wsdl\n<x/>\n"));
  EXPECT_FALSE(unpack("schakel-wus-bundle 1 1\n18446744073709551615 b.wsdl\n<x/>\n"));
  EXPECT_FALSE(unpack("schakel-wus-bundle 1 1\n4 ../b.wsdl\n<x/>\n"));
  EXPECT_FALSE(unpack("schakel-wus-bundle 1 101\n"));
}

}  // namespace
}  // namespace schakel::wus
