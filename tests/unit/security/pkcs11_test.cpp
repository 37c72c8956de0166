// Keys in a token (SEC-070), with SoftHSM as the token: A14.
#include "security/pkcs11.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/rsa.h>

#include <atomic>
#include <thread>

#include "handshake.hpp"
#include "own_authority.hpp"
#include "security/tls.hpp"
#include "support/recording_log.hpp"
#include "support/softhsm.hpp"

namespace schakel {
namespace {

using security::Pkcs11Module;
using test::pki;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto pin = "1234-geheim";
constexpr auto tls_uri = "pkcs11:token=schakel;object=tls";

// SoftHSM with two tokens: "schakel" with the keys "tls" (01) and "twice" (02, 03), and "other" without keys.
struct Hsm : test::SoftHsm {
  security::Issued tls = pki().tls("00000099000000001000", "Gemeente Voorbeeldstad");
  Hsm() {
    add_token("schakel", pin);
    add_token("other", "4321");
    add_key("schakel", pin, tls.key_pair->key(), "tls", "01");
    add_key("schakel", pin, test::rsa(2048).get(), "twice", "02");
    add_key("schakel", pin, test::rsa(2048).get(), "twice", "03");
  }
};
Hsm& hsm() {
  static Hsm made;
  return made;
}

// SoftHSM's functions with failures of a test's choice. One at a time: PKCS#11 functions have no state of their own.
class Faulty {
 public:
  Faulty() : functions_(*library_) {
    genuine = functions_;
    for (auto* fault : {&login, &context_login, &sign}) fault->store(CKR_OK);
    logins = context_logins = 0;
    authenticate_always = false;
    functions_.C_Login = [](CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* secret, CK_ULONG size) {
      if (user == CKU_CONTEXT_SPECIFIC) {
        ++context_logins;
        return context_login.load();
      }
      ++logins;
      return login != CKR_OK ? login.load() : genuine.C_Login(session, user, secret, size);
    };
    functions_.C_GetAttributeValue = [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE* wanted, CK_ULONG count) {
      const auto rv = genuine.C_GetAttributeValue(session, object, wanted, count);
      if (wanted->type == CKA_ALWAYS_AUTHENTICATE && wanted->pValue != nullptr)
        *static_cast<CK_BBOOL*>(wanted->pValue) = authenticate_always ? CK_TRUE : CK_FALSE;
      return rv;
    };
    functions_.C_Sign = [](CK_SESSION_HANDLE session, CK_BYTE* data, CK_ULONG size, CK_BYTE* signature, CK_ULONG* length) {
      const CK_RV once = sign.exchange(CKR_OK);
      return once != CKR_OK ? once : genuine.C_Sign(session, data, size, signature, length);
    };
  }
  CK_FUNCTION_LIST* functions() { return &functions_; }

  static inline std::atomic<CK_RV> login, context_login, sign;  // sign: once
  static inline std::atomic<int> logins, context_logins;
  static inline std::atomic<bool> authenticate_always;

 private:
  static inline CK_FUNCTION_LIST genuine;
  test::SoftHsm::Library library_;
  CK_FUNCTION_LIST functions_;
};

class Pkcs11 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::SoftHsm::library().empty()) GTEST_SKIP() << "softhsm2 is not installed";
    hsm();
    module_ = std::make_unique<Pkcs11Module>(test::SoftHsm::library(), log_, metrics_);
  }
  security::PrivateKey key(const std::string& uri = tls_uri) { return module_->key(uri, pin).value(); }
  // The whole error: it must say what to do and never the PIN.
  std::string refusal(const std::string& uri, const std::string& secret = pin) {
    const auto found = module_->key(uri, secret);
    if (found) return "accepted";
    EXPECT_EQ(found.error().code, "SEC.SLEUTEL.PKCS11");
    EXPECT_THAT(found.error().detail, Not(HasSubstr(pin)));
    return found.error().detail;
  }

  // With failures at will.
  void use_faulty() {
    faulty_.emplace();
    module_ = std::make_unique<Pkcs11Module>(faulty_->functions(), log_, metrics_);
  }

  schakel::testing::RecordingLog log_;
  Metrics metrics_;
  std::optional<Faulty> faulty_;
  std::unique_ptr<Pkcs11Module> module_;
};

