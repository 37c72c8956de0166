// What a receiver refuses, how it says so, and what stays behind (ebms.md 3.4, 3.5, section 4). The sample messages are rendered against
// the sample agreement.

#include <fstream>
#include <sstream>

#include "base/json_library.hpp"
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using testing::WireRequest;
using State = exchange::State;

const std::string kStandards = std::string(SCHAKEL_SOURCE_DIR) + "/../shared/standards/ebms";

std::string file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

// OVERHEID under cpaStubEBF.rm.http.unsigned.sync, over plain HTTP as that agreement says.
class Receiver : public ::testing::Test {
 protected:
  void SetUp() override {
    if (file(kStandards + "/messages/EbMSMessage.xml").empty()) GTEST_SKIP() << "the sample messages are not beside the repository";
    clock.set(parse_datetime("2016-01-15T10:00:00Z")->instant);
    load("cpaStubEBF.rm.http.unsigned.sync");
  }

  cpa::LoadedContract sample(const std::string& name) {
    cpa::LoadedContract loaded;
    auto agreement = cpa::parse(file(kStandards + "/cpa/" + name + ".xml"));
    EXPECT_TRUE(agreement) << agreement.error().detail;
    loaded.agreement = std::move(*agreement);
    loaded.own_party = loaded.agreement.party_of({{"urn:osb:oin", "00000000000000000001"}});
    loaded.environment = "test";
    loaded.row.id = "c1";
    loaded.row.tenant = "overheid";
    loaded.row.name = loaded.agreement.cpa_id;
    loaded.row.state = exchange::ContractState::active;
    clock.set(loaded.agreement.start.instant + std::chrono::days(30));
    return loaded;
  }
  void load(const std::string& name) {
    Settings settings;
    settings.insecure_transport = true;
    contract = sample(name);
    node = std::make_unique<testing::Node>("overheid", clock, contract, 5, settings);
  }

  std::string render(const std::string& name, std::string_view uuid = "11111111-0000-4000-8000-000000000001") {
    std::string text = file(kStandards + "/messages/" + name + ".xml");
    replace_all(text, "[[${fromPartyId}]]", "00000000000000000000");
    replace_all(text, "[[${toPartyId}]]", "00000000000000000001");
    replace_all(text, "[[${fromRole}]]", "DIGIPOORT");
    replace_all(text, "[[${toRole}]]", "OVERHEID");
    replace_all(text, "[[${cpaId}]]", contract.agreement.cpa_id);
    replace_all(text, "[[${service}]]", "osb:afleveren:1.1$1.0");
    replace_all(text, "[[${action}]]", "afleveren");
    replace_all(text, "[[${uuid}]]", uuid);
    replace_all(text, "[[${timestamp}]]", to_xs_datetime(clock.now()));
    replace_all(text, "[[${timeToLive}]]", to_xs_datetime(clock.now() + 30min));
    replace_all(text, "${partyType}", "urn:osb:oin");
    replace_all(text, "${serviceType}", "urn:osb:services");
    replace_all(text, "th:eb:type", "eb:type");
    replace_all(text, "th:xlink:href=\"${'cid:' + cid}\"", "xlink:href=\"cid:p1@x\"");
    replace_all(text, " th:each=\"cid: ${cids}\"", "");
    return text;
  }

  Answer post(const std::string& root) { return node->receive({"", {{"Content-Type", "text/xml; charset=UTF-8"}}, root}, nullptr); }
  Answer post(const std::string& root, const std::vector<std::pair<std::string, Bytes>>& parts) {
    std::string body = "--B\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <r@x>\r\n\r\n" + root;
    for (const auto& [id, octets] : parts) body += "\r\n--B\r\nContent-Type: application/xml\r\nContent-ID: <" + id + ">\r\n\r\n" + octets;
    return node->receive(
        {"", {{"Content-Type", "multipart/related; boundary=B; type=\"text/xml\"; start=\"<r@x>\""}}, body + "\r\n--B--\r\n"}, nullptr);
  }

  // Expects a MessageError on the connection, with everything that EB-130 says.
  void expect_error(const Answer& answer, std::string_view code, std::string_view location, std::string_view description,
                    const std::string& what) {
    ASSERT_EQ(answer.status, 200u) << what << answer.body;
    const auto error = parse_envelope(answer.body, "UTF-8");
    ASSERT_TRUE(error) << what << error.error().detail;
    ASSERT_TRUE(error->error_list) << what << answer.body;
    ASSERT_EQ(error->error_list->errors.size(), 1u) << what;
    const ErrorEntry& entry = error->error_list->errors[0];
    EXPECT_EQ(entry.error_code, code) << what;
    EXPECT_EQ(entry.location, location) << what;
    EXPECT_EQ(entry.description, description) << what;
    EXPECT_TRUE(entry.is_error && error->error_list->highest_is_error) << what;
    EXPECT_EQ(entry.code_context, uri::errors) << what;
    EXPECT_EQ(error->header.service, uri::signal_service) << what;
    EXPECT_EQ(error->header.action, "MessageError") << what;
    EXPECT_EQ(error->header.ref_to_message_id, "11111111-0000-4000-8000-000000000001@localhost") << what;
    EXPECT_EQ(error->header.conversation_id, "11111111-0000-4000-8000-000000000001") << what;
    EXPECT_EQ(error->header.from.ids.front().value, "00000000000000000001") << what;
    EXPECT_EQ(error->header.to.ids.front().value, "00000000000000000000") << what;
    ASSERT_EQ(node->inbound().size(), 1u) << what;
    const auto message = node->inbound().front();
    EXPECT_EQ(message.state, State::refused) << what;
    EXPECT_EQ(message.last_error->code, code) << what;
    for (const auto& payload : node->payloads(message.id)) EXPECT_TRUE(payload.purged) << what;
    EXPECT_EQ(node->count("SELECT count(*) FROM blob_chunks"), 0) << what;
    EXPECT_TRUE(node->events().empty()) << what;
    EXPECT_EQ(node->work("message.offer"), 0) << what;
    EXPECT_EQ(node->count("SELECT count(*) FROM queue_entries"), 0) << what;
  }

