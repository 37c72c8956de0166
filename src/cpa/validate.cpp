#include "cpa/validate.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "cpa/grammar.hpp"
#include "cpa/names.hpp"
#include "cpa/reading.hpp"
#include "cpa/rules.hpp"

namespace schakel::cpa {
namespace {

bool same_triple(const CollaborationRole& a, const ActionBinding& x, const CollaborationRole& b, const ActionBinding& y) {
  return a.service_type == b.service_type && a.service == b.service && x.action == y.action;
}

// The CanReceive at the other party that mirrors a CanSend: the one it names, else the first with the same triple.
const ActionBinding* mirror_of(const PartyInfo& other, const CollaborationRole& role, const ActionBinding& can_send) {
  const ActionBinding* first = nullptr;
  for (const auto& other_role : other.roles) {
    for (const auto& binding : other_role.actions) {
      if (binding.nested || binding.can_send || !same_triple(role, can_send, other_role, binding)) continue;
      if (binding.id == can_send.other_party_binding) return &binding;
      if (first == nullptr) first = &binding;
    }
  }
  return first;
}

const DeliveryChannel* first_channel(const PartyInfo& party, const ActionBinding& binding) {
  return binding.channel_ids.empty() ? nullptr : party.channel(binding.channel_ids.front());
}

std::vector<ActionPair> pairs_of(const Agreement& agreement) {
  std::vector<ActionPair> out;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto &sender = agreement.parties[i], &receiver = agreement.parties[1 - i];
    for (const auto& role : sender.roles) {
      for (const auto& binding : role.actions) {
        if (!binding.can_send || binding.nested) continue;
        const auto* mirror = mirror_of(receiver, role, binding);
        if (mirror == nullptr) continue;
        out.push_back({sender, receiver, binding, *mirror, first_channel(sender, binding), first_channel(receiver, *mirror)});
      }
    }
  }
  return out;
}

// The limits of CPA-004 that the parser does not know.
void check_counts(xml::Element root, Report& report) {
  std::size_t certificates = 0, actions = 0;
  std::vector<xml::Element> pending = {root};
  while (!pending.empty()) {
    const auto element = pending.back();
    pending.pop_back();
    certificates += element.is(names::cpa, "Certificate") ? 1U : 0U;
    actions += element.is(names::cpa, "ThisPartyActionBinding") ? 1U : 0U;
    for (auto child = element.first_child(); child; child = child.next_sibling()) pending.push_back(child);
  }
  if (certificates > limits::cpa_certificates_max) {
    report.add(rules::V01, root.path(), "more than " + std::to_string(limits::cpa_certificates_max) + " certificates");
  }
  if (actions > limits::cpa_actions_max) {
    report.add(rules::V01, root.path(), "more than " + std::to_string(limits::cpa_actions_max) + " actions");
  }
}

// V02 to V05; what they prove is what read() relies on.
std::optional<Agreement> check_structure(xml::Element root, const References& references, Validation& out, Report& report) {
  for (const auto& violation : grammar().check(root)) report.add(rules::V02, violation.path, violation.message);
  if (report.has_error()) return std::nullopt;
  auto agreement = read(root);
  if (!agreement) {
    report.add(rules::V02, root.path(), agreement.error().detail);
    return std::nullopt;
  }
  out.schema_valid = true;
  if (agreement->version != "2_0b") report.add(rules::V03, root.path(), "the version is not 2_0b");
  if (report.has_error()) return std::nullopt;
  for (const auto& fault : references.faults()) report.add(rules::V04, fault.path, fault.message);
  if (report.has_error()) return std::nullopt;
  for (const auto& fault : references.duplicates()) report.add(rules::V05, fault.path, fault.message);
  if (report.has_error()) return std::nullopt;
  return std::move(*agreement);
}

}  // namespace

std::string_view to_string(Severity severity) {
  return severity == Severity::error ? "error" : severity == Severity::warning ? "warning" : "info";
}

bool Validation::refused() const {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.severity == Severity::error; });
}

void Report::add(const Rule& rule, std::string path, std::string message) {
  const char severity = mode_ == Mode::compose ? rule.compose : mode_ == Mode::production ? rule.production : rule.test;
  if (severity == '-' || !seen_.emplace(rule.code, path).second) return;
  findings_.push_back({std::string(rule.code), severity == 'E' ? Severity::error : Severity::warning, std::move(path), std::move(message)});
}

bool Report::has_error() const {
  return std::any_of(findings_.begin(), findings_.end(), [](const Finding& finding) { return finding.severity == Severity::error; });
}

std::string Subject::path_of(std::string_view id) const {
  const auto element = references.element(id);
  return element ? element.path() : root.path();
}
std::string Subject::party_path(const PartyInfo& party) const {
  return parties[static_cast<std::size_t>(&party - agreement.parties.data())].path();
}
const PartyInfo& Subject::other(const PartyInfo& party) const {
  return agreement.parties[&party == agreement.parties.data() ? 1 : 0];
}

Validation validate(BytesView octets, const ValidationOptions& options) {
  Validation out;
  Report report(options.mode);
  const auto document = xml::Document::parse(octets, document_limits());
  if (!document) {
    report.add(rules::V01, document.error().location, document.error().detail);
    out.findings = report.take();
    return out;
  }
  const auto root = document->root();
  check_counts(root, report);
  if (!report.has_error()) {
    out.well_formed = true;
    const References references(root);
    out.agreement = check_structure(root, references, out, report);
    if (out.agreement) {
      const bool production = options.mode == Mode::compose ? options.production_environment : options.mode == Mode::production;
      const Subject subject{*out.agreement,
                            root,
                            references,
                            options,
                            report,
                            production,
                            root.children(names::cpa, "PartyInfo"),
                            pairs_of(*out.agreement),
                            used_channels(*out.agreement)};
      for (const auto check : {check_parties, check_actions, check_transports, check_characteristics, check_reliability, check_algorithms,
                               check_certificates, check_rest}) {
        check(subject);
      }
      std::set<Profile> profiles;
      for (const auto& pair : subject.pairs) profiles.insert(profile_of(pair));
      out.profiles.assign(profiles.begin(), profiles.end());
    }
  }
  out.findings = report.take();
  return out;
}

}  // namespace schakel::cpa
