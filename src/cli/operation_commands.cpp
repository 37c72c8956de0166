// partner, node, mandate, webhook, api-key, audit list, certificate list: small resources of the node's API.
#include <array>

#include "cli/nouns.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t list_items_max = 10'000;

// A verb that prints a whole list.
template <std::size_t N>
void add_list(Commands& commands, CLI::App& noun, const std::string& noun_name, const std::string& description, const std::string& path,
              const std::array<Column, N>& columns) {
  struct Options : Online {};
  commands.verb<Options>(noun, "list", description, "schakel " + noun_name + " list --json", nullptr,
                         [path, &columns](Shell& shell, Api& api, const Options& options) -> Outcome<> {
                           SCHAKEL_TRY(const auto items, get_list(api, path, list_items_max));
                           print_list(shell.out, options.format, items, columns);
                           return Exit::ok;
                         });
}

struct OneOptions : Online {
  std::string id;
};
void declare_one(CLI::App& command, OneOptions& options) {
  command.add_option("ID", options.id, "its id")->required();
}

// --- partner -------------------------------------------------------------------------------------------------------------------

constexpr std::array partner_columns = {Column{"OIN", "oin"}, Column{"NAME", "name"}, Column{"CONTRACTS", "cpaIds"},
                                        Column{"ENDPOINTS", "urls"}, Column{"CIRCUIT OPEN UNTIL", "circuitOpenUntilAt"}};
constexpr std::array ping_columns = {Column{"partner", "partner"}, Column{"answer", "result"}, Column{"CPA", "cpaId"},
                                     Column{"message id", "messageId"}, Column{"ms", "durationMs"}};

// Contracts and endpoints as one line of text each: the API gives objects.
Json on_one_line(Json partner) {
  Json cpa_ids = Json::array(), urls = Json::array(), until = Json::array();
  for (const auto& contract : partner.value("contracts", Json::array())) cpa_ids.push_back(text_at(contract, "cpaId"));
  for (const auto& endpoint : partner.value("endpoints", Json::array())) {
    urls.push_back(text_at(endpoint, "url"));
    if (endpoint.contains("circuitOpenUntilAt")) until.push_back(text_at(endpoint, "circuitOpenUntilAt"));
  }
  partner["cpaIds"] = std::move(cpa_ids);
  partner["urls"] = std::move(urls);
  partner["circuitOpenUntilAt"] = std::move(until);
  return partner;
}

struct PartnersOptions : Online {};
Outcome<> list_partners(Shell& shell, Api& api, const PartnersOptions& options) {
  SCHAKEL_TRY(auto partners, get_list(api, "/partners", list_items_max));
  if (options.format != Format::json)
    for (auto& partner : partners) partner = on_one_line(std::move(partner));
  print_list(shell.out, options.format, partners, partner_columns, "no partners");
  return Exit::ok;
}

struct PingOptions : Online {
  std::string oin, cpa_id;
};
void declare_ping(CLI::App& command, PingOptions& options) {
  command.add_option("OIN", options.oin, "OIN of the partner")->required();
  command.add_option("--cpa,--cpa-id", options.cpa_id, "under this CPA (default: an active one with the partner)")->option_text("TEXT");
}
Outcome<> ping(Shell& shell, Api& api, const PingOptions& options) {
  Json body = Json::object();
  if (!options.cpa_id.empty()) body["cpaId"] = options.cpa_id;
  auto answer = post(api, "/partners/" + percent_encoded(options.oin) + "/_ping", body);
  if (!answer) {
    auto failure = answer.error();
    if (failure.code.starts_with("call."))
      failure.advice = "`schakel tls check` looks at the partner's TLS; `schakel contract show` at the address that was agreed";
    if (failure.code == "notFound") failure.advice = "there must be an active contract with this partner: `schakel contract list`";
    return failure;
  }
  (*answer)["partner"] = options.oin;
  print_record(shell.out, options.format, *answer, ping_columns);
  return Exit::ok;
}

// --- node ------------------------------------------------------------------------------------------------------------------------

constexpr std::array node_columns = {Column{"NODE", "id"}, Column{"EPOCH", "epoch", Align::right}, Column{"HEARTBEAT", "heartbeatAt"},
                                     Column{"DRAINING", "draining"}};