struct Padding {
  int mode = RSA_PKCS1_PADDING;
  int salt = RSA_PSS_SALTLEN_DIGEST;
};
void set(EVP_PKEY_CTX* context, const Padding& padding) {
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(context, padding.mode), 1);
  if (padding.mode == RSA_PKCS1_PSS_PADDING) {
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, padding.salt), 1);
  }
}
// As xmlsecurity/ and later JWS sign; empty: the token failed.
Bytes signature_of(EVP_PKEY* key, const EVP_MD* digest, BytesView text, const Padding& padding = {}) {
  const security::DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  EXPECT_EQ(EVP_DigestSignInit(context.get(), &parameters, digest, nullptr, key), 1);
  set(parameters, padding);
  std::size_t length = 0;
  EXPECT_EQ(EVP_DigestSign(context.get(), nullptr, &length, security::octets(text), text.size()), 1);
  Bytes signature(length, '\0');
  const bool made =
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length, security::octets(text), text.size()) == 1;
  signature.resize(made ? length : 0);
  ERR_clear_error();
  return signature;
}
bool verifies(EVP_PKEY* key, const EVP_MD* digest, BytesView text, BytesView signature, const Padding& padding = {}) {
  const security::DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  EXPECT_EQ(EVP_DigestVerifyInit(context.get(), &parameters, digest, nullptr, key), 1);
  set(parameters, padding);
  return EVP_DigestVerify(context.get(), security::octets(signature), signature.size(), security::octets(text), text.size()) == 1;
}
EVP_PKEY* public_key() {
  return X509_get0_pubkey(hsm().tls.certificate.native());
}

struct Oaep {
  const EVP_MD* digest = EVP_sha1();
  const EVP_MD* mask = EVP_sha1();
};
// Encrypts with the public half or decrypts in the token; empty: refused.
Bytes transported(EVP_PKEY* key, bool encrypt, BytesView in, const Oaep& oaep) {
  const security::KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  EXPECT_EQ(encrypt ? EVP_PKEY_encrypt_init(context.get()) : EVP_PKEY_decrypt_init(context.get()), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), oaep.digest), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), oaep.mask), 1);
  Bytes out(1024, '\0');
  std::size_t length = out.size();
  const auto act = encrypt ? EVP_PKEY_encrypt : EVP_PKEY_decrypt;
  const bool good = act(context.get(), reinterpret_cast<unsigned char*>(out.data()), &length, security::octets(in), in.size()) == 1;
  out.resize(good ? length : 0);
  ERR_clear_error();
  return out;
}

// SEC-070, SEC-030
TEST_F(Pkcs11, TlsWorksBothWaysOnBothVersions) {
  static const SystemClock clock;
  const auto in_token = security::KeyPair::make(key(), hsm().tls.certificate, hsm().tls.chain).value();
  const auto partner = pki().tls("00000099000000002000", "Waterschap Voorbeeld").key_pair;
  for (const bool token_serves : {true, false}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const auto listener =
          security::TlsServer::make({}, {{.hosts = {}, .key_pair = token_serves ? in_token : partner, .trust = pki().trust()}}, clock)
              .value();
      const auto caller = security::TlsClient::make({}, token_serves ? partner : in_token, pki().trust(), false, clock).value();
      test::Pair pair(caller->context(), listener->context());
      SSL_set_max_proto_version(pair.client(), version);
      ASSERT_TRUE(caller->prepare(pair.client(), "localhost"));
      ASSERT_TRUE(pair.run().ok()) << listener->failure_detail(pair.server()) << caller->failure_detail(pair.client());
      EXPECT_EQ(listener->result(pair.server()).peer->oin, token_serves ? "00000099000000002000" : "00000099000000001000");
      EXPECT_TRUE(caller->check(pair.client(), "localhost", token_serves ? "00000099000000001000" : "00000099000000002000"));
      EXPECT_TRUE(pair.echo("hallo"));
    }
  }
}

