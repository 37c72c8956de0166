// schakel-load: a partner that costs little. One thread, epoll and OpenSSL: posts ebMS2 messages as fast as the node under test answers, or
// takes what the node sends and acknowledges it. It knows just enough HTTP/1.1 for that, so that the figure is the node's and not ours.
//
//   schakel-load receive …   the node receives: we post messages; with --listen we also take its asynchronous acknowledgements
//   schakel-load send …      the node sends: we submit through its REST API, take its messages on --listen and acknowledge them
//
// Templates hold @ID@ (a fresh 36-character id) and @NOW@ (a timestamp, 20 characters), so every message has the same length;
// acknowledgements hold @REF@ and @CONV@ too, and signed ones @REFERENCES@.
//
// With --sign yes it is a partner of a signed profile, with --recipient (a certificate) of an encrypted one. What it posts is then made
// before the clock runs, each message with its own id and signature; its acknowledgements depend on what comes and are signed while it
// runs, on its own core.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protect.hpp"

namespace {

using schakel::bench::Protection;
using Clock = std::chrono::steady_clock;

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "schakel-load: %s\n", why.c_str());
  std::exit(1);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) stop("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) text.replace(at, what.size(), with);
}

std::string fresh_id() {
  static unsigned long long next = static_cast<unsigned long long>(Clock::now().time_since_epoch().count());
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%08llx-0000-4000-8000-%012llx", (next >> 20) & 0xFFFFFFFFULL, next & 0xFFFFFFFFFFFFULL);
  ++next;
  return out.data();
}

std::string now_text() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> out{};
  std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return out.data();
}

std::string_view between(std::string_view text, std::string_view open, std::string_view close) {
  const auto begin = text.find(open);
  if (begin == std::string_view::npos) return {};
  const auto start = begin + open.size(), end = text.find(close, start);
  return end == std::string_view::npos ? std::string_view() : text.substr(start, end - start);
}

// --- options -----------------------------------------------------------------------------------------------------------------------------

struct Options {
  std::map<std::string, std::string> values;
  const std::string& at(const std::string& name) const {
    const auto found = values.find(name);
    if (found == values.end()) stop("--" + name + " is missing");
    return found->second;
  }
  std::string get(const std::string& name, const std::string& otherwise) const {
    const auto found = values.find(name);
    return found == values.end() ? otherwise : found->second;
  }
  long number(const std::string& name, long otherwise) const {
    const auto found = values.find(name);
    return found == values.end() ? otherwise : std::strtol(found->second.c_str(), nullptr, 10);
  }
};

// --- sockets -----------------------------------------------------------------------------------------------------------------------------

struct Http {
  std::string head, body;
};

class Loop;

// One connection: plain or TLS, client or server; hands whole HTTP messages to `on_message`.
class Connection {
 public:
  Connection(Loop& loop, int fd, SSL* ssl, bool connecting) : loop_(loop), fd_(fd), ssl_(ssl), connecting_(connecting) {}
  ~Connection() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::function<void(Connection&, Http)> on_message;
  std::function<void(Connection&)> on_ready;
  Clock::time_point began;

  int fd() const { return fd_; }
  void send(std::string octets) {
    if (out_.empty()) {
      out_ = std::move(octets);
    } else {
      out_ += octets;
    }
    flush();
  }
  void step();
  bool idle = false;  // nothing is asked and nothing will be: its end matters to nobody

 private:
  bool handshake();
  void flush();
  void receive();
  void deliver();
  void want(std::uint32_t events);
  void closed(const char* what);

  Loop& loop_;
  int fd_;
  SSL* ssl_;
  bool connecting_;
  bool ready_ = false;
  std::string in_, out_;
  std::size_t written_ = 0;
  std::uint32_t wanted_ = 0;
};

class Loop {
 public:
  Loop() : epoll_(epoll_create1(0)) {}
  ~Loop() { ::close(epoll_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Connection& add(int fd, SSL* ssl, bool connecting) {
    auto connection = std::make_unique<Connection>(*this, fd, ssl, connecting);
    auto& out = *connection;
    connections_[fd] = std::move(connection);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    return out;
  }
  void change(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  }
  void remove(int fd) { gone_.push_back(fd); }

  void listen(unsigned short port, SSL_CTX* context, std::function<void(Connection&, Http)> on_message) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 256) != 0)
      stop("cannot listen");
    listen_context_ = context;
    on_accepted_ = std::move(on_message);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener_;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  }

  // Runs until `done` or the deadline.
  void run(const std::function<bool()>& done, Clock::time_point deadline) {
    std::array<epoll_event, 128> events{};
    while (!done() && Clock::now() < deadline) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
          accept_all();
        } else if (const auto found = connections_.find(fd); found != connections_.end()) {
          found->second->step();
        }
      }
      for (const int fd : gone_) connections_.erase(fd);
      gone_.clear();
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      SSL* ssl = SSL_new(listen_context_);
      SSL_set_fd(ssl, fd);
      SSL_set_accept_state(ssl);
      add(fd, ssl, false).on_message = on_accepted_;
    }
  }

  int epoll_;
  int listener_ = -1;
  SSL_CTX* listen_context_ = nullptr;
  std::function<void(Connection&, Http)> on_accepted_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  std::vector<int> gone_;
};

