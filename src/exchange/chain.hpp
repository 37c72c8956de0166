// Hash chains per tenant, for the trail and the audit log (adapter.md 2.6, ADP-502; SEC-104; docs/decisions/0002-trail-sealing.md).
//
// Rows are written without a place in the chain; a sealer gives them seq and hash within seconds, in the order in which they were written.
#pragma once

#include <string>

#include "exchange/store.hpp"

namespace schakel::exchange {

// The end of one chain, and where it begins since retention removed what came before.
struct ChainHead {
  std::int64_t seq = 0, base_seq = 0;
  Bytes hash, base_hash;   // 32 octets
  Instant sealed_until{};  // time of the last sealed event
};

// What the first event of a chain has as previousHash: 32 zero octets.
Bytes genesis_hash();

Result<ChainHead> chain_head(sql::Transaction&, std::string_view chain, std::string_view tenant);
Result<> put_chain_head(sql::Transaction&, std::string_view chain, std::string_view tenant, const ChainHead&);

// True when this transaction may seal `chain`: one sealer at a time in a cluster.
Result<bool> lock_chain(sql::Transaction&, std::string_view chain);

// A JSON string by RFC 8785 (the octets of valid UTF-8 as they are).
void append_json_string(std::string& out, std::string_view text);
// Valid UTF-8 without NUL, at most `characters_max` characters: what both databases keep alike.
std::string storable_text(std::string_view text, std::size_t characters_max);

}  // namespace schakel::exchange