// SEC-070, SEC-081
TEST_F(Pkcs11, SignaturesVerifyWithTheCertificate) {
  const auto own = key();
  for (const auto* digest : {EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()}) {
    for (const auto& padding : {Padding{}, Padding{RSA_PKCS1_PSS_PADDING}, Padding{RSA_PKCS1_PSS_PADDING, 0},
                                Padding{RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_MAX}}) {
      const auto signature = signature_of(own.get(), digest, "tekst", padding);
      ASSERT_EQ(signature.size(), 384U) << EVP_MD_get0_name(digest) << " " << padding.mode << " " << padding.salt;
      EXPECT_TRUE(verifies(public_key(), digest, "tekst", signature, padding));
      EXPECT_FALSE(verifies(public_key(), digest, "Tekst", signature, padding));
    }
  }
  // The same octets as with the key outside the token.
  EXPECT_EQ(signature_of(own.get(), EVP_sha256(), "tekst"), signature_of(hsm().tls.key_pair->key(), EVP_sha256(), "tekst"));
  EXPECT_EQ(signature_of(own.get(), EVP_sha256(), "tekst", {RSA_PKCS1_PSS_PADDING, 1000}), "") << "a salt that does not fit";
}

// SEC-070, EB-172: SoftHSM itself only knows OAEP with SHA-1
TEST_F(Pkcs11, OaepIsDecryptedWithEveryDigest) {
  const auto own = key();
  for (const auto& oaep : {Oaep{}, Oaep{EVP_sha256(), EVP_sha1()}, Oaep{EVP_sha256(), EVP_sha256()}, Oaep{EVP_sha384(), EVP_sha384()},
                           Oaep{EVP_sha512(), EVP_sha512()}, Oaep{}}) {
    auto encrypted = transported(public_key(), true, "een inhoudssleutel", oaep);
    EXPECT_EQ(transported(own.get(), false, encrypted, oaep), "een inhoudssleutel");
    encrypted.back() = static_cast<char>(encrypted.back() ^ 1);
    EXPECT_EQ(transported(own.get(), false, encrypted, oaep), "");
    EXPECT_EQ(transported(own.get(), false, "too short", oaep), "");
  }
  EXPECT_EQ(transported(own.get(), false, transported(public_key(), true, "x", {EVP_sha256(), EVP_sha256()}), {}), "") << "another digest";
  EXPECT_THAT(module_->failing(), IsEmpty()) << "what a peer sends says nothing about the token";
  EXPECT_THAT(log_.text(), Not(HasSubstr("token.")));
}

// EB-173: for the old key transport the padding is removed in constant time by who asks; a token would tell whether it was right.
TEST_F(Pkcs11, ABlockIsDecryptedRaw) {
  const auto own = key();
  const security::KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, public_key(), nullptr));
  ASSERT_EQ(EVP_PKEY_encrypt_init(context.get()), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING), 1);
  const std::string content = "een inhoudssleutel";
  Bytes encrypted(384, '\0'), block(384, '\0');
  std::size_t length = encrypted.size();
  ASSERT_EQ(EVP_PKEY_encrypt(context.get(), reinterpret_cast<unsigned char*>(encrypted.data()), &length, security::octets(content),
                             content.size()),
            1);
  const security::KeyContextPtr opening(EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr));
  ASSERT_EQ(EVP_PKEY_decrypt_init(opening.get()), 1);
  EXPECT_NE(EVP_PKEY_CTX_set_rsa_padding(opening.get(), RSA_PKCS1_PADDING), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_padding(opening.get(), RSA_NO_PADDING), 1);
  length = block.size();
  ASSERT_EQ(EVP_PKEY_decrypt(opening.get(), reinterpret_cast<unsigned char*>(block.data()), &length, security::octets(encrypted),
                             encrypted.size()),
            1);
  EXPECT_EQ(length, 384U);
  EXPECT_EQ(block.substr(0, 2), Bytes("\0\2", 2));
  EXPECT_TRUE(block.ends_with(content));
}

