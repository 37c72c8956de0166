// Submitting, for Msh::submit and for the operator's resend. Private to src/ebms.
#pragma once

#include "ebms/context.hpp"

namespace schakel::ebms {

Result<exchange::Message> submit_message(const Context&, sql::Transaction&, const SubmitRequest&);

}  // namespace schakel::ebms
