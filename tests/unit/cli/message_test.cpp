#include <gmock/gmock.h>

#include "base/bytes.hpp"
#include "fake_shell.hpp"

namespace schakel::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* id = "0199a1b2-7c3d-7e11-9abc-0123456789ab";

Json message(const std::string& state = "DELIVERED") {
  return {{"id", id},
          {"tenant", "voorbeeldstad"},
          {"direction", "outbound"},
          {"protocol", "ebms"},
          {"profile", "osb-rm-s"},
          {"state", state},
          {"fromOin", "00000099000000010000"},
          {"toOin", "00000099000000300000"},
          {"service", "Terugmelding"},
          {"action", "meldFout"},
          {"messageId", "m-1@dk.voorbeeldstad.example"},
          {"createdAt", "2026-03-02T09:15:00.123Z"},
          {"payloads", Json::array()}};
}

Json trail() {
  return Json::array({{{"seq", 1}, {"at", "2026-03-02T09:15:00.123Z"}, {"node", "a"}, {"type", "submitted"}, {"actor", "schakel"}},
                      {{"seq", 2},
                       {"at", "2026-03-02T09:15:01.000Z"},
                       {"node", "a"},
                       {"type", "attemptFailed"},
                       {"actor", "schakel"},
                       {"peer", {{"oin", "00000099000000300000"}}},
                       {"code", "transport.timeout"},
                       {"detail", "no answer\x1b[2J"},
                       {"durationMs", 30000}}});
}

class Messages : public Terminal {
 protected:
  Messages() {
    environment["SCHAKEL_API_KEY"] = "sk_test_geheim";
    node = [this](const ApiRequest& request) -> Result<ApiResponse> {
      const auto found = routes.find(request.method + " " + request.path);
      if (found == routes.end()) return problem_answer(404, "notFound", "there is no such thing");
      return found->second;
    };
  }
  std::string requested(std::size_t i) const { return requests.at(i).method + " " + requests.at(i).path; }

  std::map<std::string, ApiResponse> routes;
};

TEST_F(Messages, are_listed_with_filters_as_the_api_names_them) {
  routes["GET /messages?state=FAILED&fromOin=00000099000000010000&receivedFrom=2026-03-01T00%3A00%3A00Z&page=1&perPage=50"] =
      answer(200, Json::array({message("FAILED")}));
  EXPECT_EQ(run({"message", "list", "--state", "FAILED", "--from", "00000099000000010000", "--since", "2026-03-01T00:00:00Z"}), 0)
      << err.str();
  EXPECT_THAT(out.str(), HasSubstr("outbound  FAILED"));
  EXPECT_THAT(out.str(), HasSubstr("2026-03-02T09:15:00.123Z"));
}

TEST_F(Messages, are_read_page_by_page_up_to_the_limit) {
  Json full = Json::array();
  for (int i = 0; i < 100; ++i) full.push_back(message());
  routes["GET /messages?page=1&perPage=100"] = answer(200, full, {{"Total-Pages", "3"}});
  routes["GET /messages?page=2&perPage=100"] = answer(200, full, {{"Total-Pages", "3"}});
  EXPECT_EQ(run({"message", "list", "--limit", "120", "--json"}), 0) << err.str();
  EXPECT_EQ(Json::parse(out.str()).size(), 120U);
  EXPECT_EQ(requests.size(), 2U);
}

TEST_F(Messages, trace_prints_the_trail_as_a_table_that_cannot_move_the_cursor) {
  routes[std::string("GET /messages/") + id] = answer(200, message("QUEUED"));
  routes[std::string("GET /messages/") + id + "/events"] = answer(200, trail());
  EXPECT_EQ(run({"message", "trace", id}), 0) << err.str();
  EXPECT_EQ(out.str(),
            "0199a1b2-7c3d-7e11-9abc-0123456789ab  outbound ebms osb-rm-s  QUEUED\n"
            "00000099000000010000 -> 00000099000000300000  Terugmelding/meldFout  m-1@dk.voorbeeldstad.example\n"
            "AT                        EVENT          NODE  ACTOR    PEER                  CODE                  MS  DETAIL\n"
            "2026-03-02T09:15:00.123Z  submitted      a     schakel  -                     -                      -  -\n"
            "2026-03-02T09:15:01.000Z  attemptFailed  a     schakel  00000099000000300000  transport.timeout  30000  no answer\\x1b[2J\n");
}

