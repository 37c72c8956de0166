// What is kept of one exchange (WUS-320, WUS-321): a Message with protocol "wus" and its trail; in S and SE also the exact octets that came
// and went, as its payloads 0 (request) and 1 (response); with `evidencePlain` in SE also the envelope that was decrypted, 2 or 3.
//
// No payload text is in a trail or a log. Octets over limits::payload_in_memory_max go to the store in units of their own, before the unit
// that refers to them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "exchange/message.hpp"
#include "http/asio.hpp"
#include "sql/database.hpp"

namespace schakel::wus {

// Octets for the evidence, on their way to a payload row.
struct Kept {
  std::string content_type;
  std::string blob;    // id
  std::string octets;  // when small: written by the unit that makes the row
  std::int64_t size = 0;
  std::string sha256;
  bool none() const { return blob.empty(); }
};

// Large octets are at rest after this; small ones travel in the result.
http::Awaitable<Result<Kept>> keep(sql::Database&, Random&, Instant now, std::string_view octets, std::string content_type);

// One exchange, both roles.
struct Record {
  exchange::Message message;
  std::vector<exchange::TrailEvent> events;  // not written yet
  Kept request, response, decrypted_request, decrypted_response;

  // The row stands: begin_record was durable, and the events that it wrote are gone from `events`.
  bool begun = false;

  void event(std::string type, Instant at, std::string code = {}, std::string detail = {});
  void finish(exchange::State, Instant at, std::string code = {}, std::string detail = {}, std::string source = {});
};

// Inside a unit. `begin_record` writes the row with the request's octets, `end_record` what became of it, and the row too when it does not
// stand yet; both write the events.
Result<> begin_record(sql::Transaction&, const Record&, std::string_view node);
Result<> end_record(sql::Transaction&, const Record&, std::string_view node);

}  // namespace schakel::wus
