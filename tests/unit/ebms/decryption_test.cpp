// What may not be decrypted, and that neither the answer nor the time says why (ebms.md 1.10, section 4, A18; security.md 3.7).
#include <algorithm>
#include <ctime>
#include <set>

#include "support/encrypted_by_hand.hpp"
#include "unit/ebms/secured.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using cpa::Profile;
using testing::Encryption;
using testing::packed;
using testing::unpacked;
using testing::WireRequest;
using Style = test::EncryptionStyle;

constexpr const char *aes256_cbc = "http://www.w3.org/2001/04/xmlenc#aes256-cbc", *rsa_1_5 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
                     *triple_des = "http://www.w3.org/2001/04/xmlenc#tripledes-cbc";

class Legacy : public Encryption {
 protected:
  static EVP_PKEY* own_key() { return ontvanger().issued.key_pair->key(); }

  // Signed, and encrypted as the style says; the content key for `recipient`.
  WireRequest encrypted_by_hand(Style style, const Bytes& plain = "<m/>", EVP_PKEY* recipient = own_key()) {
    const auto request = signed_by(*melder().issued.key_pair, plain_request(plain));
    auto parts = unpacked(request);
    style.plain = plain;
    parts.parts.at(0).octets = test::encrypted_document(style, test::encrypted_key(style, recipient));
    return packed(request, parts);
  }
  // b's agreement in an environment, with dated exceptions for what the partner cannot do otherwise.
  void except(const std::vector<std::string>& algorithms, const std::string& environment = "test", Duration left = 24h) {
    auto contract = secured(Profile::osb_rm_e).loaded("tb", 1);
    contract.environment = environment;
    std::vector<cpa::AlgorithmException> exceptions;
    for (const auto& algorithm : algorithms)
      exceptions.push_back({"tb", oin_a, "ebms", algorithm, "until they renew", clock.now() - 1h, clock.now() + left});
    b->contracts =
        std::make_shared<const cpa::Contracts>(std::vector{contract}, std::vector<cpa::UrlMapping>{},
                                               std::vector<cpa::CertificateMapping>{}, std::vector<cpa::Mandate>{}, std::move(exceptions));
  }
};

TEST_F(Legacy, triple_des_is_opened_under_a_dated_exception_only) {  // EB-173, SEC-083; section 4, A18
  start_encrypted();
  const Style style{.cipher = triple_des, .key = test::octets_of(24), .openssl_cipher = "DES-EDE3-CBC"};
  EXPECT_TRUE(undecryptable(encrypted_by_hand(style), "SEC.XML.ALGORITME"));
  except({aes256_cbc, rsa_1_5});
  EXPECT_TRUE(undecryptable(encrypted_by_hand(style), "SEC.XML.ALGORITME")) << "an exception for something else";
  except({triple_des}, "test", 0h);
  EXPECT_TRUE(undecryptable(encrypted_by_hand(style), "SEC.XML.ALGORITME")) << "it has ended";
  except({triple_des}, "test", 24h * 400);
  EXPECT_TRUE(undecryptable(encrypted_by_hand(style), "SEC.XML.ALGORITME")) << "for more than a year";
  for (const char* environment : {"test", "production"}) {
    except({triple_des}, environment);
    b->log.clear();
    ASSERT_TRUE(accepted(encrypted_by_hand(style, "<oud/>"))) << environment;
    EXPECT_EQ(delivered(), "<oud/>");
    const auto findings = b->log.lines("ebms.algorithmException");
    ASSERT_EQ(findings.size(), 1U) << "each use is a finding";
    EXPECT_EQ(findings[0]["algorithm"], triple_des);
  }
  // An agreement that names it is none: only CBC with AES counts so (SEC-083).
  auto naming = secured(Profile::osb_rm_e);
  naming.encryption(triple_des);
  const auto request = encrypted_by_hand(style);
  b->load(naming.loaded("tb", 1));
  EXPECT_TRUE(undecryptable(request, "SEC.XML.ALGORITME"));
}

TEST_F(Legacy, rsa_1_5_is_opened_under_a_dated_exception_and_never_in_production) {  // EB-173, SEC-083; section 4, A18
  start_encrypted();
  const Style style{.transport = rsa_1_5, .padding = RSA_PKCS1_PADDING};
  EXPECT_TRUE(undecryptable(encrypted_by_hand(style), "SEC.XML.ALGORITME"));
  except({rsa_1_5}, "production");
  EXPECT_TRUE(undecryptable(encrypted_by_hand(style), "SEC.XML.ALGORITME"));
  except({rsa_1_5});
  ASSERT_TRUE(accepted(encrypted_by_hand(style)));
  EXPECT_EQ(delivered(), "<m/>");
  EXPECT_EQ(b->log.lines("ebms.algorithmException").size(), 1U);
  // Under the exception bad padding looks like everything else (EB-173, EB-176).
  EXPECT_TRUE(undecryptable(encrypted_by_hand(style, "<m/>", melder().issued.key_pair->key())));
}

TEST_F(Legacy, aes192_is_never_opened) {  // EB-175, SEC-080; section 4
  start_encrypted();
  for (const auto& [algorithm, name] : {std::pair{"http://www.w3.org/2009/xmlenc11#aes192-gcm", "AES-192-GCM"},
                                        {"http://www.w3.org/2001/04/xmlenc#aes192-cbc", "AES-192-CBC"}}) {
    const Style style{.cipher = algorithm, .key = test::octets_of(24), .openssl_cipher = name};
    except({});
    EXPECT_TRUE(undecryptable(encrypted_by_hand(style), "SEC.XML.ALGORITME")) << algorithm;
    except({algorithm});
    EXPECT_TRUE(undecryptable(encrypted_by_hand(style), "SEC.XML.ALGORITME")) << algorithm << ": no exception can allow it";
  }
}

