#include "exchange/routing.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/oin.hpp"
#include "http/url.hpp"

namespace schakel::exchange {
namespace {

constexpr std::size_t url_bytes_max = 1024;

constexpr std::array<std::pair<RouteMode, std::string_view>, 3> modes{
    {{RouteMode::endpoint, "endpoint"}, {RouteMode::transparent, "transparent"}, {RouteMode::store_forward, "storeForward"}}};
constexpr std::array<std::pair<TargetKind, std::string_view>, 10> kinds{{{TargetKind::webhook, "webhook"},
                                                                         {TargetKind::queue, "queue"},
                                                                         {TargetKind::stream, "stream"},
                                                                         {TargetKind::spool, "spool"},
                                                                         {TargetKind::dai, "dai"},
                                                                         {TargetKind::amqp, "amqp"},
                                                                         {TargetKind::kafka, "kafka"},
                                                                         {TargetKind::partner, "partner"},
                                                                         {TargetKind::intermediary, "intermediary"},
                                                                         {TargetKind::refuse, "refuse"}}};

template <class Value, std::size_t N>
std::string_view name_of(const std::array<std::pair<Value, std::string_view>, N>& names, Value value) {
  return std::ranges::find(names, value, &std::pair<Value, std::string_view>::first)->second;
}
template <class Value, std::size_t N>
std::optional<Value> value_of(const std::array<std::pair<Value, std::string_view>, N>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name, &std::pair<Value, std::string_view>::second);
  return found == names.end() ? std::nullopt : std::optional(found->first);
}

// At segment borders: "/a" is a prefix of "/a" and "/a/b", not of "/ab".
bool is_path_prefix(std::string_view prefix, std::string_view path) {
  if (!path.starts_with(prefix)) return false;
  return path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/';
}

bool fits(std::string_view criterion, std::string_view value) {
  return criterion.empty() || criterion == value;
}

// The first criterion of a row that a message does not meet; empty: it meets all.
std::string_view mismatch(const Route& route, const RouteQuery& query, Instant now) {
  const auto& match = route.match;
  if (route.direction != query.direction) return "direction";
  if (route.valid_from && now < *route.valid_from) return "notYetValid";
  if (!route.is_valid(now)) return "expired";
  if (!fits(match.contract_id, query.contract_id) && !fits(match.contract_id, query.cpa_id)) return "contractId";
  if (!fits(match.to_oin, query.to_oin)) return "toOin";
  if (!fits(match.from_oin, query.from_oin)) return "fromOin";
  if (!fits(match.service, query.service)) return "service";
  if (!fits(match.action, query.action)) return "action";
  if (!match.path_prefix.empty() && !is_path_prefix(match.path_prefix, query.path)) return "pathPrefix";
  return fits(match.protocol, query.protocol) ? std::string_view() : "protocol";
}

// One bit for each criterion that is given; the order of adapter.md 3.4 step 2 is the order of the bits, so the larger number wins at the
// first criterion where two rows differ.
unsigned specificity(const RouteMatch& match) {
  unsigned bits = 0;
  for (const auto* criterion :
       {&match.contract_id, &match.to_oin, &match.from_oin, &match.service, &match.action, &match.path_prefix, &match.protocol})
    bits = bits << 1U | (criterion->empty() ? 0U : 1U);
  return bits;
}

// True when `a` goes before `b`. The last two steps are ours: a longer prefix is nearer, and nothing depends on the order of the rows.
bool goes_before(const Route& a, const Route& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  const auto left = specificity(a.match), right = specificity(b.match);
  if (left != right) return left > right;
  if (a.match.path_prefix.size() != b.match.path_prefix.size()) return a.match.path_prefix.size() > b.match.path_prefix.size();
  return a.id < b.id;
}

bool overlap(const Route& a, const Route& b) {
  const auto ends_before = [](const Route& one, const Route& other) {
    return one.valid_to && other.valid_from && *one.valid_to <= *other.valid_from;
  };
  return !ends_before(a, b) && !ends_before(b, a);
}

RouteQuery way_to(std::string_view oin) {
  return {.direction = Direction::outbound, .to_oin = oin};
}

// --- what may stand in a table ---------------------------------------------------------------------------------------------------

bool is_route_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

class Checker {
 public:
  Checker(const std::vector<Route>& routes, const RoutingOwner& owner) : routes_(routes), owner_(owner) {}

  std::vector<Error> run() {
    if (routes_.size() > routes_max) fault("", "range", "at most " + std::to_string(routes_max) + " rows");
    for (index_ = 0; index_ < routes_.size() && index_ < routes_max; ++index_) check_row(routes_[index_]);
    if (faults_.empty()) {
      check_duplicates();
      check_loops();
    }
    return std::move(faults_);
  }

