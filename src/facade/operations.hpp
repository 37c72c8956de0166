// What an application can ask (ebms.md 2.10, EB-210), whatever form it asks in. Everything is done by the functions of /api/v1.
//
// Borrows the Office for as long as it lives; the coroutines borrow the Principal until they end. Errors are refusals with the codes of
// adapter.md 2.1.5; the two forms make texts of them. Threads: safe from every thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/intake.hpp"
#include "api/keys.hpp"
#include "api/resources.hpp"
#include "facade/model.hpp"
#include "facade/stream.hpp"

namespace schakel::facade {

// The permission that an operation needs.
std::string_view permission_of(const Operation&);

// One message as an application sees it. Payloads that were purged are not among them.
struct ShownMessage {
  exchange::Message message;
  std::vector<exchange::Payload> payloads;
};

class Operations {
 public:
  // `page_items`: of a list, read at once.
  Operations(const api::Office& office, std::int64_t page_items) : office_(office), page_items_(page_items) {}
  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;

  const api::Office& office() const { return office_; }

  http::Awaitable<api::Answer<>> ping(const api::Principal&, Ping) const;

  // A submit in three steps: begin, then every payload (api::place, api::take_octets), then submit; on every failure between them,
  // api::remove_blobs.
  api::Taken begin(const api::Principal&, const RequestProperties&) const;
  // The MessageId.
  http::Awaitable<api::Answer<std::string>> submit(api::Taken) const;
  // A new message with the same content, whatever became of the first; its MessageId. notFound: no message that was sent.
  http::Awaitable<api::Answer<std::string>> resend(const api::Principal&, std::string message_id) const;

  // Lists of any length as text, oldest first: `before`, each item by `write` with `between` in between, `after`.
  struct Form {
    std::string before, between, after;
    std::string (*write)(const std::string& message_id, std::string_view event_type);  // of a message: no type
  };
  struct Text {
    std::string text;                          // the whole list, or
    std::unique_ptr<http::BodyReader> stream;  // what makes it page by page
  };
  http::Awaitable<api::Answer<Text>> unprocessed_ids(const api::Principal&, GetUnprocessedMessageIds, Form) const;
  http::Awaitable<api::Answer<Text>> unprocessed_events(const api::Principal&, GetUnprocessedMessageEvents, Form) const;

  // Looking is in the trail. A received message before a sent one, when one contract has both; of several received ones (EB-093) the oldest
  // that waits for the application.
  http::Awaitable<api::Answer<ShownMessage>> get(const api::Principal&, std::string message_id) const;
  // RECEIVED -> PROCESSED; otherwise nothing.
  http::Awaitable<api::Answer<>> process(const api::Principal&, std::string message_id) const;
  // Puts the pieces of an answer to `get` into a response. `process`: the message becomes PROCESSED when all of them have been given.
  void give(http::Response&, std::vector<Piece>, const api::Principal&, const ShownMessage&, bool process) const;
  // All events of the message, and the message itself.
  http::Awaitable<api::Answer<>> process_event(const api::Principal&, std::string message_id) const;

  struct RemoteStatus {
    std::optional<Instant> timestamp;
    std::string_view status;  // RECEIVED, …
  };
  // Asks the partner (EB-181). Errors: notFound; call.timeout, call.upstream.
  http::Awaitable<api::Answer<RemoteStatus>> remote_status(const api::Principal&, std::string message_id) const;

 private:
  http::Awaitable<Result<>> process_shown(std::string tenant, std::string id, std::string actor) const;

  const api::Office& office_;
  const std::int64_t page_items_;
};

}  // namespace schakel::facade
