// A child process with its output in a file; killed with the object.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace schakel::integration {

using Steady = std::chrono::steady_clock;

// How much longer than on an idle machine things may take: a test that waits for something fails late rather than wrongly.
inline constexpr int patience = 6;

// Looks again every few milliseconds until `condition` holds. False after `at_most`, with patience.
template <class Condition>
bool becomes(Condition condition, std::chrono::milliseconds at_most) {
  const auto until = Steady::now() + patience * at_most;
  while (!condition()) {
    if (Steady::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

class Process {
 public:
  Process(std::vector<std::string> arguments, const std::string& output) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing outlives the test program
    const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC); nothing >= 0) ::dup2(nothing, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    std::vector<char*> words;
    for (auto& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ~Process() { kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number) const {
    if (!exit_) ::kill(pid_, number);
  }
  // SIGKILL, and waits for the end.
  void kill() {
    signal(SIGKILL);
    wait(std::chrono::seconds(10));
  }
  // The exit code, 128 + signal, or nullopt when it still runs.
  std::optional<int> wait(std::chrono::milliseconds at_most) {
    becomes([&] { return poll(); }, at_most);
    return exit_;
  }
  bool running() { return !poll(); }
  // Of /proc/PID/status: "VmRSS" (memory now), "VmHWM" (most ever), in KiB.
  long memory_kib(const std::string& name) const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string word; status >> word;) {
      if (word != name + ":") continue;
      long kib = 0;
      status >> kib;
      return kib;
    }
    return -1;
  }

 private:
  bool poll() {
    if (exit_) return true;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
    exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
  }

  pid_t pid_ = -1;
  std::optional<int> exit_;
};

}  // namespace schakel::integration
