#include <gmock/gmock.h>

#include <map>

#include "fake_shell.hpp"

namespace schakel::cli {
namespace {

using ::testing::HasSubstr;

class WusCommands : public Terminal {
 protected:
  WusCommands() {
    node = [this](const ApiRequest& request) -> Result<ApiResponse> {
      const auto found = routes.find(request.method + " " + request.path);
      if (found == routes.end()) return problem_answer(404, "notFound", "there is no such thing");
      return found->second;
    };
  }
  std::map<std::string, ApiResponse> routes;
};

// WUS-260
TEST_F(WusCommands, a_call_prints_the_element_of_the_answer) {
  routes["POST /calls"] = answer(200, Json{{"outcome", "response"}, {"id", "m-1"}, {"messageId", "urn:uuid:1"}, {"body", "<antwoord/>"}});
  EXPECT_EQ(run({"wus", "call", "register", "vraag", file("vraag.xml", "<vraag/>"), "--to-oin", "00000099000000300000"}), 0) << err.str();
  EXPECT_EQ(out.str(), "<antwoord/>\n");
  const auto sent = Json::parse(requests.back().body);
  EXPECT_EQ(sent.value("contractId", ""), "register");
  EXPECT_EQ(sent.value("operation", ""), "vraag");
  EXPECT_EQ(sent.value("body", ""), "<vraag/>");
  EXPECT_EQ(sent.value("toOin", ""), "00000099000000300000");
}

// WUS-263
TEST_F(WusCommands, a_fault_of_the_partner_is_shown_and_ends_with_1) {
  routes["POST /calls"] =
      answer(200, Json{{"outcome", "fault"},
                       {"id", "m-1"},
                       {"messageId", "urn:uuid:1"},
                       {"fault", {{"faultcode", "{urn:x}Client"}, {"faultstring", "Onbekend"}, {"authenticated", true}}}});
  EXPECT_EQ(run({"wus", "call", "register", "vraag", file("vraag.xml", "<vraag/>")}), 1);
  EXPECT_THAT(out.str(), HasSubstr("Onbekend"));
}

TEST_F(WusCommands, a_failure_says_what_to_look_at) {
  routes["POST /calls"] = problem_answer(404, "notFound", "no such contract");
  EXPECT_EQ(run({"wus", "call", "register", "vraag", file("vraag.xml", "<vraag/>")}), 3);
  EXPECT_THAT(err.str(), HasSubstr("contract list --kind wsdl"));
}

// ADP-300
TEST_F(WusCommands, import_of_a_wsdl_sends_its_documents_and_settings) {
  routes["POST /contracts"] = answer(201, Json{{"id", "c-9"}, {"kind", "wsdl"}, {"name", "register"}, {"state", "validated"}});
  EXPECT_EQ(run({"contract", "import", file("a.wsdl", "<w/>"), file("b.xsd", "<x/>"), "--settings",
                 file("s.json", R"({"role":"provider"})"), "--name", "register"}),
            0)
      << err.str();
  EXPECT_THAT(requests.back().content_type, HasSubstr("multipart/form-data; boundary="));
  for (const char* part : {R"("main":"a.wsdl")", R"("settings":{"role":"provider"})", R"("name":"register")", "filename=\"a.wsdl\"", "<w/>",
                           "filename=\"b.xsd\"", "<x/>"})
    EXPECT_THAT(requests.back().body, HasSubstr(part));
  EXPECT_EQ(run({"contract", "import", file("a.wsdl", "<w/>"), file("b.xsd", "<x/>")}), 2) << "documents without settings";
  EXPECT_EQ(run({"contract", "import", file("a.wsdl", "<w/>"), "--settings", file("s.json", "[]")}), 2);
}

}  // namespace
}  // namespace schakel::cli
