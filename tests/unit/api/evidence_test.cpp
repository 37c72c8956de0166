// The evidence of a message as a ZIP (ADP-505), read by another implementation of ZIP.
#include <filesystem>
#include <fstream>

#include "api/zip.hpp"
#include "api_fixture.hpp"
#include "ebms/mime.hpp"
#include "exchange/maintenance.hpp"
#include "exchange/signal.hpp"

namespace schakel::api {
namespace {

// Members of an archive as Python's zipfile reads them; it checks every CRC. Empty: not a ZIP.
std::map<std::string, std::string> unzipped(const std::string& octets) {
  std::string folder = (std::filesystem::temp_directory_path() / "schakel-zip-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return {};
  std::ofstream(folder + "/archive.zip", std::ios::binary) << octets;
  std::map<std::string, std::string> members;
  const std::string test = "python3 -m zipfile -t " + folder + "/archive.zip >" + folder + "/verdict 2>&1";
  const std::string extract = "python3 -m zipfile -e " + folder + "/archive.zip " + folder + "/out";
  const bool fine = std::system(test.c_str()) == 0 && std::system(extract.c_str()) == 0;
  std::ifstream verdict(folder + "/verdict");
  const std::string told((std::istreambuf_iterator<char>(verdict)), {});
  EXPECT_EQ(told.find("corrupt"), std::string::npos) << told;
  if (fine) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder + "/out")) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      members[std::filesystem::relative(entry.path(), folder + "/out").string()] = {(std::istreambuf_iterator<char>(in)), {}};
    }
  }
  std::filesystem::remove_all(folder);
  return members;
}

class Evidence : public ApiTest {
 protected:
  exchange::Message with_acknowledgement(std::string payload = "inhoud van de brief") {
    auto message = receive("stad", std::move(payload));
    exchange::Signal signal;
    signal.id = uuid_v7(random, clock.at);
    signal.tenant = message.tenant;
    signal.action = "Acknowledgment";
    signal.message_id = "ack@stad.example";
    signal.ref_to_message_id = message.message_id;
    signal.message = message.id;
    signal.root = "<Acknowledgment/>";
    signal.at = clock.at;
    signal.keep_until = clock.at + 240h;
    commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(tx.execute("INSERT INTO message_roots (message, tenant, root) VALUES ($1, $2, $3)",
                               {message.id, message.tenant, sql::Blob{"<Envelope>zoals ontvangen</Envelope>"}}));
      return exchange::insert_signal(tx, signal);
    });
    return message;
  }
  Reply evidence(const std::string& id, const std::string& token) {
    return send("GET", api_path("/messages/" + id + "/evidence"), {}, "", token);
  }
  std::string full_key() { return make_key("stad", {"auditor"}, {"payload.read"}); }
};

// ADP-505, adapter.md 2.1.3
TEST_F(Evidence, IsAnArchiveOfEverythingAboutTheMessage) {
  const auto inbound = with_acknowledgement();
  ASSERT_EQ(post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}}).status, 204U);
  const auto reply = evidence(inbound.id, full_key());
  ASSERT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.header("Content-Type"), "application/zip");
  EXPECT_EQ(reply.header("Content-Disposition"), "attachment; filename=\"evidence-" + inbound.id + ".zip\"");
  const auto members = unzipped(reply.body);
  EXPECT_EQ(members.at("received/envelope.xml"), "<Envelope>zoals ontvangen</Envelope>");
  EXPECT_EQ(members.at("received/payload-0.bin"), "inhoud van de brief");
  EXPECT_EQ(members.at("signals/1-Acknowledgment.xml"), "<Acknowledgment/>");
  EXPECT_EQ(Json::parse(members.at("message.json"))["messageId"], inbound.message_id);
  EXPECT_EQ(Json::parse(members.at("trail.json"))[0]["type"], "confirmed");
  const auto manifest = Json::parse(members.at("manifest.json"));
  EXPECT_EQ(manifest["message"], inbound.id);
  EXPECT_EQ(manifest["direction"], "inbound");
  EXPECT_TRUE(manifest["leftOut"].empty());
  EXPECT_EQ(manifest["entries"].size() + 1, members.size());
  for (const auto& entry : manifest["entries"]) {
    const auto& octets = members.at(entry["name"]);
    EXPECT_EQ(entry["size"], octets.size()) << entry;
    EXPECT_EQ(entry["sha256"], sha256_hex(octets)) << entry;
  }
}

