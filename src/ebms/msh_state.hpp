// What a Msh holds. Private to src/ebms.
#pragma once

#include "ebms/context.hpp"

namespace schakel::ebms {

struct Msh::State : Context {};

struct Examined;
Envelope acknowledge(const Context&, const Examined&);

}  // namespace schakel::ebms