 private:
  void fault(const std::string& member, std::string code, std::string detail) {
    const auto row = index_ < routes_.size() ? "/" + std::to_string(index_) : std::string();
    faults_.push_back(fail(std::move(code), std::move(detail), row + member));
  }

  void check_row(const Route& route) {
    if (!is_route_id(route.id))
      fault("/id", "format", "1 to 64 letters, digits, '-', '_' or '.'");
    else if (!ids_.insert(route.id).second)
      fault("/id", "format", "another row has this id");
    check_match(route);
    if (route.valid_from && route.valid_to && *route.valid_to <= *route.valid_from)
      fault("/validTo", "range", "must be later than validFrom");
    if (!route.party_visible)
      fault("/visibility", "unsupported",
            "intermediary is not built: a transparent route shows the party, because the header stays as it is");
    if (route.mode == RouteMode::store_forward) return fault("/mode", "unsupported", "storeForward is not built");
    if (route.direction == Direction::inbound)
      check_inbound(route);
    else
      check_outbound(route);
    check_target(route);
  }

  void check_match(const Route& route) {
    const auto& match = route.match;
    if (!match.protocol.empty() && match.protocol != "ebms" && match.protocol != "wus")
      fault("/match/protocol", "unsupported", "only ebms and wus are routed");
    check_oin(match.to_oin, "/match/toOin");
    check_oin(match.from_oin, "/match/fromOin");
    if (!match.path_prefix.empty() && !match.path_prefix.starts_with('/')) fault("/match/pathPrefix", "format", "begins with '/'");
  }

  void check_oin(const std::string& oin, const std::string& member) {
    if (oin.empty()) return;
    if (!is_oin(oin))
      fault(member, "oin.invalid", "no OIN");
    else if (owner_.production && is_test_oin(oin))
      fault(member, "oin.invalid", "a test OIN has no place in production");
  }

  void check_inbound(const Route& route) {
    if (route.mode != RouteMode::transparent)
      return fault("/mode", "unsupported",
                   "inbound messages under our own contracts go to webhooks and the queue; only transparent is routed");
    if (route.match.to_oin.empty() && route.match.contract_id.empty())
      fault("/match", "required", "a transparent row names toOin or contractId: whom it passes messages on to");
  }

  void check_outbound(const Route& route) {
    if (route.mode != RouteMode::endpoint) fault("/mode", "format", "our own messages are sent as an endpoint");
    if (!route.match.path_prefix.empty()) fault("/match/pathPrefix", "format", "what we send has no path");
  }

  void check_target(const Route& route) {
    const auto& target = route.target;
    if (!target.ref.empty()) fault("/target/ref", "unsupported", "no target that is built has a ref");
    switch (target.kind) {
      case TargetKind::partner:
        if (target.url.empty()) fault("/target/url", "required", "a partner has a URL");
        if (route.server_oin().empty())
          fault("/target/oin", "required", "the OIN of the server's certificate, where match.toOin does not say it");
        break;
      case TargetKind::intermediary:
        if (target.oin.empty()) fault("/target/oin", "required", "an intermediary is an OIN");
        break;
      case TargetKind::refuse:
        if (!target.url.empty() || !target.oin.empty()) fault("/target", "format", "refuse has no URL and no OIN");
        return;
      default:
        return fault("/target/kind", "unsupported", std::string(to_string(target.kind)) + " is not built as a target of a route");
    }
    check_oin(target.oin, "/target/oin");
    if (!target.url.empty()) check_url(target.url);
    if (std::ranges::find(owner_.oins, route.server_oin()) != owner_.oins.end())
      fault("/target", "routing.loop", "this leads back to ourselves");
  }

  void check_url(const std::string& text) {
    const auto url = text.size() > url_bytes_max ? Result<http::Url>(fail("transport.invalid", "too long")) : http::parse_url(text);
    if (!url)
      fault("/target/url", "format", "no absolute URL");
    else if (owner_.production && !url->is_tls())
      fault("/target/url", "format", "must be https");
  }

  void check_duplicates() {
    std::map<std::tuple<Direction, std::int64_t, RouteMatch>, std::vector<std::size_t>> same;
    for (index_ = 0; index_ < routes_.size(); ++index_) {
      const auto& route = routes_[index_];
      auto& others = same[{route.direction, route.priority, route.match}];
      for (const auto other : others)
        if (overlap(routes_[other], route))
          fault("", "route.duplicate", "row " + routes_[other].id + " has the same match and priority at the same time");
      others.push_back(index_);
    }
  }

