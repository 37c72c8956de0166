// The deterministic simulator: several MSHs with their stores in virtual time, under one seed.
//
// What is real: the ebMS2 core, the contracts, the store and its SQL on SQLite. What is simulated: the clock, randomness, the network
// (drops, duplicates, delays, reorders, cuts), and crashes between any two durable steps. A node keeps its database over a crash; what was
// not committed is lost. The same seed gives the same run, step by step.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "cpa/contracts.hpp"
#include "ebms/msh.hpp"
#include "sql/database.hpp"

namespace schakel::simulation {

// What goes wrong, drawn from the seed: each run is hostile in its own way.
struct Weather {
  double drop = 0;        // the request never arrives
  double cut = 0;         // the request arrives, the answer is lost
  double duplicate = 0;   // the network delivers the request twice
  Duration delay_max{0};  // of each crossing: reorders by itself
  double crash_before_commit = 0, crash_after_commit = 0;
  Duration down_max{0};  // how long a crashed node is gone
  double partition = 0;  // chance per minute that a node cannot be reached for a while
};

struct Faults {
  std::uint64_t dropped = 0, cut = 0, duplicated = 0, delayed = 0, crashes = 0, partitions = 0;
  std::uint64_t total() const { return dropped + cut + duplicated + delayed + crashes + partitions; }
};

struct Verdict {
  std::vector<std::string> violations;  // empty: every invariant held
  Faults faults;
  std::uint64_t messages = 0, delivered = 0, expired = 0, failed = 0, ordered = 0, steps = 0;  // ordered: handed over in their turn
};

// Runs one seed to its end: traffic under bad weather, then good weather until nothing is left to do, then the invariants.
// With `trace` every step goes to standard error.
Verdict run(std::uint64_t seed, bool trace = false);

}  // namespace schakel::simulation
