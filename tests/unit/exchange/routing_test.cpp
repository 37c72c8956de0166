// The routing table: adapter.md 3.4 with its example, ADP-402, ADP-412, ADP-413.
#include "exchange/routing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace schakel::exchange {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Instant now = Instant(std::chrono::seconds(1'772'442'900));
constexpr const char* city = "00000099000000010000";     // Voorbeeldstad, whose table it is
constexpr const char* village = "00000099000000020000";  // Testdorp, behind us
constexpr const char* a = "00000099000000110000";
constexpr const char* b = "00000099000000220000";
constexpr const char* receiver = "00000099000000300000";

class Row {
 public:
  Row(std::string id, Direction direction) {
    route_.id = std::move(id);
    route_.direction = direction;
    if (direction == Direction::inbound) route_.mode = RouteMode::transparent;
  }
  Row& to(std::string oin) { return set(route_.match.to_oin, std::move(oin)); }
  Row& from(std::string oin) { return set(route_.match.from_oin, std::move(oin)); }
  Row& contract(std::string id) { return set(route_.match.contract_id, std::move(id)); }
  Row& service(std::string name) { return set(route_.match.service, std::move(name)); }
  Row& action(std::string name) { return set(route_.match.action, std::move(name)); }
  Row& path(std::string prefix) { return set(route_.match.path_prefix, std::move(prefix)); }
  Row& protocol(std::string name) { return set(route_.match.protocol, std::move(name)); }
  Row& priority(std::int64_t priority) {
    route_.priority = priority;
    return *this;
  }
  Row& valid(std::optional<Instant> from, std::optional<Instant> until) {
    route_.valid_from = from;
    route_.valid_to = until;
    return *this;
  }
  Row& untrusted() {
    route_.trusted = false;
    return *this;
  }
  Route partner(std::string url, std::string oin = {}) { return target({TargetKind::partner, {}, std::move(url), std::move(oin)}); }
  Route intermediary(std::string oin, std::string url = {}) {
    return target({TargetKind::intermediary, {}, std::move(url), std::move(oin)});
  }
  Route refuse() { return target({}); }
  Route target(RouteTarget target) {
    route_.target = std::move(target);
    return route_;
  }

 private:
  Row& set(std::string& member, std::string value) {
    member = std::move(value);
    return *this;
  }
  Route route_;
};
Row out(std::string id) {
  return {std::move(id), Direction::outbound};
}
Row in(std::string id) {
  return {std::move(id), Direction::inbound};
}

// The example of 3.4 step 5 without its third row: inbound messages under our own contracts are not routed.
std::vector<Route> example() {
  return {out("naar-r").to(receiver).intermediary(b), out("naar-b").to(b).partner("https://knooppunt-b.example/ebms", b),
          in("testdorp").to(village).partner("https://dk.testdorp.example/ebms")};
}

std::string chosen(const std::vector<Route>& routes, const RouteQuery& query, Instant at = now) {
  const RoutingTable table(routes);
  const auto* route = table.select(query, at);
  return route ? route->id : "";
}

std::vector<std::string> faults(const std::vector<Route>& routes, bool production = false) {
  const std::vector<std::string> own{city};
  std::vector<std::string> out;
  for (const auto& fault : check_routes(routes, {.production = production, .oins = own})) out.push_back(fault.location + " " + fault.code);
  return out;
}

// EB-200, ADP-402: identity to intermediary to endpoint; the server's certificate is the intermediary's
TEST(Routing, TheExampleLeadsThroughTheIntermediary) {
  EXPECT_THAT(faults(example()), IsEmpty());
  const RoutingTable table(example());
  const auto* route = table.select({.to_oin = receiver}, now);
  ASSERT_TRUE(route);
  const auto hop = table.resolve(*route, now);
  ASSERT_TRUE(hop);
  EXPECT_EQ(hop->url, "https://knooppunt-b.example/ebms");
  EXPECT_EQ(hop->server_oin, b);
  EXPECT_THAT(hop->through, ElementsAre(b));
  const auto* testdorp = table.select({.direction = Direction::inbound, .to_oin = village}, now);
  ASSERT_TRUE(testdorp);
  EXPECT_EQ(table.resolve(*testdorp, now)->server_oin, village) << "who is there is who it is for, when no other OIN is given";
  EXPECT_FALSE(table.select({.direction = Direction::inbound, .to_oin = receiver}, now));
}