TEST_F(Legacy, plain_payloads_beside_encrypted_ones_are_refused) {  // EB-170, EB-175; row 24, section 4, A18
  start_encrypted();
  auto signed_request = unpacked(unsigned_request({"<one/>", "<two/>"}));
  for (Part& part : signed_request.parts) part.octets = &part == &signed_request.parts[0] ? "<one/>" : "<two/>";
  const auto request = signed_by(*melder().issued.key_pair, packed(captured, signed_request));
  const Style style{.plain = "<one/>"};
  auto mixed = unpacked(request);
  mixed.parts[0].octets = test::encrypted_document(style, test::encrypted_key(style, own_key()));
  EXPECT_TRUE(refused(packed(request, mixed), "cid:" + mixed.parts[1].content_id, "Decryption failed.", "SEC.XML.ONTSLEUTELING"));
}

// --- one answer, one time ----------------------------------------------------------------------------------------------------------------

// Everything that goes wrong with a secret in it: what an attacker who asks again and again must not tell apart.
struct Failing {
  const char* name;
  Style style;
  bool for_us = true;  // else the content key is for another key: its padding is random here
  bool damaged = false;
};

std::vector<Failing> failing() {
  return {{.name = "a key that is not ours", .style = {}, .for_us = false},
          {.name = "a content key of another length", .style = {.key = test::octets_of(16), .openssl_cipher = "AES-128-GCM"}},
          {.name = "another padding of the content key", .style = {.padding = RSA_PKCS1_PADDING}},
          {.name = "damaged content", .style = {}, .damaged = true}};
}

Bytes document_of(Failing one, const Bytes& plain, EVP_PKEY* ours, EVP_PKEY* another) {
  one.style.plain = plain;
  auto document = test::encrypted_document(one.style, test::encrypted_key(one.style, one.for_us ? ours : another));
  if (one.damaged) {
    auto& octet = document[document.rfind("<CipherValue>") + 100];
    octet = octet == 'A' ? 'B' : 'A';
  }
  return document;
}

TEST_F(Legacy, failures_are_read_to_the_end_and_answered_alike) {  // EB-176, SEC-087; A18
  start_encrypted();
  const Bytes plain(600'000, 'x');
  std::set<std::size_t> reads;
  const auto counted = [&](const WireRequest& request, bool good) {
    b->reads = 0;
    EXPECT_TRUE(good ? accepted(request) : undecryptable(request));
    reads.insert(b->reads);
  };
  counted(encrypted_by_hand({}, plain), true);
  for (const Failing& one : failing()) {
    const auto request = signed_by(*melder().issued.key_pair, plain_request(plain));
    auto parts = unpacked(request);
    parts.parts.at(0).octets = document_of(one, plain, own_key(), melder().issued.key_pair->key());
    SCOPED_TRACE(one.name);
    counted(packed(request, parts), false);
  }
  EXPECT_EQ(reads.size(), 1U) << "good or not, as many chunks of the store are read";
  EXPECT_GT(*reads.begin(), 5U);
  EXPECT_EQ(b->count("SELECT count(*) FROM payloads WHERE size > 0 AND blob IN (SELECT blob FROM blob_chunks)"), 1)
      << "of what failed nothing is left";
}

// Processor time of this thread, the best of some rounds in turn: neighbours only ever add to it. Where a failure ended the work, it would
// take a fraction of the time, as the last case shows: what depends on no secret is refused at its algorithm.
TEST_F(Legacy, failures_take_the_same_time) {  // EB-176, SEC-087; A18
  const auto seconds = [] {
    timespec at{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
  };
  const security::PrivateKey ours(ontvanger().issued.key_pair, own_key());
  const Bytes plain(4'000'000, 'x');
  std::vector<std::pair<std::string, Bytes>> documents;
  for (const Failing& one : failing())
    documents.emplace_back(one.name, document_of(one, plain, own_key(), melder().issued.key_pair->key()));
  documents.emplace_back(
      "control", document_of({.name = "", .style = {.cipher = triple_des, .key = test::octets_of(24), .openssl_cipher = "DES-EDE3-CBC"}},
                             plain, own_key(), nullptr));
  std::vector<double> best(documents.size(), 1e9);
  SystemRandom random;
  for (int round = 0; round < 8; ++round)
    for (std::size_t i = 0; i < documents.size(); ++i) {
      const double begin = seconds();
      xmlsecurity::Decryptor decryptor(
          {}, [&](const xmlsecurity::KeyHints&) { return ours; }, random);
      for (std::size_t at = 0; at < documents[i].second.size(); at += limits::blob_chunk_bytes)
        static_cast<void>(decryptor.update(BytesView(documents[i].second).substr(at, limits::blob_chunk_bytes)));
      EXPECT_FALSE(decryptor.finish()) << documents[i].first;
      best[i] = std::min(best[i], seconds() - begin);
    }
  const double control = best.back();
  best.pop_back();
  const auto [fastest, slowest] = std::ranges::minmax(best);
  EXPECT_LT(slowest, 2 * fastest);
  EXPECT_LT(2 * control, fastest) << "the measure tells an early end";
}

}  // namespace
}  // namespace schakel::ebms