  void expect_fault(const Answer& answer, unsigned status, std::string_view faultcode, std::string_view token, const std::string& what) {
    EXPECT_EQ(answer.status, status) << what;
    EXPECT_EQ(answer.content_type, "text/xml; charset=UTF-8") << what;
    EXPECT_NE(answer.body.find("<faultcode>soap:" + std::string(faultcode) + "</faultcode><faultstring>" + std::string(token)),
              std::string::npos)
        << what << answer.body;
    EXPECT_EQ(node->count("SELECT count(*) FROM messages"), 0) << what;
    EXPECT_EQ(node->count("SELECT count(*) FROM duplicate_keys"), 0) << what;
    EXPECT_EQ(node->work("ebms.signal"), 0) << what;
  }

  testing::FakeClock clock;
  cpa::LoadedContract contract;
  std::unique_ptr<testing::Node> node;
};

TEST_F(Receiver, accepts_the_sample_messages) {  // EB-008, EB-121, EB-216
  EXPECT_EQ(post(render("EbMSMessage")).status, 200u);
  const Answer answer = post(render("EbMSMessageWithAttachments", "22222222-0000-4000-8000-000000000002"), {{"p1@x", "<m/>"}});
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const auto ack = parse_envelope(answer.body, "UTF-8");
  EXPECT_EQ(ack->header.action, "Acknowledgment");
  EXPECT_EQ(ack->header.from.role, "OVERHEID");
  EXPECT_EQ(ack->header.to.role, "DIGIPOORT");
  EXPECT_EQ(node->inbound().size(), 2u);
}

TEST_F(Receiver, refuses_the_faulty_sample_messages_as_specified) {  // CPA-054, EB-130, EB-133, EB-134, EB-135, EB-138, EB-190, EB-203
  struct Row {
    const char *file, *code, *path, *description;
  };
  const Row rows[] = {
      {"EbMSMessageInvalidMessageHeaderVersion", "Inconsistent", "//Header/MessageHeader/@version", "Invalid value."},
      {"EbMSMessageMissingFromRole", "Inconsistent", "//Header/MessageHeader/From/Role", "Invalid value."},
      {"EbMSMessageInvalidToPartyType", "Inconsistent", "//Header/MessageHeader/To/PartyId", "Value not found."},
      {"EbMSMessageMissingDuplicateElimination", "Inconsistent", "//Header/MessageHeader/DuplicateElimination", "Wrong value."},
      {"EbMSMessageMissingAckRequested", "Inconsistent", "//Header/AckRequested", "Wrong value."},
      {"EbMSMessageInvalidAckRequestedVersion", "Inconsistent", "//Header/AckRequested/@version", "Invalid value."},
      {"EbMSMessageNextMshAckRequested", "NotSupported", "//Header/AckRequested/@actor", "NextMSH not supported."},
      {"EbMSMessageInvalidAckRequestedActor", "Inconsistent", "//Header/AckRequested/@actor", "Invalid value."},
      {"EbMSMessageInvalidAckRequestedSigned", "Inconsistent", "//Header/AckRequested/@signed", "Wrong value."},
      {"EbMSMessageMissingSyncReply", "Inconsistent", "//Header/SyncReply", "Wrong value."},
      {"EbMSMessageInvalidSyncReplyVersion", "Inconsistent", "//Header/SyncReply/@version", "Invalid value."},
      {"EbMSMessageInvalidSyncReplyActor", "Inconsistent", "//Header/SyncReply/@actor", "Wrong value."},
      {"EbMSMessageMessageOrder", "NotSupported", "//Header/MessageOrder", "MessageOrder not supported."},
      {"EbMSMessageInvalidManifestVersion", "Inconsistent", "//Body/Manifest/@version", "Invalid value."},
  };
  for (const Row& row : rows) {
    load("cpaStubEBF.rm.http.unsigned.sync");
    expect_error(post(render(row.file), {{"p1@x", "<m/>"}}), row.code, xpointer(row.path), row.description, row.file);
  }
}

