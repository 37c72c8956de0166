#include "security/token_provider.hpp"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include <array>
#include <charconv>
#include <cstring>

namespace schakel::security {
namespace {

constexpr auto provider_name = "schakel-token";
constexpr auto algorithm_names = "RSA:rsaEncryption:1.2.840.113549.1.1.1";
constexpr auto algorithm_properties = "provider=schakel-token";
constexpr auto token_key_param = "schakel-token-key";  // the address of a shared_ptr<const TokenKey>

using SharedKey = std::shared_ptr<const TokenKey>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, OpensslFree<OSSL_PARAM_free>>;
using ParamsBuildPtr = std::unique_ptr<OSSL_PARAM_BLD, OpensslFree<OSSL_PARAM_BLD_free>>;
using DigestPtr = std::unique_ptr<EVP_MD, OpensslFree<EVP_MD_free>>;

constexpr int done = 1, refused = 0;  // what OpenSSL's functions return

template <class Function>
OSSL_DISPATCH entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}
constexpr OSSL_DISPATCH last_entry{0, nullptr};

// The reason is in the token's own log lines; OpenSSL's caller only has to know that it failed.
int give(const Result<Bytes>& result, unsigned char* out, std::size_t* length, std::size_t size) {
  if (!result || result->size() > size) {
    ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "%s", result ? "the buffer is too small" : result.error().detail.c_str());
    return refused;
  }
  std::memcpy(out, result->data(), result->size());
  *length = result->size();
  return done;
}

// --- parameters ------------------------------------------------------------------------------------------------------------------------

std::optional<TokenHash> hash_named(const char* name) {
  const DigestPtr digest(EVP_MD_fetch(nullptr, name, nullptr));
  if (digest == nullptr) return std::nullopt;
  for (const auto& [hash, known] : {std::pair{TokenHash::sha1, "SHA1"},
                                    {TokenHash::sha256, "SHA2-256"},
                                    {TokenHash::sha384, "SHA2-384"},
                                    {TokenHash::sha512, "SHA2-512"}})
    if (EVP_MD_is_a(digest.get(), known) == 1) return hash;
  return std::nullopt;
}
const EVP_MD* digest_of(TokenHash hash) {
  switch (hash) {
    case TokenHash::sha1:
      return EVP_sha1();
    case TokenHash::sha256:
      return EVP_sha256();
    case TokenHash::sha384:
      return EVP_sha384();
    case TokenHash::sha512:
      break;
  }
  return EVP_sha512();
}

// Takes the parameter when it is there; false when it is there and wrong.
bool take_hash(const OSSL_PARAM* params, const char* name, std::optional<TokenHash>& hash) {
  const auto* param = OSSL_PARAM_locate_const(params, name);
  if (param == nullptr) return true;
  const char* text = nullptr;
  if (OSSL_PARAM_get_utf8_string_ptr(param, &text) != 1) return false;
  hash = hash_named(text);
  return hash.has_value();
}

// A number, or the name of one.
bool take_number(const OSSL_PARAM* params, const char* name, std::initializer_list<std::pair<std::string_view, int>> names, int& value) {
  const auto* param = OSSL_PARAM_locate_const(params, name);
  if (param == nullptr) return true;
  if (param->data_type == OSSL_PARAM_INTEGER) return OSSL_PARAM_get_int(param, &value) == 1;
  const char* text = nullptr;
  if (OSSL_PARAM_get_utf8_string_ptr(param, &text) != 1) return false;
  const std::string_view wanted = text;
  for (const auto& [known, number] : names)
    if (wanted == known) {
      value = number;
      return true;
    }
  const auto [end, problem] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), value);
  return problem == std::errc{} && end == wanted.data() + wanted.size();
}

const std::initializer_list<std::pair<std::string_view, int>> padding_names = {
    {OSSL_PKEY_RSA_PAD_MODE_PKCSV15, RSA_PKCS1_PADDING},
    {OSSL_PKEY_RSA_PAD_MODE_PSS, RSA_PKCS1_PSS_PADDING},
    {OSSL_PKEY_RSA_PAD_MODE_OAEP, RSA_PKCS1_OAEP_PADDING},
    {"oeap", RSA_PKCS1_OAEP_PADDING},
    {OSSL_PKEY_RSA_PAD_MODE_NONE, RSA_NO_PADDING}};  // OpenSSL's own slip