// As a canonical form is signed: in pieces.
TEST_F(Pkcs11, ASignatureIsMadeInPieces) {
  const auto own = key();
  const security::DigestContextPtr context(EVP_MD_CTX_new());
  ASSERT_EQ(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, own.get()), 1);
  for (const BytesView piece : {"te", "kst"}) ASSERT_EQ(EVP_DigestSignUpdate(context.get(), piece.data(), piece.size()), 1);
  std::size_t length = 0;
  ASSERT_EQ(EVP_DigestSignFinal(context.get(), nullptr, &length), 1);
  Bytes signature(length, '\0');
  ASSERT_EQ(EVP_DigestSignFinal(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length), 1);
  EXPECT_EQ(signature, signature_of(hsm().tls.key_pair->key(), EVP_sha256(), "tekst"));
}

TEST_F(Pkcs11, ManyThreadsUseOneKeyAtOnce) {
  const auto own = key();
  const auto expected = signature_of(hsm().tls.key_pair->key(), EVP_sha256(), "tekst");
  const auto encrypted = transported(public_key(), true, "sleutel", {});
  std::atomic<int> good = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round)
        if (signature_of(own.get(), EVP_sha256(), "tekst") == expected && transported(own.get(), false, encrypted, {}) == "sleutel") ++good;
    });
  threads.clear();
  EXPECT_EQ(good, 80);
}

// The private half stays in the token, and the public half is the token's.
TEST_F(Pkcs11, OnlyThePublicHalfLeavesTheToken) {
  const auto own = key();
  EXPECT_FALSE(security::private_key_pem(own.get()));
  EXPECT_TRUE(security::matches(own.get(), hsm().tls.certificate));
  EXPECT_FALSE(security::matches(own.get(), pki().tls("00000099000000001000", "Ander").certificate));
  EXPECT_EQ(EVP_PKEY_get_bits(own.get()), 3072);
  EXPECT_EQ(EVP_PKEY_get_size(own.get()), 384);
  EXPECT_EQ(EVP_PKEY_eq(own.get(), key("pkcs11:token=schakel;id=%01;type=private").get()), 1) << "found by its id";
  EXPECT_NE(EVP_PKEY_eq(own.get(), key("pkcs11:token=schakel;id=%02").get()), 1);
}

// The keys of files go on as before.
TEST_F(Pkcs11, OtherKeysStayWithOpenssl) {
  const auto in_token = key();
  const auto made = security::generate_rsa(2048).value();
  const auto signature = signature_of(made.get(), EVP_sha256(), "tekst");
  EXPECT_TRUE(verifies(made.get(), EVP_sha256(), "tekst", signature));
  EXPECT_EQ(EVP_PKEY_get0_provider(made.get()), EVP_PKEY_get0_provider(public_key()));
  EXPECT_NE(EVP_PKEY_get0_provider(made.get()), EVP_PKEY_get0_provider(in_token.get()));
  EXPECT_EQ(transported(made.get(), false, transported(made.get(), true, "x", {}), {}), "x");
}

// SEC-072
TEST_F(Pkcs11, ARequestIsMadeForAKeyInTheToken) {
  for (const auto scheme : {security::SigningScheme::pss_sha512, security::SigningScheme::pkcs1_sha256}) {
    security::RequestPlan plan{};
    plan.organisation = "Gemeente Voorbeeldstad";
    plan.common_name = "stad.example";
    plan.oin = "00000099000000001000";
    plan.hosts = {"stad.example"};
    plan.scheme = scheme;
    const auto request = security::make_request(plan, key().get());
    ASSERT_TRUE(request) << request.error().detail;
    const auto asked = security::public_key_of_request(*request);
    ASSERT_TRUE(asked) << asked.error().detail;
    EXPECT_EQ(EVP_PKEY_eq(asked->get(), public_key()), 1);
  }
}

