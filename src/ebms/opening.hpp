// One payload part of a secured message on its way from what travelled to what the signature covers and the application gets (ebms.md 3.4
// step 12; EB-031, EB-175, EB-176). Private to src/ebms.
//
// Octets go in as they arrived, in pieces; plain octets of a large part go to the sink as they come. A part that cannot be opened is read
// to its end all the same, so that neither answer nor time says where it failed.
#pragma once

#include <optional>
#include <string>

#include "ebms/mime.hpp"
#include "xmlsecurity/encryption.hpp"

namespace schakel::ebms {

class PartOpening {
 public:
  // Without a Decryptor the octets are digested only. `part` outlives this.
  PartOpening(Part& part, std::optional<xmlsecurity::Decryptor>, xmlsecurity::DigestMethod);

  // `sink`: null for a part in memory.
  void take(BytesView octets, PartSink* sink);
  // The part then describes its plain form; its other form is in wire_octets or wire_blob. False: it cannot be opened (row 24).
  bool end(PartSink* sink);

  const std::string& reason() const { return reason_; }  // why not: for our own log
  bool refuses_algorithm() const { return decryptor_ && decryptor_->refuses_algorithm(); }
  // By the method given; of a part in memory it is made when asked for.
  Bytes digest() const;
  // Of an opened part.
  const std::optional<xmlsecurity::Decryptor::Plain>& plain() const { return plain_; }

 private:
  void keep(BytesView plain, PartSink* sink);
  void describe(PartSink* sink);

  Part& part_;
  std::optional<xmlsecurity::Decryptor> decryptor_;
  xmlsecurity::DigestMethod method_;
  xmlsecurity::Digest by_method_;
  Sha256 sha256_;
  Bytes digest_, held_;  // held_: the plain octets of a part in memory, or of the chunk that is being filled
  std::string blob_;     // of the plain octets of a large part
  std::int64_t chunks_ = 0, size_ = 0;
  std::optional<xmlsecurity::Decryptor::Plain> plain_;
  std::string reason_;
};

}  // namespace schakel::ebms
