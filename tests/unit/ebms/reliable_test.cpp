// Two message handlers and what passes between them (ebms.md 3.2, 3.3, 3.6, 3.7; EB-100..123).

#include "base/json_library.hpp"
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using testing::Pair;
using testing::WireRequest;
using State = exchange::State;

class ReliableMessaging : public Pair {
 protected:
  nlohmann::json event_data(testing::Node& node) { return nlohmann::json::parse(node.event_rows().back().data); }
};

TEST_F(ReliableMessaging, delivers_once_and_both_sides_know) {  // EB-007, EB-009, EB-100, EB-101, EB-111, EB-112, EB-214, EB-216
  start();
  Bytes every_octet = "\r\n--\r\n";
  for (int i = 0; i < 256; ++i) every_octet += static_cast<char>(i);
  const auto submitted = a->submit(question({every_octet, "", "--boundary\r\n"}));
  ASSERT_TRUE(submitted) << submitted.error().code << submitted.error().detail;
  settle();

  const auto message = a->message(submitted->id);
  EXPECT_EQ(message.state, State::delivered);
  EXPECT_TRUE(message.confirmed);
  EXPECT_EQ(a->events(), std::vector<std::string>{"message.delivered"});
  ASSERT_EQ(b->inbound().size(), 1u);
  const auto received = b->inbound().front();
  EXPECT_EQ(received.state, State::received);
  EXPECT_EQ(received.message_id, message.message_id);
  EXPECT_EQ(received.conversation_id, message.conversation_id);
  EXPECT_EQ(b->events(), std::vector<std::string>{"message.received"});
  const auto payloads = b->payloads(received.id);
  ASSERT_EQ(payloads.size(), 3u);
  EXPECT_EQ(b->octets(payloads[0]), every_octet);
  EXPECT_EQ(payloads[1].size, 0);
  EXPECT_EQ(b->octets(payloads[2]), "--boundary\r\n");
  EXPECT_EQ(payloads[0].sha256, sha256_hex(every_octet));

  ASSERT_EQ(sent.size(), 2u);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 204u);
  EXPECT_TRUE(answers[0].body.empty());
  EXPECT_TRUE(answers[0].content_type.empty());
  EXPECT_EQ(sent[1].url, "https://a.example/ebms");
  EXPECT_EQ(answers[1].status, 204u);
  const Envelope ack = testing::envelope_of(sent[1]);
  EXPECT_EQ(ack.header.action, "Acknowledgment");
  EXPECT_EQ(ack.header.ref_to_message_id, message.message_id);
  EXPECT_EQ(ack.header.conversation_id, message.conversation_id);
  EXPECT_EQ(ack.acknowledgment->ref_to_message_id, message.message_id);
  EXPECT_EQ(ack.acknowledgment->actor, std::string(uri::to_party_msh));
  EXPECT_EQ(ack.acknowledgment->timestamp, received.received_at);
  EXPECT_FALSE(ack.manifest);
  EXPECT_TRUE(ack.ack_requested.empty());
  EXPECT_EQ(a->work("ebms.send") + a->work("message.expire") + b->work("ebms.signal"), 0);
  EXPECT_EQ(a->trail(message.id), (std::vector<std::string>{"submitted", "queued", "attemptStarted", "attemptSucceeded", "acknowledged"}));
  EXPECT_EQ(b->trail(received.id), (std::vector<std::string>{"received", "stored", "replied"}));
}

