// message list|show|trace|send|fetch|ack|resend|cancel|retry|replay|purge (adapter.md 2.1.3, 2.1.4, 3.3).
#include <algorithm>
#include <array>
#include <filesystem>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/random.hpp"
#include "cli/nouns.hpp"
#include "cli/payload.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t list_items_max = 10'000;

// --- finding -------------------------------------------------------------------------------------------------------------------

// Own ids of the messages that `text` names: an own id, else a protocol's message id, else a conversation (ADP-501).
Outcome<std::vector<std::string>> find_messages(Api& api, const std::string& text) {
  if (is_uuid(text)) return std::vector<std::string>{text};
  for (const std::string_view key : {"messageId", "conversationId"}) {
    SCHAKEL_TRY(auto found, get_list(api, Query().add(key, text).on("/messages"), list_items_max));
    std::vector<std::string> ids;
    for (const auto& message : found) ids.push_back(text_at(message, "id"));
    if (!ids.empty()) return ids;
  }
  return Failure(Exit::not_found, "notFound", "no message has this id, message id or conversation id");
}

Outcome<std::string> find_message(Api& api, const std::string& text) {
  SCHAKEL_TRY(auto ids, find_messages(api, text));
  if (ids.size() == 1) return ids.front();
  Failure several(Exit::failure, "message.ambiguous", "several messages have this id", "give the own id of one of them");
  several.particulars = ids;
  return several;
}

std::string path_of(const std::string& id) {
  return "/messages/" + percent_encoded(id);
}

// --- list, show, trace -------------------------------------------------------------------------------------------------------------

constexpr std::array list_columns = {Column{"ID", "id"},
                                     Column{"DIR", "direction"},
                                     Column{"STATE", "state"},
                                     Column{"FROM", "fromOin"},
                                     Column{"TO", "toOin"},
                                     Column{"SERVICE", "service"},
                                     Column{"ACTION", "action"},
                                     Column{"PROFILE", "profile"},
                                     Column{"CREATED", "createdAt"},
                                     Column{"ERROR", "lastError.code"}};

constexpr std::array show_columns = {Column{"id", "id"},
                                     Column{"tenant", "tenant"},
                                     Column{"environment", "environment"},
                                     Column{"direction", "direction"},
                                     Column{"protocol", "protocol"},
                                     Column{"profile", "profile"},
                                     Column{"state", "state"},
                                     Column{"reason", "stateReason"},
                                     Column{"confirmed", "confirmed"},
                                     Column{"contract", "contractId"},
                                     Column{"CPA", "cpaId"},
                                     Column{"from", "fromOin"},
                                     Column{"from role", "fromRole"},
                                     Column{"to", "toOin"},
                                     Column{"to role", "toRole"},
                                     Column{"service", "service"},
                                     Column{"action", "action"},
                                     Column{"conversation", "conversationId"},
                                     Column{"message id", "messageId"},
                                     Column{"reply to", "refToMessageId"},
                                     Column{"copy of", "copyOf"},
                                     Column{"attempts", "attempts"},
                                     Column{"next attempt", "nextAttemptAt"},
                                     Column{"last error", "lastError.code"},
                                     Column{"error detail", "lastError.detail"},
                                     Column{"error at", "lastError.at"},
                                     Column{"created", "createdAt"},
                                     Column{"accepted", "acceptedAt"},
                                     Column{"sent", "sentAt"},
                                     Column{"delivered", "deliveredAt"},
                                     Column{"received", "receivedAt"},
                                     Column{"offered", "offeredAt"},
                                     Column{"processed", "processedAt"},
                                     Column{"final", "finalAt"},
                                     Column{"expires", "expiresAt"},
                                     Column{"late acknowledgement", "lateAcknowledgedAt"},
                                     Column{"duplicates", "duplicateCount"},
                                     Column{"delivery attempt", "deliveryAttempt"}};

constexpr std::array payload_columns = {Column{"#", "index", Align::right},    Column{"TYPE", "contentType"}, Column{"FILE", "fileName"},
                                        Column{"BYTES", "size", Align::right}, Column{"SHA-256", "sha256"},   Column{"PURGED", "purged"}};

