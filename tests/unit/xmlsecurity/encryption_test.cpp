#include "xmlsecurity/encryption.hpp"

#include <gtest/gtest.h>
#include <openssl/rsa.h>

#include <filesystem>
#include <fstream>
#include "base/json_library.hpp"

#include "support/encrypted_by_hand.hpp"
#include "unit/xmlsecurity/keys.hpp"
#include "unit/xmlsecurity/xmlsec1.hpp"

namespace schakel::xmlsecurity {
namespace {

using schakel::test::octets_of;
using test::ec;
using test::Identity;
using test::other_rsa;
using test::rsa;
using test::Xmlsec1;

SystemRandom randomness;

const DecryptionPolicy everything{{ContentCipher::aes128_gcm, ContentCipher::aes256_gcm, ContentCipher::aes128_cbc,
                                   ContentCipher::aes256_cbc, ContentCipher::tripledes_cbc},
                                  true};

Decryptor::FindKey always(const Identity& identity) {
  return [key = identity.key](const KeyHints&) { return key; };
}

struct Outcome {
  std::optional<Bytes> octets;  // nullopt: failed
  Decryptor::Plain plain;
  Error error;
  std::string reason;
  bool failed_before_the_end = false;
};

Outcome decrypted(BytesView document, const DecryptionPolicy& policy = {}, std::size_t piece = std::string::npos,
                  const Decryptor::FindKey& find_key = always(rsa())) {
  Decryptor decryptor(policy, find_key, randomness);
  Outcome outcome;
  Bytes octets;
  while (!document.empty()) {
    const auto update = decryptor.update(document.substr(0, piece));
    if (update) octets += *update;
    outcome.failed_before_the_end |= update.has_error();
    document.remove_prefix(std::min(piece, document.size()));
  }
  auto plain = decryptor.finish();
  outcome.reason = decryptor.reason();
  if (plain) {
    octets += plain->octets;
    outcome.plain = std::move(*plain);
    outcome.octets = std::move(octets);
  } else {
    outcome.error = plain.error();
  }
  return outcome;
}

Bytes encrypted(const EncryptionToMake& make, BytesView plain, std::size_t piece = std::string::npos, const Identity& recipient = rsa()) {
  auto encryptor = Encryptor::make(make, recipient.certificate, randomness).value();
  Bytes out;
  while (!plain.empty()) {
    out += encryptor.update(plain.substr(0, piece));
    plain.remove_prefix(std::min(piece, plain.size()));
  }
  return out + encryptor.finish();
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

// --- our own round
// -------------------------------------------------------------------------------------------------------------------------

// SEC-082, SEC-083, EB-171, EB-172
TEST(Encryption, ComesBackWithEveryAlgorithmThatIsMade) {
  const std::vector<std::pair<KeyTransport, std::optional<DigestMethod>>> transports{
      {KeyTransport::rsa_oaep_mgf1p, std::nullopt},   {KeyTransport::rsa_oaep_mgf1p, DigestMethod::sha256},
      {KeyTransport::rsa_oaep, std::nullopt},         {KeyTransport::rsa_oaep, DigestMethod::sha256},
      {KeyTransport::rsa_oaep, DigestMethod::sha384}, {KeyTransport::rsa_oaep, DigestMethod::sha512}};
  for (const auto cipher : {ContentCipher::aes128_gcm, ContentCipher::aes256_gcm, ContentCipher::aes128_cbc, ContentCipher::aes256_cbc}) {
    for (const auto& [transport, digest] : transports) {
      const auto document =
          encrypted({.cipher = cipher, .transport = transport, .oaep_digest = digest, .id = "p1", .mime_type = "text/x&y"}, "a payload");
      const auto outcome = decrypted(document, everything);
      EXPECT_EQ(outcome.octets, "a payload") << outcome.reason << document;
      EXPECT_EQ(outcome.plain.cipher, cipher);
      EXPECT_EQ(outcome.plain.transport, transport);
      EXPECT_EQ(outcome.plain.mime_type, "text/x&y");
    }
  }
}

TEST(Encryption, ComesBackWhateverTheSizeAndThePieces) {
  for (const auto cipher : {ContentCipher::aes256_gcm, ContentCipher::aes128_cbc}) {
    for (const std::size_t size : {0, 1, 2, 15, 16, 17, 47, 48, 1000, 100'000}) {
      const auto plain = octets_of(size);
      for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{16}, std::size_t{4096}, std::string::npos}) {
        const auto document = encrypted({.cipher = cipher}, plain, piece);
        EXPECT_EQ(decrypted(document, everything, piece).octets, plain) << size << " in pieces of " << piece;
        EXPECT_EQ(decrypted(document, everything).octets, plain);
      }
    }
  }
}

// EB-174, ebms.md 2.6
TEST(Encryption, WritesTheDocumentOfTheStandardsPage) {
  const auto document = encrypted({.id = "p1-0001", .mime_type = "application/xml"}, "x");
  const std::string head =
      "<xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" Id=\"p1-0001\" "
      "MimeType=\"application/xml\"><xenc:EncryptionMethod "
      "Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/><ds:KeyInfo "
      "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><xenc:EncryptedKey><xenc:EncryptionMethod "
      "Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/"
      "><ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=TEST "
      "key,O=TEST\\, not for \\&lt;trust\\&gt;,C=NL</ds:X509IssuerName><ds:X509SerialNumber>1311768467463790320</ds:X509SerialNumber></"
      "ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>";
  EXPECT_EQ(document.substr(0, head.size()), head);
  EXPECT_TRUE(document.ends_with("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"));
  EXPECT_EQ(document.find('\n'), std::string::npos);
}

TEST(Encryption, TellsTheHintsOfTheRecipient) {  // EB-175
  KeyHints seen;
  const auto outcome = decrypted(encrypted({}, "x"), {}, std::string::npos, [&](const KeyHints& hints) {
    seen = hints;
    return rsa().key;
  });
  EXPECT_EQ(outcome.octets, "x");
  EXPECT_EQ(seen.issuer_name, rsa().certificate->issuer);
  EXPECT_EQ(seen.serial_number, "1311768467463790320");
}

TEST(Encryption, IsFreshEachTime) {
  EXPECT_NE(encrypted({}, "x"), encrypted({}, "x"));
}

TEST(Encryption, RefusesWhatIsNeverMade) {  // SEC-082
  const auto code = [](const EncryptionToMake& make, const Identity& recipient = rsa()) {
    const auto made = Encryptor::make(make, recipient.certificate, randomness);
    return made ? "made" : made.error().code;
  };
  EXPECT_EQ(code({.cipher = ContentCipher::tripledes_cbc}), "encryption.algorithm");
  EXPECT_EQ(code({.transport = KeyTransport::rsa_1_5}), "encryption.algorithm");
  EXPECT_EQ(code({.transport = KeyTransport::rsa_oaep_mgf1p, .oaep_digest = DigestMethod::sha512}), "encryption.algorithm");
  EXPECT_EQ(code({}, ec("P-256")), "encryption.key");
  EXPECT_EQ(code({}, rsa(1024)), "encryption.key");
}

// --- documents in other people's ways ---------------------------------------------------------------------------------------------------

using Style = schakel::test::EncryptionStyle;

std::string encrypted_key(const Style& style, const std::string& key_info = "") {
  return schakel::test::encrypted_key(style, rsa().key.get(), key_info);
}
std::string document_of(const Style& style, const std::string& keys) {
  return schakel::test::encrypted_document(style, keys);
}
std::string document_of(const Style& style) {
  return document_of(style, encrypted_key(style));
}

std::string digest_parameter(std::string_view uri) {
  return "<ds:DigestMethod Algorithm=\"" + std::string(uri) + "\"/>";
}
std::string mask_parameter(const std::string& name) {
  return "<MGF xmlns=\"http://www.w3.org/2009/xmlenc11#\" Algorithm=\"http://www.w3.org/2009/xmlenc11#" + name + "\"/>";
}

TEST(Decryption, TakesEveryVariantOfOaep) {  // EB-172, SEC-083
  const std::vector<std::pair<const char*, std::string>> digests{{"SHA1", "http://www.w3.org/2000/09/xmldsig#sha1"},
                                                                 {"SHA256", std::string(uri_of(DigestMethod::sha256))},
                                                                 {"SHA384", std::string(uri_of(DigestMethod::sha384))},
                                                                 {"SHA512", std::string(uri_of(DigestMethod::sha512))}};
  const std::vector<std::pair<const char*, std::string>> masks{
      {"SHA1", "mgf1sha1"}, {"SHA256", "mgf1sha256"}, {"SHA384", "mgf1sha384"}, {"SHA512", "mgf1sha512"}};
  for (const auto& [digest, uri] : digests) {
    EXPECT_EQ(decrypted(document_of({.parameters = digest_parameter(uri), .digest = digest})).octets, "a payload") << uri;
    for (const auto& [mask, name] : masks) {
      const auto outcome = decrypted(document_of({.transport = "http://www.w3.org/2009/xmlenc11#rsa-oaep",
                                                  .parameters = digest_parameter(uri) + mask_parameter(name),
                                                  .digest = digest,
                                                  .mask = mask}));
      EXPECT_EQ(outcome.octets, "a payload") << uri << name << outcome.reason;
    }
  }
  EXPECT_EQ(decrypted(document_of({.parameters = "<KeySize>256</KeySize><OAEPparams>bGFiZWw=</OAEPparams>", .label = "label"})).octets,
            "a payload");
}

TEST(Decryption, TakesLegacyCiphersUnderAPolicyOnly) {  // SEC-082, SEC-083
  const std::vector<Style> legacy{
      {.cipher = "http://www.w3.org/2001/04/xmlenc#aes128-cbc", .key = octets_of(16), .openssl_cipher = "AES-128-CBC"},
      {.cipher = "http://www.w3.org/2001/04/xmlenc#aes256-cbc", .openssl_cipher = "AES-256-CBC"},
      {.cipher = "http://www.w3.org/2001/04/xmlenc#tripledes-cbc", .key = octets_of(24), .openssl_cipher = "DES-EDE3-CBC"},
      {.transport = "http://www.w3.org/2001/04/xmlenc#rsa-1_5", .padding = RSA_PKCS1_PADDING},
  };
  for (const auto& style : legacy) {
    EXPECT_EQ(decrypted(document_of(style), everything).octets, "a payload") << style.cipher << style.transport;
    EXPECT_EQ(decrypted(document_of(style)).octets, std::nullopt) << style.cipher << style.transport;
  }
}

TEST(Decryption, RefusesAlgorithmsOutsideTheLists) {  // SEC-080
  std::vector<Style> refused;
  for (const std::string cipher :
       {"http://www.w3.org/2009/xmlenc11#aes192-gcm", "http://www.w3.org/2001/04/xmlenc#aes192-cbc", "urn:x", ""})
    refused.push_back({.cipher = cipher});
  for (const std::string transport : {"http://www.w3.org/2001/04/xmlenc#kw-aes256", "http://www.w3.org/2001/04/xmlenc#dh", "urn:x"})
    refused.push_back({.transport = transport});
  for (const std::string_view digest :
       {"http://www.w3.org/2001/04/xmldsig-more#sha224", "http://www.w3.org/2001/04/xmldsig-more#md5", "urn:x"})
    refused.push_back({.parameters = digest_parameter(digest)});
  for (const std::string mask : {"mgf1sha224", "mgf1"})
    refused.push_back({.transport = "http://www.w3.org/2009/xmlenc11#rsa-oaep", .parameters = mask_parameter(mask)});
  refused.push_back({.parameters = mask_parameter("mgf1sha1")});  // rsa-oaep-mgf1p has no MGF
  for (const auto& style : refused)
    EXPECT_EQ(decrypted(document_of(style), everything).octets, std::nullopt) << style.cipher << style.parameters;
}

TEST(Decryption, ReadsBase64AsJdkPeersBreakIt) {  // WUS-113
  for (const std::string reference : {"&#13;\n", "&#xD;", "&#x0A;&#10;"}) {
    auto document = document_of({});
    const auto content = document.rfind("<CipherValue>\n") + 14;
    for (const std::size_t at : {5, 22, 41}) document.insert(content + at, reference);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::string::npos})
      EXPECT_EQ(decrypted(document, {}, piece).octets, "a payload") << reference;
  }
}

