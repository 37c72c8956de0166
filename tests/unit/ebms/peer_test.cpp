// The habits of the peer that most partners run, ebms-core 2.20.2 ("EC", ebms.md 1.16), played by hand: what it sends, what it
// accepts, what it never does. Node a is EC where it sends, node b where it receives.
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using testing::Pair;
using testing::WireRequest;
using State = exchange::State;

class PeerHabits : public Pair {
 protected:
  // A question as EC writes it: its own clock's offset in the times, TimeToLive exactly (Retries+1)×RetryInterval after the Timestamp.
  std::string question_of_ec(const std::string& id, bool sync_reply = false) {
    Envelope e;
    e.header.from = {{{"urn:osb:oin", oin_a}}, "Melder"};
    e.header.to = {{{"urn:osb:oin", oin_b}}, "Ontvanger"};
    e.header.cpa_id = "sim-1";
    e.header.conversation_id = "conversation-of-" + id;
    e.header.service = "sim:Melding:1:0";
    e.header.service_type = "urn:osb:services";
    e.header.action = "question";
    e.header.message_id = id;
    e.header.timestamp = clock.now();
    e.header.time_to_live = clock.now() + 20min;
    e.header.duplicate_elimination = true;
    e.ack_requested = {AckRequested{"2.0", std::string(uri::to_party_msh), false}};
    if (sync_reply) e.sync_reply = SyncReply{};
    std::string text = *build_envelope(e);
    for (const Instant at : {e.header.timestamp, *e.header.time_to_live}) {
      const std::string local = to_xs_datetime(at + 1h), utc = to_xs_datetime(at);
      const auto place = text.find(utc);
      EXPECT_NE(place, std::string::npos);
      text.replace(place, utc.size(), local.substr(0, local.size() - 1) + "+01:00");
    }
    return text;
  }
  Answer post_to_b(const std::string& root) { return b->receive({"", {{"Content-Type", "text/xml; charset=UTF-8"}}, root}, &peer_a); }
  Answer post_to_a(const std::string& root) { return a->receive({"", {{"Content-Type", "text/xml; charset=UTF-8"}}, root}, &peer_b); }
  static Envelope read(BytesView root) { return std::move(*parse_envelope(root, "UTF-8")); }

  // EB-234: what EC demands of an acknowledgement before it believes it.
  static void expect_ec_believes(const Envelope& ack, const Envelope& message) {
    ASSERT_TRUE(ack.acknowledgment);
    EXPECT_EQ(ack.header.action, "Acknowledgment");
    EXPECT_EQ(ack.header.cpa_id, message.header.cpa_id);
    EXPECT_EQ(ack.header.ref_to_message_id, message.header.message_id);
    EXPECT_EQ(ack.acknowledgment->ref_to_message_id, message.header.message_id);
    EXPECT_EQ(ack.header.from.ids, message.header.to.ids);
    EXPECT_EQ(ack.header.to.ids, message.header.from.ids);
    EXPECT_EQ(ack.acknowledgment->actor, std::string(uri::to_party_msh));
    EXPECT_FALSE(ack.error_list);
    EXPECT_FALSE(ack.manifest);
  }
  // What b has posted to EC so far; EC answers `answer`.
  void ec_answers(unsigned answer) {
    on_wire = [this, answer](const WireRequest&, bool) { return std::optional(status(answer)); };
  }
};

TEST_F(PeerHabits, every_acknowledgement_passes_the_checks_of_the_peer) {  // EB-111, EB-234
  for (const bool synchronous : {false, true}) {
    sent.clear();
    start(agreement().synchronous(synchronous));
    ec_answers(204);
    for (const std::string id : {"m1@ec", "m2@ec", "m1@ec"}) {  // the third is a repetition
      const std::string root = question_of_ec(id, synchronous);
      static std::map<std::string, std::string> first;
      const std::string& octets = first.emplace(id + (synchronous ? "s" : "a"), root).first->second;
      const Answer answer = post_to_b(octets);
      run(*b);
      const Envelope ack = synchronous ? read(answer.body) : testing::envelope_of(sent.back());
      expect_ec_believes(ack, read(octets));
      EXPECT_EQ(answer.status, synchronous ? 200U : 204U);
    }
    EXPECT_EQ(b->inbound().size(), 2U);
  }
  // Also when the request leaves the actor to its default.
  start();
  std::string bare = question_of_ec("m3@ec");
  const std::string actor = " soap:actor=\"" + std::string(uri::to_party_msh) + "\"";
  bare.erase(bare.find(actor), actor.size());
  EXPECT_EQ(post_to_b(bare).status, 204U);
  run(*b);
  expect_ec_believes(testing::envelope_of(sent.back()), read(bare));
}

