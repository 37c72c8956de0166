// wus call: one call of a partner's WUS service through the node (wus.md 1.12, 3.7).
#include <array>
#include <filesystem>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "cli/nouns.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t call_bytes_max = 32 * limits::MiB;
constexpr std::array fault_columns = {Column{"fault", "fault.faultcode"}, Column{"text", "fault.faultstring"},
                                      Column{"DK code", "fault.dkCode"}, Column{"detail", "fault.detailXml"},
                                      Column{"signed by the partner", "fault.authenticated"}};

struct CallOptions : Online {
  std::string contract, operation, file = "-", to_oin, out;
  std::vector<std::string> attachments;
};
void declare_call(CLI::App& command, CallOptions& options) {
  command.add_option("CONTRACT", options.contract, "id or name of a contract of kind wsdl with role consumer")->required();
  command.add_option("OPERATION", options.operation, "name of the operation")->required();
  command.add_option("FILE", options.file, "the element for the Body, as XML; - is standard input (default)");
  command.add_option("--to-oin", options.to_oin, "OIN of the receiver (default: the partner's of the contract)")->option_text("OIN");
  command.add_option("--attachment", options.attachments, "octets for the xop:Include with href=\"cid:ID\"; may be repeated")
      ->option_text("ID=FILE");
  command
      .add_option("--out", options.out,
                  "existing folder for the attachments of the answer, each under its id; without it they are in the element")
      ->option_text("FOLDER");
}

Outcome<Json> read_attachments(Shell& shell, const std::vector<std::string>& given) {
  auto list = Json::array();
  for (const auto& one : given) {
    const auto equals = one.find('=');
    if (equals == std::string::npos || equals == 0) return wrong_usage("--attachment " + one + " is not ID=FILE");
    SCHAKEL_TRY(const auto octets, read_file(shell, one.substr(equals + 1), call_bytes_max));
    list.push_back({{"contentId", one.substr(0, equals)}, {"data", to_base64(octets)}});
  }
  return list;
}

// Puts attachments back where they belong: without a folder the answer is one element.
std::string with_attachments(std::string body, const Json& attachments) {
  for (const auto& attachment : attachments) {
    const auto id = body.find("cid:" + text_at(attachment, "contentId") + "\"");
    const auto begin = body.rfind('<', id), end = body.find('>', id);
    if (id == std::string::npos || begin == std::string::npos || end == std::string::npos) continue;
    body.replace(begin, end + 1 - begin, text_at(attachment, "data"));
  }
  return body;
}

// Ids are the node's own; a name that could lead elsewhere is none of them.
Outcome<> save_attachments(Shell& shell, const std::string& folder, const Json& attachments) {
  for (const auto& attachment : attachments) {
    const auto id = text_at(attachment, "contentId");
    const auto octets = from_base64(text_at(attachment, "data"));
    if (!octets || id.empty() || id.starts_with('.') || id.find('/') != std::string::npos)
      return Failure(Exit::failure, "answer.invalid", "the node answered an attachment that cannot be saved");
    const auto target = (std::filesystem::path(folder) / id).string();
    SCHAKEL_CHECK(write_file(shell, target, *octets, false));
    shell.err << printable(target) << '\n';
  }
  return Exit::ok;
}

// Prints the answer's element; a Fault of the partner is a failure (exit code 1) with its text.
Outcome<> call_service(Shell& shell, Api& api, const CallOptions& options) {
  SCHAKEL_TRY(const auto body, read_file(shell, options.file, call_bytes_max));
  Json request{{"contractId", options.contract}, {"operation", options.operation}, {"body", body}};
  if (!options.to_oin.empty()) request["toOin"] = options.to_oin;
  SCHAKEL_TRY(auto attachments, read_attachments(shell, options.attachments));
  if (!options.out.empty() && !std::filesystem::is_directory(options.out)) return wrong_usage("--out is no existing folder");
  if (!attachments.empty() || !options.out.empty()) request["attachments"] = std::move(attachments);
  auto answer = post(api, "/calls", request);
  if (!answer) {
    auto failure = answer.error();
    if (failure.code == "notFound") failure.advice = "`schakel contract list --kind wsdl` shows the services that can be called";
    if (failure.code == "WUS-C-TLS") failure.advice = "`schakel tls check` looks at the partner's TLS";
    return failure;
  }
  if (options.format != Format::table) {
    print_record(shell.out, options.format, *answer, fault_columns);
  } else if (text_at(*answer, "outcome") == "fault") {
    print_record(shell.out, options.format, *answer, fault_columns);
  } else {
    const auto apart = answer->value("attachments", Json::array());
    if (!options.out.empty()) SCHAKEL_CHECK(save_attachments(shell, options.out, apart));
    const auto element = text_at(*answer, "body");
    shell.out << (options.out.empty() ? with_attachments(element, apart) : element) << "\n";
  }
  return text_at(*answer, "outcome") == "fault" ? Exit::failure : Exit::ok;
}

}  // namespace

void add_wus_commands(Commands& commands) {
  auto& noun = commands.noun("wus", "Services that are called over WUS");
  commands.verb<CallOptions>(noun, "call", "Call an operation and print the answer's element; a Fault of the partner gives exit code 1",
                             "schakel wus call inschrijving vraagInschrijving vraag.xml", declare_call, call_service);
}

}  // namespace schakel::cli
