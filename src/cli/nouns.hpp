// The nouns of the command line (README section 11), each in a file of its own.
#pragma once

#include "cli/command.hpp"

namespace schakel::cli {

void add_version_commands(Commands&);   // version, completion
void add_config_commands(Commands&);    // config
void add_pki_commands(Commands&);       // pki
void add_contract_commands(Commands&);  // contract
void add_compose_command(Commands&, CLI::App& contract);
void add_apply_command(Commands&);
void add_message_commands(Commands&);                          // message
void add_database_commands(Commands&, CLI::App& audit);        // serve, db, tenant, audit verify
void add_operation_commands(Commands&, CLI::App& audit);       // partner, node, mandate, webhook, api-key, certificate, audit list
void add_route_commands(Commands&);                            // route
void add_wus_commands(Commands&);                              // wus
void add_inspection_commands(Commands&, CLI::App& pki);        // pki inspect, tls
void add_certificate_tools(Commands&, CLI::App& certificate);  // certificate csr|check|activate|emergency-rotate

}  // namespace schakel::cli