// 3.4 step 1
TEST(Routing, EveryGivenCriterionMustBeEqual) {
  const std::vector<Route> routes{out("r").to(receiver).from(city).contract("c1").service("Dienst").action("doe").protocol("ebms").partner(
      "https://r.example/", receiver)};
  RouteQuery query{.contract_id = "c1", .to_oin = receiver, .from_oin = city, .service = "Dienst", .action = "doe"};
  EXPECT_EQ(chosen(routes, query), "r");
  const auto with = [&](auto change) {
    RouteQuery other = query;
    change(other);
    const RoutingTable table(routes);
    EXPECT_FALSE(table.select(other, now));
    return std::string(table.rejected(other, nullptr, now).front().reason);
  };
  EXPECT_EQ(with([](RouteQuery& q) { q.contract_id = "c2"; }), "contractId");
  EXPECT_EQ(with([](RouteQuery& q) { q.to_oin = village; }), "toOin");
  EXPECT_EQ(with([](RouteQuery& q) { q.from_oin = {}; }), "fromOin");
  EXPECT_EQ(with([](RouteQuery& q) { q.service = "dienst"; }), "service") << "case counts";
  EXPECT_EQ(with([](RouteQuery& q) { q.action = "Doe"; }), "action");
  EXPECT_EQ(with([](RouteQuery& q) { q.protocol = "wus"; }), "protocol");
  EXPECT_EQ(with([](RouteQuery& q) { q.direction = Direction::inbound; }), "direction");
  query.contract_id = {};
  query.cpa_id = "c1";
  EXPECT_EQ(chosen(routes, query), "r") << "a contract of others is known by its CPAId";
}

TEST(Routing, APathPrefixEndsAtASegment) {
  const std::vector<Route> routes{in("p").contract("c").path("/ebms/a").partner("https://r.example/", receiver)};
  const auto at = [&](std::string_view path) { return chosen(routes, {.direction = Direction::inbound, .cpa_id = "c", .path = path}); };
  EXPECT_EQ(at("/ebms/a"), "p");
  EXPECT_EQ(at("/ebms/a/b"), "p");
  EXPECT_EQ(at("/ebms/ab"), "");
  EXPECT_EQ(at("/ebms"), "");
}

TEST(Routing, ARowHoldsFromItsBeginUntilItsEnd) {
  const std::vector<Route> routes{out("r").to(receiver).valid(now, now + 1h).partner("https://r.example/")};
  EXPECT_EQ(chosen(routes, {.to_oin = receiver}, now - 1us), "");
  EXPECT_EQ(chosen(routes, {.to_oin = receiver}, now), "r");
  EXPECT_EQ(chosen(routes, {.to_oin = receiver}, now + 1h), "");
  const RoutingTable table(routes);
  EXPECT_EQ(table.rejected({.to_oin = receiver}, nullptr, now - 1us).front().reason, "notYetValid");
  EXPECT_EQ(table.rejected({.to_oin = receiver}, nullptr, now + 1h).front().reason, "expired");
}

// 3.4 step 2
TEST(Routing, PriorityGoesBeforeWhatIsMoreSpecific) {
  const std::vector<Route> routes{out("specific").to(receiver).service("Dienst").partner("https://a.example/"),
                                  out("urgent").priority(1).partner("https://b.example/", receiver)};
  EXPECT_EQ(chosen(routes, {.to_oin = receiver, .service = "Dienst"}), "urgent");
  const RoutingTable table(routes);
  EXPECT_EQ(table.rejected({.to_oin = receiver, .service = "Dienst"}, table.select({.to_oin = receiver}, now), now).front().reason,
            "priority");
}

