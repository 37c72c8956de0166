// What an application may ask for, what an operator may do, and who may speak for a party.

#include "base/json_library.hpp"
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using testing::Pair;
using State = exchange::State;

class Submitting : public Pair {
 protected:
  void SetUp() override { start(); }

  template <class Change>
  std::string refused(Change change) {
    SubmitRequest request = question();
    change(request);
    const auto result = a->submit(request);
    EXPECT_EQ(a->count("SELECT count(*) FROM messages"), before_);
    return result ? "accepted" : result.error().code + result.error().location;
  }
  std::int64_t before_ = 0;
};

TEST_F(Submitting, refuses_what_the_contract_does_not_allow) {  // CPA-001 (sending), EB-211
  EXPECT_EQ(refused([](SubmitRequest& r) { r.cpa_id = "unknown"; }), "contract.unknown");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.cpa_id = "sim-1", r.action = "answer"; }), "contract.actionNotAllowed");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.cpa_id = "sim-1", r.action = "Question"; }), "contract.actionNotAllowed");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.cpa_id = "sim-1", r.from_role = "Ontvanger"; }), "contract.actionNotAllowed");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.tenant = "somebody"; }), "contract.unknown");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.service.clear(); }), "request.invalid/service");
  a->suspended = true;
  EXPECT_EQ(refused([](SubmitRequest&) {}), "tenant.suspended");
  a->suspended = false;
  clock.set(parse_datetime("2019-01-01T00:00:00Z")->instant);
  EXPECT_EQ(refused([](SubmitRequest& r) { r.cpa_id = "sim-1"; }), "contract.notYetValid");
  clock.set(parse_datetime("2041-01-01T00:00:00Z")->instant);
  EXPECT_EQ(refused([](SubmitRequest& r) { r.cpa_id = "sim-1"; }), "contract.expired");
}

TEST_F(Submitting, refuses_fields_that_cannot_travel) {  // EB-026, EB-065, EB-067, EB-211
  const std::string too_long(256, 'x');
  EXPECT_EQ(refused([&](SubmitRequest& r) { r.conversation_id = too_long; }), "request.invalid/conversationId");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.conversation_id = "a\nb"; }), "request.invalid/conversationId");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.conversation_id = "a\x01"; }), "request.invalid/conversationId");
  for (const char* id : {"a b@x", "<a@x>", "a>@x", "a\t@x", "caf\xC3\xA9@x"})
    EXPECT_EQ(refused([id](SubmitRequest& r) { r.message_id = id; }), "request.invalid/messageId") << id;
  EXPECT_EQ(refused([&](SubmitRequest& r) { r.message_id = too_long + "@x"; }), "request.invalid/messageId");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.payloads[0].content_id = "a b@x"; }), "request.invalid/payloads/0/contentId");
  EXPECT_EQ(refused([](SubmitRequest& r) {
              r.payloads[0].content_id = "p@x";
              r.payloads.push_back(r.payloads[0]);
            }),
            "request.invalid/payloads/1/contentId");
  for (const char* type : {"nonsense", "text/xml\r\nX: y", "a/b; c"})
    EXPECT_EQ(refused([type](SubmitRequest& r) { r.payloads[0].content_type = type; }), "request.invalid/payloads/0/contentType") << type;
  EXPECT_EQ(refused([](SubmitRequest& r) { r.time_to_live = Duration{0}; }), "request.invalid/timeToLive");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.time_to_live = 61min; }), "request.invalid/timeToLive");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.ref_to_message_id = "unknown@x"; }), "request.invalid/refToMessageId");
  EXPECT_EQ(refused([](SubmitRequest& r) { r.payloads.resize(100, r.payloads[0]); }), "request.invalid/payloads");
}

TEST_F(Submitting, is_composed_before_the_unit_where_that_needs_nothing_of_the_store) {  // EB-102, EB-232
  const auto request = question();
  const auto composed = a->msh->compose(request);
  ASSERT_TRUE(composed);
  const auto store = [&] { return a->in_unit([&](sql::Transaction& tx) { return a->msh->submit(tx, request, composed.get()); }); };
  ASSERT_TRUE(store());
  EXPECT_FALSE(store()) << "what was drawn while it was composed is taken now";
  EXPECT_EQ(a->count("SELECT count(*) FROM messages"), 1);

  auto reply = question();
  reply.ref_to_message_id = "unknown@x";
  EXPECT_FALSE(a->msh->compose(reply)) << "whether the message exists is in the store";
  auto wrong = question();
  wrong.action = "Question";
  EXPECT_FALSE(a->msh->compose(wrong)) << "the unit says what is wrong";
}