// ADP-501 (the part of the command line): the protocol's id and the conversation find the same trail.
TEST_F(Messages, are_found_by_message_id_and_conversation) {
  routes["GET /messages?messageId=m-1%40dk.voorbeeldstad.example&page=1&perPage=100"] = answer(200, Json::array({message()}));
  routes["GET /messages?messageId=zaak-1&page=1&perPage=100"] = answer(200, Json::array());
  routes["GET /messages?conversationId=zaak-1&page=1&perPage=100"] = answer(200, Json::array({message()}));
  routes[std::string("GET /messages/") + id] = answer(200, message());
  routes[std::string("GET /messages/") + id + "/events"] = answer(200, trail());
  EXPECT_EQ(run({"message", "show", "m-1@dk.voorbeeldstad.example"}), 0) << err.str();
  EXPECT_EQ(run({"message", "trace", "zaak-1", "--json"}), 0) << err.str();
  EXPECT_EQ(Json::parse(out.str()), trail());
}

TEST_F(Messages, that_do_not_exist_give_3) {
  EXPECT_EQ(run({"message", "show", id}), 3);
  EXPECT_THAT(err.str(), HasSubstr("there is no such thing (notFound)"));
  routes["GET /messages?messageId=x&page=1&perPage=100"] = answer(200, Json::array());
  routes["GET /messages?conversationId=x&page=1&perPage=100"] = answer(200, Json::array());
  EXPECT_EQ(run({"message", "trace", "x"}), 3);
}

// Problem details as code, detail and errors[].
TEST_F(Messages, problems_of_the_node_are_shown_whole) {
  node = [](const ApiRequest&) -> Result<ApiResponse> {
    return problem_answer(
        400, "request.invalid", "the request has faults",
        {{"errors", Json::array({{{"in", "query"}, {"location", "state"}, {"code", "request.invalid"}, {"detail", "unknown state"}}})}});
  };
  EXPECT_EQ(run({"message", "list", "--state", "LOST"}), 1);
  EXPECT_THAT(err.str(), HasSubstr("the request has faults (request.invalid)\n  - query state: unknown state (request.invalid)\n"));
}

TEST_F(Messages, refusals_give_4_and_say_how_to_get_in) {
  node = [](const ApiRequest&) -> Result<ApiResponse> { return problem_answer(401, "auth.missing", "log in"); };
  EXPECT_EQ(run({"message", "list"}), 4);
  EXPECT_THAT(err.str(), HasSubstr("SCHAKEL_API_KEY"));
  node = [](const ApiRequest&) -> Result<ApiResponse> { return problem_answer(403, "auth.forbidden", "no permission message.read"); };
  EXPECT_EQ(run({"message", "list"}), 4);
}

TEST_F(Messages, an_absent_node_gives_1_and_says_so) {
  node = [](const ApiRequest&) -> Result<ApiResponse> { return fail("transport.connect", "127.0.0.1:8081 refuses the connection"); };
  EXPECT_EQ(run({"message", "list"}), 1);
  EXPECT_THAT(err.str(), HasSubstr("schakel serve"));
}

TEST_F(Messages, an_answer_of_something_else_than_a_node_is_no_crash) {
  for (const auto& body : {"<html>", "\"x\"", "[1,2]", ""}) {
    node = [body](const ApiRequest&) -> Result<ApiResponse> { return ApiResponse{200, {}, body}; };
    for (const auto* verb : {"show", "trace", "fetch"}) EXPECT_NE(run({"message", verb, id}), 0) << verb << body;
    EXPECT_NO_THROW(run({"message", "list"})) << body;
    node = [body](const ApiRequest&) -> Result<ApiResponse> { return ApiResponse{502, {}, body}; };
    EXPECT_EQ(run({"message", "list"}), 1) << body;
    EXPECT_THAT(err.str(), HasSubstr("502"));
  }
}

