#include "api/message_filter.hpp"

#include <algorithm>

namespace schakel::api {
namespace {

// Query and Members, as far as a filter needs them.
class Source {
 public:
  explicit Source(Query& query) : query_(&query) {}
  explicit Source(Members& members) : members_(&members) {}

  std::string text(std::string_view name) {
    return query_ != nullptr ? query_->text(name) : members_->text(name, Need::optional, 255, 1).value_or("");
  }
  std::string choice(std::string_view name, std::initializer_list<std::string_view> values) {
    return query_ != nullptr ? query_->choice(name, values) : members_->choice(name, values).value_or("");
  }
  std::optional<Instant> instant(std::string_view name) { return query_ != nullptr ? query_->instant(name) : members_->instant(name); }
  void fault(std::string_view name, std::string code, std::string detail) {
    if (query_ != nullptr) {
      query_->fault(name, std::move(code), std::move(detail));
    } else {
      members_->fault(name, std::move(code), std::move(detail));
    }
  }

 private:
  Query* query_ = nullptr;
  Members* members_ = nullptr;
};

std::vector<exchange::State> read_states(Source& source) {
  std::vector<exchange::State> states;
  const std::string text = source.text("state");
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto state = exchange::state_from(rest.substr(0, comma));
    if (state) {
      states.push_back(*state);
    } else {
      source.fault("state", "enum", "geen toestand van een bericht");
    }
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return states;
}

std::string read_trace_id(Source& source) {
  constexpr std::size_t digits = 32;
  const std::string text = source.text("traceId");
  const bool fits = text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (text.empty() || fits) return text;
  source.fault("traceId", "format", "moet uit 32 hexadecimale cijfers bestaan");
  return {};
}

std::optional<std::pair<std::string, std::string>> read_label(Source& source) {
  const std::string text = source.text("label");
  if (text.empty()) return std::nullopt;
  const auto colon = text.find(':');
  if (colon == 0 || colon == std::string::npos) {
    source.fault("label", "format", "moet naam:waarde zijn");
    return std::nullopt;
  }
  return std::pair(text.substr(0, colon), text.substr(colon + 1));
}

exchange::MessageFilter read(Source source) {
  exchange::MessageFilter filter;
  const std::string direction = source.choice("direction", {"inbound", "outbound"});
  if (!direction.empty()) filter.direction = exchange::direction_from(direction);
  filter.states = read_states(source);
  filter.protocol = source.choice("protocol", {"ebms", "wus", "rest", "gb", "event", "report"});
  filter.contract_id = source.text("contractId");
  filter.cpa_id = source.text("cpaId");
  filter.from_oin = source.text("fromOin");
  filter.to_oin = source.text("toOin");
  filter.service = source.text("service");
  filter.action = source.text("action");
  filter.message_id = source.text("messageId");
  filter.conversation_id = source.text("conversationId");
  filter.ref_to_message_id = source.text("refToMessageId");
  filter.trace_id = read_trace_id(source);
  filter.label = read_label(source);
  filter.received_from = source.instant("receivedFrom");
  filter.received_until = source.instant("receivedUntil");
  filter.error_code = source.text("errorCode");
  return filter;
}

}  // namespace

exchange::MessageFilter read_message_filter(Query& query) {
  return read(Source(query));
}

exchange::MessageFilter read_message_filter(Members& members) {
  return read(Source(members));
}

}  // namespace schakel::api
