#include "facade/operations.hpp"

#include <algorithm>

#include "api/confirmation.hpp"
#include "exchange/commit.hpp"
#include "exchange/delivery.hpp"

namespace schakel::facade {
namespace {

using api::Access;
using api::Answer;
using api::Principal;
using api::Refusal;
using exchange::Direction;
using exchange::Message;
using http::Awaitable;
using http::Response;

Refusal unknown_message() {
  return {"notFound", "Er is geen bericht met dit messageId."};
}

// What could be the id of a message: the store holds no other text.
bool is_message_id(std::string_view text) {
  return !text.empty() && is_valid_utf8(text) &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

std::string actor_of(const Principal& principal) {
  return "apiKey:" + principal.id;
}

Result<std::optional<Message>> find_sent(sql::Transaction& tx, const std::string& tenant, const std::string& message_id) {
  if (!is_message_id(message_id)) return std::optional<Message>();
  SCHAKEL_TRY(auto message, exchange::find_outbound(tx, message_id));
  if (message && message->tenant != tenant) return std::optional<Message>();
  return message;
}

bool waits(const Message& message) {
  return api::waits_for_application(message) || message.state == exchange::State::dead;
}

Result<std::optional<Message>> find_received(sql::Transaction& tx, const std::string& tenant, const std::string& message_id) {
  if (!is_message_id(message_id)) return std::optional<Message>();
  SCHAKEL_TRY(auto messages, exchange::find_inbound(tx, tenant, message_id));
  if (messages.empty()) return std::optional<Message>();
  const auto waiting = std::ranges::find_if(messages, waits);
  return std::optional<Message>(std::move(waiting == messages.end() ? messages.back() : *waiting));
}

// One page after the other of the store's lists.
struct Item {
  std::string message_id;
  std::string_view type;
};

class Pages {
 public:
  Pages(sql::Database& database, std::string tenant, std::int64_t max_nr, std::int64_t page_items)
      : database_(database), tenant_(std::move(tenant)), page_items_(page_items), left_(max_nr == 0 ? INT64_MAX : max_nr) {}
  virtual ~Pages() = default;
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  bool ended() const { return left_ == 0; }
  Awaitable<Result<std::vector<Item>>> next() {
    const std::int64_t limit = std::min(left_, page_items_);
    std::vector<Item> items;
    SCHAKEL_CO_CHECK(co_await exchange::read(database_, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(items, page(tx, tenant_, limit));
      return {};
    }));
    taken();
    left_ = std::cmp_less(items.size(), limit) ? 0 : left_ - limit;
    co_return items;
  }

 protected:
  // What comes after the pages that were taken. May run twice, when the database does.
  virtual Result<std::vector<Item>> page(sql::Transaction&, const std::string& tenant, std::int64_t limit) = 0;
  virtual void taken() = 0;

 private:
  sql::Database& database_;
  const std::string tenant_;
  const std::int64_t page_items_;
  std::int64_t left_;
};

class MessagePages final : public Pages {
 public:
  MessagePages(sql::Database& database, std::string tenant, GetUnprocessedMessageIds wanted, std::int64_t page_items)
      : Pages(database, std::move(tenant), wanted.max_nr, page_items), filter_(std::move(wanted.filter)) {}

 private:
  Result<std::vector<Item>> page(sql::Transaction& tx, const std::string& tenant, std::int64_t limit) override {
    SCHAKEL_TRY(const auto found, exchange::waiting_messages(tx, tenant, filter_, last_, limit));
    std::vector<Item> items;
    items.reserve(found.size());
    for (const auto& message : found) items.push_back({message.message_id, {}});
    end_ = found.empty() ? last_ : found.back();
    return items;
  }
  void taken() override { last_ = end_; }

  const exchange::MessageFilter filter_;
  std::optional<exchange::WaitingMessage> last_, end_;
};

class EventPages final : public Pages {
 public:
  EventPages(sql::Database& database, std::string tenant, GetUnprocessedMessageEvents wanted, std::int64_t page_items)
      : Pages(database, std::move(tenant), wanted.max_nr, page_items), filter_(std::move(wanted.filter)), types_(std::move(wanted.types)) {
    if (types_.empty()) types_.assign(std::begin(application_events), std::end(application_events));
  }

 private:
  Result<std::vector<Item>> page(sql::Transaction& tx, const std::string& tenant, std::int64_t limit) override {
    SCHAKEL_TRY(const auto found, exchange::waiting_events(tx, tenant, filter_, types_, last_, limit));
    std::vector<Item> items;
    items.reserve(found.size());
    for (const auto& event : found) items.push_back({event.message_id, event_type(event.type)});
    end_ = found.empty() ? last_ : found.back().position;
    return items;
  }
  void taken() override { last_ = end_; }