TEST_F(Submitting, what_was_composed_under_other_contracts_or_before_a_suspension_is_not_sent) {  // ADP-003, ADP-213
  const auto request = question();
  const auto composed = a->msh->compose(request);
  ASSERT_TRUE(composed);
  const auto submit = [&] { return a->in_unit([&](sql::Transaction& tx) { return a->msh->submit(tx, request, composed.get()); }); };
  a->suspended = true;
  const auto suspended = submit();
  ASSERT_FALSE(suspended);
  EXPECT_EQ(suspended.error().code, "tenant.suspended");
  a->suspended = false;
  const auto former = a->contracts;
  a->contracts = testing::contracts_of({});
  const auto unknown = submit();
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, "contract.unknown");
  a->contracts = former;
  EXPECT_TRUE(submit());
}

TEST_F(Submitting, sends_an_unknown_reference_only_when_forced) {  // EB-069
  SubmitRequest request = question();
  request.ref_to_message_id = "unknown@x";
  EXPECT_FALSE(a->submit(request));
  request.force = true;
  const auto submitted = a->submit(request);
  ASSERT_TRUE(submitted);
  settle();
  EXPECT_EQ(testing::envelope_of(sent[0]).header.ref_to_message_id, "unknown@x");
}

TEST_F(Submitting, points_large_payloads_to_grote_berichten) {  // ADP-007 (refuse), EB-032
  EXPECT_EQ(refused([](SubmitRequest& r) {
              r.payloads[0].blob = "b";
              r.payloads[0].octets.clear();
              r.payloads[0].size = 20'971'521;
            }),
            "message.tooLarge");
  SubmitRequest fits = question();
  fits.payloads[0].blob = "b";
  fits.payloads[0].octets.clear();
  fits.payloads[0].size = 20'971'520;
  EXPECT_TRUE(a->submit(fits));
}

TEST_F(Submitting, uses_a_message_id_as_given_and_never_twice) {  // EB-067, EB-232
  SubmitRequest request = question();
  request.message_id = "zaak-17@own.example";
  const auto first = a->submit(request);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->message_id, "zaak-17@own.example");
  const auto again = a->submit(request);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, "message.duplicateId");
  EXPECT_EQ(again.error().location, first->id);
  request.message_id = "zaak-18";
  EXPECT_EQ(a->submit(request)->message_id, "zaak-18@a.example");
  settle();
  const auto is_the_first = [](const auto& one) { return testing::envelope_of(one).header.message_id == "zaak-17@own.example"; };
  EXPECT_EQ(std::count_if(sent.begin(), sent.end(), is_the_first), 1);
}

TEST_F(Submitting, makes_ids_and_names_that_every_peer_can_read) {  // EB-026, EB-028
  SubmitRequest request = question();
  request.payloads[0].file_name = "caf\xC3\xA9 \"1\".xml";
  ASSERT_TRUE(a->submit(request));
  settle();
  const auto payload = b->payloads(b->inbound().at(0).id).at(0);
  EXPECT_TRUE(is_wire_content_id(payload.content_id)) << payload.content_id;
  EXPECT_EQ(payload.file_name, "caf_ _1_.xml");
  EXPECT_NE(sent[0].body.find("Content-Disposition: attachment; filename=\"caf_ _1_.xml\"\r\n"), std::string::npos);
}

