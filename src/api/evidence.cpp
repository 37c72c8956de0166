// GET /messages/{id}/evidence: what proves a message, as a ZIP (ADP-505, adapter.md 2.1.3): the octets that were sent or received, the
// acknowledgement or error about them, the contract with its certificates, and the trail. A signature can be verified again from it with
// any XML-DSig implementation: the manifest says which member each Reference is about and which certificate signed (EB-159, SEC-104).
//
// Whoever may read evidence need not be allowed to read payloads (adapter.md 2.9): without payload.read the archive holds their hashes
// only, and the manifest says so.
#include <algorithm>
#include <set>

#include "api/confirmation.hpp"
#include "api/descriptor.hpp"
#include "api/resources.hpp"
#include "api/zip.hpp"
#include "cpa/agreement.hpp"
#include "ebms/proof.hpp"
#include "exchange/signal.hpp"
#include "security/trust.hpp"

namespace schakel::api {
namespace {

using exchange::Message;
using exchange::Payload;
using http::Awaitable;
using http::Response;

// What the database holds about one message.
struct Evidence {
  Message message;
  std::vector<Payload> payloads;
  std::vector<exchange::SealedTrailEvent> trail;
  std::vector<exchange::Signal> signals;
  std::optional<exchange::Contract> contract;
  std::vector<Bytes> authorities;  // of the paths by which signers were trusted (WUS-321)
};

// Certificates of authorities that a path in the trail names, as far as they were ever configured here; a signer's own travels in what it
// signed.
Result<std::vector<Bytes>> authorities_in(sql::Transaction& tx, const std::vector<exchange::SealedTrailEvent>& trail) {
  std::set<std::string> wanted;
  for (const auto& sealed : trail) {
    if (sealed.event.type != "verified") continue;
    for (auto& sha256 : security::path_of_basis(sealed.event.detail)) wanted.insert(std::move(sha256));
  }
  std::vector<Bytes> out;
  for (const auto& sha256 : wanted) {
    SCHAKEL_TRY(const auto kept, exchange::find_document(tx, "", exchange::kept_certificate_kind, sha256));
    if (!kept) continue;
    const auto body = Json::parse(kept->body, nullptr, false);
    if (!body.is_object()) return fail("storage.failed", "a kept certificate cannot be read", sha256);
    SCHAKEL_TRY(auto der, from_base64(body.value("der", "")));
    out.push_back(std::move(der));
  }
  return out;
}

Answer<Evidence> collect(sql::Transaction& tx, const Visit& visit) {
  if (!is_uuid(visit.path[0])) return not_found();
  SCHAKEL_TRY(auto message, exchange::find_message(tx, visit.tenant(), visit.path[0], exchange::WithRoot::yes));
  if (!message) return not_found();
  Evidence out;
  out.message = std::move(*message);
  SCHAKEL_TRY(out.payloads, exchange::payloads_of(tx, out.message.id));
  SCHAKEL_TRY(out.signals, exchange::signals_about(tx, visit.tenant(), out.message.id));
  SCHAKEL_TRY(out.contract, exchange::find_contract(tx, visit.tenant(), out.message.contract_id));
  SCHAKEL_TRY(out.trail, exchange::trail_of(tx, visit.tenant(), out.message.id));
  SCHAKEL_TRY(out.authorities, authorities_in(tx, out.trail));
  return out;
}

// Members with what the manifest says about each.
class Archive {
 public:
  bool holds(const std::string& name) const { return std::ranges::find(members_, name, &ZipMember::name) != members_.end(); }
  void add(std::string name, std::string_view what, Bytes octets, OrderedJson more = OrderedJson::object()) {
    const auto size = static_cast<std::int64_t>(octets.size());
    note(name, what, size, sha256_hex(octets), std::move(more));
    members_.push_back({.name = std::move(name), .octets = std::move(octets)});
  }
  void add_blob(std::string name, std::string_view what, const Payload& payload, std::uint32_t crc, OrderedJson more) {
    note(name, what, payload.size, payload.sha256, std::move(more));
    members_.push_back({.name = std::move(name), .blob = payload.blob, .size = payload.size, .crc = crc});
  }
  // Something that is proved by its hash alone.
  void leave_out(std::string_view what, const Payload& payload, std::string_view why, OrderedJson more) {
    OrderedJson entry{{"what", what}, {"size", payload.size}, {"sha256", payload.sha256}, {"leftOut", why}};
    entry.update(more);
    left_out_.push_back(std::move(entry));
  }
  // The manifest is the first member.
  std::vector<ZipMember> finish(OrderedJson manifest) {
    manifest["entries"] = entries_;
    manifest["leftOut"] = left_out_;
    members_.insert(members_.begin(), {.name = "manifest.json", .octets = manifest.dump(2) + "\n"});
    return std::move(members_);
  }