constexpr std::array trail_columns = {Column{"AT", "at"},
                                      Column{"EVENT", "type"},
                                      Column{"NODE", "node"},
                                      Column{"ACTOR", "actor"},
                                      Column{"PEER", "peer.oin"},
                                      Column{"CODE", "code"},
                                      Column{"BYTES", "bytes", Align::right},
                                      Column{"MS", "durationMs", Align::right},
                                      Column{"DETAIL", "detail"}};

struct ListOptions : Online {
  // Query keys of GET /messages.
  std::vector<std::pair<std::string_view, std::string>> filters{
      {"direction", {}},      {"state", {}},          {"protocol", {}},  {"contractId", {}},   {"cpaId", {}},
      {"fromOin", {}},        {"toOin", {}},          {"service", {}},   {"action", {}},       {"messageId", {}},
      {"conversationId", {}}, {"refToMessageId", {}}, {"errorCode", {}}, {"receivedFrom", {}}, {"receivedUntil", {}}};
  std::size_t limit = 50;
};

void declare_list(CLI::App& command, ListOptions& options) {
  static constexpr std::array names = {"--direction",       "--state",       "--protocol",   "--contract", "--cpa,--cpa-id",
                                       "--from,--from-oin", "--to,--to-oin", "--service",    "--action",   "--message-id",
                                       "--conversation",    "--ref-to",      "--error-code", "--since",    "--until"};
  static constexpr std::array texts = {"inbound or outbound",
                                       "for instance FAILED",
                                       "ebms, …",
                                       "id of the contract",
                                       "CPA id",
                                       "sender's OIN",
                                       "receiver's OIN",
                                       "service",
                                       "action",
                                       "protocol's message id",
                                       "conversation id",
                                       "message id that it answers",
                                       "code of the last error",
                                       "made at or after this RFC 3339 time",
                                       "made before this RFC 3339 time"};
  for (std::size_t i = 0; i < names.size(); ++i)
    command.add_option(names[i], options.filters[i].second, texts[i])->option_text("TEXT")->group("Filter");
  command.add_option("--limit", options.limit, "at most so many, newest first (default 50)")
      ->check(CLI::Range(std::size_t{1}, list_items_max).description(""))
      ->option_text("N");
}

Outcome<> list(Shell& shell, Api& api, const ListOptions& options) {
  Query query;
  for (const auto& [key, value] : options.filters) query.add(key, value);
  SCHAKEL_TRY(auto messages, get_list(api, query.on("/messages"), options.limit));
  print_list(shell.out, options.format, messages, list_columns, "no messages");
  return Exit::ok;
}

struct OneOptions : Online {
  std::string id;
};
template <class Options>
void declare_id(CLI::App& command, Options& options) {
  command.add_option("ID", options.id, "own id, message id or conversation id")->required();
}

Outcome<> show(Shell& shell, Api& api, const OneOptions& options) {
  SCHAKEL_TRY(auto id, find_message(api, options.id));
  SCHAKEL_TRY(auto message, get(api, path_of(id)));
  print_record(shell.out, options.format, message, show_columns);
  if (options.format == Format::table && message.contains("payloads") && !message["payloads"].empty()) {
    shell.out << '\n';
    print_list(shell.out, options.format, message["payloads"], payload_columns);
  }
  return Exit::ok;
}

Outcome<Json> trail_of(Api& api, const std::string& id) {
  return get_array(api, path_of(id) + "/events");
}

// Only the columns in which something stands: a trail is read on a screen.
std::vector<Column> used(const Json& items, std::span<const Column> columns) {
  std::vector<Column> kept;
  for (const auto& column : columns)
    if (std::any_of(items.begin(), items.end(), [&](const Json& item) { return !text_at(item, column.member).empty(); }))
      kept.push_back(column);
  return kept;
}

void print_trail_head(std::ostream& out, const Json& message) {
  const auto part = [&](std::string_view member) { return printable(text_at(message, member)); };
  out << part("id") << "  " << part("direction") << ' ' << part("protocol") << ' ' << part("profile") << "  " << part("state") << '\n'
      << part("fromOin") << " -> " << part("toOin") << "  " << part("service") << '/' << part("action") << "  " << part("messageId")
      << '\n';
}

