// Submitting, for Msh::submit and for the operator's resend. Private to src/ebms.
#pragma once

#include "ebms/context.hpp"

namespace schakel::ebms {

// `composed`: what Msh::compose made of the request, or null.
Result<exchange::Message> submit_message(const Context&, sql::Transaction&, const SubmitRequest&, const Composed* composed = nullptr);

}  // namespace schakel::ebms
