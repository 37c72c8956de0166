#include "load_wus.hpp"

#include <array>
#include <cstdio>
#include <deque>
#include <functional>
#include <utility>

#include "load_run.hpp"
#include "wus/names.hpp"
#include "wus/sealing.hpp"

namespace schakel::bench {
namespace {

using wus::Kind;
using wus::Profile;

template <class T>
T expected(Result<T> result, const char* what) {
  if (!result) stop(std::string(what) + ": " + result.error().code + ": " + result.error().detail);
  return std::move(*result);
}

wus::Settings settings_of(const Options& options) {
  const auto& name = options.at("profile");
  if (name != "2w-be" && name != "2w-be-s" && name != "2w-be-se") stop("no profile of WUS: " + name);
  wus::Settings settings;
  settings.profile = name == "2w-be" ? Profile::be : name == "2w-be-s" ? Profile::be_s : Profile::be_se;
  return settings;
}

// Makes messages of a profile with our key.
class Maker {
 public:
  explicit Maker(const Options& options) : settings_(settings_of(options)) {
    if (settings_.profile == Profile::be) return;
    key_ = expected(security::KeyPair::from_pem(read_file(options.at("chain")), read_file(options.at("key"))), "our key");
    if (settings_.profile == Profile::be_se)
      recipient_ = expected(security::Certificate::from_pem(read_file(options.at("recipient"))), "the node's certificate");
  }

  bool signs() const { return settings_.profile != Profile::be; }

  std::string made(wus::MessageToMake make, std::optional<Bytes> confirmation) {
    make.addressing.message_id = "urn:uuid:" + fresh_id();
    if (signs()) make.protection = wus::MessageToMake::Protection{key_, recipient_, std::move(confirmation)};
    return expected(wus::make_message(make, settings_, SystemClock().now(), random_), "a message").entity;
  }

 private:
  wus::Settings settings_;
  std::shared_ptr<const security::KeyPair> key_;
  std::optional<security::Certificate> recipient_;
  SystemRandom random_;
};

// What an exchange is known by on both sides of the node (W3C Trace Context), which hands it on.
std::string fresh_trace() {
  static unsigned long long next = 0;
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), "00-%032llx-0000000000000001-01", ++next);
  return out.data();
}

// Answers on the far side of the node, and takes the time that this costs off its latency.
class FarSide {
 public:
  FarSide(Run& run, std::function<std::string(const Http&)> answer) : run_(run), answer_(std::move(answer)) {}

  void operator()(Connection& from, const Http& message) const {
    const auto began = Clock::now();
    from.send(answer_(message));
    const auto trace = field(message.head, "traceparent:");
    run_.not_of_the_node(trace.substr(trace.find_first_not_of(' ')), Clock::now() - began);
    run_.acknowledged.add();
  }

 private:
  Run& run_;
  std::function<std::string(const Http&)> answer_;
};

void post_and_finish(Run& run, bool tls, std::function<Posting()> next) {
  run.post(tls, std::move(next));
  run.finish([&run] { return run.answered.complete(); });
}

}  // namespace

int wus_provider(const Options& options) {
  Run run(options);
  Maker maker(options);
  const auto answer = request("HTTP/1.1 200 OK\r\nContent-Type: application/xml; charset=utf-8\r\n", read_file(options.at("answer")));
  run.loop.listen(options.port("backend"), nullptr, FarSide(run, [&answer](const Http&) { return answer; }));

  wus::MessageToMake make;
  make.kind = Kind::request;
  make.addressing.to = options.at("to");
  make.addressing.action = options.at("action");
  make.addressing.from = options.at("from");
  make.addressing.reply_to = wus::uri::anonymous;
  make.body = read_file(options.at("body"));
  const auto head = "POST " + options.at("path") +
                    " HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"\"\r\ntraceparent: ";
  std::deque<Posting> prepared;
  for (long i = 0; i < run.all; ++i) {
    auto trace = fresh_trace();
    prepared.push_back({request(head + trace + "\r\n", maker.made(make, std::nullopt)), std::move(trace)});
  }
  post_and_finish(run, true, [&prepared] {
    auto next = std::move(prepared.front());
    prepared.pop_front();
    return next;
  });
  return 0;
}

int wus_consumer(const Options& options) {
  Run run(options);
  Maker maker(options);
  wus::MessageToMake make;
  make.kind = Kind::response;
  make.addressing.to = wus::uri::anonymous;
  make.addressing.action = options.at("action");
  make.body = read_file(options.at("answer"));
  run.listen_for(FarSide(run, [&](const Http& asked) {
    make.addressing.relates_to = between(between(asked.body, "<wsa:MessageID", "/wsa:MessageID>"), ">", "<");
    std::optional<Bytes> confirmation;
    if (maker.signs()) confirmation = expected(from_base64(between(asked.body, "SignatureValue>", "<")), "the SignatureValue of a request");
    return request("HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\n", maker.made(make, std::move(confirmation)));
  }));

  const auto head = read_file(options.at("head")), body = read_file(options.at("body"));
  post_and_finish(run, false, [&] {
    auto trace = fresh_trace();
    auto octets = request(head + "traceparent: " + trace + "\r\n", body);
    return Posting{std::move(octets), std::move(trace)};
  });
  return 0;
}

}  // namespace schakel::bench
