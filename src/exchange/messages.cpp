
#include "base/json_library.hpp"
#include "exchange/blob.hpp"
#include "exchange/store.hpp"

namespace schakel::exchange {
namespace {

using sql::Blob;
using sql::Param;
using sql::Row;
using sql::Rows;
using sql::Transaction;

#define SCHAKEL_MESSAGE_COLUMNS                                                                                                           \
  "id, tenant, direction, protocol, pattern, profile, state, state_reason, contract_id, cpa_id, from_oin, from_party_id, "                \
  "from_party_id_type, from_role, "                                                                                                       \
  "to_oin, to_party_id, to_party_id_type, to_role, service, service_type, action, conversation_id, message_id, ref_to_message_id, "       \
  "message_timestamp, "                                                                                                                   \
  "expires_at, persist_until, attempts, retries_max, retry_interval, next_attempt_at, error_code, error_detail, error_source, error_at, " \
  "created_at, "                                                                                                                          \
  "accepted_at, sent_at, delivered_at, received_at, offered_at, processed_at, final_at, late_acknowledged_at, not_before, confirmed, "    \
  "got_2xx, "                                                                                                                             \
  "possible_duplicate, duplicate_count, delivery_attempt, traceparent, copy_of, labels, header_hash, wire_content_type"

constexpr std::string_view insert_sql = "INSERT INTO messages (" SCHAKEL_MESSAGE_COLUMNS
                                        ", payloads_kept) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
                                        "$17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, "
                                        "$30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, "
                                        "$49, $50, $51, $52, $53, $54, $55, $56)";

// What happens to a message. What it is (parties, service, ids, contract) is written once: those columns are indexed. So is its end, which
// comes once and stays: while a message is open the column is left out, because SQLite writes each index anew that a changed column may be
// in.
#define SCHAKEL_MESSAGE_UPDATE                                                                                                      \
  "UPDATE messages SET state = $3, state_reason = $4, message_timestamp = $5, expires_at = $6, attempts = $7, retries_max = $8, "   \
  "retry_interval = $9, next_attempt_at = $10, error_code = $11, error_detail = $12, error_source = $13, error_at = $14, "          \
  "accepted_at = $15, sent_at = $16, delivered_at = $17, received_at = $18, offered_at = $19, processed_at = $20, "                 \
  "late_acknowledged_at = $21, not_before = $22, confirmed = $23, got_2xx = $24, possible_duplicate = $25, duplicate_count = $26, " \
  "delivery_attempt = $27, traceparent = $28, copy_of = $29, labels = $30, header_hash = $31, wire_content_type = $32, profile = $33"
#define SCHAKEL_MESSAGE_UPDATE_WHERE " WHERE id = $1 AND tenant = $2"
constexpr std::string_view update_open_sql = SCHAKEL_MESSAGE_UPDATE SCHAKEL_MESSAGE_UPDATE_WHERE;
constexpr std::string_view update_final_sql = SCHAKEL_MESSAGE_UPDATE ", final_at = $34" SCHAKEL_MESSAGE_UPDATE_WHERE;

std::string to_json(const std::map<std::string, std::string>& labels) {
  return labels.empty() ? std::string() : nlohmann::json(labels).dump();
}

std::map<std::string, std::string> labels_from(const std::string& text) {
  if (text.empty()) return {};
  const auto json = nlohmann::json::parse(text, nullptr, false);
  return json.is_object() ? json.get<std::map<std::string, std::string>>() : std::map<std::string, std::string>();
}

std::optional<std::int64_t> microseconds(const std::optional<Duration>& duration) {
  if (!duration) return std::nullopt;
  return duration->count();
}

// Takes the columns of SCHAKEL_MESSAGE_COLUMNS one after the other.
class Columns {
 public:
  explicit Columns(Row& row) : row_(row) {}
  std::string text() { return row_.take(next_++); }
  std::int64_t integer() { return row_.integer(next_++); }
  bool boolean() { return row_.boolean(next_++); }
  Instant instant() { return row_.instant(next_++); }
  std::optional<Instant> optional_instant() { return row_.optional_instant(next_++); }
  std::optional<Duration> optional_duration() {
    const auto value = row_.optional_integer(next_++);
    return value ? std::optional(Duration(*value)) : std::nullopt;
  }
  bool next_is_null() const { return row_.is_null(next_); }
  void skip(std::size_t count) { next_ += count; }

