// Our own messages through intermediaries: EB-200, ADP-402, ADP-409; adapter.md 3.4, 3.5. A message of a goes to b by way of an
// intermediary when a's table says so; addresses, contract and octets stay those of the end parties.
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using schakel::testing::AgreementBuilder;
using testing::Pair;
using State = exchange::State;

constexpr const char* knot = "00000001800000009000";
constexpr const char* knot_url = "https://b.knooppunt.example/ebms";  // //b.: the wire of the Pair brings it to b

exchange::Route row(std::string id, std::string to, exchange::RouteTarget target) {
  exchange::Route route;
  route.id = std::move(id);
  route.match.to_oin = std::move(to);
  route.target = std::move(target);
  return route;
}
exchange::RouteTarget through(std::string oin, std::string url = {}) {
  return {exchange::TargetKind::intermediary, {}, std::move(url), std::move(oin)};
}

class Intermediaries : public Pair {
 protected:
  // The node's only contract, and this table.
  void route(testing::Node& node, std::vector<exchange::Route> routes) {
    exchange::Routing routing;
    routing.add(node.tenant, {"test", exchange::RoutingTable(std::move(routes))});
    node.contracts = std::make_shared<const cpa::Contracts>(
        std::vector{agreement_.loaded(node.tenant, node.tenant == "ta" ? 0 : 1)}, std::vector<cpa::UrlMapping>{},
        std::vector<cpa::CertificateMapping>{}, std::vector<cpa::Mandate>{}, std::vector<cpa::AlgorithmException>{}, std::move(routing));
  }
  void begin(cpa::Profile profile = cpa::Profile::osb_rm) {
    agreement_ = agreement(profile);
    start(agreement_);
  }
  // The next thing that a node would post.
  std::optional<Attempt> next_attempt(testing::Node& node) {
    for (const auto& work : node.due_work()) {
      if (!work.kind.starts_with("ebms.")) continue;
      destination = work.destination;
      auto attempt = node.in_unit([&](sql::Transaction& tx) { return node.msh->prepare(tx, node.claimer, work); });
      return attempt ? std::move(*attempt) : std::nullopt;
    }
    return std::nullopt;
  }

  AgreementBuilder agreement_ = agreement();
  std::string destination;
};

TEST_F(Intermediaries, AMessageGoesToTheLastHopAndItsCertificateCounts) {
  begin();
  route(*a, {row("r", oin_b, through(knot)), row("k", knot, {exchange::TargetKind::partner, {}, knot_url, {}})});
  ASSERT_TRUE(a->submit(question()));
  const auto attempt = next_attempt(*a);
  ASSERT_TRUE(attempt);
  EXPECT_EQ(attempt->url, knot_url);
  EXPECT_EQ(attempt->expected_oin, knot);
  EXPECT_EQ(destination, "https://b.knooppunt.example:443") << "circuits and fairness are the next hop's";
  const auto envelope = testing::envelope_of(wire(*a, *attempt));
  EXPECT_EQ(envelope.header.to.ids.front().value, oin_b);
  EXPECT_EQ(envelope.header.cpa_id, "sim-1");
}

TEST_F(Intermediaries, WithoutARowTheContractsEndpointIsUsed) {
  begin();
  route(*a, {row("other", knot, through("00000001800000008000", knot_url))});
  ASSERT_TRUE(a->submit(question()));
  const auto attempt = next_attempt(*a);
  ASSERT_TRUE(attempt);
  EXPECT_EQ(attempt->url, "https://b.example/ebms");
  EXPECT_EQ(attempt->expected_oin, oin_b);
}

// adapter.md 3.5 scenarios 2 and 4: both ends name the intermediary, and message and acknowledgement pass under its certificate
TEST_F(Intermediaries, TheIntermediarySpeaksForThePartyBehindIt) {
  begin();
  route(*a, {row("r", oin_b, through(knot, knot_url))});
  peer_a.oin = knot;
  peer_b.oin = knot;
  const auto refused = a->submit(question());
  ASSERT_TRUE(refused);
  run(*a);
  EXPECT_EQ(answers.back().status, 500u) << "b has no row yet";
  EXPECT_TRUE(b->inbound().empty());
  route(*b, {row("s", oin_a, through(knot, "https://a.knooppunt.example/ebms"))});
  settle_at(5min);
  EXPECT_EQ(a->message(refused->id).state, State::delivered);
  EXPECT_EQ(sent.back().url, "https://a.knooppunt.example/ebms") << "signals go along the rows too";
}

// 3.4 step 4
TEST_F(Intermediaries, ARefusingRowRefusesTheSubmission) {
  begin();
  route(*a, {row("nee", oin_b, {})});
  const auto submitted = a->submit(question());
  ASSERT_FALSE(submitted);
  EXPECT_EQ(submitted.error().code, "route.none");
}

// ADP-413: changes are for new messages; one that waits for its way is not lost by a table that is wrong for a while
TEST_F(Intermediaries, AMessageThatLostItsWayWaits) {
  begin();
  const auto submitted = a->submit(question());
  ASSERT_TRUE(submitted);
  route(*a, {row("r", oin_b, through(knot))});
  run(*a);
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(a->message(submitted->id).state, State::queued);
  EXPECT_EQ(a->message(submitted->id).attempts, 0);
  route(*a, {});
  settle_at(5min);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

// ADP-409
TEST_F(Intermediaries, ClearContentThroughAnUntrustedIntermediaryIsWarnedOf) {
  begin();
  auto untrusted = row("r", oin_b, through(knot, knot_url));
  untrusted.trusted = false;
  route(*a, {untrusted});
  const auto submitted = a->submit(question());
  ASSERT_TRUE(submitted);
  run(*a);
  const auto trail = a->trail(submitted->id);
  EXPECT_NE(std::ranges::find(trail, "warned"), trail.end());
}

}  // namespace
}  // namespace schakel::ebms
