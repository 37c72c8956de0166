#include "cli/declaration.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/limits.hpp"
#include "cli/command.hpp"
#include "xml/document.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t list_items_max = 100'000;
constexpr std::string_view cpa_namespace = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd";

struct KindName {
  DeclaredKind kind;
  std::string_view array, name;  // member of a document; word for people
};
constexpr std::array kinds = {
    KindName{DeclaredKind::tenant, "tenants", "tenant"}, KindName{DeclaredKind::contract, "contracts", "contract"},
    KindName{DeclaredKind::url_mapping, "urlMappings", "url-mapping"}, KindName{DeclaredKind::mandate, "mandates", "mandate"},
    KindName{DeclaredKind::webhook, "webhooks", "webhook"}};

Failure invalid(const std::string& source, std::string detail) {
  Failure failure(Exit::usage, "declaration.invalid", std::move(detail), "`schakel apply --help` shows what a document looks like");
  failure.location = source;
  return failure;
}

// --- reading ---------------------------------------------------------------------------------------------------------------------

std::string camel_case(std::string_view kebab) {
  std::string name;
  bool up = false;
  for (const char c : kebab) {
    if (c == '-') {
      up = true;
      continue;
    }
    name += up && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    up = false;
  }
  return name;
}

Json as_json(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, value] : *table) object[camel_case(key.str())] = as_json(value);
    return object;
  }
  if (const auto* array = node.as_array()) {
    Json list = Json::array();
    for (const auto& item : *array) list.push_back(as_json(item));
    return list;
  }
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto flag = node.value_exact<bool>()) return *flag;
  if (const auto number = node.value_exact<std::int64_t>()) return *number;
  if (const auto number = node.value_exact<double>()) return *number;
  std::ostringstream time;  // dates and times of TOML are RFC 3339
  node.visit([&time](const auto& value) {
    if constexpr (toml::is_chronological<decltype(value)>) time << value.get();
  });
  return time.str();
}

Outcome<Json> parse_document(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::file_size(path, error) > limits::json_bytes_max || error)
    return Failure(Exit::failure, "file.unreadable", path.string() + " cannot be read, or is larger than 1 MiB");
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (path.extension() == ".json") {
    auto json = Json::parse(text, nullptr, false);
    return json.is_object() ? Outcome<Json>(std::move(json)) : invalid(path.filename().string(), "is not a JSON object");
  }
  try {
    return as_json(toml::parse(text));
  } catch (const toml::parse_error& fault) {
    return invalid(path.filename().string() + ":" + std::to_string(fault.source().begin.line), std::string(fault.description()));
  }
}

Outcome<> add_declarations(const std::filesystem::path& path, std::vector<Declaration>& declarations) {
  SCHAKEL_TRY(const auto document, parse_document(path));
  for (const auto& [member, items] : document.items()) {
    const auto* kind = std::find_if(kinds.begin(), kinds.end(), [&name = member](const KindName& known) { return known.array == name; });
    if (kind == kinds.end())
      return invalid(path.filename().string(), "\"" + member + "\" is not one of tenants, contracts, url-mappings, mandates, webhooks");
    if (!items.is_array()) return invalid(path.filename().string(), "\"" + member + "\" is not an array");
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto source = path.filename().string() + " " + member + "[" + std::to_string(i) + "]";
      if (!items[i].is_object()) return invalid(source, "is not a table");
      declarations.push_back({kind->kind, items[i], path.parent_path().string(), source});
    }
  }
  return Exit::ok;
}

std::string text(const Declaration& declaration, const char* member) {
  return text_at(declaration.members, member);
}

Outcome<> check(const Declaration& declaration) {
  const auto needs = [&](std::initializer_list<const char*> members) -> Outcome<> {
    for (const auto* member : members)
      if (!declaration.members.contains(member)) return invalid(declaration.source, std::string(member) + " is missing");
    return Exit::ok;
  };
  switch (declaration.kind) {
    case DeclaredKind::tenant:
      return needs({"slug", "name", "oins"});
    case DeclaredKind::contract:
      for (const auto& [member, value] : declaration.members.items())
        if (member != "file" && member != "activate" && member != "settings")
          return invalid(declaration.source, "\"" + member + "\" is not one of file, activate, settings");
      return needs({"file"});
    case DeclaredKind::url_mapping:
      return needs({"source", "destination"});
    case DeclaredKind::mandate:
      return needs({"mandatorOin", "mandataryOin", "scope", "validFrom"});
    case DeclaredKind::webhook:
      return needs({"url", "types", "secretFile"});
  }
  return Exit::ok;
}

// --- comparing -------------------------------------------------------------------------------------------------------------------

