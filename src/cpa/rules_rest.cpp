// V39 to V46: signatures, packages, limits on conversations, ownership, white space.
#include <algorithm>
#include <array>

#include "cpa/names.hpp"
#include "cpa/rules.hpp"
#include "cpa/signature.hpp"

namespace schakel::cpa {
namespace {

constexpr std::array signal_actions = {std::string_view("Acknowledgment"), std::string_view("MessageError"),
                                       std::string_view("StatusRequest"),  std::string_view("StatusResponse"),
                                       std::string_view("Ping"),           std::string_view("Pong")};

void check_signatures(const Subject& subject) {
  const auto holder = subject.root.child(names::cpa, "Signature");
  if (!holder) {
    if (subject.agreement.status == "signed") {
      subject.report.add(rules::V39, subject.root.path() + "/tns:Status", "the status is signed, but there is no ds:Signature");
    }
    return;
  }
  std::vector<std::string> oins;
  for (const auto& party : subject.agreement.parties) oins.push_back(party.oin());
  for (const auto signature : holder.children(names::ds, "Signature")) {
    if (const auto objection = signature_objection(signature, oins, subject.options.certificates, subject.options.now))
      subject.report.add(rules::V39, signature.path(), "the signature does not verify: " + *objection);
  }
}

bool is_message_header(xml::Element simple_part) {
  for (const auto supported : simple_part.children(names::cpa, "NamespaceSupported")) {
    if (trim(supported.text()) == names::message_header) return true;
    if (const auto location = supported.attribute(names::cpa, "location"); location && trim(*location) == names::message_header)
      return true;
  }
  return false;
}

// A Composite that holds something else than the message header. When no part is marked as the header, the first constituent is it.
bool has_payload(const Subject& subject, xml::Element package) {
  for (const auto list : package.children(names::cpa, "CompositeList")) {
    for (const auto composite : list.children(names::cpa, "Composite")) {
      std::size_t constituents = 0, headers = 0;
      for (const auto constituent : composite.children(names::cpa, "Constituent")) {
        ++constituents;
        const auto part = subject.references.element(trim(constituent.attribute(names::cpa, "idref").value_or("")));
        headers += part && part.name() == "SimplePart" && is_message_header(part) ? 1U : 0U;
      }
      if (constituents > std::max<std::size_t>(headers, 1)) return true;
    }
  }
  return false;
}

void check_packages(const Subject& subject) {
  for (const auto& party : subject.agreement.parties) {
    for (const auto& role : party.roles) {
      for (const auto& binding : role.actions) {
        if (!has_payload(subject, subject.references.element(binding.package_id))) {
          subject.report.add(rules::V41, subject.path_of(binding.package_id), "the package of an action has no payload");
        }
      }
    }
  }
}

void check_ownership(const Subject& subject) {
  const auto& options = subject.options;
  if (!options.own) return;
  const auto ours = std::count_if(subject.agreement.parties.begin(), subject.agreement.parties.end(), [&](const PartyInfo& party) {
    return std::any_of(options.own->begin(), options.own->end(), [&](const PartyId& id) { return party.has(id); });
  });
  if (ours == 0) {
    subject.report.add(rules::V44, subject.root.path(), "neither party is ours");
  } else if (ours == 2 && (!options.allow_loopback || subject.production)) {
    subject.report.add(rules::V44, subject.root.path(), "both parties are ours: a loop-back is for tests only");
  }
}

void check_spaces(const Subject& subject) {
  const auto has_outer_space = [](std::string_view text) { return text.size() != trim(text).size(); };
  std::vector<xml::Element> pending = {subject.root};
  while (!pending.empty()) {
    const auto element = pending.back();
    pending.pop_back();
    const auto name = element.name();
    if (element.namespace_uri() == names::cpa) {
      const bool typed_text =
          name == "PartyId" || name == "Service" || name == "HashFunction" || name == "SignatureAlgorithm" || name == "EncryptionAlgorithm";
      const auto action = name == "ThisPartyActionBinding" ? element.attribute(names::cpa, "action") : std::nullopt;
      const auto w3c = typed_text ? element.attribute(names::cpa, "w3c") : std::nullopt;
      if ((typed_text && has_outer_space(element.text())) || has_outer_space(action.value_or("")) || has_outer_space(w3c.value_or(""))) {
        subject.report.add(rules::V46, element.path(), "white space around a value is left out");
      }
    }
    const auto first = pending.size();
    for (auto child = element.first_child(); child; child = child.next_sibling()) pending.push_back(child);
    std::reverse(pending.begin() + static_cast<std::ptrdiff_t>(first), pending.end());
  }
}

}  // namespace

void check_rest(const Subject& subject) {
  check_signatures(subject);
  const auto& agreement = subject.agreement;
  if (agreement.parties[0].name == agreement.parties[1].name) {
    subject.report.add(rules::V40, subject.party_path(agreement.parties[1]), "both parties have the same name");
  }
  check_packages(subject);
  if (agreement.invocation_limit.value_or(1) < 1 || agreement.concurrent_conversations.value_or(1) < 1) {
    subject.report.add(rules::V42, subject.root.path() + "/tns:ConversationConstraints", "a limit on conversations is below 1");
  }
  check_ownership(subject);
  for (const auto& party : agreement.parties) {
    for (const auto& [action, channel] : party.signal_channels) {
      if (std::find(signal_actions.begin(), signal_actions.end(), action) == signal_actions.end()) {
        subject.report.add(rules::V45, subject.party_path(party), "OverrideMshActionBinding names no MSH action: " + for_log(action));
      }
    }
  }
  check_spaces(subject);
}

}  // namespace schakel::cpa