TEST_F(Submitting, refuses_signed_and_encrypted_profiles_without_the_means) {  // EB-211
  for (const auto profile : {cpa::Profile::osb_be_s, cpa::Profile::osb_rm_s, cpa::Profile::osb_rm_e}) {
    auto loaded = agreement(profile).loaded("ta", 0);
    for (auto& party : loaded.agreement.parties) {
      for (auto& role : party.roles)
        for (auto& action : role.actions) {
          action.characteristics.non_repudiation = true;
          if (cpa::is_encrypted(profile)) action.characteristics.confidential = "transient-and-persistent";
        }
      for (auto& exchange : party.doc_exchanges) {
        exchange.sender->non_repudiation = cpa::NonRepudiation{};
        exchange.receiver->non_repudiation = cpa::NonRepudiation{};
        exchange.receiver->envelope = cpa::DigitalEnvelope{};
      }
    }
    a->load(loaded);
    const auto result = a->submit(question());
    ASSERT_FALSE(result) << cpa::to_string(profile);
    EXPECT_EQ(result.error().code, "contract.actionNotAllowed");
    EXPECT_NE(result.error().detail.find("signed profiles need"), std::string::npos);
    const auto unprotected = a->msh->unprotected_actions(a->contract());
    ASSERT_EQ(unprotected.size(), 2U);
    EXPECT_EQ(unprotected[0], (Msh::Unprotected{"question", "secured profiles need keys, and this node has none"}));
    EXPECT_EQ(unprotected[1].action, "answer");
  }
}

TEST_F(Submitting, keeps_the_limit_on_conversations) {  // EB-211
  auto limited = agreement().loaded("ta", 0);
  limited.agreement.concurrent_conversations = 1;
  a->load(limited);
  SubmitRequest request = question();
  request.conversation_id = "c1";
  ASSERT_TRUE(a->submit(request));
  ASSERT_TRUE(a->submit(request));
  request.conversation_id = "c2";
  EXPECT_EQ(a->submit(request).error().code, "contract.limitReached");
  settle();
  EXPECT_TRUE(a->submit(request));
}

// --- operator actions
// ------------------------------------------------------------------------------------------------------------------------

class Operating : public Pair {
 protected:
  Result<exchange::Message> act(testing::Node& node, const std::string& id, std::string_view action, bool force = false) {
    return node.in_unit([&](sql::Transaction& tx) { return node.msh->act(tx, node.tenant, id, action, "because", "user-1", force); });
  }
  std::string outcome(testing::Node& node, const std::string& id, std::string_view action, bool force = false) {
    const auto result = act(node, id, action, force);
    return result ? std::string(to_string(result->state)) : result.error().code;
  }
  // A message of ours in the given state, as the store could hold it.
  std::string outbound_in(State state) {
    const auto submitted = a->submit(question());
    auto message = a->message(submitted->id);
    message.state = state;
    if (exchange::is_final(state)) message.final_at = clock.now();
    EXPECT_TRUE(a->in_unit([&](sql::Transaction& tx) { return exchange::update_message(tx, message); }));
    return message.id;
  }
  std::string inbound_in(State state) {
    EXPECT_TRUE(a->submit(question()));
    settle();
    clock.advance(1s);
    auto message = b->inbound().back();
    message.state = state;
    if (exchange::is_final(state)) message.final_at = clock.now();
    EXPECT_TRUE(b->in_unit([&](sql::Transaction& tx) { return exchange::update_message(tx, message); }));
    return message.id;
  }
};

TEST_F(Operating, every_action_is_allowed_in_exactly_its_states) {  // EB-210
  start();
  const std::map<std::string_view, std::set<State>> out = {
      {"retryNow", {State::queued, State::sent}},
      {"resend", {State::failed, State::expired, State::cancelled}},
      {"cancel", {State::accepted, State::queued, State::held}},
      {"release", {State::held}},
      {"purgePayload", {State::delivered, State::failed, State::expired, State::cancelled}}};
  for (const auto& [action, allowed] : out)
    for (const State state : {State::accepted, State::held, State::queued, State::sending, State::sent, State::delivered, State::failed,
                              State::expired, State::cancelled})
      EXPECT_EQ(outcome(*a, outbound_in(state), action) != "state.conflict", allowed.contains(state))
          << action << " in " << to_string(state);
  const std::map<std::string_view, std::set<State>> in = {
      {"replay", {State::processed, State::rejected, State::dead}},
      {"requeue", {State::dead, State::offered}},
      {"markProcessed", {State::received, State::offered, State::dead}},
      {"purgePayload", {State::processed, State::rejected, State::dead, State::refused}}};
  for (const auto& [action, allowed] : in)
    for (const State state : {State::received, State::offered, State::dead, State::processed, State::rejected, State::refused})
      EXPECT_EQ(outcome(*b, inbound_in(state), action) != "state.conflict", allowed.contains(state))
          << action << " in " << to_string(state);
}