TEST_F(Receiver, refuses_every_other_row_of_the_table_as_specified) {  // CPA-054, EB-062, EB-064, EB-066, EB-073, EB-133, EB-134
  struct Row {
    const char *from, *to, *code, *location, *description;
  };
  const std::string type = "eb:type=\"urn:osb:oin\"";
  const Row rows[] = {
      {"<eb:PartyId eb:type=\"urn:osb:oin\">00000000000000000000", "<eb:PartyId>00000000000000000000", "Inconsistent",
       "xpointer(//Header/MessageHeader/From/PartyId)", "Invalid value."},
      {"<eb:PartyId eb:type=\"urn:osb:oin\">00000000000000000001", "<eb:PartyId>00000000000000000001", "Inconsistent",
       "xpointer(//Header/MessageHeader/To/PartyId)", "Invalid value."},
      {"<eb:PartyId eb:type=\"urn:osb:oin\">00000000000000000001",
       "<eb:PartyId eb:type=\"urn:osb:oin\">00000000000000000001</eb:PartyId><eb:PartyId eb:type=\"urn:osb:oin\">1", "Inconsistent",
       "xpointer(//Header/MessageHeader/To/PartyId)", "Invalid value."},
      {"<eb:Role>OVERHEID</eb:Role>", "", "Inconsistent", "xpointer(//Header/MessageHeader/To/Role)", "Invalid value."},
      {"<eb:PartyId eb:type=\"urn:osb:oin\">00000000000000000000</eb:PartyId>",
       "<eb:PartyId eb:type=\"urn:osb:oin\">00000000000000000000</eb:PartyId><eb:PartyId eb:type=\"other\">x</eb:PartyId>", "Inconsistent",
       "xpointer(//Header/MessageHeader/From/PartyId)", "Value not found."},
      {" eb:type=\"urn:osb:services\">osb:afleveren:1.1$1.0", ">no-uri", "Inconsistent", "xpointer(//Header/MessageHeader/Service)",
       "Invalid value."},
      {"<eb:Action>afleveren", "<eb:Action>Afleveren", "ValueNotRecognized", "xpointer(//Header/MessageHeader/Action)", "Value not found."},
      {"<eb:Action>afleveren", "<eb:Action>bevestigAfleveren", "ValueNotRecognized", "xpointer(//Header/MessageHeader/Action)",
       "Value not found."},
      {"<eb:Role>DIGIPOORT", "<eb:Role>digipoort", "ValueNotRecognized", "xpointer(//Header/MessageHeader/Action)", "Value not found."},
      {">osb:afleveren:1.1$1.0", ">osb:afleveren:1.1$1.1", "ValueNotRecognized", "xpointer(//Header/MessageHeader/Action)",
       "Value not found."},
  };
  for (const Row& row : rows) {
    load("cpaStubEBF.rm.http.unsigned.sync");
    expect_error(post(replaced(render("EbMSMessage"), row.from, row.to)), row.code, row.location, row.description,
                 std::string(row.from) + " -> " + row.to);
  }
}

TEST_F(Receiver, refuses_a_message_that_is_not_for_us_or_from_us) {  // EB-062
  std::string text = render("EbMSMessage");
  replace_all(text, "00000000000000000001", "00000000000000000000");
  const Answer answer = post(text);
  const auto error = parse_envelope(answer.body, "UTF-8");
  ASSERT_TRUE(error && error->error_list) << answer.body;
  EXPECT_EQ(error->error_list->errors[0].location, xpointer("//Header/MessageHeader/To/PartyId"));
}

TEST_F(Receiver, refuses_a_message_outside_the_agreements_time) {  // CPA-056, cpa.md 6.1 rows 11 and 12, EB-064, EB-068
  const Instant start = contract.agreement.start.instant, end = contract.agreement.end.instant;
  const auto at = [&](Instant timestamp, Instant receipt) {
    load("cpaStubEBF.rm.http.unsigned.sync");
    clock.set(receipt);
    const std::string text =
        replaced(replaced(render("EbMSMessage"), "<eb:Timestamp>" + to_xs_datetime(receipt), "<eb:Timestamp>" + to_xs_datetime(timestamp)),
                 "<eb:TimeToLive>" + to_xs_datetime(receipt + 30min) + "</eb:TimeToLive>", "");
    return post(text);
  };
  expect_error(at(start - 1s, start + 1h), "Inconsistent", xpointer("//Header/MessageHeader/CPAId"), "Invalid CPA.", "before the start");
  EXPECT_NE(at(start, start + 1h).body.find("Acknowledgment"), std::string::npos);
  EXPECT_NE(at(end, end + 10min).body.find("Acknowledgment"), std::string::npos);
  expect_error(at(end + 1s, end + 10min), "Inconsistent", xpointer("//Header/MessageHeader/CPAId"), "Invalid CPA.", "after the end");
  expect_error(at(end, end + 31min), "Inconsistent", xpointer("//Header/MessageHeader/CPAId"), "Invalid CPA.", "received too late");
  load("cpaStubEBF.rm.http.unsigned.sync");
  auto draft = contract;
  draft.row.state = exchange::ContractState::validated;
  node->load(draft);
  expect_error(post(render("EbMSMessage")), "Inconsistent", xpointer("//Header/MessageHeader/CPAId"), "Invalid CPA.", "not active");
}