  // Every moment at which the rows in force change is looked at: a loop that only some future has is one too.
  void check_loops() {
    const RoutingTable table(ways());
    std::set<Instant> moments{Instant::min()};
    for (const auto& route : table.routes())
      for (const auto& moment : {route.valid_from, route.valid_to})
        if (moment) moments.insert(*moment);
    for (index_ = 0; index_ < routes_.size(); ++index_) {
      const auto& route = routes_[index_];
      if (route.target.kind != TargetKind::intermediary) continue;
      bool reached = false;
      for (Instant moment : moments) {
        if (route.valid_from) moment = std::max(moment, *route.valid_from);
        if (!route.is_valid(moment)) continue;
        const auto hop = table.resolve(route, moment);
        if (!hop && hop.error().code == "routing.loop") return fault("", "routing.loop", hop.error().detail);
        reached = reached || hop.has_value();
      }
      if (!reached) fault("/target/oin", "required", "no row leads to this intermediary, and this one has no URL");
    }
  }

  // The rows that can lead to an intermediary: those that ask for nothing but toOin.
  std::vector<Route> ways() const {
    std::vector<Route> out;
    for (const auto& route : routes_) {
      RouteMatch only;
      only.protocol = route.match.protocol;
      only.to_oin = route.match.to_oin;
      if (route.direction == Direction::outbound && route.match == only) out.push_back(route);
    }
    return out;
  }

  const std::vector<Route>& routes_;
  const RoutingOwner& owner_;
  std::size_t index_ = 0;
  std::set<std::string_view> ids_;
  std::vector<Error> faults_;
};

}  // namespace

const Route* RoutingTable::select(const RouteQuery& query, Instant now) const {
  const Route* best = nullptr;
  for (const auto& route : routes_)
    if (mismatch(route, query, now).empty() && (!best || goes_before(route, *best))) best = &route;
  return best;
}

std::vector<RoutingTable::Rejected> RoutingTable::rejected(const RouteQuery& query, const Route* chosen, Instant now) const {
  std::vector<Rejected> out;
  for (const auto& route : routes_) {
    if (&route == chosen) continue;
    auto reason = mismatch(route, query, now);
    if (reason.empty()) reason = chosen && route.priority < chosen->priority ? "priority" : "specificity";
    out.push_back({&route, reason});
  }
  return out;
}

Result<NextHop> RoutingTable::resolve(const Route& first, Instant now) const {
  NextHop hop;
  const Route* route = &first;
  for (;;) {
    hop.trusted = hop.trusted && route->trusted;
    if (route->target.kind == TargetKind::refuse) return fail("route.none", "row " + route->id + " refuses");
    if (route->target.kind == TargetKind::intermediary) hop.through.push_back(route->target.oin);
    if (hop.through.size() > route_depth_max)
      return fail("routing.loop", "more than " + std::to_string(route_depth_max) + " intermediaries from row " + first.id);
    if (!route->target.url.empty()) break;
    const auto& oin = route->target.oin;
    route = select(way_to(oin), now);
    if (!route) return fail("route.none", "no row leads to the intermediary " + oin);
  }
  hop.url = route->target.url;
  hop.server_oin = route->server_oin();
  return hop;
}

bool RoutingTable::names_intermediary(std::string_view party, std::string_view intermediary, Instant now) const {
  return !party.empty() && std::ranges::any_of(routes_, [&](const Route& route) {
    if (route.direction != Direction::outbound || route.target.kind != TargetKind::intermediary || route.match.to_oin != party ||
        !route.is_valid(now))
      return false;
    if (route.target.oin == intermediary) return true;
    const auto hop = resolve(route, now);
    return hop && std::ranges::find(hop->through, intermediary) != hop->through.end();
  });
}

bool RoutingTable::has_transparent() const {
  return std::ranges::any_of(routes_, [](const Route& route) { return route.mode == RouteMode::transparent; });
}

std::vector<Error> check_routes(const std::vector<Route>& routes, const RoutingOwner& owner) {
  return Checker(routes, owner).run();
}

void Routing::add(std::string tenant, Entry entry) {
  has_transparent_ = has_transparent_ || entry.table.has_transparent();
  entries_.insert_or_assign(std::move(tenant), std::move(entry));
}

const RoutingTable* Routing::table(std::string_view tenant) const {
  const auto found = entries_.find(tenant);
  return found == entries_.end() ? nullptr : &found->second.table;
}

std::string_view to_string(RouteMode mode) {
  return name_of(modes, mode);
}
std::string_view to_string(TargetKind kind) {
  return name_of(kinds, kind);
}
std::optional<RouteMode> route_mode_from(std::string_view name) {
  return value_of(modes, name);
}
std::optional<TargetKind> target_kind_from(std::string_view name) {
  return value_of(kinds, name);
}

}  // namespace schakel::exchange
