// What we sign, judged by others: libxmlsec1 verifies it from the outside, libxml2 validates it against the official schema (A01, A02).
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "unit/ebms/official_schema.hpp"
#include "unit/ebms/secured.hpp"

namespace schakel::ebms {
namespace {

using testing::Secured;
using testing::unpacked;

class Independent : public Secured {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "schakel-signed-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  static bool has_xmlsec1() { return std::system("xmlsec1 --version >/dev/null 2>&1") == 0; }

  std::string written(const std::string& name, BytesView octets) {
    const auto path = folder / name;
    std::ofstream(path, std::ios::binary) << octets;
    return path.string();
  }

  // The verdict of xmlsec1 over the envelope, with the payloads as files.
  bool verifies(const Bytes& root, const std::vector<std::pair<std::string, Bytes>>& payloads, const security::Certificate& signer) {
    std::string command = "xmlsec1 --verify --enabled-key-data key-name --pubkey-cert-pem " + written("signer.pem", signer.pem());
    for (std::size_t i = 0; i < payloads.size(); ++i)
      command += " --url-map:" + payloads[i].first + " " + written("payload-" + std::to_string(i), payloads[i].second);
    command += " " + written("envelope.xml", root) + " >" + (folder / "verdict").string() + " 2>&1";
    return std::system(command.c_str()) == 0;
  }
  std::string verdict() const {
    std::ifstream in(folder / "verdict");
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path folder;
};

TEST_F(Independent, implementation_verifies_our_messages_and_acknowledgements) {  // EB-150..158, SEC-081; A01
  if (!has_xmlsec1()) GTEST_SKIP() << "xmlsec1 is not installed";
  for (const bool inclusive : {false, true}) {
    for (const bool synchronous : {false, true}) {
      auto builder = secured();
      builder.synchronous(synchronous);
      start_secured(builder);
      for (auto* node : {a.get(), b.get()}) {
        auto contract = builder.loaded(node->tenant, node == a.get() ? 0 : 1);
        contract.settings.inclusive_c14n = inclusive;
        node->load(contract);
      }
      sent.clear();
      answers.clear();
      ASSERT_TRUE(a->submit(question({"<m/>", "\r\n"})));
      settle();
      const auto request = unpacked(sent.at(0));
      const std::vector<std::pair<std::string, Bytes>> payloads{{"cid:" + request.parts[0].content_id, "<m/>"},
                                                                {"cid:" + request.parts[1].content_id, "\r\n"}};
      EXPECT_TRUE(verifies(request.root, payloads, melder().issued.certificate)) << verdict();
      auto other = payloads;
      other[0].second = "<n/>";
      EXPECT_FALSE(verifies(request.root, other, melder().issued.certificate)) << "this test can fail";
      const Bytes acknowledgment = synchronous ? answers.at(0).body : unpacked(sent.at(1)).root;
      EXPECT_TRUE(verifies(acknowledgment, {}, ontvanger().issued.certificate)) << verdict();
      EXPECT_FALSE(verifies(acknowledgment, {}, melder().issued.certificate));
    }
  }
}

TEST_F(Independent, schema_accepts_every_signed_kind) {  // EB-042, EB-152; A02
  NEEDS_STANDARDS();
  for (const auto profile : {cpa::Profile::osb_be_s, cpa::Profile::osb_rm_s, cpa::Profile::osb_be_e, cpa::Profile::osb_rm_e}) {
    sent.clear();
    start_secured(secured(profile));
    ASSERT_TRUE(a->submit(question({"<m/>", ""})));
    settle();
    for (const auto& request : sent) EXPECT_TRUE(official.accepts(unpacked(request).root)) << cpa::to_string(profile) << official.last();
  }
}

}  // namespace
}  // namespace schakel::ebms