TEST_F(Receiver, reads_every_form_of_time_for_time_to_live) {  // EB-068, EB-070
  const auto with = [&](const std::string& time_to_live) {
    load("cpaStubEBF.rm.http.unsigned.sync");
    clock.set(parse_datetime("2016-01-15T10:00:00Z")->instant);
    auto other = contract;
    other.agreement.start = *parse_datetime("2015-01-01T00:00:00Z");
    other.agreement.end = *parse_datetime("2040-01-01T00:00:00Z");
    node->load(other);
    return post(replaced(render("EbMSMessage"), "<eb:TimeToLive>" + to_xs_datetime(clock.now() + 30min), "<eb:TimeToLive>" + time_to_live));
  };
  for (const char* passed : {"2016-01-15T09:59:59Z", "2016-01-15T09:59:59", "2016-01-15T10:59:59+01:00", "2016-01-15T09:59:59.9999999Z"})
    expect_error(with(passed), "TimeToLiveExpired", xpointer("//Header/MessageHeader/MessageData/TimeToLive"), "", passed);
  for (const char* ahead : {"2016-01-15T10:00:00Z", "2016-01-15T10:00:01", "2016-01-15T11:00:01+01:00", "2016-01-15T10:00:00.0000001Z"})
    EXPECT_NE(with(ahead).body.find("Acknowledgment"), std::string::npos) << ahead;
}

TEST_F(Receiver, refuses_references_that_cannot_be_resolved) {  // EB-027, EB-073
  const std::string text = render("EbMSMessageWithAttachments");
  const std::string one = "<eb:Reference xlink:href=\"cid:p1@x\" xlink:type=\"simple\"/>";
  const auto fresh = [&](const std::string& root, const std::vector<std::pair<std::string, Bytes>>& parts) {
    load("cpaStubEBF.rm.http.unsigned.sync");
    return post(root, parts);
  };
  for (const char* href : {"http://example.org/x", "file:///etc/passwd", "p1@x", "CID:p1@x"})
    expect_error(fresh(replaced(text, "cid:p1@x", href), {{"p1@x", "x"}}), "MimeProblem",
                 "xpointer(//Body/Manifest/Reference[@href='" + std::string(href) + "'])", "URI cannot be resolved.", href);
  expect_error(fresh(replaced(text, one, one + one), {{"p1@x", "x"}}), "MimeProblem",
               "xpointer(//Body/Manifest/Reference[@href='cid:p1@x'])", "URI cannot be resolved.", "one href twice");
  expect_error(fresh(text, {{"p1@x", "x"}, {"p1@x", "y"}}), "MimeProblem", "xpointer(//Body/Manifest/Reference[@href='cid:p1@x'])",
               "URI cannot be resolved.", "one Content-ID twice");
  expect_error(fresh(text, {{"p2@x", "x"}}), "MimeProblem", "cid:p1@x", "MIME part not found.", "no part");
  expect_error(fresh(text, {{"P1@x", "x"}}), "MimeProblem", "cid:p1@x", "MIME part not found.", "other case");
  expect_error(post(render("EbMSMessageWithAttachments")), "MimeProblem", "cid:p1@x", "MIME part not found.",
               "same message again, no part at all");
}

TEST_F(Receiver, matches_content_ids_exactly_or_percent_decoded) {  // EB-027
  const std::string text = render("EbMSMessageWithAttachments");
  EXPECT_NE(post(replaced(text, "cid:p1@x", "cid:p%201@x"), {{"p 1@x", "x"}}).body.find("Acknowledgment"), std::string::npos);
  load("cpaStubEBF.rm.http.unsigned.sync");
  EXPECT_NE(post(replaced(text, "cid:p1@x", "cid:p%201@x"), {{"p%201@x", "x"}}).body.find("Acknowledgment"), std::string::npos);
  load("cpaStubEBF.rm.http.unsigned.sync");
  EXPECT_NE(post(replaced(text, "cid:p1@x", "cid:3f2c-no-at"), {{"3f2c-no-at", "x"}}).body.find("Acknowledgment"), std::string::npos);
}

