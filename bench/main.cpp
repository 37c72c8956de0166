// schakel-bench: the measurements that need no running node. `bench/run` calls it and the load generator, and writes build/bench.json.
#include <cstdio>
#include <filesystem>
#include <string>

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
    std::fprintf(stderr, "usage: schakel-bench store|tls|rsa|xmldsig|xmlenc|digest|wus|xmlsec1 FOLDER\n");
    return 2;
  }
  const std::string part = argv[1], folder = argv[2];
  std::filesystem::create_directories(folder);
  const auto figures = part == "store"     ? store_figures(folder)
                       : part == "tls"     ? tls_figures(folder)
                       : part == "rsa"     ? rsa_figures()
                       : part == "digest"  ? digest_figures(folder)
                       : part == "xmldsig" ? xmldsig_figures()
                       : part == "xmlenc"  ? xmlenc_figures()
                       : part == "xmlsec1" ? xmlsec1_figures()
                                           : wus_figures();
  for (const auto& figure : figures) print(figure);
  return 0;
}
