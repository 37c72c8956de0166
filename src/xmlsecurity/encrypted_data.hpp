// The xenc:EncryptedData document around its content: what comes before the content's CipherValue text decides everything and is small,
// what comes after closes it. Internal to xmlsecurity/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xmlsecurity/encrypted_key.hpp"

namespace schakel::xmlsecurity {

// Finds the octet at which the text of EncryptedData/CipherData/CipherValue begins, one octet at a time, so that it does not matter in
// which pieces a document comes. It only counts tags; that they are XML is seen when what it found is parsed.
class ContentFinder {
 public:
  enum class Progress { more, found, impossible };

  // `text` has grown by its last octet.
  Progress advance(std::string_view text);
  // End tags for what is open at the content.
  std::string closing_tags() const;

 private:
  enum class At { text, markup, start_tag, end_tag, instruction, declaration, comment, character_data };

  Progress end_of_start_tag(std::string_view tag);

  At at_ = At::text;
  std::size_t begin_ = 0;  // of the markup at hand
  char quote_ = 0;
  std::vector<std::string> open_;  // qualified names
};

struct EncryptedDataHead {
  std::string algorithm;
  std::string mime_type, encoding, type;
  std::vector<EncryptedKey> keys;
};

// A whole document whose content CipherValue is empty. Errors: "encryption.structure" (SEC-114: references to ciphertext, nested or too
// many EncryptedKeys, EncryptedData inside; also anything that is not where the schema has it), "xml.…".
Result<EncryptedDataHead> read_encrypted_data(std::string_view without_content);

}  // namespace schakel::xmlsecurity