  const exchange::MessageFilter filter_;
  std::vector<std::string_view> types_;
  std::int64_t last_ = 0, end_ = 0;
};

class ListReader final : public TextReader {
 public:
  ListReader(std::unique_ptr<Pages> pages, Operations::Form form) : pages_(std::move(pages)), form_(std::move(form)) {}

  // The first page: the whole list, when that is all there is.
  Awaitable<Result<std::string>> begin() {
    SCHAKEL_CO_TRY(first_, co_await make());
    co_return first_;
  }
  bool ended() const { return pages_->ended(); }

 private:
  Awaitable<Result<std::string>> next() override {
    if (!first_.empty()) co_return std::exchange(first_, {});
    if (ended()) co_return std::string();
    co_return co_await make();
  }

  Awaitable<Result<std::string>> make() {
    SCHAKEL_CO_TRY(const auto items, co_await pages_->next());
    std::string text = std::exchange(begun_, true) ? std::string() : form_.before;
    for (const auto& item : items) {
      if (std::exchange(any_, true)) text += form_.between;
      text += form_.write(item.message_id, item.type);
    }
    if (ended()) text += form_.after;
    co_return text;
  }

  std::unique_ptr<Pages> pages_;
  const Operations::Form form_;
  std::string first_;
  bool begun_ = false, any_ = false;
};

Awaitable<Answer<Operations::Text>> list(std::unique_ptr<Pages> pages, Operations::Form form) {
  auto reader = std::make_unique<ListReader>(std::move(pages), std::move(form));
  auto first = co_await reader->begin();
  if (!first) co_return Refusal(first.error());
  if (reader->ended()) co_return Operations::Text{std::move(*first), nullptr};
  co_return Operations::Text{{}, std::move(reader)};
}

}  // namespace

std::string_view permission_of(const Operation& operation) {
  struct Permissions {
    std::string_view operator()(const Ping&) const { return "message.create"; }
    std::string_view operator()(const SendMessage&) const { return "message.create"; }
    std::string_view operator()(const ResendMessage&) const { return "message.create"; }
    std::string_view operator()(const GetUnprocessedMessageIds&) const { return "message.read"; }
    std::string_view operator()(const GetMessage&) const { return "payload.read"; }
    std::string_view operator()(const ProcessMessage&) const { return "message.update"; }
    std::string_view operator()(const GetMessageStatus&) const { return "message.read"; }
    std::string_view operator()(const GetUnprocessedMessageEvents&) const { return "message.read"; }
    std::string_view operator()(const ProcessMessageEvent&) const { return "message.update"; }
  };
  return std::visit(Permissions(), operation);
}

// --- sending -----------------------------------------------------------------------------------------------------------------------

Awaitable<Answer<>> Operations::ping(const Principal& principal, Ping wanted) const {
  std::string id;
  const auto started = co_await api::in_unit(office_.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(id, office_.dependencies.msh.start_ping(tx, principal.tenant, wanted.cpa_id, wanted.from_party_id, wanted.to_party_id));
    return api::no_content();
  });
  if (!started) co_return started.error();
  const auto result = co_await api::await_signal(office_, id);
  if (!result) co_return Refusal(result.error());
  if (result->answered) co_return Answer<>{};
  if (result->error.empty()) co_return Refusal("call.timeout", "De partner heeft niet op tijd met een Pong geantwoord.");
  co_return Refusal("call.upstream", "De partner is niet bereikt: " + for_log(result->error));
}

api::Taken Operations::begin(const Principal& principal, const RequestProperties& properties) const {
  api::Taken taken;
  const auto contracts = office_.dependencies.contracts();
  taken.request = submit_request(properties, principal.tenant, *contracts);
  return taken;
}

Awaitable<Answer<std::string>> Operations::submit(api::Taken taken) const {
  taken.composed = office_.dependencies.msh.compose(taken.request);
  std::string message_id;
  const auto done = co_await api::in_unit(office_.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto message, api::submit_taken(tx, office_, taken));
    message_id = message.message_id;
    return api::no_content();
  });
  if (done) co_return message_id;
  co_await api::remove_blobs(office_, taken);
  co_return done.error();
}

Awaitable<Answer<std::string>> Operations::resend(const Principal& principal, std::string message_id) const {
  std::string copy;
  const auto done = co_await api::in_unit(office_.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto sent, find_sent(tx, principal.tenant, message_id));
    if (!sent) return unknown_message();
    SCHAKEL_TRY(const auto message, office_.dependencies.msh.send_again(tx, principal.tenant, sent->id, actor_of(principal)));
    copy = message.message_id;
    return api::no_content();
  });
  if (!done) co_return done.error();
  co_return copy;
}

// --- lists ---------------------------------------------------------------------------------------------------------------------------

Awaitable<Answer<Operations::Text>> Operations::unprocessed_ids(const Principal& principal, GetUnprocessedMessageIds wanted,
                                                                Form form) const {
  auto pages = std::make_unique<MessagePages>(office_.dependencies.database, principal.tenant, std::move(wanted), page_items_);
  co_return co_await list(std::move(pages), std::move(form));
}

