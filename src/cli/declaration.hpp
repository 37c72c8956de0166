// What `apply` reads and does: one declared object at a time, compared with the node's and changed only where it differs.
#pragma once

#include <string>
#include <vector>

#include "cli/api.hpp"
#include "cli/shell.hpp"

namespace schakel::cli {

enum class DeclaredKind { tenant, contract, url_mapping, mandate, webhook };  // also the order in which they are applied

struct Declaration {
  DeclaredKind kind = DeclaredKind::contract;
  Json members;        // as the API names them
  std::string folder;  // of the document: where relative paths begin
  std::string source;  // "voorbeeldstad.toml webhooks[0]"
};

// Every document of a folder, or one file: TOML (kebab-case) or JSON (camelCase). All faults of form are found before anything is done.
// Errors: "file.unreadable", "declaration.invalid".
Outcome<std::vector<Declaration>> read_declarations(const std::string& path);

// What was done with one declaration: {action: created|changed|unchanged, kind, name, changes[]}.
Json step(std::string_view action, const Declaration&, std::string name, const Json& changed_members = Json::object());

// All kinds but tenants, which live in the database (apply_commands.cpp). With `dry_run` the node is only read.
Outcome<Json> apply_declaration(Shell&, Api&, const Declaration&, bool dry_run);

}  // namespace schakel::cli