TEST_F(PeerHabits, the_answer_takes_the_path_that_the_peer_waits_on) {  // EB-122, EB-235
  // EC answers 500 to a posted signal about a message with SyncReply, and counts a signal on the connection as a failed attempt without.
  struct Row {
    bool action_channel, signal_channel;
  };
  for (const Row row : {Row{false, false}, Row{true, true}, Row{true, false}}) {
    sent.clear();
    start();
    auto loaded = agreement().synchronous(row.action_channel).loaded("tb", 1);
    for (auto& party : loaded.agreement.parties)
      for (auto& channel : party.channels)
        if (channel.id == party.default_channel_id)
          channel.characteristics.sync_reply = row.signal_channel ? cpa::SyncReplyMode::msh_signals_only : cpa::SyncReplyMode::none;
    b->load(loaded);
    ec_answers(204);
    const bool with_sync_reply = row.signal_channel;  // EC takes the element from the signal channel
    const auto take = [&](const std::string& octets, const char* action) {
      sent.clear();
      const Answer answer = post_to_b(octets);
      run(*b);
      if (with_sync_reply) {
        EXPECT_EQ(answer.status, 200U) << action;
        EXPECT_EQ(read(answer.body).header.action, action);
        EXPECT_TRUE(sent.empty()) << action << " would be answered 500";
      } else {
        EXPECT_EQ(answer.status, 204U) << action;
        EXPECT_TRUE(answer.body.empty()) << action << " would fail the attempt";
        ASSERT_EQ(sent.size(), 1U) << action;
        EXPECT_EQ(testing::envelope_of(sent[0]).header.action, action);
      }
    };
    const std::string good = question_of_ec("m1@ec", with_sync_reply);
    std::string wrong = question_of_ec("m2@ec", with_sync_reply);
    wrong.replace(wrong.find(">question<"), 10, ">other<");
    take(good, "Acknowledgment");
    take(good, "Acknowledgment");
    if (row.action_channel == row.signal_channel) {  // an unknown action has no channel: then the element decides
      take(wrong, "MessageError");
      take(wrong, "MessageError");
    }
    EXPECT_EQ(b->work("ebms.signal"), 0);
  }
}

TEST_F(PeerHabits, times_with_an_offset_and_the_last_retry_before_expiry_are_accepted) {  // EB-068, EB-070, EB-238
  start();
  ec_answers(204);
  const Instant begin = clock.now();
  const std::string first = question_of_ec("m1@ec"), on_time = question_of_ec("m2@ec"), late = question_of_ec("m3@ec");
  ASSERT_NE(first.find("+01:00</eb:Timestamp>"), std::string::npos);
  // Only the last of 1+3 attempts comes through, five minutes before expiry.
  clock.set(begin + 15min);
  EXPECT_EQ(post_to_b(first).status, 204U);
  clock.set(begin + 20min);
  EXPECT_EQ(post_to_b(on_time).status, 204U) << "expired is after TimeToLive, not at it";
  clock.set(begin + 20min + 1ms);
  EXPECT_EQ(post_to_b(late).status, 204U);
  const auto inbound = b->inbound();
  ASSERT_EQ(inbound.size(), 3U);
  EXPECT_EQ(inbound[0].state, State::received);
  EXPECT_EQ(inbound[0].timestamp, begin) << "the offset was understood";
  EXPECT_EQ(inbound[0].expires_at, begin + 20min);
  EXPECT_EQ(inbound[1].state, State::received);
  EXPECT_EQ(inbound[2].state, State::refused);
  EXPECT_EQ(inbound[2].last_error->code, "TimeToLiveExpired");
  // What we write ourselves is always UTC.
  run(*b);
  for (const auto& request : sent) {
    EXPECT_EQ(request.body.find("+01:00"), std::string::npos);
    EXPECT_NE(request.body.find("Z</eb:Timestamp>"), std::string::npos);
  }
}

