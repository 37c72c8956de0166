#include "security/keys.hpp"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "security/openssl.hpp"
#include "security/pkcs11.hpp"

namespace schakel::security {
namespace {

constexpr std::size_t key_file_bytes_max = 1024 * 1024;

Error unreadable(std::string detail) {
  return fail("SEC.SLEUTEL.ONLEESBAAR", std::move(detail));
}
Error exposed(std::string detail) {
  return fail("SEC.SLEUTEL.RECHTEN", std::move(detail));
}

PrivateKey share(EVP_PKEY* key) {
  return {key, EVP_PKEY_free};
}

// Never asks at a terminal.
int give_passphrase(char* buffer, int size, int, void* user) {
  const auto* passphrase = static_cast<const std::string_view*>(user);
  if (passphrase->empty() || passphrase->size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, passphrase->data(), passphrase->size());
  return static_cast<int>(passphrase->size());
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

std::string system_error() {
  return std::error_code(errno, std::generic_category()).message();
}

Result<> check_private(const struct stat& status, const std::string& path) {
  if ((status.st_mode & 077U) != 0) return exposed(path + " may be touched by others (mode & 077)");
  if (status.st_uid != ::geteuid()) return exposed(path + " is not owned by the user of this process");
  return {};
}

std::string directory_of(const std::string& path) {
  auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

// Leaf first, then the issuer of each; what does not fit in is dropped, and so is the root (SEC-009).
std::vector<Certificate> ordered_chain(const Certificate& leaf, const std::vector<Certificate>& given) {
  std::vector<Certificate> chain;
  Certificate last = leaf;
  while (chain.size() < given.size()) {
    const auto next = std::ranges::find_if(given, [&](const Certificate& candidate) {
      return !candidate->self_issued && candidate->subject_der == last->issuer_der &&
             X509_verify(last.native(), X509_get0_pubkey(candidate.native())) == 1;
    });
    ERR_clear_error();
    if (next == given.end()) break;
    last = *next;
    chain.push_back(last);
  }
  return chain;
}

Result<std::vector<Certificate>> parse_certificates(BytesView bytes) {
  if (bytes.starts_with("\x30")) {
    if (auto one = Certificate::from_der(bytes)) return std::vector{*one};
    return Certificate::list_from_pkcs7(bytes);
  }
  if (bytes.find("BEGIN PKCS7") != BytesView::npos) return Certificate::list_from_pkcs7(bytes);
  return Certificate::list_from_pem(bytes);
}

// PKCS#7 has no order: the leaf is the certificate that holds the key.
Result<std::shared_ptr<const KeyPair>> pair_up(PrivateKey key, std::vector<Certificate> list) {
  const auto leaf = std::ranges::find_if(list, [&](const Certificate& candidate) { return matches(key.get(), candidate); });
  if (leaf == list.end()) return fail("SEC.SLEUTEL.MISMATCH", "none of the certificates belongs to the private key");
  Certificate certificate = *leaf;
  list.erase(leaf);
  return KeyPair::make(std::move(key), std::move(certificate), std::move(list));
}

}  // namespace

bool matches(EVP_PKEY* key, const Certificate& certificate) {
  const bool equal = X509_check_private_key(certificate.native(), key) == 1;
  ERR_clear_error();
  return equal;
}

bool same_key(const Certificate& a, const Certificate& b) {
  return a->public_key_der == b->public_key_der;
}

Result<std::shared_ptr<const KeyPair>> KeyPair::make(PrivateKey key, Certificate certificate, std::vector<Certificate> chain) {
  if (key == nullptr) return unreadable("no private key");
  if (!matches(key.get(), certificate))
    return fail("SEC.SLEUTEL.MISMATCH", "the private key does not belong to certificate " + certificate->subject);
  auto ordered = ordered_chain(certificate, chain);
  return std::shared_ptr<const KeyPair>(new KeyPair(std::move(key), std::move(certificate), std::move(ordered)));
}

Result<std::shared_ptr<const KeyPair>> KeyPair::from_pem(std::string_view certificates_pem, std::string_view key_pem,
                                                         std::string_view passphrase) {
  SCHAKEL_TRY(auto list, Certificate::list_from_pem(certificates_pem));
  SCHAKEL_TRY(auto key, parse_private_key(key_pem, passphrase));
  Certificate leaf = list.front();
  list.erase(list.begin());
  return make(std::move(key), std::move(leaf), std::move(list));
}

Result<std::shared_ptr<const KeyPair>> KeyPair::from_pkcs12(BytesView bytes, std::string_view passphrase) {
  const unsigned char* at = octets(bytes);
  const Pkcs12Ptr p12(d2i_PKCS12(nullptr, &at, static_cast<long>(bytes.size())));
  if (p12 == nullptr) return unreadable("not PKCS#12: " + openssl_error());
  EVP_PKEY* key = nullptr;
  X509* leaf = nullptr;
  STACK_OF(X509)* others = nullptr;
  std::string secret(passphrase);
  const bool parsed = PKCS12_parse(p12.get(), secret.c_str(), &key, &leaf, &others) == 1;
  OPENSSL_cleanse(secret.data(), secret.size());
  const PrivateKey owned_key = share(key);
  const X509Ptr owned_leaf(leaf);
  const X509OwnedStackPtr owned_others(others);
  ERR_clear_error();
  if (!parsed) return unreadable("the PKCS#12 file is damaged or the passphrase is wrong");
  if (key == nullptr || leaf == nullptr) return unreadable("the PKCS#12 file holds no key with its certificate");
  SCHAKEL_TRY(auto certificate, Certificate::from_native(leaf));
  std::vector<Certificate> chain;
  for (int i = 0; i < sk_X509_num(others); ++i) {
    SCHAKEL_TRY(auto issuer, Certificate::from_native(sk_X509_value(others, i)));
    chain.push_back(std::move(issuer));
  }
  return make(owned_key, std::move(certificate), std::move(chain));
}

Result<PrivateKey> parse_private_key(BytesView bytes, std::string_view passphrase) {
  const auto in = reader(bytes);
  EVP_PKEY* key = nullptr;
  if (bytes.starts_with("\x30")) {
    key = passphrase.empty() ? d2i_PrivateKey_bio(in.get(), nullptr)
                             : d2i_PKCS8PrivateKey_bio(in.get(), nullptr, give_passphrase, &passphrase);
  } else {
    key = PEM_read_bio_PrivateKey(in.get(), nullptr, give_passphrase, &passphrase);
  }
  ERR_clear_error();
  if (key == nullptr) return unreadable("the private key is damaged, or its passphrase is wrong or missing");
  return share(key);
}

bool holds_private_key(BytesView bytes) {
  if (bytes.find("PRIVATE KEY") != BytesView::npos) return true;
  // DER: a certificate is a SEQUENCE that begins with a SEQUENCE. What begins with a version number is a key (RFC 5208, RFC 8017, RFC 5915)
  // or a PFX (RFC 7292); an encrypted PKCS#8 key is told by its PBES2 or PKCS#12 algorithm.
  if (bytes.size() < 8 || bytes[0] != '\x30') return false;
  const auto length = static_cast<unsigned char>(bytes[1]);
  const std::size_t inside = length < 0x80 ? 2 : 2 + (length & 0x7FU);
  if (inside >= bytes.size()) return false;
  if (bytes[inside] == '\x02') return true;
  constexpr std::string_view pbes2("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", 11);  // 1.2.840.113549.1.5.13
  constexpr std::string_view pbe("\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01", 11);    // 1.2.840.113549.1.12.1.x
  return bytes.substr(inside + 2, 11) == pbes2 || bytes.substr(inside + 2, 11) == pbe;
}

Result<std::string> private_key_pem(EVP_PKEY* key, std::string_view passphrase) {
  const auto out = writer();
  const bool ok = PEM_write_bio_PKCS8PrivateKey(out.get(), key, passphrase.empty() ? nullptr : EVP_aes_256_cbc(),
                                                passphrase.empty() ? nullptr : passphrase.data(), static_cast<int>(passphrase.size()),
                                                nullptr, nullptr) == 1;
  if (!ok) return unreadable("the private key cannot be written: " + openssl_error());
  return written(out.get());
}

Result<PrivateKey> generate_rsa(int bits) {
  EVP_PKEY* key = EVP_RSA_gen(static_cast<unsigned>(bits));
  if (key == nullptr) return fail("SEC.SLEUTEL.MAKEN", "no RSA key could be made: " + openssl_error());
  return share(key);
}

Result<Bytes> read_private_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return unreadable(path + ": " + system_error());
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return unreadable(path + ": " + system_error());
  if (!S_ISREG(status.st_mode)) return unreadable(path + " is not a file");
  SCHAKEL_CHECK(check_private(status, path));
  struct stat directory {};
  if (::stat(directory_of(path).c_str(), &directory) != 0) return unreadable(directory_of(path) + ": " + system_error());
  SCHAKEL_CHECK(check_private(directory, "the directory of " + path));
  if (static_cast<std::size_t>(status.st_size) > key_file_bytes_max) return unreadable(path + " is larger than 1 MiB");

  Bytes bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto count = ::read(file.number(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return unreadable(path + ": " + (count < 0 ? system_error() : "it became shorter while it was read"));
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

Result<> write_private_file(const std::string& path, BytesView bytes) {
  const std::string temporary = path + ".new";
  {
    ::unlink(temporary.c_str());
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.number() < 0) return unreadable(temporary + ": " + system_error());
    while (!bytes.empty()) {
      const auto count = ::write(file.number(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return unreadable(temporary + ": " + system_error());
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    if (::fsync(file.number()) != 0) return unreadable(temporary + ": " + system_error());
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return unreadable(path + ": " + system_error());
  return {};
}

namespace {

// A certificate is public: only its size is bounded.
Result<std::vector<Certificate>> read_certificates(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return unreadable(path + ": " + system_error());
  Bytes text;
  std::array<char, 16 * 1024> buffer{};
  for (;;) {
    const auto count = ::read(file.number(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(path + ": " + system_error());
    if (count == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > key_file_bytes_max) return unreadable(path + " is larger than 1 MiB");
  }
  return parse_certificates(text);
}

// The key in a token; the certificate beside it, or with it in the token.
Result<std::shared_ptr<const KeyPair>> key_pair_in_token(const KeyLocation& location, Pkcs11Module& tokens) {
  SCHAKEL_TRY(auto key, tokens.key(location.key, location.passphrase));
  if (!location.certificates.empty()) {
    SCHAKEL_TRY(auto list, read_certificates(location.certificates));
    return pair_up(std::move(key), std::move(list));
  }
  SCHAKEL_TRY(auto list, tokens.certificates(location.key, location.passphrase));
  return pair_up(std::move(key), std::move(list));
}

}  // namespace

Result<std::shared_ptr<const KeyPair>> load_key_pair(const KeyLocation& location, Pkcs11Module* tokens) {
  if (is_pkcs11_uri(location.key)) {
    if (tokens == nullptr) return fail("SEC.SLEUTEL.PKCS11", "a key in a token has no place here; give a PEM or PKCS#12 file");
    return key_pair_in_token(location, *tokens);
  }
  SCHAKEL_TRY(auto secret, read_private_file(location.key));
  if (location.certificates.empty()) {
    auto pair = KeyPair::from_pkcs12(secret, location.passphrase);
    OPENSSL_cleanse(secret.data(), secret.size());
    return pair;
  }
  auto key = parse_private_key(secret, location.passphrase);
  OPENSSL_cleanse(secret.data(), secret.size());
  if (!key) return key.error();
  SCHAKEL_TRY(auto list, read_certificates(location.certificates));
  return pair_up(std::move(*key), std::move(list));
}

RotationState rotation_state(const Rotation& rotation, Instant now) {
  if (rotation.revoked_at && now >= *rotation.revoked_at) return RotationState::retired;
  if (now > rotation.not_after) return RotationState::retired;
  if (rotation.succeeded_at && now >= *rotation.succeeded_at)
    return now >= *rotation.succeeded_at + retiring_time ? RotationState::retired : RotationState::retiring;
  return now >= rotation.active_from ? RotationState::active : RotationState::prepared;
}

KeyRights key_rights(RotationState state) {
  switch (state) {
    case RotationState::prepared:
      return {.decrypt = true};
    case RotationState::active:
      return {.serve = true, .connect = true, .sign = true, .decrypt = true};
    case RotationState::retiring:
      return {.decrypt = true};
    case RotationState::retired:
      break;
  }
  return {};
}

std::string_view to_string(RotationState state) {
  switch (state) {
    case RotationState::prepared:
      return "prepared";
    case RotationState::active:
      return "active";
    case RotationState::retiring:
      return "retiring";
    case RotationState::retired:
      break;
  }
  return "retired";
}

std::optional<int> expiry_warning(Instant not_after, Instant now) {
  if (now > not_after) return 0;
  for (const int days : {1, 7, 14, 30, 60, 90}) {
    if (not_after - now <= std::chrono::days(days)) return days;
  }
  return std::nullopt;
}

}  // namespace schakel::security