// EB-159, SEC-104: from the archive alone, and with somebody else's program, the signature can be verified again.
TEST_F(Evidence, OfASignedMessageVerifiesAgain) {
  const std::string standards = SCHAKEL_SOURCE_DIR "/../shared/standards/ebms/vectors";
  if (!std::filesystem::exists(standards)) GTEST_SKIP() << "the standards are not beside this checkout";
  if (std::system("xmlsec1 --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "xmlsec1 is not installed";
  const auto content = [&](const std::string& name) {
    std::ifstream in(standards + "/" + name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  struct NoSink final : ebms::PartSink {
    std::string open() override { return {}; }
    void append(const std::string&, std::int64_t, Bytes) override {}
    void close(const std::string&) override {}
  } none;
  auto reader = ebms::MimeReader::open(
      R"(multipart/related; boundary="b-5c1d09e7"; type="text/xml"; start="<00000000-0000-4000-8000-000000000001@ebms.melder.example>")",
      none);
  ASSERT_TRUE(reader->feed(content("s-request.mime")));
  const auto request = reader->finish().value();
  const auto inbound = receive("stad", request.parts.at(0).octets);
  exchange::Signal signal;
  signal.id = uuid_v7(random, clock.at);
  signal.tenant = inbound.tenant;
  signal.action = "Acknowledgment";
  signal.message_id = "ack@stad.example";
  signal.message = inbound.id;
  signal.root = content("s-ack.xml");
  signal.at = signal.keep_until = clock.at;
  commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("INSERT INTO message_roots (message, tenant, root) VALUES ($1, $2, $3)",
                             {inbound.id, inbound.tenant, sql::Blob{request.root}}));
    SCHAKEL_CHECK(tx.execute("UPDATE payloads SET content_id = $1", {request.parts[0].content_id}));
    exchange::TrailEvent verified;
    verified.at = clock.at;
    verified.message = inbound.id;
    verified.type = "verified";
    verified.detail = "signed by certificate 00";
    SCHAKEL_CHECK(exchange::append_trail(tx, inbound.tenant, "n", std::span(&verified, 1)));
    return exchange::insert_signal(tx, signal);
  });
  const auto members = unzipped(evidence(inbound.id, full_key()).body);
  EXPECT_EQ(Json::parse(members.at("verification.json"))[0]["detail"], "signed by certificate 00");

  std::string folder = (std::filesystem::temp_directory_path() / "schakel-proof-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const auto written = [&](const std::string& member) {
    const auto path = folder + "/" + std::filesystem::path(member).filename().string();
    std::ofstream(path, std::ios::binary) << members.at(member);
    return path;
  };
  std::size_t verified = 0;
  const auto manifest = Json::parse(members.at("manifest.json"));
  for (const auto& entry : manifest["entries"]) {
    if (!entry.contains("signature")) continue;
    const auto& signature = entry["signature"];
    // The certificate is taken from the manifest, not from KeyInfo: what is trusted is the reader's decision.
    std::string command = "xmlsec1 --verify --enabled-key-data key-name --pubkey-cert-der " + written(signature["certificates"][0]);
    for (const auto& reference : signature["references"])
      if (reference.contains("member")) command += " --url-map:" + reference["uri"].get<std::string>() + " " + written(reference["member"]);
    command += " " + written(entry["name"]) + " >" + folder + "/verdict 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    ++verified;
  }
  EXPECT_EQ(verified, 2U) << "the message and its acknowledgement";
  std::filesystem::remove_all(folder);
}

// SEC-104, WUS-321: certificates of authorities that the trail names, also when the configuration no longer has them.
TEST_F(Evidence, HoldsThePathOfTheSigner) {
  const auto message = receive("stad", "inhoud");
  const Bytes authority = "DER of an authority";
  const auto name = sha256_hex(authority);
  commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(exchange::put_document(tx, {.id = name,
                                              .tenant = "",
                                              .kind = std::string(exchange::kept_certificate_kind),
                                              .key = name,
                                              .body = Json{{"der", to_base64(authority)}}.dump(),
                                              .version = 1,
                                              .changed_at = clock.at}));
    exchange::TrailEvent verified;
    verified.at = clock.at;
    verified.message = message.id;
    verified.type = "verified";
    verified.detail = "path=" + std::string(64, 'a') + "," + name + " crls=" + std::string(64, 'c');
    return exchange::append_trail(tx, message.tenant, "n", std::span(&verified, 1));
  });
  const auto members = unzipped(evidence(message.id, full_key()).body);
  ASSERT_TRUE(members.contains("certificates/" + name + ".der"));
  EXPECT_EQ(members.at("certificates/" + name + ".der"), authority);
  EXPECT_NE(members.at("verification.json").find("crls=cccc"), std::string::npos);
}