void Connection::want(std::uint32_t events) {
  if (events == wanted_) return;
  wanted_ = events;
  loop_.change(fd_, events);
}

// The node may end a connection that nobody uses.
void Connection::closed(const char* what) {
  if (connecting_ && !idle) {
    ERR_print_errors_fp(stderr);
    stop(std::string("a connection to the node ended: ") + what);
  }
  loop_.remove(fd_);
}

bool Connection::handshake() {
  if (ssl_ == nullptr || SSL_is_init_finished(ssl_)) return true;
  ERR_clear_error();  // SSL_get_error looks at what earlier calls, for other connections too, left behind
  const int code = SSL_do_handshake(ssl_);
  if (code == 1) return true;
  const int error = SSL_get_error(ssl_, code);
  if (error == SSL_ERROR_WANT_READ) {
    want(EPOLLIN);
  } else if (error == SSL_ERROR_WANT_WRITE) {
    want(EPOLLIN | EPOLLOUT);
  } else {
    closed("handshake failed");
  }
  return false;
}

void Connection::step() {
  if (!handshake()) return;
  if (!ready_) {
    ready_ = true;
    want(EPOLLIN);
    if (on_ready) on_ready(*this);
  }
  flush();
  receive();
}

void Connection::flush() {
  while (written_ < out_.size()) {
    const auto left = out_.size() - written_;
    if (ssl_ != nullptr) {
      std::size_t count = 0;
      ERR_clear_error();
      if (SSL_write_ex(ssl_, out_.data() + written_, left, &count) != 1) {
        const int error = SSL_get_error(ssl_, 0);
        if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) return closed("write failed");
        return want(EPOLLIN | EPOLLOUT);
      }
      written_ += count;
    } else {
      const auto count = ::send(fd_, out_.data() + written_, left, MSG_NOSIGNAL);
      if (count < 0) {
        if (errno != EAGAIN) return closed("write failed");
        return want(EPOLLIN | EPOLLOUT);
      }
      written_ += static_cast<std::size_t>(count);
    }
  }
  out_.clear();
  written_ = 0;
  if (ready_) want(EPOLLIN);
}

void Connection::receive() {
  std::array<char, 32768> buffer{};
  for (;;) {
    std::size_t count = 0;
    if (ssl_ != nullptr) {
      ERR_clear_error();
      if (SSL_read_ex(ssl_, buffer.data(), buffer.size(), &count) != 1) {
        const int error = SSL_get_error(ssl_, 0);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) break;
        return closed("read failed");
      }
    } else {
      const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EAGAIN) break;
      if (got <= 0) return closed("read failed");
      count = static_cast<std::size_t>(got);
    }
    in_.append(buffer.data(), count);
  }
  deliver();
}

// The value of a header field, not trimmed; empty when absent. `name` in lower case, with its colon.
std::string_view field(std::string_view head, std::string_view name) {
  const auto lower = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  for (std::size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() > name.size() && std::equal(name.begin(), name.end(), line.begin(), [&](char n, char l) { return lower(l, n); }))
      return line.substr(name.size());
  }
  return {};
}

// A chunked body that begins at `at`, and where it ends; nullopt: not all of it is here. Other implementations send their signals so.
std::optional<std::pair<std::string, std::size_t>> chunked(const std::string& in, std::size_t at) {
  std::string body;
  for (;;) {
    const auto line_end = in.find("\r\n", at);
    if (line_end == std::string::npos) return {};
    const std::size_t size = std::strtoul(in.c_str() + at, nullptr, 16);
    if (in.size() < line_end + 4 + size) return {};
    body.append(in, line_end + 2, size);
    at = line_end + 4 + size;
    if (size == 0) return std::pair(std::move(body), at);
  }
}

void Connection::deliver() {
  for (;;) {
    const auto end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    Http message{in_.substr(0, end), {}};
    std::size_t next = end + 4;
    if (field(message.head, "transfer-encoding:").find("chunked") != std::string_view::npos) {
      auto read = chunked(in_, next);
      if (!read) return;
      message.body = std::move(read->first);
      next = read->second;
    } else {
      const std::size_t length = std::strtoul(std::string(field(message.head, "content-length:")).c_str(), nullptr, 10);
      if (in_.size() < next + length) return;
      message.body = in_.substr(next, length);
      next += length;
    }
    in_.erase(0, next);
    if (on_message) on_message(*this, std::move(message));
  }
}

