// libxmlsec1 as the one to compare with, when it is there: only this program links it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct _xmlNode;

namespace schakel::bench {

class Xmlsec1 {
 public:
  static const bool present;

  explicit Xmlsec1(std::string_view private_key_pem);
  ~Xmlsec1();

  bool verifies(_xmlNode* ds_signature);
  // A document whose References are to attributes `Id` of whatever namespace.
  bool verifies(std::string_view document);
  // With DigestValues and SignatureValue filled in, serialised; empty: it failed.
  std::string signed_anew(std::string_view document_template);
  bool decrypts(std::string_view encrypted_data);  // parses it first, as we do

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace schakel::bench
