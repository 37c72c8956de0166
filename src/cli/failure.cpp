#include "cli/failure.hpp"

#include <array>

#include "cli/output.hpp"

namespace schakel::cli {
namespace {

// A code, or an area when it ends in a dot. The first line that fits counts.
struct Meaning {
  std::string_view code;
  Exit exit;
  std::string_view advice;
};

constexpr std::array meanings = std::to_array<Meaning>({
    {"usage", Exit::usage, "`schakel --help` lists the commands; every command has --help with an example"},
    {"config.secret", Exit::failure, "make the file or the variable that the reference names, readable by this user only"},
    {"config.", Exit::usage, "`schakel config show` prints every key with its value and where that comes from"},
    {"notFound", Exit::not_found, "the `list` command of the same noun shows what exists for this API key"},
    {"auth.missing", Exit::not_allowed, "set SCHAKEL_API_KEY, or give --api-key-file FILE"},
    {"auth.invalid", Exit::not_allowed,
     "the key is unknown, expired, revoked or used from a network that it is not bound to: ask for another one (`schakel api-key create`)"},
    {"auth.forbidden", Exit::not_allowed, "use an API key with a role that has this permission (`schakel api-key list`)"},
    {"auth.", Exit::not_allowed, ""},
    {"mandate.missing", Exit::not_allowed, "`schakel mandate add` records that one organisation may act for another"},
    {"contract.notAuthorised", Exit::not_allowed, ""},
    {"contract.invalid", Exit::findings, "mend the document; `schakel contract validate FILE` repeats the check without a node"},
    {"contract.unknown", Exit::failure, "`schakel contract list` shows the contracts of this tenant"},
    {"contract.ambiguous", Exit::failure, "name one of them with --contract"},
    {"contract.suspended", Exit::failure, "`schakel contract activate` opens it again"},
    {"contract.inUse", Exit::failure, "`schakel contract retire` stops new traffic; delete it when its messages are final"},
    {"state.conflict", Exit::failure, "`schakel message show` gives the present state; `schakel message trace` how it came about"},
    {"payload.purged", Exit::failure, "the octets are gone; only their SHA-256 is kept"},
    {"version.conflict", Exit::failure, "somebody else changed it in the meantime: look at it and run the command again"},
    {"message.tooLarge", Exit::failure, "send it by Grote Berichten, or agree a higher threshold in the contract"},
    {"message.duplicateId", Exit::failure, "leave --message-id away, and an id is made"},
    {"request.inProgress", Exit::failure, "the first request with this idempotency key still runs: try again in a second"},
    {"node.draining", Exit::failure, "the node is stopping or drained: use another one, or `schakel node resume`"},
    {"node.nameInUse", Exit::failure, "a running node has this name: give this one another `name` in [node]"},
    {"quota.", Exit::failure, "wait, or ask the administrator of the installation for more"},
    {"storage.unavailable", Exit::failure, "check that the database runs and has room; nothing was lost"},
    {"transport.connect", Exit::failure, "is the node running (`schakel serve`)? --url or SCHAKEL_URL says where it listens"},
    {"transport.dns", Exit::failure, "check the host name in --url or SCHAKEL_URL"},
    {"transport.timeout", Exit::failure, "the node did not answer in time: look at its log and at /health/ready"},
    {"file.exists", Exit::failure, "give another file, or --force"},
});

}  // namespace

static const Meaning* meaning_of(std::string_view code) {
  for (const auto& meaning : meanings)
    if (meaning.code.back() == '.' ? code.starts_with(meaning.code) : code == meaning.code) return &meaning;
  return nullptr;
}

Exit exit_for(std::string_view code) {
  const auto* meaning = meaning_of(code);
  return meaning != nullptr ? meaning->exit : Exit::failure;
}

std::string_view advice_for(std::string_view code) {
  const auto* meaning = meaning_of(code);
  return meaning != nullptr ? meaning->advice : std::string_view{};
}

std::string describe(const Failure& failure) {
  std::string text = "schakel: ";
  if (!failure.location.empty()) text += printable(failure.location) + ": ";
  text += printable(failure.detail.empty() ? failure.code : failure.detail);
  if (!failure.code.empty() && failure.code != "usage" && !failure.detail.empty()) text += " (" + printable(failure.code) + ")";
  text += '\n';
  for (const auto& line : failure.particulars) text += "  - " + printable(line) + '\n';
  const auto advice = failure.advice.empty() ? advice_for(failure.code) : std::string_view(failure.advice);
  if (!advice.empty()) text += "  next: " + printable(advice) + '\n';
  return text;
}

}  // namespace schakel::cli
