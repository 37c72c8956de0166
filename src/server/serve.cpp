#include "server/serve.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "server/node.hpp"

namespace schakel::server {
namespace {

sigset_t block_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// SEC-071: keys are not in core dumps.
void forbid_core_dumps() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

void reload(Node& node, const std::string& config_path, Log& log) {
  auto checked = config::check_file(config_path, config::process_environment());
  for (const auto& fault : checked.faults) log.error("config.invalid", {{"location", fault.location}, {"detail", fault.detail}});
  if (!checked.faults.empty()) return;
  if (const auto reloaded = node.reload(std::move(checked.settings)); !reloaded)
    log.error("node.notReloaded", {{"code", reloaded.error().code}, {"detail", reloaded.error().detail}});
}

// A second signal while draining: the operator does not want to wait.
void end_at_once_on(const sigset_t& signals) {
  std::thread([signals] {
    int signal = 0;
    do {
      ::sigwait(&signals, &signal);
    } while (signal == SIGHUP);
    ::_exit(130);
  }).detach();
}

}  // namespace

Result<> serve(const std::string& config_path, config::Settings settings) {
  auto checked = config::check_file(config_path, config::process_environment());
  checked.settings = settings;
  const auto signals = block_signals();
  forbid_core_dumps();
  const auto log =
      make_log(log_level_from(settings.log.level), settings.log.format == "text" ? LogFormat::text : LogFormat::json, settings.node.name);
  const SystemClock clock;
  SystemRandom random;
  Metrics metrics;
  SCHAKEL_TRY(const auto node, Node::start(std::move(checked), {clock, random, *log, metrics}));
  for (;;) {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal != SIGHUP) break;
    reload(*node, config_path, *log);
  }
  end_at_once_on(signals);
  node->drain();
  return {};
}

}  // namespace schakel::server
