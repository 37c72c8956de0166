// EncryptedData as other implementations write it, and as only an attacker would: made with OpenSSL alone, of algorithms and keys that our
// own Encryptor never uses.
#pragma once

#include <gtest/gtest.h>
#include <openssl/rsa.h>

#include <string>

#include "base/bytes.hpp"
#include "security/openssl.hpp"

namespace schakel::test {

inline Bytes octets_of(std::size_t size) {
  Bytes out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  return out;
}

struct EncryptionStyle {
  std::string cipher = "http://www.w3.org/2009/xmlenc11#aes256-gcm", transport = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
  std::string parameters{};  // inside EncryptionMethod of the EncryptedKey
  int padding = RSA_PKCS1_OAEP_PADDING;
  const char *digest = "SHA1", *mask = "SHA1";
  Bytes label{};
  Bytes key = octets_of(32);
  const char* openssl_cipher = "AES-256-GCM";
  Bytes plain = "a payload";
  bool own_padding = false;  // plain is whole blocks already
};

inline Bytes wrapped_key(const EncryptionStyle& style, EVP_PKEY* recipient) {
  const security::KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, recipient, nullptr));
  EVP_PKEY_encrypt_init(context.get());
  EVP_PKEY_CTX_set_rsa_padding(context.get(), style.padding);
  if (style.padding == RSA_PKCS1_OAEP_PADDING) {
    EVP_PKEY_CTX_set_rsa_oaep_md_name(context.get(), style.digest, nullptr);
    EVP_PKEY_CTX_set_rsa_mgf1_md_name(context.get(), style.mask, nullptr);
    if (!style.label.empty())
      EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), OPENSSL_memdup(style.label.data(), style.label.size()),
                                       static_cast<int>(style.label.size()));
  }
  std::size_t size = 512;
  Bytes out(size, '\0');
  EXPECT_EQ(
      EVP_PKEY_encrypt(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, security::octets(style.key), style.key.size()),
      1);
  return out.substr(0, size);
}

inline Bytes cipher_value(const EncryptionStyle& style) {
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, style.openssl_cipher, nullptr);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  Bytes out = octets_of(static_cast<std::size_t>(EVP_CIPHER_get_iv_length(cipher)));
  const auto at = out.size();
  out.resize(at + style.plain.size() + 64);
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  int size = 0, last = 0;
  EVP_EncryptInit_ex2(context, cipher, security::octets(style.key), to, nullptr);
  if (style.own_padding) EVP_CIPHER_CTX_set_padding(context, 0);
  EVP_EncryptUpdate(context, to + at, &size, security::octets(style.plain), static_cast<int>(style.plain.size()));
  EXPECT_EQ(EVP_EncryptFinal_ex(context, to + at + size, &last), 1);
  std::size_t end = at + static_cast<std::size_t>(size + last);
  if (EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE) {
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, to + end);
    end += 16;
  }
  EVP_CIPHER_CTX_free(context);
  EVP_CIPHER_free(cipher);
  return out.substr(0, end);
}

inline std::string encrypted_key(const EncryptionStyle& style, EVP_PKEY* recipient, const std::string& key_info = "") {
  return "<EncryptedKey Id=\"k\"><EncryptionMethod Algorithm=\"" + style.transport + "\">" + style.parameters + "</EncryptionMethod>" +
         key_info + "<CipherData><CipherValue>" + to_base64(wrapped_key(style, recipient)) + "</CipherValue></CipherData></EncryptedKey>";
}

// `keys`: the EncryptedKey elements.
inline std::string encrypted_document(const EncryptionStyle& style, const std::string& keys) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- <xenc:CipherValue> --><?x <CipherData>?>\n<EncryptedData "
         "xmlns=\"http://www.w3.org/2001/04/xmlenc#\" Type=\"http://www.w3.org/2001/04/xmlenc#Element\" title='a>b\"/>'>\n "
         "<EncryptionMethod "
         "Algorithm=\"" +
         style.cipher + "\"/>\n <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">" + keys +
         "</ds:KeyInfo>\n <CipherData>\n  <CipherValue>\n" + to_base64(cipher_value(style)) +
         "\n  </CipherValue>\n </CipherData>\n</EncryptedData>\n";
}

}  // namespace schakel::test
