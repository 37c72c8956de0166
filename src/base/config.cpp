#include "base/config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <variant>

#include <toml++/toml.h>

#include "base/bytes.hpp"
#include "base/json_library.hpp"
#include "base/limits.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX names it, no header of glibc declares it without _GNU_SOURCE

namespace schakel::config {
namespace {

enum class Kind { text, boolean, integer, duration, period, workdays, size, list, map, secret, database_url };

using List = std::vector<std::string>;
using Map = std::map<std::string, std::string>;
using Value = std::variant<std::monostate, std::string, bool, std::int64_t, Duration, CalendarDuration, List, Map>;

// One key of the file. `standard` is the default as one would write it in the file, without quotes.
struct Rule {
  std::string key;
  Kind kind;
  std::string standard;
  std::function<void(Settings&, const Value&)> set;
  std::vector<std::string> choices = {};
  std::optional<std::int64_t> min = {}, max = {};  // integers, sizes; durations in seconds
};

Error fault(std::string detail, std::string location) {
  return fail("config.invalid", std::move(detail), std::move(location));
}

// --- the table ---------------------------------------------------------------------------------------------------------------

template <class T>
auto into(T Settings::*group, auto T::*member) {
  using Member = std::remove_cvref_t<decltype(std::declval<Settings>().*group.*member)>;
  return [group, member](Settings& settings, const Value& value) {
    if constexpr (std::is_same_v<Member, Secret>)
      (settings.*group.*member).reference = std::get<std::string>(value);
    else
      settings.*group.*member = std::get<Member>(value);
  };
}

void no_use(Settings&, const Value&) {}  // a key of a facility that is not built yet: known and type-checked

struct ListenerDefault {
  std::string_view name, bind;
  bool enabled;
};
constexpr std::array<ListenerDefault, 8> listener_defaults{{{"external", "0.0.0.0:443", true},
                                                            {"fsc-inway", "0.0.0.0:443", false},
                                                            {"fsc-manager", "0.0.0.0:8443", false},
                                                            {"public", "0.0.0.0:8445", false},
                                                            {"internal", "127.0.0.1:8080", true},
                                                            {"outway", "127.0.0.1:8082", false},
                                                            {"admin", "127.0.0.1:8081", true},
                                                            {"ops", "127.0.0.1:9090", true}}};

std::optional<std::pair<std::string, unsigned short>> split_address(std::string_view bind) {
  const auto colon = bind.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  auto host = bind.substr(0, colon);
  const auto port_text = bind.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return std::nullopt;
  unsigned port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size() || port > 65535 || host.empty()) return std::nullopt;
  return std::pair{std::string(host), static_cast<unsigned short>(port)};
}

void add_listener(std::vector<Rule>& rules, const ListenerDefault& listener) {
  const std::string name(listener.name), prefix = "listeners." + name + ".";
  const auto member = [name](auto Listener::*field) {
    return [name, field](Settings& settings, const Value& value) {
      auto& target = settings.listeners[name];
      target.name = name;
      target.*field = std::get<std::remove_cvref_t<decltype(target.*field)>>(value);
    };
  };
  rules.push_back({prefix + "bind", Kind::text, std::string(listener.bind), [name](Settings& settings, const Value& value) {
                     auto& target = settings.listeners[name];
                     target.name = name;
                     if (auto address = split_address(std::get<std::string>(value))) std::tie(target.address, target.port) = *address;
                   }});
  rules.push_back({prefix + "hosts", Kind::list, "", member(&Listener::hosts)});
  rules.push_back({prefix + "enabled", Kind::boolean, listener.enabled ? "true" : "false", member(&Listener::enabled)});
  rules.push_back({prefix + "offload", Kind::boolean, "false", member(&Listener::offload)});
  rules.push_back({prefix + "proxy-certificate", Kind::text, "", member(&Listener::proxy_certificate)});
  rules.push_back({prefix + "allowed-networks", Kind::list, "", member(&Listener::allowed_networks)});
  if (name != "internal" && name != "admin") return;
  rules.push_back({prefix + "tls", Kind::text, "none", member(&Listener::tls), {"none", "oneSided", "twoSided"}});
  rules.push_back({prefix + "certificate", Kind::text, "", member(&Listener::certificate)});
  rules.push_back({prefix + "key", Kind::text, "", member(&Listener::key)});
  rules.push_back({prefix + "passphrase", Kind::secret, "", [name](Settings& settings, const Value& value) {
                     settings.listeners[name].passphrase.reference = std::get<std::string>(value);
                   }});
}

void add_core(std::vector<Rule>& rules) {
  using S = Settings;
  constexpr std::int64_t KiB = limits::KiB, MiB = limits::MiB, GiB = limits::GiB;
  rules.insert(rules.end(),
               {{"node.name", Kind::text, "a", into(&S::node, &S::Node::name)},
                {"node.environment", Kind::text, "test", into(&S::node, &S::Node::environment), {"production", "test"}},
                {"node.drain-wait", Kind::duration, "5s", into(&S::node, &S::Node::drain_wait), {}, 0, 60},
                {"node.drain-timeout", Kind::duration, "120s", into(&S::node, &S::Node::drain_timeout), {}, 1, 600},
                {"database.url", Kind::database_url, "sqlite:schakel.db", into(&S::database, &S::Database::url)},
                {"database.pool-size", Kind::integer, "16", into(&S::database, &S::Database::pool_size), {}, 2, 256},
                {"storage.payloads", Kind::text, "database", into(&S::storage, &S::Storage::payloads), {"database", "disk", "s3"}},
                {"storage.path", Kind::text, "blobs", into(&S::storage, &S::Storage::path)},
                {"storage.master-key", Kind::secret, "", into(&S::storage, &S::Storage::master_key)},
                {"storage.encrypt", Kind::boolean, "true", into(&S::storage, &S::Storage::encrypt)},
                {"storage.s3.endpoint", Kind::text, "", no_use},
                {"storage.s3.bucket", Kind::text, "", no_use},
                {"storage.s3.region", Kind::text, "", no_use},
                {"storage.s3.access-key", Kind::secret, "", no_use},
                {"storage.s3.secret-key", Kind::secret, "", no_use}});
  for (const auto& listener : listener_defaults) add_listener(rules, listener);
  rules.insert(rules.end(),
               {{"tls.min", Kind::text, "1.2", into(&S::tls, &S::Tls::min), {"1.2", "1.3"}},
                {"tls.max-connection-age", Kind::duration, "1h", into(&S::tls, &S::Tls::max_connection_age), {}, 1, 86'400},
                {"tls.resumption",
                 Kind::text,
                 "off",
                 [](S& s, const Value& v) { s.tls.resumption = std::get<std::string>(v) == "on"; },
                 {"off", "on"}},
                {"tls.sni-strict", Kind::boolean, "false", into(&S::tls, &S::Tls::sni_strict)},
                {"tls.require-ems", Kind::boolean, "false", into(&S::tls, &S::Tls::require_ems)},
                {"tls.peer-rsa-min", Kind::integer, "2048", into(&S::tls, &S::Tls::peer_rsa_min), {}, 2048, 8192},
                {"pki.anchors", Kind::text, "", into(&S::pki, &S::Pki::anchors)},
                {"pki.test-anchors", Kind::text, "", into(&S::pki, &S::Pki::test_anchors)},
                {"pki.intermediates", Kind::text, "", into(&S::pki, &S::Pki::intermediates)},
                {"pki.policy-oids", Kind::list, "", into(&S::pki, &S::Pki::policy_oids)},
                {"pki.keys", Kind::text, "keys", into(&S::pki, &S::Pki::keys)},
                {"pki.pkcs11-module", Kind::text, "", into(&S::pki, &S::Pki::pkcs11_module)},
                {"pki.ocsp", Kind::boolean, "false", into(&S::pki, &S::Pki::ocsp)},
                {"crl.refresh", Kind::duration, "1h", into(&S::crl, &S::Crl::refresh), {}, 1, 4 * 3600},  // SEC-022: at least every 4 hours
                {"crl.proxy", Kind::text, "", into(&S::crl, &S::Crl::proxy)},
                {"crl.urls", Kind::map, "", into(&S::crl, &S::Crl::urls)},
                {"api.require-idempotency-key", Kind::boolean, "false", into(&S::api, &S::Api::require_idempotency_key)},
                {"api.docs-public", Kind::boolean, "true", into(&S::api, &S::Api::docs_public)},
                {"limits.message-max", Kind::size, "64MiB", into(&S::limits, &S::Limits::message_max), {}, MiB, GiB},
                {"limits.wus-message-max", Kind::size, "32MiB", no_use, {}, MiB, GiB},
                {"limits.json-max", Kind::size, "1MiB", into(&S::limits, &S::Limits::json_max), {}, KiB, 16 * MiB},
                {"limits.call-timeout", Kind::duration, "30s", into(&S::limits, &S::Limits::call_timeout), {}, 1, 600},
                {"http-client.connect-timeout", Kind::duration, "30s", into(&S::http_client, &S::HttpClient::connect_timeout), {}, 1, 300},
                {"http-client.read-timeout", Kind::duration, "30s", into(&S::http_client, &S::HttpClient::read_timeout), {}, 1, 600},
                {"http-client.proxy", Kind::text, "", into(&S::http_client, &S::HttpClient::proxy)},
                {"http-client.no-proxy", Kind::list, "", into(&S::http_client, &S::HttpClient::no_proxy)},
                {"ebms.path", Kind::text, "/ebms", into(&S::ebms, &S::Ebms::path)},
                {"ebms.accept-status", Kind::integer, "204", into(&S::ebms, &S::Ebms::accept_status), {"200", "202", "204"}},
                {"ebms.parts-max", Kind::integer, "100", into(&S::ebms, &S::Ebms::parts_max), {}, 1, 256},
                {"ebms.root-max", Kind::size, "1MiB", into(&S::ebms, &S::Ebms::root_max), {}, KiB, limits::ebms_root_bytes_ceiling},
                {"ebms.allow-message-order", Kind::boolean, "false", into(&S::ebms, &S::Ebms::allow_message_order)},
                {"ebms.facade-key", Kind::secret, "", into(&S::ebms, &S::Ebms::facade_key)},
                {"ebms.insecure-transport", Kind::boolean, "false", into(&S::ebms, &S::Ebms::insecure_transport)},
                {"dai.key", Kind::secret, "", into(&S::dai, &S::Dai::key)},
                {"transparent.keep", Kind::text, "hash", into(&S::transparent, &S::Transparent::keep), {"none", "hash"}},
                {"webhook.timeout", Kind::duration, "15s", into(&S::webhook, &S::Webhook::timeout), {}, 1, 30},
                {"webhook.allowed-networks", Kind::list, "", into(&S::webhook, &S::Webhook::allowed_networks)},
                {"webhook.allow-http", Kind::boolean, "false", into(&S::webhook, &S::Webhook::allow_http)},
                {"webhook.delivery-age-max", Kind::duration, "5d", into(&S::webhook, &S::Webhook::delivery_age_max), {}, 60, 90 * 86'400},
                {"retention.payload", Kind::period, "7d", into(&S::retention, &S::Retention::payload)},
                {"retention.payload-failed", Kind::period, "30d", into(&S::retention, &S::Retention::payload_failed)},
                {"retention.trail", Kind::period, "13mo", into(&S::retention, &S::Retention::trail)},
                {"retention.audit", Kind::period, "7y", into(&S::retention, &S::Retention::audit)},
                {"cluster.heartbeat", Kind::duration, "5s", into(&S::cluster, &S::Cluster::heartbeat), {}, 1, 60},
                {"cluster.lease", Kind::duration, "15s", into(&S::cluster, &S::Cluster::lease), {}, 3, 300},
                {"log.level", Kind::text, "info", into(&S::log, &S::Log::level), {"debug", "info", "warning", "error"}},
                {"log.format", Kind::text, "json", into(&S::log, &S::Log::format), {"json", "text"}}});
}

void add_later_facilities(std::vector<Rule>& rules) {
  rules.insert(rules.end(), {{"oin.register-url", Kind::text, "https://oinregister.logius.nl/api/v1", no_use},
                             {"oin.api-key", Kind::secret, "", no_use},
                             {"oin.withdrawn", Kind::text, "refuse", no_use, {"refuse", "warn"}},
                             {"oin.poll", Kind::duration, "1h", no_use},
                             {"oidc.issuer", Kind::text, "", no_use},
                             {"oidc.client-id", Kind::text, "schakel", no_use},
                             {"oidc.client-secret", Kind::secret, "", no_use},
                             {"oidc.groups-claim", Kind::text, "groups", no_use},
                             {"spool.path", Kind::text, "", no_use},
                             {"dai.keep-message-id", Kind::boolean, "true", no_use},
                             {"amqp.url", Kind::text, "", no_use},
                             {"amqp.inline-max", Kind::size, "256KiB", no_use},
                             {"kafka.brokers", Kind::list, "", no_use},
                             {"events.enabled", Kind::boolean, "false", no_use},
                             {"events.origin", Kind::text, "", no_use},
                             {"events.type-prefix", Kind::text, "nl.schakel", no_use},
                             {"events.catalogue", Kind::text, "strict", no_use, {"strict", "open"}},
                             {"events.event-max", Kind::size, "1MiB", no_use},
                             {"events.retention", Kind::period, "14d", no_use},
                             {"reports.enabled", Kind::boolean, "false", no_use},
                             {"cpa-register.enabled", Kind::boolean, "false", no_use},
                             {"oin-register.enabled", Kind::boolean, "false", no_use},
                             {"service-register.enabled", Kind::boolean, "false", no_use},
                             {"compliance.enabled", Kind::boolean, "false", no_use},
                             {"mail.relay", Kind::text, "", no_use},
                             {"mail.from", Kind::text, "", no_use},
                             {"mail.tls", Kind::text, "starttls", no_use, {"starttls", "tls", "off"}},
                             {"notice.maintenance-lead-time", Kind::workdays, "10wd", no_use},
                             {"archive.mode", Kind::text, "none", no_use, {"none", "metadata", "full"}},
                             {"telemetry.otlp", Kind::text, "", no_use},
                             {"ldv.endpoint", Kind::text, "", no_use}});
  // Defaults of the per-service settings of wus.md 4.6 and the settings of grote-berichten.md 4.8.
  for (const auto& [name, standard] : std::initializer_list<std::pair<const char*, const char*>>{{"dispatch", "action"},
                                                                                                 {"validate", "both"},
                                                                                                 {"mtom", "off"},
                                                                                                 {"soap-action", "empty"},
                                                                                                 {"to-check", "on"},
                                                                                                 {"duplicates", "pass"},
                                                                                                 {"signature-algorithm", "rsa-sha256"},
                                                                                                 {"digest-algorithm", "sha256"},
                                                                                                 {"encryption-algorithm", "aes256-gcm"},
                                                                                                 {"oaep-digest", "sha256"},
                                                                                                 {"key-ref", "issuerserial"},
                                                                                                 {"message-id-format", "urn-uuid"},
                                                                                                 {"signature-confirmation", "require"},
                                                                                                 {"security-in-be", "reject"},
                                                                                                 {"legacy-cbc", "off"},
                                                                                                 {"legacy-3des", "off"},
                                                                                                 {"retry", "none"}})
    rules.push_back({std::string("wus.") + name, Kind::text, standard, no_use});
  for (const char* name : {"require-from", "reply-to-passthrough", "inclusive-prefixes", "accept-indirect-token",
                           "allow-missing-key-encipherment", "pass-unsecured-detail"})
    rules.push_back({std::string("wus.") + name, Kind::boolean, "false", no_use});
  rules.insert(rules.end(), {{"wus.to-oin", Kind::boolean, "true", no_use},
                             {"wus.extra-headers", Kind::list, "", no_use},
                             {"wus.mtom-threshold", Kind::size, "1024", no_use},
                             {"wus.max-size", Kind::size, "32MiB", no_use},
                             {"wus.duplicate-window", Kind::duration, "24h", no_use},
                             {"wus.timestamp-ttl", Kind::duration, "300s", no_use},
                             {"wus.skew-future", Kind::duration, "300s", no_use},
                             {"wus.skew-past", Kind::duration, "60s", no_use},
                             {"wus.backend-timeout", Kind::duration, "30s", no_use},
                             {"wus.timeout", Kind::duration, "60s", no_use},
                             {"gb.threshold", Kind::size, "20MiB", no_use},
                             {"gb.max-file-size", Kind::size, "1TiB", no_use},
                             {"gb.checksum", Kind::text, "SHA256", no_use},
                             {"gb.min-checksum", Kind::text, "none", no_use},
                             {"gb.expiry-days", Kind::integer, "14", no_use, {}, 1, 3650},
                             {"gb.expiry-grace", Kind::duration, "1h", no_use},
                             {"gb.gone-status", Kind::integer, "404", no_use, {"404", "410"}},
                             {"gb.parallel", Kind::integer, "1", no_use, {}, 1, 64},
                             {"gb.push-part-size", Kind::size, "1GiB", no_use},
                             {"gb.push-wait", Kind::duration, "15m", no_use},
                             {"gb.push-response", Kind::boolean, "true", no_use},
                             {"gb.orphan-upload-ttl", Kind::duration, "7d", no_use},
                             {"gb.retry-window", Kind::duration, "5d", no_use},
                             {"gb.quarantine-days", Kind::integer, "14", no_use, {}, 1, 3650},
                             {"gb.server-oin-check", Kind::text, "enforce", no_use},
                             {"gb.strict", Kind::boolean, "false", no_use},
                             {"gb.connect-timeout", Kind::duration, "15s", no_use},
                             {"gb.idle-timeout", Kind::duration, "60s", no_use},
                             {"gb.delete-on-confirm", Kind::boolean, "false", no_use},
                             {"gb.duplicates", Kind::text, "flag", no_use},
                             // "*" stands for the name of an FSC group.
                             {"fsc.*.group-id", Kind::text, "", no_use},
                             {"fsc.*.anchors", Kind::text, "", no_use},
                             {"fsc.*.directories", Kind::list, "", no_use},
                             {"fsc.*.manager-address", Kind::text, "", no_use},
                             {"fsc.*.inway-addresses", Kind::list, "", no_use},
                             {"fsc.*.token-lifetime", Kind::duration, "300s", no_use},
                             {"fsc.*.grants-max", Kind::integer, "10", no_use, {}, 1, 1000},
                             {"fsc.*.log-retention", Kind::period, "400d", no_use}});
}

const std::vector<Rule>& table() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all;
    add_core(all);
    add_later_facilities(all);
    return all;
  }();
  return rules;
}

// --- reading one value ---------------------------------------------------------------------------------------------------------

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::text:
      return "a text";
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "a whole number";
    case Kind::duration:
      return "a duration as text: a number and ms, s, m, h or d (\"30s\")";
    case Kind::period:
      return "a period as text: a number and s, m, h, d, mo or y (\"13mo\")";
    case Kind::workdays:
      return "a period as text: a number and h, d, wd or mo (\"10wd\")";
    case Kind::size:
      return "a size: bytes, or a text with KiB, MiB, GiB or TiB (\"64MiB\")";
    case Kind::list:
      return "a list of texts";
    case Kind::map:
      return "a table of texts";
    case Kind::secret:
      return "a reference to a secret: \"file:…\" or \"env:NAME\"";
    case Kind::database_url:
      return "\"sqlite:path\", \"postgresql://…\", \"file:…\" or \"env:NAME\"";
  }
  return "";
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> size_of(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> units{
      {{"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}, {"TiB", 1LL << 40}}};
  std::int64_t unit = 1;
  for (const auto& [suffix, octets] : units)
    if (text.ends_with(suffix)) {
      unit = octets;
      text.remove_suffix(suffix.size());
      break;
    }
  const auto number = whole_number(text);
  if (!number || *number < 0 || *number > (1LL << 53) / unit) return std::nullopt;
  return *number * unit;
}

std::optional<CalendarDuration> period_of(std::string_view text) {
  for (const auto& [suffix, months] : {std::pair{std::string_view("mo"), 1}, std::pair{std::string_view("y"), 12}}) {
    if (!text.ends_with(suffix)) continue;
    const auto number = whole_number(text.substr(0, text.size() - suffix.size()));
    if (!number || *number < 0 || *number > 1200) return std::nullopt;
    return CalendarDuration{.months = static_cast<int>(*number) * months, .rest = Duration{0}, .negative = false};
  }
  auto fixed = parse_duration(text);
  if (!fixed) return std::nullopt;
  return CalendarDuration{.months = 0, .rest = *fixed, .negative = false};
}

bool is_workdays(std::string_view text) {
  if (text.ends_with("wd")) return whole_number(text.substr(0, text.size() - 2)).has_value();
  return period_of(text).has_value();
}

bool is_secret_reference(std::string_view text) {
  return text.empty() || (text.starts_with("file:") && text.size() > 5) || (text.starts_with("env:") && text.size() > 4);
}

bool is_database_url(std::string_view text) {
  return (text.starts_with("sqlite:") && text.size() > 7) || text.starts_with("postgresql://") || text.starts_with("postgres://") ||
         (!text.empty() && is_secret_reference(text));
}

List split_commas(std::string_view text) {
  List items;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto item = trim(text.substr(0, comma));
    if (!item.empty()) items.emplace_back(item);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return items;
}

// From the text of a variable or a default.
std::optional<Value> value_from_text(Kind kind, std::string_view text) {
  switch (kind) {
    case Kind::text:
      return Value(std::string(text));
    case Kind::boolean:
      if (text == "true" || text == "false") return Value(text == "true");
      return std::nullopt;
    case Kind::integer:
      if (auto number = whole_number(text)) return Value(*number);
      return std::nullopt;
    case Kind::duration:
      if (auto duration = parse_duration(text)) return Value(*duration);
      return std::nullopt;
    case Kind::period:
      if (auto period = period_of(text)) return Value(*period);
      return std::nullopt;
    case Kind::workdays:
      if (is_workdays(text)) return Value(std::string(text));
      return std::nullopt;
    case Kind::size:
      if (auto size = size_of(text)) return Value(*size);
      return std::nullopt;
    case Kind::list:
      return Value(split_commas(text));
    case Kind::map:
      if (text.empty()) return Value(Map{});
      return std::nullopt;
    case Kind::secret:
      if (is_secret_reference(text)) return Value(std::string(text));
      return std::nullopt;
    case Kind::database_url:
      if (is_database_url(text)) return Value(std::string(text));
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Value> value_from_node(Kind kind, const toml::node& node) {
  switch (kind) {
    case Kind::boolean:
      if (const auto* boolean = node.as_boolean()) return Value(boolean->get());
      return std::nullopt;
    case Kind::integer:
      if (const auto* integer = node.as_integer()) return Value(integer->get());
      return std::nullopt;
    case Kind::size:
      if (const auto* integer = node.as_integer()) return integer->get() >= 0 ? std::optional(Value(integer->get())) : std::nullopt;
      break;
    case Kind::list: {
      const auto* array = node.as_array();
      if (!array) return std::nullopt;
      List items;
      for (const auto& item : *array) {
        if (!item.is_string()) return std::nullopt;
        items.push_back(item.as_string()->get());
      }
      return Value(std::move(items));
    }
    case Kind::map: {
      const auto* members = node.as_table();
      if (!members) return std::nullopt;
      Map map;
      for (const auto& [name, item] : *members) {
        if (!item.is_string()) return std::nullopt;
        map.emplace(std::string(name.str()), item.as_string()->get());
      }
      return Value(std::move(map));
    }
    default:
      break;
  }
  const auto* text = node.as_string();
  return text ? value_from_text(kind, text->get()) : std::nullopt;
}

// --- rules of one value ----------------------------------------------------------------------------------------------------------

std::string joined(const std::vector<std::string>& items, std::string_view separator = ", ") {
  std::string text;
  for (const auto& item : items) text.append(text.empty() ? "" : separator).append(item);
  return text;
}

std::optional<std::string> out_of_bounds(const Rule& rule, const Value& value) {
  if (!rule.choices.empty()) {
    const auto* number = std::get_if<std::int64_t>(&value);
    const auto text = number ? std::to_string(*number) : std::get<std::string>(value);
    if (std::ranges::find(rule.choices, text) == rule.choices.end()) return "allowed: " + joined(rule.choices);
  }
  if (!rule.min) return std::nullopt;
  const bool is_duration = std::holds_alternative<Duration>(value);
  const std::int64_t unit = is_duration ? 1'000'000 : 1;
  const std::int64_t number = is_duration ? std::get<Duration>(value).count() : std::get<std::int64_t>(value);
  if (number >= *rule.min * unit && number <= *rule.max * unit) return std::nullopt;
  return "allowed: " + std::to_string(*rule.min) + " to " + std::to_string(*rule.max) + (is_duration ? " seconds" : "");
}

bool is_node_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool is_url_path(std::string_view path) {
  return path.size() > 1 && path.front() == '/' && path.back() != '/' && path.find("//") == std::string_view::npos &&
         std::ranges::all_of(
             path, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '-' || c == '_' || c == '.'; });
}

// Forms that no Kind expresses.
std::optional<std::string> wrong_form(const Rule& rule, const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text) return std::nullopt;
  if (rule.key.starts_with("listeners.") && rule.key.ends_with(".bind") && !split_address(*text))
    return "expected address:port, for instance \"127.0.0.1:10443\"";
  const bool is_proxy = rule.key == "http-client.proxy" || rule.key == "crl.proxy";
  if (is_proxy && !text->empty() && !text->starts_with("http://")) return "expected an address that begins with http://";
  if (rule.key == "node.name" && !is_node_name(*text)) return "expected 1 to 32 of a-z, 0-9 and -";
  if (rule.key == "ebms.path" && !is_url_path(*text)) return "expected a path that begins with /, for instance \"/ebms\"";
  return std::nullopt;
}

// --- the walk over the file ---------------------------------------------------------------------------------------------------------

// "fsc.*.anchors" for "fsc.demo.anchors".
std::string pattern_of(const std::string& key) {
  if (!key.starts_with("fsc.")) return key;
  const auto dot = key.find('.', 4);
  return dot == std::string::npos ? "fsc.*" : "fsc.*" + key.substr(dot);
}

const Rule* rule_of(const std::string& key) {
  const auto pattern = pattern_of(key);
  const auto found = std::ranges::find(table(), pattern, &Rule::key);
  return found == table().end() ? nullptr : &*found;
}

bool is_section(const std::string& key) {
  const auto prefix = pattern_of(key) + ".";
  return std::ranges::any_of(table(), [&](const Rule& rule) { return rule.key.starts_with(prefix); });
}

// The names that may stand directly below `section` ("" for the top).
std::vector<std::string> names_below(const std::string& section) {
  const auto prefix = section.empty() ? std::string() : pattern_of(section) + ".";
  std::vector<std::string> names;
  for (const auto& rule : table()) {
    if (!rule.key.starts_with(prefix)) continue;
    const auto rest = rule.key.substr(prefix.size());
    auto name = rest.substr(0, rest.find('.'));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

class Check {
 public:
  Check(std::string_view name, std::string_view directory) : name_(name) {
    checked_.settings.directory = directory;
    for (const auto& rule : table()) assign(rule, *value_from_text(rule.kind, rule.standard), "default", rule.key);
  }

  void file(std::string_view text) {
    try {  // the library of the distribution is built with exceptions
      section(toml::parse(text, name_), "");
    } catch (const toml::parse_error& error) {
      checked_.faults.push_back(fault(std::string(error.description()), at(error.source())));
    }
  }

  void environment(const Environment& variables) {
    for (const auto& [name, text] : variables) {
      if (!name.starts_with("SCHAKEL_") || name.find("__") == std::string::npos) continue;
      const auto* rule = rule_of_variable(name);
      if (!rule) {
        checked_.faults.push_back(fault("no setting has this name", name));
        continue;
      }
      if (rule->kind == Kind::map) {
        checked_.faults.push_back(fault(rule->key + " can only be given in the file", name));
        continue;
      }
      take(*rule, value_from_text(rule->kind, text), name, rule->key);
    }
  }

  Checked finish() {
    whole();
    auto& settings = checked_.settings;
    for (const auto& key : order_) checked_.effective.push_back({key, shown_.at(key).first, shown_.at(key).second});
    if (checked_.faults.empty() && is_secret_reference(settings.database.url)) {
      auto url = Secret{absolute(settings.database.url)}.read();
      if (!url)
        checked_.faults.push_back(fault("database.url: " + url.error().detail, shown_.at("database.url").second));
      else
        settings.database.url = *url;
    }
    settings.database.url = absolute(settings.database.url);
    settings.storage.master_key.reference = absolute(settings.storage.master_key.reference);
    settings.ebms.facade_key.reference = absolute(settings.ebms.facade_key.reference);
    settings.dai.key.reference = absolute(settings.dai.key.reference);
    for (auto& [name, listener] : settings.listeners) listener.passphrase.reference = absolute(listener.passphrase.reference);
    return std::move(checked_);
  }

 private:
  std::string at(const toml::source_region& region) const { return std::string(name_) + ":" + std::to_string(region.begin.line); }

  void section(const toml::table& members, const std::string& prefix) {
    for (const auto& [name, node] : members) {
      const auto key = prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
      const auto where = at(name.source());
      if (const auto* rule = rule_of(key)) {
        take(*rule, value_from_node(rule->kind, node), where, key);
      } else if (key == "fsc" || is_section(key)) {
        if (const auto* below = node.as_table())
          section(*below, key);
        else
          checked_.faults.push_back(fault(key + " is a table", where));
      } else {
        const auto allowed = names_below(prefix);
        checked_.faults.push_back(fault(
            "unknown key " + for_log(key) + "; " + (prefix.empty() ? "tables: " : "keys of " + prefix + ": ") + joined(allowed), where));
      }
    }
  }

  void take(const Rule& rule, std::optional<Value> value, const std::string& where, const std::string& key) {
    if (!value) {
      checked_.faults.push_back(fault(key + ": expected " + std::string(name_of(rule.kind)), where));
      return;
    }
    for (const auto& wrong : {out_of_bounds(rule, *value), wrong_form(rule, *value)})
      if (wrong) {
        checked_.faults.push_back(fault(key + ": " + *wrong, where));
        return;
      }
    assign(rule, *value, where, key);
  }

  void assign(const Rule& rule, const Value& value, std::string_view source, const std::string& key) {
    rule.set(checked_.settings, value);
    if (key.find('*') != std::string::npos) return;
    if (!shown_.contains(key)) order_.push_back(key);
    shown_[key] = {shown(rule.kind, value), std::string(source)};
  }

  // A JSON string is a TOML basic string.
  static std::string quoted(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  static std::string shown(Kind kind, const Value& value) {
    struct Print {
      Kind kind;
      std::string operator()(std::monostate) const { return "\"\""; }
      std::string operator()(const std::string& text) const { return quoted(kind == Kind::database_url ? without_password(text) : text); }
      std::string operator()(bool boolean) const { return boolean ? "true" : "false"; }
      std::string operator()(std::int64_t number) const { return std::to_string(number); }
      std::string operator()(Duration duration) const {
        const auto ms = duration.count() / 1000;
        return ms % 1000 == 0 ? quoted(std::to_string(ms / 1000) + "s") : quoted(std::to_string(ms) + "ms");
      }
      std::string operator()(const CalendarDuration& period) const {
        return period.months != 0 ? quoted(std::to_string(period.months) + "mo") : (*this)(period.rest);
      }
      std::string operator()(const List& list) const {
        std::string text = "[";
        for (const auto& item : list) text.append(text.size() > 1 ? ", " : "").append(quoted(item));
        return text + "]";
      }
      std::string operator()(const Map& map) const {
        std::string text = "{";
        for (const auto& [name, item] : map) text.append(text.size() > 1 ? ", " : " ").append(quoted(name) + " = " + quoted(item));
        return text + (map.empty() ? "}" : " }");
      }
    };
    return std::visit(Print{kind}, value);
  }

  static std::string without_password(std::string url) {
    const auto scheme = url.find("://");
    const auto at = url.find('@');
    if (scheme == std::string::npos || at == std::string::npos) return url;
    const auto colon = url.find(':', scheme + 3);
    if (colon == std::string::npos || colon > at) return url;
    return url.replace(colon + 1, at - colon - 1, "***");
  }

  static const Rule* rule_of_variable(std::string_view name) {
    for (const auto& rule : table()) {
      std::string variable = "SCHAKEL_";
      for (const char c : rule.key) {
        if (c == '.')
          variable += "__";
        else
          variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      }
      if (variable == name) return &rule;
    }
    return nullptr;
  }

  std::string source_of(const std::string& key) const { return shown_.at(key).second; }
  bool is_given(const std::string& key) const { return source_of(key) != "default"; }

  std::string absolute(const std::string& reference) const {
    for (const std::string_view scheme : {"file:", "sqlite:"}) {
      if (!reference.starts_with(scheme)) continue;
      const auto path = std::string_view(reference).substr(scheme.size());
      if (path.starts_with('/') || path.starts_with(':')) return reference;
      return std::string(scheme) + checked_.settings.resolve(path);
    }
    return reference;
  }

  // What no single value shows.
  void whole() {
    const auto& settings = checked_.settings;
    // ADP-900: a cluster needs PostgreSQL.
    if (settings.database.url.starts_with("sqlite:"))
      for (const std::string key : {"cluster.heartbeat", "cluster.lease"})
        if (is_given(key))
          checked_.faults.push_back(fault(key + ": a cluster needs PostgreSQL; database.url names SQLite", source_of(key)));
    // The heartbeat must be missed twice before a node is dead.
    if (settings.cluster.lease < 2 * settings.cluster.heartbeat)
      checked_.faults.push_back(fault("cluster.lease: must be at least twice cluster.heartbeat", source_of("cluster.lease")));
    if (settings.production() && settings.ebms.insecure_transport)
      checked_.faults.push_back(
          fault("ebms.insecure-transport: only in the environment test (EB-001)", source_of("ebms.insecure-transport")));
    one_address_per_trust();
    for (const auto& [name, listener] : settings.listeners) one_listener(listener);
    if (settings.storage.payloads != "database")
      checked_.faults.push_back(fault("storage.payloads: this release keeps payloads in the database only", source_of("storage.payloads")));
  }

  void one_listener(const Listener& listener) {
    const auto wrong = [&](std::string_view key, const std::string& why) {
      const auto full = "listeners." + listener.name + "." + std::string(key);
      checked_.faults.push_back(fault(full + ": " + why, source_of(full)));
    };
    if (listener.offload && listener.name != "external") wrong("offload", "only the external listener knows its peers by certificate");
    // SEC-051: who can reach a listener that believes a header decides who can be anybody.
    const bool is_loopback = listener.address.starts_with("127.") || listener.address == "::1";
    if (listener.offload && !is_loopback && listener.proxy_certificate.empty())
      wrong("offload", "needs a bind address of loopback, or proxy-certificate (SEC-051)");
    if (!listener.offload && !listener.proxy_certificate.empty()) wrong("proxy-certificate", "has no meaning without offload");
    if (listener.certificate.empty() != listener.key.empty()) wrong("key", "certificate and key are given together");
    if (listener.tls == "none" && !listener.certificate.empty()) wrong("certificate", "has no meaning while tls is \"none\"");
  }

  // README section 12: a listener without client certificates never shares address and port with one that requires them.
  void one_address_per_trust() {
    std::map<std::pair<std::string, unsigned short>, const Listener*> seen;
    for (const auto& [name, listener] : checked_.settings.listeners) {
      if (!listener.enabled || listener.port == 0) continue;
      const auto [other, is_new] = seen.emplace(std::pair{listener.address, listener.port}, &listener);
      if (is_new) continue;
      const auto is_partner = [](const Listener& l) { return l.name == "external" || l.name == "fsc-inway"; };
      if (is_partner(listener) && is_partner(*other->second)) continue;
      const auto key = "listeners." + name + ".bind";
      checked_.faults.push_back(fault(key + ": the listener " + other->second->name + " has this address too", source_of(key)));
    }
  }

  std::string_view name_;
  Checked checked_;
  std::vector<std::string> order_;
  std::map<std::string, std::pair<std::string, std::string>> shown_;
};

}  // namespace

Result<std::string> Secret::read() const {
  if (reference.starts_with("env:")) {
    const auto name = reference.substr(4);
    const char* value = std::getenv(name.c_str());
    if (!value || !*value) return fail("config.secret", "the environment variable " + name + " is not set");
    return std::string(value);
  }
  if (!reference.starts_with("file:")) return fail("config.secret", "no secret is configured");
  const auto path = reference.substr(5);
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("config.secret", "the file " + path + " cannot be read");
  std::string text(std::istreambuf_iterator<char>(file), {});
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return fail("config.secret", "the file " + path + " is empty");
  return text;
}

std::string Settings::resolve(std::string_view path) const {
  if (path.empty() || path.front() == '/') return std::string(path);
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

Environment process_environment() {
  Environment variables;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

Checked check(std::string_view toml, std::string_view name, std::string_view directory, const Environment& variables) {
  Check check(name, directory);
  check.file(toml);
  check.environment(variables);
  return check.finish();
}

Checked check_file(const std::string& path, const Environment& variables) {
  std::error_code ignored;
  const auto directory = std::filesystem::absolute(path, ignored).parent_path().string();
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path, ignored)) {
    Checked checked;
    checked.faults.push_back(fault("the configuration file cannot be read", path));
    return checked;
  }
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return check(text, path, directory, variables);
}

}  // namespace schakel::config