Outcome<> trace(Shell& shell, Api& api, const OneOptions& options) {
  SCHAKEL_TRY(auto ids, find_messages(api, options.id));
  Json all = Json::array();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    SCHAKEL_TRY(auto events, trail_of(api, ids[i]));
    if (options.format != Format::table) {
      for (auto& event : events) all.push_back(std::move(event));
      continue;
    }
    SCHAKEL_TRY(auto message, get(api, path_of(ids[i])));
    if (i > 0) shell.out << '\n';
    print_trail_head(shell.out, message);
    print_list(shell.out, options.format, events, used(events, trail_columns), "no events");
  }
  if (options.format != Format::table) print_list(shell.out, options.format, all, trail_columns);
  return Exit::ok;
}

// --- send ------------------------------------------------------------------------------------------------------------------------

struct SendOptions : Online {
  std::vector<std::pair<std::string_view, std::string>> fields{
      {"contractId", {}},     {"cpaId", {}},     {"fromOin", {}},        {"toOin", {}},      {"service", {}},  {"action", {}},
      {"conversationId", {}}, {"messageId", {}}, {"refToMessageId", {}}, {"timeToLive", {}}, {"notBefore", {}}};
  std::vector<std::string> payloads;
  std::vector<std::string> labels;
  std::string idempotency_key;
  std::string wait;
};

void declare_send(CLI::App& command, SendOptions& options) {
  static constexpr std::array names = {"--contract",     "--cpa,--cpa-id", "--from,--from-oin", "--to,--to-oin",  "--service",   "--action",
                                       "--conversation", "--message-id",   "--ref-to",          "--time-to-live", "--not-before"};
  static constexpr std::array texts = {"id of the contract",
                                       "CPA id",
                                       "own OIN (default: the tenant's only one)",
                                       "receiver's OIN",
                                       "service",
                                       "action",
                                       "conversation id (default: a new one)",
                                       "message id (default: a new one)",
                                       "message id that this answers",
                                       "ISO 8601 duration, for instance P1D",
                                       "do not send before this RFC 3339 time"};
  for (std::size_t i = 0; i < names.size(); ++i)
    command.add_option(names[i], options.fields[i].second, texts[i])->option_text("TEXT")->group("Message");
  command.add_option("--payload", options.payloads, "file to send, streamed; FILE;type=MEDIA/TYPE gives its media type; may be repeated")
      ->option_text("FILE")
      ->group("Message");
  command.add_option("--label", options.labels, "name=value for searching; may be repeated")->option_text("NAME=VALUE")->group("Message");
  command.add_option("--idempotency-key", options.idempotency_key, "the same key never makes a second message (default: a new one)")
      ->option_text("KEY")
      ->group("Message");
  command
      .add_option("--wait", options.wait,
                  "wait until the message is final, at most this long (for instance 60s); exit code 1 when it was not delivered")
      ->option_text("TIME");
}