TEST_F(ReliableMessaging, puts_on_the_wire_what_the_profile_demands) {  // EB-004, EB-005, EB-020, EB-066, EB-067, EB-070, EB-071
  start();
  ASSERT_TRUE(a->submit(question()));
  ASSERT_TRUE(a->submit(question({})));
  settle();
  const WireRequest &with = sent[0], &without = sent[1];
  EXPECT_EQ(with.header("SOAPAction"), "\"ebXML\"");
  EXPECT_EQ(with.headers.size(), 2u);
  const Envelope e = testing::envelope_of(with);
  EXPECT_TRUE(with.header("Content-Type").starts_with("multipart/related; boundary=\""));
  EXPECT_NE(with.header("Content-Type").find("type=\"text/xml\"; start=\"<" + e.header.message_id + ">\""), std::string::npos);
  EXPECT_EQ(without.header("Content-Type"), "text/xml; charset=UTF-8");
  EXPECT_EQ(with.body.find("Content-Transfer-Encoding"), std::string::npos);
  EXPECT_EQ(with.body.find("MIME-Version"), std::string::npos);
  EXPECT_TRUE(e.header.message_id.ends_with("@a.example"));
  EXPECT_TRUE(is_uuid(e.header.message_id.substr(0, 36)));
  EXPECT_EQ(e.header.service_type, "urn:osb:services");
  EXPECT_EQ(e.header.from.role, "Melder");
  EXPECT_EQ(e.header.to.role, "Ontvanger");
  EXPECT_EQ(*e.header.time_to_live, e.header.timestamp + 20min + 1s);
  EXPECT_TRUE(e.header.duplicate_elimination);
  ASSERT_EQ(e.ack_requested.size(), 1u);
  EXPECT_FALSE(e.ack_requested[0].is_signed);
  EXPECT_FALSE(e.sync_reply);
  EXPECT_FALSE(testing::envelope_of(without).manifest);
}

TEST_F(ReliableMessaging, acknowledges_on_the_connection_when_both_agreed_so) {  // EB-008, EB-121, EB-122
  start(agreement().synchronous());
  const auto submitted = a->submit(question());
  settle();
  EXPECT_EQ(sent.size(), 1u);
  EXPECT_EQ(answers[0].status, 200u);
  EXPECT_EQ(answers[0].content_type, "text/xml; charset=UTF-8");
  EXPECT_TRUE(testing::envelope_of(sent[0]).sync_reply);
  const auto ack = parse_envelope(answers[0].body, "UTF-8");
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->header.action, "Acknowledgment");
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_EQ(b->work("ebms.signal"), 0);
}

TEST_F(ReliableMessaging, asks_for_no_synchronous_reply_when_none_is_agreed) {  // EB-120
  start();
  ASSERT_TRUE(a->submit(question()));
  settle();
  EXPECT_EQ(answers[0].status, 204u);
  EXPECT_TRUE(answers[0].body.empty());
  EXPECT_EQ(sent.size(), 2u);
}

