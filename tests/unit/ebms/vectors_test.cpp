// Every vector of standards/ebms/vectors gives the outcome that its manifest states (A01, A17, A18): messages made by two other
// implementations, with keys and lists of the WUS vectors.
#include <filesystem>
#include <fstream>
#include "base/json_library.hpp"

#include "support/test_keys.hpp"
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using testing::FakeClock;
using testing::Node;
using testing::WireRequest;
using State = exchange::State;

const std::filesystem::path standards = std::filesystem::path(SCHAKEL_SOURCE_DIR) / "../shared/standards";

Bytes content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Vectors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(standards / "ebms/vectors/manifest.json")) GTEST_SKIP() << "the standards are not beside this checkout";
    manifest = nlohmann::json::parse(content(standards / "ebms/vectors/manifest.json"));
    clock.set(parse_datetime(manifest["clock"].get<std::string>())->instant);
    melder.oin = "00000001800000001000";
    ontvanger.oin = "00000001800000002000";
  }

  static Bytes key_file(const std::string& name) { return content(standards / "wus/vectors/keys" / name); }
  static std::shared_ptr<const security::KeyPair> pair(const std::string& who) {
    return security::KeyPair::from_pem(key_file(who + ".crt.pem"), key_file(who + ".key.pem")).value();
  }

  std::shared_ptr<schakel::testing::TestKeys> keys() const {
    security::TrustStore::Options options;
    options.profile = security::TrustProfile::test;
    options.check_policies = false;
    auto trust = security::TrustStore::make(options, key_file("root.crt.pem"), key_file("issuing.crt.pem")).value();
    for (const char* list : {"root.crl.pem", "issuing.crl.pem"}) {
      const auto installed = trust->install_crl(key_file(list), clock.now());
      EXPECT_TRUE(installed) << installed.error().detail;
    }
    auto out = std::make_shared<schakel::testing::TestKeys>(std::move(trust));
    out->hold("melder", pair("requester"));
    out->hold("ontvanger", pair("provider"));
    return out;
  }

  static cpa::LoadedContract contract(const std::string& cpa_id, const std::string& tenant, int own) {
    cpa::LoadedContract loaded;
    loaded.agreement =
        cpa::parse(content(standards / "ebms/vectors" / (cpa_id == "voorbeeld_melding_e" ? "cpa-rm-e.xml" : "cpa-rm-s.xml"))).value();
    loaded.row.id = cpa_id + tenant;
    loaded.row.tenant = tenant;
    loaded.row.name = cpa_id;
    loaded.row.state = exchange::ContractState::active;
    loaded.environment = "test";
    loaded.own_party = loaded.agreement.parties[0].oin() == (own == 0 ? "00000001800000001000" : "00000001800000002000") ? 0 : 1;
    return loaded;
  }

  std::unique_ptr<Node> node(const std::string& tenant, const std::string& cpa_id) {
    return std::make_unique<Node>(tenant, clock, contract(cpa_id, tenant, tenant == "melder" ? 0 : 1), 1, Settings{}, keys());
  }

  static WireRequest request(const nlohmann::json& vector) {
    const auto body = content(standards / "ebms/vectors" / vector["file"].get<std::string>());
    EXPECT_EQ(sha256_hex(body), vector["sha256"].get<std::string>());
    return {"https://ontvanger.example/ebms", {{"Content-Type", vector["contentType"].get<std::string>()}}, body};
  }

  // The dated exceptions of an ebms-core partner (EB-173).
  static std::vector<cpa::AlgorithmException> exceptions(Instant now) {
    std::vector<cpa::AlgorithmException> out;
    for (const char* algorithm : {"http://www.w3.org/2001/04/xmlenc#rsa-1_5", "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
                                  "http://www.w3.org/2001/04/xmlenc#aes128-cbc"})
      out.push_back(
          {"ontvanger", "00000001800000001000", "ebms", algorithm, "ebms-core", now - std::chrono::hours(1), now + std::chrono::hours(24)});
    return out;
  }
  void except(Node& receiver, const std::string& environment) {
    auto loaded = contract("voorbeeld_melding_e", "ontvanger", 1);
    loaded.environment = environment;
    receiver.contracts =
        std::make_shared<const cpa::Contracts>(std::vector{loaded}, std::vector<cpa::UrlMapping>{}, std::vector<cpa::CertificateMapping>{},
                                               std::vector<cpa::Mandate>{}, exceptions(clock.now()));
  }

  // The signal about the message that was just received.
  Envelope answer_of(Node& receiver) {
    const auto message = receiver.inbound().back();
    const auto signal =
        receiver.in_unit([&](sql::Transaction& tx) { return exchange::find_response_to(tx, receiver.tenant, message.id); }).value();
    EXPECT_TRUE(signal);
    return std::move(*parse_envelope(signal->root, std::nullopt));
  }

  void expect_accepted(Node& receiver, const nlohmann::json& vector) {
    const std::string file = vector["file"];
    ASSERT_EQ(receiver.receive(request(vector), &melder).status, 204U) << file << " " << receiver.last_error.detail;
    ASSERT_EQ(receiver.inbound().size(), 1U) << file;
    const auto message = receiver.inbound()[0];
    ASSERT_EQ(message.state, State::received) << file << (message.last_error ? message.last_error->detail : "") << receiver.log.text();
    EXPECT_EQ(message.message_id, vector["messageId"].get<std::string>());
    const auto rows = receiver.payloads(message.id);
    ASSERT_EQ(rows.size(), vector["payloads"].size()) << file;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& wanted = vector["payloads"][i];
      EXPECT_EQ(rows[i].content_id, wanted["contentId"].get<std::string>()) << file;
      EXPECT_EQ(rows[i].content_type, wanted["contentType"].get<std::string>()) << file;
      EXPECT_EQ(rows[i].file_name, wanted["name"].is_null() ? "" : wanted["name"].get<std::string>()) << file;
      EXPECT_EQ(sha256_hex(receiver.octets(rows[i])), wanted["sha256"].get<std::string>()) << file;
    }
    const auto acknowledgment = answer_of(receiver);
    ASSERT_TRUE(acknowledgment.acknowledgment) << file;
    EXPECT_EQ(acknowledgment.signatures, 1U) << file << ": a signed Acknowledgment";
    const auto references =
        acknowledgment.document->root().child(uri::soap, "Header").child(uri::eb, "Acknowledgment").children(uri::ds, "Reference");
    EXPECT_EQ(references.size(), rows.size() + 1) << file << ": with the References";
  }

  void expect_refused(Node& receiver, const nlohmann::json& vector) {
    const std::string file = vector["file"], expected = vector["expect"];
    ASSERT_EQ(receiver.receive(request(vector), &melder).status, 204U) << file << receiver.last_error.detail;
    ASSERT_EQ(receiver.inbound().size(), 1U) << file;
    EXPECT_EQ(receiver.inbound()[0].state, State::refused) << file;
    EXPECT_TRUE(receiver.events().empty()) << file << ": nothing delivered";
    const auto answer = answer_of(receiver);
    ASSERT_TRUE(answer.error_list) << file;
    const ErrorEntry& error = answer.error_list->errors.at(0);
    EXPECT_EQ(error.error_code, "SecurityFailure") << file;
    if (expected.find("location cid of the second payload") != std::string::npos) {
      EXPECT_EQ(error.location, "cid:p2-0001@ebms.melder.example") << file;
      EXPECT_EQ(error.description, "Decryption failed.") << file;
    } else if (expected.find("location DigestMethod") != std::string::npos) {
      EXPECT_EQ(error.location, "xpointer(//Header/Signature/SignedInfo/Reference[@URI='']/DigestMethod/@Algorithm)") << file;
    } else if (expected.find("Signature not found.") != std::string::npos) {
      EXPECT_EQ(error.location + error.description, "xpointer(//Header/Signature)Signature not found.") << file;
    } else if (error.description != "Decryption failed.") {
      EXPECT_EQ(error.location + error.description, "xpointer(//Header/Signature)Invalid Signature!") << file;
    }
  }

  // s-request.mime as a message that we sent: the acknowledgements answer it.
  void store_sent(Node& sender) {
    const auto received = testing::unpacked(request(manifest["vectors"][0]));
    const auto envelope = parse_envelope(received.root, std::nullopt).value();
    const auto stored = sender.in_unit([&](sql::Transaction& tx) -> Result<> {
      exchange::Message m;
      m.id = "sent";
      m.tenant = "melder";
      m.profile = "osb-rm-s";
      m.state = State::sent;
      m.contract_id = "voorbeeld_melding_smelder";
      m.cpa_id = envelope.header.cpa_id;
      m.from = {"00000001800000001000", "00000001800000001000", "urn:osb:oin", envelope.header.from.role};
      m.to = {"00000001800000002000", "00000001800000002000", "urn:osb:oin", envelope.header.to.role};
      m.service = envelope.header.service;
      m.service_type = envelope.header.service_type;
      m.action = envelope.header.action;
      m.conversation_id = envelope.header.conversation_id;
      m.message_id = envelope.header.message_id;
      m.timestamp = envelope.header.timestamp;
      m.created_at = m.timestamp.value();
      m.root = received.root;
      return exchange::insert_message(tx, m, {});
    });
    ASSERT_TRUE(stored) << stored.error().detail;
  }

  nlohmann::json manifest;
  FakeClock clock;
  security::PeerIdentity melder, ontvanger;
};

