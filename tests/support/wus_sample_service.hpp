// The sample service of wus.md, which stands beside the repository; tests skip without it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/cpa_samples.hpp"
#include "wus/wsdl.hpp"

namespace schakel::testing {

inline std::filesystem::path wus_standards() {
  return std::filesystem::path(SCHAKEL_SOURCE_DIR) / ".." / "shared" / "standards" / "wus";
}
#define SCHAKEL_NEEDS_WUS_STANDARDS()                                                   \
  if (!std::filesystem::exists(::schakel::testing::wus_standards() / "sample-service")) \
  GTEST_SKIP() << "the sample service of WUS is not beside the repository"

inline constexpr const char* binding_wsdl = "inschrijving-v1.wsdl";
inline constexpr const char* abstract_wsdl = "inschrijving-abstract-v1.wsdl";
inline constexpr const char* types_xsd = "inschrijving-v1.xsd";
inline constexpr const char* policy_xml = "inschrijving-policy-2W-be-SE.xml";
inline constexpr const char* data_namespace = "http://wus.aanbieder.example/xsd/inschrijving-v1";

// As somebody uploads it who selects the four files of the folder.
inline wus::Bundle sample_bundle() {
  wus::Bundle bundle;
  bundle.main = binding_wsdl;
  for (const auto* name : {binding_wsdl, abstract_wsdl, types_xsd, policy_xml})
    bundle.documents[name] = file_text(wus_standards() / "sample-service" / name);
  return bundle;
}

inline wus::Bundle with_edit(const char* document, std::string_view from, std::string_view to, std::size_t after = 0) {
  auto bundle = sample_bundle();
  auto& text = bundle.documents[document];
  text = replaced_first(text, from, to, after);
  return bundle;
}

// "error WW001", in order: what a person reads first.
inline std::vector<std::string> rules_of(const std::vector<wus::Finding>& findings) {
  std::vector<std::string> out;
  for (const auto& finding : findings) {
    const char* severity = finding.severity == wus::Severity::error     ? "error "
                           : finding.severity == wus::Severity::warning ? "warning "
                                                                        : "information ";
    out.push_back(severity + finding.rule);
  }
  return out;
}

inline std::vector<std::string> findings_of(const wus::Bundle& bundle, bool own = true) {
  return rules_of(wus::import_wsdl(bundle, own).findings);
}

}  // namespace schakel::testing