Outcome<Json> labels_of(const std::vector<std::string>& pairs) {
  Json labels = Json::object();
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return wrong_usage("--label takes NAME=VALUE");
    labels[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return labels;
}

Outcome<ApiRequest> submit_request(Shell& shell, const SendOptions& options) {
  Json message = Json::object();
  for (const auto& [name, value] : options.fields)
    if (!value.empty()) message[name] = value;
  SCHAKEL_TRY(auto labels, labels_of(options.labels));
  if (!labels.empty()) message["labels"] = std::move(labels);
  ApiRequest request{.method = "POST", .path = "/messages", .content_type = "application/json"};
  message["payloads"] = Json::array();
  for (const auto& argument : options.payloads) {
    SCHAKEL_TRY(auto part, file_part(argument));
    message["payloads"].push_back({{"contentType", part.content_type}, {"fileName", part.file_name}});
    request.files.push_back(std::move(part));
  }
  request.headers.add("Idempotency-Key", options.idempotency_key.empty() ? uuid_v4(shell.random) : options.idempotency_key);
  request.body = message.dump();
  if (shell.err_is_terminal) request.progress = progress_on(shell.err);
  return request;
}

bool is_final(const std::string& state) {
  static constexpr std::array names = {"DELIVERED", "FAILED", "EXPIRED", "CANCELLED", "PROCESSED", "REJECTED", "REFUSED", "FORWARDED"};
  return std::find(names.begin(), names.end(), state) != names.end();
}

// Asks again after 0.1, 0.2, 0.4 … at most 2 s.
Outcome<Json> wait_until_final(Shell& shell, Api& api, Json message, Duration at_most) {
  Duration waited{};
  Duration pause = std::chrono::milliseconds(100);
  while (!is_final(text_at(message, "state")) && waited < at_most) {
    shell.sleep(pause);
    waited += pause;
    pause = std::min<Duration>(pause * 2, std::chrono::seconds(2));
    SCHAKEL_TRY(message, get(api, path_of(text_at(message, "id"))));
  }
  return message;
}

Outcome<> send(Shell& shell, Api& api, const SendOptions& options) {
  Duration wait{};
  if (!options.wait.empty()) {
    SCHAKEL_TRY(wait, parse_duration(options.wait));
  }
  SCHAKEL_TRY(auto request, submit_request(shell, options));
  auto sent = call(api, request);
  if (!sent) {
    auto failure = sent.error();
    // After a lost connection nobody knows whether the node has it; the key makes asking again harmless.
    if (failure.code.starts_with("transport.") && failure.code != "transport.connect" && failure.code != "transport.dns")
      failure.advice =
          "run it again with --idempotency-key " + std::string(*request.headers.find("Idempotency-Key")) + ": it makes no second message";
    return failure;
  }
  SCHAKEL_TRY(auto message, parse_body(*sent));
  if (wait.count() > 0) {
    SCHAKEL_TRY(message, wait_until_final(shell, api, std::move(message), wait));
  }
  if (options.format == Format::table)
    shell.out << printable(text_at(message, "id")) << "  " << printable(text_at(message, "state")) << '\n';
  else
    print_record(shell.out, options.format, message, show_columns);
  if (wait.count() == 0 || text_at(message, "state") == "DELIVERED") return Exit::ok;
  return Failure(Exit::failure, text_at(message, "lastError.code"), "the message is " + text_at(message, "state") + ", not DELIVERED",
                 "`schakel message trace " + text_at(message, "id") + "` shows what happened");
}

// --- fetch -----------------------------------------------------------------------------------------------------------------------

struct FetchOptions : Connection {
  std::string id;
  std::string out;
  int payload = -1;
  bool force = false;
};

void declare_fetch(CLI::App& command, FetchOptions& options) {
  declare_id(command, options);
  command.add_option("--payload", options.payload, "number of the payload, from 0 (default: the only one)")
      ->check(CLI::Range(0, 1'000'000).description(""))
      ->option_text("N");
  command.add_option("--out", options.out, "file, or an existing folder for every payload (default: standard output)")->option_text("PATH");
  command.add_flag("--force", options.force, "write over an existing file");
}

std::string file_name_for(const Json& payload) {
  // The name comes from the partner: only its last part, and nothing that hides or climbs.
  auto name = text_at(payload, "fileName");
  name = name.substr(name.find_last_of("/\\") + 1);
  for (auto& c : name)
    if (static_cast<unsigned char>(c) < 0x20U || c == 0x7F) c = '_';
  while (name.starts_with('.')) name.erase(0, 1);
  return name.empty() ? "payload-" + text_at(payload, "index") : text_at(payload, "index") + "-" + name;
}

Outcome<> fetch(Shell& shell, Api& api, const FetchOptions& options) {
  SCHAKEL_TRY(auto id, find_message(api, options.id));
  SCHAKEL_TRY(auto message, get(api, path_of(id)));
  const auto payloads = message.value("payloads", Json::array());
  if (!payloads.is_array() || payloads.empty())
    return Failure(Exit::not_found, "notFound", "the message has no payload", "`schakel message show " + id + "` shows what it has");
  const bool folder = !options.out.empty() && std::filesystem::is_directory(options.out);
  if (options.payload < 0 && payloads.size() > 1 && !folder)
    return wrong_usage("the message has " + std::to_string(payloads.size()) + " payloads",
                       "give --payload N, or an existing folder as --out");
  bool found = false;
  for (const auto& payload : payloads) {
    if (options.payload >= 0 && payload.value("index", -1) != options.payload) continue;
    found = true;
    const auto target = folder ? (std::filesystem::path(options.out) / file_name_for(payload)).string() : options.out;
    SCHAKEL_CHECK(fetch_payload(shell, api, path_of(id) + "/payloads/" + text_at(payload, "index"), payload, target, options.force));
    if (folder) shell.err << printable(target) << '\n';
  }
  if (!found)
    return Failure(Exit::not_found, "notFound", "the message has no payload with this number",
                   "`schakel message show " + id + "` lists them");
  return Exit::ok;
}

// --- ack and the operator's actions ----------------------------------------------------------------------------------------------

struct AckOptions : Connection {
  std::string id, code, detail;
  bool rejected = false;
};

void declare_ack(CLI::App& command, AckOptions& options) {
  declare_id(command, options);
  command.add_flag("--rejected", options.rejected, "the application refuses the message");
  command.add_option("--code", options.code, "why, as a code (with --rejected)")->option_text("CODE");
  command.add_option("--detail", options.detail, "why, as a sentence (with --rejected)")->option_text("TEXT");
}

Outcome<> ack(Shell& shell, Api& api, const AckOptions& options) {
  if (!options.rejected && !(options.code + options.detail).empty()) return wrong_usage("--code and --detail belong to --rejected");
  SCHAKEL_TRY(auto id, find_message(api, options.id));
  Json body = {{"result", options.rejected ? "rejected" : "processed"}};
  if (!options.code.empty()) body["code"] = options.code;
  if (!options.detail.empty()) body["detail"] = options.detail;
  SCHAKEL_CHECK(post(api, path_of(id) + "/acknowledgement", body));
  shell.out << id << "  " << (options.rejected ? "REJECTED" : "PROCESSED") << '\n';
  return Exit::ok;
}

struct ActionOptions : Online {
  std::vector<std::string> ids, filters;
  std::string reason;
  bool force = false, yes = false;
};

void declare_action(CLI::App& command, ActionOptions& options) {
  command.add_option("ID", options.ids, "own ids or message ids");
  command
      .add_option(
          "--filter", options.filters,
          "instead of ids: every message that fits, for instance state=FAILED or receivedFrom=2026-03-01T00:00:00Z; may be repeated")
      ->option_text("KEY=VALUE");
  command.add_flag("--yes", options.yes, "with --filter: do it; without, only show what would be meant");
  command.add_option("--reason", options.reason, "why, 3 to 500 characters; it stays in the trail")->required()->option_text("TEXT");
}

void declare_resend(CLI::App& command, ActionOptions& options) {
  declare_action(command, options);
  command.add_flag("--force", options.force, "also when it was delivered, or acknowledged late: the partner gets it twice");
}

constexpr std::array action_columns = {Column{"MESSAGE", "message"}, Column{"ACTION", "action"}, Column{"STATE", "state"},
                                       Column{"COPY", "copy"}};

constexpr std::array job_columns = {Column{"job", "id"},      Column{"action", "action"}, Column{"state", "state"},
                                    Column{"total", "total"}, Column{"done", "done"},     Column{"failed", "failed"}};

// What a filter finds, or with --yes a Job that acts on it (ADP-701: preview first).
Outcome<> act_on_many(Shell& shell, Api& api, const ActionOptions& options, const std::string& action) {
  Json filter = Json::object();
  for (const auto& pair : options.filters) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return wrong_usage("--filter takes KEY=VALUE");
    if (!filter.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second)
      return wrong_usage("--filter " + pair.substr(0, equals) + " is given twice");
  }
  Json body = {{"filter", filter}, {"action", action}, {"reason", options.reason}, {"dryRun", !options.yes}};
  if (options.force) body["parameters"] = {{"force", true}};
  SCHAKEL_TRY(auto answer, post(api, "/message-actions", body));
  if (options.yes) {
    print_record(shell.out, options.format, answer, job_columns);
    return Exit::ok;
  }
  if (options.format == Format::table) {
    shell.out << text_at(answer, "total") << " messages would be meant; --yes does it\n";
    const auto by_state = answer.value("byState", Json::object());
    for (const auto& [state, count] : by_state.items()) shell.out << "  " << printable(state) << "  " << count.dump() << '\n';
    print_list(shell.out, options.format, answer.value("messages", Json::array()), list_columns, "no messages");
  } else {
    print_list(shell.out, options.format, answer.value("messages", Json::array()), list_columns);
  }
  return Exit::ok;
}

