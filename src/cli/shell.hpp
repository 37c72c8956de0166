// What a command may touch: streams, environment variables, clock, randomness, and the node's API. Given by main(); tests give their own.
//
// The Shell owns nothing. One thread.
#pragma once

#include <functional>
#include <istream>
#include <map>
#include <memory>
#include <ostream>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"
#include "cli/api.hpp"
#include "cli/failure.hpp"

namespace schakel::cli {

struct Shell {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;  // progress is shown only then
  std::map<std::string, std::string> environment;
  const Clock& clock;
  Random& random;
  // Makes the client of a node's API. Nothing is sent before the first request.
  std::function<Outcome<std::unique_ptr<Api>>(const ApiAccess&)> connect;
  // Lets time pass.
  std::function<void(Duration)> sleep;
  // Takes SIGTERM and SIGINT from here on, and gives a function that waits for one. To be called before threads exist.
  std::function<std::function<void()>()> hold_stop;
};

}  // namespace schakel::cli