TEST_F(ReliableMessaging, repeats_the_same_octets_at_every_retry_interval_until_time_to_live) {  // EB-102, EB-103, EB-106
  for (const bool accepted : {true, false}) {
    start();
    sent.clear();
    on_wire = [&](const WireRequest&, bool) { return std::optional(accepted ? status(204) : broken()); };
    const auto submitted = a->submit(question({"<m/>", std::string(300'000, 'x')}));
    std::vector<Duration> at;
    const Instant begin = clock.now();
    for (int minute = 0; minute <= 21; ++minute) {
      const std::size_t before = sent.size();
      settle();
      if (sent.size() != before) at.push_back(clock.now() - begin);
      if (minute == 20) {
        EXPECT_FALSE(exchange::is_final(a->message(submitted->id).state));
        clock.advance(1s);
        settle();
        EXPECT_EQ(a->message(submitted->id).state, State::expired);
      }
      clock.advance(1min);
    }
    EXPECT_EQ(at, (std::vector<Duration>{0min, 5min, 10min, 15min}));
    for (const auto& request : sent) EXPECT_EQ(request.body, sent[0].body);
    EXPECT_EQ(a->message(submitted->id).state, State::expired);
    EXPECT_EQ(a->events(), std::vector<std::string>{"message.expired"});
    EXPECT_EQ(event_data(*a)["deliveryFailure"]["severity"], accepted ? "Warning" : "Error");
    EXPECT_EQ(event_data(*a)["attempts"], 4);
    EXPECT_EQ(a->work("ebms.send") + a->work("message.expire"), 0);
  }
}

TEST_F(ReliableMessaging, stops_at_persist_duration_when_it_is_shorter_than_the_retries) {  // EB-103
  start(agreement().reliability(3, 5min, 12min));
  on_wire = [&](const WireRequest&, bool) { return std::optional(status(503)); };
  const auto submitted = a->submit(question());
  ASSERT_TRUE(submitted) << submitted.error().detail;
  for (int minute = 0; minute < 20; ++minute) {
    settle();
    clock.advance(1min);
  }
  EXPECT_EQ(sent.size(), 3u);
  EXPECT_EQ(a->message(submitted->id).state, State::sent);
  settle_at(2s);
  EXPECT_EQ(a->message(submitted->id).state, State::expired);
}

TEST_F(ReliableMessaging, uses_the_defaults_of_the_standard_when_the_agreement_is_silent) {  // EB-105
  auto loaded = agreement().loaded("ta", 0);
  for (auto& party : loaded.agreement.parties)
    for (auto& exchange : party.doc_exchanges) exchange.sender = exchange.receiver = cpa::Binding{};
  start();
  a->load(loaded);
  const auto submitted = a->submit(question());
  ASSERT_TRUE(submitted) << submitted.error().detail;
  EXPECT_EQ(submitted->retries_max, 39);
  EXPECT_EQ(submitted->retry_interval, Duration(3h));
  EXPECT_EQ(*submitted->expires_at - *submitted->timestamp, Duration(120h + 1s));
  EXPECT_EQ(*submitted->persist_until - *submitted->timestamp, Duration(120h));
}

TEST_F(ReliableMessaging, retries_go_through_when_the_partner_is_back) {  // EB-104, EB-230
  start();
  int failures = 0;
  on_wire = [&](const WireRequest&, bool) -> std::optional<Outcome> {
    if (++failures == 1) return broken("transport.timeout");
    if (failures == 2) return status(500);
    return std::nullopt;
  };
  const auto submitted = a->submit(question());
  settle();
  EXPECT_EQ(a->message(submitted->id).state, State::queued);
  EXPECT_EQ(a->message(submitted->id).last_error->code, "transport.timeout");
  EXPECT_EQ(a->message(submitted->id).next_attempt_at, clock.now() + 5min);
  settle_at(5min);
  EXPECT_EQ(a->message(submitted->id).last_error->code, "transport.500");
  settle_at(5min);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_EQ(a->message(submitted->id).attempts, 3);
}

TEST_F(ReliableMessaging, reads_every_http_outcome_as_specified) {  // EB-012, EB-230, EB-231
  const std::string fault =
      "<soap:Envelope "
      "xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault><faultcode>soap:Client</"
      "faultcode><faultstring>CPA_UNKNOWN: x</faultstring></soap:Fault></soap:Body></soap:Envelope>";
  struct Row {
    unsigned status;
    std::string body;
    State reliable, best_effort;
  };
  const std::vector<Row> rows = {
      {200, "", State::sent, State::delivered},   {202, " \r\n", State::sent, State::delivered},  {204, "", State::sent, State::delivered},
      {200, fault, State::queued, State::failed}, {200, "not xml", State::queued, State::failed}, {408, "", State::queued, State::failed},
      {425, "", State::queued, State::failed},    {429, "", State::queued, State::failed},        {301, "", State::failed, State::failed},
      {400, "", State::failed, State::failed},    {403, "", State::failed, State::failed},        {404, "", State::failed, State::failed},
      {405, "", State::failed, State::failed},    {101, "", State::failed, State::failed},        {500, "", State::queued, State::failed},
      {500, fault, State::queued, State::failed}, {502, "", State::queued, State::failed},        {503, "", State::queued, State::failed},
      {501, "", State::failed, State::failed},    {505, "", State::failed, State::failed},        {510, "", State::failed, State::failed},
      {0, "", State::queued, State::failed}};
  for (const bool reliable : {true, false}) {
    for (const Row& row : rows) {
      start(agreement(reliable ? cpa::Profile::osb_rm : cpa::Profile::osb_be));
      on_wire = [&](const WireRequest&, bool) -> std::optional<Outcome> {
        if (row.status == 0) return broken();
        Outcome outcome = status(row.status);
        outcome.content_type = "text/xml; charset=UTF-8";
        outcome.body = row.body;
        return outcome;
      };
      const auto submitted = a->submit(question());
      settle();
      const auto message = a->message(submitted->id);
      EXPECT_EQ(message.state, reliable ? row.reliable : row.best_effort) << row.status << row.body << reliable;
      if (message.state == State::failed && row.status >= 300) {
        EXPECT_EQ(message.last_error->code, "transport." + std::to_string(row.status));
        EXPECT_EQ(a->events(), std::vector<std::string>{"message.failed"});
        EXPECT_EQ(event_data(*a)["httpStatus"], row.status);
      }
    }
  }
}

TEST_F(ReliableMessaging, honours_retry_after_when_it_is_longer_than_the_interval) {  // EB-012
  start();
  Duration wait = 1min;
  on_wire = [&](const WireRequest&, bool) {
    Outcome outcome = status(503);
    outcome.retry_after = wait;
    return std::optional(outcome);
  };
  const auto submitted = a->submit(question());
  settle();
  EXPECT_EQ(a->message(submitted->id).next_attempt_at, clock.now() + 5min);
  wait = 8min;
  settle_at(5min);
  EXPECT_EQ(a->message(submitted->id).next_attempt_at, clock.now() + 8min);
}

TEST_F(ReliableMessaging, reports_a_possible_delivery_as_a_warning) {  // EB-106
  start(agreement().reliability(0, 5min, 1h));
  on_wire = [&](const WireRequest&, bool) {
    Outcome outcome = broken("transport.timeout");
    outcome.body_was_sent = true;
    return std::optional(outcome);
  };
  ASSERT_TRUE(a->submit(question()));
  settle();
  settle_at(6min);
  EXPECT_EQ(event_data(*a)["deliveryFailure"]["severity"], "Warning");
}

// What a answers b when it gets `octets` on a fresh connection.
Answer post(testing::Node& node, const Bytes& octets, const security::PeerIdentity& peer) {
  return node.receive({"", {{"Content-Type", "text/xml; charset=UTF-8"}}, octets}, &peer);
}

TEST_F(ReliableMessaging, takes_the_acknowledgement_on_either_path_whatever_the_mode) {  // EB-123
  // Asynchronous agreement, acknowledgement on the connection.
  start();
  on_wire = [&](const WireRequest& request, bool to_b) -> std::optional<Outcome> {
    if (!to_b) return std::nullopt;
    b->receive(request, &peer_a);
    Outcome outcome = status(200);
    outcome.content_type = "text/xml";
    outcome.body = b->in_unit([&](sql::Transaction& tx) { return tx.query("SELECT root FROM signals"); }).value().front().text(0);
    return outcome;
  };
  const auto first = a->submit(question());
  run(*a);
  EXPECT_EQ(a->message(first->id).state, State::delivered);
  settle();
  EXPECT_EQ(a->events(), std::vector<std::string>{"message.delivered"});  // the second copy changes nothing

  // Synchronous agreement, acknowledgement by a post of its own.
  start(agreement().synchronous());
  Bytes ack;
  on_wire = [&](const WireRequest& request, bool) {
    ack = b->receive(request, &peer_a).body;
    return std::optional(status(204));
  };
  const auto second = a->submit(question());
  settle();
  EXPECT_EQ(a->message(second->id).state, State::sent);  // an empty 2xx is no acknowledgement yet
  EXPECT_EQ(post(*a, ack, peer_b).status, 204u);
  EXPECT_EQ(a->message(second->id).state, State::delivered);
}

TEST_F(ReliableMessaging, an_acknowledgement_wins_over_the_attempt_that_runs) {  // EB-103, EB-221
  start();
  on_wire = [&](const WireRequest& request, bool to_b) -> std::optional<Outcome> {
    if (!to_b) return std::nullopt;
    b->receive(request, &peer_a);
    run(*b);  // the acknowledgement arrives while the attempt waits for its answer
    return broken("transport.timeout");
  };
  const auto submitted = a->submit(question());
  settle();
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_EQ(a->events(), std::vector<std::string>{"message.delivered"});
  EXPECT_EQ(a->work("ebms.send"), 0);
}

TEST_F(ReliableMessaging, keeps_the_end_when_an_acknowledgement_comes_late) {  // EB-114
  start(agreement().reliability(0, 5min, 1h));
  Bytes ack;
  on_wire = [&](const WireRequest& request, bool to_b) -> std::optional<Outcome> {
    if (to_b) {
      b->receive(request, &peer_a);
      return status(204);
    }
    ack = request.body;
    return status(503);
  };
  const auto submitted = a->submit(question());
  settle();
  settle_at(6min);
  ASSERT_EQ(a->message(submitted->id).state, State::expired);
  EXPECT_EQ(post(*a, ack, peer_b).status, 204u);
  const auto message = a->message(submitted->id);
  EXPECT_EQ(message.state, State::expired);
  EXPECT_EQ(message.late_acknowledged_at, clock.now());
  EXPECT_EQ(a->events(), (std::vector<std::string>{"message.expired", "message.late_acknowledged"}));
  EXPECT_EQ(post(*a, ack, peer_b).status, 204u);
  EXPECT_EQ(a->events().size(), 2u);
}

TEST_F(ReliableMessaging, posts_an_acknowledgement_again_after_1_5_and_15_minutes) {  // EB-113
  start(agreement().reliability(10, 10min, 10h));
  std::vector<Duration> at;
  const Instant begin = clock.now();
  on_wire = [&](const WireRequest&, bool to_b) -> std::optional<Outcome> {
    if (to_b) return std::nullopt;
    at.push_back(clock.now() - begin);
    return status(500);
  };
  ASSERT_TRUE(a->submit(question()));
  run(*a);
  for (int minute = 0; minute < 60; ++minute) {
    run(*b);
    clock.advance(1min);
  }
  EXPECT_EQ(at, (std::vector<Duration>{0min, 1min, 6min, 21min}));
  EXPECT_EQ(b->work("ebms.signal"), 0);
}

TEST_F(ReliableMessaging, posts_no_acknowledgement_after_the_message_has_expired) {  // EB-113
  start(agreement().reliability(0, 2min, 1h));
  int posts = 0;
  on_wire = [&](const WireRequest&, bool to_b) -> std::optional<Outcome> {
    if (to_b) return std::nullopt;
    ++posts;
    return status(500);
  };
  ASSERT_TRUE(a->submit(question()));
  run(*a);
  for (int minute = 0; minute < 30; ++minute) {
    run(*b);
    clock.advance(1min);
  }
  EXPECT_EQ(posts, 2);
}

TEST_F(ReliableMessaging, a_partners_error_ends_the_message_with_all_it_says) {  // EB-135, EB-137
  start();
  const auto submitted = a->submit(question());
  on_wire = [&](const WireRequest&, bool) { return std::optional(status(204)); };
  settle();
  Envelope error;
  error.header = testing::envelope_of(sent[0]).header;
  std::swap(error.header.from, error.header.to);
  error.header.service = uri::signal_service;
  error.header.service_type.clear();
  error.header.action = "MessageError";
  error.header.ref_to_message_id = error.header.message_id;
  error.header.message_id = "e1@b.example";
  error.header.duplicate_elimination = false;
  error.header.time_to_live.reset();
  error.error_list = ErrorList{false, {{"urn:own:codes", "Odd", false, "", "beware"}}};
  const Bytes warning = *build_envelope(error);
  error.header.message_id = "e2@b.example";
  error.error_list = ErrorList{
      true, {{std::string(uri::errors), "Inconsistent", true, "xpointer(//x)", "Wrong value."}, {"urn:own:codes", "Odd", false, "", ""}}};
  const Bytes failure = *build_envelope(error);

  EXPECT_EQ(post(*a, warning, peer_b).status, 204u);
  EXPECT_FALSE(exchange::is_final(a->message(submitted->id).state));
  EXPECT_EQ(post(*a, failure, peer_a).status, 500u);  // not from the other party
  EXPECT_EQ(post(*a, failure, peer_b).status, 204u);
  EXPECT_EQ(post(*a, failure, peer_b).status, 204u);
  const auto message = a->message(submitted->id);
  EXPECT_EQ(message.state, State::failed);
  EXPECT_EQ(message.last_error->code, "Inconsistent");
  EXPECT_EQ(message.last_error->source, "partner");
  EXPECT_EQ(a->events(), (std::vector<std::string>{"message.warning", "message.failed"}));
  EXPECT_EQ(event_data(*a)["errors"].size(), 2u);
  EXPECT_EQ(event_data(*a)["errors"][0]["location"], "xpointer(//x)");
  EXPECT_EQ(event_data(*a)["errors"][1]["codeContext"], "urn:own:codes");
  EXPECT_EQ(a->work("ebms.send") + a->work("ebms.signal") + a->work("message.expire"), 0);
}

TEST_F(ReliableMessaging, signals_about_nothing_of_ours_are_answered_204_and_cause_nothing) {  // EB-115, EB-131
  start();
  const auto submitted = a->submit(question());
  on_wire = [&](const WireRequest&, bool) { return std::optional(status(204)); };
  settle();
  const MessageHeader original = testing::envelope_of(sent[0]).header;
  const auto with = [&](auto change) {
    Envelope ack;
    ack.header = original;
    std::swap(ack.header.from, ack.header.to);
    ack.header.service = uri::signal_service;
    ack.header.service_type.clear();
    ack.header.action = "Acknowledgment";
    ack.header.message_id = uuid_v4(a->random) + "@b.example";
    ack.header.ref_to_message_id = original.message_id;
    ack.header.duplicate_elimination = false;
    ack.header.time_to_live.reset();
    ack.acknowledgment = Acknowledgment{std::string(uri::to_party_msh), clock.now(), original.message_id, {}, {}};
    change(ack);
    return post(*a, *build_envelope(ack), peer_b).status;
  };
  EXPECT_EQ(with([](Envelope& e) { e.header.ref_to_message_id = e.acknowledgment->ref_to_message_id = "unknown@x"; }), 204u);
  EXPECT_EQ(with([](Envelope& e) { e.header.ref_to_message_id = "other@x"; }), 204u);
  EXPECT_EQ(with([](Envelope& e) { e.acknowledgment.reset(); }), 204u);
  EXPECT_EQ(with([](Envelope& e) {
              e.header.action = "MessageError";
              e.acknowledgment.reset();
              e.header.ref_to_message_id = "unknown@x";
              e.error_list = ErrorList{true, {{std::string(uri::errors), "Unknown", true, "", ""}}};
            }),
            204u);
  EXPECT_EQ(with([](Envelope& e) {
              e.header.action = "Pong";
              e.acknowledgment.reset();
            }),
            204u);
  EXPECT_EQ(a->message(submitted->id).state, State::sent);
  EXPECT_EQ(a->work("ebms.signal"), 0);
  // An AckRequested in a signal is ignored; an acknowledgement without actor counts.
  Bytes octets;
  {
    Envelope ack;
    ack.header = original;
    std::swap(ack.header.from, ack.header.to);
    ack.header.service = uri::signal_service;
    ack.header.service_type.clear();
    ack.header.action = "Acknowledgment";
    ack.header.message_id = "ok@b.example";
    ack.header.ref_to_message_id = original.message_id;
    ack.header.duplicate_elimination = false;
    ack.header.time_to_live.reset();
    ack.acknowledgment = Acknowledgment{std::nullopt, clock.now(), original.message_id, {}, {}};
    octets = *build_envelope(ack);
    octets.insert(octets.find("<eb:Acknowledgment"), "<eb:AckRequested eb:version=\"2.0\" soap:mustUnderstand=\"1\" eb:signed=\"true\"/>");
  }
  EXPECT_EQ(post(*a, octets, peer_b).status, 204u);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_EQ(a->work("ebms.signal"), 0);
}

TEST_F(ReliableMessaging, contradictory_agreements_let_at_most_one_error_cross) {  // EB-130, EB-131, EB-136
  start();
  auto other = agreement(cpa::Profile::osb_be).loaded("tb", 1);
  b->load(other);
  const auto submitted = a->submit(question());
  settle();
  ASSERT_EQ(sent.size(), 2u);
  const Envelope error = testing::envelope_of(sent[1]);
  EXPECT_EQ(error.header.action, "MessageError");
  EXPECT_EQ(error.header.ref_to_message_id, a->message(submitted->id).message_id);
  EXPECT_EQ(error.header.conversation_id, a->message(submitted->id).conversation_id);
  EXPECT_EQ(error.header.from.ids[0].value, oin_b);
  EXPECT_TRUE(error.ack_requested.empty());
  EXPECT_FALSE(error.header.time_to_live);
  EXPECT_FALSE(error.manifest);
  EXPECT_EQ(a->message(submitted->id).state, State::failed);
  EXPECT_EQ(b->inbound().at(0).state, State::refused);
  EXPECT_TRUE(b->events().empty());
  settle_at(1h);
  EXPECT_EQ(sent.size(), 2u);
}

TEST_F(ReliableMessaging, posts_errors_to_the_error_endpoint) {  // EB-136
  start();
  auto other = agreement(cpa::Profile::osb_be).loaded("tb", 1);
  other.agreement.parties[0].transports[0].endpoints.push_back({"https://a.example/errors", "error"});
  b->load(other);
  ASSERT_TRUE(a->submit(question()));
  run(*a);
  run(*b);
  EXPECT_EQ(sent.back().url, "https://a.example/errors");
}

TEST_F(ReliableMessaging, an_attempt_that_a_crash_interrupted_is_counted_and_repeated) {  // EB-102, EB-221
  start();
  const auto submitted = a->submit(question());
  const auto work = a->due_work();
  ASSERT_EQ(work.size(), 2u - 1u);
  const auto first = a->in_unit([&](sql::Transaction& tx) { return a->msh->prepare(tx, a->claimer, work[0]); });
  ASSERT_TRUE(*first);
  EXPECT_EQ(a->message(submitted->id).state, State::sending);
  clock.advance(1min);
  a->claim();  // the process is new: what the old one held is free
  settle();
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_EQ(a->message(submitted->id).attempts, 2);
  EXPECT_EQ(sent[0].body, wire(*a, **first).body);
}

TEST_F(ReliableMessaging, waits_while_the_contract_or_tenant_is_suspended) {  // EB-103
  start();
  const auto submitted = a->submit(question());
  auto suspended = agreement().loaded("ta", 0);
  suspended.row.state = exchange::ContractState::suspended;
  a->load(suspended);
  settle();
  EXPECT_EQ(a->message(submitted->id).state, State::held);
  EXPECT_TRUE(sent.empty());
  a->load(agreement().loaded("ta", 0));
  settle_at(1min);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

TEST_F(ReliableMessaging, starts_later_when_the_application_asks) {  // EB-070
  start();
  SubmitRequest request = question();
  request.not_before = clock.now() + 2h;
  const auto submitted = a->submit(request);
  EXPECT_EQ(submitted->state, State::held);
  settle_at(1h);
  EXPECT_TRUE(sent.empty());
  settle_at(1h);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_EQ(testing::envelope_of(sent[0]).header.timestamp, *request.not_before);
}

TEST_F(ReliableMessaging, a_probe_of_an_open_circuit_uses_up_no_retry) {  // EB-103
  start();
  bool down = true;
  on_wire = [&](const WireRequest&, bool) -> std::optional<Outcome> { return down ? std::optional(broken()) : std::nullopt; };
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(a->submit(question())->id);
  settle();
  for (int minute = 0; minute < 15; ++minute) settle_at(1min);
  down = false;
  for (int minute = 0; minute < 4; ++minute) settle_at(61s);
  for (const auto& id : ids) EXPECT_EQ(a->message(id).state, State::delivered);
}

TEST_F(ReliableMessaging, answers_keep_the_conversation_and_name_what_they_answer) {  // EB-065, EB-069
  start();
  const auto question_sent = a->submit(question());
  settle();
  SubmitRequest answer;
  answer.tenant = "tb";
  answer.service = "sim:Melding:1:0";
  answer.action = "answer";
  answer.conversation_id = question_sent->conversation_id;
  answer.ref_to_message_id = question_sent->message_id;
  const auto sent_answer = b->submit(answer);
  ASSERT_TRUE(sent_answer) << sent_answer.error().detail;
  settle();
  ASSERT_EQ(a->inbound().size(), 1u);
  EXPECT_EQ(a->inbound()[0].ref_to_message_id, question_sent->message_id);
  EXPECT_EQ(a->inbound()[0].conversation_id, question_sent->conversation_id);
  EXPECT_EQ(b->message(sent_answer->id).state, State::delivered);
}

// --- best effort
// -----------------------------------------------------------------------------------------------------------------------------

class BestEffort : public Pair {};

TEST_F(BestEffort, sends_once_without_any_reliable_element) {  // EB-093
  start(agreement(cpa::Profile::osb_be));
  const auto submitted = a->submit(question());
  settle();
  const Envelope e = testing::envelope_of(sent[0]);
  EXPECT_TRUE(e.ack_requested.empty());
  EXPECT_FALSE(e.header.duplicate_elimination);
  EXPECT_FALSE(e.header.time_to_live);
  EXPECT_FALSE(e.sync_reply);
  EXPECT_EQ(sent.size(), 1u);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_FALSE(a->message(submitted->id).confirmed);
  EXPECT_EQ(b->inbound().size(), 1u);
}

TEST_F(BestEffort, delivers_a_repetition_again_and_flags_it) {  // EB-093
  start(agreement(cpa::Profile::osb_be));
  ASSERT_TRUE(a->submit(question()));
  settle();
  clock.advance(1s);
  EXPECT_EQ(b->receive(sent[0], &peer_a).status, 204u);
  const auto inbound = b->inbound();
  ASSERT_EQ(inbound.size(), 2u);
  EXPECT_FALSE(inbound[0].possible_duplicate);
  EXPECT_TRUE(inbound[1].possible_duplicate);
  EXPECT_EQ(b->work("ebms.signal"), 0);
}

TEST_F(BestEffort, drops_a_repetition_where_the_contract_says_so) {  // EB-093
  start(agreement(cpa::Profile::osb_be));
  auto dropping = agreement(cpa::Profile::osb_be).loaded("tb", 1);
  dropping.settings.drop_best_effort_duplicates = true;
  b->load(dropping);
  ASSERT_TRUE(a->submit(question()));
  settle();
  EXPECT_EQ(b->receive(sent[0], &peer_a).status, 204u);
  EXPECT_EQ(b->inbound().size(), 1u);
  EXPECT_EQ(b->inbound()[0].duplicate_count, 1);
}

TEST_F(BestEffort, does_not_retry_what_a_crash_interrupted) {  // EB-093
  start(agreement(cpa::Profile::osb_be));
  const auto submitted = a->submit(question());
  const auto work = a->due_work();
  ASSERT_TRUE(*a->in_unit([&](sql::Transaction& tx) { return a->msh->prepare(tx, a->claimer, work.at(0)); }));
  clock.advance(1min);
  a->claim();
  settle();
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(a->message(submitted->id).state, State::failed);
}

}  // namespace
}  // namespace schakel::ebms
