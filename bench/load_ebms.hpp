// schakel-load as a partner in ebMS2.
//
// Templates hold @ID@ (a fresh 36-character id) and @NOW@ (a timestamp, 20 characters), so every message has the same length;
// acknowledgements hold @REF@ and @CONV@ too, and signed ones @REFERENCES@.
//
// With --sign yes it is a partner of a signed profile, with --recipient (a certificate) of an encrypted one. What it posts is then made
// before the clock runs, each message with its own id and signature; its acknowledgements depend on what comes and are signed while it
// runs, on its own core.
#pragma once

#include "load_text.hpp"

namespace schakel::bench {

// The node receives: we post messages; with --listen we also take its asynchronous acknowledgements.
int ebms_receive(const Options&);
// The node sends: we submit through its REST API, take its messages on --listen and acknowledge them.
int ebms_send(const Options&);

}  // namespace schakel::bench
