#include "load_ebms.hpp"

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "load_run.hpp"
#include "protect.hpp"

namespace schakel::bench {
namespace {

constexpr int ackers_max = 16;

std::string filled_in(std::string text, const std::string& id, const std::string& now) {
  replace_all(text, "@ID@", id);
  replace_all(text, "@NOW@", now);
  return text;
}

bool is_acknowledgement(const Http& message) {
  return message.body.find("Acknowledgment") != std::string::npos;
}

class Partner {
 public:
  explicit Partner(const Options& options)
      : run_(options), now_(now_text()), head_(read_file(options.at("head"))), body_(read_file(options.at("body"))) {
    if (options.has("sign"))
      protection_ = std::make_unique<Protection>(options.at("chain"), options.at("key"), options.get("recipient", ""));
    if (options.has("ack-head")) ack_head_ = read_file(options.at("ack-head")), ack_body_ = read_file(options.at("ack-body"));
  }

  int receive() {
    run_.listen_for([this](Connection& from, const Http& message) {
      if (is_acknowledgement(message)) run_.acknowledged.add();
      from.send("HTTP/1.1 204 No Content\r\n\r\n");
    });
    const bool expect_acks = run_.options.number("expect-acks", 0) != 0;
    std::deque<std::string> prepared;
    if (protection_)
      for (long i = 0; i < run_.all; ++i) prepared.push_back(message(protection_.get()));
    post(true, [&]() -> Posting {
      if (prepared.empty()) return {message(nullptr), {}};
      auto octets = std::move(prepared.front());
      prepared.pop_front();
      return {std::move(octets), {}};
    });
    run_.finish([&] { return run_.answered.complete() && (!expect_acks || run_.acknowledged.complete()); });
    return 0;
  }

  int send() {
    const bool sync = run_.options.number("sync", 0) != 0;
    run_.listen_for([this, sync](Connection& from, const Http& message) { acknowledge(from, message, sync); });
    post(false, [this]() -> Posting { return {message(nullptr), {}}; });
    const bool submit_only = run_.options.number("submit-only", 0) != 0;
    run_.finish([&] { return run_.answered.complete() && (submit_only || run_.acknowledged.complete()); });
    return 0;
  }

 private:
  void post(bool tls, std::function<Posting()> next) {
    run_.post(tls, std::move(next), [this](const Http& answer) {
      if (is_acknowledgement(answer)) run_.acknowledged.add();
    });
  }

  // A fresh one to post.
  std::string message(const Protection* protection) const {
    const auto id = fresh_id();
    auto body = filled_in(body_, id, now_);
    if (protection) body = protection->of_message(body);
    return request(filled_in(head_, id, now_), body);
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
      run_.acknowledged.add();
      if (body.empty()) return from.send("HTTP/1.1 204 No Content\r\n\r\n");
      return from.send(request("HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=UTF-8\r\nSOAPAction: \"ebXML\"\r\n", body));
    }
    from.send("HTTP/1.1 204 No Content\r\n\r\n");
    acks_waiting_.push_back(request(filled_in(ack_head_, id, now_), body));
    if (idle_ackers_.empty() && ackers_ < ackers_max) {
      ++ackers_;
      auto& acker = run_.connect(run_.options.port("ack-port"), true);
      acker.on_ready = [this](Connection& one) { next_ack(one); };
      acker.on_message = [this](Connection& one, const Http& answer) {
        if (!is_success(answer)) stop("the node refuses an acknowledgement: " + answer.head.substr(0, 40) + answer.body.substr(0, 300));
        run_.acknowledged.add();
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

  Run run_;
  std::string now_, head_, body_, ack_head_, ack_body_;
  std::unique_ptr<Protection> protection_;
  std::deque<std::string> acks_waiting_;
  std::vector<Connection*> idle_ackers_;
  int ackers_ = 0;
};

}  // namespace

int ebms_receive(const Options& options) {
  return Partner(options).receive();
}

int ebms_send(const Options& options) {
  return Partner(options).send();
}

}  // namespace schakel::bench
