// One measured figure, as `./dev bench` prints and stores it.
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

typedef struct evp_pkey_st EVP_PKEY;

namespace schakel::bench {

struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
  double limit = 0;  // the machine's own limit for this, measured in the same run; 0: none
};

// Prints one JSON object per line on standard output.
void print(const Figure&);

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Of this thread's own time, so that neighbours count little.
inline double processor_seconds() {
  timespec at{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

template <class Operation>
double per_second(const Operation& operation) {
  constexpr double seconds_each = 0.2;
  const double begin = processor_seconds();
  int count = 0;
  for (; processor_seconds() - begin < seconds_each; ++count) operation();
  return count / (processor_seconds() - begin);
}

constexpr int rounds = 5;  // the best counts: other programs only ever make it slower

// Operations per second on one core. Both in turn, so that both meet the same neighbours.
template <class Ours, class Limit>
Figure figure(std::string name, const Ours& ours, const Limit& limit) {
  Figure out{std::move(name), 0, "/s", 0};
  for (int round = 0; round < rounds; ++round) {
    out.value = std::max(out.value, per_second(ours));
    out.limit = std::max(out.limit, per_second(limit));
  }
  return out;
}

template <class Operation>
Figure figure(std::string name, const Operation& operation) {
  Figure out{std::move(name), 0, "/s", 0};
  for (int round = 0; round < rounds; ++round) out.value = std::max(out.value, per_second(operation));
  return out;
}

// RSA with SHA-256 by OpenSSL alone: the limit of everything that signs.
Bytes raw_signature(EVP_PKEY*, BytesView text);

std::vector<Figure> store_figures(const std::string& folder);
std::vector<Figure> tls_figures(const std::string& folder);
std::vector<Figure> rsa_figures();
std::vector<Figure> xmldsig_figures();
std::vector<Figure> xmlenc_figures();
std::vector<Figure> wus_figures();
std::vector<Figure> xmlsec1_figures();  // WUS exchanges; empty without libxmlsec1
std::vector<Figure> digest_figures(const std::string& folder);

}  // namespace schakel::bench