// --- key management --------------------------------------------------------------------------------------------------------------------

// What OpenSSL calls key data.
struct Key {
  SharedKey shared;
};
Key& key_of(void* data) {
  return *static_cast<Key*>(data);
}
const TokenKey& token_key(const void* data) {
  return *static_cast<const Key*>(data)->shared;
}

void* key_new(void*) {
  return new Key;
}
void key_free(void* data) {
  delete static_cast<Key*>(data);
}
int key_has(const void* data, int) {
  return static_cast<const Key*>(data)->shared != nullptr ? done : refused;
}
int key_match(const void* a, const void* b, int) {
  return BN_cmp(token_key(a).modulus(), token_key(b).modulus()) == 0 && BN_cmp(token_key(a).exponent(), token_key(b).exponent()) == 0
             ? done
             : refused;
}
// Keys of other providers are not taken over: they stay where they work.
int key_import(void* data, int, const OSSL_PARAM params[]) {
  const auto* param = OSSL_PARAM_locate_const(params, token_key_param);
  if (param == nullptr || param->data_type != OSSL_PARAM_OCTET_STRING || param->data_size != sizeof(const SharedKey*)) return refused;
  const SharedKey* address = nullptr;
  std::memcpy(&address, param->data, sizeof address);
  key_of(data).shared = *address;
  return done;
}
const OSSL_PARAM* key_import_types(int) {
  static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(token_key_param, nullptr, 0), OSSL_PARAM_END};
  return types;
}

ParamsPtr public_params(const TokenKey& key) {
  const ParamsBuildPtr build(OSSL_PARAM_BLD_new());
  if (OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, key.modulus()) != 1 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, key.exponent()) != 1)
    return nullptr;
  return ParamsPtr(OSSL_PARAM_BLD_to_param(build.get()));
}
// Only the public half. Whoever asks for more must come back here with the operation.
int key_export(void* data, int selection, OSSL_CALLBACK* callback, void* callback_argument) {
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) return refused;
  const auto params = public_params(token_key(data));
  return params != nullptr ? callback(params.get(), callback_argument) : refused;
}
const OSSL_PARAM* key_export_types(int) {
  static const OSSL_PARAM types[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
                                     OSSL_PARAM_END};
  return types;
}

int key_get_params(void* data, OSSL_PARAM params[]) {
  const auto& key = token_key(data);
  const int bits = BN_num_bits(key.modulus());
  const auto number = [&](const char* name, int value) {
    auto* param = OSSL_PARAM_locate(params, name);
    return param == nullptr || OSSL_PARAM_set_int(param, value) == 1;
  };
  const auto big = [&](const char* name, const BIGNUM* value) {
    auto* param = OSSL_PARAM_locate(params, name);
    return param == nullptr || OSSL_PARAM_set_BN(param, value) == 1;
  };
  auto* digest = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST);
  if (digest != nullptr && OSSL_PARAM_set_utf8_string(digest, "SHA256") != 1) return refused;
  return number(OSSL_PKEY_PARAM_BITS, bits) && number(OSSL_PKEY_PARAM_SECURITY_BITS, BN_security_bits(bits, -1)) &&
                 number(OSSL_PKEY_PARAM_MAX_SIZE, static_cast<int>(key.bytes())) && big(OSSL_PKEY_PARAM_RSA_N, key.modulus()) &&
                 big(OSSL_PKEY_PARAM_RSA_E, key.exponent())
             ? done
             : refused;
}
const OSSL_PARAM* key_gettable_params(void*) {
  static const OSSL_PARAM types[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
                                     OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
                                     OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
                                     OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, nullptr, 0),
                                     OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0),
                                     OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
                                     OSSL_PARAM_END};
  return types;
}

// --- signatures ------------------------------------------------------------------------------------------------------------------------

struct Signing {
  SharedKey key;
  int padding = RSA_PKCS1_PADDING;
  int salt = RSA_PSS_SALTLEN_AUTO;
  std::optional<TokenHash> hash, mask;
  DigestContextPtr digest;
};
Signing& signing_of(void* context) {
  return *static_cast<Signing*>(context);
}