TEST(Decryption, FindsTheEncryptedKeyThatIsForUs) {  // EB-175; no try-all
  const auto named = [](const std::string& name) { return "<ds:KeyInfo><ds:KeyName> " + name + "\n</ds:KeyName></ds:KeyInfo>"; };
  const Style style;
  const auto other = encrypted_key({.key = octets_of(31)}, named("other"));
  const auto document = document_of(style, other + encrypted_key(style, named("ours")) + other);
  const auto find = [](const KeyHints& hints) { return hints.key_name == "ours" ? rsa().key : nullptr; };
  EXPECT_EQ(decrypted(document, {}, std::string::npos, find).octets, "a payload");
  EXPECT_EQ(decrypted(document).reason, "more than one EncryptedKey is for us");
}

// XML-Enc 5.2: the octets before the last one of the padding may be anything.
TEST(Decryption, JudgesCbcPaddingByItsLastOctet) {
  const auto with = [](const Bytes& last_block) {
    return decrypted(document_of({.cipher = "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
                                  .openssl_cipher = "AES-256-CBC",
                                  .plain = "0123456789abcdef" + last_block,
                                  .own_padding = true}),
                     everything);
  };
  EXPECT_EQ(with(Bytes("payloadanything") + '\x08').octets, "0123456789abcdefpayloada");
  EXPECT_EQ(with(Bytes("payloadanything") + '\x10').octets, "0123456789abcdef");
  EXPECT_EQ(with(Bytes("payloadanything") + '\x11').octets, std::nullopt);
  EXPECT_EQ(with(Bytes("payloadanything") + '\0').octets, std::nullopt);
  EXPECT_EQ(with(Bytes("payloadanything") + '\xFF').octets, std::nullopt);
}