// adapter.md 2.9: an auditor reads evidence and no payloads; each use is in trail and audit log
TEST_F(Evidence, WithoutTheRightToPayloadsHoldsTheirHashes) {
  const auto inbound = with_acknowledgement("geheim");
  const auto reply = evidence(inbound.id, make_key("stad", {"auditor"}));
  ASSERT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.body.find("geheim"), std::string::npos);
  const auto manifest = Json::parse(unzipped(reply.body).at("manifest.json"));
  ASSERT_EQ(manifest["leftOut"].size(), 1U);
  EXPECT_EQ(manifest["leftOut"][0]["sha256"], sha256_hex("geheim"));
  EXPECT_EQ(manifest["leftOut"][0]["leftOut"], "payload.read");
  EXPECT_THAT(trail(inbound.id), ElementsAre("exported"));
  ASSERT_EQ(evidence(inbound.id, full_key()).status, 200U);
  EXPECT_THAT(trail(inbound.id), ElementsAre("exported", "exported", "payloadViewed"));
  EXPECT_THAT(audited(), ElementsAre("message.export " + inbound.id, "message.export " + inbound.id));
  EXPECT_EQ(audit_log()[0]["after"]["payloads"], false);
  EXPECT_EQ(audit_log()[1]["after"]["payloads"], true);
  EXPECT_EQ(evidence(inbound.id, make_key("stad", {"viewer"})).status, 403U);
}

// A payload of many chunks leaves through a stream, with its length told before.
TEST_F(Evidence, StreamsALargePayload) {
  std::string octets(5 * 1024 * 1024 + 17, '\0');
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<char>(i * 31 + i / 977);
  const auto inbound = with_acknowledgement(octets);
  http::Request request;
  request.method = "GET";
  request.target = request.path = api_path("/messages/" + inbound.id + "/evidence");
  request.headers.set("X-Api-Key", full_key());
  http::StringReader nothing("");
  request.body = &nothing;
  auto response = await(api->admin()(request));
  ASSERT_TRUE(response.stream);
  ASSERT_TRUE(response.stream_bytes);
  std::string whole, buffer(10'000, '\0');
  for (;;) {
    const auto count = await(response.stream->read(buffer)).value();
    if (count == 0) break;
    whole.append(buffer, 0, count);
  }
  EXPECT_EQ(whole.size(), *response.stream_bytes);
  EXPECT_EQ(unzipped(whole).at("received/payload-0.bin"), octets);
}

TEST_F(Evidence, OfAPurgedPayloadTheHashStays) {
  const auto inbound = with_acknowledgement("weg");
  commit([&](sql::Transaction& tx) { return exchange::purge_payloads(tx, inbound.id); });
  const auto members = unzipped(evidence(inbound.id, full_key()).body);
  EXPECT_EQ(Json::parse(members.at("manifest.json"))["leftOut"][0]["leftOut"], "payload.purged");
  EXPECT_FALSE(members.contains("received/payload-0.bin"));
}

// What the store lost or somebody changed is never given out as evidence.
TEST_F(Evidence, OfOctetsThatChangedIsRefused) {
  const auto inbound = with_acknowledgement("oorspronkelijk");
  commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("UPDATE blob_chunks SET octets = $1 WHERE chunk = 0", {sql::Blob{"oorspronkelijK"}}));
    return {};
  });
  const auto reply = evidence(inbound.id, full_key());
  EXPECT_EQ(reply.status, 500U);
  EXPECT_EQ(reply.body.find("oorspronkelijK"), std::string::npos);
}