Outcome<> set_draining(Shell& shell, Api& api, const OneOptions& options, bool draining) {
  const ApiRequest request{.method = "PATCH",
                           .path = "/nodes/" + percent_encoded(options.id),
                           .body = Json{{"draining", draining}}.dump(),
                           .content_type = "application/merge-patch+json"};
  SCHAKEL_TRY(const auto response, call(api, request));
  SCHAKEL_TRY(const auto node, parse_body(response));
  print_record(shell.out, options.format, node, node_columns);
  return Exit::ok;
}

// --- mandate ---------------------------------------------------------------------------------------------------------------------

constexpr std::array mandate_columns = {Column{"ID", "id"},       Column{"MANDATOR", "mandatorOin"}, Column{"MANDATARY", "mandataryOin"},
                                        Column{"SCOPE", "scope"}, Column{"DIRECTION", "direction"},  Column{"FROM", "validFrom"},
                                        Column{"TO", "validTo"},  Column{"STATUS", "status"}};

struct MandateOptions : Online {
  std::string mandator, mandatary, scope = "*", direction, from, to, evidence;
};
void declare_mandate(CLI::App& command, MandateOptions& options) {
  command.add_option("--mandator", options.mandator, "OIN of the organisation that gives the mandate")->required()->option_text("OIN");
  command.add_option("--mandatary", options.mandatary, "OIN of the organisation that may act for it")->required()->option_text("OIN");
  command.add_option("--scope", options.scope, "PROTOCOL/SERVICE[/ACTION] or * (default *)")->option_text("TEXT");
  command.add_option("--direction", options.direction, "inbound, outbound or both (default both)")->option_text("NAME");
  command.add_option("--from", options.from, "first moment, RFC 3339 (default now)")->option_text("TIME");
  command.add_option("--until", options.to, "end, RFC 3339 (default none)")->option_text("TIME");
  command.add_option("--evidence", options.evidence, "where the mandate itself is kept")->option_text("TEXT");
}
Outcome<> add_mandate(Shell& shell, Api& api, const MandateOptions& options) {
  Json body = {{"mandatorOin", options.mandator},
               {"mandataryOin", options.mandatary},
               {"scope", options.scope},
               {"validFrom", options.from.empty() ? to_rfc3339(shell.clock.now()) : options.from}};
  if (!options.direction.empty()) body["direction"] = options.direction;
  if (!options.to.empty()) body["validTo"] = options.to;
  if (!options.evidence.empty()) body["evidence"] = options.evidence;
  SCHAKEL_TRY(const auto mandate, post(api, "/mandates", body));
  print_record(shell.out, options.format, mandate, mandate_columns);
  return Exit::ok;
}
Outcome<> revoke_mandate(Shell& shell, Api& api, const OneOptions& options) {
  SCHAKEL_TRY(const auto mandate, change(api, "PATCH", "/mandates/" + percent_encoded(options.id), "", {{"status", "revoked"}}));
  print_record(shell.out, options.format, mandate, mandate_columns);
  return Exit::ok;
}

// --- secrets that are shown once ---------------------------------------------------------------------------------------------------

struct NewSecret : Online {
  std::string secret_file;
};
void declare_secret_file(CLI::App& command, NewSecret& options) {
  command
      .add_option("--secret-file", options.secret_file,
                  "write the secret to this new file, readable by this user only; it cannot be shown again")
      ->required()
      ->option_text("FILE");
}
// Takes the secret out of the answer before anything is printed.
Outcome<> keep_secret(Shell& shell, Json& answer, const char* member, const std::string& path) {
  const auto secret = text_at(answer, member);
  if (secret.empty()) return Failure(Exit::failure, "transport.invalid", "the node gave no secret");
  answer.erase(member);
  return write_file(shell, path, secret + "\n", false, true);
}
// Before the node makes one: a secret that cannot be written is lost.
Outcome<> check_secret_file(const std::string& path) {
  if (path == "-") return wrong_usage("--secret-file is a file, not standard output");
  if (std::ifstream(path)) return Failure(Exit::failure, "file.exists", path + " exists already");
  return Exit::ok;
}

