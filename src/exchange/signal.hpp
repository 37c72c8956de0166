// Protocol signals: what two message handlers tell each other about messages (ebMS2: acknowledgements, errors, ping, message status). They
// are no Messages: no application sees them, nothing waits for them; but they are kept, because a repetition must be answered with the same
// octets (EB-108) and they are evidence (EB-111).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "exchange/message.hpp"
#include "sql/database.hpp"

namespace schakel::exchange {

struct Signal {
  std::string id;  // ours, uuid v7
  std::string tenant;
  Direction direction = Direction::outbound;
  std::string contract_id, cpa_id;
  std::string party;   // the partner, as in DuplicateKey::from_party
  std::string action;  // "Acknowledgment", "MessageError", "Ping", "Pong", "StatusRequest", "StatusResponse"
  std::string message_id, ref_to_message_id;
  std::string message;  // id of the Message that it is about; empty: none
  Bytes root;           // exact octets
  Instant at;
  std::optional<Instant> send_until;  // posting is not tried after this
  Instant keep_until;
  // What came back on a request (Ping, StatusRequest).
  std::optional<Instant> answered_at;
  std::string answer;                       // status; empty for a Pong
  std::optional<Instant> answer_timestamp;  // of a StatusResponse
  std::string error;                        // why it failed
};

// "storage.conflict" when (direction, tenant, cpa_id, party, message_id) is there.
Result<> insert_signal(sql::Transaction&, const Signal&);
Result<std::optional<Signal>> find_signal(sql::Transaction&, std::string_view tenant, std::string_view id);
Result<std::optional<Signal>> find_outbound_signal(sql::Transaction&, std::string_view message_id);
// One that was kept as evidence only (`error` says why it did not count) is none: it makes room for what comes under its id again.
Result<bool> has_inbound_signal(sql::Transaction&, std::string_view tenant, std::string_view cpa_id, std::string_view party,
                                std::string_view message_id);
// The acknowledgement or error that we made for a Message.
Result<std::optional<Signal>> find_response_to(sql::Transaction&, std::string_view tenant, std::string_view message);
// Acknowledgements and errors about a Message that was sent or received, oldest first: the evidence of it (EB-111, ADP-505).
Result<std::vector<Signal>> signals_about(sql::Transaction&, std::string_view tenant, std::string_view message);
// Writes answered_at, answer, answer_timestamp, error.
Result<> set_signal_answer(sql::Transaction&, const Signal&);
Result<std::int64_t> purge_signals(sql::Transaction&, Instant now, std::int64_t limit);

// ConversationConstraints (cpa.md 3.3): conversations of a contract, without `conversation_id`, and whether that one is known.
struct Conversations {
  bool known = false;
  std::int64_t others = 0;       // distinct, ever
  std::int64_t others_open = 0;  // with a message that is not final
};
Result<Conversations> count_conversations(sql::Transaction&, std::string_view tenant, std::string_view contract_id,
                                          std::string_view conversation_id);

}  // namespace schakel::exchange