// ADP-202
TEST_F(Evidence, OfAnotherTenantLooksLikeNothing) {
  const auto inbound = with_acknowledgement();
  const auto unknown = evidence("0199a1b2-7c3d-7e11-9abc-0123456789ab", other_key);
  EXPECT_EQ(unknown.status, 404U);
  EXPECT_EQ(evidence(inbound.id, other_key).body, unknown.body);
  EXPECT_EQ(evidence("no-uuid", other_key).body, unknown.body);
  EXPECT_TRUE(trail(inbound.id).empty());
}

TEST_F(Evidence, HeadTellsTheLengthAndLeavesNoTrace) {
  const auto inbound = with_acknowledgement();
  const auto head = send("HEAD", api_path("/messages/" + inbound.id + "/evidence"), {}, "", full_key());
  EXPECT_EQ(head.status, 200U);
  EXPECT_GT(std::stoul(head.header("Content-Length")), 100U);
  EXPECT_TRUE(trail(inbound.id).empty());
}

// ADP-505, adapter.md 2.11: the acknowledgement stays as long as its message, and goes with it
TEST_F(Evidence, IsKeptAsLongAsItsMessage) {
  const auto inbound = with_acknowledgement();
  ASSERT_EQ(post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}}).status, 204U);
  const auto signals = [&] {
    return query<std::vector<exchange::Signal>>([&](sql::Transaction& tx) { return exchange::signals_about(tx, "stad", inbound.id); })
        .size();
  };
  clock.at += 24h * 365;
  EXPECT_EQ(query<std::int64_t>([&](sql::Transaction& tx) { return exchange::purge_signals(tx, clock.at, 100); }), 0);
  EXPECT_EQ(signals(), 1U);
  clock.at += 24h * 60;
  EXPECT_EQ(query<std::int64_t>([&](sql::Transaction& tx) { return exchange::purge_messages(tx, "stad", {}, clock.at, 100); }), 1);
  EXPECT_EQ(signals(), 0U);
}

// --- the format ----------------------------------------------------------------------------------------------------------------------

// PKWARE APPNOTE 6.3; CRC-32 of "123456789" is its published check value
TEST(Zip, ChecksumIsTheOneOfTheFormat) {
  EXPECT_EQ(zip_crc("123456789"), 0xCBF43926U);
  EXPECT_EQ(zip_crc(""), 0U);
}

TEST_F(Evidence, AnArchiveHoldsNamesOfAllScriptsAndEmptyMembers) {
  auto made = make_zip(*database, {{.name = "leeg.txt"}, {.name = "map/één.txt", .octets = "twee"}}, clock.at);
  ASSERT_TRUE(made);
  const auto octets = await(http::read_all(*made->stream, 1 << 20)).value();
  EXPECT_EQ(octets.size(), made->bytes);
  EXPECT_EQ(unzipped(octets), (std::map<std::string, std::string>{{"leeg.txt", ""}, {"map/één.txt", "twee"}}));
  // 2026-03-02 09:15:00 in the form of MS-DOS, little-endian, at offset 10
  EXPECT_EQ(octets.substr(10, 4), std::string("\xE0\x49\x62\x5C", 4));
}

TEST_F(Evidence, AnArchiveAboveFourGibibytesIsRefused) {
  auto made = make_zip(*database, {{.name = "groot", .blob = "b", .size = std::int64_t{4} * 1024 * 1024 * 1024}}, clock.at);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "message.tooLarge");
}

}  // namespace
}  // namespace schakel::api