// --- webhook ---------------------------------------------------------------------------------------------------------------------

constexpr std::array webhook_columns = {Column{"ID", "id"},           Column{"URL", "url"},         Column{"TYPES", "types"},
                                        Column{"CONFIRM", "confirm"}, Column{"ENABLED", "enabled"}, Column{"REASON", "disabledReason"}};
constexpr std::array test_columns = {Column{"event", "event"},         Column{"ok", "ok"},
                                     Column{"status", "status"},       Column{"error", "error.code"},
                                     Column{"detail", "error.detail"}, Column{"ms", "durationMs"}};

struct WebhookOptions : NewSecret {
  std::string url, description, payload_mode, confirm;
  std::vector<std::string> types{"message.received"};
  std::vector<std::pair<const char*, std::string>> filter{{"contractId", {}}, {"cpaId", {}},   {"fromOin", {}},
                                                          {"toOin", {}},      {"service", {}}, {"action", {}}};
};
void declare_webhook(CLI::App& command, WebhookOptions& options) {
  static constexpr std::array names = {"--contract", "--cpa", "--from", "--to", "--service", "--action"};
  command.add_option("--target", options.url, "https URL of the application")->required()->option_text("URL");
  command.add_option("--type", options.types, "kinds of event, separated by commas (default message.received)")
      ->delimiter(',')
      ->option_text("TYPES");
  command.add_option("--description", options.description, "what it is for")->option_text("TEXT");
  command.add_option("--payload-mode", options.payload_mode, "thin or inline (default thin)")->option_text("NAME");
  command.add_option("--confirm", options.confirm, "onAccept or explicit (default onAccept)")->option_text("NAME");
  for (std::size_t i = 0; i < names.size(); ++i)
    command.add_option(names[i], options.filter[i].second, "only messages with this")->option_text("TEXT")->group("Filter");
  declare_secret_file(command, options);
}
Outcome<> add_webhook(Shell& shell, Api& api, const WebhookOptions& options) {
  SCHAKEL_CHECK(check_secret_file(options.secret_file));
  Json body = {{"url", options.url}, {"types", options.types}};
  if (!options.description.empty()) body["description"] = options.description;
  if (!options.payload_mode.empty()) body["payloadMode"] = options.payload_mode;
  if (!options.confirm.empty()) body["confirm"] = options.confirm;
  for (const auto& [name, value] : options.filter)
    if (!value.empty()) body["filter"][name] = value;
  SCHAKEL_TRY(auto webhook, post(api, "/webhooks", body));
  SCHAKEL_CHECK(keep_secret(shell, webhook, "secret", options.secret_file));
  print_record(shell.out, options.format, webhook, webhook_columns);
  return Exit::ok;
}
Outcome<> test_webhook(Shell& shell, Api& api, const OneOptions& options) {
  SCHAKEL_TRY(const auto answer, post(api, "/webhooks/" + percent_encoded(options.id) + "/_test", Json::object()));
  print_record(shell.out, options.format, answer, test_columns);
  return answer.value("ok", false) ? Exit::ok : Exit::failure;
}

struct RotateOptions : NewSecret {
  std::string id;
};
void declare_rotate(CLI::App& command, RotateOptions& options) {
  command.add_option("ID", options.id, "its id")->required();
  declare_secret_file(command, options);
}
Outcome<> rotate_webhook(Shell& shell, Api& api, const RotateOptions& options) {
  SCHAKEL_CHECK(check_secret_file(options.secret_file));
  SCHAKEL_TRY(auto webhook, post(api, "/webhooks/" + percent_encoded(options.id) + "/secrets", Json::object()));
  SCHAKEL_CHECK(keep_secret(shell, webhook, "secret", options.secret_file));
  print_record(shell.out, options.format, webhook, webhook_columns);
  return Exit::ok;
}
Outcome<> remove_webhook(Shell& shell, Api& api, const OneOptions& options) {
  SCHAKEL_CHECK(remove(api, "/webhooks/" + percent_encoded(options.id)));
  shell.out << printable(options.id) << " removed\n";
  return Exit::ok;
}

