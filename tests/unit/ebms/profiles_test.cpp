// The profile of an exchange is a matter of each action of the agreement, not of the agreement (ebms.md 1.5, 2.9).
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using cpa::Profile;
using testing::Pair;
using State = exchange::State;

constexpr Profile all_profiles[] = {Profile::osb_be,   Profile::osb_rm,   Profile::osb_be_s,
                                    Profile::osb_rm_s, Profile::osb_be_e, Profile::osb_rm_e};

class Profiles : public Pair {
 protected:
  static std::optional<Profile> profile_of(const cpa::LoadedContract& contract, int sender, std::string_view action) {
    const auto channels = cpa::Contracts::channels(contract, sender, sender == 0 ? "Melder" : "Ontvanger",
                                                   sender == 0 ? "Ontvanger" : "Melder", "sim:Melding:1:0", "urn:osb:services", action);
    return channels ? std::optional(channels->profile) : std::nullopt;
  }
  Result<exchange::Message> answer(const exchange::Message& question) {
    SubmitRequest request;
    request.tenant = "tb";
    request.service = "sim:Melding:1:0";
    request.action = "answer";
    request.conversation_id = question.conversation_id;
    request.ref_to_message_id = question.message_id;
    return b->submit(request);
  }
  static bool asks_reliability(const Envelope& e) {
    return e.header.duplicate_elimination && e.header.time_to_live && e.ack_requested.size() == 1;
  }
  static bool asks_nothing(const Envelope& e) {
    return !e.header.duplicate_elimination && !e.header.time_to_live && e.ack_requested.empty() && !e.sync_reply;
  }
};

TEST_F(Profiles, are_derived_for_each_action_by_itself) {  // EB-090, EB-092
  for (const Profile question : all_profiles) {
    for (const Profile answer : all_profiles) {
      const auto loaded = agreement(question).answer_profile(answer).loaded("ta", 0);
      EXPECT_EQ(profile_of(loaded, 0, "question"), question) << cpa::to_string(question) << " " << cpa::to_string(answer);
      EXPECT_EQ(profile_of(loaded, 1, "answer"), answer) << cpa::to_string(question) << " " << cpa::to_string(answer);
      // Within one agreement all actions share one channel for signals.
      for (const auto& party : loaded.agreement.parties)
        for (const char* signal : {"Acknowledgment", "MessageError", "Ping", ""})
          EXPECT_EQ(party.signal_channel(signal)->id, party.default_channel_id);
    }
  }
}

TEST_F(Profiles, need_every_part_of_the_agreement_that_makes_them) {  // EB-090
  const auto changed = [](Profile profile, auto change) {
    auto loaded = agreement(profile).loaded("ta", 0);
    for (auto& party : loaded.agreement.parties) {
      for (auto& role : party.roles)
        for (auto& action : role.actions) change(action.characteristics);
      for (auto& exchange : party.doc_exchanges) change(exchange);
      for (auto& channel : party.channels) change(channel.characteristics);
    }
    return *profile_of(loaded, 0, "question");
  };
  const auto unsign = [](auto& part) {
    if constexpr (requires { part.non_repudiation_receipt; }) part.non_repudiation = false;
  };
  const auto without_signing_key = [](auto& part) {
    if constexpr (requires { part.sender->non_repudiation; }) part.sender->non_repudiation.reset();
  };
  const auto transient = [](auto& part) {
    if constexpr (requires { part.confidential; }) part.confidential = "transient";
  };
  const auto persistent = [](auto& part) {
    if constexpr (requires { part.confidential; }) part.confidential = "persistent";
  };
  const auto without_envelope = [](auto& part) {
    if constexpr (requires { part.receiver->envelope; }) part.receiver->envelope.reset();
  };
  const auto unacknowledged = [](auto& part) {
    if constexpr (requires { part.ack_requested; }) part.ack_requested = cpa::Occurrence::never;
  };
  EXPECT_EQ(changed(Profile::osb_rm_s, unsign), Profile::osb_rm);
  EXPECT_EQ(changed(Profile::osb_rm_s, without_signing_key), Profile::osb_rm);
  EXPECT_EQ(changed(Profile::osb_rm_e, transient), Profile::osb_rm_s);
  EXPECT_EQ(changed(Profile::osb_rm_e, persistent), Profile::osb_rm_e);
  EXPECT_EQ(changed(Profile::osb_rm_e, without_envelope), Profile::osb_rm_s);
  EXPECT_EQ(changed(Profile::osb_rm_s, unacknowledged), Profile::osb_be_s);
  EXPECT_EQ(changed(Profile::osb_rm, unacknowledged), Profile::osb_be);
}

TEST_F(Profiles, of_question_and_answer_may_differ_both_ways) {  // EB-092, EB-093, EB-100
  for (const bool reliable_question : {true, false}) {
    const Profile rm = Profile::osb_rm, be = Profile::osb_be;
    sent.clear();
    start(agreement(reliable_question ? rm : be).answer_profile(reliable_question ? be : rm));
    const auto asked = a->submit(question());
    ASSERT_TRUE(asked) << asked.error().detail;
    settle();
    const auto answered = answer(*asked);
    ASSERT_TRUE(answered) << answered.error().detail;
    settle();
    ASSERT_EQ(sent.size(), 3U) << "one acknowledgement";
    const Envelope first = testing::envelope_of(sent[0]), second = testing::envelope_of(sent[reliable_question ? 2 : 1]);
    EXPECT_EQ(first.header.action, "question");
    EXPECT_EQ(second.header.action, "answer");
    EXPECT_EQ(second.header.ref_to_message_id, first.header.message_id);
    EXPECT_EQ(second.header.conversation_id, first.header.conversation_id);
    EXPECT_TRUE(reliable_question ? asks_reliability(first) : asks_nothing(first));
    EXPECT_TRUE(reliable_question ? asks_nothing(second) : asks_reliability(second));
    const auto question_sent = a->message(asked->id), answer_sent = b->message(answered->id);
    EXPECT_EQ(question_sent.state, State::delivered);
    EXPECT_EQ(answer_sent.state, State::delivered);
    EXPECT_EQ(question_sent.confirmed, reliable_question);
    EXPECT_EQ(answer_sent.confirmed, !reliable_question);
    EXPECT_EQ(question_sent.profile, reliable_question ? "osb-rm" : "osb-be");
    EXPECT_EQ(answer_sent.profile, reliable_question ? "osb-be" : "osb-rm");
    EXPECT_EQ(a->inbound().at(0).profile, answer_sent.profile);
  }
}

TEST_F(Profiles, that_need_protection_are_not_sent_without_it_and_the_others_are) {  // EB-090, EB-092
  start(agreement(Profile::osb_rm).answer_profile(Profile::osb_rm_s));
  const auto asked = a->submit(question());
  ASSERT_TRUE(asked) << asked.error().detail;
  settle();
  EXPECT_EQ(a->message(asked->id).state, State::delivered);
  const auto unprotected = b->msh->unprotected_actions(b->contract());
  ASSERT_EQ(unprotected.size(), 1U);
  EXPECT_EQ(unprotected[0].action, "answer");
  EXPECT_FALSE(answer(*asked)) << "no keys here: never out unsigned";
}

}  // namespace
}  // namespace schakel::ebms