// --- failing -----------------------------------------------------------------------------------------------------------------------------

// EB-176, SEC-087: whatever went wrong, the outside cannot tell; we can.
TEST(Failures, AllLookTheSameAndDifferInOurOwnReason) {
  const auto good = encrypted({}, "x");
  auto tampered = good;
  tampered[tampered.rfind("</xenc:CipherValue>") - 5] ^= 1;
  const std::vector<Outcome> outcomes{
      decrypted(tampered),
      decrypted(good, {}, std::string::npos, always(other_rsa())),
      decrypted(good, {}, std::string::npos, always(ec("P-256"))),
      decrypted(good, {}, std::string::npos, [](const KeyHints&) { return security::PrivateKey(); }),
      decrypted(good, {.ciphers = {ContentCipher::aes128_gcm}}),
      decrypted("<m/>"),
      decrypted(good.substr(0, good.size() - 30)),
      decrypted(""),
  };
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome.octets, std::nullopt);
    EXPECT_EQ(outcome.error, outcomes.front().error);
    EXPECT_EQ(outcome.error.code, "encryption.failed");
    EXPECT_FALSE(outcome.reason.empty());
  }
  EXPECT_NE(outcomes[0].reason, outcomes[3].reason);
}

// security.md 3.7 (2): a content key that cannot be had is replaced by a random one, and the end is the same for all.
TEST(Failures, OfTheContentKeyShowAtTheEndOnly) {
  const Style style{.transport = "http://www.w3.org/2001/04/xmlenc#rsa-1_5", .padding = RSA_PKCS1_PADDING};
  const auto wrong_length =
      document_of(style, encrypted_key({.transport = style.transport, .padding = style.padding, .key = octets_of(16)}));
  const auto wrong_padding = document_of(style, encrypted_key({.transport = style.transport}));
  const auto oaep_as_1_5 = document_of({}, encrypted_key({.padding = RSA_PKCS1_PADDING}));
  const auto oaep_short = document_of({}, encrypted_key({.key = octets_of(24)}));
  for (const auto& document : {wrong_length, wrong_padding, oaep_as_1_5, oaep_short}) {
    const auto outcome = decrypted(document, everything);
    EXPECT_EQ(outcome.octets, std::nullopt);
    EXPECT_FALSE(outcome.failed_before_the_end);
    EXPECT_EQ(outcome.reason, "the content key could not be unwrapped");
  }
}

