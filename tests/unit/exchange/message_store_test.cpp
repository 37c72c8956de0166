#include <thread>

#include "exchange/blob.hpp"
#include "store_fixture.hpp"

namespace schakel::exchange {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class MessageStore : public StoreTest {
 protected:
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

  std::vector<std::string> found(std::string_view tenant, const MessageFilter& filter, std::int64_t* total = nullptr) {
    const MessagePage page = get([&](auto& tx) { return search_messages(tx, tenant, filter); });
    if (total) *total = page.total;
    std::vector<std::string> ids;
    for (const Message& m : page.messages) ids.push_back(m.id);
    return ids;
  }
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

// EB-232: outbound ids are unique per installation; inbound ones may repeat.
TEST_P(MessageStore, RefusesAnOutboundMessageIdTwice) {
  Message first = message(), second = message("dorp");
  second.message_id = first.message_id;
  commit([&](auto& tx) { ASSERT_TRUE(insert_message(tx, first, {})); });
  EXPECT_EQ(code_of([&](auto& tx) { return insert_message(tx, second, {}); }), "storage.conflict");
  second.direction = Direction::inbound;
  Message third = second;
  third.id = id();
  commit([&](auto& tx) {
    ASSERT_TRUE(insert_message(tx, second, {}));
    ASSERT_TRUE(insert_message(tx, third, {}));
  });
  EXPECT_EQ(get([&](auto& tx) { return find_outbound(tx, first.message_id); })->id, first.id);
  EXPECT_THAT(get([&](auto& tx) { return find_inbound(tx, "dorp", first.message_id); }), SizeIs(2));
  EXPECT_THAT(get([&](auto& tx) { return find_inbound(tx, "stad", first.message_id); }), SizeIs(0));
}

TEST_P(MessageStore, ShowsNoTenantTheMessagesOfAnother) {
  const Message m = message("stad");
  commit([&](auto& tx) { ASSERT_TRUE(insert_message(tx, m, {})); });
  EXPECT_FALSE(get([&](auto& tx) { return find_message(tx, "dorp", m.id); }));
  EXPECT_THAT(found("dorp", {}), SizeIs(0));
  Message theirs = m;
  theirs.tenant = "dorp";
  EXPECT_EQ(code_of([&](auto& tx) { return update_message(tx, theirs); }), "storage.failed");
}

TEST_P(MessageStore, ReadsTheRootOnlyWhenAsked) {
  const Message m = full_message();
  commit([&](auto& tx) { ASSERT_TRUE(insert_message(tx, m, {})); });
  EXPECT_TRUE(get([&](auto& tx) { return find_message(tx, "stad", m.id); })->root.empty());
  EXPECT_EQ(get([&](auto& tx) { return find_message(tx, "stad", m.id, WithRoot::yes); })->root, m.root);
}

TEST_P(MessageStore, SearchesByEveryField) {
  Message a = full_message(), b = message("stad", Direction::inbound);
  b.created_at = t0 + 1min;
  b.cpa_id = "cpa-2";
  commit([&](auto& tx) {
    ASSERT_TRUE(insert_message(tx, a, {}));
    ASSERT_TRUE(insert_message(tx, b, {}));
  });
  const auto only = [&](auto set) {
    MessageFilter filter;
    set(filter);
    return found("stad", filter);
  };
  EXPECT_THAT(found("stad", {}), ElementsAre(b.id, a.id)) << "newest first";
  EXPECT_THAT(only([](auto& f) { f.oldest_first = true; }), ElementsAre(a.id, b.id));
  EXPECT_THAT(only([](auto& f) { f.direction = Direction::inbound; }), ElementsAre(b.id));
  EXPECT_THAT(only([](auto& f) { f.states = {State::sent, State::failed}; }), ElementsAre(a.id));
  EXPECT_THAT(only([](auto& f) { f.states = {State::sent, State::received}; }), SizeIs(2));
  EXPECT_THAT(only([](auto& f) { f.protocol = "wus"; }), SizeIs(0));
  EXPECT_THAT(only([](auto& f) { f.contract_id = "c-17"; }), SizeIs(2));
  EXPECT_THAT(only([](auto& f) { f.cpa_id = "cpa-2"; }), ElementsAre(b.id));
  EXPECT_THAT(only([](auto& f) { f.from_oin = "00000099000000010000"; }), ElementsAre(a.id));
  EXPECT_THAT(only([](auto& f) { f.to_oin = "00000099000000300000"; }), ElementsAre(a.id));
  EXPECT_THAT(only([](auto& f) { f.service = "Terugmelding"; }), ElementsAre(a.id));
  EXPECT_THAT(only([](auto& f) { f.action = "meldFout"; }), ElementsAre(a.id));
  EXPECT_THAT(only([&](auto& f) { f.message_id = b.message_id; }), ElementsAre(b.id));
  EXPECT_THAT(only([&](auto& f) { f.message_id = a.message_id; }), ElementsAre(a.id));
  EXPECT_THAT(only([](auto& f) { f.conversation_id = "zaak-1"; }), SizeIs(2));
  EXPECT_THAT(only([](auto& f) { f.ref_to_message_id = "earlier@dk.example"; }), ElementsAre(a.id));
  EXPECT_THAT(only([](auto& f) { f.error_code = "transport.503"; }), ElementsAre(a.id));
  EXPECT_THAT(only([](auto& f) { f.received_from = t0 + 1s; }), ElementsAre(b.id));
  EXPECT_THAT(only([](auto& f) { f.received_until = t0 + 1s; }), ElementsAre(a.id));
}

TEST_P(MessageStore, PagesASearchAndCountsAllOfIt) {
  std::vector<std::string> ids;
  commit([&](auto& tx) {
    for (int i = 0; i < 7; ++i) {
      Message m = message();
      m.created_at = t0 + i * 1s;
      ids.push_back(m.id);
      ASSERT_TRUE(insert_message(tx, m, {}));
    }
  });
  MessageFilter filter;
  filter.oldest_first = true;
  filter.offset = 4;
  filter.limit = 2;
  std::int64_t total = 0;
  EXPECT_THAT(found("stad", filter, &total), ElementsAre(ids[4], ids[5]));
  EXPECT_EQ(total, 7);
}

// EB-210: what an application has not decided on, in pages
TEST_P(MessageStore, ListsMessagesThatWaitForTheApplication) {
  std::vector<std::string> waiting;
  const auto store = [&](State state, Instant at, const std::function<void(Message&)>& adjust = {}) {
    auto m = message("stad", Direction::inbound);
    m.state = state;
    m.created_at = at;
    if (is_final(state)) m.final_at = at;
    if (adjust) adjust(m);
    commit([&](auto& tx) { ASSERT_TRUE(insert_message(tx, m, {})); });
    return m.message_id;
  };
  waiting.push_back(store(State::received, t0));
  store(State::processed, t0 + 1s);
  waiting.push_back(store(State::dead, t0 + 2s, [](Message& m) {
    m.from = {"", "77", "urn:x", "VAN"};
    m.to = {"", "88", "", "NAAR"};
    m.service = "s";
    m.service_type = "t";
  }));
  waiting.push_back(store(State::offered, t0 + 3s));
  store(State::received, t0 + 4s, [](Message& m) { m.tenant = "dorp"; });
  const auto page = [&](const MessageFilter& filter, const std::optional<WaitingMessage>& after, std::int64_t limit) {
    return get([&](auto& tx) { return waiting_messages(tx, "stad", filter, after, limit); });
  };
  std::vector<std::string> found;
  std::optional<WaitingMessage> last;
  for (int pages = 0; pages < 2; ++pages) {
    for (const auto& one : page({}, last, 2)) {
      found.push_back(one.message_id);
      last = one;
    }
  }
  EXPECT_EQ(found, waiting);
  EXPECT_TRUE(page({}, last, 2).empty());
  const auto only = [&](const std::function<void(MessageFilter&)>& set) {
    MessageFilter filter;
    set(filter);
    const auto messages = page(filter, {}, 10);
    return messages.size() == 1 && messages[0].message_id == waiting[1];
  };
  EXPECT_TRUE(only([](MessageFilter& f) { f.from_party_id = "urn:x:77"; }));
  EXPECT_TRUE(only([](MessageFilter& f) { f.to_party_id = "88"; }));
  EXPECT_TRUE(only([](MessageFilter& f) { f.from_role = "VAN"; }));
  EXPECT_TRUE(only([](MessageFilter& f) { f.to_role = "NAAR"; }));
  EXPECT_TRUE(only([](MessageFilter& f) { f.typed_service = "t:s"; }));
  EXPECT_FALSE(only([](MessageFilter& f) { f.from_party_id = "77"; }));
}

// EB-214
TEST_P(MessageStore, ListsEventsByTheMessageTheyAreAbout) {
  const auto one = message("stad", Direction::inbound), two = message("stad");
  commit([&](auto& tx) {
    for (const auto& m : {one, two}) ASSERT_TRUE(insert_message(tx, m, {}));
    for (const auto& [m, type] :
         {std::pair(&one, "message.received"), std::pair(&two, "message.warning"), std::pair(&two, "message.failed")})
      ASSERT_TRUE(insert_event(tx, {id(), "stad", m->id, type, t0, "{}"}));
  });
  const std::string_view types[] = {"message.received", "message.failed"};
  const auto page = [&](const MessageFilter& filter, std::int64_t after, std::int64_t limit) {
    return get([&](auto& tx) { return waiting_events(tx, "stad", filter, types, after, limit); });
  };
  const auto first = page({}, 0, 1);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].message_id + " " + first[0].type, one.message_id + " message.received");
  const auto rest = page({}, first[0].position, 10);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].message_id + " " + rest[0].type, two.message_id + " message.failed");
  MessageFilter filter;
  filter.message_id = two.message_id;
  EXPECT_EQ(page(filter, 0, 10).size(), 1U);
  EXPECT_TRUE(get([&](auto& tx) { return waiting_events(tx, "dorp", {}, types, 0, 10); }).empty());
}

