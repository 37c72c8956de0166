#include "xmlsecurity/algorithms.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include "base/json_library.hpp"

namespace schakel::xmlsecurity {
namespace {

// SEC-080: the tables in the program are those of the standards folder, entry by entry and in both columns.
class AlgorithmTable : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path file = SCHAKEL_SOURCE_DIR "/../shared/standards/security/xml-crypto-algorithms.json";
    if (!std::filesystem::exists(file)) GTEST_SKIP() << "no standards folder beside the repository";
    std::ifstream(file) >> table;
  }

  nlohmann::json table;
};

std::string uri_of_entry(const nlohmann::json& entry) {
  return entry.at("uri").get<std::string>();
}
bool is_true(const nlohmann::json& value) {
  return value.is_boolean() && value.get<bool>();
}

TEST_F(AlgorithmTable, ListsTheDigestMethods) {
  std::size_t listed = 0;
  for (const auto& entry : table.at("digest")) {
    const auto method = digest_method(uri_of_entry(entry));
    EXPECT_EQ(method.has_value(), is_true(entry.at("verify"))) << uri_of_entry(entry);
    EXPECT_EQ(entry.at("sign"), entry.at("verify")) << "every digest that may be verified may be made too";
    if (method) {
      EXPECT_EQ(uri_of(*method), uri_of_entry(entry));
    }
    listed += method.has_value();
  }
  EXPECT_EQ(listed, 3U);
}

TEST_F(AlgorithmTable, ListsTheSignatureMethodsAndWhichOfThemAreMade) {
  std::size_t listed = 0;
  for (const auto& entry : table.at("signature")) {
    const auto method = signature_method(uri_of_entry(entry));
    EXPECT_EQ(method.has_value(), is_true(entry.at("verify"))) << uri_of_entry(entry);
    if (!method) continue;
    ++listed;
    EXPECT_EQ(uri_of(*method), uri_of_entry(entry));
    EXPECT_EQ(may_be_made(*method), is_true(entry.at("sign"))) << uri_of_entry(entry) << ": what needs an agreement is never made";
  }
  EXPECT_EQ(listed, 9U);
}

TEST_F(AlgorithmTable, ListsTheCanonicalisations) {
  for (const auto& entry : table.at("canonicalization")) {
    const auto form = canonicalisation(uri_of_entry(entry));
    EXPECT_EQ(form.has_value(), entry.at("use") != "reject") << uri_of_entry(entry);
    if (form) {
      EXPECT_EQ(uri_of(*form), uri_of_entry(entry));
    }
  }
}

TEST_F(AlgorithmTable, ListsTheContentCiphersAndWhichOfThemNeedAnException) {
  std::size_t listed = 0;
  for (const auto& entry : table.at("data_encryption")) {
    const auto cipher = content_cipher(uri_of_entry(entry));
    const bool legacy = entry.at("decrypt").is_string();
    EXPECT_EQ(cipher.has_value(), legacy || is_true(entry.at("decrypt"))) << uri_of_entry(entry);
    if (!cipher) continue;
    ++listed;
    EXPECT_EQ(uri_of(*cipher), uri_of_entry(entry));
    EXPECT_EQ(needs_exception(*cipher), legacy) << uri_of_entry(entry);
    EXPECT_EQ(is_gcm(*cipher), is_true(entry.at("encrypt"))) << uri_of_entry(entry);
  }
  EXPECT_EQ(listed, 5U);
}

TEST_F(AlgorithmTable, ListsTheKeyTransports) {
  std::size_t listed = 0;
  for (const auto& entry : table.at("key_transport")) {
    const auto transport = key_transport(uri_of_entry(entry));
    // SEC-083: rsa-1_5 is refused by the table; the one exception (ebMS2, environment test) is the policy of who decrypts.
    EXPECT_EQ(transport.has_value() && transport != KeyTransport::rsa_1_5, is_true(entry.at("decrypt"))) << uri_of_entry(entry);
    if (transport) {
      EXPECT_EQ(uri_of(*transport), uri_of_entry(entry));
    }
    listed += transport.has_value();
  }
  EXPECT_EQ(listed, 3U);
}

TEST(Algorithms, AreKnownByTheirWholeNameOnly) {
  for (const std::string uri : {"", "http://www.w3.org/2001/04/xmlenc#SHA256", " http://www.w3.org/2001/04/xmlenc#sha256",
                                "http://www.w3.org/2001/04/xmlenc#sha2567"})
    EXPECT_FALSE(digest_method(uri)) << uri;
  EXPECT_FALSE(key_transport("http://www.w3.org/2001/04/xmlenc#kw-aes256"));
  EXPECT_FALSE(signature_method("http://www.w3.org/2001/04/xmldsig-more#hmac-sha512"));
}

TEST(Algorithms, KeepKeysOfTheirOwnLength) {
  EXPECT_EQ(key_bytes(ContentCipher::aes128_gcm), 16U);
  EXPECT_EQ(key_bytes(ContentCipher::aes256_gcm), 32U);
  EXPECT_EQ(key_bytes(ContentCipher::aes128_cbc), 16U);
  EXPECT_EQ(key_bytes(ContentCipher::aes256_cbc), 32U);
  EXPECT_EQ(key_bytes(ContentCipher::tripledes_cbc), 24U);
}

TEST(Digests, AreThoseOfFips180) {
  EXPECT_EQ(to_hex(digest(DigestMethod::sha256, "abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(digest(DigestMethod::sha384, "abc")),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(
      to_hex(digest(DigestMethod::sha512, "abc")),
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Digests, StartAnewWhenFinished) {
  Digest digesting(DigestMethod::sha256);
  digesting.write("a");
  digesting.write("bc");
  const auto first = digesting.finish();
  digesting.write("abc");
  EXPECT_EQ(digesting.finish(), first);
  EXPECT_EQ(first, digest(DigestMethod::sha256, "abc"));
}

}  // namespace
}  // namespace schakel::xmlsecurity
