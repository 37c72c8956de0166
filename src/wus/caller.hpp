// The consumer (wus.md 1.12, 4.3, 4.4): a plain call in, a secured message out, its answer verified and given back plain.
//
// Threads: `call` may run for many calls at once. Borrows everything that it is given.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "http/asio.hpp"
#include "wus/office.hpp"
#include "wus/plain.hpp"

namespace schakel::wus {

struct Call {
  std::shared_ptr<const ServiceContract> service;  // of role consumer
  const Operation* operation = nullptr;            // of that service
  std::string to_oin;                              // empty: the partner's of the contract
  std::string message_id;                          // empty: made; given: one attempt only
  std::string traceparent;
  bool attachments_apart = false;  // binary texts of the answer are wanted beside it
  Plain payload;
};

struct CallOutcome {
  std::string record;                   // id of the Message
  std::string message_id;               // of the request
  Addressing addressing;                // of the answer
  std::string body;                     // serialised: the response element; of a fault the soapenv:Fault as it came, detail as allowed
  std::vector<Attachment> attachments;  // that xop:Includes of `body` stand for
  // A SOAP Fault of the partner (WUS-C-FAULT).
  struct PartnerFault {
    std::string code;  // "{ns}local"
    std::string string, actor, dk_code, detail_xml;
    bool authenticated = false;
  };
  std::optional<PartnerFault> fault;
};

class Caller {
 public:
  explicit Caller(const Office& office) : office_(office) {}

  // Errors: the codes of 4.4; "message.duplicateId"; "contract.notActive" (not a consumer's contract, or not active).
  http::Awaitable<Result<CallOutcome>> call(Call);

 private:
  struct Attempt;

  http::Awaitable<Result<CallOutcome>> attempt(const Call&, Attempt&);
  http::Awaitable<Result<>> send(const Call&, Attempt&);
  Result<CallOutcome> read_answer(const Call&, Attempt&);
  http::Awaitable<> conclude(const Call&, Attempt&, const Result<CallOutcome>&);

  const Office& office_;
};

}  // namespace schakel::wus
