// Payload files on their way to and from the node.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "cli/api.hpp"
#include "cli/shell.hpp"

namespace schakel::cli {

// "FILE" or "FILE;type=MEDIA/TYPE"; without a type the name's ending decides, else application/octet-stream. Error "file.unreadable".
Outcome<FilePart> file_part(const std::string& argument);

// A line with percentages that is written over, at most once per percent.
std::function<void(std::uint64_t sent, std::uint64_t total)> progress_on(std::ostream&);

// Fetches the octets below `path` in ranges to `target` ("" or "-": standard output), and checks them against `size` and `sha256` of the
// descriptor. An incomplete or wrong file does not stay. Errors: "payload.damaged", "file.exists", "file.unwritable", the node's.
Outcome<> fetch_payload(Shell&, Api&, const std::string& path, const Json& descriptor, const std::string& target, bool force);

}  // namespace schakel::cli
