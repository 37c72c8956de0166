#include "api/confirmation.hpp"

#include "base/json_library.hpp"
#include "exchange/delivery.hpp"

namespace schakel::api {
namespace {

using exchange::State;

constexpr std::size_t trail_detail_max = 500;

// At most 500 octets, cut between characters.
std::string cut(std::string text) {
  if (text.size() <= trail_detail_max) return text;
  std::size_t end = trail_detail_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

}  // namespace

bool waits_for_application(const exchange::Message& message) {
  return message.direction == exchange::Direction::inbound && (message.state == State::received || message.state == State::offered);
}

bool may_be_replayed(const exchange::Message& message) {
  return message.direction == exchange::Direction::inbound && (message.state == State::processed || message.state == State::rejected);
}

Result<> add_trail(sql::Transaction& tx, std::string_view node, const exchange::Message& message, std::string type, std::string actor,
                   Instant at, std::string code, std::string detail) {
  exchange::TrailEvent event;
  event.at = at;
  event.message = message.id;
  event.type = std::move(type);
  event.actor = std::move(actor);
  event.wire_id = message.message_id;
  event.code = std::move(code);
  event.detail = cut(std::move(detail));
  return exchange::append_trail(tx, message.tenant, node, {&event, 1});
}

Result<> confirm(sql::Transaction& tx, std::string_view node, exchange::Message& message, const Confirmation& confirmation, Instant now) {
  const State wanted = confirmation.verdict == Verdict::processed ? State::processed : State::rejected;
  if (message.state == wanted) return {};
  const bool open = message.state == State::received || message.state == State::offered || message.state == State::dead;
  if (!open)
    return fail("state.conflict", "Een bericht in toestand " + std::string(to_string(message.state)) + " kan niet worden bevestigd.");
  message.state = wanted;
  message.state_reason = confirmation.code;
  message.processed_at = now;
  message.final_at = now;
  message.next_attempt_at.reset();
  if (wanted == State::rejected) message.last_error = exchange::LastError{confirmation.code, confirmation.detail, "local", now};
  SCHAKEL_CHECK(exchange::update_message(tx, message));
  SCHAKEL_CHECK(exchange::dequeue(tx, message.tenant, message.id));
  SCHAKEL_CHECK(exchange::mark_events_processed(tx, message.tenant, message.id, "message.received"));
  const std::string type = wanted == State::processed ? "confirmed" : "rejectedByApplication";
  return add_trail(tx, node, message, type, confirmation.actor, now, confirmation.code, confirmation.detail);
}

Result<> dead_letter(sql::Transaction& tx, std::string_view node, exchange::Message& message, std::string_view code,
                     std::string_view detail, std::string event_id, std::string work_id, Instant now) {
  message.state = State::dead;
  message.state_reason = std::string(code);
  message.next_attempt_at.reset();
  message.last_error = exchange::LastError{std::string(code), std::string(detail), "local", now};
  SCHAKEL_CHECK(exchange::update_message(tx, message));
  SCHAKEL_CHECK(exchange::dequeue(tx, message.tenant, message.id));
  SCHAKEL_CHECK(add_trail(tx, node, message, "deadLettered", "schakel", now, std::string(code), std::string(detail)));
  nlohmann::json data = {{"code", code}, {"description", detail}, {"severity", "Error"}, {"attempts", message.delivery_attempt}};
  SCHAKEL_CHECK(exchange::insert_event(tx, {event_id, message.tenant, message.id, "message.dead_lettered", now, data.dump()}));
  exchange::Work work;
  work.id = std::move(work_id);
  work.tenant = message.tenant;
  work.kind = "webhook.call";
  work.subject = std::move(event_id);
  work.due = now;
  return exchange::add_work(tx, work);
}

}  // namespace schakel::api