// With CBC a random key gives good padding now and then.
TEST(Failures, OfTheContentKeyAreNeverTakenForSuccess) {
  const Style style{.cipher = "http://www.w3.org/2001/04/xmlenc#aes256-cbc", .openssl_cipher = "AES-256-CBC"};
  const auto document = document_of(style, encrypted_key({.key = octets_of(16)}));
  for (int i = 0; i < 300; ++i) ASSERT_EQ(decrypted(document, everything).octets, std::nullopt);
}

TEST(Failures, NeverGiveOtherOctetsWhereverTheDocumentIsAlteredOrCut) {
  for (const auto& document : {encrypted({.mime_type = "text/plain"}, "a payload"), document_of({})}) {
    const auto end = document.rfind('>');
    for (std::size_t at = 0; at < document.size(); ++at) {
      if (at <= end) {
        EXPECT_EQ(decrypted(document.substr(0, at)).octets, std::nullopt) << at;
      }
      for (const char octet : {static_cast<char>(document[at] ^ 1), static_cast<char>(document[at] ^ 0x80), '<', '\0'}) {
        if (octet == document[at]) continue;
        auto altered = document;
        altered[at] = octet;
        const auto outcome = decrypted(altered);
        EXPECT_TRUE(!outcome.octets || *outcome.octets == "a payload") << altered;
      }
    }
  }
}

