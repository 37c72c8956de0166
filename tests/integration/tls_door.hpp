// A partner's or next hop's server: speaks TLS with a certificate of the test PKI and answers as it is told.
#pragma once

#include <functional>

#include "integration/site.hpp"
#include "security/tls.hpp"

namespace schakel::integration {

class TlsDoor {
 public:
  // Runs for many requests at once; what it captures outlives the door.
  using Answer = std::function<http::Awaitable<http::Response>(http::Request&)>;

  TlsDoor(ServedPki& pki, const security::Issued& own, Answer answer) : io_(2U) {
    http::ListenerOptions options;
    options.name = "external";
    options.tls = pki.with([&](test::Pki& shared) {
      return security::TlsServer::make({}, {{.key_pair = own.key_pair, .trust = shared.authority().trust_store(clock_.now()).value()}},
                                       clock_)
          .value();
    });
    server_ = std::make_unique<http::Server>(io_.executor(), options, std::move(answer),
                                             http::Environment{clock_, random_, silent_log(), metrics_});
    server_->start().value();
  }
  ~TlsDoor() {
    server_->close();
    io_.stop();
  }
  std::string url(const std::string& path) const { return "https://localhost:" + std::to_string(server_->port()) + path; }

 private:
  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  http::IoThreads io_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace schakel::integration
