// schakel-bench: the measurements that need no running node. `bench/run` calls it and the load generator, and writes build/bench.json.
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "measure.hpp"

namespace schakel::bench {

void print(const Figure& figure) {
  std::printf(R"({"name":"%s","value":%.2f,"unit":"%s","limit":%.2f,"ratio":%.3f})"
              "\n",
              figure.name.c_str(), figure.value, figure.unit.c_str(), figure.limit, figure.limit > 0 ? figure.value / figure.limit : 0);
}

}  // namespace schakel::bench

int main(int argc, char** argv) {
  using namespace schakel::bench;
  if (argc != 3) {
    std::fprintf(stderr, "usage: schakel-bench store|tls FOLDER\n");
    return 2;
  }
  const std::string folder = argv[2];
  std::filesystem::create_directories(folder);
  const bool store = std::strcmp(argv[1], "store") == 0;
  for (const auto& figure : store ? store_figures(folder) : tls_figures(folder)) print(figure);
  return 0;
}
