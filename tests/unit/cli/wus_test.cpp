#include <gmock/gmock.h>

#include <map>

#include "base/bytes.hpp"
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

// adapter.md 2.1.3
TEST_F(WusCommands, attachments_go_beside_the_element_and_come_back_in_it_or_as_files) {
  routes["POST /calls"] =
      answer(200, Json{{"outcome", "response"},
                       {"body", "<a><b><xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:1@schakel\"/></b></a>"},
                       {"attachments", {{{"contentId", "1@schakel"}, {"size", 2}, {"data", to_base64("xy")}}}}});
  const std::vector<std::string> call{"wus", "call", "register", "vraag", file("vraag.xml", "<vraag/>")};
  auto with = call;
  with.insert(with.end(), {"--attachment", "b@x=" + file("b.bin", "octetten")});
  EXPECT_EQ(run(with), 0) << err.str();
  EXPECT_EQ(Json::parse(requests.back().body)["attachments"], Json({{{"contentId", "b@x"}, {"data", to_base64("octetten")}}}));
  EXPECT_EQ(out.str(), "<a><b>" + to_base64("xy") + "</b></a>\n");

  auto to_folder = call;
  to_folder.insert(to_folder.end(), {"--out", folder.string()});
  EXPECT_EQ(run(to_folder), 0) << err.str();
  EXPECT_EQ(Json::parse(requests.back().body)["attachments"], Json::array());
  EXPECT_THAT(out.str(), HasSubstr("href=\"cid:1@schakel\""));
  std::ifstream saved(folder / "1@schakel");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(saved), {}), "xy");

  EXPECT_EQ(run(call), 0);
  EXPECT_FALSE(Json::parse(requests.back().body).contains("attachments"));
  for (const auto& bad :
       {std::vector<std::string>{"--attachment", "b@x"}, {"--attachment", "=x"}, {"--out", (folder / "nergens").string()}}) {
    auto wrong = call;
    wrong.insert(wrong.end(), bad.begin(), bad.end());
    EXPECT_EQ(run(wrong), 2) << bad[1];
  }
  routes["POST /calls"] =
      answer(200, Json{{"outcome", "response"}, {"body", "<a/>"}, {"attachments", {{{"contentId", "../x"}, {"data", ""}}}}});
  EXPECT_EQ(run(to_folder), 1);
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
