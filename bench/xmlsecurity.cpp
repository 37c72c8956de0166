// rsa.sign, xml.canonical, xmldsig.… and xmlenc.…: operations per second on one core against what OpenSSL alone needs for the same RSA and
// AES work (RSA of 2048 bits), and against libxmlsec1 where it was found when building.
#include <libxml/c14n.h>
#include <openssl/rsa.h>

#include <stdexcept>

#include "base/random.hpp"
#include "measure.hpp"
#include "security/openssl.hpp"
#include "support/published_key.hpp"
#include "xml/canonical.hpp"
#include "xmlsec1.hpp"
#include "xmlsecurity/encryption.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::bench {
namespace {

using namespace xmlsecurity;

void expect(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

Bytes octets(std::size_t size) {
  Bytes out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + i * 7 % 26);
  return out;
}

struct Keys {
  security::PrivateKey key = security::parse_private_key(test::published_key).value();
  security::Certificate certificate = security::Certificate::from_pem(test::published_certificate).value();
};

// --- signatures --------------------------------------------------------------------------------------------------------------------------

// An envelope of 4 KiB with 40 header elements, as long as a real one with its signature.
std::string envelope(const std::string& inside) {
  std::string out =
      "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "xmlns:eb=\"http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd\" "
      "xmlns:xlink=\"http://www.w3.org/1999/xlink\"><soap:Header>";
  for (int i = 0; i < 40; ++i)
    out += "<eb:PartyId eb:type=\"urn:osb:oin\" soap:mustUnderstand=\"1\">0000000199999999" + std::to_string(1000 + i) + "</eb:PartyId>";
  return out + inside + "</soap:Header><soap:Body/></soap:Envelope>";
}

std::string transforms(bool enveloped) {
  const auto transform = [](std::string_view uri) { return "<ds:Transform Algorithm=\"" + std::string(uri) + "\"></ds:Transform>"; };
  return "<ds:Transforms>" + (enveloped ? transform(uri::enveloped_signature) : "") + transform(uri_of(xml::Canonical::exclusive)) +
         "</ds:Transforms>";
}

// The envelope and two payloads are digested and signed.
std::string signature_of(const xml::Document& document, const std::vector<Bytes>& payloads, const Keys& keys) {
  SignatureToMake make{.references = {}, .key_info = x509_key_info(keys.certificate)};
  make.references.push_back(
      {.uri = "", .transforms = transforms(true), .digest = canonical_digest(DigestMethod::sha256, document, {}).value()});
  for (const auto& payload : payloads)
    make.references.push_back({.uri = "cid:p" + std::to_string(make.references.size()) + "@bench.example",
                               .transforms = {},
                               .digest = digest(DigestMethod::sha256, payload)});
  return make_signature(make, keys.key.get(), document.root().first_child()).value();
}

bool verifies(const xml::Document& document, const std::vector<Bytes>& payloads, const Keys& keys) {
  const auto element = document.root().first_child().child(uri::ds, "Signature");
  const auto signature = read_signature(element, {});
  if (!signature || !verify_value(*signature, keys.certificate)) return false;
  const std::array omitted{element};
  if (canonical_digest(DigestMethod::sha256, document, {.omitted = omitted}).value() != signature->references[0].digest_value) return false;
  for (std::size_t i = 0; i < payloads.size(); ++i)
    if (digest(DigestMethod::sha256, payloads[i]) != signature->references[i + 1].digest_value) return false;
  return true;
}

void raw_verify(EVP_PKEY* key, BytesView text, BytesView value) {
  const security::DigestContextPtr context(EVP_MD_CTX_new());
  expect(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
             EVP_DigestVerify(context.get(), security::octets(value), value.size(), security::octets(text), text.size()) == 1,
         "raw verify");
}

int everything(void*, xmlNodePtr, xmlNodePtr) {
  return 1;
}

void canonical_by_libxml2(const xml::Document& document) {
  xmlOutputBufferPtr buffer = xmlAllocOutputBuffer(nullptr);
  expect(xmlC14NExecute(document.get(), everything, nullptr, XML_C14N_EXCLUSIVE_1_0, nullptr, 0, buffer) >= 0, "libxml2's canonical form");
  xmlOutputBufferClose(buffer);
}

class Nowhere final : public xml::Sink {
 public:
  void write(BytesView written) override { count += written.size(); }
  std::size_t count = 0;
};

// --- encryption --------------------------------------------------------------------------------------------------------------------------

using Transport = int (*)(EVP_PKEY_CTX*, unsigned char*, std::size_t*, const unsigned char*, std::size_t);

// RSA-OAEP one way or the other.
Bytes raw_transport(EVP_PKEY* key, int (*begin)(EVP_PKEY_CTX*), Transport run, BytesView in) {
  const security::KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  Bytes out(256, '\0');
  std::size_t size = out.size();
  expect(begin(context.get()) == 1 && EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
             run(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, security::octets(in), in.size()) == 1,
         "raw key transport");
  return out;
}
Bytes raw_wrap(EVP_PKEY* key, BytesView content_key) {
  return raw_transport(key, EVP_PKEY_encrypt_init, EVP_PKEY_encrypt, content_key);
}
void raw_unwrap(EVP_PKEY* key, BytesView wrapped) {
  static_cast<void>(raw_transport(key, EVP_PKEY_decrypt_init, EVP_PKEY_decrypt, wrapped));
}

// AES-GCM runs at the same speed both ways.
void raw_gcm(BytesView content_key, BytesView plain, Bytes& out) {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  int size = 0;
  out.resize(plain.size());
  expect(EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), security::octets(content_key), security::octets(content_key), nullptr) == 1 &&
             EVP_EncryptUpdate(context, reinterpret_cast<unsigned char*>(out.data()), &size, security::octets(plain),
                               static_cast<int>(plain.size())) == 1,
         "raw AES-GCM");
  EVP_CIPHER_CTX_free(context);
}

