// The life of a contract of kind cpa in the store (CPA-005, CPA-007, CPA-050..053): functions inside a Transaction that somebody else
// commits.
//
// Judging a document (validate) is pure and is done before the transaction; its verdict and digest come in. Errors beside those of
// exchange/store: contract.invalid (its findings refuse), contract.unknown, contract.inUse, contract.expired, state.conflict,
// version.conflict.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "cpa/contracts.hpp"
#include "cpa/validate.hpp"
#include "exchange/store.hpp"

namespace schakel::cpa {

// A document with its verdict, both made outside the transaction.
struct JudgedDocument {
  Bytes octets;        // as received: stored and exported unchanged
  std::string digest;  // SHA-256, hex
  Validation validation;
};
JudgedDocument judge(Bytes octets, const ValidationOptions&);

enum class LoadOutcome { created, unchanged, replaced };
struct LoadedDocument {
  exchange::Contract contract;
  LoadOutcome outcome = LoadOutcome::created;
};

// CPA-051: the same octets again change nothing; other octets under the same cpaid need `overwrite`, and the former stay in the history.
// CPA-007: a cpaid that differs from a used one only in case, or was used before for something else, is refused. A new contract is
// `validated`; one that is replaced while active stays active when the new document may be.
Result<LoadedDocument> load(sql::Transaction&, std::string_view tenant, const JudgedDocument&, bool overwrite, const ContractSettings&,
                            Random&, Instant now);

// From validated or suspended. `judged` is the verdict with `activating` set, over the octets that the contract holds.
// `version`: the one the caller saw (ETag); 0: whatever it is.
Result<exchange::Contract> activate(sql::Transaction&, std::string_view tenant, std::string_view id, const JudgedDocument& judged,
                                    std::int64_t version, Instant now);
// Makes the contract become active by itself at `valid_from` (ADP-304). From validated. `judged`: as for `activate`, with the time of
// validity as its time, so that what would be refused then is mostly refused now.
Result<exchange::Contract> schedule(sql::Transaction&, std::string_view tenant, std::string_view id, const JudgedDocument& judged,
                                    Instant valid_from, std::int64_t version, Instant now);
// From active or suspended, when the End of the agreement has passed ("state.conflict" before). What CPA-056 allows after the End goes on.
Result<exchange::Contract> expire(sql::Transaction&, std::string_view tenant, std::string_view id, Instant now);
// From active: new traffic stops for a while (inbound 503).
Result<exchange::Contract> suspend(sql::Transaction&, std::string_view tenant, std::string_view id, std::int64_t version, Instant now);
// From any state but retired; for good. Retries, acknowledgements and duplicate tests finish (CPA-053).
Result<exchange::Contract> retire(sql::Transaction&, std::string_view tenant, std::string_view id, std::int64_t version, Instant now);
// "contract.inUse" with the count while messages are open or inside PersistDuration (CPA-053).
Result<> remove(sql::Transaction&, std::string_view tenant, std::string_view id, std::int64_t version, Instant now);
Result<exchange::Contract> change_settings(sql::Transaction&, std::string_view tenant, std::string_view id, const ContractSettings&,
                                           std::int64_t version, Instant now);

// What an operator may register as a mapping (cpa.md 3.6). Errors "mapping.invalid".
Result<> check_mapping(const UrlMapping&, bool production);
// The mapping from a certificate to its replacement: same OIN, valid now, good for the same purposes.
Result<CertificateMapping> make_mapping(std::string_view tenant, BytesView source_der, BytesView destination_der, std::string_view cpa_id,
                                        Instant now);

// ConversationConstraints (cpa.md 3.3): may a message of this conversation go? "contract.limitReached".
struct Conversations {
  std::int64_t distinct = 0;  // ConversationIds seen under the contract, without this one
  std::int64_t open = 0;      // of those, still open
  bool known = false;         // this conversation is one of them
};
Result<> check_conversation(const Agreement&, const Conversations&);

// CPA-062: 90, 60, 30, 14, 7 and 1 days before the End of the agreement or before a certificate it uses expires, whichever is first; daily
// after that. nullopt: nothing is due since `last_warned`.
struct ExpiryWarning {
  std::string subject;  // "agreement", or the certId
  Instant ends;
  std::int64_t days = 0;  // left; negative: since
};
std::optional<ExpiryWarning> expiry_warning(const LoadedContract&, Instant now, std::optional<Instant> last_warned);

}  // namespace schakel::cpa
