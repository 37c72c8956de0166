#include "ebms/opening.hpp"

#include <algorithm>

namespace schakel::ebms {

namespace {

constexpr std::string_view unknown_content_type = "application/octet-stream";

// A MimeType becomes a header value towards the application: only what can be one.
std::string content_type_of(std::string_view mime_type) {
  const bool printable = std::all_of(mime_type.begin(), mime_type.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (mime_type.empty() || mime_type.size() > 255 || !printable || !parse_media_type(mime_type)) return std::string(unknown_content_type);
  return std::string(mime_type);
}

}  // namespace

PartOpening::PartOpening(Part& part, std::optional<xmlsecurity::Decryptor> decryptor, xmlsecurity::DigestMethod method)
    : part_(part), decryptor_(std::move(decryptor)), method_(method), by_method_(method) {}

void PartOpening::take(BytesView octets, PartSink* sink) {
  if (!decryptor_) return by_method_.write(octets);
  const auto plain = decryptor_->update(octets);
  if (plain) keep(*plain, sink);
}

void PartOpening::keep(BytesView plain, PartSink* sink) {
  sha256_.update(plain);
  if (method_ != xmlsecurity::DigestMethod::sha256 && sink) by_method_.write(plain);
  size_ += static_cast<std::int64_t>(plain.size());
  if (!sink) {
    held_ += plain;
    return;
  }
  if (blob_.empty() && !plain.empty()) blob_ = sink->open();
  while (held_.size() + plain.size() >= limits::blob_chunk_bytes) {
    const std::size_t room = limits::blob_chunk_bytes - held_.size();
    held_ += plain.substr(0, room);
    plain.remove_prefix(room);
    sink->append(blob_, chunks_++, std::exchange(held_, {}));
  }
  held_ += plain;
}

bool PartOpening::end(PartSink* sink) {
  if (!decryptor_) {
    digest_ = by_method_.finish();
    return true;
  }
  auto plain = decryptor_->finish();
  if (!plain) {
    reason_ = decryptor_->reason();
    part_.wire_blob = blob_;  // what was written of it goes with the rest
    return false;
  }
  keep(plain->octets, sink);
  plain->octets.clear();
  plain_ = std::move(*plain);
  describe(sink);
  return true;
}

void PartOpening::describe(PartSink* sink) {
  if (sink) {
    if (!held_.empty()) sink->append(blob_, chunks_++, std::exchange(held_, {}));
    if (!blob_.empty()) sink->close(blob_);
  }
  part_.wire_size = part_.size;
  part_.wire_octets = std::exchange(part_.octets, std::exchange(held_, {}));
  part_.wire_blob = std::exchange(part_.blob, blob_);
  part_.size = size_;
  Bytes sha256 = sha256_.finish();
  part_.sha256 = to_hex(sha256);
  part_.content_type = content_type_of(plain_->mime_type);
  if (method_ == xmlsecurity::DigestMethod::sha256)
    digest_ = std::move(sha256);
  else if (sink)
    digest_ = by_method_.finish();
}

Bytes PartOpening::digest() const {
  return digest_.empty() ? xmlsecurity::digest(method_, part_.octets) : digest_;
}

}  // namespace schakel::ebms
