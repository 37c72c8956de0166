// The form that imports the description of a WUS service: its settings and its documents (adapter.md 2.1.3).
#pragma once

#include <string>
#include <vector>

#include "cli/api.hpp"
#include "cli/shell.hpp"

namespace schakel::cli {

// `documents`: paths, the WSDL with the binding first; each goes by its file name. `settings`: path of a JSON object, - is standard input.
// Errors: of files; usage when the settings are no JSON object or two documents have one name.
Outcome<ApiRequest> service_upload(Shell&, const std::string& path, const std::string& name, const std::vector<std::string>& documents,
                                   const std::string& settings);

}  // namespace schakel::cli
