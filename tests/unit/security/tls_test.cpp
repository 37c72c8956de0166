#include "security/tls.hpp"

#include <gtest/gtest.h>

#include "handshake.hpp"
#include "security/keys.hpp"
#include "support/pki.hpp"

namespace schakel {
namespace {

using security::TlsClient;
using security::TlsServer;
using security::TlsSettings;
using test::Pair;
using test::pki;

constexpr auto stad = "00000099000000001000";
constexpr auto schap = "00000099000000002000";

struct Party {
  security::Issued g4, g1;
};
const Party& gemeente() {
  static const Party party{pki().tls(stad, "Gemeente Voorbeeldstad"), pki().g1(stad, "Gemeente Voorbeeldstad")};
  return party;
}
const Party& waterschap() {
  static const Party party{pki().tls(schap, "Waterschap Voorbeeld"), pki().g1(schap, "Waterschap Voorbeeld")};
  return party;
}

const SystemClock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::shared_ptr<TlsServer> server(const security::Issued& own, std::shared_ptr<security::TrustStore> trust, TlsSettings settings = {}) {
  return TlsServer::make(std::move(settings), {{.hosts = {}, .key_pair = own.key_pair, .trust = std::move(trust), .production = false}},
                         system_clock())
      .value();
}
std::shared_ptr<TlsClient> client(const security::Issued& own, std::shared_ptr<security::TrustStore> trust, TlsSettings settings = {}) {
  return TlsClient::make(std::move(settings), own.key_pair, std::move(trust), false, system_clock()).value();
}

// SEC-001, SEC-004, SEC-010, SEC-033
TEST(Tls, BothGenerationsMeetOnBothVersionsInBothDirections) {
  for (const bool server_g4 : {true, false}) {
    for (const bool client_g4 : {true, false}) {
      for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto& own = server_g4 ? gemeente().g4 : gemeente().g1;
        const auto& other = client_g4 ? waterschap().g4 : waterschap().g1;
        const auto listener = server(own, pki().trust());
        const auto caller = client(other, pki().trust());
        Pair pair(caller->context(), listener->context());
        SSL_set_max_proto_version(pair.client(), version);
        ASSERT_TRUE(caller->prepare(pair.client(), "localhost"));
        ASSERT_TRUE(pair.run().ok()) << listener->failure_detail(pair.server()) << caller->failure_detail(pair.client());
        const auto seen = listener->result(pair.server());
        ASSERT_TRUE(seen.peer);
        EXPECT_EQ(seen.peer->oin, schap);
        EXPECT_EQ(seen.peer->refusal, "");
        EXPECT_EQ(seen.peer_chain.size(), 4U);
        const auto found = caller->check(pair.client(), "localhost", stad);
        ASSERT_TRUE(found) << found.error().detail;
        EXPECT_EQ(found->version, version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
        EXPECT_TRUE(pair.echo("hallo"));
      }
    }
  }
}

}  // namespace
}  // namespace schakel