int connect_to(const std::string& address, unsigned short port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) stop("cannot connect to port " + std::to_string(port));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

SSL_CTX* make_context(const SSL_METHOD* method, const Options& options) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (SSL_CTX_use_certificate_chain_file(context, options.at("chain").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, options.at("key").c_str(), SSL_FILETYPE_PEM) != 1) {
    stop("cannot load our certificate and key");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);  // a load generator measures; it does not judge the node's certificate
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

// --- the two runs
// ---------------------------------------------------------------------------------------------------------------------------

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
  double per_second() const {
    const double seconds = std::chrono::duration<double>(ended_ - began_).count();
    return count_ > warm_up_ && seconds > 0 ? static_cast<double>(count_ - warm_up_) / seconds : 0;
  }

 private:
  long warm_up_, total_, count_ = 0;
  Clock::time_point began_, ended_;
};

std::string filled_in(std::string text, const std::string& id, const std::string& now) {
  replace_all(text, "@ID@", id);
  replace_all(text, "@NOW@", now);
  return text;
}

std::string request(const std::string& head, const std::string& body) {
  return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

bool is_success(const Http& message) {
  return message.head.size() > 12 && message.head[9] == '2';
}

class Run {
 public:
  explicit Run(Options options)
      : options_(std::move(options)),
        now_(now_text()),
        answered_(warm_up(options_), messages(options_)),
        acknowledged_(warm_up(options_), messages(options_)) {
    all_ = messages(options_) + warm_up(options_);
    head_ = read_file(options_.at("head"));
    body_ = read_file(options_.at("body"));
    if (options_.values.contains("sign"))
      protection_ = std::make_unique<Protection>(options_.at("chain"), options_.at("key"), options_.get("recipient", ""));
    if (options_.values.contains("ack-head"))
      ack_head_ = read_file(options_.at("ack-head")), ack_body_ = read_file(options_.at("ack-body"));
  }

  int receive() {
    client_ = make_context(TLS_client_method(), options_);
    listen_for([this](Connection& from, const Http& message) {
      if (message.body.find("Acknowledgment") != std::string::npos) acknowledged_.add();
      from.send("HTTP/1.1 204 No Content\r\n\r\n");
    });
    const bool expect_acks = options_.number("expect-acks", 0) != 0;
    if (protection_)
      for (long i = 0; i < all_; ++i) prepared_.push_back(message(protection_.get()));
    open_posters(true);
    finish([&] { return answered_.complete() && (!expect_acks || acknowledged_.complete()); });
    return 0;
  }

  int send() {
    client_ = make_context(TLS_client_method(), options_);
    const bool sync = options_.number("sync", 0) != 0;
    listen_for([this, sync](Connection& from, const Http& message) { acknowledge(from, message, sync); });
    open_posters(false);
    const bool submit_only = options_.number("submit-only", 0) != 0;
    finish([&] { return answered_.complete() && (submit_only || acknowledged_.complete()); });
    return 0;
  }

 private:
  static long messages(const Options& options) { return options.number("messages", 10'000); }
  static long warm_up(const Options& options) { return options.number("warm-up", messages(options) / 10); }

  void listen_for(std::function<void(Connection&, Http)> on_message) {
    if (!options_.values.contains("listen")) return;
    loop_.listen(static_cast<unsigned short>(options_.number("listen", 0)), make_context(TLS_server_method(), options_),
                 std::move(on_message));
  }

  SSL* client_ssl(int fd) {
    SSL* ssl = SSL_new(client_);
    SSL_set_fd(ssl, fd);
    auto host = options_.get("sni", "localhost");
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
    SSL_set_connect_state(ssl);
    return ssl;
  }

  void open_posters(bool tls) {
    answered_.start();
    acknowledged_.start();
    const long count = options_.number("connections", 32);
    for (long i = 0; i < count; ++i) {
      const int fd = connect_to("127.0.0.1", static_cast<unsigned short>(options_.number("port", 0)));
      auto& connection = loop_.add(fd, tls ? client_ssl(fd) : nullptr, true);
      connection.on_ready = [this](Connection& one) { post(one); };
      connection.on_message = [this](Connection& one, const Http& message) { answered(one, message); };
    }
  }

  void post(Connection& connection) {
    connection.idle = started_ == all_;
    if (connection.idle) return;
    ++started_;
    connection.began = Clock::now();
    if (prepared_.empty()) return connection.send(message(nullptr));
    auto octets = std::move(prepared_.front());
    prepared_.pop_front();
    connection.send(std::move(octets));
  }

  // A fresh one to post.
  std::string message(const Protection* protection) const {
    const auto id = fresh_id();
    auto body = filled_in(body_, id, now_);
    if (protection) body = protection->of_message(body);
    return request(filled_in(head_, id, now_), body);
  }

  void answered(Connection& connection, const Http& message) {
    if (!is_success(message)) {
      if (++refused_ <= 3) std::fprintf(stderr, "refused: %.300s\n%.600s\n", message.head.c_str(), message.body.c_str());
      if (refused_ > 100) stop("the node refuses our messages");
    }
    if (answered_.warm()) latencies_ms_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - connection.began).count());
    answered_.add();
    if (message.body.find("Acknowledgment") != std::string::npos) acknowledged_.add();
    post(connection);
  }

  // A message of the node arrived: 204 and an acknowledgement of our own, or the acknowledgement at once.
  void acknowledge(Connection& from, const Http& message, bool sync) {
    auto body = ack_body_;
    const auto id = fresh_id();
    replace_all(body, "@REF@", between(message.body, "MessageId>", "<"));
    replace_all(body, "@CONV@", between(message.body, "ConversationId>", "<"));
    body = filled_in(std::move(body), id, now_);
    if (protection_) body = protection_->of_acknowledgement(std::move(body), message.body);
    if (sync || ack_body_.empty()) {
      acknowledged_.add();
      if (body.empty()) return from.send("HTTP/1.1 204 No Content\r\n\r\n");
      return from.send("HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=UTF-8\r\nSOAPAction: \"ebXML\"\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    from.send("HTTP/1.1 204 No Content\r\n\r\n");
    acks_waiting_.push_back(request(filled_in(ack_head_, id, now_), body));
    if (idle_ackers_.empty() && ackers_ < 16) {
      ++ackers_;
      const int fd = connect_to("127.0.0.1", static_cast<unsigned short>(options_.number("ack-port", 0)));
      auto& acker = loop_.add(fd, client_ssl(fd), true);
      acker.on_ready = [this](Connection& one) { next_ack(one); };
      acker.on_message = [this](Connection& one, const Http& answer) {
        if (!is_success(answer)) stop("the node refuses an acknowledgement: " + answer.head.substr(0, 40) + answer.body.substr(0, 300));
        acknowledged_.add();
        next_ack(one);
      };
    } else if (!idle_ackers_.empty()) {
      auto* acker = idle_ackers_.back();
      idle_ackers_.pop_back();
      next_ack(*acker);
    }
  }

  void next_ack(Connection& acker) {
    if (acks_waiting_.empty()) return idle_ackers_.push_back(&acker);
    auto octets = std::move(acks_waiting_.front());
    acks_waiting_.pop_front();
    acker.send(std::move(octets));
  }

  void finish(const std::function<bool()>& done) {
    loop_.run(done, Clock::now() + std::chrono::seconds(options_.number("seconds-max", 120)));
    const bool complete = done();
    // The node still waits for our last answers; it would count a connection that breaks now against this partner.
    loop_.run([] { return false; }, Clock::now() + std::chrono::milliseconds(300));
    std::sort(latencies_ms_.begin(), latencies_ms_.end());
    const auto percentile = [&](double p) {
      const auto at = static_cast<std::size_t>(p * static_cast<double>(latencies_ms_.size()));
      return latencies_ms_.empty() ? 0 : latencies_ms_[std::min(latencies_ms_.size() - 1, at)];
    };
    std::printf(R"({"complete":%s,"answered":%ld,"refused":%ld,"acknowledged":%ld,"rate":%.1f,"ack_rate":%.1f,"p50_ms":%.3f,"p99_ms":%.3f})"
                "\n",
                complete ? "true" : "false", answered_.count(), refused_, acknowledged_.count(), answered_.per_second(),
                acknowledged_.per_second(), percentile(0.5), percentile(0.99));
  }

  Options options_;
  std::string now_, head_, body_, ack_head_, ack_body_;
  long all_ = 0, started_ = 0, refused_ = 0;
  Series answered_, acknowledged_;
  std::vector<double> latencies_ms_;
  SSL_CTX* client_ = nullptr;
  Loop loop_;
  std::unique_ptr<Protection> protection_;
  std::deque<std::string> prepared_;
  std::deque<std::string> acks_waiting_;
  std::vector<Connection*> idle_ackers_;
  int ackers_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a connection that the other side ended is told by the write
  Options options;
  for (int i = 2; i + 1 < argc; i += 2) options.values[std::string(argv[i]).substr(2)] = argv[i + 1];
  const std::string verb = argc > 1 ? argv[1] : "";
  try {
    if (verb == "receive") return Run(options).receive();
    if (verb == "send") return Run(options).send();
  } catch (const std::exception& problem) {
    stop(problem.what());
  }
  std::fprintf(
      stderr,
      "usage: schakel-load receive|send --port P --head F --body F --chain F --key F [--listen P] [--messages N] [--connections N] …\n");
  return 2;
}
