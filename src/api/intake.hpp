// The payloads of a submit on their way to the store, whatever form brings them: few octets stay in memory, many are written in chunks
// while they arrive (EB-031). And the unit that makes a message of them.
#pragma once

#include <string>
#include <vector>

#include "api/resources.hpp"

namespace schakel::api {

// A submit with its octets at rest or in memory.
struct Taken {
  ebms::SubmitRequest request;
  std::shared_ptr<const ebms::Composed> composed;  // of Msh::compose, when the request is complete
  std::string body_sha256;                         // what Idempotency-Key compares; empty where there is none
  std::vector<std::string> blobs;                  // written so far: to be removed when the submit fails
  struct Large {
    std::string blob;
    Bytes octets;
  };
  std::vector<Large> large;  // to be written in the transaction of the message
};

// The octets of one payload that were in memory anyway.
void place(const Office&, ebms::SubmitPayload&, Bytes octets, Taken&);
// The octets of one payload to their end. Errors: those of the body; message.tooLarge when there are more than `bytes_left`, which is
// lowered by what was read.
http::Awaitable<Answer<>> take_octets(const Office&, http::BodyReader&, ebms::SubmitPayload&, std::size_t& bytes_left, Taken&);

// Message, payloads and work, in the transaction of the caller. Errors: message.duplicateId, and those of Msh::submit.
Answer<exchange::Message> submit_taken(sql::Transaction&, const Office&, const Taken&);
// After a submit that failed. What cannot be removed now is an orphan, and those are purged (exchange/blob.hpp).
http::Awaitable<> remove_blobs(const Office&, const Taken&);

// 400 with one fault of the body.
Refusal body_fault(std::string location, std::string code, std::string detail);
// A body that is not what it should be, as its reader says.
Refusal broken_body(const Error&);

}  // namespace schakel::api