 private:
  Row& row_;
  std::size_t next_ = 0;
};

Party party_from(Columns& columns) {
  Party party;
  party.oin = columns.text();
  party.party_id = columns.text();
  party.party_id_type = columns.text();
  party.role = columns.text();
  return party;
}

std::optional<LastError> last_error_from(Columns& columns) {
  if (columns.next_is_null()) {
    columns.skip(4);
    return std::nullopt;
  }
  LastError error;
  error.code = columns.text();
  error.detail = columns.text();
  error.source = columns.text();
  error.at = columns.instant();
  return error;
}

Message message_from(Row& row) {
  Columns columns(row);
  Message m;
  m.id = columns.text();
  m.tenant = columns.text();
  m.direction = direction_from(columns.text());
  m.protocol = columns.text();
  m.pattern = columns.text();
  m.profile = columns.text();
  m.state = state_from(columns.text()).value_or(State::accepted);
  m.state_reason = columns.text();
  m.contract_id = columns.text();
  m.cpa_id = columns.text();
  m.from = party_from(columns);
  m.to = party_from(columns);
  m.service = columns.text();
  m.service_type = columns.text();
  m.action = columns.text();
  m.conversation_id = columns.text();
  m.message_id = columns.text();
  m.ref_to_message_id = columns.text();
  m.timestamp = columns.optional_instant();
  m.expires_at = columns.optional_instant();
  m.persist_until = columns.optional_instant();
  m.attempts = columns.integer();
  m.retries_max = columns.integer();
  m.retry_interval = columns.optional_duration();
  m.next_attempt_at = columns.optional_instant();
  m.last_error = last_error_from(columns);
  m.created_at = columns.instant();
  m.accepted_at = columns.optional_instant();
  m.sent_at = columns.optional_instant();
  m.delivered_at = columns.optional_instant();
  m.received_at = columns.optional_instant();
  m.offered_at = columns.optional_instant();
  m.processed_at = columns.optional_instant();
  m.final_at = columns.optional_instant();
  m.late_acknowledged_at = columns.optional_instant();
  m.not_before = columns.optional_instant();
  m.confirmed = columns.boolean();
  m.got_2xx = columns.boolean();
  m.possible_duplicate = columns.boolean();
  m.duplicate_count = columns.integer();
  m.delivery_attempt = columns.integer();
  m.traceparent = columns.text();
  m.copy_of = columns.text();
  m.labels = labels_from(columns.text());
  m.header_hash = columns.text();
  m.wire_content_type = columns.text();
  return m;
}

std::vector<Message> messages_from(Rows& rows) {
  std::vector<Message> messages;
  messages.reserve(rows.size());
  for (Row& row : rows) messages.push_back(message_from(row));
  return messages;
}

}  // namespace

Result<> insert_payload(Transaction& tx, const Message& m, const Payload& p) {
  return tx.post(
      "INSERT INTO payloads (message, position, tenant, content_id, content_type, file_name, size, sha256, blob, purged, wire_blob, "
      "wire_size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
      {m.id, p.index, m.tenant, p.content_id, p.content_type, p.file_name, p.size, p.sha256, p.blob, p.purged, p.wire_blob, p.wire_size});
}

Result<> insert_message(Transaction& tx, const Message& m, std::span<const Payload> payloads) {
  const auto& e = m.last_error;
  const std::string labels = to_json(m.labels);
  // Waited for, unlike the rest: an outbound MessageId that exists already is for the caller to report.
  SCHAKEL_CHECK(tx.execute(insert_sql, {m.id,
                                        m.tenant,
                                        to_string(m.direction),
                                        m.protocol,
                                        m.pattern,
                                        m.profile,
                                        to_string(m.state),
                                        m.state_reason,
                                        m.contract_id,
                                        m.cpa_id,
                                        m.from.oin,
                                        m.from.party_id,
                                        m.from.party_id_type,
                                        m.from.role,
                                        m.to.oin,
                                        m.to.party_id,
                                        m.to.party_id_type,
                                        m.to.role,
                                        m.service,
                                        m.service_type,
                                        m.action,
                                        m.conversation_id,
                                        m.message_id,
                                        m.ref_to_message_id,
                                        m.timestamp,
                                        m.expires_at,
                                        m.persist_until,
                                        m.attempts,
                                        m.retries_max,
                                        microseconds(m.retry_interval),
                                        m.next_attempt_at,
                                        e ? Param(e->code) : nullptr,
                                        e ? Param(e->detail) : nullptr,
                                        e ? Param(e->source) : nullptr,
                                        e ? Param(e->at) : nullptr,
                                        m.created_at,
                                        m.accepted_at,
                                        m.sent_at,
                                        m.delivered_at,
                                        m.received_at,
                                        m.offered_at,
                                        m.processed_at,
                                        m.final_at,
                                        m.late_acknowledged_at,
                                        m.not_before,
                                        m.confirmed,
                                        m.got_2xx,
                                        m.possible_duplicate,
                                        m.duplicate_count,
                                        m.delivery_attempt,
                                        m.traceparent,
                                        m.copy_of,
                                        labels,
                                        Blob{m.header_hash},
                                        m.wire_content_type,
                                        !payloads.empty()}));
  if (!m.root.empty())
    SCHAKEL_CHECK(tx.post("INSERT INTO message_roots (message, tenant, root) VALUES ($1, $2, $3)", {m.id, m.tenant, Blob{m.root}}));
  for (const Payload& payload : payloads) SCHAKEL_CHECK(insert_payload(tx, m, payload));
  return {};
}

Result<> update_message(Transaction& tx, const Message& m) {
  const auto& e = m.last_error;
  const std::string labels = to_json(m.labels);
  const Param params[] = {m.id,
                          m.tenant,
                          to_string(m.state),
                          m.state_reason,
                          m.timestamp,
                          m.expires_at,
                          m.attempts,
                          m.retries_max,
                          microseconds(m.retry_interval),
                          m.next_attempt_at,
                          e ? Param(e->code) : nullptr,
                          e ? Param(e->detail) : nullptr,
                          e ? Param(e->source) : nullptr,
                          e ? Param(e->at) : nullptr,
                          m.accepted_at,
                          m.sent_at,
                          m.delivered_at,
                          m.received_at,
                          m.offered_at,
                          m.processed_at,
                          m.late_acknowledged_at,
                          m.not_before,
                          m.confirmed,
                          m.got_2xx,
                          m.possible_duplicate,
                          m.duplicate_count,
                          m.delivery_attempt,
                          m.traceparent,
                          m.copy_of,
                          labels,
                          Blob{m.header_hash},
                          m.wire_content_type,
                          m.profile,
                          m.final_at};
  const std::span<const Param> all(params);
  SCHAKEL_TRY(const std::int64_t changed,
              m.final_at ? tx.execute(update_final_sql, all) : tx.execute(update_open_sql, all.first(all.size() - 1)));
  if (changed != 1) return fail("storage.failed", "the message to change is not there", m.id);
  return {};
}

// A unit that will change what it reads locks it: on PostgreSQL two nodes may hold the same message at once (an acknowledgement and an
// attempt that ends).
#define SCHAKEL_LOCKING " FOR NO KEY UPDATE"

Result<std::optional<Message>> find_message(Transaction& tx, std::string_view tenant, std::string_view id, WithRoot with_root) {
  static constexpr std::string_view plain = "SELECT " SCHAKEL_MESSAGE_COLUMNS " FROM messages WHERE id = $1 AND tenant = $2";
  static constexpr std::string_view locking =
      "SELECT " SCHAKEL_MESSAGE_COLUMNS " FROM messages WHERE id = $1 AND tenant = $2" SCHAKEL_LOCKING;
  SCHAKEL_TRY(Rows rows, tx.query(tx.for_update() ? locking : plain, {id, tenant}));
  if (rows.empty()) return std::optional<Message>();
  Message message = message_from(rows[0]);
  if (with_root == WithRoot::yes) {
    SCHAKEL_TRY(Rows roots, tx.query("SELECT root FROM message_roots WHERE message = $1", {id}));
    if (!roots.empty()) message.root = roots[0].take(0);
  }
  return std::optional(std::move(message));
}

Result<std::optional<Message>> find_outbound(Transaction& tx, std::string_view message_id) {
  static constexpr std::string_view plain =
      "SELECT " SCHAKEL_MESSAGE_COLUMNS " FROM messages WHERE message_id = $1 AND direction = 'outbound'";
  static constexpr std::string_view locking =
      "SELECT " SCHAKEL_MESSAGE_COLUMNS " FROM messages WHERE message_id = $1 AND direction = 'outbound'" SCHAKEL_LOCKING;
  SCHAKEL_TRY(Rows rows, tx.query(tx.for_update() ? locking : plain, {message_id}));
  if (rows.empty()) return std::optional<Message>();
  return std::optional(message_from(rows[0]));
}

Result<std::vector<Message>> find_inbound(Transaction& tx, std::string_view tenant, std::string_view message_id) {
  static constexpr std::string_view plain =
      "SELECT " SCHAKEL_MESSAGE_COLUMNS " FROM messages WHERE message_id = $1 AND direction = 'inbound' AND tenant = $2 ORDER BY id";
  static constexpr std::string_view locking =
      "SELECT " SCHAKEL_MESSAGE_COLUMNS
      " FROM messages WHERE message_id = $1 AND direction = 'inbound' AND tenant = $2 ORDER BY id" SCHAKEL_LOCKING;
  SCHAKEL_TRY(Rows rows, tx.query(tx.for_update() ? locking : plain, {message_id, tenant}));
  return messages_from(rows);
}

Result<std::vector<Payload>> payloads_of(Transaction& tx, std::string_view message) {
  SCHAKEL_TRY(
      Rows rows,
      tx.query(
          "SELECT message, position, content_id, content_type, file_name, size, sha256, blob, purged, wire_blob, wire_size FROM payloads "
          "WHERE message = $1 ORDER BY position",
          {message}));
  std::vector<Payload> payloads;
  payloads.reserve(rows.size());
  for (Row& row : rows)
    payloads.push_back({row.take(0), row.integer(1), row.take(2), row.take(3), row.take(4), row.integer(5), row.take(6), row.take(7),
                        row.boolean(8), row.take(9), row.integer(10)});
  return payloads;
}

Result<> purge_payloads(Transaction& tx, std::string_view message) {
  SCHAKEL_TRY(const std::vector<Payload> payloads, payloads_of(tx, message));
  SCHAKEL_CHECK(tx.execute("UPDATE payloads SET blob = '', wire_blob = '', purged = 1 WHERE message = $1", {message}));
  SCHAKEL_CHECK(tx.execute("UPDATE messages SET payloads_kept = 0 WHERE id = $1", {message}));
  for (const Payload& payload : payloads) {
    if (!payload.wire_blob.empty()) SCHAKEL_CHECK(delete_blob(tx, payload.wire_blob));  // made for one message
    if (payload.blob.empty()) continue;
    // A message that was sent again shares its payloads with its copy.
    SCHAKEL_TRY(const Rows others, tx.query("SELECT 1 FROM payloads WHERE blob = $1 AND blob <> '' LIMIT 1", {payload.blob}));
    if (others.empty()) SCHAKEL_CHECK(delete_blob(tx, payload.blob));
  }
  return {};
}

Result<std::int64_t> count_open_messages(Transaction& tx, std::string_view tenant, std::string_view contract_id, Instant now) {
  SCHAKEL_TRY(
      const Rows rows,
      tx.query("SELECT (SELECT count(*) FROM messages WHERE tenant = $1 AND contract_id = $2 AND final_at IS NULL) + "
               "(SELECT count(*) FROM messages WHERE tenant = $1 AND contract_id = $2 AND persist_until > $3 AND final_at IS NOT NULL)",
               {tenant, contract_id, now}));
  return rows[0].integer(0);
}

namespace {

// The WHERE of a search: a text of few forms and its parameters.
class Conditions {
 public:
  explicit Conditions(std::string_view tenant) : text_("tenant = $1"), params_{tenant} {}

