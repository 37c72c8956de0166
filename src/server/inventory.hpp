// What the composition root knows and the API shows: own certificates, anchors, CRLs, effective settings (README section 5). Never a key or
// a secret.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "api/refusal.hpp"
#include "api/webhooks.hpp"
#include "base/config.hpp"
#include "base/time.hpp"
#include "server/identities.hpp"
#include "server/own_certificates.hpp"

namespace schakel::server {

// Arrays of objects.
api::OrderedJson certificates_json(const Identities&, const OwnCertificates&, std::string_view tenant, Instant now);
api::OrderedJson trust_anchors_json(const Trust&, const std::optional<api::Tenant>&);
api::OrderedJson crls_json(const Trust&, const std::optional<api::Tenant>&, Instant now);
api::OrderedJson settings_json(const std::vector<config::Effective>&);

}  // namespace schakel::server
