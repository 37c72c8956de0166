// Base64 as a stream (MIME, XML).
#pragma once

#include "base/bytes.hpp"

namespace schakel {

// Base64 that comes in pieces: white space is skipped, padding is required. Error "base64.invalid".
class Base64Decoder {
 public:
  Result<> decode(BytesView text, Bytes& out);  // appends what is whole
  Result<> finish() const;                      // after the last piece

 private:
  unsigned group_ = 0;
  int characters_ = 0, padding_ = 0;  // of the group
  bool ended_ = false;
};

}  // namespace schakel