// CPA-053: what counts as open under a contract.
TEST_P(MessageStore, CountsMessagesThatAContractStillNeeds) {
  Message open = message(), persisted = message(), old = message(), foreign = message("dorp");
  for (Message* m : {&persisted, &old}) {
    m->state = State::delivered;
    m->final_at = t0;
  }
  persisted.persist_until = t0 + 1h;
  old.persist_until = t0 - 1h;
  commit([&](auto& tx) {
    for (const Message* m : {&open, &persisted, &old, &foreign}) ASSERT_TRUE(insert_message(tx, *m, {}));
  });
  EXPECT_EQ(get([](auto& tx) { return count_open_messages(tx, "stad", "c-17", t0); }), 2);
  EXPECT_EQ(get([](auto& tx) { return count_open_messages(tx, "stad", "c-17", t0 + 2h); }), 1);
  EXPECT_EQ(get([](auto& tx) { return count_open_messages(tx, "stad", "c-18", t0); }), 0);
}

TEST_P(MessageStore, KeepsOctetsInChunks) {
  const Bytes one(128 * 1024, '\0'), two = "\xff end";
  commit([&](auto& tx) {
    ASSERT_TRUE(write_chunk(tx, "b1", 0, one, t0));
    ASSERT_TRUE(write_chunk(tx, "b1", 1, two, t0));
  });
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "b1", 0); }), one);
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "b1", 1); }), two);
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "b1", 2); }), "");
  EXPECT_EQ(code_of([&](auto& tx) { return write_chunk(tx, "b1", 1, two, t0); }), "storage.conflict");
  EXPECT_EQ(code_of([&](auto& tx) { return write_chunk(tx, "b1", 2, one + "x", t0); }), "storage.failed");
  commit([](auto& tx) { ASSERT_TRUE(delete_blob(tx, "b1")); });
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "b1", 0); }), "");
}