bool same_value(const Json& wanted, const Json& present) {
  if (wanted == present) return true;
  if (!wanted.is_string() || !present.is_string()) return false;
  // The same moment may be written in another way.
  const auto a = parse_datetime(wanted.get<std::string>());
  const auto b = parse_datetime(present.get<std::string>());
  return a && b && a->has_zone && b->has_zone && a->instant == b->instant;
}

// Members of `wanted` that `present` has otherwise.
Json differing(const Json& wanted, const Json& present) {
  Json patch = Json::object();
  for (const auto& [member, value] : wanted.items())
    if (!present.contains(member) || !same_value(value, present[member])) patch[member] = value;
  return patch;
}

const Json* find_item(const Json& items, const Json& wanted, std::initializer_list<const char*> key) {
  for (const auto& item : items)
    if (std::all_of(key.begin(), key.end(), [&](const char* member) {
          return text_at(item, member) == text_at(wanted, member) ||
                 (item.contains(member) && wanted.contains(member) && same_value(wanted[member], item[member]));
        }))
      return &item;
  return nullptr;
}

// --- each kind -------------------------------------------------------------------------------------------------------------------

std::string beside(const Declaration& declaration, const std::string& path) {
  return (std::filesystem::path(declaration.folder) / path).string();
}

Outcome<std::string> cpa_id_of(const std::string& document, const std::string& file) {
  SCHAKEL_TRY(
      const auto parsed,
      xml::Document::parse(document, {.bytes_max = limits::cpa_bytes_max, .depth_max = limits::cpa_depth_max, .utf16_allowed = true}));
  const auto id = parsed.root().attribute(cpa_namespace, "cpaid");
  if (!id || id->empty()) return Failure(Exit::findings, "contract.invalid", file + " is no CPA: it has no cpaid");
  return *id;
}

Outcome<Json> apply_contract(Shell& shell, Api& api, const Declaration& declaration, bool dry_run) {
  SCHAKEL_TRY(const auto document, read_file(shell, beside(declaration, text(declaration, "file")), limits::cpa_bytes_max));
  SCHAKEL_TRY(const auto cpa_id, cpa_id_of(document, text(declaration, "file")));
  const bool wants_active = declaration.members.value("activate", false);
  SCHAKEL_TRY(const auto found, get_list(api, cli::Query().add("kind", "cpa").add("cpaId", cpa_id).on("/contracts"), 1));
  Json patch = Json::object();
  auto path = found.empty() ? std::string{} : "/contracts/" + percent_encoded(text_at(found[0], "id"));
  bool active = !found.empty() && text_at(found[0], "state") == "active";
  bool same = false;
  if (!found.empty()) {
    SCHAKEL_TRY(const auto present, call(api, {.path = path + "/document"}));
    same = present.body == document;
  }
  if (!same) patch["document"] = true;
  if (wants_active && !active) patch["state"] = true;
  const auto settings = differing(declaration.members.value("settings", Json::object()),
                                  found.empty() ? Json::object() : found[0].value("settings", Json::object()));
  if (!settings.empty()) patch["settings"] = true;
  const auto* action = found.empty() ? "created" : patch.empty() ? "unchanged" : "changed";
  if (dry_run || patch.empty()) return step(action, declaration, cpa_id, patch);
  if (!same) {
    SCHAKEL_TRY(const auto response, call(api, {.method = "POST",
                                                .path = found.empty() ? "/contracts" : "/contracts?overwrite=true",
                                                .body = document,
                                                .content_type = "application/xml"}));
    SCHAKEL_TRY(const auto contract, parse_body(response));
    path = "/contracts/" + percent_encoded(text_at(contract, "id"));
    active = text_at(contract, "state") == "active";
  }
  // Before it becomes active: some settings decide whether it may.
  if (!settings.empty()) SCHAKEL_CHECK(change(api, "PATCH", path, "", {{"settings", settings}}));
  if (wants_active && !active) SCHAKEL_CHECK(change(api, "POST", path, "/_activate", Json()));
  return step(action, declaration, cpa_id, patch);
}

// POST with an existing key replaces.
Outcome<Json> apply_url_mapping(Api& api, const Declaration& declaration, bool dry_run) {
  SCHAKEL_TRY(const auto present, get_list(api, "/url-mappings", list_items_max));
  const auto* found = find_item(present, declaration.members, {"source", "cpaId"});
  const auto patch = found == nullptr ? declaration.members : differing(declaration.members, *found);
  const auto* action = found == nullptr ? "created" : patch.empty() ? "unchanged" : "changed";
  if (!dry_run && !patch.empty()) SCHAKEL_CHECK(post(api, "/url-mappings", declaration.members));
  return step(action, declaration, text(declaration, "source"), patch);
}