TEST_F(PeerHabits, repetitions_after_a_2xx_get_the_acknowledgement_at_once_until_it_arrives) {  // EB-108, EB-113, EB-242
  start();
  const std::string octets = question_of_ec("m1@ec");
  const Instant begin = clock.now();
  std::vector<Bytes> acks;
  std::vector<Duration> at;
  on_wire = [&](const WireRequest& request, bool) {
    acks.push_back(request.body);
    at.push_back(clock.now() - begin);
    return std::optional(acks.size() < 3 ? status(500) : status(204));
  };
  // EC repeats at 5, 10, 15 minutes because it has no acknowledgement, although every post got a 2xx.
  for (int attempt = 0; attempt < 4; ++attempt) {
    clock.set(begin + attempt * 5min);
    EXPECT_EQ(post_to_b(octets).status, 204U);
    run(*b);
  }
  // Each repetition was answered in the minute it came, with the same octets.
  EXPECT_EQ(at, (std::vector<Duration>{0min, 5min, 10min, 15min}));
  for (const Bytes& ack : acks) EXPECT_EQ(ack, acks.front());
  EXPECT_EQ(b->inbound().size(), 1U);
  EXPECT_EQ(b->inbound()[0].duplicate_count, 3);
  EXPECT_EQ(b->events(), std::vector<std::string>{"message.received"});
  // An acknowledgement after its expiry changes nothing at EC: none is posted of our own accord, and what arrived is not posted again.
  const auto posts = acks.size();
  for (int minute = 0; minute < 60; ++minute) settle_at(1min);
  EXPECT_EQ(acks.size(), posts);
}

TEST_F(PeerHabits, acknowledgements_that_the_peer_does_not_repeat_come_with_our_next_attempt) {  // EB-108, EB-243
  start();
  const auto submitted = a->submit(question());
  // EC acknowledges by post, once for each time it gets the message; the first post does not reach us.
  int received = 0;
  Bytes ack;
  on_wire = [&](const WireRequest& request, bool to_b) -> std::optional<Outcome> {
    if (!to_b) return std::nullopt;
    if (++received == 1) {
      b->receive(request, &peer_a);
      ack = b->in_unit([&](sql::Transaction& tx) { return tx.query("SELECT root FROM signals"); }).value().front().text(0);
    } else {
      EXPECT_EQ(post_to_a(ack).status, 204U);
    }
    return status(204);
  };
  run(*a);
  EXPECT_EQ(a->message(submitted->id).state, State::sent);
  for (int minute = 0; minute < 4; ++minute) {
    clock.advance(1min);
    run(*a);
  }
  EXPECT_EQ(received, 1);
  clock.advance(1min);
  run(*a);
  EXPECT_EQ(received, 2);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_EQ(a->events(), std::vector<std::string>{"message.delivered"});
}

TEST_F(PeerHabits, no_error_that_we_send_is_only_a_warning_and_bad_acknowledgements_get_none) {  // EB-131, EB-243
  start();
  ec_answers(204);
  // Everything that a receiver finds wrong, each in a message of its own.
  const std::pair<const char*, const char*> faults[] = {
      {">question<", ">other<"},
      {"<eb:Role>Melder</eb:Role>", ""},
      {"<eb:DuplicateElimination/>", ""},
      {"eb:signed=\"false\"", "eb:signed=\"true\""},
      {"actor:toPartyMSH", "actor:nextMSH"},
      {"<soap:Body/>",
       "<soap:Body><eb:Manifest eb:version=\"2.0\"><eb:Reference "
       "xmlns:xlink=\"http://www.w3.org/1999/xlink\" xlink:href=\"cid:x@y\"/></eb:Manifest></soap:Body>"}};
  int number = 0;
  for (const auto& [from, to] : faults) {
    std::string text = question_of_ec("f" + std::to_string(++number) + "@ec");
    const auto place = text.find(from);
    ASSERT_NE(place, std::string::npos) << from;
    text.replace(place, std::string_view(from).size(), to);
    EXPECT_EQ(post_to_b(text).status, 204U);
  }
  run(*b);
  ASSERT_EQ(sent.size(), std::size(faults));
  for (const auto& request : sent) {
    const Envelope error = testing::envelope_of(request);
    ASSERT_EQ(error.header.action, "MessageError");
    EXPECT_TRUE(error.error_list->highest_is_error);
    for (const auto& entry : error.error_list->errors) EXPECT_TRUE(entry.is_error);
  }

  // EC is as silent about acknowledgements as we are: a wrong one is answered 204 and nothing follows.
  sent.clear();
  const auto submitted = a->submit(question());
  run(*a);
  const Envelope ours = testing::envelope_of(sent.at(0));
  Envelope ack;
  ack.header = ours.header;
  std::swap(ack.header.from, ack.header.to);
  ack.header.service = uri::signal_service;
  ack.header.service_type.clear();
  ack.header.action = "Acknowledgment";
  ack.header.ref_to_message_id = "another@ec";
  ack.header.duplicate_elimination = false;
  ack.header.time_to_live.reset();
  ack.acknowledgment = Acknowledgment{std::string(uri::to_party_msh), clock.now(), "another@ec", {}, {}};
  EXPECT_EQ(post_to_a(*build_envelope(ack)).status, 204U);
  EXPECT_EQ(a->message(submitted->id).state, State::sent);
  EXPECT_EQ(a->work("ebms.signal"), 0);
}