  void equals(std::string_view column, std::string_view value) {
    if (!value.empty()) compare(column, " = ", value);
  }
  // A column with its type in a column beside it.
  void equals_typed(std::string_view type, std::string_view column, std::string_view value) {
    if (value.empty()) return;
    text_.append(" AND (CASE WHEN ").append(type).append(" = '' THEN ").append(column).append(" ELSE ");
    text_.append(type).append(" || ':' || ").append(column).append(" END) = ").append(next(value));
  }
  void compare(std::string_view column, std::string_view comparison, Param value) {
    text_.append(" AND ").append(column).append(comparison).append(next(value));
  }
  void among(std::string_view column, std::span<const State> states) {
    if (states.empty()) return;
    text_.append(" AND ").append(column).append(" IN (");
    for (std::size_t i = 0; i < states.size(); ++i) text_.append(i ? ", " : "").append(next(to_string(states[i])));
    text_ += ')';
  }
  // Each direction has an index of its own on message_id.
  void message_id(std::string_view value) {
    const std::string number = next(value);
    text_ += " AND id IN (SELECT id FROM messages WHERE direction = 'outbound' AND message_id = " + number +
             " UNION ALL SELECT id FROM messages WHERE direction = 'inbound' AND message_id = " + number + ")";
  }
  // What the query needs to say to be served by a partial index.
  void literally(std::string_view condition) { text_.append(" AND ").append(condition); }
  std::string next(Param value) {
    params_.push_back(value);
    return "$" + std::to_string(params_.size());
  }
  const std::string& text() const { return text_; }
  std::span<const Param> params() const { return params_; }

