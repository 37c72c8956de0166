// A command line without a process: arguments in; exit code, both outputs and the requests that the node would have seen out.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.hpp"

namespace schakel::cli {

class FixedClock final : public Clock {
 public:
  Instant now() const override { return at; }
  Instant at{std::chrono::seconds(1'790'000'000)};
};

class CountingRandom final : public Random {
 public:
  void fill(std::span<unsigned char> out) override {
    for (auto& octet : out) octet = next_++;
  }

 private:
  unsigned char next_ = 1;
};

// Answers with a function, and keeps what was asked.
class FakeApi final : public Api {
 public:
  using Handler = std::function<Result<ApiResponse>(const ApiRequest&)>;
  FakeApi(Handler handler, std::vector<ApiRequest>& seen) : handler_(std::move(handler)), seen_(seen) {}
  Result<ApiResponse> send(const ApiRequest& request) override {
    seen_.push_back(request);
    return handler_(request);
  }

 private:
  Handler handler_;
  std::vector<ApiRequest>& seen_;
};

inline ApiResponse answer(unsigned status, const Json& body = Json(), http::Headers headers = {}) {
  return {status, std::move(headers), body.is_null() ? std::string{} : body.dump()};
}

inline ApiResponse problem_answer(unsigned status, const std::string& code, const std::string& detail, Json members = Json::object()) {
  members["type"] = "urn:schakel:problem:" + code;
  members["code"] = code;
  members["status"] = status;
  members["title"] = code;
  members["detail"] = detail;
  return answer(status, members, {{"Content-Type", "application/problem+json"}});
}

class Terminal : public ::testing::Test {
 protected:
  Terminal() {
    auto name = (std::filesystem::temp_directory_path() / "schakel-cli-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    folder = name;
  }
  ~Terminal() override { std::filesystem::remove_all(folder); }

  int run(const std::vector<std::string>& arguments) {
    out.str({});
    err.str({});
    std::istringstream in(input);
    Shell shell{.in = in,
                .out = out,
                .err = err,
                .err_is_terminal = false,
                .environment = environment,
                .clock = clock,
                .random = random,
                .connect = [this](const ApiAccess& given) -> Outcome<std::unique_ptr<Api>> {
                  access = given;
                  return std::unique_ptr<Api>(std::make_unique<FakeApi>(node, requests));
                },
                .sleep = [this](Duration time) { slept += time; },
                .hold_stop = [this] { return while_serving; }};
    return cli::run(arguments, shell);
  }

  std::string file(const std::string& name, const std::string& content) {
    const auto path = (folder / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  static std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path folder;
  std::ostringstream out, err;
  std::string input;
  std::map<std::string, std::string> environment;
  FixedClock clock;
  CountingRandom random;
  ApiAccess access;
  Duration slept{};
  std::function<void()> while_serving = [] {};
  FakeApi::Handler node = [](const ApiRequest&) -> Result<ApiResponse> { return fail("transport.connect", "no node listens"); };
  std::vector<ApiRequest> requests;
};

}  // namespace schakel::cli