// The certificate in a file beside the token, or in the token with its issuers.
TEST_F(Pkcs11, TheCertificateComesFromAFileOrFromTheToken) {
  const auto file = (hsm().folder() / "tls.pem").string();
  std::ofstream(file) << hsm().tls.certificate.pem();
  const auto beside = security::load_key_pair({.certificates = file, .key = tls_uri, .passphrase = pin}, module_.get());
  ASSERT_TRUE(beside) << beside.error().detail;
  EXPECT_EQ((*beside)->certificate(), hsm().tls.certificate);
  std::ofstream(file) << pki().tls("00000099000000001000", "Ander").certificate.pem();
  EXPECT_EQ(security::load_key_pair({.certificates = file, .key = tls_uri, .passphrase = pin}, module_.get()).error().code,
            "SEC.SLEUTEL.MISMATCH");
  EXPECT_EQ(security::load_key_pair({.certificates = {}, .key = tls_uri, .passphrase = pin}, module_.get()).error().code,
            "SEC.SLEUTEL.MISMATCH");

  hsm().add_certificate("schakel", pin, hsm().tls.chain.front());
  hsm().add_certificate("schakel", pin, hsm().tls.certificate);
  const auto inside = security::load_key_pair({.certificates = {}, .key = tls_uri, .passphrase = pin}, module_.get());
  ASSERT_TRUE(inside) << inside.error().detail;
  EXPECT_EQ((*inside)->certificate(), hsm().tls.certificate);
  EXPECT_EQ((*inside)->chain(), std::vector{hsm().tls.chain.front()});
}

TEST_F(Pkcs11, ErrorsSayWhatToDo) {
  EXPECT_THAT(refusal("pkcs11:token=elders;object=tls"),
              AllOf(HasSubstr("no token fits"), HasSubstr("\"schakel\""), HasSubstr("\"other\"")));
  EXPECT_THAT(refusal("pkcs11:object=tls"), HasSubstr("several tokens fit"));
  EXPECT_THAT(refusal("pkcs11:token=schakel;object=weg"), AllOf(HasSubstr("no RSA private key"), HasSubstr("pkcs11-tool")));
  EXPECT_THAT(refusal("pkcs11:token=schakel;object=twice"), HasSubstr("several RSA private keys"));
  EXPECT_EQ(refusal("pkcs11:token=schakel;object=twice;id=%03"), "accepted");
  EXPECT_THAT(refusal(tls_uri, ""), HasSubstr("passphrase"));
  EXPECT_THAT(refusal("pkcs11:token=schakel;object=tls?pin-value=1234-geheim"), HasSubstr("passphrase"));
  EXPECT_THAT(refusal("pkcs11:token=schakel;object=tls?pin-source=file:/etc/pin"), HasSubstr("passphrase"));
  EXPECT_THAT(refusal("pkcs11:token=schakel;object=tls?module-path=/tmp/x.so"), HasSubstr("pki.pkcs11-module"));
  EXPECT_THAT(refusal("pkcs11:token=schakel;objekt=tls"), HasSubstr("not known"));
  EXPECT_THAT(refusal("pkcs11:token=schakel;object=tls;type=cert"), HasSubstr("private"));
  EXPECT_THAT(refusal("pkcs11:token=%zz"), HasSubstr("RFC 7512"));
  EXPECT_THAT(refusal("pkcs11:token=" + std::string(2000, 'x')), HasSubstr("1024"));
  module_ = std::make_unique<Pkcs11Module>("", log_, metrics_);
  EXPECT_THAT(refusal(tls_uri), HasSubstr("pki.pkcs11-module"));
  module_ = std::make_unique<Pkcs11Module>("/nergens/libx.so", log_, metrics_);
  EXPECT_THAT(refusal(tls_uri), HasSubstr("/nergens/libx.so"));
  EXPECT_THAT(log_.text(), Not(HasSubstr(pin)));
}

// A token locks itself after a few wrong PINs.
TEST_F(Pkcs11, AWrongPinIsTriedOnceOnly) {
  use_faulty();
  for (int i = 0; i < 5; ++i) EXPECT_THAT(refusal(tls_uri, "wrong"), AllOf(HasSubstr("PIN is wrong"), Not(HasSubstr("\"wrong\""))));
  EXPECT_EQ(Faulty::logins, 1);
  const auto own = key();
  EXPECT_EQ(Faulty::logins, 2) << "another PIN is another matter";
  EXPECT_THAT(refusal(tls_uri, "wrong"), HasSubstr("PIN is wrong")) << "also while the token is open for others";
  EXPECT_EQ(Faulty::logins, 2);
  EXPECT_THAT(refusal(tls_uri, "also wrong"), HasSubstr("PIN is wrong"));
  EXPECT_EQ(Faulty::logins, 4) << "the wrong one, and the right one again";
  EXPECT_NE(signature_of(own.get(), EVP_sha256(), "tekst"), "");
  Faulty::login = CKR_PIN_LOCKED;
  EXPECT_THAT(refusal(tls_uri, "locked"), HasSubstr("security officer"));
}