// --- api-key -----------------------------------------------------------------------------------------------------------------------

constexpr std::array key_columns = {Column{"ID", "id"},
                                    Column{"NAME", "name"},
                                    Column{"ROLES", "roles"},
                                    Column{"PERMISSIONS", "permissions"},
                                    Column{"NETWORKS", "sourceNetworks"},
                                    Column{"CREATED", "createdAt"},
                                    Column{"EXPIRES", "expiresAt"},
                                    Column{"REVOKED", "revokedAt"}};

struct KeyOptions : NewSecret {
  std::string name, expires;
  std::vector<std::string> roles, permissions, networks;
};
void declare_key(CLI::App& command, KeyOptions& options) {
  command.add_option("--name", options.name, "what it is for")->required()->option_text("TEXT");
  command.add_option("--role", options.roles, "roles, separated by commas: integrator, tenant-operator, …")
      ->delimiter(',')
      ->option_text("ROLES");
  command.add_option("--permission", options.permissions, "permissions beside the roles, such as payload.read")
      ->delimiter(',')
      ->option_text("NAMES");
  command.add_option("--network", options.networks, "only from these networks (CIDR)")->delimiter(',')->option_text("NETWORKS");
  command.add_option("--expires", options.expires, "end, RFC 3339")->option_text("TIME");
  declare_secret_file(command, options);
}
Outcome<> create_key(Shell& shell, Api& api, const KeyOptions& options) {
  SCHAKEL_CHECK(check_secret_file(options.secret_file));
  Json body = {{"name", options.name}};
  if (!options.roles.empty()) body["roles"] = options.roles;
  if (!options.permissions.empty()) body["permissions"] = options.permissions;
  if (!options.networks.empty()) body["sourceNetworks"] = options.networks;
  if (!options.expires.empty()) body["expiresAt"] = options.expires;
  SCHAKEL_TRY(auto key, post(api, "/api-keys", body));
  SCHAKEL_CHECK(keep_secret(shell, key, "token", options.secret_file));
  print_record(shell.out, options.format, key, key_columns);
  return Exit::ok;
}
Outcome<> revoke_key(Shell& shell, Api& api, const OneOptions& options) {
  SCHAKEL_CHECK(remove(api, "/api-keys/" + percent_encoded(options.id)));
  shell.out << printable(options.id) << " revoked\n";
  return Exit::ok;
}

// --- audit, certificate --------------------------------------------------------------------------------------------------------------

constexpr std::array audit_columns = {Column{"SEQ", "seq", Align::right}, Column{"AT", "at"},         Column{"KIND", "kind"},
                                      Column{"RESULT", "result"},         Column{"REASON", "reason"}, Column{"ACTION", "action"},
                                      Column{"ACTOR", "actor"},           Column{"OBJECT", "object"}, Column{"ADDRESS", "address"}};
constexpr std::array certificate_columns = {Column{"SHA-256", "sha256"}, Column{"PURPOSES", "purposes"},    Column{"OIN", "oin"},
                                            Column{"HOSTS", "hosts"},    Column{"NOT AFTER", "notAfterAt"}, Column{"STATE", "state"},
                                            Column{"PROBLEM", "problem"}};

struct AuditOptions : Online {
  std::size_t limit = 100;
};
void declare_audit(CLI::App& command, AuditOptions& options) {
  command.add_option("--limit", options.limit, "at most so many, oldest first (default 100)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}).description(""))
      ->option_text("N");
}
// An append-only list goes on after a cursor.
Outcome<> list_audit(Shell& shell, Api& api, const AuditOptions& options) {
  Json all = Json::array();
  std::string cursor;
  do {
    const auto wanted = std::min<std::size_t>(100, options.limit - all.size());
    SCHAKEL_TRY(auto page, get(api, Query().add("limit", std::to_string(wanted)).add("cursor", cursor).on("/audit-events")));
    if (!page.contains("events") || !page["events"].is_array())
      return Failure(Exit::failure, "transport.invalid", "the node's answer is not a list of audit events");
    for (auto& event : page["events"]) all.push_back(std::move(event));
    cursor = text_at(page, "nextCursor");
  } while (!cursor.empty() && all.size() < options.limit);
  print_list(shell.out, options.format, all, audit_columns, "no audit events");
  return Exit::ok;
}

}  // namespace