 private:
  std::string text_;
  std::vector<Param> params_;
};

// A label as the column of labels holds it: quotation marks inside names and values are escaped there, so this is found nowhere else.
std::string label_member(const std::pair<std::string, std::string>& label) {
  return nlohmann::json(label.first).dump() + ":" + nlohmann::json(label.second).dump();
}

Conditions conditions_of(const Transaction& tx, std::string_view tenant, const MessageFilter& f, const std::string& label) {
  Conditions where(tenant);
  if (f.direction) where.equals("direction", to_string(*f.direction));
  where.among("state", f.states);
  where.equals("protocol", f.protocol);
  where.equals("contract_id", f.contract_id);
  where.equals("cpa_id", f.cpa_id);
  where.equals("from_oin", f.from_oin);
  where.equals("to_oin", f.to_oin);
  where.equals_typed("from_party_id_type", "from_party_id", f.from_party_id);
  where.equals("from_role", f.from_role);
  where.equals_typed("to_party_id_type", "to_party_id", f.to_party_id);
  where.equals("to_role", f.to_role);
  where.equals("service", f.service);
  where.equals_typed("service_type", "service", f.typed_service);
  where.equals("action", f.action);
  if (!f.message_id.empty()) where.message_id(f.message_id);
  where.equals("conversation_id", f.conversation_id);
  where.equals("ref_to_message_id", f.ref_to_message_id);
  if (!f.ref_to_message_id.empty()) where.literally("ref_to_message_id <> ''");
  where.equals("error_code", f.error_code);
  where.equals("substr(traceparent, 4, 32)", f.trace_id);
  if (f.label) where.literally((tx.is_postgres() ? "strpos(labels, " : "instr(labels, ") + where.next(label) + ") > 0");
  if (f.received_from) where.compare("created_at", " >= ", *f.received_from);
  if (f.received_until) where.compare("created_at", " < ", *f.received_until);
  return where;
}

}  // namespace

Result<MessagePage> search_messages(Transaction& tx, std::string_view tenant, const MessageFilter& filter) {
  MessagePage page;
  const std::string label = filter.label ? label_member(*filter.label) : std::string();
  Conditions where = conditions_of(tx, tenant, filter, label);
  SCHAKEL_TRY(const Rows total, tx.query("SELECT count(*) FROM messages WHERE " + where.text(), where.params()));
  page.total = total[0].integer(0);
  std::string text = "SELECT " SCHAKEL_MESSAGE_COLUMNS " FROM messages WHERE " + where.text();
  text += filter.oldest_first ? " ORDER BY created_at, id" : " ORDER BY created_at DESC, id DESC";
  text += " LIMIT " + where.next(filter.limit);
  text += " OFFSET " + where.next(filter.offset);
  SCHAKEL_TRY(Rows rows, tx.query(text, where.params()));
  page.messages = messages_from(rows);
  return page;
}

Result<std::vector<std::string>> search_message_ids(Transaction& tx, std::string_view tenant, const MessageFilter& filter) {
  const std::string label = filter.label ? label_member(*filter.label) : std::string();
  Conditions where = conditions_of(tx, tenant, filter, label);
  std::string text = "SELECT id FROM messages WHERE " + where.text();
  text += filter.oldest_first ? " ORDER BY created_at, id" : " ORDER BY created_at DESC, id DESC";
  text += " LIMIT " + where.next(filter.limit);
  text += " OFFSET " + where.next(filter.offset);
  SCHAKEL_TRY(Rows rows, tx.query(text, where.params()));
  std::vector<std::string> ids;
  for (auto& row : rows) ids.push_back(row.take(0));
  return ids;
}

Result<std::vector<WaitingMessage>> waiting_messages(Transaction& tx, std::string_view tenant, const MessageFilter& filter,
                                                     const std::optional<WaitingMessage>& after, std::int64_t limit) {
  static constexpr State undecided[] = {State::received, State::offered, State::dead};
  const std::string label = filter.label ? label_member(*filter.label) : std::string();
  Conditions where = conditions_of(tx, tenant, filter, label);
  where.among("state", undecided);
  // messages_open holds few rows of the table; the sum in ORDER BY keeps SQLite from walking all of messages_recent instead.
  where.literally("final_at IS NULL AND contract_id >= ''");
  if (after) {
    const std::string at = where.next(after->created_at);
    where.literally("(created_at > " + at + " OR (created_at = " + at + " AND id > " + where.next(after->id) + "))");
  }
  const std::string text = "SELECT id, message_id, created_at FROM messages WHERE " + where.text() + " ORDER BY created_at + 0, id LIMIT ";
  const std::string count = where.next(limit);
  SCHAKEL_TRY(Rows rows, tx.query(text + count, where.params()));
  std::vector<WaitingMessage> messages;
  messages.reserve(rows.size());
  for (auto& row : rows) messages.push_back({row.take(0), row.take(1), row.instant(2)});
  return messages;
}

Result<std::vector<WaitingEvent>> waiting_events(Transaction& tx, std::string_view tenant, const MessageFilter& filter,
                                                 std::span<const std::string_view> types, std::int64_t after_position, std::int64_t limit) {
  const std::string label = filter.label ? label_member(*filter.label) : std::string();
  Conditions where = conditions_of(tx, tenant, filter, label);  // names are those of the inner table
  std::string text =
      "SELECT e.position, (SELECT message_id FROM messages WHERE id = e.message), e.type FROM events e WHERE e.tenant = $1 AND e.processed "
      "= "
      "0 AND EXISTS (SELECT 1 FROM messages WHERE id = e.message AND " +
      where.text() + ") AND e.position > " + where.next(after_position) + " AND e.type IN (";
  for (std::size_t i = 0; i < types.size(); ++i) text += (i ? ", " : "") + where.next(types[i]);
  text += ") ORDER BY e.position LIMIT " + where.next(limit);
  SCHAKEL_TRY(Rows rows, tx.query(text, where.params()));
  std::vector<WaitingEvent> events;
  events.reserve(rows.size());
  for (auto& row : rows) events.push_back({row.integer(0), row.take(1), row.take(2)});
  return events;
}

Result<std::vector<std::pair<State, std::int64_t>>> count_by_state(Transaction& tx, std::string_view tenant, const MessageFilter& filter) {
  const std::string label = filter.label ? label_member(*filter.label) : std::string();
  const Conditions where = conditions_of(tx, tenant, filter, label);
  SCHAKEL_TRY(const Rows rows,
              tx.query("SELECT state, count(*) FROM messages WHERE " + where.text() + " GROUP BY state ORDER BY state", where.params()));
  std::vector<std::pair<State, std::int64_t>> counts;
  for (const auto& row : rows) {
    if (const auto state = state_from(row.text(0))) counts.emplace_back(*state, row.integer(1));
  }
  return counts;
}

Result<std::vector<StateCount>> count_open_states(Transaction& tx) {
  SCHAKEL_TRY(Rows rows,
              tx.query("SELECT tenant, direction, state, count(*) FROM messages WHERE final_at IS NULL GROUP BY tenant, direction, state"));
  std::vector<StateCount> counts;
  for (Row& row : rows) {
    const auto state = state_from(row.text(2));
    if (!state) return fail("storage.failed", "a message has an unknown state");
    counts.push_back({row.take(0), direction_from(row.text(1)), *state, row.integer(3)});
  }
  return counts;
}

}  // namespace schakel::exchange