TEST_F(Pkcs11, ALostSessionIsReplaced) {
  use_faulty();
  const auto own = key();
  const auto expected = signature_of(own.get(), EVP_sha256(), "tekst");
  for (const CK_RV lost :
       {CKR_SESSION_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN, CKR_DEVICE_REMOVED, CKR_KEY_HANDLE_INVALID, CKR_GENERAL_ERROR}) {
    Faulty::sign = lost;
    EXPECT_EQ(signature_of(own.get(), EVP_sha256(), "tekst"), expected) << lost;
  }
  EXPECT_THAT(metrics_.text(), HasSubstr("schakel_token_failures_total{token=\"schakel\"} 5"));
  EXPECT_THAT(log_.text(), HasSubstr("token.lost"));
  EXPECT_THAT(module_->failing(), IsEmpty());
}

// The PIN was changed on the token while this program ran.
TEST_F(Pkcs11, AfterALossARefusedPinIsNotTriedAgain) {
  use_faulty();
  const auto own = key();
  Faulty::login = CKR_PIN_INCORRECT;
  Faulty::sign = CKR_DEVICE_REMOVED;
  Faulty::logins = 0;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(signature_of(own.get(), EVP_sha256(), "tekst"), "");
  EXPECT_EQ(Faulty::logins, 1);
  EXPECT_THAT(module_->failing(), ::testing::ElementsAre(HasSubstr("\"schakel\"")));
}

// CKA_ALWAYS_AUTHENTICATE
TEST_F(Pkcs11, AKeyThatAsksForThePinAtEachUseGetsItUntilItIsWrong) {
  use_faulty();
  Faulty::authenticate_always = true;
  const auto own = key();
  for (int i = 0; i < 2; ++i) EXPECT_NE(signature_of(own.get(), EVP_sha256(), "tekst"), "");
  EXPECT_EQ(Faulty::context_logins, 2);
  Faulty::context_login = CKR_PIN_INCORRECT;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(signature_of(own.get(), EVP_sha256(), "tekst"), "");
  EXPECT_EQ(Faulty::context_logins, 3) << "a token locks itself after a few";
  EXPECT_EQ(Faulty::logins, 1);
}

// A fault that a new login does not cure: the token is not asked to log in by every signature.
TEST_F(Pkcs11, AnIllTokenIsOpenedAnewOnceASecond) {
  use_faulty();
  const auto own = key();
  Faulty::logins = 0;
  for (int i = 0; i < 20; ++i) {
    Faulty::sign = CKR_DEVICE_ERROR;
    (void)signature_of(own.get(), EVP_sha256(), "tekst");
  }
  EXPECT_GE(Faulty::logins, 1);
  EXPECT_LE(Faulty::logins, 5);
}

// SoftHSM keeps a token as files.
TEST_F(Pkcs11, ATokenThatIsTakenOutIsNamedAndComesBack) {
  const auto own = key();
  const auto expected = signature_of(own.get(), EVP_sha256(), "tekst");
  ASSERT_NE(expected, "");
  std::filesystem::rename(hsm().tokens(), hsm().folder() / "away");
  std::filesystem::create_directories(hsm().tokens());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(signature_of(own.get(), EVP_sha256(), "tekst"), "");
  EXPECT_THAT(module_->failing(), ::testing::ElementsAre(HasSubstr("\"schakel\"")));
  EXPECT_THAT(log_.text(), HasSubstr("token.failed"));
  std::filesystem::remove_all(hsm().tokens());
  std::filesystem::rename(hsm().folder() / "away", hsm().tokens());
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // a token that is away is asked once a second
  EXPECT_EQ(signature_of(own.get(), EVP_sha256(), "tekst"), expected);
  EXPECT_THAT(module_->failing(), IsEmpty());
}

}  // namespace
}  // namespace schakel
