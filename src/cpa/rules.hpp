// The table of rules with their severities, and what every rule looks at. Internal to validate.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cpa/profile.hpp"
#include "cpa/references.hpp"
#include "cpa/used.hpp"
#include "cpa/validate.hpp"

namespace schakel::cpa {

// A row of the table in cpa.md 3.1; severities per mode: E refuses, W warns, - not applicable.
struct Rule {
  std::string_view code;
  char compose, production, test;
};

namespace rules {
inline constexpr Rule V01{"V01", 'E', 'E', 'E'}, V02{"V02", 'E', 'E', 'E'}, V03{"V03", 'E', 'W', 'W'}, V04{"V04", 'E', 'E', 'E'},
    V05{"V05", 'E', 'E', 'E'}, V06{"V06", 'E', 'E', 'W'};
inline constexpr Rule V07a{"V07a", 'E', 'E', 'W'}, V07b{"V07b", 'E', 'E', 'W'}, V07c{"V07c", 'W', 'W', 'W'}, V07d{"V07d", 'W', 'W', 'W'},
    V07e{"V07e", 'E', 'E', '-'}, V08{"V08", 'E', 'E', 'W'};
inline constexpr Rule V09_form{"V09", 'E', 'E', 'E'}, V09_characters{"V09", 'E', 'W', 'W'};
inline constexpr Rule V10a{"V10a", 'E', 'E', 'E'}, V10b{"V10b", 'E', 'E', 'W'}, V10c{"V10c", 'W', 'W', 'W'}, V10d{"V10d", 'E', 'W', 'W'},
    V11{"V11", '-', 'E', 'E'}, V12{"V12", 'E', 'E', 'W'}, V13a{"V13a", 'W', 'W', 'W'}, V13b{"V13b", 'E', 'E', 'W'};
inline constexpr Rule V14{"V14", 'E', 'E', 'E'}, V15{"V15", 'E', 'E', 'E'}, V16{"V16", 'E', 'E', 'E'}, V17{"V17", 'E', 'W', 'W'},
    V18{"V18", 'E', 'W', 'W'}, V19{"V19", 'E', 'E', 'E'};
inline constexpr Rule V20a{"V20a", 'E', 'E', 'W'}, V20b{"V20b", 'E', 'E', 'E'}, V20c{"V20c", 'E', 'E', 'W'},
    V20c_allowed{"V20c", 'E', 'W', 'W'}, V20d{"V20d", 'E', 'W', 'W'};
inline constexpr Rule V21_protocol{"V21", 'E', 'E', 'E'}, V21_version{"V21", 'W', 'W', 'W'}, V22a{"V22a", 'E', 'E', 'W'},
    V22b{"V22b", 'E', 'W', 'W'}, V23{"V23", 'E', 'E', 'W'}, V24{"V24", 'E', 'E', 'W'};
inline constexpr Rule V25a{"V25a", 'E', 'E', 'W'}, V25b{"V25b", 'E', 'W', 'W'}, V25c{"V25c", 'E', 'W', 'W'},
    V25d_absent{"V25d", 'E', 'W', 'W'}, V25d_next{"V25d", 'E', 'E', 'E'}, V26{"V26", 'E', 'W', 'W'}, V27{"V27", 'E', 'E', 'E'};
inline constexpr Rule V28a{"V28a", 'E', 'E', 'W'}, V28b{"V28b", 'E', 'E', 'W'}, V28c{"V28c", 'E', 'W', 'W'};
inline constexpr Rule V29a{"V29a", 'E', 'E', 'E'}, V29b{"V29b", 'E', 'W', 'W'}, V29c{"V29c", 'E', 'W', 'W'}, V29d{"V29d", 'W', 'W', 'W'},
    V30{"V30", 'E', 'W', 'W'}, V31{"V31", 'E', 'E', 'W'};
inline constexpr Rule V32{"V32", 'E', 'E', 'W'}, V33{"V33", 'E', 'W', 'W'}, V34_cbc{"V34", 'E', 'W', 'W'}, V34_other{"V34", 'E', 'E', 'W'},
    V35{"V35", 'E', 'E', 'E'}, V36a{"V36a", 'E', 'W', 'W'}, V36b{"V36b", 'E', 'E', 'E'}, V36c{"V36c", 'E', 'E', 'E'};
inline constexpr Rule V37a{"V37a", 'E', 'E', 'E'}, V37b{"V37b", 'E', 'E', 'W'}, V37b_mandated{"V37b", 'W', 'W', 'W'},
    V37c{"V37c", 'E', 'W', 'W'}, V37c_offloaded{"V37c", 'W', 'W', 'W'}, V37d{"V37d", 'E', 'E', 'W'}, V37d_offloaded{"V37d", 'W', 'W', 'W'},
    V37e{"V37e", 'E', 'W', 'W'}, V37f{"V37f", 'E', 'W', 'W'}, V37g{"V37g", 'E', 'E', 'W'}, V37h{"V37h", 'E', 'E', 'W'},
    V37i{"V37i", 'E', 'E', 'E'}, V37j{"V37j", 'W', 'W', '-'}, V38{"V38", 'E', 'W', 'W'};
inline constexpr Rule V39{"V39", 'E', 'E', 'E'}, V40{"V40", 'W', 'W', 'W'}, V41{"V41", 'E', 'W', 'W'}, V42{"V42", 'E', 'E', 'E'},
    V43_loading{"V43", '-', 'W', 'W'}, V43_activating{"V43", '-', 'E', 'E'}, V44{"V44", '-', 'E', 'E'}, V45{"V45", 'E', 'W', 'W'},
    V46{"V46", 'E', 'W', 'W'};
}  // namespace rules

// Collects findings; the same code at the same place counts once.
class Report {
 public:
  explicit Report(Mode mode) : mode_(mode) {}
  void add(const Rule&, std::string path, std::string message);
  bool has_error() const;
  std::vector<Finding> take() { return std::move(findings_); }

 private:
  Mode mode_;
  std::vector<Finding> findings_;
  std::set<std::pair<std::string_view, std::string>> seen_;
};

// What the rules from V06 on look at.
struct Subject {
  const Agreement& agreement;
  xml::Element root;
  const References& references;
  const ValidationOptions& options;
  Report& report;
  bool production;                    // the environment
  std::vector<xml::Element> parties;  // PartyInfo elements, in the order of agreement.parties
  std::vector<ActionPair> pairs;      // CanSends with their mirrors
  std::vector<UsedChannel> used;      // default, override and action channels, each once

  std::string path_of(std::string_view id) const;  // of the element with this ID
  std::string party_path(const PartyInfo&) const;
  const PartyInfo& other(const PartyInfo&) const;
};

void check_parties(const Subject&);          // V06 to V10d, V11
void check_actions(const Subject&);          // V12 to V18
void check_transports(const Subject&);       // V19 to V24
void check_characteristics(const Subject&);  // V25 to V28
void check_reliability(const Subject&);      // V29 to V31
void check_algorithms(const Subject&);       // V32 to V36
void check_certificates(const Subject&);     // V37, V38
void check_rest(const Subject&);             // V39 to V46

}  // namespace schakel::cpa