TEST_F(Vectors, of_messages_give_the_outcome_of_the_manifest) {  // EB-029, EB-044, EB-150..157, EB-170..176, EB-236..239, EB-241; A01
  std::size_t seen = 0;
  for (const auto& vector : manifest["vectors"]) {
    const std::string file = vector["file"], expected = vector["expect"];
    if (file.ends_with(".xml")) continue;
    ++seen;
    const auto receiver = node("ontvanger", vector["cpa"]);
    if (expected.starts_with("accept")) {
      expect_accepted(*receiver, vector);
    } else if (expected.starts_with("legacy switch")) {
      expect_refused(*receiver, vector);
      const auto lenient = node("ontvanger", vector["cpa"]);
      except(*lenient, "test");
      expect_accepted(*lenient, vector);
      EXPECT_FALSE(lenient->log.lines("ebms.algorithmException").empty()) << "each use is a finding";
      const auto production = node("ontvanger", vector["cpa"]);
      except(*production, "production");
      expect_refused(*production, vector);
    } else {
      expect_refused(*receiver, vector);
    }
  }
  EXPECT_EQ(seen, 17U);
}

TEST_F(Vectors, of_acknowledgements_give_the_outcome_of_the_manifest) {  // EB-158, EB-159; A17
  std::size_t seen = 0;
  for (const auto& vector : manifest["vectors"]) {
    const std::string file = vector["file"], expected = vector["expect"];
    if (!file.ends_with(".xml")) continue;
    ++seen;
    const auto sender = node("melder", vector["cpa"]);
    store_sent(*sender);
    EXPECT_EQ(sender->receive(request(vector), &ontvanger).status, 204U) << file;
    const bool counts = expected.find("DELIVERED") != std::string::npos;
    EXPECT_EQ(sender->message("sent").state, counts ? State::delivered : State::sent) << file << sender->log.text();
    EXPECT_EQ(sender->count("SELECT count(*) FROM signals WHERE direction = 'inbound'"), 1) << file << ": kept as evidence";
  }
  EXPECT_EQ(seen, 5U);
}

}  // namespace
}  // namespace schakel::ebms
