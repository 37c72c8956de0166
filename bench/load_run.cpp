#include "load_run.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

namespace schakel::bench {
namespace {

long messages(const Options& options) {
  return options.number("messages", 10'000);
}
long warm_up(const Options& options) {
  return options.number("warm-up", messages(options) / 10);
}

double processor_seconds() {
  timespec at{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

double Series::per_second() const {
  const double seconds = std::chrono::duration<double>(ended_ - began_).count();
  return count_ > warm_up_ && seconds > 0 ? static_cast<double>(count_ - warm_up_) / seconds : 0;
}

bool is_success(const Http& message) {
  return message.head.size() > 12 && message.head[9] == '2';
}

std::string request(const std::string& head, const std::string& body) {
  return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Run::Run(Options given)
    : options(std::move(given)),
      all(messages(options) + warm_up(options)),
      answered(warm_up(options), messages(options)),
      acknowledged(warm_up(options), messages(options)),
      client_(make_context(TLS_client_method(), options)) {}

void Run::listen_for(std::function<void(Connection&, Http)> on_message) {
  if (options.has("listen")) loop.listen(options.port("listen"), make_context(TLS_server_method(), options), std::move(on_message));
}

Connection& Run::connect(unsigned short port, bool tls) {
  const int fd = connect_to(port);
  if (!tls) return loop.add(fd, nullptr, true);
  SSL* ssl = SSL_new(client_);
  SSL_set_fd(ssl, fd);
  auto host = options.get("sni", "localhost");
  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
  SSL_set_connect_state(ssl);
  return loop.add(fd, ssl, true);
}

void Run::post(bool tls, std::function<Posting()> next, std::function<void(const Http&)> on_answer) {
  next_ = std::move(next);
  on_answer_ = std::move(on_answer);
  answered.start();
  acknowledged.start();
  began_ = Clock::now();
  cpu_began_ = processor_seconds();
  for (long i = options.number("connections", 32); i > 0; --i) {
    auto& connection = connect(options.port("port"), tls);
    connection.on_ready = [this](Connection& one) { post_next(one); };
    connection.on_message = [this](Connection& one, const Http& message) { take_answer(one, message); };
  }
}

void Run::post_next(Connection& connection) {
  connection.idle = started_ == all;
  if (connection.idle) return;
  ++started_;
  auto posting = next_();
  connection.asked = std::move(posting.id);
  connection.began = Clock::now();
  connection.send(std::move(posting.octets));
}

void Run::not_of_the_node(std::string_view id, Clock::duration duration) {
  waited_for_us_[std::string(id)] += duration;
}

void Run::take_answer(Connection& connection, const Http& message) {
  if (!is_success(message)) {
    if (++refused_ <= 3) std::fprintf(stderr, "refused: %.300s\n%.600s\n", message.head.c_str(), message.body.c_str());
    if (refused_ > 100) stop("the node refuses our messages");
  }
  auto took = Clock::now() - connection.began;
  if (const auto waited = waited_for_us_.find(connection.asked); waited != waited_for_us_.end()) {
    took -= waited->second;
    waited_for_us_.erase(waited);
  }
  if (answered.warm()) latencies_ms_.push_back(milliseconds(took));
  answered.add();
  if (on_answer_) on_answer_(message);
  post_next(connection);
}

void Run::finish(const std::function<bool()>& done) {
  loop.run(done, Clock::now() + std::chrono::seconds(options.number("seconds-max", 120)));
  const bool complete = done();
  const double cpu = (processor_seconds() - cpu_began_) / std::chrono::duration<double>(Clock::now() - began_).count();
  // The node still waits for our last answers; it would count a connection that breaks now against this partner.
  loop.run([] { return false; }, Clock::now() + std::chrono::milliseconds(300));
  std::sort(latencies_ms_.begin(), latencies_ms_.end());
  const auto percentile = [&](double p) {
    const auto at = static_cast<std::size_t>(p * static_cast<double>(latencies_ms_.size()));
    return latencies_ms_.empty() ? 0 : latencies_ms_[std::min(latencies_ms_.size() - 1, at)];
  };
  std::printf(
      R"({"complete":%s,"answered":%ld,"refused":%ld,"acknowledged":%ld,"rate":%.1f,"ack_rate":%.1f,"p50_ms":%.3f,"p99_ms":%.3f,"cpu":%.2f})"
      "\n",
      complete ? "true" : "false", answered.count(), refused_, acknowledged.count(), answered.per_second(), acknowledged.per_second(),
      percentile(0.5), percentile(0.99), cpu);
}

}  // namespace schakel::bench
