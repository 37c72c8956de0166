// The routing table (ADP-402, ADP-412, ADP-413; adapter.md 3.4): rows as values, what is wrong with them, which row is chosen and why the
// others are not.
//
// A row of direction outbound says where our own messages go; one of direction inbound and mode `transparent` which messages of others we
// pass on, and where to. Every tenant has one table, a document of kind "routes"; its JSON is the API's (api/routing_json.hpp). Pure
// values; safe from every thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "exchange/message.hpp"

namespace schakel::exchange {

inline constexpr std::string_view routes_document = "routes";  // the table in force; key "current"
inline constexpr std::size_t routes_max = 500;                 // of one tenant: every message looks through them
inline constexpr std::size_t route_depth_max = 4;              // ADP-412: intermediaries behind one another

enum class RouteMode { endpoint, transparent, store_forward };
enum class TargetKind { webhook, queue, stream, spool, dai, amqp, kafka, partner, intermediary, refuse };

// Criteria; an empty one is not given. `contract_id`: our id of the contract, or the CPAId of a contract of others.
struct RouteMatch {
  std::string protocol, contract_id, to_oin, from_oin, service, action, path_prefix;
  friend auto operator<=>(const RouteMatch&, const RouteMatch&) = default;
};

struct RouteTarget {
  TargetKind kind = TargetKind::refuse;
  std::string ref, url;
  std::string oin;  // partner: of the server's certificate; intermediary: who stands between
  friend bool operator==(const RouteTarget&, const RouteTarget&) = default;
};

struct Route {
  std::string id;
  std::int64_t priority = 0;
  Direction direction = Direction::outbound;
  RouteMatch match;
  RouteMode mode = RouteMode::endpoint;
  RouteTarget target;
  bool party_visible = true;  // `visibility`: partners see the party behind an intermediary (ADP-410)
  bool trusted = true;        // ADP-409
  std::optional<Instant> valid_from, valid_to;

  bool is_valid(Instant at) const { return (!valid_from || *valid_from <= at) && (!valid_to || at < *valid_to); }
  // The OIN that the server at `target.url` must show: the target's, else that of the party itself.
  const std::string& server_oin() const { return target.oin.empty() ? match.to_oin : target.oin; }
  friend bool operator==(const Route&, const Route&) = default;
};

// What is known of a message. `path`: of the request, inbound only.
struct RouteQuery {
  Direction direction = Direction::outbound;
  std::string_view protocol = "ebms";
  std::string_view contract_id = {}, cpa_id = {}, to_oin = {}, from_oin = {}, service = {}, action = {}, path = {};
};

// Where a message goes next.
struct NextHop {
  std::string url, server_oin;
  bool trusted = true;
  std::vector<std::string> through;  // OINs of the intermediaries, the first one nearest to the party
};

class RoutingTable {
 public:
  RoutingTable() = default;
  explicit RoutingTable(std::vector<Route> routes) : routes_(std::move(routes)) {}

  const std::vector<Route>& routes() const { return routes_; }
  // adapter.md 3.4 steps 1 and 2; null: no row fits.
  const Route* select(const RouteQuery&, Instant now) const;
  // Why each of the others is not chosen: "direction", "notYetValid", "expired", the name of a criterion that differs, "priority" or
  // "specificity".
  struct Rejected {
    const Route* route;
    std::string_view reason;
  };
  std::vector<Rejected> rejected(const RouteQuery&, const Route* chosen, Instant now) const;
  // Step 3: the place that a row of kind partner or intermediary leads to. Errors: "route.none" when an intermediary has no row of its own
  // or something refuses it, "routing.loop" beyond route_depth_max.
  Result<NextHop> resolve(const Route&, Instant now) const;
  // adapter.md 3.5: a row names `intermediary` as the way to `party`, itself or through others.
  bool names_intermediary(std::string_view party, std::string_view intermediary, Instant now) const;
  bool has_transparent() const;

 private:
  std::vector<Route> routes_;
};

// Whose table it is, for what may stand in it.
struct RoutingOwner {
  bool production = false;
  std::span<const std::string> oins;
};
// Every fault of a table. `location`: a JSON Pointer below the list of rows ("/3/target/url"). Codes: "routing.loop", "route.duplicate",
// "unsupported" (what this program cannot do yet), "required", "format", "range", "oin.invalid".
std::vector<Error> check_routes(const std::vector<Route>&, const RoutingOwner&);

// The tables of all tenants.
class Routing {
 public:
  struct Entry {
    std::string environment;  // production | test
    RoutingTable table;
  };
  void add(std::string tenant, Entry);
  const RoutingTable* table(std::string_view tenant) const;
  const std::map<std::string, Entry, std::less<>>& all() const { return entries_; }
  // Some tenant passes messages of others on.
  bool has_transparent() const { return has_transparent_; }

 private:
  std::map<std::string, Entry, std::less<>> entries_;
  bool has_transparent_ = false;
};

std::string_view to_string(RouteMode);
std::string_view to_string(TargetKind);
std::optional<RouteMode> route_mode_from(std::string_view);
std::optional<TargetKind> target_kind_from(std::string_view);

}  // namespace schakel::exchange
