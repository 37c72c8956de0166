// V06 to V18: who the parties are, when the agreement holds, what they may send.
#include <algorithm>
#include <map>
#include <tuple>

#include "cpa/names.hpp"
#include "cpa/party_id.hpp"
#include "cpa/rules.hpp"

namespace schakel::cpa {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t cpa_id_chars_max = 255;
constexpr int validity_years_max = 10;

bool has_space(std::string_view text) {
  return text.find_first_of(" \t\r\n") != std::string_view::npos;
}

void check_party_ids(const Subject& subject, const PartyInfo& party) {
  const auto path = subject.party_path(party) + "/tns:PartyId";
  for (const auto& id : party.ids) {
    if (id.type.empty()) {
      subject.report.add(rules::V07a, path, "a PartyId has no type");
    } else if (id.type != names::oin_type) {
      subject.report.add(rules::V07c, path, "a PartyId is of type " + for_log(id.type) + "; an OIN (urn:osb:oin) is advised");
    } else if (const auto value = read_party_id(id.value); !value.well_formed) {
      subject.report.add(rules::V07b, path, "'" + for_log(id.value) + "' is not an OIN with a right suffix");
    } else if (!value.known_prefix) {
      subject.report.add(rules::V07d, path, "no register is known for OIN " + std::string(value.oin));
    } else if (value.test_prefix && subject.production) {
      subject.report.add(rules::V07e, path, "a test OIN has no place in production");
    }
  }
}

bool has_suffix(const PartyInfo& party) {
  return std::any_of(party.ids.begin(), party.ids.end(),
                     [](const PartyId& id) { return id.type == names::oin_type && !read_party_id(id.value).suffix.empty(); });
}

void check_environment(const Subject& subject) {
  const auto &first = subject.agreement.parties[0], &second = subject.agreement.parties[1];
  if (has_suffix(first) != has_suffix(second)) {
    subject.report.add(rules::V08, subject.party_path(has_suffix(first) ? first : second), "only one party has an environment suffix");
  } else if (subject.production && has_suffix(first)) {
    subject.report.add(rules::V08, subject.party_path(first), "an environment suffix has no place in production");
  }
}

void check_cpa_id(const Subject& subject) {
  const auto& id = subject.agreement.cpa_id;
  const auto path = subject.root.path() + "/@tns:cpaid";
  const bool bad_character = std::any_of(id.begin(), id.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet <= 0x20 || octet == 0x7F;
  });
  const auto characters = std::count_if(id.begin(), id.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  if (id.empty() || static_cast<std::size_t>(characters) > cpa_id_chars_max || bad_character) {
    subject.report.add(rules::V09_form, path, "a cpaid has 1 to 255 characters without white space or control characters");
    return;
  }
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (!std::all_of(id.begin(), id.end(), plain)) {
    subject.report.add(rules::V09_characters, path, "adapters use the cpaid as a file name: A-Z a-z 0-9 _ - are safe");
  }
}

void check_period(const Subject& subject) {
  const auto &start = subject.agreement.start, &end = subject.agreement.end;
  const auto path = subject.root.path() + "/tns:End";
  if (start.instant >= end.instant) {
    subject.report.add(rules::V10a, path, "the agreement ends before it starts");
  } else if (end.instant < subject.options.now) {
    subject.report.add(rules::V10b, path, "the agreement has ended");
  }
  if (end.instant > CalendarDuration{validity_years_max * 12, Duration(0), false}.after(start.instant)) {
    subject.report.add(rules::V10c, path, "the agreement holds for more than 10 years");
  }
  if (!start.has_zone) subject.report.add(rules::V10d, subject.root.path() + "/tns:Start", "a time without zone is read as UTC");
  if (!end.has_zone) subject.report.add(rules::V10d, path, "a time without zone is read as UTC");
}

// --- actions

struct Declared {
  const PartyInfo* party;
  const CollaborationRole* role;
  const ActionBinding* binding;
};
using Triple = std::tuple<std::string_view, std::string_view, std::string_view>;
Triple triple_of(const Declared& declared) {
  return {declared.role->service_type, declared.role->service, declared.binding->action};
}

std::vector<Declared> declared_actions(const Agreement& agreement) {
  std::vector<Declared> out;
  for (const auto& party : agreement.parties) {
    for (const auto& role : party.roles) {
      for (const auto& binding : role.actions) out.push_back({&party, &role, &binding});
    }
  }
  return out;
}

void check_role_names(const Subject& subject) {
  for (const auto& party : subject.agreement.parties) {
    for (const auto& role : party.roles) {
      if (role.role != party.roles.front().role) {
        subject.report.add(rules::V12, subject.party_path(party), "a party fulfils one role in an agreement");
      }
    }
  }
}

void check_services(const Subject& subject) {
  for (const auto& party : subject.agreement.parties) {
    const auto path = subject.party_path(party) + "/tns:CollaborationRole/tns:ServiceBinding/tns:Service";
    for (const auto& role : party.roles) {
      if (role.service_type != names::service_type) subject.report.add(rules::V13a, path, "the type of a service is not urn:osb:services");
      if (has_space(role.service)) subject.report.add(rules::V13b, path, "white space in the name of a service");
      for (const auto& binding : role.actions) {
        if (has_space(binding.action)) subject.report.add(rules::V13b, subject.path_of(binding.id), "white space in the name of an action");
      }
    }
  }
}

using ByTriple = std::map<std::tuple<const PartyInfo*, bool, Triple>, std::vector<const Declared*>>;

void check_mirrors(const Subject& subject, const std::vector<Declared>& actions, const ByTriple& by_triple) {
  std::map<std::string_view, const Declared*> by_id;
  for (const auto& action : actions) by_id[action.binding->id] = &action;
  for (const auto& action : actions) {
    if (action.binding->nested) continue;
    const auto path = subject.path_of(action.binding->id);
    const auto mirror = by_triple.find({&subject.other(*action.party), !action.binding->can_send, triple_of(action)});
    if (mirror == by_triple.end()) {
      subject.report.add(rules::V14, path, "the other party has no mirror of action " + for_log(action.binding->action));
    } else if (!action.binding->other_party_binding.empty()) {
      const auto named = by_id.find(action.binding->other_party_binding);
      if (named == by_id.end() || triple_of(*named->second) != triple_of(action)) {
        subject.report.add(rules::V14, path, "OtherPartyActionBinding names a binding of another service or action");
      }
    }
  }
}

}  // namespace