Awaitable<Answer<Operations::Text>> Operations::unprocessed_events(const Principal& principal, GetUnprocessedMessageEvents wanted,
                                                                   Form form) const {
  auto pages = std::make_unique<EventPages>(office_.dependencies.database, principal.tenant, std::move(wanted), page_items_);
  co_return co_await list(std::move(pages), std::move(form));
}

// --- one message ---------------------------------------------------------------------------------------------------------------------

Awaitable<Answer<ShownMessage>> Operations::get(const Principal& principal, std::string message_id) const {
  ShownMessage shown;
  const auto looked = co_await api::in_unit(office_.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto found, find_received(tx, principal.tenant, message_id));
    if (!found) {
      SCHAKEL_TRY(found, find_sent(tx, principal.tenant, message_id));
    }
    if (!found) return unknown_message();
    SCHAKEL_TRY(auto payloads, exchange::payloads_of(tx, found->id));
    std::erase_if(payloads, [](const exchange::Payload& payload) { return payload.purged; });
    if (!payloads.empty())
      SCHAKEL_CHECK(api::add_trail(tx, office_.settings.node, *found, "payloadViewed", actor_of(principal), office_.now()));
    shown = {std::move(*found), std::move(payloads)};
    return api::no_content();
  });
  if (!looked) co_return looked.error();
  co_return shown;
}

namespace {

// A message that still waits becomes PROCESSED; whatever else it is, it stays that.
Result<> process_waiting(sql::Transaction& tx, const api::Office& office, std::optional<Message> message, const std::string& actor) {
  if (!message || message->direction != Direction::inbound || !waits(*message)) return {};
  return api::confirm(tx, office.settings.node, *message, {api::Verdict::processed, {}, {}, actor}, office.now());
}

}  // namespace

Awaitable<Answer<>> Operations::process(const Principal& principal, std::string message_id) const {
  const auto done = co_await exchange::commit(office_.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(auto message, find_received(tx, principal.tenant, message_id));
    return process_waiting(tx, office_, std::move(message), actor_of(principal));
  });
  if (!done) co_return Refusal(done.error());
  co_return Answer<>{};
}

void Operations::give(Response& response, std::vector<Piece> pieces, const Principal& principal, const ShownMessage& shown,
                      bool process) const {
  std::function<Awaitable<Result<>>()> before_last;
  if (process && shown.message.direction == Direction::inbound && waits(shown.message))
    before_last = [this, tenant = principal.tenant, id = shown.message.id, actor = actor_of(principal)] {
      return process_shown(tenant, id, actor);
    };
  response.stream_bytes = bytes_of(pieces);
  response.stream = read_pieces(office_.dependencies.database, std::move(pieces), std::move(before_last));
}

Awaitable<Result<>> Operations::process_shown(std::string tenant, std::string id, std::string actor) const {
  co_return co_await exchange::commit(office_.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(auto message, exchange::find_message(tx, tenant, id));
    return process_waiting(tx, office_, std::move(message), actor);
  });
}

Awaitable<Answer<>> Operations::process_event(const Principal& principal, std::string message_id) const {
  const auto done = co_await exchange::commit(office_.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(auto received, find_received(tx, principal.tenant, message_id));
    SCHAKEL_TRY(auto sent, find_sent(tx, principal.tenant, message_id));
    for (const auto* message : {&received, &sent}) {
      if (!*message) continue;
      SCHAKEL_TRY(const auto events, exchange::events_of(tx, principal.tenant, (*message)->id));
      for (const auto& event : events) SCHAKEL_CHECK(exchange::mark_event_processed(tx, principal.tenant, event.id));
    }
    return process_waiting(tx, office_, std::move(received), actor_of(principal));
  });
  if (!done) co_return Refusal(done.error());
  co_return Answer<>{};
}

Awaitable<Answer<Operations::RemoteStatus>> Operations::remote_status(const Principal& principal, std::string message_id) const {
  std::string id;
  const auto started = co_await api::in_unit(office_.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto sent, find_sent(tx, principal.tenant, message_id));
    if (!sent) return unknown_message();
    SCHAKEL_TRY(id, office_.dependencies.msh.start_status_request(tx, principal.tenant, sent->id));
    return api::no_content();
  });
  if (!started) co_return started.error();
  const auto result = co_await api::await_signal(office_, id);
  if (!result) co_return Refusal(result.error());
  const auto status = facade::remote_status(result->status);
  if (result->answered && !status.empty()) co_return RemoteStatus{result->timestamp, status};
  if (!result->answered && result->error.empty())
    co_return Refusal("call.timeout", "De partner heeft de statusvraag niet op tijd beantwoord.");
  co_return Refusal("call.upstream", "De partner gaf geen status: " + for_log(result->error));
}

}  // namespace schakel::facade
