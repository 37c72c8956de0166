#include "xmlsec1.hpp"

#ifdef SCHAKEL_BENCH_XMLSEC1

#include <libxml/parser.h>
#include <xmlsec/crypto.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlenc.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

#include <stdexcept>
#include <string>

namespace schakel::bench {

namespace {

struct FreeDocument {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
using DocumentPtr = std::unique_ptr<xmlDoc, FreeDocument>;

void add_ids(xmlDocPtr document, xmlNodePtr node) {
  for (; node != nullptr; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    for (xmlAttrPtr attribute = node->properties; attribute != nullptr; attribute = attribute->next)
      if (std::string_view(reinterpret_cast<const char*>(attribute->name)) == "Id")
        xmlAddID(nullptr, document, attribute->children->content, attribute);
    add_ids(document, node->children);
  }
}

DocumentPtr parsed(std::string_view text) {
  DocumentPtr document(xmlReadMemory(text.data(), static_cast<int>(text.size()), nullptr, nullptr, XML_PARSE_NONET | XML_PARSE_HUGE));
  if (document) add_ids(document.get(), xmlDocGetRootElement(document.get()));
  return document;
}

xmlNodePtr signature_in(const DocumentPtr& document) {
  return document ? xmlSecFindNode(xmlDocGetRootElement(document.get()), xmlSecNodeSignature, xmlSecDSigNs) : nullptr;
}

}  // namespace

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

bool Xmlsec1::verifies(std::string_view text) {
  const auto document = parsed(text);
  const auto signature = signature_in(document);
  return signature != nullptr && verifies(signature);
}

std::string Xmlsec1::signed_anew(std::string_view document_template) {
  const auto document = parsed(document_template);
  const auto signature = signature_in(document);
  if (signature == nullptr) return {};
  xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(nullptr);
  context->signKey = xmlSecKeyDuplicate(state_->key);
  const bool ok = xmlSecDSigCtxSign(context, signature) >= 0;
  xmlSecDSigCtxDestroy(context);
  if (!ok) return {};
  xmlChar* octets = nullptr;
  int size = 0;
  xmlDocDumpMemory(document.get(), &octets, &size);
  std::string out(reinterpret_cast<char*>(octets), static_cast<std::size_t>(size));
  xmlFree(octets);
  return out;
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
bool Xmlsec1::verifies(std::string_view) {
  return false;
}
std::string Xmlsec1::signed_anew(std::string_view) {
  return {};
}
bool Xmlsec1::decrypts(std::string_view) {
  return false;
}

}  // namespace schakel::bench

#endif