void* signing_new(void*, const char*) {
  return new Signing;
}
void signing_free(void* context) {
  delete static_cast<Signing*>(context);
}
void* signing_dup(void* context) {
  const auto& from = signing_of(context);
  auto copy = std::make_unique<Signing>();
  copy->key = from.key;
  copy->padding = from.padding;
  copy->salt = from.salt;
  copy->hash = from.hash;
  copy->mask = from.mask;
  if (from.digest != nullptr) {
    copy->digest.reset(EVP_MD_CTX_new());
    if (copy->digest == nullptr || EVP_MD_CTX_copy_ex(copy->digest.get(), from.digest.get()) != 1) return nullptr;
  }
  return copy.release();
}

int signing_set(void* context, const OSSL_PARAM params[]) {
  if (params == nullptr) return done;
  auto& signing = signing_of(context);
  const bool good = take_hash(params, OSSL_SIGNATURE_PARAM_DIGEST, signing.hash) &&
                    take_hash(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST, signing.mask) &&
                    take_number(params, OSSL_SIGNATURE_PARAM_PAD_MODE, padding_names, signing.padding) &&
                    take_number(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN,
                                {{OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST, RSA_PSS_SALTLEN_DIGEST},
                                 {OSSL_PKEY_RSA_PSS_SALT_LEN_MAX, RSA_PSS_SALTLEN_MAX},
                                 {OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO, RSA_PSS_SALTLEN_AUTO}},
                                signing.salt);
  return good && (signing.padding == RSA_PKCS1_PADDING || signing.padding == RSA_PKCS1_PSS_PADDING) ? done : refused;
}
const OSSL_PARAM* signing_settable(void*, void*) {
  static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, nullptr, 0),
                                     OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, nullptr, 0),
                                     OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
                                     OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0), OSSL_PARAM_END};
  return types;
}

int signing_init(void* context, void* key, const OSSL_PARAM params[]) {
  if (key != nullptr) signing_of(context).key = key_of(key).shared;
  return signing_of(context).key != nullptr ? signing_set(context, params) : refused;
}
int signing_digest_init(void* context, const char* digest_name, void* key, const OSSL_PARAM params[]) {
  auto& signing = signing_of(context);
  signing.hash = hash_named(digest_name != nullptr ? digest_name : "SHA256");
  if (!signing.hash || signing_init(context, key, params) != done) return refused;
  signing.digest.reset(EVP_MD_CTX_new());
  return signing.digest != nullptr ? EVP_DigestInit_ex(signing.digest.get(), digest_of(*signing.hash), nullptr) : refused;
}
int signing_digest_update(void* context, const unsigned char* octets, std::size_t length) {
  auto& signing = signing_of(context);
  return signing.digest != nullptr ? EVP_DigestUpdate(signing.digest.get(), octets, length) : refused;
}

// RFC 8017 9.2, note 1: the DER in front of the hash.
std::string_view digest_info_prefix(TokenHash hash) {
  using namespace std::string_view_literals;
  switch (hash) {
    case TokenHash::sha1:
      return "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"sv;
    case TokenHash::sha256:
      return "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"sv;
    case TokenHash::sha384:
      return "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"sv;
    case TokenHash::sha512:
      break;
  }
  return "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"sv;
}

std::optional<std::size_t> salt_bytes(const Signing& signing, std::size_t hash_bytes) {
  const auto encoded = (static_cast<std::size_t>(BN_num_bits(signing.key->modulus())) + 6) / 8;  // emBits is modBits - 1
  if (encoded < 2 * hash_bytes + 2) return std::nullopt;
  switch (signing.salt) {
    case RSA_PSS_SALTLEN_DIGEST:
      return hash_bytes;
    case RSA_PSS_SALTLEN_AUTO:
    case RSA_PSS_SALTLEN_MAX:
      return encoded - hash_bytes - 2;
    default:
      return signing.salt >= 0 ? std::optional<std::size_t>(static_cast<std::size_t>(signing.salt)) : std::nullopt;
  }
}

