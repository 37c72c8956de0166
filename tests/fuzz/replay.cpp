// Runs a fuzz target over its corpus, and over each entry cut short and with single octets changed: a fixed, quick part of fuzzing for
// every test run.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size);

namespace {

void feed(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::size_t entries = 0, inputs = 0;
  feed("");
  if (std::filesystem::is_directory(argv[1])) {
    for (const auto& file : std::filesystem::directory_iterator(argv[1])) {
      std::ifstream in(file.path(), std::ios::binary);
      const std::string input{std::istreambuf_iterator<char>(in), {}};
      ++entries;
      feed(input);
      const std::size_t stride = input.size() / 200 + 1;
      for (std::size_t at = 0; at < input.size(); at += stride, inputs += 2) {
        feed(input.substr(0, at));
        auto changed = input;
        changed[at] = static_cast<char>(changed[at] ^ static_cast<char>(1 << (at % 8)));
        feed(changed);
      }
    }
  }
  std::printf("%zu corpus entries, %zu variations\n", entries, inputs);
  return entries > 0 ? 0 : 1;  // a target without a corpus tests nothing
}
