// What the files of the Msh share: its dependencies, small look-ups in a contract, and the writers of trail, events, signals and work.
// Private to src/ebms.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cpa/contracts.hpp"
#include "ebms/envelope.hpp"
#include "ebms/msh.hpp"
#include "ebms/protection.hpp"
#include "exchange/signal.hpp"
#include "security/certificate_cache.hpp"

namespace schakel::ebms {

struct SignatureVerdict;  // signing.hpp
struct SignatureFault;    // signing.hpp

struct Context {
  Settings settings;
  Msh::Dependencies deps;
  std::shared_ptr<security::CertificateCache> certificates = std::make_shared<security::CertificateCache>();

  Instant now() const { return deps.clock.now(); }
  std::string new_id(Instant at) const { return uuid_v7(deps.random, at); }

  void count_message(const exchange::Message&, std::string_view result) const;
  void count_error(std::string_view tenant, std::string_view side, std::string_view code) const;
  void count_attempt(std::string_view tenant, std::string_view outcome) const;
  bool is_suspended(std::string_view tenant) const { return deps.tenant_suspended && deps.tenant_suspended(tenant); }
};

// The trail of one step: events gathered, written with one call.
class TrailWriter {
 public:
  TrailWriter(const Context& context, Instant at) : context_(context), at_(at) {}

  exchange::TrailEvent& add(std::string_view message, std::string_view type, std::string_view code = {}, std::string_view detail = {});
  Result<> write(sql::Transaction&, std::string_view tenant);

 private:
  const Context& context_;
  Instant at_;
  std::vector<exchange::TrailEvent> events_;
};

// --- look-ups --------------------------------------------------------------------------------------------------------------------
// The name of a party in keys: its first PartyId as "type:value".
std::string party_key(const cpa::PartyInfo&);
// What an operator knows a certificate of an agreement by: its certId, subject, serial number and fingerprint.
std::string certificate_name(BytesView der, std::string_view cert_id);
// The first PartyId of a header, for the log; empty when there is none.
std::string_view first_id(const HeaderParty&);
// One side of a Message as the CPA has it.
exchange::Party message_party(const cpa::PartyInfo&, std::string_view role);
// "scheme://host:port" of a URL, lower case; the URL itself when it is none.
std::string destination_of(std::string_view url);
std::string_view host_of(std::string_view url);
// EB-067: the host of our own endpoint.
std::string own_host(const cpa::LoadedContract&);
// cpa.md 3.4, adapter.md 3.4: where a signal to the partner goes, after URL mapping and routing. No URL when a route leads nowhere: an
// attempt that reaches nobody.
exchange::NextHop signal_hop(const cpa::Contracts&, const cpa::LoadedContract&, int addressee, std::string_view action, Instant);
// cpa.md V28: every mode but none is served as mshSignalsOnly.
bool is_synchronous(const cpa::DeliveryChannel*);
bool needs_signature(cpa::Profile);

// --- security log ------------------------------------------------------------------------------------------------------------------
// What was refused for a reason that the partner is not told (EB-159, row 25): an audit record and a line in the log.
struct SecurityRefusal {
  const MessageHeader& header;
  const SignatureFault& fault;
  std::string_view tenant, peer_oin, peer_serial, peer_sha256;
};
Result<> record_refusal(sql::Transaction&, const Context&, const SecurityRefusal&, Instant at);

// --- signals we send ---------------------------------------------------------------------------------------------------------------
// A signal from party `1 - addressee` about `header`: From and To swapped, same CPAId and ConversationId (EB-130, 2.3).
Envelope reply_to(const Context&, const cpa::LoadedContract&, const MessageHeader& header, std::string_view action, Instant at);
Envelope message_error(const Context&, const cpa::LoadedContract&, const MessageHeader& header, const Failure&, Instant at);
Result<exchange::Signal> outbound_signal(const Context&, const cpa::LoadedContract&, int addressee, const Envelope&, Instant at);
// Work that posts a stored signal now.
Result<> add_signal_work(sql::Transaction&, const Context&, const cpa::Contracts&, const cpa::LoadedContract&, int addressee,
                         const exchange::Signal&, std::string_view kind, Instant now);

// --- events ------------------------------------------------------------------------------------------------------------------------
// The application event and the work that looks for webhooks (EB-214). `data`: a JSON object.
Result<> emit(sql::Transaction&, const Context&, const exchange::Message&, std::string_view type, std::string data, Instant at);

// --- answers -------------------------------------------------------------------------------------------------------------------------
Answer signal_answer(const Bytes& root);
Answer fault_answer(const Error&);

// --- signals received ----------------------------------------------------------------------------------------------------------------
// Where a signal came from.
struct SignalOrigin {
  const cpa::LoadedContract& contract;
  int sender_party;
  Instant at;
  std::string peer_oin, peer_sha256, peer_serial = {};
  const SignatureVerdict* signature = nullptr;  // of an Acknowledgment, or of the message it stands in; null: not judged yet
  bool may_be_repeated = true;                  // the partner posted it, and posts it again after a 503
};
// ebms.md 3.6, 3.7; Pong and StatusResponse. Never answers, never fails but by the database.
Result<> apply_acknowledgment(sql::Transaction&, const Context&, const SignalOrigin&, const Envelope&, BytesView root);
Result<> apply_message_error(sql::Transaction&, const Context&, const SignalOrigin&, const Envelope&, BytesView root);
Result<> apply_signal_response(sql::Transaction&, const Context&, const SignalOrigin&, const Envelope&);

// --- ends of an outbound message -------------------------------------------------------------------------------------------------------
// Final state, its moment, trail, event, metric; ends the work rows that wait. Does not write the message.
struct Ending {
  exchange::State state;
  std::string_view trail_type, event_type;
  std::string code, detail, source;
  std::string event_data = "{}";
};
Result<> end_message(sql::Transaction&, const Context&, exchange::Message&, const Ending&, Instant at);
Result<> expire_message(sql::Transaction&, const Context&, exchange::Message&, Instant at);

}  // namespace schakel::ebms
