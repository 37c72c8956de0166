// The life of a contract of kind "wsdl" in the store (ADP-300, ADP-304, ADP-307): judged outside a transaction, stored and moved inside one
// that somebody else commits, made into a ServiceContract when the configuration is read.
//
// Errors beside those of exchange/store: contract.invalid (findings or faults refuse it), contract.unknown, contract.inUse, state.conflict,
// version.conflict.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "exchange/store.hpp"
#include "wus/service_json.hpp"

namespace schakel::wus {

// Documents and terms with their verdict.
struct JudgedService {
  Bytes octets;        // pack(bundle): what is stored
  std::string digest;  // SHA-256, hex
  Import import;
  std::optional<ServiceTerms> terms;
  std::vector<Error> faults;  // "contract.settings": of the terms alone, and of the terms beside the description
  bool refused() const { return !import.ok() || !terms || !faults.empty(); }
};
JudgedService judge_service(const Bundle&, std::string_view terms, const Offered&);
// The same for a stored contract, whose terms change.
JudgedService judge_service(const exchange::Contract&, std::string_view terms, const Offered&);

enum class PutOutcome { created, unchanged, replaced };
struct PutService {
  exchange::Contract contract;
  PutOutcome outcome = PutOutcome::created;
};
// `name`: of the contract, one of its kind in the tenant; empty: the service's. The same documents again change nothing; others under the
// same name need `overwrite`, and the former stay in the history. A new contract is `validated`.
Result<PutService> put_service(sql::Transaction&, std::string_view tenant, std::string_view name, const JudgedService&, bool overwrite,
                               Random&, Instant now);

// `version`: the one the caller saw (ETag); 0: whatever it is.
// From validated or suspended. A path of an active provider of the tenant belongs to one contract: "state.conflict".
Result<exchange::Contract> activate_service(sql::Transaction&, std::string_view tenant, std::string_view id, std::int64_t version,
                                            Instant now);
// From active.
Result<exchange::Contract> suspend_service(sql::Transaction&, std::string_view tenant, std::string_view id, std::int64_t version,
                                           Instant now);
// From any state but retired; for good.
Result<exchange::Contract> retire_service(sql::Transaction&, std::string_view tenant, std::string_view id, std::int64_t version,
                                          Instant now);
Result<exchange::Contract> change_terms(sql::Transaction&, std::string_view tenant, std::string_view id, const JudgedService&,
                                        std::int64_t version, Instant now);
Result<> remove_service(sql::Transaction&, std::string_view tenant, std::string_view id, std::int64_t version, Instant now);

// What the row means at run time. `former`: the same contract as it was loaded before; its documents are not read again when they are the
// same. Errors "contract.invalid", "contract.settings".
Result<std::shared_ptr<const ServiceContract>> make_service(const exchange::Contract& row, const ServiceContract* former);

}  // namespace schakel::wus