TEST(Routing, TheFirstCriterionThatOnlyOneRowHasDecides) {
  const auto url = "https://x.example/";
  const std::vector<Route> all{out("contract").contract("c1").partner(url, receiver),
                               out("to").to(receiver).partner(url),
                               out("from").from(city).service("Dienst").action("doe").partner(url, receiver),
                               out("service").service("Dienst").action("doe").protocol("ebms").partner(url, receiver),
                               out("action").action("doe").protocol("ebms").partner(url, receiver),
                               out("protocol").protocol("ebms").partner(url, receiver),
                               out("any").partner(url, receiver)};
  const RouteQuery query{.contract_id = "c1", .to_oin = receiver, .from_oin = city, .service = "Dienst", .action = "doe"};
  std::vector<Route> left = all;
  for (const char* expected : {"contract", "to", "from", "service", "action", "protocol", "any"}) {
    std::shuffle(left.begin(), left.end(), std::mt19937(7));
    EXPECT_EQ(chosen(left, query), expected);
    std::erase_if(left, [&](const Route& route) { return route.id == expected; });
  }
}

// Acceptance 19 of adapter.md: 200 generated tables against an implementation that follows the text of 3.4 step by step
TEST(Routing, ChoosesAsTheTextSays) {
  std::mt19937 random(20'260'302);
  const auto pick = [&](std::initializer_list<std::string> values) { return *(values.begin() + random() % values.size()); };
  const auto criteria = [](const RouteMatch& match) {
    return std::vector<std::string>{match.contract_id, match.to_oin,      match.from_oin, match.service,
                                    match.action,      match.path_prefix, match.protocol};
  };
  int found = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<Route> routes;
    for (int i = 0; i < 12; ++i) {
      auto row = out(std::to_string(i)).contract(pick({"", "", "c1", "c2"})).to(pick({"", a, b})).from(pick({"", "", city}));
      row.service(pick({"", "S", "T"})).action(pick({"", "x"})).protocol(pick({"", "ebms"})).priority(static_cast<int>(random() % 2));
      row.valid(random() % 5 == 0 ? std::optional(now + 1h) : std::nullopt, random() % 5 == 0 ? std::optional(now - 1h) : std::nullopt);
      auto route = row.partner("https://x.example/", b);
      const bool same =
          std::ranges::any_of(routes, [&](const Route& other) { return other.match == route.match && other.priority == route.priority; });
      if (!same) routes.push_back(std::move(route));
    }
    const std::string to = pick({a, b, receiver}), service = pick({"S", "T"}), contract = pick({"c1", "c3"});
    const std::vector<std::string> values{contract, to, city, service, "x", "", "ebms"};
    const Route* expected = nullptr;
    for (const auto& route : routes) {
      const auto wanted = criteria(route.match);
      bool candidate = !(route.valid_from && *route.valid_from > now) && !(route.valid_to && *route.valid_to <= now);
      for (std::size_t i = 0; i < wanted.size(); ++i) candidate = candidate && (wanted[i].empty() || wanted[i] == values[i]);
      if (!candidate) continue;
      bool better = expected == nullptr || route.priority > expected->priority;
      if (expected != nullptr && route.priority == expected->priority) {
        const auto other = criteria(expected->match);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          if (wanted[i].empty() == other[i].empty()) continue;
          better = !wanted[i].empty();
          break;
        }
      }
      if (better) expected = &route;
    }
    const RouteQuery query{.contract_id = contract, .to_oin = to, .from_oin = city, .service = service, .action = "x"};
    EXPECT_EQ(chosen(routes, query), expected ? expected->id : "") << round;
    found += expected ? 1 : 0;
  }
  EXPECT_GT(found, 100) << "the tables are of use";
}

// --- what may be saved ---------------------------------------------------------------------------------------------------------------

// 3.4 step 2: 409 route.duplicate
TEST(Routing, TheSameMatchAtTheSameTimeIsADuplicate) {
  const auto url = "https://x.example/";
  EXPECT_THAT(faults({out("1").to(a).partner(url), out("2").to(a).partner(url)}), ElementsAre("/1 route.duplicate"));
  EXPECT_THAT(faults({out("1").to(a).partner(url), out("2").to(a).priority(1).partner(url)}), IsEmpty());
  EXPECT_THAT(faults({out("1").to(a).valid({}, now).partner(url), out("2").to(a).valid(now, {}).partner(url)}), IsEmpty())
      << "one after another";
  EXPECT_THAT(faults({out("1").to(a).valid({}, now + 1us).partner(url), out("2").to(a).valid(now, {}).partner(url)}),
              ElementsAre("/1 route.duplicate"));
  EXPECT_THAT(faults({out("1").to(a).partner(url), in("2").to(a).partner(url)}), IsEmpty()) << "of two directions";
}

