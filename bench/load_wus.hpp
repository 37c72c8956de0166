// schakel-load as a partner in WUS: what it posts is made with the product's own code before the clock runs, each request with its own id,
// Timestamp and signature (so the run must end within the 300 s that a Timestamp is good for). Of the latencies that it tells, the time
// that the node waited for it is taken off.
#pragma once

#include "load_text.hpp"

namespace schakel::bench {

// The node is the provider: we are its partner and, on --backend, the plain system behind it, which answers one fixed element.
//   --profile 2w-be|2w-be-s|2w-be-se --path P --to URI --action URI --from URI --body F --answer F --backend PORT [--recipient F]
// body, answer: files with the element of the request and of the answer. recipient: the certificate to encrypt for.
int wus_provider(const Options&);
// The node is the consumer: we are the application that calls its API with --head and --body, and on --listen the partner, whose answers
// depend on what comes and are signed while the clock runs, on our own core.
//   --profile P --action URI --answer F --head F --body F --listen PORT [--recipient F]
int wus_consumer(const Options&);

}  // namespace schakel::bench
