#include "api/intake.hpp"

#include "exchange/blob.hpp"
#include "exchange/commit.hpp"

namespace schakel::api {
namespace {

using ebms::SubmitPayload;
using http::Awaitable;

constexpr std::size_t upload_commit_bytes = 1 * limits::MiB;  // of a payload in one commit: fewer flushes than a commit per chunk

// Octets of one payload on their way to the store: in memory while they are few, then in chunks of a blob.
class Intake {
 public:
  Intake(const Office& office, std::vector<std::string>& blobs) : office_(office), blobs_(blobs) {}

  Awaitable<Result<>> add(BytesView octets) {
    digest_.update(octets);
    size_ += octets.size();
    waiting_.append(octets);
    if (waiting_.size() < upload_commit_bytes) co_return Result<>{};
    co_return co_await write(waiting_.size() / limits::blob_chunk_bytes * limits::blob_chunk_bytes);
  }

  Awaitable<Result<>> finish(SubmitPayload& payload) {
    payload.size = static_cast<std::int64_t>(size_);
    payload.sha256 = to_hex(digest_.finish());
    if (blob_.empty() && waiting_.size() <= limits::payload_in_memory_max) {
      payload.octets = std::move(waiting_);
      co_return Result<>{};
    }
    SCHAKEL_CO_CHECK(co_await write(waiting_.size()));
    payload.blob = blob_;
    co_return Result<>{};
  }

 private:
  // The first `count` waiting octets, every chunk but the last one full.
  Awaitable<Result<>> write(std::size_t count) {
    if (blob_.empty()) {
      blob_ = office_.new_id();
      blobs_.push_back(blob_);
    }
    const Instant now = office_.now();
    const BytesView octets = BytesView(waiting_).substr(0, count);
    const auto unit = [&](sql::Transaction& tx) -> Result<> {
      std::int64_t chunk = next_chunk_;
      for (std::size_t at = 0; at < octets.size(); at += limits::blob_chunk_bytes) {
        SCHAKEL_CHECK(exchange::write_chunk(tx, blob_, chunk++, octets.substr(at, limits::blob_chunk_bytes), now));
      }
      return {};
    };
    SCHAKEL_CO_CHECK(co_await exchange::commit(office_.dependencies.database, unit));
    next_chunk_ += static_cast<std::int64_t>((count + limits::blob_chunk_bytes - 1) / limits::blob_chunk_bytes);
    waiting_.erase(0, count);
    co_return Result<>{};
  }

  const Office& office_;
  std::vector<std::string>& blobs_;  // to be removed when the submit fails
  Sha256 digest_;
  std::size_t size_ = 0;
  Bytes waiting_;
  std::string blob_;
  std::int64_t next_chunk_ = 0;
};

Refusal too_large(std::size_t bytes_max) {
  return {"message.tooLarge", "De payloads samen zijn groter dan " + std::to_string(bytes_max) + " octetten."};
}

// EB-232: outbound ids are unique in the installation; the id of another tenant's message is not told.
Answer<> check_message_id(sql::Transaction& tx, const ebms::SubmitRequest& request) {
  if (request.message_id.empty()) return {};
  SCHAKEL_TRY(const auto existing, exchange::find_outbound(tx, request.message_id));
  if (!existing) return {};
  Refusal refusal("message.duplicateId", "Dit messageId is al gebruikt.");
  if (existing->tenant == request.tenant) refusal.members["id"] = existing->id;
  return refusal;
}

Result<> write_large_payloads(sql::Transaction& tx, const Taken& taken, Instant now) {
  for (const auto& [blob, octets] : taken.large) {
    std::int64_t chunk = 0;
    for (std::size_t at = 0; at < octets.size(); at += limits::blob_chunk_bytes) {
      SCHAKEL_CHECK(exchange::write_chunk(tx, blob, chunk++, BytesView(octets).substr(at, limits::blob_chunk_bytes), now));
    }
  }
  return {};
}

}  // namespace

void place(const Office& office, SubmitPayload& payload, Bytes octets, Taken& taken) {
  payload.size = static_cast<std::int64_t>(octets.size());
  payload.sha256 = sha256_hex(octets);
  if (octets.size() <= limits::payload_in_memory_max) {
    payload.octets = std::move(octets);
    return;
  }
  payload.blob = office.new_id();
  taken.large.push_back({payload.blob, std::move(octets)});
}

Awaitable<Answer<>> take_octets(const Office& office, http::BodyReader& source, SubmitPayload& payload, std::size_t& bytes_left,
                                Taken& taken) {
  Intake intake(office, taken.blobs);
  std::vector<char> buffer(64 * limits::KiB);
  for (;;) {
    const auto count = co_await source.read(buffer);
    if (!count) co_return broken_body(count.error());
    if (*count == 0) break;
    if (*count > bytes_left) co_return too_large(office.settings.message_bytes_max);
    bytes_left -= *count;
    if (const auto added = co_await intake.add({buffer.data(), *count}); !added) co_return Refusal(added.error());
  }
  if (const auto finished = co_await intake.finish(payload); !finished) co_return Refusal(finished.error());
  co_return Answer<>{};
}

Answer<exchange::Message> submit_taken(sql::Transaction& tx, const Office& office, const Taken& taken) {
  SCHAKEL_CHECK(check_message_id(tx, taken.request));
  SCHAKEL_CHECK(write_large_payloads(tx, taken, office.now()));
  SCHAKEL_TRY(auto message, office.dependencies.msh.submit(tx, taken.request, taken.composed.get()));
  return message;
}

Awaitable<> remove_blobs(const Office& office, const Taken& taken) {
  if (taken.blobs.empty()) co_return;
  const auto done = co_await exchange::commit(office.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
    for (const auto& blob : taken.blobs) SCHAKEL_CHECK(exchange::delete_blob(tx, blob));
    return {};
  });
  if (!done) office.dependencies.log.warning("upload.notRemoved", {{"code", done.error().code}});
}

Refusal body_fault(std::string location, std::string code, std::string detail) {
  Faults faults;
  add_fault(faults, "body", std::move(location), std::move(code), std::move(detail));
  return judge(std::move(faults)).error();
}

Refusal broken_body(const Error& error) {
  return error.code == "request.invalid" ? body_fault("", "form", error.detail) : Refusal(error);
}

}  // namespace schakel::api
