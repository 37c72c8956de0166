// Operator actions on many messages at once (ADP-701, adapter.md 3.3): what a Job asks is done here, a piece at a time.
//
// Each message is a transaction of its own, with the claim's fence: a crash or a lost lease neither repeats an action nor loses one. What
// one message refuses is its result and stops nothing.
#pragma once

#include <string>

#include "api/refusal.hpp"
#include "base/log.hpp"
#include "base/time.hpp"
#include "ebms/msh.hpp"
#include "exchange/jobs.hpp"
#include "exchange/store.hpp"
#include "http/asio.hpp"
#include "sql/database.hpp"

namespace schakel::api {

inline constexpr std::int64_t job_messages_max = 10'000;  // README section 15
inline constexpr std::int64_t job_chunk = 100;            // messages per claim
inline constexpr std::int64_t job_messages_per_second = 50;
inline constexpr std::string_view job_work_kind = "message.act";

OrderedJson job_json(const exchange::Job&);
OrderedJson job_item_json(const exchange::JobItem&);

class Jobs {
 public:
  struct Dependencies {
    sql::Database& database;
    const Clock& clock;
    Log& log;
    const ebms::Msh& msh;
  };
  Jobs(std::string node, Dependencies);

  // Work of kind `message.act`, subject: the Job. Does at most `job_chunk` messages, then puts the row back or finishes it.
  http::Awaitable<Result<>> run(exchange::Claimer, exchange::Work) const;

 private:
  // False: the Job was stopped.
  http::Awaitable<Result<bool>> settle(const exchange::Job&, const exchange::Claimer&, const exchange::JobItem&) const;
  Result<> act(sql::Transaction&, const exchange::Job&, exchange::JobItem&) const;

  std::string node_;
  Dependencies dependencies_;
};

}  // namespace schakel::api
