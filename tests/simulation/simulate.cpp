// `./dev simulate --seeds N`: runs N seeds, prints seeds per second and the faults injected; a failing seed is named with the command that
// replays it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "simulation/world.hpp"

using namespace schakel;

namespace {

struct Arguments {
  std::uint64_t first = 1, seeds = 2000;
  bool replay = false;
};

bool read(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (i + 1 >= argc) return false;
    const auto value = std::strtoull(argv[++i], nullptr, 10);
    if (name == "--seeds") {
      out.seeds = value;
    } else if (name == "--from") {
      out.first = value;
    } else if (name == "--seed") {
      out = {value, 1, true};
    } else {
      return false;
    }
  }
  return out.seeds > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!read(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: simulate [--seeds N] [--from FIRST] | --seed S   (one seed, with every step on standard error)\n");
    return 2;
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  simulation::Faults faults;
  std::uint64_t failed = 0, messages = 0, delivered = 0, expired = 0, best_effort_failed = 0, ordered = 0, steps = 0;
  for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.seeds; ++seed) {
    const auto verdict = simulation::run(seed, arguments.replay);
    faults.dropped += verdict.faults.dropped;
    faults.cut += verdict.faults.cut;
    faults.duplicated += verdict.faults.duplicated;
    faults.delayed += verdict.faults.delayed;
    faults.crashes += verdict.faults.crashes;
    faults.partitions += verdict.faults.partitions;
    messages += verdict.messages;
    delivered += verdict.delivered;
    expired += verdict.expired;
    best_effort_failed += verdict.failed;
    ordered += verdict.ordered;
    steps += verdict.steps;
    if (!verdict.violations.empty()) {
      ++failed;
      std::printf("seed %llu FAILED   replay: ./dev simulate --seed %llu\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(seed));
      for (const auto& violation : verdict.violations) std::printf("    %s\n", violation.c_str());
      if (failed >= 20) break;
    }
    if (const auto done = seed - arguments.first + 1; done % 500 == 0) {
      std::printf("%6llu seeds  %6.0f seeds/s\n", static_cast<unsigned long long>(done), static_cast<double>(done) / elapsed());
      std::fflush(stdout);
    }
  }
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf(
      "%llu seeds in %.1f s (%.0f seeds/s), %llu steps; %llu messages: %llu delivered, %llu expired, %llu best effort failed; %llu in "
      "order\n",
      number(arguments.seeds), elapsed(), static_cast<double>(arguments.seeds) / elapsed(), number(steps), number(messages),
      number(delivered), number(expired), number(best_effort_failed), number(ordered));
  std::printf("faults injected: %llu (dropped %llu, cut %llu, duplicated %llu, delayed %llu, crashes %llu, partitions %llu)\n",
              number(faults.total()), number(faults.dropped), number(faults.cut), number(faults.duplicated), number(faults.delayed),
              number(faults.crashes), number(faults.partitions));
  std::printf("%s\n", failed == 0 ? "every invariant held" : "some seeds failed");
  return failed == 0 ? 0 : 1;
}
