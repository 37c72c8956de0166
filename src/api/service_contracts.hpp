// Contracts of kind wsdl behind the same resource as those of kind cpa (adapter.md 2.1.3; wus.md 1.3): the upload, the views, the changes.
#pragma once

#include <string>

#include "api/resources.hpp"
#include "exchange/message.hpp"
#include "wus/service_store.hpp"

namespace schakel::api {

// The form of an upload: one part `contract` (JSON: `kind` "wsdl", `name`, `main`, `settings`), then parts `document` with a file name
// each.
struct ServiceUpload {
  std::string name;
  wus::Bundle bundle;
  std::string terms;  // the settings, JSON
};
bool is_service_upload(const http::Request&);
http::Awaitable<Answer<ServiceUpload>> read_service_upload(const Office&, Visit&);

wus::JudgedService judge_upload(const Office&, const std::string& tenant, const ServiceUpload&);
// {kind, name, operations, profile …, findings} without storing.
OrderedJson validation_json(const wus::JudgedService&);
Answer<http::Response> store_upload(sql::Transaction&, const Office&, const Visit&, const ServiceUpload&, const wus::JudgedService&,
                                    bool overwrite);

// A stored contract; its documents are read anew.
OrderedJson service_json(const exchange::Contract&);
// Merges `patch` into the settings and judges the result. Errors: request.invalid with every fault.
Answer<wus::JudgedService> judge_change(const Office&, const exchange::Contract&, const Json& patch);

}  // namespace schakel::api
