// One TLS connection of a partner's, under the test's hand: when it begins, what goes over it when, and when the other side ends it.
#pragma once

#include <openssl/ssl.h>

#include "integration/site.hpp"
#include "security/openssl.hpp"

namespace schakel::integration {

class TlsConnection {
 public:
  // With this certificate; whom it meets is not judged.
  TlsConnection(unsigned short port, const security::Issued& own) : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    bool ok = SSL_CTX_use_certificate(context_.get(), own.certificate.native()) == 1 &&
              SSL_CTX_use_PrivateKey(context_.get(), own.key_pair->key()) == 1;
    for (const auto& issuer : own.chain) ok = ok && SSL_CTX_add1_chain_cert(context_.get(), issuer.native()) == 1;
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // A test fails rather than hangs.
    const timeval patient{60, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof patient);
    ok = ok && ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    std::string server_name = "localhost";
    ssl_.reset(SSL_new(context_.get()));
    ok = ok && SSL_set_fd(ssl_.get(), socket_) == 1 &&
         SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, server_name.data()) == 1 &&
         SSL_connect(ssl_.get()) == 1;
    if (!ok) throw std::runtime_error("no TLS connection");
  }
  ~TlsConnection() {
    ssl_.reset();
    ::close(socket_);
  }
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  bool write(const std::string& text) {
    return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size());
  }

  struct Response {
    unsigned status = 0;  // 0: none, or not a whole one
    std::string head, body;
    bool says_close() const { return head.find("\r\nConnection: close\r\n") != std::string::npos; }
  };
  // The next one, whole: its body has a Content-Length.
  Response read() {
    Response out;
    auto end = std::string::npos;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!receive_some()) return out;
    const auto head = received_.substr(0, end + 2);
    const auto named = head.find("Content-Length: ");
    const auto size = named == std::string::npos ? 0 : std::stoul(head.substr(named + 16));
    while (received_.size() < end + 4 + size)
      if (!receive_some()) return out;
    out = {static_cast<unsigned>(std::stoul(head.substr(9, 3))), head, received_.substr(end + 4, size)};
    received_.erase(0, end + 4 + size);
    return out;
  }
  // The other side sends nothing more, and says so.
  bool has_ended() { return received_.empty() && !receive_some() && SSL_get_shutdown(ssl_.get()) == SSL_RECEIVED_SHUTDOWN; }

 private:
  bool receive_some() {
    std::array<char, 16 * 1024> step;
    const int count = SSL_read(ssl_.get(), step.data(), static_cast<int>(step.size()));
    if (count > 0) received_.append(step.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  std::shared_ptr<SSL_CTX> context_;
  security::SslPtr ssl_;
  int socket_ = -1;
  std::string received_;
};

}  // namespace schakel::integration
