#include "facade/model.hpp"

#include <gtest/gtest.h>

#include "support/agreement_builder.hpp"

namespace schakel::facade {
namespace {

using exchange::State;

std::string_view status(State state) {
  exchange::Message message;
  message.state = state;
  return status_of(message);
}

// EB-213: the mapping of ebms.md 3.2
TEST(FacadeModel, EveryStateHasItsFacadeState) {
  for (const auto state : {State::accepted, State::queued, State::held, State::sending, State::sent}) EXPECT_EQ(status(state), "CREATED");
  EXPECT_EQ(status(State::delivered), "DELIVERED");
  EXPECT_EQ(status(State::expired), "EXPIRED");
  for (const auto state : {State::failed, State::cancelled}) EXPECT_EQ(status(state), "DELIVERY_FAILED");
  for (const auto state : {State::received, State::offered, State::dead}) EXPECT_EQ(status(state), "RECEIVED");
  for (const auto state : {State::processed, State::rejected}) EXPECT_EQ(status(state), "PROCESSED");
  EXPECT_EQ(status(State::refused), "FAILED");
  EXPECT_EQ(status(State::forwarded), "FORWARDED");
}

// EB-212: texts with their type in front, in the words of the contract
TEST(FacadeModel, TypesAreFoundByTheContract) {
  testing::AgreementBuilder builder("cpa-1", {"00000099000000010000", "A", "https://a"}, {"00000099000000020000", "B", "https://b"});
  const cpa::Contracts contracts({builder.loaded("stad", 0)}, {}, {}, {});
  RequestProperties properties;
  properties.cpa_id = "cpa-1";
  properties.from_party_id = "urn:osb:oin:00000099000000010000";
  properties.to_party_id = "urn:osb:oin:00000099000000020000";
  properties.service = "urn:osb:services:sim:Melding:1:0";
  const auto request = submit_request(properties, "stad", contracts);
  EXPECT_EQ(request.service, "sim:Melding:1:0");
  EXPECT_EQ(request.service_type, "urn:osb:services");
  EXPECT_EQ(request.from_oin, "00000099000000010000");
  EXPECT_EQ(request.to_oin, "00000099000000020000");
  EXPECT_EQ(submit_request(properties, "dorp", contracts).service, properties.service) << "another tenant's contract";
  properties.service = "something:else";
  EXPECT_EQ(submit_request(properties, "stad", contracts).service, "something:else") << "left for the submit to refuse";
}

TEST(FacadeModel, ATextWithoutTypeStandsAlone) {
  EXPECT_EQ(typed("", "urn:x:y"), "urn:x:y");
  EXPECT_EQ(typed("urn:osb:oin", "1"), "urn:osb:oin:1");
}

}  // namespace
}  // namespace schakel::facade
