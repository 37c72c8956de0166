#include "xmlsec1.hpp"

#ifdef SCHAKEL_BENCH_XMLSEC1

#include <libxml/parser.h>
#include <xmlsec/crypto.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlenc.h>
#include <xmlsec/xmlsec.h>

#include <stdexcept>
#include <string>

namespace schakel::bench {

const bool Xmlsec1::present = true;

struct Xmlsec1::State {
  xmlSecKeysMngrPtr keys = nullptr;
  xmlSecKeyPtr key = nullptr;
};

Xmlsec1::Xmlsec1(std::string_view private_key_pem) : state_(new State) {
  static const bool begun = xmlSecInit() >= 0 && xmlSecCryptoAppInit(nullptr) >= 0 && xmlSecCryptoInit() >= 0;
  const std::string pem(private_key_pem);
  state_->key = xmlSecCryptoAppKeyLoadMemory(reinterpret_cast<const xmlSecByte*>(pem.data()), static_cast<xmlSecSize>(pem.size()),
                                             xmlSecKeyDataFormatPem, nullptr, nullptr, nullptr);
  state_->keys = xmlSecKeysMngrCreate();
  if (!begun || state_->key == nullptr || state_->keys == nullptr || xmlSecCryptoAppDefaultKeysMngrInit(state_->keys) < 0 ||
      xmlSecCryptoAppDefaultKeysMngrAdoptKey(state_->keys, xmlSecKeyDuplicate(state_->key)) < 0) {
    throw std::runtime_error("xmlsec1 does not begin");
  }
}

Xmlsec1::~Xmlsec1() {
  xmlSecKeysMngrDestroy(state_->keys);
  xmlSecKeyDestroy(state_->key);
}

bool Xmlsec1::verifies(_xmlNode* ds_signature) {
  xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(nullptr);
  context->signKey = xmlSecKeyDuplicate(state_->key);
  const bool ok = xmlSecDSigCtxVerify(context, ds_signature) >= 0 && context->status == xmlSecDSigStatusSucceeded;
  xmlSecDSigCtxDestroy(context);
  return ok;
}

bool Xmlsec1::decrypts(std::string_view encrypted_data) {
  xmlDocPtr document =
      xmlReadMemory(encrypted_data.data(), static_cast<int>(encrypted_data.size()), nullptr, nullptr, XML_PARSE_NONET | XML_PARSE_HUGE);
  xmlSecEncCtxPtr context = xmlSecEncCtxCreate(state_->keys);
  const bool ok = xmlSecEncCtxDecryptToBuffer(context, xmlDocGetRootElement(document)) != nullptr;
  xmlSecEncCtxDestroy(context);
  xmlFreeDoc(document);
  return ok;
}

}  // namespace schakel::bench

#else

namespace schakel::bench {

const bool Xmlsec1::present = false;
struct Xmlsec1::State {};
Xmlsec1::Xmlsec1(std::string_view) {}
Xmlsec1::~Xmlsec1() = default;
bool Xmlsec1::verifies(_xmlNode*) {
  return false;
}
bool Xmlsec1::decrypts(std::string_view) {
  return false;
}

}  // namespace schakel::bench

#endif