Result<Bytes> sign_digest(const Signing& signing, BytesView digest) {
  if (!signing.hash) return signing.key->sign_pkcs1(digest);
  const auto hash_bytes = static_cast<std::size_t>(EVP_MD_get_size(digest_of(*signing.hash)));
  if (digest.size() != hash_bytes) return fail("SEC.SLEUTEL.PKCS11", "a digest of another length than its algorithm gives");
  if (signing.padding == RSA_PKCS1_PADDING) return signing.key->sign_pkcs1(Bytes(digest_info_prefix(*signing.hash)) + Bytes(digest));
  const auto salt = salt_bytes(signing, hash_bytes);
  if (!salt) return fail("SEC.SLEUTEL.PKCS11", "a PSS salt of that length does not fit in the key");
  return signing.key->sign_pss(digest, {.hash = *signing.hash, .mask = signing.mask.value_or(*signing.hash), .salt_bytes = *salt});
}

int signing_sign(void* context, unsigned char* out, std::size_t* length, std::size_t size, const unsigned char* digest,
                 std::size_t digest_length) {
  const auto& signing = signing_of(context);
  if (signing.key == nullptr) return refused;
  *length = signing.key->bytes();
  if (out == nullptr) return done;
  return give(sign_digest(signing, {reinterpret_cast<const char*>(digest), digest_length}), out, length, size);
}
int signing_digest_final(void* context, unsigned char* out, std::size_t* length, std::size_t size) {
  auto& signing = signing_of(context);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_length = 0;
  if (signing.key == nullptr || signing.digest == nullptr) return refused;
  if (out != nullptr && EVP_DigestFinal_ex(signing.digest.get(), digest.data(), &digest_length) != 1) return refused;
  return signing_sign(context, out, length, size, digest.data(), digest_length);
}

// The AlgorithmIdentifier for certificate requests: what OpenSSL's own provider says of the same parameters and the public half.
Bytes algorithm_identifier(const Signing& signing) {
  const auto params = public_params(*signing.key);
  const KeyContextPtr maker(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", "provider=default"));
  EVP_PKEY* made = nullptr;
  if (params == nullptr || maker == nullptr || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return {};
  const KeyPtr key(made);
  const DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  if (EVP_DigestVerifyInit_ex(context.get(), &parameters, EVP_MD_get0_name(digest_of(*signing.hash)), nullptr, "provider=default",
                              key.get(), nullptr) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(parameters, signing.padding) != 1)
    return {};
  if (signing.padding == RSA_PKCS1_PSS_PADDING) {
    const auto hash_bytes = static_cast<std::size_t>(EVP_MD_get_size(digest_of(*signing.hash)));
    if (EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, static_cast<int>(salt_bytes(signing, hash_bytes).value_or(hash_bytes))) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, digest_of(signing.mask.value_or(*signing.hash))) != 1)
      return {};
  }
  Bytes identifier(256, '\0');
  OSSL_PARAM asked[] = {OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, identifier.data(), identifier.size()),
                        OSSL_PARAM_construct_end()};
  if (EVP_PKEY_CTX_get_params(parameters, asked) != 1 || OSSL_PARAM_modified(asked) != 1) return {};
  identifier.resize(asked[0].return_size);
  return identifier;
}

int signing_get(void* context, OSSL_PARAM params[]) {
  const auto& signing = signing_of(context);
  auto* param = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
  if (param == nullptr) return done;
  if (signing.key == nullptr || !signing.hash) return refused;
  const auto identifier = algorithm_identifier(signing);
  return identifier.empty() ? refused : OSSL_PARAM_set_octet_string(param, identifier.data(), identifier.size());
}
const OSSL_PARAM* signing_gettable(void*, void*) {
  static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, nullptr, 0), OSSL_PARAM_END};
  return types;
}

// --- decryption ------------------------------------------------------------------------------------------------------------------------

struct Decrypting {
  SharedKey key;
  int padding = RSA_PKCS1_OAEP_PADDING;
  std::optional<TokenHash> hash, mask;
  Bytes label;
};
Decrypting& decrypting_of(void* context) {
  return *static_cast<Decrypting*>(context);
}

void* decrypting_new(void*) {
  return new Decrypting;
}
void decrypting_free(void* context) {
  delete static_cast<Decrypting*>(context);
}
void* decrypting_dup(void* context) {
  return new Decrypting(decrypting_of(context));
}

