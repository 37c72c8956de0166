// Somebody outside: an HTTP client with a certificate of the test PKI.
#pragma once

#include "integration/site.hpp"
#include "security/tls.hpp"

namespace schakel::integration {

// A partner's own HTTP client: speaks TLS with a certificate of the test PKI to a node's external listener; or an application's or
// operator's, by the rules of the web, to an inner one.
class Partner {
 public:
  Partner(ServedPki& pki, std::shared_ptr<const security::KeyPair> identity) : io_(1U) {
    auto trust = pki.with([](test::Pki& shared) { return shared.authority().trust_store(SystemClock().now()).value(); });
    tls_ = security::TlsClient::make({}, std::move(identity), std::move(trust), false, clock_).value();
  }
  // Trusts the CAs of a PEM text; with a certificate when it is given one.
  Partner(const std::string& ca_pem, std::shared_ptr<const security::KeyPair> identity) : io_(1U) {
    tls_ = security::TlsClient::make_web({}, std::move(identity), nullptr, ca_pem, clock_).value();
  }
  // The next request makes a new connection.
  void hang_up() { client_.close_idle(); }
  ~Partner() { io_.stop(); }

  RestAnswer send(std::string method, const std::string& url, http::Headers headers = {}, std::string body = {}) {
    http::ClientRequest request;
    request.method = std::move(method);
    request.url = url;
    request.headers = std::move(headers);
    request.body = std::move(body);
    return send(std::move(request));
  }
  // From any thread.
  RestAnswer send(http::ClientRequest request) {
    request.tls = tls_;
    auto answer = boost::asio::co_spawn(io_.executor(), client_.send(std::move(request)), boost::asio::use_future).get();
    if (!answer) return {.status = 0, .headers = {}, .body = answer.error().code + ": " + answer.error().detail};
    return {.status = answer->status, .headers = std::move(answer->headers), .body = std::move(answer->body)};
  }

 private:
  SystemClock clock_;
  Metrics metrics_;
  http::IoThreads io_;
  std::shared_ptr<security::TlsClient> tls_;
  http::Client client_{io_.executor(), http::Client::Options{}, clock_, silent_log(), metrics_};
};

}  // namespace schakel::integration
