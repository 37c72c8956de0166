// A TLS connection inside one thread: two SSL objects over a pair of memory BIOs.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <string>

#include "security/openssl.hpp"
#include "security/tls.hpp"

namespace schakel::test {

struct Outcome {
  bool client_done = false, server_done = false;
  bool ok() const { return client_done && server_done; }
};

class Pair {
 public:
  Pair(const std::shared_ptr<SSL_CTX>& client, const std::shared_ptr<SSL_CTX>& server) : client_context_(client), server_context_(server) {
    client_.reset(SSL_new(client.get()));
    server_.reset(SSL_new(server.get()));
    BIO *a = nullptr, *b = nullptr;
    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(client_.get(), a, a);
    SSL_set_bio(server_.get(), b, b);
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
  }

  SSL* client() { return client_.get(); }
  SSL* server() { return server_.get(); }

  // Runs both sides until neither moves. In TLS 1.3 the client is done before it hears that its certificate was refused, so both then read
  // once more.
  Outcome run() {
    Outcome outcome;
    for (int round = 0; round < 20; ++round) {
      if (!outcome.client_done) outcome.client_done = SSL_do_handshake(client_.get()) == 1;
      if (!outcome.server_done) outcome.server_done = SSL_do_handshake(server_.get()) == 1;
    }
    ERR_clear_error();
    std::array<char, 64> buffer{};
    (void)SSL_read(client_.get(), buffer.data(), buffer.size());
    ERR_clear_error();
    return outcome;
  }

  // One line from the client to the server and back.
  bool echo(const std::string& text) {
    std::string received(text.size(), '\0');
    const int size = static_cast<int>(text.size());
    if (SSL_write(client_.get(), text.data(), size) != size || SSL_read(server_.get(), received.data(), size) != size) return false;
    if (SSL_write(server_.get(), received.data(), size) != size) return false;
    std::string back(text.size(), '\0');
    return SSL_read(client_.get(), back.data(), size) == size && back == text;
  }

 private:
  std::shared_ptr<SSL_CTX> client_context_, server_context_;
  security::SslPtr client_, server_;
};

}  // namespace schakel::test
