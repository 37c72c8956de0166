// The content model of CPA 2.0 documents as our own table (cpa.md 2.1; docs/decisions/0001). IDs and references are rules V04 and V05.
#pragma once

#include "xml/grammar.hpp"

namespace schakel::cpa {

// Made once, at first use. Safe from every thread.
const xml::Grammar& grammar();

}  // namespace schakel::cpa
