// POST /messages: JSON with payloads in base64, or multipart/form-data whose payloads go to the store while they arrive
// (adapter.md 2.1.2-2.1.4).
#pragma once

#include "api/resources.hpp"

namespace schakel::api {

Streaming make_submit(const Office&);

// The fields of a submit without its payload octets. `payloads` of the request receive contentId, contentType, fileName; `data` their
// `data` members when `with_data` (JSON), which multipart refuses.
struct SubmitFields {
  ebms::SubmitRequest request;
  std::vector<Bytes> data;
};
SubmitFields read_submit(const Json&, bool with_data, Instant now, Faults&);

// The value of Idempotency-Key; empty: none. Faults: twice, not 1 to 255 visible ASCII characters, missing while required.
std::string read_idempotency_key(const http::Request&, bool required, Faults&);

}  // namespace schakel::api
