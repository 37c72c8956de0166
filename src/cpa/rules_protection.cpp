// V32 to V36: algorithms, envelopes, and whether the characteristics say what the profile does.
#include <algorithm>
#include <array>

#include "cpa/names.hpp"
#include "cpa/rules.hpp"

namespace schakel::cpa {
namespace {

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

constexpr std::array hash_functions = {names::sha256, names::sha384, names::sha512};
constexpr std::array signature_algorithms = {names::rsa_sha256, names::rsa_sha384, names::rsa_sha512};
constexpr std::array gcm_algorithms = {names::aes256_gcm, names::aes128_gcm};
constexpr std::array cbc_algorithms = {names::aes256_cbc, names::aes128_cbc};

void check_signing(const Subject& subject, const Binding& binding, const std::string& path) {
  if (!binding.non_repudiation) return;
  const auto& signing = *binding.non_repudiation;
  if (!is_one_of(hash_functions, signing.hash_function)) {
    subject.report.add(rules::V32, path, "the HashFunction is not of the SHA-2 family: " + for_log(signing.hash_function));
  }
  if (!is_one_of(signature_algorithms, signing.signature_algorithm)) {
    subject.report.add(rules::V32, path + "/tns:SignatureAlgorithm",
                       "the SignatureAlgorithm is not RSA with SHA-2: " + for_log(signing.signature_algorithm));
  }
}

void check_encrypting(const Subject& subject, const Binding& binding, const std::string& path) {
  if (!binding.envelope || is_one_of(gcm_algorithms, binding.envelope->encryption_algorithm)) return;
  const auto shown = for_log(binding.envelope->encryption_algorithm);
  if (is_one_of(cbc_algorithms, binding.envelope->encryption_algorithm)) {
    subject.report.add(rules::V34_cbc, path, "AES in CBC mode counts as a dated exception: " + shown);
  } else {
    subject.report.add(rules::V34_other, path, "the EncryptionAlgorithm is not allowed: " + shown);
  }
}

void check_same_algorithms(const Subject& subject, const ActionPair& pair) {
  const auto* sender = sender_binding(pair.sender, pair.send);
  const auto* receiver = receiver_binding(pair.receiver, pair.receive);
  if (sender == nullptr || receiver == nullptr || !sender->non_repudiation || !receiver->non_repudiation) return;
  if (sender->non_repudiation->hash_function != receiver->non_repudiation->hash_function ||
      sender->non_repudiation->signature_algorithm != receiver->non_repudiation->signature_algorithm) {
    subject.report.add(rules::V33, subject.path_of(pair.receive->doc_exchange_id), "sender and receiver name different signing algorithms");
  }
}

int envelopes_of(const ActionPair& pair) {
  int found = 0;
  for (const auto* binding : {sender_binding(pair.sender, pair.send), receiver_binding(pair.sender, pair.send),
                              sender_binding(pair.receiver, pair.receive), receiver_binding(pair.receiver, pair.receive)}) {
    found += binding != nullptr && binding->envelope ? 1 : 0;
  }
  return found;
}

void check_promises(const Subject& subject, const ActionPair& pair) {
  const auto path = subject.path_of(pair.can_send.id);
  const auto* binding = sender_binding(pair.sender, pair.send);
  const bool promised = pair.can_send.characteristics.non_repudiation.value_or(false);
  const bool able = binding != nullptr && binding->non_repudiation;
  if (binding != nullptr && promised != able) {
    subject.report.add(
        rules::V36b, path,
        promised ? "isNonRepudiationRequired without SenderNonRepudiation" : "SenderNonRepudiation without isNonRepudiationRequired");
  }
  if (!is_persistent(pair.can_send.characteristics.confidential)) return;
  constexpr int complete = 4;
  const int envelopes = envelopes_of(pair);
  if (envelopes == 0) {
    subject.report.add(rules::V36b, path, "isConfidential is persistent, but no channel has an envelope");
  } else if (envelopes < complete) {
    subject.report.add(rules::V35, path, "an encrypted action needs a sender's and a receiver's envelope at both parties");
  }
  if (is_encrypted(pair) && !is_signed(pair)) subject.report.add(rules::V36c, path, "an encrypted action must be signed too");
}

bool says(const TransactionCharacteristics& has, Profile profile) {
  const std::string_view authenticated = is_signed(profile) ? "transient-and-persistent" : "transient";
  const std::string_view confidential = is_encrypted(profile) ? "transient-and-persistent" : "transient";
  return has.authenticated == authenticated && has.tamper_proof == authenticated && has.confidential == confidential &&
         has.non_repudiation == is_signed(profile) && has.non_repudiation_receipt == (is_signed(profile) && is_reliable(profile)) &&
         has.authorization == true && has.intelligible_check == false && !has.has_time_to_acknowledge && !has.has_retry_count;
}

}  // namespace

void check_algorithms(const Subject& subject) {
  for (const auto& used : subject.used) {
    const auto path = subject.path_of(used.channel->doc_exchange_id);
    if (const auto* binding = sender_binding(*used.party, used.channel)) check_signing(subject, *binding, path + "/tns:ebXMLSenderBinding");
    if (const auto* binding = receiver_binding(*used.party, used.channel))
      check_signing(subject, *binding, path + "/tns:ebXMLReceiverBinding");
  }
  for (const auto& pair : subject.pairs) check_same_algorithms(subject, pair);
  for (const auto& used : subject.used) {
    const auto path = subject.path_of(used.channel->doc_exchange_id);
    if (const auto* binding = sender_binding(*used.party, used.channel))
      check_encrypting(subject, *binding, path + "/tns:ebXMLSenderBinding");
    if (const auto* binding = receiver_binding(*used.party, used.channel))
      check_encrypting(subject, *binding, path + "/tns:ebXMLReceiverBinding");
  }
  for (const auto& pair : subject.pairs) {
    const auto profile = profile_of(pair);
    for (const auto* binding : {&pair.can_send, &pair.can_receive}) {
      if (!says(binding->characteristics, profile)) {
        subject.report.add(rules::V36a, subject.path_of(binding->id),
                           "BusinessTransactionCharacteristics differ from what " + std::string(to_string(profile)) + " prescribes");
      }
    }
    check_promises(subject, pair);
  }
}

}  // namespace schakel::cpa