// In pieces, as a payload comes from the store.
constexpr std::size_t piece_bytes = 128 * 1024;

template <class Take>
void encrypt(BytesView plain, const Keys& keys, Random& random, const Take& take) {
  auto encryptor = Encryptor::make({.id = "p1", .mime_type = "application/xml"}, keys.certificate, random).value();
  for (std::size_t at = 0; at < plain.size(); at += piece_bytes) take(encryptor.update(plain.substr(at, piece_bytes)));
  take(encryptor.finish());
}

std::size_t decrypted(BytesView document, const Keys& keys, Random& random) {
  Decryptor decryptor(
      {}, [&](const KeyHints&) { return keys.key; }, random);
  std::size_t count = 0;
  for (std::size_t at = 0; at < document.size(); at += 128 * 1024)
    count += decryptor.update(document.substr(at, 128 * 1024)).value().size();
  return count + decryptor.finish().value().octets.size();
}

}  // namespace

Bytes raw_signature(EVP_PKEY* key, BytesView text) {
  const security::DigestContextPtr context(EVP_MD_CTX_new());
  Bytes out(256, '\0');
  std::size_t size = out.size();
  expect(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
             EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, security::octets(text), text.size()) == 1,
         "raw sign");
  return out;
}

// What signed profiles cannot pass.
std::vector<Figure> rsa_figures() {
  const Keys keys;
  const Bytes text = octets(1024);
  return {figure("rsa.sign", [&] { static_cast<void>(raw_signature(keys.key.get(), text)); })};
}

std::vector<Figure> xmldsig_figures() {
  const Keys keys;
  const auto unsigned_document = xml::Document::parse(envelope(""), {}).value();
  const std::vector<Bytes> payloads{octets(4096), octets(100)};
  const auto document = xml::Document::parse(envelope(signature_of(unsigned_document, payloads, keys)), {}).value();
  const Bytes text = octets(1024), value = raw_signature(keys.key.get(), text);
  std::vector<Figure> out;
  out.push_back(figure(
      "xml.canonical",
      [&] {
        Nowhere nowhere;
        xml::canonicalise(document, {}, nowhere).value();
      },
      [&] { canonical_by_libxml2(document); }));
  out.push_back(figure(
      "xmldsig.sign", [&] { static_cast<void>(signature_of(unsigned_document, payloads, keys)); },
      [&] { static_cast<void>(raw_signature(keys.key.get(), text)); }));
  out.push_back(figure(
      "xmldsig.verify", [&] { expect(verifies(document, payloads, keys), "our signature does not verify"); },
      [&] { raw_verify(keys.key.get(), text, value); }));
  if (Xmlsec1::present) {
    Xmlsec1 xmlsec1(test::published_key);
    const auto alone = xml::Document::parse(envelope(signature_of(unsigned_document, {}, keys)), {}).value();
    out.push_back(figure(
        "xmldsig.verify.xmlsec1", [&] { expect(verifies(alone, {}, keys), "our signature does not verify"); },
        [&] { expect(xmlsec1.verifies(alone.root().first_child().child(uri::ds, "Signature").node()), "xmlsec1 does not verify"); }));
  }
  return out;
}

std::vector<Figure> xmlenc_figures() {
  const Keys keys;
  SystemRandom random;
  const Bytes content_key = octets(32), wrapped = raw_wrap(keys.key.get(), content_key);
  std::vector<Figure> out;
  for (const auto& [label, size] : {std::pair{"4k", std::size_t{4096}}, {"1m", std::size_t{1024 * 1024}}}) {
    const Bytes plain = octets(size);
    Bytes document, scratch;
    encrypt(plain, keys, random, [&](const Bytes& piece) { document += piece; });
    std::size_t count = 0;
    out.push_back(figure(
        std::string("xmlenc.encrypt.") + label, [&] { encrypt(plain, keys, random, [&](const Bytes& piece) { count += piece.size(); }); },
        [&] {
          static_cast<void>(raw_wrap(keys.key.get(), content_key));
          raw_gcm(content_key, plain, scratch);
        }));
    out.push_back(figure(
        std::string("xmlenc.decrypt.") + label, [&] { expect(decrypted(document, keys, random) == size, "our document does not decrypt"); },
        [&] {
          raw_unwrap(keys.key.get(), wrapped);
          raw_gcm(content_key, plain, scratch);
        }));
    if (Xmlsec1::present) {
      Xmlsec1 xmlsec1(test::published_key);
      out.push_back(figure(
          std::string("xmlenc.decrypt.") + label + ".xmlsec1",
          [&] { expect(decrypted(document, keys, random) == size, "our document does not decrypt"); },
          [&] { expect(xmlsec1.decrypts(document), "xmlsec1 does not decrypt"); }));
    }
  }
  return out;
}

}  // namespace schakel::bench
