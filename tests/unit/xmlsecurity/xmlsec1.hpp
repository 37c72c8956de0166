// The other implementation: Debian's xmlsec1, as a program over files in a folder of its own.
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "base/bytes.hpp"

namespace schakel::xmlsecurity::test {

class Xmlsec1 {
 public:
  Xmlsec1() {
    std::string name = (std::filesystem::temp_directory_path() / "schakel-xmlsec-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
  }
  ~Xmlsec1() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Xmlsec1(const Xmlsec1&) = delete;
  Xmlsec1& operator=(const Xmlsec1&) = delete;

  static bool installed() { return std::system("xmlsec1 --version >/dev/null 2>&1") == 0; }

  std::string file(const std::string& name, BytesView content) const {
    const auto path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  // Whether it succeeded; what it wrote to --output, and what it said otherwise.
  bool run(const std::string& command, const std::string& arguments) {
    const auto output = (folder_ / "output").string(), said = (folder_ / "said").string();
    std::filesystem::remove(output);
    const bool ok =
        std::system(("xmlsec1 " + command + " --output " + output + ' ' + arguments + " >" + said + " 2>&1 </dev/null").c_str()) == 0;
    output_ = read(output);
    said_ = read(said);
    return ok;
  }
  const Bytes& output() const { return output_; }
  const std::string& said() const { return said_; }

 private:
  static Bytes read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path folder_;
  Bytes output_;
  std::string said_;
};

}  // namespace schakel::xmlsecurity::test