void add_operation_commands(Commands& commands, CLI::App& audit) {
  auto& partner = commands.noun("partner", "Organisations that we exchange with");
  commands.verb<PartnersOptions>(partner, "list", "List partners with their contracts and endpoints", "schakel partner list", nullptr,
                                 list_partners);
  commands.verb<PingOptions>(partner, "ping", "Send an ebMS Ping and wait for the Pong", "schakel partner ping 00000099000000300000",
                             declare_ping, ping);

  auto& node = commands.noun("node", "Nodes of this installation");
  add_list(commands, node, "node", "List nodes", "/nodes", node_columns);
  commands.verb<OneOptions>(node, "drain", "Let a node finish what it does and take nothing new", "schakel node drain a", declare_one,
                            [](Shell& shell, Api& api, const OneOptions& options) { return set_draining(shell, api, options, true); });
  commands.verb<OneOptions>(node, "resume", "Let a drained node work again", "schakel node resume a", declare_one,
                            [](Shell& shell, Api& api, const OneOptions& options) { return set_draining(shell, api, options, false); });

  auto& mandate = commands.noun("mandate", "Who may act for whom");
  add_list(commands, mandate, "mandate", "List mandates", "/mandates", mandate_columns);
  commands.verb<MandateOptions>(
      mandate, "add", "Record a mandate",
      "schakel mandate add --mandator 00000099000000010000 --mandatary 00000099000000110000 --scope ebms/Terugmelding", declare_mandate,
      add_mandate);
  commands.verb<OneOptions>(mandate, "revoke", "End a mandate now", "schakel mandate revoke 0199a1b2-7c3d-7e11-9abc-0123456789ab",
                            declare_one, revoke_mandate);

  auto& webhook = commands.noun("webhook", "Where events are pushed to applications");
  add_list(commands, webhook, "webhook", "List webhooks", "/webhooks", webhook_columns);
  commands.verb<WebhookOptions>(
      webhook, "add", "Register a webhook; its secret goes to a file",
      "schakel webhook add --target https://app.example/hook --type message.received,message.failed --secret-file hook.secret",
      declare_webhook, add_webhook);
  commands.verb<OneOptions>(webhook, "test", "Send a webhook.test event now", "schakel webhook test 0199a1b2-7c3d-7e11-9abc-0123456789ab",
                            declare_one, test_webhook);
  commands.verb<RotateOptions>(webhook, "rotate", "Make a new secret; the old one signs along for 24 hours",
                               "schakel webhook rotate 0199a1b2-7c3d-7e11-9abc-0123456789ab --secret-file hook.secret.new", declare_rotate,
                               rotate_webhook);
  commands.verb<OneOptions>(webhook, "remove", "Remove a webhook", "schakel webhook remove 0199a1b2-7c3d-7e11-9abc-0123456789ab",
                            declare_one, remove_webhook);

  auto& key = commands.noun("api-key", "API keys of applications and operators");
  add_list(commands, key, "api-key", "List API keys", "/api-keys", key_columns);
  commands.verb<KeyOptions>(
      key, "create", "Make an API key; it goes to a file and cannot be shown again",
      "schakel api-key create --name zaaksysteem --role integrator --permission payload.read --secret-file zaaksysteem.key", declare_key,
      create_key);
  commands.verb<OneOptions>(key, "revoke", "Revoke an API key on every node within 5 seconds",
                            "schakel api-key revoke 0199a1b2-7c3d-7e11-9abc-0123456789ab", declare_one, revoke_key);

  commands.verb<AuditOptions>(audit, "list", "List audit events, oldest first", "schakel audit list --limit 1000 --output csv",
                              declare_audit, list_audit);

  auto& certificate = commands.noun("certificate", "Own certificates");
  add_list(commands, certificate, "certificate", "List own certificates with their purposes, end dates and problems", "/certificates",
           certificate_columns);
  add_certificate_tools(commands, certificate);
}

}  // namespace schakel::cli
