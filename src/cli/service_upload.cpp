#include "cli/service_upload.hpp"

#include <filesystem>
#include <set>

#include "base/limits.hpp"
#include "base/random.hpp"
#include "cli/command.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t document_bytes_max = 10 * limits::MiB;

// A file name between quotes, as browsers write one.
std::string in_quotes(std::string_view name) {
  std::string out;
  for (const char c : name) out += c == '"' ? "%22" : c == '\r' ? "%0D" : c == '\n' ? "%0A" : std::string(1, c);
  return out;
}

void add_part(std::string& form, const std::string& boundary, const std::string& disposition, std::string_view type,
              std::string_view octets) {
  form.append("--").append(boundary).append("\r\nContent-Disposition: form-data; ").append(disposition);
  form.append("\r\nContent-Type: ").append(type).append("\r\n\r\n").append(octets).append("\r\n");
}

}  // namespace

Outcome<ApiRequest> service_upload(Shell& shell, const std::string& path, const std::string& name,
                                   const std::vector<std::string>& documents, const std::string& settings) {
  SCHAKEL_TRY(const auto text, read_file(shell, settings, limits::json_bytes_max));
  const auto terms = Json::parse(text, nullptr, false);
  if (!terms.is_object()) return wrong_usage(settings + " holds no JSON object");
  SystemRandom random;
  const auto boundary = "schakel-" + uuid_v7(random, shell.clock.now());
  Json contract = Json::object();
  contract["kind"] = "wsdl";
  contract["settings"] = terms;
  if (!name.empty()) contract["name"] = name;
  std::string form;
  std::set<std::string> names;
  for (const auto& document : documents) {
    const auto file_name = std::filesystem::path(document).filename().string();
    if (!names.insert(file_name).second) return wrong_usage("two documents are named " + file_name);
    if (names.size() == 1) {
      contract["main"] = file_name;
      add_part(form, boundary, "name=\"contract\"", "application/json", contract.dump());
    }
    SCHAKEL_TRY(const auto octets, read_file(shell, document, document_bytes_max));
    add_part(form, boundary, "name=\"document\"; filename=\"" + in_quotes(file_name) + "\"", "text/xml", octets);
  }
  form.append("--").append(boundary).append("--\r\n");
  return ApiRequest{.method = "POST", .path = path, .body = std::move(form), .content_type = "multipart/form-data; boundary=" + boundary};
}

}  // namespace schakel::cli