TEST_F(Messages, send_makes_a_descriptor_and_streams_the_files) {
  routes["POST /messages"] = answer(202, message("ACCEPTED"));
  const auto xml = file("melding.xml", "<melding/>");
  const auto blob = file("bijlage", "x");
  EXPECT_EQ(run({"message", "send", "--cpa", "cpa-1", "--to", "00000099000000300000", "--service", "Terugmelding", "--action", "meldFout",
                 "--label", "zaak=17", "--payload", xml, "--payload", blob + ";type=image/tiff", "--idempotency-key", "k1"}),
            0)
      << err.str();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(
      Json::parse(requests[0].body),
      Json::parse(R"({"cpaId":"cpa-1","toOin":"00000099000000300000","service":"Terugmelding","action":"meldFout","labels":{"zaak":"17"},
    "payloads":[{"contentType":"application/xml","fileName":"melding.xml"},{"contentType":"image/tiff","fileName":"bijlage"}]})"));
  EXPECT_EQ(requests[0].headers.find("Idempotency-Key"), "k1");
  ASSERT_EQ(requests[0].files.size(), 2U);
  EXPECT_EQ(requests[0].files[0].path, xml);
  EXPECT_EQ(requests[0].files[1].path, blob);
  EXPECT_THAT(out.str(), HasSubstr("ACCEPTED"));
}

TEST_F(Messages, send_always_has_an_idempotency_key_and_names_it_when_the_answer_was_lost) {
  node = [](const ApiRequest&) -> Result<ApiResponse> { return fail("transport.timeout", "no answer", "after"); };
  EXPECT_EQ(run({"message", "send", "--cpa", "cpa-1"}), 1);
  const auto key = std::string(requests.at(0).headers.find("Idempotency-Key").value_or(""));
  EXPECT_TRUE(is_uuid(key));
  EXPECT_THAT(err.str(), HasSubstr("--idempotency-key " + key));
}

TEST_F(Messages, send_waits_for_the_end_and_tells_when_it_is_not_delivery) {
  routes["POST /messages"] = answer(202, message("ACCEPTED"));
  int asked = 0;
  node = [&](const ApiRequest& request) -> Result<ApiResponse> {
    if (request.method == "POST") return answer(202, message("ACCEPTED"));
    return answer(200, message(++asked < 3 ? "SENT" : "DELIVERED"));
  };
  EXPECT_EQ(run({"message", "send", "--cpa", "c", "--wait", "60s"}), 0) << err.str();
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(slept, std::chrono::milliseconds(100 + 200 + 400));
  node = [&](const ApiRequest&) -> Result<ApiResponse> { return answer(200, message("FAILED")); };
  EXPECT_EQ(run({"message", "send", "--cpa", "c", "--wait", "60s"}), 1);
  EXPECT_THAT(err.str(), HasSubstr("message trace"));
  node = [&](const ApiRequest&) -> Result<ApiResponse> { return answer(200, message("SENT")); };
  EXPECT_EQ(run({"message", "send", "--cpa", "c", "--wait", "2s"}), 1);
}

TEST_F(Messages, send_refuses_files_and_labels_that_cannot_be) {
  EXPECT_EQ(run({"message", "send", "--payload", (folder / "absent.xml").string()}), 1);
  EXPECT_EQ(run({"message", "send", "--payload", folder.string()}), 1);
  EXPECT_EQ(run({"message", "send", "--label", "zonder"}), 2);
  EXPECT_EQ(run({"message", "send", "--wait", "soon"}), 1);
  EXPECT_TRUE(requests.empty());
}

class Fetch : public Messages {
 protected:
  Fetch() {
    for (std::size_t i = 0; i < 9 * 1024 * 1024; ++i) octets += static_cast<char>('a' + i % 23);
    described = message("RECEIVED");
    described["payloads"] = Json::array({{{"index", 0},
                                          {"contentType", "application/xml"},
                                          {"fileName", "../../etc/cron.d/x"},
                                          {"size", octets.size()},
                                          {"sha256", sha256_hex(octets)},
                                          {"purged", false}}});
    node = [this](const ApiRequest& request) -> Result<ApiResponse> {
      if (!request.path.ends_with("/payloads/0")) return answer(200, described);
      const auto range = request.headers.find("Range");
      if (!range) return ApiResponse{200, {}, octets};
      std::uint64_t from = 0, to = 0;
      EXPECT_EQ(std::sscanf(std::string(*range).c_str(), "bytes=%lu-%lu", &from, &to), 2);
      ++ranges;
      return ApiResponse{206, {}, octets.substr(from, to + 1 - from)};
    };
  }
  std::string octets;
  Json described;
  int ranges = 0;
};

