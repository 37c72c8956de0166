#include <gmock/gmock.h>

#include "base/random.hpp"
#include "exchange/blob.hpp"
#include "exchange/store.hpp"
#include "support/database.hpp"

namespace schakel::exchange {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::SizeIs;

const Instant t0 = Instant(1'772'442'900'123'456us);

class MessageStore : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const auto migrated = sql::migrate(*database, migrations());
    ASSERT_TRUE(migrated) << migrated.error().detail;
  }

  void commit(const std::function<void(sql::Transaction&)>& body) {
    const auto done = database->commit([&](sql::Transaction& tx) -> Result<> {
      body(tx);
      return {};
    });
    ASSERT_TRUE(done) << done.error().code << ": " << done.error().detail;
  }

  std::string id() { return uuid_v7(random, t0); }

  Message full_message() {
    Message m;
    m.id = id();
    m.tenant = "stad";
    m.direction = Direction::outbound;
    m.pattern = "oneWay";
    m.profile = "osb-rm-s";
    m.state = State::sent;
    m.state_reason = "waits";
    m.contract_id = "c-17";
    m.cpa_id = "cpa-1";
    m.from = {"00000099000000010000", "00000099000000010000_OTA", "urn:osb:oin", "Melder"};
    m.to = {"00000099000000300000", "00000099000000300000_OTA", "urn:osb:oin", "Ontvanger"};
    m.service = "Terugmelding";
    m.service_type = "urn:osb:services";
    m.action = "meldFout";
    m.conversation_id = "zaak-1";
    m.message_id = m.id + "@dk.example";
    m.ref_to_message_id = "earlier@dk.example";
    m.timestamp = t0;
    m.expires_at = t0 + 1h;
    m.persist_until = t0 + 120h;
    m.attempts = 3;
    m.retries_max = 39;
    m.retry_interval = Duration(3h);
    m.next_attempt_at = t0 + 3h;
    m.last_error = LastError{"transport.503", "busy", "transport", t0 + 1s};
    m.created_at = t0;
    m.accepted_at = t0 + 1us;
    m.sent_at = t0 + 2us;
    m.not_before = t0 + 3us;
    m.got_2xx = true;
    m.duplicate_count = 2;
    m.delivery_attempt = 1;
    m.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    m.labels = {{"zaak", "2026-17"}, {"afdeling", "b\"&\n"}};
    m.root = std::string("<soap\0:Envelope/>", 17);
    m.header_hash = sha256("header");
    m.wire_content_type = "multipart/related; boundary=x";
    return m;
  }

  SystemRandom random;
};

std::string shown(const Message& m) {
  std::string out;
  for (const auto& text : {m.id,
                           m.tenant,
                           std::string(to_string(m.direction)),
                           m.protocol,
                           m.pattern,
                           m.profile,
                           std::string(to_string(m.state)),
                           m.state_reason,
                           m.contract_id,
                           m.cpa_id,
                           m.from.oin,
                           m.from.party_id,
                           m.from.party_id_type,
                           m.from.role,
                           m.to.oin,
                           m.to.party_id,
                           m.to.party_id_type,
                           m.to.role,
                           m.service,
                           m.service_type,
                           m.action,
                           m.conversation_id,
                           m.message_id,
                           m.ref_to_message_id,
                           m.traceparent,
                           m.copy_of,
                           m.root,
                           to_hex(m.header_hash),
                           m.wire_content_type})
    out += text + "|";
  for (const auto& time :
       {m.timestamp, m.expires_at, m.persist_until, m.next_attempt_at, m.accepted_at, m.sent_at, m.delivered_at, m.received_at,
        m.offered_at, m.processed_at, m.final_at, m.late_acknowledged_at, m.not_before, std::optional(m.created_at)})
    out += (time ? std::to_string(time->time_since_epoch().count()) : "-") + "|";
  out += m.retry_interval ? std::to_string(m.retry_interval->count()) : "-";
  for (const auto number : {m.attempts, m.retries_max, m.duplicate_count, m.delivery_attempt, std::int64_t{m.confirmed},
                            std::int64_t{m.got_2xx}, std::int64_t{m.possible_duplicate}})
    out += "|" + std::to_string(number);
  if (m.last_error)
    out += m.last_error->code + m.last_error->detail + m.last_error->source + std::to_string(m.last_error->at.time_since_epoch().count());
  for (const auto& [key, value] : m.labels) out += "|" + key + "=" + value;
  return out;
}

// EB-220: direction, parties, ids, times, state, profile, exact root octets and header hash are kept.
TEST_P(MessageStore, GivesBackEveryFieldOfAMessage) {
  const Message m = full_message();
  const Payload payload{m.id, 0, "p1@dk.example", "application/xml", "melding.xml", 71, std::string(64, 'a'), "blob-1", false};
  commit([&](auto& tx) { ASSERT_TRUE(insert_message(tx, m, std::span(&payload, 1))); });
  commit([&](auto& tx) {
    auto found = find_message(tx, "stad", m.id, WithRoot::yes);
    ASSERT_TRUE(found) << found.error().detail;
    ASSERT_TRUE(*found);
    EXPECT_EQ(shown(**found), shown(m));
    const auto payloads = payloads_of(tx, m.id).value();
    ASSERT_THAT(payloads, SizeIs(1));
    EXPECT_EQ(payloads[0].file_name, "melding.xml");
    EXPECT_EQ(payloads[0].size, 71);
  });
}

TEST_P(MessageStore, WritesWhatHappensToAMessage) {
  Message m = full_message();
  commit([&](auto& tx) { ASSERT_TRUE(insert_message(tx, m, {})); });
  m.state = State::delivered;
  m.state_reason.clear();
  m.confirmed = true;
  m.delivered_at = m.final_at = t0 + 5s;
  m.next_attempt_at.reset();
  m.last_error.reset();
  m.labels.clear();
  m.late_acknowledged_at = t0 + 6s;
  commit([&](auto& tx) { ASSERT_TRUE(update_message(tx, m)); });
  commit([&](auto& tx) { EXPECT_EQ(shown(**find_message(tx, "stad", m.id, WithRoot::yes)), shown(m)); });
}

INSTANTIATE_TEST_SUITE_P(Both, MessageStore, ::testing::Values("sqlite", "postgres"), [](const auto& p) { return std::string(p.param); });

}  // namespace
}  // namespace schakel::exchange
