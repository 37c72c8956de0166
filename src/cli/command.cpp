#include "cli/command.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/bytes.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t api_key_file_bytes_max = 4096;

std::string system_message() {
  return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): the command line has one thread
}

std::string variable(const Shell& shell, const std::string& name) {
  const auto found = shell.environment.find(name);
  return found == shell.environment.end() ? std::string{} : found->second;
}

// SEC-071: a key that others can read is no secret.
Outcome<> check_private(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Failure(Exit::failure, "file.unreadable", path + ": " + system_message());
  if (S_ISREG(status.st_mode) && (status.st_mode & 077U) != 0)
    return Failure(Exit::failure, "SEC.SLEUTEL.RECHTEN", path + " can be read by others than its owner",
                   "chmod 600 " + path + ", and make a new key if others may have seen it");
  return Exit::ok;
}

Outcome<> write_all(int descriptor, std::string_view octets, const std::string& path) {
  while (!octets.empty()) {
    const auto written = ::write(descriptor, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failure(Exit::failure, "file.unwritable", path + ": " + system_message());
    octets.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(descriptor) != 0) return Failure(Exit::failure, "file.unwritable", path + ": " + system_message());
  return Exit::ok;
}

}  // namespace

void declare_output(CLI::App& command, Output& output) {
  const auto read = [&output](const std::string& name) {
    static const std::map<std::string, Format> names{{"table", Format::table}, {"json", Format::json}, {"csv", Format::csv}};
    const auto found = names.find(name);
    if (found == names.end()) throw CLI::ValidationError("--output", "must be table, json or csv");
    output.format = found->second;
  };
  command.add_option_function<std::string>("--output", read, "table, json or csv")->option_text("FORMAT")->group("Output");
  command
      .add_flag_callback(
          "--json", [&output] { output.format = Format::json; }, "the same as --output json")
      ->group("Output");
}

void declare_connection(CLI::App& command, Connection& connection) {
  command.add_option("--url", connection.url, "address of the node's admin listener (SCHAKEL_URL; default http://127.0.0.1:8081)")
      ->option_text("URL")
      ->group("Node");
  command.add_option("--ca-file", connection.ca_file, "CAs besides the system's for an https address (SCHAKEL_CA_FILE)")
      ->option_text("FILE")
      ->group("Node");
  command.add_option("--api-key-file", connection.api_key_file, "file with the API key; without it SCHAKEL_API_KEY counts")
      ->option_text("FILE")
      ->group("Node");
}

void declare_config(CLI::App& command, ConfigFile& file) {
  command.add_option("--config", file.config, "configuration file (default schakel.toml)")->option_text("FILE")->group("Node");
}

Outcome<ApiAccess> access_from(const Shell& shell, const Connection& connection) {
  ApiAccess access{.url = connection.url};
  if (access.url.empty()) access.url = variable(shell, "SCHAKEL_URL");
  if (access.url.empty()) access.url = "http://127.0.0.1:8081";
  while (access.url.ends_with('/')) access.url.pop_back();
  if (!access.url.starts_with("http://") && !access.url.starts_with("https://"))
    return wrong_usage("the address of the node must begin with http:// or https://");
  const auto ca_file = connection.ca_file.empty() ? variable(shell, "SCHAKEL_CA_FILE") : connection.ca_file;
  if (!ca_file.empty()) {
    std::ifstream file(ca_file, std::ios::binary);
    if (!file) return Failure(Exit::failure, "file.unreadable", ca_file + " cannot be read");
    access.ca_pem.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (connection.api_key_file.empty()) {
    access.api_key = variable(shell, "SCHAKEL_API_KEY");
    return access;
  }
  SCHAKEL_CHECK(check_private(connection.api_key_file));
  std::ifstream file(connection.api_key_file, std::ios::binary);
  if (!file) return Failure(Exit::failure, "file.unreadable", connection.api_key_file + " cannot be read");
  std::string text(api_key_file_bytes_max, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  access.api_key = std::string(trim(text));
  if (access.api_key.empty() || access.api_key.find_first_of(" \t\r\n") != std::string::npos)
    return Failure(Exit::failure, "file.unreadable", connection.api_key_file + " does not hold one API key");
  return access;
}

CLI::App& Commands::noun(const std::string& name, const std::string& description) {
  auto* noun = root.add_subcommand(name, description);
  noun->require_subcommand(1);
  return *noun;
}

CLI::App& Commands::add(CLI::App& noun, const std::string& name, const std::string& description, const std::string& example) {
  auto* command = noun.add_subcommand(name, description);
  command->footer("Example:\n  " + example);
  return *command;
}

Outcome<std::string> read_file(Shell& shell, const std::string& path, std::size_t bytes_max) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) return Failure(Exit::failure, "file.unreadable", path + " cannot be read");
  }
  std::istream& source = path == "-" ? shell.in : file;
  std::string octets;
  std::string chunk(64 * 1024, '\0');
  while (source.read(chunk.data(), static_cast<std::streamsize>(chunk.size())), source.gcount() > 0) {
    octets.append(chunk, 0, static_cast<std::size_t>(source.gcount()));
    if (octets.size() > bytes_max)
      return Failure(Exit::failure, "file.tooLarge", path + " is larger than " + std::to_string(bytes_max) + " bytes");
  }
  // A directory opens but cannot be read.
  if (source.bad()) return Failure(Exit::failure, "file.unreadable", path + " cannot be read");
  return octets;
}

Outcome<> write_file(Shell& shell, const std::string& path, std::string_view octets, bool force, bool secret) {
  if (path.empty() || path == "-") {
    shell.out << octets;
    shell.out.flush();
    return Exit::ok;
  }
  struct stat status {};
  const bool there = ::lstat(path.c_str(), &status) == 0;
  if (there && !force) return Failure(Exit::failure, "file.exists", path + " exists already");
  if (there && !S_ISREG(status.st_mode)) {  // a device or a pipe: written where it is
    std::ofstream device(path, std::ios::binary);
    device << octets;
    return device.flush() ? Outcome<>(Exit::ok) : Failure(Exit::failure, "file.unwritable", path + " cannot be written");
  }
  const auto beside = path + ".new";
  const int descriptor = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, secret ? 0600 : 0644);
  if (descriptor < 0) return Failure(Exit::failure, "file.unwritable", path + ": " + system_message());
  auto written = write_all(descriptor, octets, path);
  ::close(descriptor);
  if (written && ::rename(beside.c_str(), path.c_str()) != 0)
    written = Failure(Exit::failure, "file.unwritable", path + ": " + system_message());
  if (!written) ::unlink(beside.c_str());
  return written;
}

}  // namespace schakel::cli
