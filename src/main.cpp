// The program `schakel`.
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <thread>

#include "cli/http_api.hpp"
#include "cli/program.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX names it, no header of glibc declares it without _GNU_SOURCE

namespace {

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> variables;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry(*at);
    if (const auto equals = entry.find('='); equals != std::string_view::npos)
      variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

std::function<void()> hold_stop() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return [signals] {
    int signal = 0;
    ::sigwait(&signals, &signal);
  };
}

}  // namespace

int main(int argc, char** argv) {
  const schakel::SystemClock clock;
  schakel::SystemRandom random;
  schakel::cli::Shell shell{
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
      .environment = environment(),
      .clock = clock,
      .random = random,
      .connect = [&clock](const schakel::cli::ApiAccess& access) { return schakel::cli::connect_over_http(access, clock); },
      .sleep = [](schakel::Duration time) { std::this_thread::sleep_for(time); },
      .hold_stop = hold_stop};
  return schakel::cli::run(std::vector<std::string>(argv + 1, argv + argc), shell);
}
