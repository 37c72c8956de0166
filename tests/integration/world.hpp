// Two organisations that trust one test PKI, and what tests ask of their API.
#pragma once

#include <gtest/gtest.h>

#include <set>

#include "integration/site.hpp"

namespace schakel::integration {

struct Terms {
  const char* name;
  bool reliable, synchronous;
};

// Made once: nodes start and keys load only once for all cases.
class World {
 public:
  World()
      : stad(pki, {.slug = "voorbeeldstad", .name = "Gemeente Voorbeeldstad", .oin = "00000099000000010000", .database_url = {}}),
        register_(pki, {.slug = "voorbeeldregister", .name = "Voorbeeldregister", .oin = "00000099000000020000", .database_url = {}}) {
    stad.start_and_wait();
    register_.start_and_wait();
  }
  // The contract with these terms, loaded at both sides.
  std::string cpa(const Terms& terms) {
    const std::string id = std::string("cpa-") + terms.name;
    if (loaded_.insert(id).second) {
      const auto document = CpaDocument({.cpa_id = id, .reliable = terms.reliable, .synchronous = terms.synchronous}, stad.party("Melder"),
                                        register_.party("Register"))
                                .text();
      stad.load(document);
      register_.load(document);
    }
    return id;
  }

  ServedPki pki;
  Site stad, register_;

 private:
  std::set<std::string> loaded_;
};

inline World& world() {
  static World world;
  return world;
}

inline Json submit(Rest& api, const Json& fields) {
  const auto answer = api.post("/api/v1/messages", fields);
  EXPECT_EQ(answer.status, 202U) << answer.body;
  return answer.json();
}

inline Json message(Rest& api, const std::string& id) {
  return api.get("/api/v1/messages/" + id).json();
}

inline bool reaches(Rest& api, const std::string& id, const std::string& state) {
  return becomes([&] { return message(api, id).value("state", "") == state; }, 15s);
}

// The inbound message with this protocol id; null until it is there.
inline Json inbound(Rest& api, const std::string& message_id) {
  Json found;
  becomes(
      [&] {
        const auto list = api.get("/api/v1/messages?direction=inbound&messageId=" + message_id).json();
        if (list.is_array() && !list.empty()) found = list[0];
        return !found.is_null();
      },
      15s);
  return found;
}

inline std::vector<std::string> trail(Rest& api, const std::string& id) {
  std::vector<std::string> types;
  for (const auto& event : api.get("/api/v1/messages/" + id + "/events").json()) types.push_back(event.value("type", ""));
  return types;
}

// The node's whole routing table.
inline void put_routes(Site& site, const Json& rows) {
  auto api = site.admin();
  const auto version = api.get("/api/v1/routes").header("ETag");
  const auto put = api.call("PUT", "/api/v1/routes", Json{{"routes", rows}}.dump(), "application/json", {{"If-Match", version}});
  ASSERT_EQ(put.status, 200U) << put.body;
}

// Puts the routing table back as it was: a node may be shared with other tests.
class KeptRoutes {
 public:
  explicit KeptRoutes(Site& site) : site_(site), rows_(site.admin().get("/api/v1/routes").json()["routes"]) {}
  ~KeptRoutes() { put_routes(site_, rows_); }
  KeptRoutes(const KeptRoutes&) = delete;
  KeptRoutes& operator=(const KeptRoutes&) = delete;
  const Json& rows() const { return rows_; }

 private:
  Site& site_;
  const Json rows_;
};

}  // namespace schakel::integration