TEST_F(Operating, needs_a_reason_a_known_message_and_the_right_direction) {
  start();
  const std::string id = outbound_in(State::queued);
  const auto with = [&](std::string_view message, std::string_view action, std::string_view reason) {
    const auto result = a->in_unit([&](sql::Transaction& tx) { return a->msh->act(tx, "ta", message, action, reason, "u", false); });
    return result ? "done" : result.error().code;
  };
  EXPECT_EQ(with(id, "cancel", "no"), "request.invalid");
  EXPECT_EQ(with(id, "cancel", std::string(501, 'x')), "request.invalid");
  EXPECT_EQ(with(id, "explode", "because"), "request.invalid");
  EXPECT_EQ(with("unknown", "cancel", "because"), "notFound");
  EXPECT_EQ(with(id, "replay", "because"), "state.conflict");
  EXPECT_EQ(with(id, "cancel", "because"), "done");
  EXPECT_EQ(a->trail(id).back(), "cancelled");
}

TEST_F(Operating, retry_now_makes_one_extra_attempt_with_the_same_octets) {  // EB-102
  start();
  on_wire = [&](const testing::WireRequest&, bool) { return std::optional(status(204)); };
  const auto submitted = a->submit(question());
  for (int i = 0; i < 4; ++i) settle_at(5min);
  ASSERT_EQ(sent.size(), 4u);
  ASSERT_TRUE(act(*a, submitted->id, "retryNow"));
  settle();
  EXPECT_EQ(sent.size(), 5u);
  EXPECT_EQ(sent[4].body, sent[0].body);
  settle_at(30s);
  EXPECT_EQ(sent.size(), 5u);
  clock.advance(10min);
  EXPECT_EQ(outcome(*a, submitted->id, "retryNow"), "state.conflict");  // TimeToLive has passed
}

