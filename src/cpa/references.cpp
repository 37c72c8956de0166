#include "cpa/references.hpp"

#include <array>

#include "base/bytes.hpp"
#include "cpa/names.hpp"

namespace schakel::cpa {
namespace {

struct IdAttribute {
  std::string_view element, attribute;
};
constexpr std::array id_attributes = {
    IdAttribute{"ThisPartyActionBinding", "id"},
    IdAttribute{"Certificate", "certId"},
    IdAttribute{"SecurityDetails", "securityId"},
    IdAttribute{"DeliveryChannel", "channelId"},
    IdAttribute{"Transport", "transportId"},
    IdAttribute{"DocExchange", "docExchangeId"},
    IdAttribute{"SimplePart", "id"},
    IdAttribute{"Packaging", "id"},
    IdAttribute{"Encapsulation", "id"},
    IdAttribute{"Composite", "id"},
};

// `attribute` empty: the reference is the element's text. Elements named *CertificateRef and *SecurityDetailsRef are found by their ending.
struct ReferenceRule {
  std::string_view element, attribute, kind;
};
constexpr std::array reference_rules = {
    ReferenceRule{"PartyInfo", "defaultMshChannelId", "DeliveryChannel"},
    ReferenceRule{"PartyInfo", "defaultMshPackageId", "Packaging"},
    ReferenceRule{"ThisPartyActionBinding", "packageId", "Packaging"},
    ReferenceRule{"ChannelId", "", "DeliveryChannel"},
    ReferenceRule{"OtherPartyActionBinding", "", "ThisPartyActionBinding"},
    ReferenceRule{"DeliveryChannel", "transportId", "Transport"},
    ReferenceRule{"DeliveryChannel", "docExchangeId", "DocExchange"},
    ReferenceRule{"OverrideMshActionBinding", "channelId", "DeliveryChannel"},
    ReferenceRule{"Constituent", "idref", "SimplePart|Encapsulation|Composite"},
};

bool allows(std::string_view kinds, std::string_view kind) {
  while (!kinds.empty()) {
    const auto bar = kinds.find('|');
    if (kinds.substr(0, bar) == kind) return true;
    if (bar == std::string_view::npos) return false;
    kinds.remove_prefix(bar + 1);
  }
  return false;
}

bool is_package_kind(std::string_view kind) {
  return kind == "Packaging" || kind == "SimplePart|Encapsulation|Composite";
}

}  // namespace

References::References(xml::Element root) {
  int party = -1;
  note_ids(root, party);
  for (auto child = root.first_child(); child; child = child.next_sibling()) {
    const bool is_party = child.is(names::cpa, "PartyInfo");
    if (is_party) ++party;
    visit(child, is_party ? party : -1);
  }
}

void References::visit(xml::Element top, int party) {
  std::vector<xml::Element> pending = {top};
  while (!pending.empty()) {
    const auto element = pending.back();
    pending.pop_back();
    note_ids(element, party);
    note_references(element, party);
    for (auto child = element.first_child(); child; child = child.next_sibling()) pending.push_back(child);
  }
}

void References::note_ids(xml::Element element, int party) {
  std::optional<std::string> id;
  if (element.namespace_uri() == names::cpa) {
    for (const auto& rule : id_attributes) {
      if (element.name() == rule.element) id = element.attribute(names::cpa, rule.attribute);
    }
  } else if (element.namespace_uri() == names::ds) {
    id = element.attribute("", "Id");
  }
  if (!id) return;
  const auto [at, is_new] = targets_.emplace(trim(*id), Target{element, party, false});
  if (!is_new) {
    duplicates_.push_back({element.path(), "the ID " + for_log(trim(*id)) + " is used more than once"});
  } else if (element.name() == "ThisPartyActionBinding") {
    at->second.can_send = element.parent().name() == "CanSend";
  }
}

void References::note_references(xml::Element element, int party) {
  if (element.namespace_uri() != names::cpa) return;
  const auto name = element.name();
  const auto note = [&](std::string_view attribute, std::string_view kind) {
    const auto id = attribute.empty() ? std::optional(element.text()) : element.attribute(names::cpa, attribute);
    if (id) references_.push_back({element, kind, std::string(trim(*id)), party});
  };
  if (name.ends_with("SecurityDetailsRef")) return note("securityId", "SecurityDetails");
  if (name.ends_with("CertificateRef")) return note("certId", "Certificate");
  for (const auto& rule : reference_rules) {
    if (rule.element == name) note(rule.attribute, rule.kind);
  }
}

std::string References::fault_of(const Reference& reference) const {
  const auto shown = "the reference " + for_log(reference.id);
  const auto found = targets_.find(reference.id);
  if (found == targets_.end()) return shown + " hits nothing";
  const auto& target = found->second;
  if (!allows(reference.kind, target.element.name())) {
    return shown + " hits a " + std::string(target.element.name()) + ", not a " + std::string(reference.kind);
  }
  if (is_package_kind(reference.kind)) return {};
  if (reference.kind != "ThisPartyActionBinding") return target.party == reference.party ? "" : shown + " leads into the other PartyInfo";
  if (target.party == reference.party) return shown + " stays with the same party";
  const bool from_can_send = reference.element.parent().name() == "CanSend";
  return from_can_send == target.can_send ? shown + " points to a binding of the same direction" : "";
}

std::vector<ReferenceFault> References::faults() const {
  std::vector<ReferenceFault> out;
  for (const auto& reference : references_) {
    if (auto fault = fault_of(reference); !fault.empty()) out.push_back({reference.element.path(), std::move(fault)});
  }
  return out;
}

xml::Element References::element(std::string_view id) const {
  const auto found = targets_.find(std::string(id));
  return found == targets_.end() ? xml::Element() : found->second.element;
}

}  // namespace schakel::cpa
