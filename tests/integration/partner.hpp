// Somebody outside: an HTTP client with a certificate of the test PKI.
#pragma once

#include "integration/site.hpp"
#include "security/tls.hpp"

namespace schakel::integration {

// A partner's own HTTP client: speaks TLS with a certificate of the test PKI to a node's external listener.
class Partner {
 public:
  Partner(ServedPki& pki, std::shared_ptr<const security::KeyPair> identity) : io_(1U) {
    auto trust = pki.with([](test::Pki& shared) { return shared.authority().trust_store(SystemClock().now()).value(); });
    tls_ = security::TlsClient::make({}, std::move(identity), std::move(trust), false, clock_).value();
    client_.emplace(io_.executor(), http::Client::Options{}, clock_, silent_log(), metrics_);
  }
  // The next request makes a new connection.
  void hang_up() { client_->close_idle(); }
  ~Partner() { io_.stop(); }

  RestAnswer send(std::string method, const std::string& url, http::Headers headers = {}, std::string body = {}) {
    http::ClientRequest request;
    request.method = std::move(method);
    request.url = url;
    request.headers = std::move(headers);
    request.body = std::move(body);
    request.tls = tls_;
    auto answer = boost::asio::co_spawn(io_.executor(), client_->send(std::move(request)), boost::asio::use_future).get();
    if (!answer) return {.status = 0, .headers = {}, .body = answer.error().code + ": " + answer.error().detail};
    return {.status = answer->status, .headers = std::move(answer->headers), .body = std::move(answer->body)};
  }

 private:
  SystemClock clock_;
  Metrics metrics_;
  http::IoThreads io_;
  std::shared_ptr<security::TlsClient> tls_;
  std::optional<http::Client> client_;
};

}  // namespace schakel::integration
