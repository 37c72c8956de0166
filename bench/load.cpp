// schakel-load: a partner that costs little. One thread, epoll and OpenSSL: posts messages as fast as the node under test answers, or takes
// what the node sends and answers it. It knows just enough HTTP/1.1 for that, so that the figure is the node's and not ours.
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "load_ebms.hpp"
#include "load_wus.hpp"

namespace {

struct Verb {
  std::string_view name;
  int (*run)(const schakel::bench::Options&);
};
constexpr Verb verbs[] = {{"receive", schakel::bench::ebms_receive},
                          {"send", schakel::bench::ebms_send},
                          {"wus-provider", schakel::bench::wus_provider},
                          {"wus-consumer", schakel::bench::wus_consumer}};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a connection that the other side ended is told by the write
  schakel::bench::Options options;
  for (int i = 2; i + 1 < argc; i += 2) options.values[std::string(argv[i]).substr(2)] = argv[i + 1];
  for (const auto& verb : verbs) {
    if (argc < 2 || verb.name != argv[1]) continue;
    try {
      return verb.run(options);
    } catch (const std::exception& problem) {
      schakel::bench::stop(problem.what());
    }
  }
  std::fprintf(stderr,
               "usage: schakel-load receive|send|wus-provider|wus-consumer --port P --head F --body F --chain F --key F [--listen P] "
               "[--messages N] [--connections N] …\n");
  return 2;
}