// Every message is tried; the first failure decides the exit code.
Outcome<> act(Shell& shell, Api& api, const ActionOptions& options, const std::string& action) {
  if (options.ids.empty() == options.filters.empty()) return wrong_usage("give ids of messages, or --filter");
  if (!options.filters.empty()) return act_on_many(shell, api, options, action);
  Json records = Json::array();
  Outcome<> result = Exit::ok;
  for (const auto& text : options.ids) {
    Outcome<Json> done = [&]() -> Outcome<Json> {
      SCHAKEL_TRY(auto id, find_message(api, text));
      Json body = {{"action", action}, {"reason", options.reason}};
      if (options.force) body["parameters"] = {{"force", true}};
      return post(api, path_of(id) + "/actions", body);
    }();
    if (done)
      records.push_back(std::move(*done));
    else if (options.ids.size() == 1)
      return done.error();
    else {
      shell.err << printable(text) << ": " << describe(done.error());
      if (result) result = Failure(done.error().exit, "", "not every message was changed", "the lines above say why");
    }
  }
  print_list(shell.out, options.format, records, action_columns);
  return result;
}

void add_action(Commands& commands, CLI::App& noun, const std::string& name, const std::string& action, const std::string& description,
                void (*declare)(CLI::App&, ActionOptions&)) {
  commands.verb<ActionOptions>(
      noun, name, description, "schakel message " + name + " 0199a1b2-7c3d-7e11-9abc-0123456789ab --reason \"asked by the partner\"",
      declare, [action](Shell& shell, Api& api, const ActionOptions& options) { return act(shell, api, options, action); });
}

}  // namespace

