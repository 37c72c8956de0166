#define OPENSSL_SUPPRESS_DEPRECATED  // RSA_padding_check_PKCS1_OAEP_mgf1: OpenSSL has no other name for it

#include <openssl/rsa.h>
#include <p11-kit/p11-kit.h>

#include <algorithm>

#include "security/token.hpp"

namespace schakel::security {
namespace {

struct HashNames {
  CK_MECHANISM_TYPE hash;
  CK_RSA_PKCS_MGF_TYPE mask;
  const EVP_MD* (*digest)();
};
HashNames names_of(TokenHash hash) {
  switch (hash) {
    case TokenHash::sha1:
      return {CKM_SHA_1, CKG_MGF1_SHA1, EVP_sha1};
    case TokenHash::sha256:
      return {CKM_SHA256, CKG_MGF1_SHA256, EVP_sha256};
    case TokenHash::sha384:
      return {CKM_SHA384, CKG_MGF1_SHA384, EVP_sha384};
    case TokenHash::sha512:
      break;
  }
  return {CKM_SHA512, CKG_MGF1_SHA512, EVP_sha512};
}

CK_BYTE* octets_for(BytesView bytes) {
  return const_cast<CK_BYTE*>(octets(bytes));  // Cryptoki's input is not const, but is not written to
}
CK_BYTE* octets_into(Bytes& bytes) {
  return reinterpret_cast<CK_BYTE*>(bytes.data());
}

BigNumberPtr number(BytesView big_endian) {
  return BigNumberPtr(BN_bin2bn(octets(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

// A token that knows the mechanism may still know only some of its hashes.
bool lacks_mechanism(CK_RV rv) {
  return rv == CKR_MECHANISM_INVALID || rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_ARGUMENTS_BAD;
}

// What a peer can cause is not an operator's concern here.
bool is_about_input(CK_RV rv) {
  return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE || rv == CKR_DATA_INVALID || rv == CKR_DATA_LEN_RANGE ||
         rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED;
}

}  // namespace

Result<std::shared_ptr<const TokenKey>> TokenKey::find(std::shared_ptr<Token> token, const Pkcs11Uri& uri) {
  SCHAKEL_TRY(const auto key, token->find_key(uri.id(), uri.label()));
  return std::shared_ptr<const TokenKey>(new TokenKey(std::move(token), uri, key));
}

TokenKey::TokenKey(std::shared_ptr<Token> token, const Pkcs11Uri& uri, const Token::Key& key)
    : token_(std::move(token)),
      uri_(uri),
      modulus_(number(key.modulus)),
      exponent_(number(key.exponent)),
      authenticate_always_(key.authenticate_always),
      handle_(CK_INVALID_HANDLE),
      handle_generation_(0) {}

// Inside an operation. After the token was opened anew the handle is another, and must be of the same key.
CK_RV TokenKey::handle_in(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE& handle) const {
  const std::lock_guard guard(mutex_);
  if (handle_generation_ != token_->generation()) {
    Token::Key key;
    if (const auto rv = token_->find_in(session, uri_.id(), uri_.label(), key); rv != CKR_OK) return rv;
    const auto modulus = number(key.modulus);
    if (key.handle == CK_INVALID_HANDLE || BN_cmp(modulus.get(), modulus_.get()) != 0) return CKR_KEY_HANDLE_INVALID;
    handle_ = key.handle;
    handle_generation_ = token_->generation();
  }
  handle = handle_;
  return CKR_OK;
}

Error TokenKey::failed(std::string_view what, CK_RV rv) const {
  if (!is_about_input(rv)) token_->report(rv);
  return fail("SEC.SLEUTEL.PKCS11", "token " + token_->name() + ": " + std::string(what) + ": " + p11_kit_strerror(rv));
}

Result<Bytes> TokenKey::sign(CK_MECHANISM mechanism, BytesView data) const {
  Bytes signature;
  const auto rv = token_->run(
      [&](CK_SESSION_HANDLE session) {
        const auto& token = *token_->functions();
        CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
        auto failure = handle_in(session, handle);
        if (failure == CKR_OK) failure = token.C_SignInit(session, &mechanism, handle);
        if (failure == CKR_OK && authenticate_always_) failure = token_->authenticate(session);
        if (failure != CKR_OK) return failure;
        signature.assign(bytes(), '\0');
        CK_ULONG length = signature.size();
        failure = token.C_Sign(session, octets_for(data), data.size(), octets_into(signature), &length);
        if (failure == CKR_OK) signature.resize(std::min<std::size_t>(length, signature.size()));
        return failure;
      },
      Token::Input::ours);
  if (rv != CKR_OK) return failed("signing", rv);
  return signature;
}

CK_RV TokenKey::decrypt(CK_MECHANISM mechanism, BytesView encrypted, Bytes& plain) const {
  return token_->run(
      [&](CK_SESSION_HANDLE session) {
        const auto& token = *token_->functions();
        CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
        auto failure = handle_in(session, handle);
        if (failure == CKR_OK) failure = token.C_DecryptInit(session, &mechanism, handle);
        if (failure == CKR_OK && authenticate_always_) failure = token_->authenticate(session);
        if (failure != CKR_OK) return failure;
        plain.assign(bytes(), '\0');
        CK_ULONG length = plain.size();
        failure = token.C_Decrypt(session, octets_for(encrypted), encrypted.size(), octets_into(plain), &length);
        if (failure == CKR_OK) plain.resize(std::min<std::size_t>(length, plain.size()));
        return failure;
      },
      Token::Input::peers);
}

Result<Bytes> TokenKey::sign_pkcs1(BytesView digest_info) const {
  return sign({CKM_RSA_PKCS, nullptr, 0}, digest_info);
}

Result<Bytes> TokenKey::sign_pss(BytesView digest, const PssParameters& parameters) const {
  CK_RSA_PKCS_PSS_PARAMS native{names_of(parameters.hash).hash, names_of(parameters.mask).mask, parameters.salt_bytes};
  return sign({CKM_RSA_PKCS_PSS, &native, sizeof native}, digest);
}

Result<Bytes> TokenKey::decrypt_oaep(BytesView encrypted, const OaepParameters& parameters) const {
  Bytes plain, label = parameters.label;
  if (!oaep_here_) {
    CK_RSA_PKCS_OAEP_PARAMS native{names_of(parameters.hash).hash, names_of(parameters.mask).mask, CKZ_DATA_SPECIFIED,
                                   label.empty() ? nullptr : label.data(), label.size()};
    const auto rv = decrypt({CKM_RSA_PKCS_OAEP, &native, sizeof native}, encrypted, plain);
    if (rv == CKR_OK) return plain;
    if (!lacks_mechanism(rv)) return failed("decrypting", rv);
    // SHA-1 is what every token knows; that it lacks another hash says nothing about SHA-1.
    if (parameters.hash == TokenHash::sha1 && parameters.mask == TokenHash::sha1) oaep_here_ = true;
  }
  SCHAKEL_TRY(auto padded, decrypt_raw(encrypted));
  plain.assign(bytes(), '\0');
  const int length = RSA_padding_check_PKCS1_OAEP_mgf1(reinterpret_cast<unsigned char*>(plain.data()), static_cast<int>(plain.size()),
                                                       octets(padded), static_cast<int>(padded.size()), static_cast<int>(bytes()),
                                                       octets(label), static_cast<int>(label.size()), names_of(parameters.hash).digest(),
                                                       names_of(parameters.mask).digest());
  OPENSSL_cleanse(padded.data(), padded.size());
  ERR_clear_error();
  if (length < 0) return failed("decrypting", CKR_ENCRYPTED_DATA_INVALID);
  plain.resize(static_cast<std::size_t>(length));
  return plain;
}

Result<Bytes> TokenKey::decrypt_raw(BytesView encrypted) const {
  Bytes padded;
  if (const auto rv = decrypt({CKM_RSA_X_509, nullptr, 0}, encrypted, padded); rv != CKR_OK) return failed("decrypting", rv);
  padded.insert(0, bytes() - padded.size(), '\0');
  return padded;
}

}  // namespace schakel::security