TEST_F(PeerHabits, only_the_first_channel_and_its_endpoint_count) {  // EB-244
  const auto two_channels = [](const char* tenant, int own) {
    auto loaded = agreement().loaded(tenant, own);
    auto& receiver = loaded.agreement.parties[1];
    auto second = *receiver.channel("B_Channel_Action");
    second.id = "B_Channel_Second";
    second.transport_id = "B_Transport_Second";
    second.characteristics.ack_requested = second.characteristics.duplicate_elimination = cpa::Occurrence::never;
    receiver.channels.push_back(second);
    auto transport = *receiver.transport("B_Transport");
    transport.id = "B_Transport_Second";
    transport.endpoints = {{"https://b.example/second", "request"}};
    receiver.transports.push_back(transport);
    for (auto& first : receiver.transports)
      if (first.id == "B_Transport")
        first.endpoints = {{"https://b.example/ebms", "allPurpose"}, {"https://b.example/other", "allPurpose"}};
    for (auto& role : receiver.roles)
      for (auto& action : role.actions)
        if (action.action == "question") action.channel_ids = {"B_Channel_Action", "B_Channel_Second"};
    return loaded;
  };
  start();
  a->load(two_channels("ta", 0));
  b->load(two_channels("tb", 1));
  const auto submitted = a->submit(question());
  ASSERT_TRUE(submitted) << submitted.error().detail;
  settle();
  EXPECT_EQ(sent.at(0).url, "https://b.example/ebms");
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

TEST_F(PeerHabits, what_the_peer_answers_with_notsupported_is_never_sent) {  // EB-100, EB-190, EB-244
  const auto ordered = [](const char* tenant, int own) {
    auto loaded = agreement().loaded(tenant, own);
    for (auto& party : loaded.agreement.parties) {
      for (auto& exchange : party.doc_exchanges) exchange.sender->order_guaranteed = exchange.receiver->order_guaranteed = true;
      for (auto& channel : party.channels) channel.characteristics.actor = std::string(uri::next_msh);
    }
    return loaded;
  };
  start();
  a->load(ordered("ta", 0));
  b->load(ordered("tb", 1));
  ASSERT_TRUE(a->submit(question()));
  settle();
  ASSERT_EQ(sent.size(), 2U);
  const Envelope message = testing::envelope_of(sent[0]);
  EXPECT_FALSE(message.message_order);
  ASSERT_EQ(message.ack_requested.size(), 1U);
  EXPECT_TRUE(message.ack_requested[0].targets_to_party_msh());
  expect_ec_believes(testing::envelope_of(sent[1]), message);
}

TEST_F(PeerHabits, a_pong_comes_within_the_peers_patience_or_not_at_all) {  // EB-180, EB-244
  start();
  std::vector<Duration> at;
  const Instant begin = clock.now();
  on_wire = [&](const WireRequest& request, bool) {
    EXPECT_EQ(testing::envelope_of(request).header.action, "Pong");
    at.push_back(clock.now() - begin);
    return std::optional(status(500));
  };
  Envelope ping = read(question_of_ec("ping@ec"));
  Envelope out;
  out.header = ping.header;
  out.header.service = uri::signal_service;
  out.header.service_type.clear();
  out.header.action = "Ping";
  out.header.duplicate_elimination = false;
  out.header.time_to_live.reset();
  EXPECT_EQ(post_to_b(*build_envelope(out)).status, 204U);
  for (int second = 0; second < 180; ++second) {
    run(*b);
    clock.advance(1s);
  }
  EXPECT_EQ(at, std::vector<Duration>{0s}) << "after 30 s nobody waits for it";
  EXPECT_EQ(b->work("ebms.signal"), 0);
}

}  // namespace
}  // namespace schakel::ebms
