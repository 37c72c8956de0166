// What a request of an application becomes before it is stored: checked against the contract, addressed, numbered, built, signed and
// encrypted (ebms.md 3.2; adapter.md 2.1.4, 2.1.5). Private to src/ebms.
//
// Most requests need nothing of the store for that, and are composed before their unit: RSA takes longer than all that the one writer does
// for a message. What needs stored state (an earlier message, a number in a conversation, octets at rest) is composed inside the unit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebms/context.hpp"
#include "ebms/ordering.hpp"

namespace schakel::ebms {

struct Roles {
  std::string from, to;
};

struct Composed {
  std::shared_ptr<const cpa::Contracts> contracts;  // which `contract` and `channels` point into
  const cpa::LoadedContract* contract = nullptr;
  std::optional<cpa::Channels> channels;
  Roles roles;
  Instant at;
  bool reliable = false;
  cpa::Reliability reliability;
  MessageHeader header;
  std::vector<exchange::Payload> payloads;
  // Of encrypted payloads that were in memory: the octets of their `wire_blob`, still to be written. Empty for others.
  std::vector<Bytes> encrypted;
  std::optional<Numbered> numbered;
  Bytes root;
  std::string protection;  // how it was secured: for the trail
};

// `tx`: null outside a unit. Errors: the codes of adapter.md 2.1.5; outside a unit any Error may only mean that the store is needed.
Result<Composed> compose(const Context&, sql::Transaction* tx, const SubmitRequest&);

}  // namespace schakel::ebms
