// GET /messages: every documented key finds what it names, and nothing else (adapter.md 2.1.3).
#include "api/message_filter.hpp"
#include "api_fixture.hpp"

namespace schakel::api {
namespace {

class Search : public ApiTest {
 protected:
  // Two messages that differ in everything that can be asked for.
  void SetUp() override {
    commit([&](sql::Transaction& tx) -> Result<> {
      exchange::Message wanted;
      wanted.id = wanted_id;
      wanted.tenant = "stad";
      wanted.direction = exchange::Direction::outbound;
      wanted.protocol = "ebms";
      wanted.state = exchange::State::failed;
      wanted.contract_id = "c-1";
      wanted.cpa_id = "cpa-1";
      wanted.from.oin = own_oin;
      wanted.to.oin = partner_oin;
      wanted.service = "Terugmelding";
      wanted.action = "meldFout";
      wanted.message_id = "een@stad.example";
      wanted.conversation_id = "zaak-1";
      wanted.ref_to_message_id = "vraag@lv.example";
      wanted.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      wanted.labels = {{"zaak", "2026-17"}};
      wanted.last_error = exchange::LastError{"transport.503", "druk", "transport", clock.at};
      wanted.created_at = clock.at;
      SCHAKEL_CHECK(exchange::insert_message(tx, wanted, {}));
      exchange::Message other;
      other.id = other_id;
      other.tenant = "stad";
      other.direction = exchange::Direction::inbound;
      other.protocol = "wus";
      other.state = exchange::State::received;
      other.contract_id = "c-2";
      other.cpa_id = "cpa-2";
      other.from.oin = partner_oin;
      other.to.oin = own_oin;
      other.service = "terugmelding";
      other.action = "meldfout";
      other.message_id = "twee@stad.example";
      other.conversation_id = "zaak-2";
      other.created_at = clock.at - 1h;
      return exchange::insert_message(tx, other, {});
    });
  }
  std::vector<std::string> found(const std::string& query) {
    const auto reply = get("/messages?" + query);
    EXPECT_EQ(reply.status, 200U) << query << reply.body;
    std::vector<std::string> ids;
    for (const auto& message : reply.json) ids.push_back(message.value("id", ""));
    EXPECT_EQ(reply.header("Total-Count"), std::to_string(ids.size())) << query;
    return ids;
  }

  const std::string wanted_id = "0199a1b2-7c3d-7e11-9abc-000000000001", other_id = "0199a1b2-7c3d-7e11-9abc-000000000002";
};

// adapter.md 2.1.3, ADP-501
TEST_F(Search, EveryKeyFindsWhatItNames) {
  const std::map<std::string, std::string> values = {{"direction", "outbound"},
                                                     {"protocol", "ebms"},
                                                     {"state", "FAILED,EXPIRED"},
                                                     {"contractId", "c-1"},
                                                     {"cpaId", "cpa-1"},
                                                     {"fromOin", own_oin},
                                                     {"toOin", partner_oin},
                                                     {"service", "Terugmelding"},
                                                     {"action", "meldFout"},
                                                     {"messageId", "een@stad.example"},
                                                     {"conversationId", "zaak-1"},
                                                     {"refToMessageId", "vraag@lv.example"},
                                                     {"traceId", "0af7651916cd43dd8448eb211c80319c"},
                                                     {"label", "zaak:2026-17"},
                                                     {"receivedFrom", to_rfc3339(clock.at - 1min)},
                                                     {"receivedUntil", ""},
                                                     {"errorCode", "transport.503"}};
  for (const auto name : message_filter_keys) {
    const auto value = values.find(std::string(name));
    ASSERT_NE(value, values.end()) << name << " is not tried here";
    if (value->second.empty()) continue;
    EXPECT_THAT(found(value->first + "=" + value->second), ElementsAre(wanted_id)) << name;
  }
  EXPECT_THAT(found("receivedUntil=" + to_rfc3339(clock.at - 1min)), ElementsAre(other_id));
}

TEST_F(Search, CriteriaAddUp) {
  EXPECT_THAT(found("state=FAILED&direction=inbound"), ::testing::IsEmpty());
  EXPECT_THAT(found("state=FAILED,RECEIVED"), ElementsAre(wanted_id, other_id));
  EXPECT_THAT(found("sort=createdAt"), ElementsAre(other_id, wanted_id));
  EXPECT_THAT(found("sort=-createdAt"), ElementsAre(wanted_id, other_id));
}

// The same criteria as a JSON object.
TEST_F(Search, ABulkActionReadsTheSameCriteria) {
  const auto total = [&](const Json& filter) {
    return post("/message-actions", {{"filter", filter}, {"action", "cancel"}, {"reason", "proef"}, {"dryRun", true}})
        .json.value("total", -1);
  };
  EXPECT_EQ(total({{"state", "FAILED,RECEIVED"}}), 2);
  EXPECT_EQ(total({{"errorCode", "transport.503"}, {"label", "zaak:2026-17"}, {"fromOin", own_oin}}), 1);
  EXPECT_EQ(total({{"receivedFrom", to_rfc3339(clock.at)}}), 1);
  EXPECT_EQ(total({{"protocol", "wus"}, {"direction", "outbound"}}), 0);
}

}  // namespace
}  // namespace schakel::api