TEST(Failures, DoNotDependOnThePieces) {
  const auto document = document_of({});
  for (std::size_t at = 0; at < document.size(); at += 11) {
    auto altered = document;
    altered[at] = static_cast<char>(altered[at] ^ 2);
    EXPECT_EQ(decrypted(altered, {}, 1).octets, decrypted(altered).octets) << altered;
  }
}

TEST(Structure, IsStrict) {  // SEC-110, SEC-114
  const Style style;
  const auto good = document_of(style);
  const auto key = encrypted_key(style);
  ASSERT_EQ(decrypted(good).octets, "a payload");
  ASSERT_EQ(decrypted(replaced(good, "</CipherData>\n</Enc", "</CipherData><EncryptionProperties/>\n</Enc")).octets, "a payload");
  ASSERT_EQ(decrypted("\xEF\xBB\xBF" + good).octets, "a payload");
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += encrypted_key(style, "<ds:KeyInfo><ds:KeyName>" + std::to_string(i) + "</ds:KeyName></ds:KeyInfo>");
  const std::vector<std::string> refused{
      replaced(good, "<EncryptedData ", "<!DOCTYPE EncryptedData><EncryptedData "),
      replaced(good, "encoding=\"UTF-8\"", "encoding=\"ISO-8859-1\""),
      document_of(style, ""),
      document_of(style, nine),
      document_of(style, key + "<AgreementMethod Algorithm=\"urn:x\"/>"),
      document_of(style, encrypted_key(style, "<ds:KeyInfo>" + key + "</ds:KeyInfo>")),
      document_of(style, "<ds:X509Data>" + key + "</ds:X509Data>"),
      replaced(good, "<CipherData>\n  <CipherValue>",
               "<CipherData><CipherReference URI=\"http://example.nl/\"/></CipherData><CipherData>\n  <CipherValue>"),
      replaced(good, "<EncryptionMethod", "<CipherData/><EncryptionMethod"),
      replaced(good, "<CipherData>\n  <CipherValue>", "<CipherData>\n  <x:CipherValue xmlns:x=\"urn:x\">"),
      replaced(good, "\n  </CipherValue>", "<!-- c --></CipherValue>"),
      replaced(good, "\n  </CipherValue>", "<![CDATA[AAAA]]></CipherValue>"),
      replaced(good, "\n  </CipherValue>", "</CipherValue><CipherValue/>"),
      replaced(good, "</CipherData>\n</Enc", "</CipherData><CipherData/>\n</Enc"),
      replaced(good, "</CipherData>\n</Enc", "</CipherData><EncryptionProperties><EncryptedData/></EncryptionProperties>\n</Enc"),
      replaced(good, "\n  </CipherValue>", "&amp;</CipherValue>"),
      replaced(good, "\n  </CipherValue>", "&#61;&#61;&#61;</CipherValue>"),
      replaced(good, "\n  </CipherValue>", "&#60;x/></CipherValue>"),
      replaced(good, "http://www.w3.org/2001/04/xmlenc#\"", "http://www.w3.org/2001/04/xmlenc\""),
      good + "<more/>",
      good + std::string(20'000, ' '),
      "<?xml version=\"1.0\"?><!-- " + std::string(300'000, 'x') + " -->" + good.substr(good.find("\n") + 1),
      std::string(100, '<'),
  };
  for (const auto& document : refused) EXPECT_EQ(decrypted(document).octets, std::nullopt) << document.substr(0, 2000);
  std::string wide;
  for (const char c : good) wide.append(1, c).append(1, '\0');
  EXPECT_EQ(decrypted("\xFF\xFE" + wide).octets, std::nullopt);
}

// --- the other implementation
// --------------------------------------------------------------------------------------------------------------

class EncryptionWithXmlsec1 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Xmlsec1::installed()) GTEST_SKIP() << "xmlsec1 is not installed";
  }
  Xmlsec1 xmlsec1;
  const Bytes plain = octets_of(5000);
};

