// wus call: one call of a partner's WUS service through the node (wus.md 1.12, 3.7).
#include <array>

#include "base/limits.hpp"
#include "cli/nouns.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t call_bytes_max = 32 * limits::MiB;
constexpr std::array fault_columns = {Column{"fault", "fault.faultcode"}, Column{"text", "fault.faultstring"},
                                      Column{"DK code", "fault.dkCode"}, Column{"detail", "fault.detailXml"},
                                      Column{"signed by the partner", "fault.authenticated"}};

struct CallOptions : Online {
  std::string contract, operation, file = "-", to_oin;
};
void declare_call(CLI::App& command, CallOptions& options) {
  command.add_option("CONTRACT", options.contract, "id or name of a contract of kind wsdl with role consumer")->required();
  command.add_option("OPERATION", options.operation, "name of the operation")->required();
  command.add_option("FILE", options.file, "the element for the Body, as XML; - is standard input (default)");
  command.add_option("--to-oin", options.to_oin, "OIN of the receiver (default: the partner's of the contract)")->option_text("OIN");
}

// Prints the answer's element; a Fault of the partner is a failure (exit code 1) with its text.
Outcome<> call_service(Shell& shell, Api& api, const CallOptions& options) {
  SCHAKEL_TRY(const auto body, read_file(shell, options.file, call_bytes_max));
  Json request{{"contractId", options.contract}, {"operation", options.operation}, {"body", body}};
  if (!options.to_oin.empty()) request["toOin"] = options.to_oin;
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
    shell.out << text_at(*answer, "body") << "\n";
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