int decrypting_set(void* context, const OSSL_PARAM params[]) {
  if (params == nullptr) return done;
  auto& decrypting = decrypting_of(context);
  const auto* label = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL);
  if (label != nullptr) {
    if (label->data_type != OSSL_PARAM_OCTET_STRING) return refused;
    decrypting.label.assign(static_cast<const char*>(label->data), label->data_size);
  }
  const bool good = take_hash(params, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, decrypting.hash) &&
                    take_hash(params, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, decrypting.mask) &&
                    take_number(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE, padding_names, decrypting.padding);
  return good && (decrypting.padding == RSA_NO_PADDING || decrypting.padding == RSA_PKCS1_OAEP_PADDING) ? done : refused;
}
const OSSL_PARAM* decrypting_settable(void*, void*) {
  static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, nullptr, 0),
                                     OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, nullptr, 0),
                                     OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, nullptr, 0),
                                     OSSL_PARAM_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, nullptr, 0), OSSL_PARAM_END};
  return types;
}

int decrypting_init(void* context, void* key, const OSSL_PARAM params[]) {
  if (key != nullptr) decrypting_of(context).key = key_of(key).shared;
  return decrypting_of(context).key != nullptr ? decrypting_set(context, params) : refused;
}
int decrypting_decrypt(void* context, unsigned char* out, std::size_t* length, std::size_t size, const unsigned char* in,
                       std::size_t in_length) {
  const auto& decrypting = decrypting_of(context);
  if (decrypting.key == nullptr) return refused;
  *length = decrypting.key->bytes();
  if (out == nullptr) return done;
  const BytesView encrypted(reinterpret_cast<const char*>(in), in_length);
  if (decrypting.padding == RSA_NO_PADDING) return give(decrypting.key->decrypt_raw(encrypted), out, length, size);
  const auto hash = decrypting.hash.value_or(TokenHash::sha1);
  return give(decrypting.key->decrypt_oaep(encrypted, {.hash = hash, .mask = decrypting.mask.value_or(hash), .label = decrypting.label}),
              out, length, size);
}

// --- provider --------------------------------------------------------------------------------------------------------------------------

