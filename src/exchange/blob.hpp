// Octets of payloads at rest, in chunks: written while they arrive, read while they leave; never whole in memory (EB-031).
//
// A blob that no payload refers to is an orphan; `purge_orphans` removes it an hour after its last chunk.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "exchange/message.hpp"
#include "sql/database.hpp"

namespace schakel::exchange {

// Inside a transaction: one chunk (0, 1, 2 …) of a blob whose payload is stored by a later transaction, or never.
Result<> write_chunk(sql::Transaction&, std::string_view blob, std::int64_t chunk, BytesView octets, Instant now);
// The same for a payload that is stored by this very transaction: such a blob is never an orphan.
Result<> write_owned_chunk(sql::Transaction&, std::string_view blob, std::int64_t chunk, BytesView octets);
// All octets of such a payload that were in memory, as its chunks.
Result<> write_owned_octets(sql::Transaction&, std::string_view blob, BytesView octets);
// Octets of one chunk; empty at the end.
Result<Bytes> read_chunk(sql::Transaction&, std::string_view blob, std::int64_t chunk);
Result<> delete_blob(sql::Transaction&, std::string_view blob);
Result<std::int64_t> purge_orphans(sql::Transaction&, Instant older_than);

}  // namespace schakel::exchange