TEST_P(MessageStore, RemovesBlobsThatNoPayloadRefersTo) {
  Message m = message();
  const Payload payload{m.id, 0, "c", "text/plain", "", 1, "", "kept", false};
  commit([&](auto& tx) {
    // The chunk of `kept` comes after its message: the order must not matter.
    ASSERT_TRUE(insert_message(tx, m, std::span(&payload, 1)));
    for (const char* blob : {"kept", "orphan"}) ASSERT_TRUE(write_chunk(tx, blob, 0, "x", t0));
    ASSERT_TRUE(write_chunk(tx, "arriving", 0, "x", t0));
    ASSERT_TRUE(write_chunk(tx, "arriving", 1, "y", t0 + 1h));
  });
  EXPECT_EQ(get([](auto& tx) { return purge_orphans(tx, t0); }), 0);
  EXPECT_EQ(get([](auto& tx) { return purge_orphans(tx, t0 + 1s); }), 1);
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "kept", 0); }), "x");
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "arriving", 1); }), "y");
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "orphan", 0); }), "");
}

TEST_P(MessageStore, APurgedPayloadThatACopySharesStaysForTheCopy) {
  Message original = message(), copy = message();
  const Payload of_original{original.id, 0, "c", "text/plain", "", 1, "", "shared", false};
  Payload of_copy = of_original;
  of_copy.message = copy.id;
  commit([&](auto& tx) {
    ASSERT_TRUE(write_chunk(tx, "shared", 0, "x", t0));
    ASSERT_TRUE(insert_message(tx, original, std::span(&of_original, 1)));
    ASSERT_TRUE(insert_message(tx, copy, std::span(&of_copy, 1)));
    ASSERT_TRUE(purge_payloads(tx, original.id));
  });
  const auto purged = get([&](auto& tx) { return payloads_of(tx, original.id); });
  EXPECT_TRUE(purged[0].purged);
  EXPECT_EQ(purged[0].blob, "");
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "shared", 0); }), "x");
  commit([&](auto& tx) { ASSERT_TRUE(purge_payloads(tx, copy.id)); });
  EXPECT_EQ(get([](auto& tx) { return read_chunk(tx, "shared", 0); }), "");
}