// Who may act for whom never changes under one id: another scope or beginning is another mandate.
Outcome<Json> apply_mandate(Api& api, const Declaration& declaration, bool dry_run) {
  auto wanted = declaration.members;
  if (!wanted.contains("direction")) wanted["direction"] = "both";
  SCHAKEL_TRY(const auto present, get_list(api, "/mandates", list_items_max));
  const auto name = text_at(wanted, "mandatorOin") + " -> " + text_at(wanted, "mandataryOin") + " " + text_at(wanted, "scope");
  const auto* found = find_item(present, wanted, {"mandatorOin", "mandataryOin", "scope", "direction", "validFrom"});
  if (found == nullptr) {
    auto body = wanted;
    const bool revoked = text_at(body, "status") == "revoked";
    if (revoked) return step("unchanged", declaration, name);  // it is not there, as it should be
    body.erase("status");
    if (!dry_run) SCHAKEL_CHECK(post(api, "/mandates", body));
    return step("created", declaration, name, wanted);
  }
  const auto patch = differing(wanted, *found);
  if (!dry_run && !patch.empty()) SCHAKEL_CHECK(change(api, "PATCH", "/mandates/" + percent_encoded(text_at(*found, "id")), "", patch));
  return step(patch.empty() ? "unchanged" : "changed", declaration, name, patch);
}

Outcome<Json> apply_webhook(Shell& shell, Api& api, const Declaration& declaration, bool dry_run) {
  auto wanted = declaration.members;
  const auto secret_file = beside(declaration, text_at(wanted, "secretFile"));
  wanted.erase("secretFile");
  const auto name = text_at(wanted, "url");
  SCHAKEL_TRY(const auto present, get_list(api, "/webhooks", list_items_max));
  const auto* found = find_item(present, wanted, {"url"});
  if (found != nullptr) {
    const auto patch = differing(wanted, *found);
    if (!dry_run && !patch.empty()) SCHAKEL_CHECK(change(api, "PATCH", "/webhooks/" + percent_encoded(text_at(*found, "id")), "", patch));
    return step(patch.empty() ? "unchanged" : "changed", declaration, name, patch);
  }
  if (std::filesystem::exists(secret_file))
    return Failure(Exit::failure, "file.exists", secret_file + " exists already, and would hold the secret of the new webhook",
                   "move it away");
  if (!dry_run) {
    SCHAKEL_TRY(const auto webhook, post(api, "/webhooks", wanted));
    SCHAKEL_CHECK(write_file(shell, secret_file, text_at(webhook, "secret") + "\n", false, true));
  }
  return step("created", declaration, name, wanted);
}

}  // namespace

Json step(std::string_view action, const Declaration& declaration, std::string name, const Json& changed_members) {
  Json changes = Json::array();
  for (const auto& [member, value] : changed_members.items()) changes.push_back(member);
  return {{"action", action},
          {"kind", kinds.at(static_cast<std::size_t>(declaration.kind)).name},
          {"name", std::move(name)},
          {"changes", changes}};
}

Outcome<std::vector<Declaration>> read_declarations(const std::string& path) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    for (const auto& entry : std::filesystem::directory_iterator(path, error))
      if (entry.path().extension() == ".toml" || entry.path().extension() == ".json") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  } else {
    files.emplace_back(path);
  }
  if (error || (files.size() == 1 && !std::filesystem::exists(files[0])))
    return Failure(Exit::failure, "file.unreadable", path + " cannot be read");
  std::vector<Declaration> declarations;
  for (const auto& file : files) SCHAKEL_CHECK(add_declarations(file, declarations));
  for (const auto& declaration : declarations) SCHAKEL_CHECK(check(declaration));
  std::stable_sort(declarations.begin(), declarations.end(), [](const Declaration& a, const Declaration& b) { return a.kind < b.kind; });
  return declarations;
}

Outcome<Json> apply_declaration(Shell& shell, Api& api, const Declaration& declaration, bool dry_run) {
  switch (declaration.kind) {
    case DeclaredKind::tenant:
      break;
    case DeclaredKind::contract:
      return apply_contract(shell, api, declaration, dry_run);
    case DeclaredKind::url_mapping:
      return apply_url_mapping(api, declaration, dry_run);
    case DeclaredKind::mandate:
      return apply_mandate(api, declaration, dry_run);
    case DeclaredKind::webhook:
      return apply_webhook(shell, api, declaration, dry_run);
  }
  return invalid(declaration.source, "tenants are not reached over the API");
}

}  // namespace schakel::cli