TEST_F(Operating, resend_makes_a_new_message_with_the_same_content) {  // EB-210
  start();
  const auto first = a->submit(question({"<m/>", std::string(200'000, 'x')}));
  settle();
  EXPECT_EQ(outcome(*a, first->id, "resend"), "state.conflict");
  const auto copy = act(*a, first->id, "resend", true);
  ASSERT_TRUE(copy) << copy.error().detail;
  EXPECT_NE(copy->message_id, first->message_id);
  EXPECT_EQ(copy->copy_of, first->id);
  EXPECT_EQ(copy->conversation_id, first->conversation_id);
  clock.advance(1s);
  settle();
  const auto inbound = b->inbound();
  ASSERT_EQ(inbound.size(), 2u);
  EXPECT_EQ(b->octets(b->payloads(inbound[1].id)[1]), std::string(200'000, 'x'));
  EXPECT_EQ(a->trail(first->id).back(), "resent");
  ASSERT_TRUE(act(*a, first->id, "purgePayload"));
  EXPECT_EQ(outcome(*a, first->id, "resend", true), "payload.purged");
}

TEST_F(Operating, release_sends_what_was_held) {
  start();
  SubmitRequest request = question();
  request.not_before = clock.now() + 24h;
  const auto submitted = a->submit(request);
  ASSERT_TRUE(act(*a, submitted->id, "release"));
  settle();
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

TEST_F(Operating, replay_and_requeue_offer_again_and_mark_processed_ends) {
  start();
  const std::string dead = inbound_in(State::dead);
  b->in_unit([](sql::Transaction& tx) { return tx.execute("DELETE FROM work"); }).value();
  ASSERT_TRUE(act(*b, dead, "replay"));
  EXPECT_EQ(b->work("message.offer"), 1);
  EXPECT_EQ(b->message(dead).state, State::received);
  ASSERT_TRUE(act(*b, dead, "markProcessed"));
  EXPECT_EQ(b->work("message.offer"), 0);
  EXPECT_EQ(b->message(dead).state, State::processed);
  ASSERT_TRUE(act(*b, dead, "replay"));
  EXPECT_EQ(b->message(dead).state, State::processed);
  EXPECT_EQ(b->work("message.offer"), 1);
}

// --- identity
// --------------------------------------------------------------------------------------------------------------------------------

class Identity : public Pair {
 protected:
  void SetUp() override {
    start();
    EXPECT_TRUE(a->submit(question()));
    on_wire = [&](const testing::WireRequest&, bool) { return std::optional(status(503)); };
    settle();
  }
};

TEST_F(Identity, of_a_stranger_gets_a_fault_and_leaves_no_trace_of_the_message) {  // EB-001, EB-132
  security::PeerIdentity stranger;
  stranger.oin = "00000001800000009000";
  const Answer answer = b->receive(sent[0], &stranger);
  EXPECT_EQ(answer.status, 500u);
  EXPECT_NE(answer.body.find("SENDER_NOT_AUTHORIZED"), std::string::npos);
  EXPECT_TRUE(b->inbound().empty());
  EXPECT_EQ(b->count("SELECT count(*) FROM duplicate_keys"), 0);
  EXPECT_EQ(b->work("ebms.signal"), 0);
  EXPECT_EQ(b->count("SELECT count(*) FROM audit_log"), 1);
  EXPECT_EQ(b->receive(sent[0], nullptr).status, 500u);
  EXPECT_EQ(b->receive(sent[0], &peer_b).status, 500u);  // the other party of the contract
  // The genuine message is still new.
  EXPECT_EQ(b->receive(sent[0], &peer_a).status, 204u);
  EXPECT_EQ(b->inbound().size(), 1u);
}

TEST_F(Identity, without_usable_oin_gets_403) {  // EB-001
  security::PeerIdentity nameless;
  nameless.refusal = "SEC.OIN.ONTBREEKT";
  const Answer answer = b->receive(sent[0], &nameless);
  EXPECT_EQ(answer.status, 403u);
  EXPECT_TRUE(answer.body.empty());
}

TEST_F(Identity, may_be_a_mandatary) {  // EB-200
  security::PeerIdentity intermediary;
  intermediary.oin = "00000001800000009000";
  const cpa::Mandate mandate{"tb", oin_a, intermediary.oin, "ebms/sim:Melding:1:0", "inbound", clock.now() - 1h, clock.now() + 1h, true};
  b->contracts = std::make_shared<const cpa::Contracts>(std::vector{agreement().loaded("tb", 1)}, std::vector<cpa::UrlMapping>{},
                                                        std::vector<cpa::CertificateMapping>{}, std::vector{mandate});
  EXPECT_EQ(b->receive(sent[0], &intermediary).status, 204u);
  clock.advance(2h);
  EXPECT_EQ(b->receive(sent[0], &intermediary).status, 500u);
}

TEST_F(Identity, compares_the_party_without_its_suffix) {  // EB-061
  testing::AgreementBuilder builder("sim-1", {std::string(oin_a) + "_OTA", "Melder", "https://a.example/ebms"},
                                    {std::string(oin_b) + "_OTA", "Ontvanger", "https://b.example/ebms"});
  start(builder);
  on_wire = nullptr;
  const auto submitted = a->submit(question());
  settle();
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
  EXPECT_EQ(b->inbound().at(0).from.party_id, std::string(oin_a) + "_OTA");
  EXPECT_EQ(b->inbound().at(0).from.oin, oin_a);
}

TEST_F(Identity, of_a_certificate_can_be_exact) {  // EB-001
  auto exact = agreement().loaded("tb", 1);
  exact.settings.authentication = cpa::SenderAuthentication::exact;
  exact.agreement.parties[0].certificates = {{"ca", "the-der"}};
  exact.agreement.parties[0].transports[0].client_certificate_ref = "ca";
  b->load(exact);
  security::PeerIdentity same_oin = peer_a;
  same_oin.der = "another-der";
  EXPECT_EQ(b->receive(sent[0], &same_oin).status, 500u);
  same_oin.der = "the-der";
  EXPECT_EQ(b->receive(sent[0], &same_oin).status, 204u);
}

TEST_F(Identity, the_tenant_is_that_of_the_server_name) {  // EB-064
  b->host_tenant = "somebody-else";
  const Answer answer = b->receive(sent[0], &peer_a);
  EXPECT_EQ(answer.status, 500u);
  EXPECT_NE(answer.body.find("CPA_UNKNOWN"), std::string::npos);
  b->host_tenant = "tb";
  EXPECT_EQ(b->receive(sent[0], &peer_a).status, 204u);
}

TEST_F(Identity, two_tenants_with_one_agreement_are_told_apart_by_to) {  // EB-062, EB-064
  b->contracts = testing::contracts_of({agreement().loaded("ta", 0), agreement().loaded("tb", 1)});
  EXPECT_EQ(b->receive(sent[0], &peer_a).status, 204u);
  EXPECT_EQ(b->inbound().size(), 1u);
}

// --- ping and remote status
// ----------------------------------------------------------------------------------------------------------------------

class Asking : public Pair {
 protected:
  Result<std::string> ping() {
    return a->in_unit([&](sql::Transaction& tx) { return a->msh->start_ping(tx, "ta", "sim-1", "", ""); });
  }
  Msh::SignalResult result(const std::string& id) {
    return a->in_unit([&](sql::Transaction& tx) { return a->msh->signal_result(tx, id); }).value();
  }
};

TEST_F(Asking, ping_is_answered_on_the_connection_or_by_a_post) {  // EB-180, EB-181
  for (const bool synchronous : {true, false}) {
    start(agreement().synchronous(synchronous));
    sent.clear();
    const auto id = ping();
    ASSERT_TRUE(id);
    EXPECT_FALSE(result(*id).answered);
    settle();
    EXPECT_EQ(sent.size(), synchronous ? 1u : 2u);
    EXPECT_TRUE(result(*id).answered) << result(*id).error;
    EXPECT_EQ(testing::envelope_of(sent[0]).sync_reply.has_value(), synchronous);
    EXPECT_TRUE(testing::envelope_of(sent[0]).header.ref_to_message_id.empty());
    EXPECT_EQ(a->count("SELECT count(*) FROM messages") + b->count("SELECT count(*) FROM messages"), 0);
  }
}

TEST_F(Asking, ping_says_why_it_failed) {  // EB-181
  start();
  on_wire = [&](const testing::WireRequest&, bool) { return std::optional(broken("transport.connect")); };
  const auto id = ping();
  settle();
  EXPECT_FALSE(result(*id).answered);
  EXPECT_EQ(result(*id).error, "transport.connect: test");
  on_wire = [&](const testing::WireRequest&, bool) { return std::optional(status(204)); };
  const auto silent = ping();
  settle();
  EXPECT_EQ(result(*silent).error, "");
  clock.advance(31s);
  EXPECT_EQ(result(*silent).error, "no answer within 30 s");
  EXPECT_EQ(a->work("ebms.ping"), 0);
  const auto wrong = [&](std::string_view cpa, std::string_view from, std::string_view to) {
    return a->in_unit([&](sql::Transaction& tx) { return a->msh->start_ping(tx, "ta", cpa, from, to); }).error().code;
  };
  EXPECT_EQ(wrong("unknown", "", ""), "contract.unknown");
  EXPECT_EQ(wrong("sim-1", "urn:osb:oin:" + std::string(oin_b), ""), "tenant.mismatch");
  EXPECT_EQ(wrong("sim-1", "", oin_a), "request.invalid");
}

TEST_F(Asking, a_strangers_ping_is_not_answered) {  // EB-180
  start();
  ASSERT_TRUE(ping());
  run(*a);
  security::PeerIdentity stranger;
  stranger.oin = "00000001800000009000";
  EXPECT_EQ(b->receive(sent[0], &stranger).status, 500u);
}

TEST_F(Asking, the_partner_tells_the_state_of_our_message) {  // EB-181, EB-182
  for (const bool synchronous : {true, false}) {
    start(agreement().synchronous(synchronous));
    const auto message = a->submit(question());
    settle();
    const auto id = a->in_unit([&](sql::Transaction& tx) { return a->msh->start_status_request(tx, "ta", message->id); });
    ASSERT_TRUE(id) << id.error().detail;
    settle();
    EXPECT_TRUE(result(*id).answered);
    EXPECT_EQ(result(*id).status, "Received");
    EXPECT_EQ(result(*id).timestamp, b->inbound().at(0).received_at);
    EXPECT_EQ(a->message(message->id).state, State::delivered);
  }
  const std::string inbound = b->inbound().at(0).id;
  EXPECT_EQ(b->in_unit([&](sql::Transaction& tx) { return b->msh->start_status_request(tx, "tb", inbound); }).error().code, "notFound");
}

}  // namespace
}  // namespace schakel::ebms
