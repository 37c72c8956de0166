#include "wus/record.hpp"

#include "base/limits.hpp"
#include "exchange/blob.hpp"
#include "exchange/commit.hpp"
#include "exchange/store.hpp"

namespace schakel::wus {
namespace {

constexpr std::size_t unit_bytes_max = 8 * limits::blob_chunk_bytes;  // of a commit that only writes chunks

enum PayloadIndex : std::int64_t { request_index, response_index, decrypted_request_index, decrypted_response_index };

exchange::Payload payload_of(const Record& record, std::int64_t index, const Kept& kept) {
  exchange::Payload payload;
  payload.message = record.message.id;
  payload.index = index;
  payload.content_type = kept.content_type;
  payload.size = kept.size;
  payload.sha256 = kept.sha256;
  payload.blob = kept.blob;
  return payload;
}

}  // namespace

http::Awaitable<Result<Kept>> keep(sql::Database& database, Random& random, Instant now, std::string_view octets,
                                   std::string content_type) {
  Kept kept{.content_type = std::move(content_type),
            .blob = uuid_v7(random, now),
            .octets = {},
            .size = static_cast<std::int64_t>(octets.size()),
            .sha256 = to_hex(sha256(octets))};
  if (octets.size() <= limits::payload_in_memory_max) {
    kept.octets = octets;
    co_return kept;
  }
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < octets.size(); begin += unit_bytes_max) {
    const auto batch = octets.substr(begin, unit_bytes_max);
    const auto first = number;
    const auto written = co_await exchange::commit(database, [&](sql::Transaction& tx) -> Result<> {
      number = first;  // a unit may run again
      for (std::size_t at = 0; at < batch.size(); at += limits::blob_chunk_bytes)
        SCHAKEL_CHECK(exchange::write_chunk(tx, kept.blob, number++, batch.substr(at, limits::blob_chunk_bytes), now));
      return {};
    });
    if (!written) co_return written.error();
  }
  co_return kept;
}

void Record::event(std::string type, Instant at, std::string code, std::string detail) {
  exchange::TrailEvent event;
  event.at = at;
  event.message = message.id;
  event.type = std::move(type);
  event.wire_id = message.message_id;
  event.code = std::move(code);
  event.detail = std::move(detail);
  events.push_back(std::move(event));
}

void Record::finish(exchange::State state, Instant at, std::string code, std::string detail, std::string source) {
  message.state = state;
  message.final_at = at;
  if (!code.empty())
    message.last_error = exchange::LastError{.code = std::move(code), .detail = std::move(detail), .source = std::move(source), .at = at};
}

Result<> begin_record(sql::Transaction& tx, const Record& record, std::string_view node) {
  std::vector<exchange::Payload> payloads;
  for (const auto& [index, kept] : {std::pair{request_index, &record.request}, {decrypted_request_index, &record.decrypted_request}}) {
    if (kept->none()) continue;
    payloads.push_back(payload_of(record, index, *kept));
    SCHAKEL_CHECK(exchange::write_owned_octets(tx, kept->blob, kept->octets));
  }
  SCHAKEL_CHECK(exchange::insert_message(tx, record.message, payloads));
  return exchange::append_trail(tx, record.message.tenant, node, record.events);
}

Result<> end_record(sql::Transaction& tx, const Record& record, std::string_view node) {
  if (record.begun)
    SCHAKEL_CHECK(exchange::update_message(tx, record.message));
  else
    SCHAKEL_CHECK(begin_record(tx, record, node));
  for (const auto& [index, kept] : {std::pair{response_index, &record.response}, {decrypted_response_index, &record.decrypted_response}}) {
    if (kept->none()) continue;
    SCHAKEL_CHECK(exchange::write_owned_octets(tx, kept->blob, kept->octets));
    SCHAKEL_CHECK(exchange::insert_payload(tx, record.message, payload_of(record, index, *kept)));
  }
  if (!record.begun) return {};
  return exchange::append_trail(tx, record.message.tenant, node, record.events);
}

}  // namespace schakel::wus
