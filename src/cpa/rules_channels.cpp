// V19 to V31: transports, characteristics and retries of the channels in use.
#include <algorithm>

#include "cpa/names.hpp"
#include "cpa/rules.hpp"
#include "http/url.hpp"

namespace schakel::cpa {
namespace {

using namespace std::chrono_literals;

constexpr Duration retrying_max = 30 * 24h;  // V29d
constexpr unsigned short https_port = 443;

void check_endpoint(const Subject& subject, const Transport& transport, const Endpoint& endpoint) {
  const auto path = subject.path_of(transport.id) + "/tns:TransportReceiver/tns:Endpoint";
  const auto shown = for_log(endpoint.uri);
  const auto scheme_end = endpoint.uri.find("://");
  if (scheme_end == std::string::npos) return subject.report.add(rules::V20b, path, "not an absolute URL: " + shown);
  const auto scheme = to_lower(std::string_view(endpoint.uri).substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return subject.report.add(rules::V20a, path, "the endpoint is not https: " + shown);
  const auto url = http::parse_url(endpoint.uri);
  if (!url) return subject.report.add(rules::V20b, path, "not a URL with a host, or with user information or a fragment: " + shown);
  if (!url->is_tls()) return subject.report.add(rules::V20a, path, "the endpoint is not https: " + shown);
  if (url->port != https_port) {
    subject.report.add(subject.options.any_https_port ? rules::V20c_allowed : rules::V20c, path, "the port is not 443: " + shown);
  }
}

void check_endpoints(const Subject& subject, const Transport& transport) {
  for (const auto& endpoint : transport.endpoints) check_endpoint(subject, transport, endpoint);
  const bool all_purpose = std::any_of(transport.endpoints.begin(), transport.endpoints.end(),
                                       [](const Endpoint& endpoint) { return endpoint.type == "allPurpose"; });
  if (transport.endpoints.size() > 1 || !all_purpose) {
    subject.report.add(rules::V20d, subject.path_of(transport.id), "a transport should have one endpoint, of type allPurpose");
  }
}

bool is_modern_tls(std::string_view protocol, std::string_view version) {
  return protocol == "TLS" && (version == "1.2" || version == "1.3");
}

void check_transport(const Subject& subject, const Transport& transport) {
  const auto path = subject.path_of(transport.id);
  check_endpoints(subject, transport);
  if (transport.sender_protocol != "HTTP" || transport.receiver_protocol != "HTTP") {
    subject.report.add(rules::V21_protocol, path, "the transport protocol is not HTTP");
  } else if (transport.sender_protocol_version != "1.1" || transport.receiver_protocol_version != "1.1") {
    subject.report.add(rules::V21_version, path, "the version of HTTP is not 1.1");
  }
  if (!transport.has_client_security || !transport.has_server_security) {
    subject.report.add(rules::V22a, path, "TransportClientSecurity or TransportServerSecurity is missing");
  }
  const bool client_old =
      transport.has_client_security && !is_modern_tls(transport.client_security_protocol, transport.client_security_version);
  const bool server_old =
      transport.has_server_security && !is_modern_tls(transport.server_security_protocol, transport.server_security_version);
  if (client_old || server_old) {
    subject.report.add(rules::V22b, path, "the security protocol is not TLS 1.2 or later; TLS 1.2 at least is used whatever it says");
  }
  if (transport.has_client_security && transport.client_certificate_ref.empty()) {
    subject.report.add(rules::V23, path, "TransportClientSecurity names no client certificate");
  }
  if (transport.has_access_authentication) subject.report.add(rules::V24, path, "basic or digest authentication is not supported");
}

void check_channel_parts(const Subject& subject, const UsedChannel& used) {
  const auto* transport = used.party->transport(used.channel->transport_id);
  const auto* exchange = used.party->doc_exchange(used.channel->doc_exchange_id);
  const auto path = subject.path_of(used.channel->id);
  if (transport == nullptr || !transport->has_sender || !transport->has_receiver) {
    subject.report.add(rules::V19, path, "the channel's Transport lacks TransportSender or TransportReceiver");
  }
  if (exchange == nullptr || !exchange->sender || !exchange->receiver) {
    subject.report.add(rules::V19, path, "the channel's DocExchange lacks a sender or receiver binding");
  }
}

void check_channel_characteristics(const Subject& subject, const UsedChannel& used) {
  const auto& has = used.channel->characteristics;
  const auto path = subject.path_of(used.channel->id);
  if (has.ack_requested != has.duplicate_elimination) {
    subject.report.add(rules::V25a, path, "ackRequested and duplicateElimination differ");
  }
  const auto per_message = Occurrence::per_message;
  if (has.ack_requested == per_message || has.duplicate_elimination == per_message || has.ack_signature_requested == per_message) {
    subject.report.add(rules::V25c, path, "perMessage leaves open what the profile decides");
  }
  if (has.actor.empty()) {
    subject.report.add(rules::V25d_absent, path, "the channel has no actor");
  } else if (has.actor != names::to_party_actor) {
    subject.report.add(rules::V25d_next, path, "the actor nextMSH is not supported");
  }
  if (has.sync_reply == SyncReplyMode::other) {
    subject.report.add(rules::V28a, path, "syncReplyMode " + has.sync_reply_text + " is treated as mshSignalsOnly");
  }
}

void check_acknowledgements(const Subject& subject, const ActionPair& pair, Profile profile) {
  const auto& has = pair.send->characteristics;
  const bool wanted = is_reliable(profile) && is_signed(profile);
  if ((has.ack_signature_requested == Occurrence::always) != wanted) {
    subject.report.add(rules::V25b, subject.path_of(pair.send->id),
                       wanted ? "ackSignatureRequested is not always" : "signed acknowledgements are asked for in an unsigned profile");
  }
  if (has.ack_signature_requested != Occurrence::never && has.ack_requested != Occurrence::never) {
    const auto* channel = pair.receiver.signal_channel("Acknowledgment");
    const auto* binding = sender_binding(pair.receiver, channel);
    const bool perhaps = has.ack_signature_requested == Occurrence::per_message && !wanted;
    if (!perhaps && (binding == nullptr || !binding->non_repudiation)) {
      subject.report.add(rules::V27, channel == nullptr ? subject.party_path(pair.receiver) : subject.path_of(channel->doc_exchange_id),
                         "signed acknowledgements are asked for, but the channel that sends them cannot sign");
    }
  }
  if (has.sync_reply == SyncReplyMode::msh_signals_only && !is_reliable(profile)) {
    subject.report.add(rules::V28b, subject.path_of(pair.send->id), "synchronous signals do not belong to a best-effort profile");
  }
}

void check_one_sync_mode(const Subject& subject) {
  const auto& first = subject.used.front().channel->characteristics.sync_reply_text;
  for (const auto& used : subject.used) {
    if (used.channel->characteristics.sync_reply_text != first) {
      subject.report.add(rules::V28c, subject.path_of(used.channel->id), "syncReplyMode is not the same on all channels");
    }
  }
}

// --- retries

struct NamedBinding {
  const Binding* binding;
  std::string path;
};

std::vector<NamedBinding> bindings_of(const Subject& subject, const ActionPair& pair) {
  std::vector<NamedBinding> out;
  const auto take = [&](const PartyInfo& party, const DeliveryChannel* channel) {
    if (channel == nullptr) return;
    const auto path = subject.path_of(channel->doc_exchange_id);
    if (const auto* binding = sender_binding(party, channel)) out.push_back({binding, path + "/tns:ebXMLSenderBinding"});
    if (const auto* binding = receiver_binding(party, channel)) out.push_back({binding, path + "/tns:ebXMLReceiverBinding"});
  };
  take(pair.sender, pair.send);
  take(pair.receiver, pair.receive);
  return out;
}

void check_retries(const Subject& subject, const NamedBinding& at) {
  const auto from = subject.agreement.start.instant;
  const auto& binding = *at.binding;
  const auto retries = binding.retries.value_or(39);
  const auto interval = binding.retry_interval ? binding.retry_interval->length_from(from) : Duration(3h);
  if (retries < 0 || interval <= Duration::zero()) {
    return subject.report.add(rules::V29a, at.path, "Retries below 0, or a RetryInterval that is not above 0");
  }
  const bool calendar = (binding.retry_interval && binding.retry_interval->has_calendar_part()) ||
                        (binding.persist_duration && binding.persist_duration->has_calendar_part());
  if (calendar) subject.report.add(rules::V29b, at.path, "years and months have no fixed length; they are counted from the message's time");
  // Compared by division: both factors come from the document.
  const bool too_long = retries + 1 > retrying_max / interval;
  if (too_long) subject.report.add(rules::V29d, at.path, "retrying goes on for more than 30 days");
  const auto persist = binding.persist_duration ? binding.persist_duration->length_from(from) : Duration::zero();
  if (persist <= Duration::zero() || retries + 1 > persist / interval) {
    subject.report.add(rules::V30, at.path, "PersistDuration is absent or shorter than (1 + Retries) x RetryInterval");
  }
}

bool same_reliability(const Binding& a, const Binding& b) {
  return a.retries == b.retries && a.retry_interval == b.retry_interval && a.order_guaranteed == b.order_guaranteed &&
         a.persist_duration == b.persist_duration;
}

}  // namespace

void check_transports(const Subject& subject) {
  for (const auto& used : subject.used) check_channel_parts(subject, used);
  std::set<const Transport*> seen;
  for (const auto& used : subject.used) {
    const auto* transport = used.party->transport(used.channel->transport_id);
    if (transport != nullptr && transport->has_sender && transport->has_receiver && seen.insert(transport).second) {
      check_transport(subject, *transport);
    }
  }
}

void check_characteristics(const Subject& subject) {
  for (const auto& used : subject.used) check_channel_characteristics(subject, used);
  std::set<Profile> profiles;
  for (const auto& pair : subject.pairs) {
    if (pair.send == nullptr) continue;
    profiles.insert(profile_of(pair));
    check_acknowledgements(subject, pair, profile_of(pair));
  }
  if (profiles.size() > 1) subject.report.add(rules::V26, subject.root.path(), "the agreement holds actions of more than one profile");
  if (!subject.used.empty()) check_one_sync_mode(subject);
}

void check_reliability(const Subject& subject) {
  for (const auto& pair : subject.pairs) {
    if (!is_reliable(profile_of(pair))) continue;
    const auto bindings = bindings_of(subject, pair);
    for (const auto& at : bindings) check_retries(subject, at);
    for (const auto& at : bindings) {
      if (!same_reliability(*at.binding, *bindings.front().binding)) {
        subject.report.add(rules::V29c, at.path, "Retries, RetryInterval, order or PersistDuration differ between bindings or parties");
      }
      if (at.binding->order_guaranteed && !subject.options.message_order) {
        subject.report.add(rules::V31, at.path, "guaranteed order of messages is not supported here");
      }
    }
  }
}

}  // namespace schakel::cpa