// EB-221, EB-222: an acknowledgement on one node and the end of an attempt on another do not overwrite each other.
TEST_P(MessageStore, TwoNodesThatChangeOneMessageDoItOneAfterTheOther) {
  const Message m = message();
  commit([&](auto& tx) { ASSERT_TRUE(insert_message(tx, m, {})); });
  const auto other = open();
  const auto add_attempts = [&](sql::Database& node) {
    for (int i = 0; i < 25; ++i)
      commit_in(node, [&](auto& tx) {
        auto current = find_message(tx, "stad", m.id).value();
        ++current->attempts;
        ASSERT_TRUE(update_message(tx, *current));
      });
  };
  std::thread node([&] { add_attempts(*other); });
  add_attempts(*database);
  node.join();
  EXPECT_EQ(get([&](auto& tx) { return find_message(tx, "stad", m.id); })->attempts, 50);
}

SCHAKEL_ON_BOTH_DATABASES(MessageStore);

TEST(States, HaveNamesAndKnowWhichAreFinal) {
  int finals = 0;
  for (int i = 0; i <= static_cast<int>(State::aborted); ++i) {
    const auto state = static_cast<State>(i);
    EXPECT_EQ(state_from(to_string(state)), state);
    finals += is_final(state);
  }
  EXPECT_EQ(finals, 12);
  EXPECT_EQ(to_string(State::sent), "SENT");
  EXPECT_EQ(to_string(State::forwarded), "FORWARDED");
  EXPECT_EQ(state_from("sent"), std::nullopt);
  EXPECT_EQ(contract_state_from("retired"), ContractState::retired);
}

}  // namespace
}  // namespace schakel::exchange
