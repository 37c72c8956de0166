// Programs in tests that are judged by the JDK: compiled in a folder of their own, and run.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "base/bytes.hpp"

namespace schakel::test {

class Jdk {
 public:
  static bool installed() { return std::system("java --version >/dev/null 2>&1 && javac --version >/dev/null 2>&1") == 0; }

  Jdk() {
    std::string name = (std::filesystem::temp_directory_path() / "schakel-jdk-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for the JDK");
    folder_ = name;
  }
  ~Jdk() { std::filesystem::remove_all(folder_); }
  Jdk(const Jdk&) = delete;
  Jdk& operator=(const Jdk&) = delete;

  bool compile(const std::string& source, const std::string& options = {}) {
    return shell("javac " + options + "-d " + folder_.string() + ' ' + source);
  }
  // For a command line: its name and a space.
  std::string file(const std::string& name, BytesView content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return (folder_ / name).string() + ' ';
  }
  // The first line that it prints. `arguments`: options of the JVM, the class, its arguments.
  std::string run(const std::string& arguments) {
    shell("java -cp " + folder_.string() + ' ' + arguments);
    return said().substr(0, said().find('\n'));
  }
  const std::string& said() const { return said_; }

 private:
  bool shell(const std::string& command) {
    const auto file = folder_ / "said";
    const int code = std::system((command + " >" + file.string() + " 2>&1 </dev/null").c_str());
    std::ifstream in(file);
    said_.assign(std::istreambuf_iterator<char>(in), {});
    return code == 0;
  }

  std::filesystem::path folder_;
  std::string said_;
};

}  // namespace schakel::test