// A17
TEST_F(EncryptionWithXmlsec1, OurDocumentsDecrypt) {
  const auto key = xmlsec1.file("key.pem", security::private_key_pem(rsa().key.get()).value());
  for (const auto cipher : {ContentCipher::aes128_gcm, ContentCipher::aes256_gcm, ContentCipher::aes128_cbc, ContentCipher::aes256_cbc}) {
    const auto file = xmlsec1.file("encrypted.xml", encrypted({.cipher = cipher, .id = "p1", .mime_type = "application/xml"}, plain));
    EXPECT_TRUE(xmlsec1.run("--decrypt", "--privkey-pem " + key + ' ' + file)) << xmlsec1.said();
    EXPECT_EQ(xmlsec1.output(), plain) << uri_of(cipher);
  }
}

TEST_F(EncryptionWithXmlsec1, ItsDocumentsDecryptHere) {
  const auto certificate = xmlsec1.file("certificate.pem", rsa().certificate.pem());
  const auto data = xmlsec1.file("data", plain);
  const std::vector<std::pair<ContentCipher, std::string>> ciphers{{ContentCipher::aes128_gcm, "aes-128"},
                                                                   {ContentCipher::aes256_gcm, "aes-256"},
                                                                   {ContentCipher::aes128_cbc, "aes-128"},
                                                                   {ContentCipher::aes256_cbc, "aes-256"},
                                                                   {ContentCipher::tripledes_cbc, "des-192"}};
  for (const auto& [cipher, session_key] : ciphers) {
    for (const auto transport : {KeyTransport::rsa_oaep_mgf1p, KeyTransport::rsa_1_5}) {
      const auto text =
          "<EncryptedData xmlns=\"http://www.w3.org/2001/04/xmlenc#\">\n<EncryptionMethod Algorithm=\"" + std::string(uri_of(cipher)) +
          "\"/><KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\">\n<EncryptedKey "
          "xmlns=\"http://www.w3.org/2001/04/xmlenc#\"><EncryptionMethod "
          "Algorithm=\"" +
          std::string(uri_of(transport)) +
          "\"/><KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data/></KeyInfo><CipherData><CipherValue/></CipherData></"
          "EncryptedKey></KeyInfo><CipherData><CipherValue/></CipherData></EncryptedData>";
      const auto file = xmlsec1.file("template.xml", text);
      ASSERT_TRUE(xmlsec1.run("--encrypt",
                              "--pubkey-cert-pem " + certificate + " --session-key " + session_key + " --binary-data " + data + ' ' + file))
          << xmlsec1.said();
      const auto outcome = decrypted(xmlsec1.output(), everything, 100);
      EXPECT_EQ(outcome.octets, plain) << uri_of(cipher) << uri_of(transport) << outcome.reason;
    }
  }
}

// --- the ebMS2 vectors, made with the JDK
// ------------------------------------------------------------------------------------------------------

TEST(EbmsVectors, DecryptToThePayloadsThatTheManifestNames) {  // EB-170 to EB-175
  const std::filesystem::path folder = SCHAKEL_SOURCE_DIR "/../shared/standards/ebms/vectors", keys = folder / "../../wus/vectors/keys";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no standards folder beside the repository";
  const auto contents = [](const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), {});
  };
  const auto key = security::parse_private_key(contents(keys / "provider.key.pem")).value();
  const auto manifest = nlohmann::json::parse(contents(folder / "manifest.json"));
  int payloads = 0, refused = 0;
  for (const auto& vector : manifest.at("vectors")) {
    const auto name = vector.at("file").get<std::string>();
    if (!name.starts_with("e-request") || name == "e-request-one-plain.mime") continue;
    const auto message = contents(folder / name);
    const bool tampered = name == "e-request-tampered-ciphertext.mime";
    std::size_t at = 0, number = 0;
    constexpr std::string_view end_tag = "</xenc:EncryptedData>";
    while ((at = message.find("<xenc:EncryptedData", at)) != std::string::npos) {
      const auto end = message.find(end_tag, at) + end_tag.size();
      const auto outcome = decrypted(BytesView(message).substr(at, end - at), everything, 64, [&](const KeyHints&) { return key; });
      at = end;
      if (tampered) {
        refused += !outcome.octets;
        continue;
      }
      ASSERT_TRUE(outcome.octets) << name << outcome.reason;
      EXPECT_EQ(sha256_hex(*outcome.octets), vector.at("payloads").at(number++).at("sha256").get<std::string>()) << name;
      ++payloads;
    }
  }
  EXPECT_GE(payloads, 4);
  EXPECT_GE(refused, 1);
}

}  // namespace
}  // namespace schakel::xmlsecurity
