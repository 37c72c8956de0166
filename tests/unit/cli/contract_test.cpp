#include <gmock/gmock.h>

#include "fake_shell.hpp"
#include "support/cpa_samples.hpp"
#include "support/pki.hpp"

namespace schakel::cli {
namespace {

using ::testing::HasSubstr;

class Contracts : public Terminal {
 protected:
  Contracts() {
    node = [this](const ApiRequest& request) -> Result<ApiResponse> {
      const auto found = routes.find(request.method + " " + request.path);
      if (found == routes.end()) return problem_answer(404, "notFound", "there is no such thing");
      return found->second;
    };
    routes["GET /contracts?cpaId=cpa-1&page=1&perPage=2"] = answer(200, Json::array({contract("validated")}));
    routes["GET /contracts/c-17"] = answer(200, contract("validated"), {{"ETag", "\"4\""}});
  }
  static Json contract(const std::string& state) {
    return {{"id", "c-17"},        {"kind", "cpa"},
            {"cpaId", "cpa-1"},    {"state", state},
            {"profile", "osb-rm"}, {"parties", Json::array({{{"oin", "00000099000000010000"}}, {{"oin", "00000099000000300000"}}})}};
  }
  std::map<std::string, ApiResponse> routes;
};

TEST_F(Contracts, are_listed_with_their_parties) {
  routes["GET /contracts?kind=cpa&page=1&perPage=100"] = answer(200, Json::array({contract("active")}));
  EXPECT_EQ(run({"contract", "list", "--kind", "cpa"}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("00000099000000010000, 00000099000000300000"));
}

TEST_F(Contracts, are_named_by_cpa_id_too_and_changed_as_they_were_seen) {
  routes["POST /contracts/c-17/_activate"] = answer(200, contract("active"));
  EXPECT_EQ(run({"contract", "activate", "cpa-1"}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("active"));
  EXPECT_EQ(requests.back().headers.find("If-Match"), "\"4\"");
}

TEST_F(Contracts, import_shows_findings_and_ends_with_5) {
  routes["POST /contracts"] =
      problem_answer(400, "contract.invalid", "the CPA is refused",
                     {{"findings", Json::array({{{"code", "V20a"}, {"severity", "error"}, {"path", "/x"}, {"message", "not https"}}})}});
  EXPECT_EQ(run({"contract", "import", file("cpa.xml", "<x/>")}), 5);
  EXPECT_THAT(err.str(), HasSubstr("error V20a: not https at /x"));
}

TEST_F(Contracts, import_sends_the_octets_and_activates_on_request) {
  routes["POST /contracts?overwrite=true"] = answer(201, contract("validated"));
  routes["POST /contracts/c-17/_activate"] = answer(200, contract("active"));
  EXPECT_EQ(run({"contract", "import", file("cpa.xml", "<x/>"), "--overwrite", "--activate"}), 0) << err.str();
  EXPECT_EQ(requests.at(0).body, "<x/>");
  EXPECT_EQ(requests.at(0).content_type, "application/xml");
  EXPECT_THAT(out.str(), HasSubstr("active"));
}

TEST_F(Contracts, delete_needs_the_present_version) {
  routes["DELETE /contracts/c-17"] = ApiResponse{204, {}, {}};
  EXPECT_EQ(run({"contract", "delete", "cpa-1"}), 0) << err.str();
  EXPECT_EQ(requests.back().headers.find("If-Match"), "\"4\"");
  routes["DELETE /contracts/c-17"] = problem_answer(409, "contract.inUse", "3 messages are open");
  EXPECT_EQ(run({"contract", "delete", "cpa-1"}), 1);
  EXPECT_THAT(err.str(), HasSubstr("contract retire"));
}

TEST_F(Contracts, show_prints_the_document_as_it_was_loaded) {
  routes["GET /contracts/c-17/document"] = ApiResponse{200, {}, "<cpa>\r\n</cpa>"};
  EXPECT_EQ(run({"contract", "show", "cpa-1", "--document"}), 0) << err.str();
  EXPECT_EQ(out.str(), "<cpa>\r\n</cpa>");
}

TEST_F(Contracts, validate_works_without_a_node) {
  EXPECT_EQ(run({"contract", "validate", file("cpa.xml", "<no"), "--mode", "test"}), 5);
  EXPECT_THAT(out.str(), HasSubstr("V01"));
  EXPECT_EQ(run({"contract", "validate", file("cpa.xml", "<no"), "--mode", "party"}), 2);
  EXPECT_EQ(run({"contract", "validate", (folder / "absent.xml").string()}), 1);
  EXPECT_TRUE(requests.empty());
}

TEST_F(Contracts, validate_has_the_severities_of_the_mode) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto path = file("cpa.xml", schakel::testing::example_cpa());
  EXPECT_EQ(run({"contract", "validate", path, "--mode", "test", "--json"}), 0) << out.str();
  EXPECT_EQ(run({"contract", "validate", path, "--mode", "production"}), 5);
  EXPECT_THAT(out.str(), HasSubstr("V07e"));
}

TEST_F(Contracts, diff_names_what_was_added_removed_and_changed) {
  const auto before = file("a.xml", "<C id='1' old='x'><P n='a'>text</P><P>two</P></C>");
  const auto after = file("b.xml", "<C id='2'>\n  <P n='a'>text</P><P>TWO</P><Q/></C>");
  EXPECT_EQ(run({"contract", "diff", before, after, "--output", "csv"}), 5) << err.str();
  EXPECT_EQ(out.str(),
            "change,path,before,after\r\n"
            "changed,C/@id,1,2\r\n"
            "removed,C/@old,x,\r\n"
            "changed,C/P[2],two,TWO\r\n"
            "added,C/Q[1],,\r\n");
  EXPECT_EQ(run({"contract", "diff", before, before}), 0);
  EXPECT_EQ(out.str(), "no differences\n");
}

TEST_F(Contracts, diff_takes_contracts_of_the_node_and_refuses_what_is_no_xml) {
  routes["GET /contracts/c-17/document"] = ApiResponse{200, {}, "<C id='1'/>"};
  EXPECT_EQ(run({"contract", "diff", "cpa-1", file("b.xml", "<C id='1'></C>")}), 0) << err.str() << out.str();
  EXPECT_EQ(run({"contract", "diff", file("a.xml", "<C>"), file("b.xml", "<C/>")}), 1);
}

constexpr const char* specification = R"(<?xml version="1.0" encoding="UTF-8"?>
<ServiceSpecification xmlns="urn:schakel:cpa-service-specification:1" identifyingName="Voorbeeldregister.Meldingen.1.0" version="1"
    providerOin="00000099000000020000" profile="osb-rm" title="Meldingen">
  <Process name="Meldingen" version="1.0" uri="https://www.voorbeeldregister.example/meldingen"/>
  <Role name="Melder" side="consumer"/><Role name="Register" side="provider"/>
  <Service name="Voorbeeldregister:Meldingen:1:0"><Message action="meldWijziging" from="Melder" to="Register"/></Service>
</ServiceSpecification>
)";

class Composing : public Contracts {
 protected:
  // A party's file with its certificates beside it, from a real test PKI.
  std::string party(const std::string& oin, const std::string& name, const std::string& host) {
    const auto dir = (folder / "pki").string();
    if (!std::filesystem::exists(dir)) {
      std::filesystem::create_directory(dir);
      EXPECT_TRUE(test::pki().authority().save(dir));
      clock.at = SystemClock().now();
    }
    EXPECT_EQ(run({"pki", "issue", "--dir", dir, "--oin", oin, "--org", name, "--kvk", "12345678", "--dns", host}), 0) << err.str();
    const auto pem = "file:pki/ee/tls-" + oin + ".chain.pem";
    const Json json = {{"oin", oin},
                       {"environment", "T"},
                       {"name", name},
                       {"partyName", name},
                       {"partyId", oin},
                       {"partyIdType", "urn:osb:oin"},
                       {"endpointUrl", "https://" + host + "/ebms"},
                       {"profiles", {"osb-rm"}},
                       {"certificates", {{"tlsClient", pem}, {"tlsServer", pem}}}};
    return file(oin + ".json", json.dump());
  }
};

TEST_F(Composing, makes_a_document_that_validates) {
  const auto melder = party("00000099000000010000", "Gemeente Voorbeeldstad", "ebms.voorbeeldstad.example");
  const auto registry = party("00000099000000020000", "Voorbeeldregister", "ebms.voorbeeldregister.example");
  const auto target = (folder / "cpa.xml").string();
  const std::vector<std::string> arguments{"contract", "compose",          "--specification", file("s.xml", specification),
                                           "--party",  "Melder=" + melder, "--party",         "Register=" + registry,
                                           "--cpa-id", "cpa-test-1",       "--out",           target};
  ASSERT_EQ(run(arguments), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("cpa-test-1"));
  EXPECT_EQ(run({"contract", "validate", target, "--mode", "test"}), 0) << out.str();
  EXPECT_EQ(run(arguments), 1) << "not over an existing file";
}

TEST_F(Composing, tells_which_file_is_wrong) {
  const auto good = file("s.xml", specification);
  EXPECT_EQ(run({"contract", "compose", "--specification", good, "--party", "Melder=" + file("p.json", "{}"), "--party",
                 "Register=" + file("q.json", "{}"), "--out", "-"}),
            1);
  EXPECT_THAT(err.str(), HasSubstr("p.json"));
  EXPECT_EQ(run({"contract", "compose", "--specification", good, "--party", "Melder", "--party", "Register", "--out", "-"}), 2);
  EXPECT_EQ(run({"contract", "compose", "--specification", file("bad.xml", "<x/>"), "--party", "A=x", "--party", "B=x", "--out", "-"}), 1);
}

// ADP-304
TEST_F(Contracts, become_active_later_when_asked) {
  routes["POST /contracts/c-17/_activate"] = answer(200, contract("validated"));
  EXPECT_EQ(run({"contract", "activate", "cpa-1", "--valid-from", "2027-01-01T00:00:00+01:00"}), 0) << err.str();
  EXPECT_EQ(requests.back().body, R"({"validFrom":"2027-01-01T00:00:00+01:00"})");
}

}  // namespace
}  // namespace schakel::cli