TEST_F(Fetch, gets_large_payloads_in_ranges_and_checks_the_hash) {
  const auto target = (folder / "uit.xml").string();
  EXPECT_EQ(run({"message", "fetch", id, "--out", target}), 0) << err.str();
  EXPECT_EQ(ranges, 3);
  EXPECT_EQ(content_of(target), octets);
  EXPECT_EQ(run({"message", "fetch", id, "--out", target}), 1);  // not over an existing file
  EXPECT_EQ(run({"message", "fetch", id, "--out", target, "--force"}), 0);
}

TEST_F(Fetch, writes_to_standard_output_by_default) {
  EXPECT_EQ(run({"message", "fetch", id}), 0) << err.str();
  EXPECT_EQ(out.str(), octets);
}

TEST_F(Fetch, keeps_no_file_with_a_wrong_hash) {
  octets[5] = '!';
  const auto target = (folder / "uit.xml").string();
  EXPECT_EQ(run({"message", "fetch", id, "--out", target}), 1);
  EXPECT_THAT(err.str(), HasSubstr("payload.damaged"));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(Fetch, does_not_let_the_partner_choose_where_a_file_goes) {
  EXPECT_EQ(run({"message", "fetch", id, "--out", folder.string()}), 0) << err.str();
  EXPECT_TRUE(std::filesystem::exists(folder / "0-x"));
}

TEST_F(Fetch, tells_what_is_missing) {
  EXPECT_EQ(run({"message", "fetch", id, "--payload", "3"}), 3);
  described["payloads"][0]["purged"] = true;
  EXPECT_EQ(run({"message", "fetch", id}), 1);
  EXPECT_THAT(err.str(), HasSubstr("payload.purged"));
  described["payloads"] = Json::array();
  EXPECT_EQ(run({"message", "fetch", id}), 3);
}

TEST_F(Messages, ack_sends_the_applications_verdict) {
  routes[std::string("POST /messages/") + id + "/acknowledgement"] = ApiResponse{204, {}, {}};
  EXPECT_EQ(run({"message", "ack", id}), 0) << err.str();
  EXPECT_EQ(requests.at(0).body, R"({"result":"processed"})");
  EXPECT_EQ(run({"message", "ack", id, "--rejected", "--code", "zaak.onbekend", "--detail", "no such case"}), 0);
  EXPECT_EQ(requests.at(1).body, R"({"result":"rejected","code":"zaak.onbekend","detail":"no such case"})");
  EXPECT_EQ(run({"message", "ack", id, "--code", "x"}), 2);
}

TEST_F(Messages, actions_carry_their_reason) {
  const std::map<std::string, std::string> actions = {
      {"resend", "resend"}, {"cancel", "cancel"}, {"retry", "retryNow"}, {"replay", "replay"}, {"purge", "purgePayload"}};
  for (const auto& [verb, action] : actions) {
    requests.clear();
    routes[std::string("POST /messages/") + id + "/actions"] = answer(202, {{"message", id}, {"action", action}, {"state", "QUEUED"}});
    EXPECT_EQ(run({"message", verb, id}), 2) << "a reason is mandatory";
    EXPECT_EQ(run({"message", verb, id, "--reason", "op verzoek"}), 0) << err.str();
    EXPECT_EQ(Json::parse(requests.at(0).body), (Json{{"action", action}, {"reason", "op verzoek"}}));
  }
  EXPECT_EQ(run({"message", "resend", id, "--reason", "op verzoek", "--force"}), 0);
  EXPECT_EQ(Json::parse(requests.back().body)["parameters"]["force"], true);
}

TEST_F(Messages, actions_on_several_go_on_after_a_refusal) {
  const std::string other = "0199a1b2-7c3d-7e11-9abc-0123456789ac";
  routes["POST /messages/" + other + "/actions"] = answer(202, {{"message", other}, {"action", "cancel"}, {"state", "CANCELLED"}});
  routes[std::string("POST /messages/") + id + "/actions"] = problem_answer(409, "state.conflict", "it was sent");
  EXPECT_EQ(run({"message", "cancel", id, other, "--reason", "fout"}), 1);
  EXPECT_THAT(out.str(), HasSubstr(other));
  EXPECT_THAT(err.str(), HasSubstr("state.conflict"));
}

// SEC-071: an API key comes from a file that nobody else can read, or from the environment, and is never shown.
TEST_F(Messages, the_api_key_comes_from_the_environment_or_a_private_file) {
  routes["GET /messages?page=1&perPage=50"] = answer(200, Json::array());
  EXPECT_EQ(run({"message", "list"}), 0);
  EXPECT_EQ(access.api_key, "sk_test_geheim");
  EXPECT_EQ(access.url, "http://127.0.0.1:8081");
  const auto path = file("key", "sk_test_uit_bestand\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  EXPECT_EQ(run({"message", "list", "--api-key-file", path, "--url", "http://node.example:8081/"}), 0) << err.str();
  EXPECT_EQ(access.api_key, "sk_test_uit_bestand");
  EXPECT_EQ(access.url, "http://node.example:8081");
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::group_read);
  EXPECT_EQ(run({"message", "list", "--api-key-file", path}), 1);
  EXPECT_THAT(err.str(), HasSubstr("chmod 600"));
  EXPECT_THAT(out.str() + err.str(), Not(HasSubstr("sk_test")));
}

TEST_F(Messages, a_key_file_without_one_key_is_refused) {
  for (const auto& content : {"", "a b", "one\ntwo"}) {
    const auto path = file("key", content);
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    EXPECT_EQ(run({"message", "list", "--api-key-file", path}), 1) << content;
  }
  EXPECT_EQ(run({"message", "list", "--api-key-file", (folder / "absent").string()}), 1);
  EXPECT_EQ(run({"message", "list", "--url", "ftp://x"}), 2);
  EXPECT_TRUE(requests.empty());
}

// ADP-701, ADP-804: many at once; first shown, then with --yes done
TEST_F(Messages, are_acted_on_by_a_filter_after_a_preview) {
  routes["POST /message-actions"] =
      answer(200, {{"action", "cancel"}, {"total", 2}, {"byState", {{"QUEUED", 2}}}, {"messages", Json::array({message("QUEUED")})}});
  EXPECT_EQ(run({"message", "cancel", "--filter", "state=QUEUED", "--filter", "toOin=00000099000000300000", "--reason", "partner is gone"}),
            0)
      << err.str();
  EXPECT_EQ(Json::parse(requests.at(0).body), (Json{{"filter", {{"state", "QUEUED"}, {"toOin", "00000099000000300000"}}},
                                                    {"action", "cancel"},
                                                    {"reason", "partner is gone"},
                                                    {"dryRun", true}}));
  EXPECT_THAT(out.str(), HasSubstr("2 messages would be meant; --yes does it\n  QUEUED  2\n"));
  EXPECT_THAT(out.str(), HasSubstr(id));
  routes["POST /message-actions"] = answer(202, {{"id", "0199a1b2-0000-7000-8000-000000000001"},
                                                 {"action", "cancel"},
                                                 {"state", "queued"},
                                                 {"total", 2},
                                                 {"done", 0},
                                                 {"failed", 0}});
  EXPECT_EQ(run({"message", "cancel", "--filter", "state=QUEUED", "--reason", "partner is gone", "--yes", "--json"}), 0) << err.str();
  EXPECT_EQ(Json::parse(requests.at(1).body)["dryRun"], false);
  EXPECT_THAT(out.str(), HasSubstr("0199a1b2-0000-7000-8000-000000000001"));
}

TEST_F(Messages, need_ids_or_a_filter_and_not_both) {
  EXPECT_EQ(run({"message", "cancel", "--reason", "partner is gone"}), 2);
  EXPECT_EQ(run({"message", "cancel", id, "--filter", "state=QUEUED", "--reason", "partner is gone"}), 2);
  EXPECT_EQ(run({"message", "cancel", "--filter", "state", "--reason", "partner is gone"}), 2);
  EXPECT_EQ(run({"message", "cancel", "--filter", "state=A", "--filter", "state=B", "--reason", "partner is gone"}), 2);
  EXPECT_TRUE(requests.empty());
}

}  // namespace
}  // namespace schakel::cli