void add_message_commands(Commands& commands) {
  auto& noun = commands.noun("message", "Messages and their trails");
  commands.verb<ListOptions>(noun, "list", "List messages, newest first",
                             "schakel message list --state FAILED --since 2026-03-01T00:00:00Z --output csv", declare_list, list);
  commands.verb<OneOptions>(noun, "show", "Show one message with its payloads", "schakel message show 0199a1b2-7c3d-7e11-9abc-0123456789ab",
                            declare_id<OneOptions>, show);
  commands.verb<OneOptions>(noun, "trace", "Show what happened to a message or to a whole conversation, step by step",
                            "schakel message trace zaak-2026-0017", declare_id<OneOptions>, trace);
  commands.verb<SendOptions>(
      noun, "send", "Send a message; payloads are streamed from files",
      "schakel message send --cpa cpa-voorbeeld-0001 --service Terugmelding --action meldFout --payload melding.xml --wait 60s",
      declare_send, send);
  commands.verb<FetchOptions>(noun, "fetch", "Fetch payloads of a message and check their SHA-256",
                              "schakel message fetch 0199a1b2-7c3d-7e11-9abc-0123456789ab --out melding.xml", declare_fetch, fetch);
  commands.verb<AckOptions>(
      noun, "ack", "Tell that the application has processed, or rejects, a received message",
      "schakel message ack 0199a1b2-7c3d-7e11-9abc-0123456789ab --rejected --code zaak.onbekend --detail \"no such case\"", declare_ack,
      ack);
  add_action(commands, noun, "resend", "resend", "Send a copy of a final message, with a new message id", declare_resend);
  add_action(commands, noun, "cancel", "cancel", "Cancel messages that have not been sent", declare_action);
  add_action(commands, noun, "retry", "retryNow", "Try messages that wait for a retry again now", declare_action);
  add_action(commands, noun, "replay", "replay", "Offer received messages to the application again", declare_action);
  add_action(commands, noun, "purge", "purgePayload", "Remove the payloads of final messages; their hashes stay", declare_action);
}

}  // namespace schakel::cli