void check_parties(const Subject& subject) {
  const auto &first = subject.agreement.parties[0], &second = subject.agreement.parties[1];
  if (std::any_of(first.ids.begin(), first.ids.end(), [&](const PartyId& id) { return second.has(id); })) {
    subject.report.add(rules::V06, subject.party_path(second), "both parties have the same PartyId");
  }
  for (const auto& party : subject.agreement.parties) check_party_ids(subject, party);
  check_environment(subject);
  check_cpa_id(subject);
  check_period(subject);
  if (subject.options.activating && subject.agreement.status == "proposed") {
    subject.report.add(rules::V11, subject.root.path() + "/tns:Status", "a proposed agreement cannot be active");
  }
}

void check_actions(const Subject& subject) {
  check_role_names(subject);
  check_services(subject);
  const auto actions = declared_actions(subject.agreement);
  ByTriple by_triple;
  for (const auto& action : actions) {
    if (!action.binding->nested) by_triple[{action.party, action.binding->can_send, triple_of(action)}].push_back(&action);
  }
  check_mirrors(subject, actions, by_triple);
  for (const auto& [key, same] : by_triple) {
    if (same.size() > 1) subject.report.add(rules::V15, subject.path_of(same[1]->binding->id), "an action occurs twice in one direction");
  }
  if (by_triple.empty()) subject.report.add(rules::V16, subject.root.path(), "the agreement has no action");
  for (const auto& action : actions) {
    const auto& binding = *action.binding;
    if (binding.nested) subject.report.add(rules::V17, subject.path_of(binding.id), "nested bindings (synchronous replies) are ignored");
  }
  for (const auto& action : actions) {
    const auto& binding = *action.binding;
    if (binding.channel_ids.size() > 1) {
      subject.report.add(rules::V18, subject.path_of(binding.id), "an action has more than one ChannelId; the first is used");
    }
  }
}

}  // namespace schakel::cpa