const OSSL_ALGORITHM* key_algorithms() {
  static const OSSL_DISPATCH functions[] = {
      entry<OSSL_FUNC_keymgmt_new_fn>(OSSL_FUNC_KEYMGMT_NEW, key_new),
      entry<OSSL_FUNC_keymgmt_free_fn>(OSSL_FUNC_KEYMGMT_FREE, key_free),
      entry<OSSL_FUNC_keymgmt_has_fn>(OSSL_FUNC_KEYMGMT_HAS, key_has),
      entry<OSSL_FUNC_keymgmt_match_fn>(OSSL_FUNC_KEYMGMT_MATCH, key_match),
      entry<OSSL_FUNC_keymgmt_import_fn>(OSSL_FUNC_KEYMGMT_IMPORT, key_import),
      entry<OSSL_FUNC_keymgmt_import_types_fn>(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),
      entry<OSSL_FUNC_keymgmt_export_fn>(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
      entry<OSSL_FUNC_keymgmt_export_types_fn>(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types),
      entry<OSSL_FUNC_keymgmt_get_params_fn>(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),
      entry<OSSL_FUNC_keymgmt_gettable_params_fn>(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params),
      last_entry};
  static const OSSL_ALGORITHM algorithms[] = {{algorithm_names, algorithm_properties, functions, nullptr},
                                              {nullptr, nullptr, nullptr, nullptr}};
  return algorithms;
}

const OSSL_ALGORITHM* signature_algorithms() {
  static const OSSL_DISPATCH functions[] = {
      entry<OSSL_FUNC_signature_newctx_fn>(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
      entry<OSSL_FUNC_signature_freectx_fn>(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
      entry<OSSL_FUNC_signature_dupctx_fn>(OSSL_FUNC_SIGNATURE_DUPCTX, signing_dup),
      entry<OSSL_FUNC_signature_sign_init_fn>(OSSL_FUNC_SIGNATURE_SIGN_INIT, signing_init),
      entry<OSSL_FUNC_signature_sign_fn>(OSSL_FUNC_SIGNATURE_SIGN, signing_sign),
      entry<OSSL_FUNC_signature_digest_sign_init_fn>(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_digest_init),
      entry<OSSL_FUNC_signature_digest_sign_update_fn>(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, signing_digest_update),
      entry<OSSL_FUNC_signature_digest_sign_final_fn>(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, signing_digest_final),
      entry<OSSL_FUNC_signature_get_ctx_params_fn>(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, signing_get),
      entry<OSSL_FUNC_signature_gettable_ctx_params_fn>(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, signing_gettable),
      entry<OSSL_FUNC_signature_set_ctx_params_fn>(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set),
      entry<OSSL_FUNC_signature_settable_ctx_params_fn>(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable),
      last_entry};
  static const OSSL_ALGORITHM algorithms[] = {{algorithm_names, algorithm_properties, functions, nullptr},
                                              {nullptr, nullptr, nullptr, nullptr}};
  return algorithms;
}

const OSSL_ALGORITHM* cipher_algorithms() {
  static const OSSL_DISPATCH functions[] = {
      entry<OSSL_FUNC_asym_cipher_newctx_fn>(OSSL_FUNC_ASYM_CIPHER_NEWCTX, decrypting_new),
      entry<OSSL_FUNC_asym_cipher_freectx_fn>(OSSL_FUNC_ASYM_CIPHER_FREECTX, decrypting_free),
      entry<OSSL_FUNC_asym_cipher_dupctx_fn>(OSSL_FUNC_ASYM_CIPHER_DUPCTX, decrypting_dup),
      entry<OSSL_FUNC_asym_cipher_decrypt_init_fn>(OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, decrypting_init),
      entry<OSSL_FUNC_asym_cipher_decrypt_fn>(OSSL_FUNC_ASYM_CIPHER_DECRYPT, decrypting_decrypt),
      entry<OSSL_FUNC_asym_cipher_set_ctx_params_fn>(OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, decrypting_set),
      entry<OSSL_FUNC_asym_cipher_settable_ctx_params_fn>(OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, decrypting_settable),
      last_entry};
  static const OSSL_ALGORITHM algorithms[] = {{algorithm_names, algorithm_properties, functions, nullptr},
                                              {nullptr, nullptr, nullptr, nullptr}};
  return algorithms;
}

const OSSL_ALGORITHM* query(void*, int operation, int* no_cache) {
  *no_cache = 0;
  switch (operation) {
    case OSSL_OP_KEYMGMT:
      return key_algorithms();
    case OSSL_OP_SIGNATURE:
      return signature_algorithms();
    case OSSL_OP_ASYM_CIPHER:
      return cipher_algorithms();
    default:
      return nullptr;
  }
}

int start_provider(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** context) {
  static const OSSL_DISPATCH functions[] = {entry<OSSL_FUNC_provider_query_operation_fn>(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
                                            last_entry};
  *out = functions;
  *context = const_cast<OSSL_CORE_HANDLE*>(handle);
  return done;
}

// Once for the process, as OpenSSL has it. Its own provider comes first, so that it keeps every other key. Neither is unloaded: keys may
// outlive any moment at which that could be done.
bool provider_is_there() {
  static OSSL_PROVIDER* const own = OSSL_PROVIDER_load(nullptr, "default");
  static OSSL_PROVIDER* const ours =
      own && OSSL_PROVIDER_add_builtin(nullptr, provider_name, start_provider) == 1 ? OSSL_PROVIDER_load(nullptr, provider_name) : nullptr;
  return ours != nullptr;
}

}  // namespace

Result<PrivateKey> as_private_key(std::shared_ptr<const TokenKey> key) {
  const auto failed = [] { return fail("SEC.SLEUTEL.PKCS11", "OpenSSL does not take the key: " + openssl_error()); };
  if (!provider_is_there()) return failed();
  const KeyContextPtr maker(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", algorithm_properties));
  const SharedKey* address = &key;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(token_key_param, &address, sizeof address), OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  if (maker == nullptr || EVP_PKEY_fromdata_init(maker.get()) != 1 || EVP_PKEY_fromdata(maker.get(), &made, EVP_PKEY_KEYPAIR, params) != 1)
    return failed();
  return PrivateKey(made, EVP_PKEY_free);
}

}  // namespace schakel::security
