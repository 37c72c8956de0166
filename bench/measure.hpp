// One measured figure, as `./dev bench` prints and stores it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

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

std::vector<Figure> store_figures(const std::string& folder);
std::vector<Figure> tls_figures(const std::string& folder);
std::vector<Figure> xmldsig_figures();
std::vector<Figure> xmlenc_figures();

}  // namespace schakel::bench
