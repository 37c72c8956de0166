#include "cli/tls_probe.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/bytes.hpp"
#include "security/openssl.hpp"

namespace schakel::cli {
namespace {

using security::SslContextPtr;
using SslPtr = std::unique_ptr<SSL, security::OpensslFree<SSL_free>>;

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Result<Socket> connect_to(const http::Url& url, int timeout_s) {
  const addrinfo wanted{.ai_flags = AI_ADDRCONFIG,
                        .ai_family = AF_UNSPEC,
                        .ai_socktype = SOCK_STREAM,
                        .ai_protocol = 0,
                        .ai_addrlen = 0,
                        .ai_addr = nullptr,
                        .ai_canonname = nullptr,
                        .ai_next = nullptr};
  addrinfo* found = nullptr;
  if (::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &wanted, &found) != 0)
    return fail("transport.dns", url.host + " has no address");
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  const timeval limit{.tv_sec = timeout_s, .tv_usec = 0};
  for (const auto* address = found; address != nullptr; address = address->ai_next) {
    Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) continue;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(socket.get(), address->ai_addr, address->ai_addrlen) == 0) return socket;
  }
  return fail("transport.connect", url.host_header() + " cannot be reached on port " + std::to_string(url.port));
}

int take_chain(X509_STORE_CTX* context, void* argument) {
  auto& probe = *static_cast<Probe*>(argument);
  STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(context);
  probe.handshake.peer_chain.clear();
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    auto certificate = security::Certificate::from_native(sk_X509_value(sent, i));
    if (certificate) probe.handshake.peer_chain.push_back(std::move(*certificate));
  }
  return 1;
}

int note_request(SSL* ssl, void* argument) {
  static_cast<Probe*>(argument)->asks_client_certificate = true;
  static_cast<void>(ssl);
  return 1;
}

SslContextPtr make_context(Probe& probe, int min, int max, const std::shared_ptr<const security::KeyPair>& identity) {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) return context;
  // Everything is offered, so that what the server would take is seen; no octet of an application is ever sent.
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_cipher_list(context.get(), "ALL:COMPLEMENTOFALL:!eNULL");
  SSL_CTX_set_min_proto_version(context.get(), min);
  SSL_CTX_set_max_proto_version(context.get(), max);
  SSL_CTX_set_cert_verify_callback(context.get(), take_chain, &probe);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_cb(context.get(), note_request, &probe);
  if (identity) {
    SSL_CTX_use_certificate(context.get(), identity->certificate().native());
    SSL_CTX_use_PrivateKey(context.get(), identity->key());
    for (const auto& issuer : identity->chain()) SSL_CTX_add1_chain_cert(context.get(), issuer.native());
  }
  return context;
}

std::string short_name(int nid) {
  const char* name = nid == NID_undef ? nullptr : OBJ_nid2sn(nid);
  return name == nullptr ? std::string{} : std::string(name);
}

void describe(SSL* ssl, security::HandshakeResult& result) {
  result.version = SSL_get_version(ssl);
  if (const auto* cipher = SSL_get_current_cipher(ssl); cipher != nullptr) result.cipher = SSL_CIPHER_standard_name(cipher);
  const auto group = static_cast<int>(SSL_get_negotiated_group(ssl));
  result.group = (group & TLSEXT_nid_unknown) != 0 ? std::string{} : short_name(group);
  int hash = NID_undef, type = NID_undef;
  SSL_get_peer_signature_nid(ssl, &hash);
  SSL_get_peer_signature_type_nid(ssl, &type);
  result.signature = short_name(type) + (hash == NID_undef ? "" : " " + short_name(hash));
  result.extended_master_secret = SSL_version(ssl) != TLS1_2_VERSION || SSL_get_extms_support(ssl) == 1;
  result.resumed = SSL_session_reused(ssl) == 1;
}

// One handshake. True: it came to its end.
Result<bool> shake_hands(const http::Url& url, Probe& probe, int min, int max, const std::shared_ptr<const security::KeyPair>& identity,
                         int timeout_s) {
  SCHAKEL_TRY(const auto socket, connect_to(url, timeout_s));
  const auto context = make_context(probe, min, max, identity);
  const SslPtr ssl(context ? SSL_new(context.get()) : nullptr);
  if (!ssl) return fail("transport.tls", "no TLS context can be made");
  // The macro of OpenSSL casts in C's way; the name is only read.
  if (security::is_host_name(url.host))
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(url.host.c_str()));
  SSL_set_fd(ssl.get(), socket.get());
  bool done = SSL_connect(ssl.get()) == 1;
  if (done) {
    // TLS 1.3 tells about a missing client certificate only after the client is done: the alert, or silence, follows.
    char octet = 0;
    const timeval moment{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    const int got = SSL_read(ssl.get(), &octet, 1);
    done = got > 0 || SSL_get_error(ssl.get(), got) != SSL_ERROR_SSL;
  }
  describe(ssl.get(), probe.handshake);
  ERR_clear_error();
  return done;
}

}  // namespace

Result<Probe> probe_tls(const http::Url& url, const std::shared_ptr<const security::KeyPair>& identity, int timeout_s) {
  Probe probe;
  SCHAKEL_TRY(probe.finished, shake_hands(url, probe, TLS1_VERSION, TLS1_3_VERSION, identity, timeout_s));
  if (probe.handshake.peer_chain.empty()) return fail("transport.tls", url.host_header() + " does not speak TLS, or showed no certificate");
  static constexpr std::array old = {std::pair(TLS1_VERSION, "TLS 1.0"), std::pair(TLS1_1_VERSION, "TLS 1.1")};
  for (const auto& [version, name] : old) {
    Probe other;
    const auto tried = shake_hands(url, other, version, version, identity, timeout_s);
    if (tried && !other.handshake.peer_chain.empty()) probe.old_versions.emplace_back(name);
  }
  return probe;
}

}  // namespace schakel::cli
