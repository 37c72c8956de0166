// The official and the project's own CPA files, and small edits of their text. The files stand beside the repository; tests skip without
// them.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace schakel::testing {

inline std::filesystem::path cpa_standards() {
  return std::filesystem::path(SCHAKEL_SOURCE_DIR) / ".." / "shared" / "standards" / "cpa";
}
inline bool has_cpa_standards() {
  return std::filesystem::exists(cpa_standards() / "cpp-cpa-2_0.xsd");
}
#define SCHAKEL_NEEDS_CPA_STANDARDS() \
  if (!::schakel::testing::has_cpa_standards()) GTEST_SKIP() << "the official CPA files are not beside the repository"

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline std::string example_cpa() {
  return file_text(cpa_standards() / "example-osb-rm-s.xml");
}
inline std::string sample_cpa(std::string_view name) {
  return file_text(cpa_standards() / "samples" / (std::string(name) + ".xml"));
}

inline constexpr std::array<std::string_view, 16> sample_names = {
    "cpa-cv-http",
    "cpa-cv-https",
    "cpaStubEBF.be.http.signed",
    "cpaStubEBF.be.http.unsigned.sync",
    "cpaStubEBF.be.http.unsigned",
    "cpaStubEBF.be.https.signed.sync",
    "cpaStubEBF.be.https.signed",
    "cpaStubEBF.rm.http.signed-sha256",
    "cpaStubEBF.rm.http.signed",
    "cpaStubEBF.rm.http.unsigned.sync",
    "cpaStubEBF.rm.http.unsigned",
    "cpaStubEBF.rm.https.signed-sha256",
    "cpaStubEBF.rm.https.signed.ackSigned",
    "cpaStubEBF.rm.https.signed.encrypted",
    "cpaStubEBF.rm.https.signed.sync",
    "cpaStubEBF.rm.https.signed",
};

// Edits fail the test when there is nothing to edit: a mutation that changes nothing proves nothing.
inline std::string replaced_first(std::string text, std::string_view from, std::string_view to, std::size_t after = 0) {
  const auto at = text.find(from, after);
  EXPECT_NE(at, std::string::npos) << "nothing to replace: " << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}
inline std::string replaced_all(std::string text, std::string_view from, std::string_view to) {
  std::size_t count = 0;
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()), ++count) text.replace(at, from.size(), to);
  EXPECT_GT(count, 0U) << "nothing to replace: " << from;
  return text;
}
// Without what stands from the first `begin` (after `after`) to the end of the next `end`.
inline std::string without_first(std::string text, std::string_view begin, std::string_view end, std::size_t after = 0) {
  const auto first = text.find(begin, after);
  EXPECT_NE(first, std::string::npos) << "nothing to remove: " << begin;
  if (first == std::string::npos) return text;
  const auto last = text.find(end, first);
  EXPECT_NE(last, std::string::npos) << "nothing to remove to: " << end;
  return last == std::string::npos ? text : text.erase(first, last + end.size() - first);
}

}  // namespace schakel::testing