TEST_F(Receiver, drops_parts_that_the_manifest_does_not_name) {  // EB-033, EB-216
  const std::string text = replaced(render("EbMSMessageWithAttachments"), "<eb:Reference xlink:href=\"cid:p1@x\"",
                                    "<eb:Reference xlink:href=\"cid:p2@x\"/><eb:Reference xlink:href=\"cid:p1@x\"");
  const Answer answer = post(text, {{"p1@x", "one"}, {"stray@x", std::string(200'000, 's')}, {"p2@x", "two"}});
  ASSERT_NE(answer.body.find("Acknowledgment"), std::string::npos) << answer.body;
  const auto payloads = node->payloads(node->inbound().at(0).id);
  ASSERT_EQ(payloads.size(), 2u);
  EXPECT_EQ(node->octets(payloads[0]), "two");  // the order of the Manifest
  EXPECT_EQ(node->octets(payloads[1]), "one");
  EXPECT_EQ(node->count("SELECT count(*) FROM blob_chunks"), 2);
}

TEST_F(Receiver, keeps_large_payloads_in_chunks) {  // EB-031
  const Bytes large(400'000, 'L');
  ASSERT_EQ(post(render("EbMSMessageWithAttachments"), {{"p1@x", large}}).status, 200u);
  const auto payloads = node->payloads(node->inbound().at(0).id);
  EXPECT_EQ(node->octets(payloads.at(0)), large);
  EXPECT_GT(node->count("SELECT count(*) FROM blob_chunks"), 3);
}

TEST_F(Receiver, answers_input_that_is_no_message_with_a_fault) {  // ADP-008, CPA-001 (receiving), EB-010, EB-024, EB-043, EB-044
  const std::string text = render("EbMSMessage");
  expect_fault(post("nonsense"), 500, "Client", "XML_INVALID", "no XML");
  expect_fault(post(render("EbMSPingXXE")), 500, "Client", "XML_INVALID", "DOCTYPE");
  expect_fault(post(render("EbMSMessageMissingFromPartyId")), 500, "Client", "SCHEMA_INVALID", "no PartyId");
  expect_fault(post(render("EbMSMessageMissingReference")), 500, "Client", "SCHEMA_INVALID", "Manifest without Reference");
  expect_fault(post(replaced(text, "eb:version=\"2.0\"", "version=\"2.0\"")), 500, "Client", "SCHEMA_INVALID", "unqualified attribute");
  expect_fault(post(replaced(text, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")), 500,
               "VersionMismatch", "SCHEMA_INVALID", "SOAP 1.2");
  expect_fault(post(replaced(text, "</soap:Header>", "<x:y xmlns:x=\"urn:x\" soap:mustUnderstand=\"1\"/></soap:Header>")), 500,
               "MustUnderstand", "", "unknown block");
  expect_fault(post(replaced(text, "<eb:CPAId>", "<eb:CPAId>x")), 500, "Client", "CPA_UNKNOWN: CPA x", "unknown CPA");
  expect_fault(post(replaced(text, ">afleveren<", ">" + std::string(256, 'a') + "<")), 500, "Client", "SCHEMA_INVALID", "too long");
  std::string signal = replaced(text, " eb:type=\"urn:osb:services\">osb:afleveren:1.1$1.0", ">urn:oasis:names:tc:ebxml-msg:service");
  expect_fault(post(signal), 500, "Client", "ACTION_UNKNOWN", "reserved service, unknown action");
  expect_fault(node->receive({"", {{"Content-Type", "text/xml; charset=ISO-8859-1"}}, text}, nullptr), 500, "Client", "CHARSET_INVALID",
               "charset");
  expect_fault(node->receive({"", {{"Content-Type", "application/json"}}, text}, nullptr), 415, "Client", "CONTENT_TYPE_INVALID",
               "content type");
  expect_fault(node->receive({"", {{"Content-Type", "multipart/related; type=\"text/xml\""}}, text}, nullptr), 500, "Client",
               "MIME_INVALID", "no boundary");
  const std::string errors =
      "<eb:ErrorList eb:version=\"2.0\" soap:mustUnderstand=\"1\" eb:highestSeverity=\"Error\"><eb:Error eb:errorCode=\"x\" "
      "eb:severity=\"Error\"/></eb:ErrorList></soap:Header>";
  expect_fault(post(replaced(text, "</soap:Header>", errors)), 500, "Client", "SCHEMA_INVALID", "ErrorList in a business message");
  expect_fault(post(text + std::string(5 * limits::MiB, ' ')), 500, "Client", "XML_INVALID", "root part of 5 MiB");
  std::string body =
      "--B\r\nContent-Type: text/xml\r\n\r\n" + text + "\r\n--B\r\nContent-ID: <p>\r\n\r\n" + std::string(64 * limits::MiB, 'x');
  const Answer large = node->receive({"", {{"Content-Type", "multipart/related; boundary=B"}}, body}, nullptr);
  EXPECT_EQ(large.status, 413u);
  EXPECT_TRUE(large.body.empty());
}

TEST_F(Receiver, tolerates_a_warning_in_a_business_message) {  // EB-131
  const std::string warning =
      "<eb:ErrorList eb:version=\"2.0\" soap:mustUnderstand=\"1\" eb:highestSeverity=\"Warning\"><eb:Error eb:errorCode=\"x\" "
      "eb:severity=\"Warning\"/></eb:ErrorList></soap:Header>";
  EXPECT_NE(post(replaced(render("EbMSMessage"), "</soap:Header>", warning)).body.find("Acknowledgment"), std::string::npos);
}

TEST(SoapAction, is_ebxml_with_or_without_quotes) {  // EB-004
  EXPECT_FALSE(check_soap_action("\"ebXML\""));
  EXPECT_FALSE(check_soap_action("ebXML"));
  for (const std::optional<std::string_view> wrong :
       {std::optional<std::string_view>(), std::optional<std::string_view>(""), std::optional<std::string_view>("\"ebxml\""),
        std::optional<std::string_view>("\"\"")}) {
    const auto fault = check_soap_action(wrong);
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->status, 500u);
    EXPECT_NE(fault->body.find("SOAPACTION_INVALID"), std::string::npos);
  }
}

TEST_F(Receiver, accepts_a_nextmsh_request_beside_one_for_us) {  // EB-203
  const std::string both =
      replaced(render("EbMSMessage"), "<eb:AckRequested",
               "<eb:AckRequested eb:signed=\"false\" eb:version=\"2.0\" soap:actor=\"urn:oasis:names:tc:ebxml-msg:actor:nextMSH\" "
               "soap:mustUnderstand=\"1\"/><eb:AckRequested");
  EXPECT_NE(post(both).body.find("Acknowledgment"), std::string::npos);
}

TEST_F(Receiver, ignores_what_duplicate_elimination_holds) {  // EB-071
  EXPECT_NE(post(replaced(render("EbMSMessage"), "<eb:DuplicateElimination/>", "<eb:DuplicateElimination>always</eb:DuplicateElimination>"))
                .body.find("Acknowledgment"),
            std::string::npos);
}

TEST_F(Receiver, checks_the_reference_only_where_the_contract_is_strict) {  // EB-069, EB-233
  const std::string text = render("EbMSMessageInvalidRefToMessageId");
  EXPECT_NE(post(text).body.find("Acknowledgment"), std::string::npos);
  load("cpaStubEBF.rm.http.unsigned.sync");
  auto strict = contract;
  strict.settings.strict_ref_to_message_id = true;
  node->load(strict);
  expect_error(post(text), "ValueNotRecognized", xpointer("//Header/MessageHeader/MessageData/RefToMessageId"), "Value not found.",
               "strict");
}

TEST_F(Receiver, refuses_conversations_beyond_the_limits_of_the_agreement) {  // EB-133
  auto limited = contract;
  limited.agreement.invocation_limit = 1;
  node->load(limited);
  EXPECT_NE(post(render("EbMSMessage", "99999999-0000-4000-8000-000000000009")).body.find("Acknowledgment"), std::string::npos);
  const auto error = parse_envelope(post(render("EbMSMessage")).body, "UTF-8");
  ASSERT_TRUE(error && error->error_list);
  EXPECT_EQ(error->error_list->errors[0].location, xpointer("//Header/MessageHeader/ConversationId"));
  EXPECT_EQ(error->error_list->errors[0].description, "Limit reached.");
  // The known conversation goes on.
  EXPECT_NE(
      post(replaced(render("EbMSMessage", "99999999-0000-4000-8000-000000000009"), "000000000009@localhost", "000000000010@localhost"))
          .body.find("Acknowledgment"),
      std::string::npos);
}

TEST_F(Receiver, answers_asynchronously_where_only_the_signal_channel_says_none) {  // EB-122
  auto mixed = contract;
  for (auto& party : mixed.agreement.parties)
    for (auto& channel : party.channels)
      if (channel.id == party.default_channel_id) channel.characteristics.sync_reply = cpa::SyncReplyMode::none;
  node->load(mixed);
  const Answer answer = post(render("EbMSMessageMissingSyncReply"));
  EXPECT_EQ(answer.status, 204u);
  EXPECT_EQ(node->inbound().at(0).state, State::received);
  EXPECT_EQ(node->work("ebms.signal"), 1);
}

TEST_F(Receiver, refuses_sync_reply_where_the_agreement_says_none) {  // EB-120, EB-122
  load("cpaStubEBF.rm.http.unsigned");
  const Answer answer = post(render("EbMSMessage"));
  EXPECT_EQ(answer.status, 204u);
  EXPECT_EQ(node->inbound().at(0).last_error->detail, "Wrong value. xpointer(//Header/SyncReply)");
  EXPECT_EQ(node->work("ebms.signal"), 1);
}

TEST_F(Receiver, answers_503_while_the_contract_or_tenant_is_suspended_and_stores_nothing) {  // EB-014, EB-231
  const std::string text = render("EbMSMessage");
  ASSERT_EQ(post(render("EbMSMessage", "99999999-0000-4000-8000-000000000009")).status, 200u);
  auto suspended = contract;
  suspended.row.state = exchange::ContractState::suspended;
  node->load(suspended);
  Answer answer = post(text);
  EXPECT_EQ(answer.status, 503u);
  EXPECT_TRUE(answer.retry_after);
  EXPECT_TRUE(answer.body.empty());
  EXPECT_EQ(node->inbound().size(), 1u);
  EXPECT_EQ(node->count("SELECT count(*) FROM duplicate_keys"), 1);
  // A repetition of what was accepted has its answer all the same.
  EXPECT_EQ(post(render("EbMSMessage", "99999999-0000-4000-8000-000000000009")).status, 200u);
  node->load(contract);
  node->suspended = true;
  EXPECT_EQ(post(text).status, 503u);
  node->suspended = false;
  EXPECT_EQ(post(text).status, 200u);
}

TEST_F(Receiver, refuses_a_signed_action_without_signature_and_waits_when_it_cannot_verify) {  // EB-133
  load("cpaStubEBF.rm.http.signed-sha256");
  const std::string text = render("EbMSMessage");
  const std::string unsynced = replaced(
      text, "<eb:SyncReply eb:version=\"2.0\" soap:actor=\"http://schemas.xmlsoap.org/soap/actor/next\" soap:mustUnderstand=\"1\"/>", "");
  EXPECT_EQ(post(unsynced).status, 204u);
  EXPECT_EQ(node->inbound().at(0).last_error->code, "SecurityFailure");
  EXPECT_EQ(node->inbound().at(0).last_error->detail, "Signature not found. xpointer(//Header/Signature)");
  load("cpaStubEBF.rm.http.signed-sha256");
  const std::string with =
      replaced(unsynced, "</soap:Header>",
               "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod "
               "Algorithm=\"urn:x\"/><ds:SignatureMethod "
               "Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference "
               "URI=\"\"><ds:DigestMethod "
               "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></"
               "ds:SignedInfo><ds:SignatureValue>AAAA</"
               "ds:SignatureValue></ds:Signature></soap:Header>");
  EXPECT_EQ(post(with).status, 503u);
  EXPECT_TRUE(node->inbound().empty());
  EXPECT_EQ(node->count("SELECT count(*) FROM duplicate_keys"), 0);
  EXPECT_FALSE(node->msh->unprotected_actions(contract).empty());
}

TEST_F(Receiver, accepts_a_signature_that_nobody_asked_for) {  // EB-133
  const std::string with =
      replaced(render("EbMSMessage"), "</soap:Header>",
               "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod "
               "Algorithm=\"urn:x\"/><ds:SignatureMethod Algorithm=\"urn:x\"/><ds:Reference "
               "URI=\"\"><ds:DigestMethod "
               "Algorithm=\"urn:x\"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>AAAA</"
               "ds:SignatureValue></ds:Signature></soap:Header>");
  EXPECT_NE(post(with).body.find("Acknowledgment"), std::string::npos);
  EXPECT_TRUE(node->msh->unprotected_actions(contract).empty());
}

// --- duplicates
// ------------------------------------------------------------------------------------------------------------------------------

TEST_F(Receiver, answers_a_repetition_with_the_first_response_octet_for_octet) {  // EB-107, EB-108
  const std::string text = render("EbMSMessage");
  const Answer first = post(text);
  ASSERT_NE(first.body.find("Acknowledgment"), std::string::npos);
  for (int i = 0; i < 3; ++i) {
    clock.advance(10min);
    EXPECT_EQ(post(text).body, first.body);
  }
  clock.advance(24h);  // TimeToLive has long passed
  EXPECT_EQ(post(text).body, first.body);
  const auto inbound = node->inbound();
  ASSERT_EQ(inbound.size(), 1u);
  EXPECT_EQ(inbound[0].duplicate_count, 4);
  EXPECT_EQ(node->events(), std::vector<std::string>{"message.received"});
  EXPECT_EQ(node->count("SELECT count(*) FROM queue_entries"), 1);  // offered once, in the commit that stored it
  EXPECT_EQ(node->work("message.offer"), 0);
  EXPECT_GE(node->count("SELECT keep_until FROM duplicate_keys"), (inbound[0].received_at->time_since_epoch() + Duration(240h)).count());
}

TEST_F(Receiver, answers_a_repetition_after_its_agreement_has_ended) {  // EB-109
  const std::string text = render("EbMSMessage");
  const Answer first = post(text);
  clock.set(contract.agreement.end.instant + 24h);
  EXPECT_EQ(post(text).body, first.body);
}

TEST_F(Receiver, answers_a_repeated_refused_message_with_the_same_error) {  // EB-108, EB-138
  const std::string text = render("EbMSMessageNextMshAckRequested");
  const Answer first = post(text);
  ASSERT_NE(first.body.find("MessageError"), std::string::npos);
  EXPECT_EQ(post(text).body, first.body);
  EXPECT_EQ(node->inbound().size(), 1u);
}

TEST_F(Receiver, reports_a_message_id_that_is_used_for_something_else) {  // EB-110
  const std::string text = render("EbMSMessage");
  const Answer first = post(text);
  const Answer reused = post(replaced(text, "<eb:ConversationId>", "<eb:ConversationId>other-"));
  const auto error = parse_envelope(reused.body, "UTF-8");
  ASSERT_TRUE(error && error->error_list) << reused.body;
  EXPECT_EQ(error->error_list->errors[0].error_code, "Inconsistent");
  EXPECT_EQ(error->error_list->errors[0].location, xpointer("//Header/MessageHeader/MessageData/MessageId"));
  EXPECT_EQ(error->error_list->errors[0].description, "MessageId already used.");
  EXPECT_EQ(node->inbound().size(), 1u);
  EXPECT_EQ(post(text).body, first.body);
  // White space between attributes is no other header.
  EXPECT_EQ(post(replaced(text, "<eb:MessageHeader eb:version=\"2.0\"", "<eb:MessageHeader   eb:version='2.0'")).body, first.body);
}

TEST_F(Receiver, a_message_with_the_same_id_in_another_agreement_is_another_message) {  // EB-107
  ASSERT_EQ(post(render("EbMSMessage")).status, 200u);
  auto other = contract;
  other.agreement.cpa_id = "another";
  node->load(other);
  EXPECT_NE(
      post(replaced(render("EbMSMessage"), "<eb:CPAId>" + contract.agreement.cpa_id, "<eb:CPAId>another")).body.find("Acknowledgment"),
      std::string::npos);
  EXPECT_EQ(node->inbound().size(), 2u);
}

TEST_F(Receiver, sends_the_first_response_again_at_once_when_the_answer_is_a_post) {  // EB-108, EB-113
  load("cpaStubEBF.rm.http.unsigned");
  const std::string text = replaced(
      render("EbMSMessage"),
      "<eb:SyncReply eb:version=\"2.0\" soap:actor=\"http://schemas.xmlsoap.org/soap/actor/next\" soap:mustUnderstand=\"1\"/>", "");
  EXPECT_EQ(post(text).status, 204u);
  const auto take = [&] {
    std::vector<Bytes> bodies;
    for (const auto& work : node->due_work()) {
      if (work.kind != "ebms.signal") continue;
      auto attempt = node->in_unit([&](sql::Transaction& tx) { return node->msh->prepare(tx, node->claimer, work); });
      bodies.push_back((*attempt)->body.at(0).octets);
      Outcome outcome;
      outcome.status = 204;
      EXPECT_TRUE(node->in_unit([&](sql::Transaction& tx) { return node->msh->conclude(tx, node->claimer, **attempt, outcome); }));
    }
    return bodies;
  };
  const auto first = take();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(post(text).status, 204u);
  EXPECT_EQ(post(text).status, 204u);
  EXPECT_EQ(take(), first);
  EXPECT_EQ(node->inbound().size(), 1u);
}

// --- ping and message status
// ---------------------------------------------------------------------------------------------------------------------

TEST_F(Receiver, answers_a_ping_with_a_pong) {  // EB-180
  const Answer answer = post(render("EbMSPing"));
  ASSERT_EQ(answer.status, 200u);
  const auto pong = parse_envelope(answer.body, "UTF-8");
  EXPECT_EQ(pong->header.action, "Pong");
  EXPECT_EQ(pong->header.ref_to_message_id, "11111111-0000-4000-8000-000000000001@localhost");
  EXPECT_EQ(pong->header.conversation_id, "11111111-0000-4000-8000-000000000001");
  EXPECT_TRUE(node->inbound().empty());
}

TEST_F(Receiver, answers_a_faulty_ping_or_status_request_with_a_fault) {  // EB-131
  expect_fault(post(replaced(render("EbMSPing"), "<eb:MessageHeader eb:version=\"2.0\"", "<eb:MessageHeader eb:version=\"1.0\"")), 500,
               "Client", "SIGNAL_INVALID", "version");
  expect_fault(post(replaced(render("EbMSPing"), "00000000000000000001", "00000000000000000002")), 500, "Client", "SIGNAL_INVALID",
               "not for us");
  expect_fault(post(replaced(render("EbMSPing"), "/actor/next", "/actor/other")), 500, "Client", "SIGNAL_INVALID", "SyncReply actor");
  std::string empty = render("EbMSMessageStatus");
  const std::size_t from = empty.find("<eb:StatusRequest"), to = empty.find("</eb:StatusRequest>") + 19;
  empty.erase(from, to - from);
  expect_fault(post(empty), 500, "Client", "SIGNAL_INVALID", "no StatusRequest element");
}

TEST_F(Receiver, tells_a_status_requester_what_it_may_know) {  // EB-182
  const auto ask = [&](const std::string& id) {
    std::string text = render("EbMSMessageStatus", uuid_v4(node->random));
    replace_all(text, "[[${refToMessageId}]]@localhost", id);
    const Answer answer = post(text);
    EXPECT_EQ(answer.status, 200u) << answer.body;
    return *parse_envelope(answer.body, "UTF-8")->status_response;
  };
  const std::string id = "11111111-0000-4000-8000-000000000001@localhost";
  EXPECT_EQ(ask(id).message_status, "NotRecognized");
  EXPECT_FALSE(ask(id).timestamp);
  const Answer ack = post(render("EbMSMessage"));
  clock.advance(1h);
  EXPECT_EQ(ask(id).message_status, "Received");
  EXPECT_EQ(ask(id).ref_to_message_id, id);
  EXPECT_EQ(ask(id).timestamp, node->inbound().at(0).received_at);
  EXPECT_EQ(ask(parse_envelope(ack.body, "UTF-8")->header.message_id).message_status, "NotRecognized");  // a signal
  for (const auto& [state, status] :
       {std::pair{State::offered, "Received"}, std::pair{State::dead, "Received"}, std::pair{State::processed, "Processed"},
        std::pair{State::rejected, "Processed"}, std::pair{State::refused, "Received"}, std::pair{State::forwarded, "Forwarded"}}) {
    auto message = node->inbound().at(0);
    message.state = state;
    ASSERT_TRUE(node->in_unit([&](sql::Transaction& tx) { return exchange::update_message(tx, message); }));
    EXPECT_EQ(ask(id).message_status, status);
  }
  auto other = contract;
  other.agreement.cpa_id = "another";
  contract = other;
  node->load(other);
  EXPECT_EQ(ask(id).message_status, "Forwarded") << "what passed through had no contract of ours: its sender may ask under this one";
  auto ours = node->inbound().at(0);
  ours.state = State::processed;
  ASSERT_TRUE(node->in_unit([&](sql::Transaction& tx) { return exchange::update_message(tx, ours); }));
  EXPECT_EQ(ask(id).message_status, "UnAuthorized");
  EXPECT_FALSE(ask(id).timestamp);
}

}  // namespace
}  // namespace schakel::ebms
