#include "wus/policy.hpp"

#include <algorithm>
#include <array>

#include "wus/names.hpp"

namespace schakel::wus {
namespace {

constexpr std::string_view wsp_2004 = "http://schemas.xmlsoap.org/ws/2004/09/policy";

// Vocabularies whose assertions are expected in a policy of WUS.
constexpr std::array known_vocabularies = {
    ns::wsp,
    wsp_2004,
    ns::sp,
    std::string_view("http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200802"),
    std::string_view("http://schemas.xmlsoap.org/ws/2005/07/securitypolicy"),
    ns::wsam,
    ns::wsaw,
    std::string_view("http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization"),
    std::string_view("http://www.w3.org/2007/08/soap12-mtom-policy"),
    std::string_view("http://cxf.apache.org/custom/security-policy"),
};

struct Asserted {
  bool transport = false, signed_body = false, encrypted_body = false;
};

void read(xml::Element parent, Asserted& asserted, std::vector<xml::Element>& unknown) {
  for (const auto child : parent.children()) {
    if (std::ranges::find(known_vocabularies, child.namespace_uri()) == known_vocabularies.end()) {
      unknown.push_back(child);
      continue;
    }
    const auto name = child.name();
    const bool of_body = static_cast<bool>(child.child(child.namespace_uri(), "Body"));
    asserted.transport |= name == "TransportBinding";
    asserted.signed_body |= name == "SignedParts" && of_body;
    asserted.encrypted_body |= name == "EncryptedParts" && of_body;
    read(child, asserted, unknown);
  }
}

}  // namespace

bool is_policy(xml::Element element) {
  return element.is(ns::wsp, "Policy") || element.is(wsp_2004, "Policy");
}

PolicyReading read_policy(xml::Element policy) {
  PolicyReading out;
  Asserted asserted;
  read(policy, asserted, out.unknown);
  if (asserted.encrypted_body) {
    out.profile = Profile::be_se;
  } else if (asserted.signed_body) {
    out.profile = Profile::be_s;
  } else if (asserted.transport) {
    out.profile = Profile::be;
  }
  return out;
}

xml::Element find_policy(xml::Element root, std::string_view id) {
  if (is_policy(root)) {
    const auto own = root.attribute(ns::wsu, "Id");
    const auto xml_id = root.attribute("http://www.w3.org/XML/1998/namespace", "id");
    if (id.empty() || own == id || xml_id == id) return root;
  }
  for (const auto child : root.children())
    if (const auto found = find_policy(child, id)) return found;
  return {};
}

}  // namespace schakel::wus
