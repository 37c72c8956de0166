// One run of schakel-load: connections that post as fast as they are answered, and what is told of it afterwards.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "load_net.hpp"

namespace schakel::bench {

// Counts events and times those after the warm-up, from the last one of the warm-up to the last one of all.
class Series {
 public:
  Series(long warm_up, long total) : warm_up_(warm_up), total_(total), began_(Clock::now()) {}

  void start() { began_ = Clock::now(); }
  void add() {
    if (++count_ == warm_up_) began_ = Clock::now();
    ended_ = Clock::now();
  }
  bool complete() const { return count_ >= warm_up_ + total_; }
  bool warm() const { return count_ >= warm_up_; }
  long count() const { return count_; }
  double per_second() const;

 private:
  long warm_up_, total_, count_ = 0;
  Clock::time_point began_, ended_;
};

// A whole HTTP request. `id`: empty when nobody asks how long it took elsewhere.
struct Posting {
  std::string octets, id;
};

// Options: port, connections, messages, warm-up, listen, sni, seconds-max, chain, key.
class Run {
 public:
  explicit Run(Options);

  const Options options;
  Loop loop;
  const long all;  // messages to post, with those of the warm-up
  Series answered, acknowledged;

  // On --listen, with two-way TLS.
  void listen_for(std::function<void(Connection&, Http)> on_message);
  // Opens the connections; each posts what `next` gives as soon as the one before is answered. `on_answer` after each.
  void post(bool tls, std::function<Posting()> next, std::function<void(const Http&)> on_answer = {});
  // The node waited for us this long within the request with that id: no latency of its own.
  void not_of_the_node(std::string_view id, Clock::duration);
  // A connection to the node, not ready yet.
  Connection& connect(unsigned short port, bool tls);

  // Runs until `done`; prints the figures as one JSON object.
  void finish(const std::function<bool()>& done);

 private:
  void post_next(Connection&);
  void take_answer(Connection&, const Http&);

  SSL_CTX* client_;
  double cpu_began_ = 0;
  Clock::time_point began_;
  long started_ = 0, refused_ = 0;
  std::function<Posting()> next_;
  std::function<void(const Http&)> on_answer_;
  std::map<std::string, Clock::duration, std::less<>> waited_for_us_;
  std::vector<double> latencies_ms_;
};

bool is_success(const Http& message);
// Head, Content-Length and body.
std::string request(const std::string& head, const std::string& body);

}  // namespace schakel::bench
