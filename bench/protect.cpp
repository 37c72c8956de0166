#include "protect.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "base/random.hpp"
#include "ebms/encryption.hpp"
#include "ebms/signing.hpp"

namespace schakel::bench {

namespace {

constexpr std::string_view end_of_head = "\r\n\r\n";

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class T>
T expected(Result<T> result, const char* what) {
  if (!result) throw std::runtime_error(std::string(what) + ": " + result.error().detail);
  return std::move(*result);
}

std::size_t position(std::string_view text, std::string_view what, std::size_t from = 0) {
  const auto at = text.find(what, from);
  if (at == text.npos) throw std::runtime_error("a message without " + std::string(what));
  return at;
}

// Where the two parts of a body are.
struct Parts {
  std::size_t root, root_end, payload, payload_end;
  explicit Parts(std::string_view body) {
    const auto delimiter = std::string("\r\n").append(body.substr(0, position(body, "\r\n")));
    root = position(body, end_of_head) + end_of_head.size();
    root_end = position(body, delimiter, root);
    payload = position(body, end_of_head, root_end) + end_of_head.size();
    payload_end = body.rfind(delimiter);
  }
};

std::string_view attribute(std::string_view text, std::string_view name) {
  const auto begin = position(text, name) + name.size();
  return text.substr(begin, position(text, "\"", begin) - begin);
}

}  // namespace

struct Protection::Keys {
  ebms::Signing signing;
  std::optional<security::Certificate> recipient;
  mutable SystemRandom random;
};

Protection::Protection(const std::string& chain, const std::string& key, const std::string& recipient) : keys_(new Keys) {
  keys_->signing.key = expected(security::KeyPair::from_pem(read(chain), read(key)), "the partner's key");
  if (!recipient.empty()) keys_->recipient = expected(security::Certificate::from_pem(read(recipient)), "the recipient's certificate");
}

Protection::~Protection() = default;

// EB-156: signed over the plain payload, which is then encrypted.
std::string Protection::of_message(std::string_view body) const {
  const Parts at(body);
  const auto root = body.substr(at.root, at.root_end - at.root), payload = body.substr(at.payload, at.payload_end - at.payload);
  const std::string href(attribute(root, "xlink:href=\""));
  const std::array parts{ebms::SignedPart{href, xmlsecurity::digest(keys_->signing.digest, payload)}};
  std::string out(body.substr(0, at.root));
  out += expected(ebms::sign_envelope(Bytes(root), parts, keys_->signing), "signing");
  out += body.substr(at.root_end, at.payload - at.root_end);
  if (keys_->recipient) {
    const ebms::Encrypting encrypting{xmlsecurity::ContentCipher::aes256_gcm, *keys_->recipient};
    const auto wanted = ebms::encryption_to_make(encrypting, href.substr(href.find(':') + 1), "application/xml");
    auto encryptor = expected(xmlsecurity::Encryptor::make(wanted, *keys_->recipient, keys_->random), "encrypting");
    out += encryptor.update(payload);
    out += encryptor.finish();
  } else {
    out += payload;
  }
  return out.append(body.substr(at.payload_end));
}

// EB-158
std::string Protection::of_acknowledgement(std::string acknowledgement, std::string_view message) const {
  constexpr std::string_view begin = "<soap:Envelope", end = "</soap:Envelope>", mark = "@REFERENCES@";
  const auto from = position(message, begin), to = position(message, end, from) + end.size();
  const auto document = expected(xml::Document::parse(message.substr(from, to - from), {}), "the node's envelope");
  const auto element = document.root().child(ebms::uri::soap, "Header").child(xmlsecurity::uri::ds, "Signature");
  if (!element) throw std::runtime_error("the node's message is not signed");
  const auto signature = expected(xmlsecurity::read_signature(element, {}), "the node's signature");
  acknowledgement.replace(position(acknowledgement, mark), mark.size(), expected(ebms::copied_references(signature), "its References"));
  return expected(ebms::sign_envelope(std::move(acknowledgement), {}, keys_->signing), "signing");
}

}  // namespace schakel::bench