 private:
  void note(const std::string& name, std::string_view what, std::int64_t size, const std::string& sha256, OrderedJson more) {
    OrderedJson entry{{"name", name}, {"what", what}, {"size", size}, {"sha256", sha256}};
    entry.update(more);
    entries_.push_back(std::move(entry));
  }

  std::vector<ZipMember> members_;
  OrderedJson entries_ = OrderedJson::array(), left_out_ = OrderedJson::array();
};

Bytes text_of(const OrderedJson& value) {
  return value.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

// Each once. The name of its member.
std::string add_certificate(Archive& archive, const Bytes& der, OrderedJson about = OrderedJson::object()) {
  auto name = "certificates/" + sha256_hex(der) + ".der";
  if (!archive.holds(name)) archive.add(name, "certificate", der, std::move(about));
  return name;
}

// Certificates that the agreement names.
void add_certificates(Archive& archive, const cpa::Agreement& agreement) {
  for (const auto& party : agreement.parties)
    for (const auto& entry : party.certificates)
      if (!entry.der.empty()) add_certificate(archive, entry.der, {{"party", party.name}, {"certId", entry.id}});
}

std::string payload_member(const std::string& folder, const Payload& payload) {
  return folder + "payload-" + std::to_string(payload.index) + ".bin";
}

// What is needed to verify the signature of an envelope again, beside the envelope; empty when it has none.
OrderedJson signature_of(Archive& archive, BytesView root, const std::string& folder, const std::vector<Payload>& payloads) {
  const auto proof = ebms::proof_of(root);
  if (!proof) return OrderedJson::object();
  const auto shown = [&](const ebms::ProvenReference& reference) {
    OrderedJson out{{"uri", reference.uri}, {"digestMethod", reference.digest_method}, {"digestValue", reference.digest_value}};
    for (const auto& payload : payloads)
      if (reference.uri == "cid:" + payload.content_id) out["member"] = payload_member(folder, payload);
    return out;
  };
  OrderedJson signature{
      {"signatureMethod", proof->signature_method}, {"references", OrderedJson::array()}, {"certificates", OrderedJson::array()}};
  for (const auto& reference : proof->references) signature["references"].push_back(shown(reference));
  for (const auto& reference : proof->acknowledged) signature["acknowledged"].push_back(shown(reference));
  for (const auto& der : proof->certificates) signature["certificates"].push_back(add_certificate(archive, der));
  return {{"signature", std::move(signature)}};
}

// What was found at the time: events about signatures and encryption.
OrderedJson verification_of(const std::vector<exchange::SealedTrailEvent>& trail) {
  auto out = OrderedJson::array();
  for (const auto& sealed : trail) {
    const auto& event = sealed.event;
    const bool refused = event.code.starts_with("SEC.");
    if (event.type != "secured" && event.type != "verified" && event.type != "acknowledged" && !refused) continue;
    out.push_back({{"at", to_rfc3339(event.at)},
                   {"type", event.type},
                   {"result", refused ? "refused" : "ok"},
                   {"code", event.code},
                   {"detail", event.detail}});
  }
  return out;
}

std::string folder_of(const Message& message) {
  return message.direction == exchange::Direction::inbound ? "received/" : "sent/";
}

void add_records(Archive& archive, Evidence& evidence, std::string_view environment) {
  const auto& message = evidence.message;
  archive.add("message.json", "descriptor", text_of(descriptor(message, evidence.payloads, environment)));
  auto trail = OrderedJson::array();
  for (const auto& event : evidence.trail) trail.push_back(trail_event(event, message.tenant));
  archive.add("trail.json", "trail", text_of(trail));
  archive.add("verification.json", "verification", text_of(verification_of(evidence.trail)));
  for (const auto& der : evidence.authorities) add_certificate(archive, der);
  for (std::size_t i = 0; i < evidence.signals.size(); ++i) {
    auto& signal = evidence.signals[i];
    const auto name = "signals/" + std::to_string(i + 1) + "-" + signal.action + ".xml";
    OrderedJson about{{"action", signal.action},
                      {"direction", to_string(signal.direction)},
                      {"messageId", signal.message_id},
                      {"at", to_rfc3339(signal.at)}};
    if (!signal.error.empty()) about["refused"] = signal.error;
    about.update(signature_of(archive, signal.root, folder_of(message), evidence.payloads));
    archive.add(name, "signal", std::move(signal.root), std::move(about));
  }
  if (!evidence.contract) return;
  const auto agreement = cpa::parse(evidence.contract->document);
  archive.add("contract/contract.xml", "contract", std::move(evidence.contract->document),
              {{"contractId", evidence.contract->id}, {"cpaId", evidence.contract->name}});
  if (agreement) add_certificates(archive, *agreement);
}

// The octets of the message itself.
Awaitable<Result<>> add_octets(Archive& archive, Evidence& evidence, sql::Database& database, bool may_read_payloads) {
  auto& message = evidence.message;
  const std::string folder = folder_of(message);
  if (!message.root.empty()) {
    auto signature = signature_of(archive, message.root, folder, evidence.payloads);
    archive.add(folder + "envelope.xml", "envelope", std::move(message.root), std::move(signature));
  }
  for (const auto& payload : evidence.payloads) {
    const OrderedJson about{{"index", payload.index}, {"contentId", payload.content_id}, {"contentType", payload.content_type}};
    if (payload.purged || !may_read_payloads) {
      archive.leave_out("payload", payload, payload.purged ? "payload.purged" : "payload.read", about);
      continue;
    }
    const auto sums = co_await sums_of_blob(database, payload.blob, payload.size);
    if (!sums) co_return sums.error();
    if (sums->sha256 != payload.sha256) co_return fail("storage.failed", "the octets of a payload are not those that were stored");
    archive.add_blob(payload_member(folder, payload), "payload", payload, sums->crc, about);
  }
  co_return Result<>();
}

Awaitable<Answer<Response>> give(const Office& office, Visit& visit, Faults faults) {
  if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
  const bool is_head = visit.request.method == "HEAD";
  const bool may_read_payloads = visit.principal.may("payload.read");
  const std::string actor = "apiKey:" + visit.principal.id;
  auto& database = office.dependencies.database;
  Evidence evidence;
  // Who took evidence out is in trail and audit log before its first octet leaves.
  auto collected = co_await in_unit(database, is_head ? Access::read : Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(evidence, collect(tx, visit));
    if (is_head) return no_content();
    SCHAKEL_CHECK(add_trail(tx, office.settings.node, evidence.message, "exported", actor, office.now(), {}, "evidence"));
    const bool payloads_leave = may_read_payloads && std::any_of(evidence.payloads.begin(), evidence.payloads.end(),
                                                                 [](const Payload& payload) { return !payload.purged; });
    if (payloads_leave) SCHAKEL_CHECK(add_trail(tx, office.settings.node, evidence.message, "payloadViewed", actor, office.now()));
    SCHAKEL_CHECK(audit(tx, office, visit, "message.export", evidence.message.id, nullptr, {{"payloads", payloads_leave}}));
    return no_content();
  });
  if (!collected) co_return collected.error();
  const auto environment = office.environment_of(visit.tenant());
  OrderedJson manifest{{"message", evidence.message.id},
                       {"tenant", evidence.message.tenant},
                       {"environment", environment},
                       {"direction", to_string(evidence.message.direction)},
                       {"messageId", evidence.message.message_id},
                       {"wireContentType", evidence.message.wire_content_type},
                       {"madeAt", to_rfc3339(office.now())},
                       {"madeBy", actor}};
  const auto name = "evidence-" + evidence.message.id + ".zip";
  Archive archive;
  const auto added = co_await add_octets(archive, evidence, database, may_read_payloads);
  if (!added) co_return Refusal(added.error());
  add_records(archive, evidence, environment);
  // With what revocation was known by: whose lists, of when.
  if (office.dependencies.crls) archive.add("crls.json", "crls", text_of(office.dependencies.crls(visit.tenant())));
  auto zip = make_zip(database, archive.finish(std::move(manifest)), office.now());
  if (!zip) co_return Refusal(zip.error());
  Response response;
  response.headers.set("Content-Type", "application/zip");
  response.headers.set("Content-Disposition", "attachment; filename=\"" + name + "\"");
  response.stream_bytes = zip->bytes;
  if (is_head) {
    response.headers.set("Content-Length", std::to_string(zip->bytes));
  } else {
    response.stream = std::move(zip->stream);
  }
  co_return response;
}

}  // namespace

void add_evidence_routes(std::vector<Route>& routes, const Office& office) {
  Route route{"GET",
              "/messages/{id}/evidence",
              "message.export",
              true,
              Body::none,
              {},
              Access::write,
              Streaming([&office](Visit& visit, Faults faults) { return give(office, visit, std::move(faults)); })};
  route.any_answer = true;
  routes.push_back(std::move(route));
}

}  // namespace schakel::api