// ADP-412
TEST(Routing, ALoopIsRefused) {
  EXPECT_THAT(faults({out("1").to(receiver).intermediary(a), out("2").to(a).intermediary(b), out("3").to(b).intermediary(a)}),
              ElementsAre("/0 routing.loop"));
  EXPECT_THAT(faults({out("all").intermediary(a)}), ElementsAre("/0 routing.loop")) << "the row leads to itself";
  EXPECT_THAT(faults({out("all").intermediary(a), out("a").to(a).partner("https://a.example/")}), IsEmpty());
  EXPECT_THAT(faults({out("1").to(receiver).intermediary(a), out("2").to(a).valid({}, now).partner("https://a.example/"),
                      out("3").to(a).valid(now, {}).intermediary(a)}),
              ElementsAre("/0 routing.loop"))
      << "one that only the future has";
  EXPECT_THAT(faults({out("1").to(receiver).partner("https://x.example/", city)}), ElementsAre("/0/target routing.loop")) << "to ourselves";
  EXPECT_THAT(faults({in("1").to(village).intermediary(city, "https://x.example/")}), ElementsAre("/0/target routing.loop"));
}

TEST(Routing, FourIntermediariesAreTheMost) {
  const std::vector<std::string> chain{"00000099000000110000", "00000099000000120000", "00000099000000130000", "00000099000000140000",
                                       "00000099000000150000"};
  const auto table = [&](std::size_t length) {
    std::vector<Route> routes{out("first").to(receiver).intermediary(chain[0])};
    for (std::size_t i = 0; i + 1 < length; ++i) routes.push_back(out("via-" + std::to_string(i)).to(chain[i]).intermediary(chain[i + 1]));
    routes.push_back(out("last").to(chain[length - 1]).partner("https://last.example/"));
    return routes;
  };
  EXPECT_THAT(faults(table(4)), IsEmpty());
  const RoutingTable four(table(4));
  EXPECT_THAT(four.resolve(four.routes().front(), now)->through, ElementsAre(chain[0], chain[1], chain[2], chain[3]));
  EXPECT_THAT(faults(table(5)), ElementsAre("/0 routing.loop"));
}

TEST(Routing, AnIntermediaryThatLeadsNowhereIsRefused) {
  EXPECT_THAT(faults({out("1").to(receiver).intermediary(b)}), ElementsAre("/0/target/oin required"));
  EXPECT_THAT(faults({out("1").to(receiver).intermediary(b, "https://b.example/")}), IsEmpty()) << "with a URL it leads there itself";
  const std::vector<Route> refusing{out("1").to(receiver).intermediary(b), out("2").to(b).refuse()};
  EXPECT_THAT(faults(refusing), ElementsAre("/0/target/oin required"));
  const RoutingTable table(refusing);
  EXPECT_EQ(table.resolve(table.routes().front(), now).error().code, "route.none");
}

// What the program cannot do yet is said, and not stored
TEST(Routing, WhatIsNotBuiltIsRefused) {
  auto forward = out("1").to(a).partner("https://x.example/");
  forward.mode = RouteMode::store_forward;
  EXPECT_THAT(faults({forward}), ElementsAre("/0/mode unsupported"));
  auto endpoint = in("1").service("Terugmelding").target({TargetKind::queue, "terugmeldingen", {}, {}});
  endpoint.mode = RouteMode::endpoint;
  EXPECT_THAT(faults({endpoint}), ElementsAre("/0/mode unsupported", "/0/target/ref unsupported", "/0/target/kind unsupported"));
  for (const auto kind : {TargetKind::webhook, TargetKind::queue, TargetKind::stream, TargetKind::spool, TargetKind::dai, TargetKind::amqp,
                          TargetKind::kafka})
    EXPECT_THAT(faults({out("1").to(a).target({kind, {}, {}, {}})}), ElementsAre("/0/target/kind unsupported")) << to_string(kind);
  EXPECT_THAT(faults({out("1").to(a).protocol("gb").partner("https://x.example/")}), ElementsAre("/0/match/protocol unsupported"));
  auto hidden = in("1").to(a).partner("https://x.example/");
  hidden.party_visible = false;
  EXPECT_THAT(faults({hidden}), ElementsAre("/0/visibility unsupported"));
}

