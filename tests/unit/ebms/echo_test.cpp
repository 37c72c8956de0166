// The Echo services of the compliance facility's own agreement, one for each profile (ebms.md A35): with numbers, addresses, keys and
// algorithms of today, for the agreement is of 2016.
#include "support/cpa_samples.hpp"
#include "unit/ebms/secured.hpp"

namespace schakel::ebms {
namespace {

using schakel::testing::replaced_all;
using testing::Secured;
using State = exchange::State;

class Echo : public Secured {
 protected:
  static cpa::Agreement agreement_of_the_facility() {
    auto text = schakel::testing::sample_cpa("cpa-cv-https");
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"urn:cv:oin", "urn:osb:oin"},
                                   {"00000000000000000000", oin_b},
                                   {"00000000000000000001", oin_a},
                                   {"https://localhost:8088/", "https://a.example/"},
                                   {"https://localhost:8888/", "https://b.example/"},
                                   {"http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmlenc#sha256"},
                                   {"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"}})
      text = replaced_all(text, from, to);
    auto agreement = cpa::parse(text).value();
    for (auto& party : agreement.parties)
      for (auto& entry : party.certificates) entry.der = party.oin() == oin_a ? melder().der() : ontvanger().der();
    return agreement;
  }
  static cpa::LoadedContract loaded(const std::string& tenant, std::string_view own_oin) {
    cpa::LoadedContract contract;
    contract.agreement = agreement_of_the_facility();
    contract.own_party = contract.agreement.parties[0].oin() == own_oin ? 0 : 1;
    contract.environment = "test";
    contract.row.id = "echo-" + tenant;
    contract.row.tenant = tenant;
    contract.row.name = "echo";
    contract.row.state = exchange::ContractState::active;
    return contract;
  }
  static SubmitRequest echo(const std::string& tenant, const std::string& profile_words, const std::string& action, const Bytes& payload) {
    auto request = question({payload});
    request.tenant = tenant;
    request.service = "EchoService$1.0";
    request.service_type = "urn:cv:" + profile_words + ":services";
    request.action = action;
    return request;
  }
};

TEST_F(Echo, answers_each_request_in_its_conversation_under_every_profile) {  // EB-065, EB-069, EB-090, EB-092; A35
  SCHAKEL_NEEDS_CPA_STANDARDS();
  start_secured();
  a->load(loaded("ta", oin_a));
  b->load(loaded("tb", oin_b));
  for (const auto& [words, profile] : {std::pair{"be", "osb-be"},
                                       {"be:signed", "osb-be-s"},
                                       {"be:encrypted", "osb-be-e"},
                                       {"rm", "osb-rm"},
                                       {"rm:signed", "osb-rm-s"},
                                       {"rm:encrypted", "osb-rm-e"}}) {
    SCOPED_TRACE(profile);
    clock.advance(std::chrono::seconds(1));
    const Bytes text = std::string("<echo>") + profile + "</echo>";
    const auto asked = a->submit(echo("ta", words, "EchoRequest", text));
    ASSERT_TRUE(asked) << asked.error().detail;
    EXPECT_EQ(asked->profile, profile);
    settle();
    EXPECT_EQ(a->message(asked->id).state, State::delivered);
    const auto request = b->inbound().back();
    ASSERT_EQ(request.state, State::received);
    ASSERT_EQ(request.message_id, asked->message_id);

    auto answer = echo("tb", words, "EchoResponse", b->octets(b->payloads(request.id).at(0)));
    answer.conversation_id = request.conversation_id;
    answer.ref_to_message_id = request.message_id;
    const auto answered = b->submit(answer);
    ASSERT_TRUE(answered) << answered.error().detail;
    settle();
    EXPECT_EQ(b->message(answered->id).state, State::delivered);
    const auto response = a->inbound().back();
    ASSERT_EQ(response.state, State::received);
    EXPECT_EQ(response.action, "EchoResponse");
    EXPECT_EQ(response.profile, profile);
    EXPECT_EQ(response.ref_to_message_id, asked->message_id);
    EXPECT_EQ(response.conversation_id, asked->conversation_id);
    EXPECT_EQ(a->octets(a->payloads(response.id).at(0)), text);
  }
}

}  // namespace
}  // namespace schakel::ebms
