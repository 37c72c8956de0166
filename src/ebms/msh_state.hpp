// What a Msh holds. Private to src/ebms.
#pragma once

#include "ebms/context.hpp"

namespace schakel::ebms {

struct Msh::State : Context {};

struct Examined;
Result<Envelope> acknowledge(const Context&, const Examined&, bool is_signed);

}  // namespace schakel::ebms