TEST(Routing, ARowMustSayWhereItLeads) {
  EXPECT_THAT(faults({out("1").to(a).partner("")}), ElementsAre("/0/target/url required"));
  EXPECT_THAT(faults({out("1").service("S").partner("https://x.example/")}), ElementsAre("/0/target/oin required"));
  EXPECT_THAT(faults({out("1").to(a).intermediary("")}), ElementsAre("/0/target/oin required"));
  EXPECT_THAT(faults({in("1").service("S").partner("https://x.example/", b)}), ElementsAre("/0/match required")) << "no open relay";
  for (const char* wrong : {"x.example", "https://u:p@x.example/", "ftp://x.example/", "https://x.example/#f"})
    EXPECT_THAT(faults({out("1").to(a).partner(wrong)}), ElementsAre("/0/target/url format")) << wrong;
  EXPECT_THAT(faults({out("1").to("00000001800000001000").partner("http://x.example/")}, true), ElementsAre("/0/target/url format"));
  EXPECT_THAT(faults({out("1").to(a).partner("https://x.example/")}, true), ElementsAre("/0/match/toOin oin.invalid"));
  EXPECT_THAT(faults({out("1").to("1").partner("https://x.example/")}), ElementsAre("/0/match/toOin oin.invalid"));
  EXPECT_THAT(faults({out("1").to(a).path("/x").partner("https://x.example/")}), ElementsAre("/0/match/pathPrefix format"));
  EXPECT_THAT(faults({out("1").to(a).valid(now, now).partner("https://x.example/")}), ElementsAre("/0/validTo range"));
  EXPECT_THAT(faults({out("1").to(a).refuse(), out("1").to(b).refuse()}), ElementsAre("/1/id format"));
  EXPECT_THAT(faults({out("a/b").to(a).refuse()}), ElementsAre("/0/id format"));
  EXPECT_THAT(faults(std::vector<Route>(routes_max + 1, out("x").refuse())).front(), ::testing::HasSubstr("range"));
}

// --- who may speak for whom ----------------------------------------------------------------------------------------------------------

// adapter.md 3.5, scenarios 2, 4 and 6
TEST(Routing, ARowNamesTheIntermediaryOfAParty) {
  const RoutingTable table({out("s").to(receiver).intermediary(a), out("a").to(a).intermediary(b, "https://b.example/"),
                            out("old").to(village).valid({}, now).intermediary(a, "https://a.example/"),
                            out("direct").to(city).partner("https://c.example/", a), in("in").to(b).intermediary(a, "https://a.example/")});
  EXPECT_TRUE(table.names_intermediary(receiver, a, now));
  EXPECT_TRUE(table.names_intermediary(receiver, b, now)) << "behind the first one";
  EXPECT_FALSE(table.names_intermediary(receiver, village, now));
  EXPECT_FALSE(table.names_intermediary(village, a, now)) << "no longer";
  EXPECT_FALSE(table.names_intermediary(city, a, now)) << "a partner's server is no intermediary";
  EXPECT_FALSE(table.names_intermediary(b, a, now)) << "where others' messages go says nothing about who speaks";
  EXPECT_FALSE(table.names_intermediary("", a, now));
}

// ADP-409
TEST(Routing, OneUntrustedRowMakesTheWayUntrusted) {
  const RoutingTable table({out("r").to(receiver).intermediary(b), out("b").to(b).untrusted().partner("https://b.example/")});
  EXPECT_FALSE(table.resolve(table.routes()[0], now)->trusted);
}

}  // namespace
}  // namespace schakel::exchange
