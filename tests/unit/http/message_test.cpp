#include "http/message.hpp"

#include <gmock/gmock.h>

#include "base/json_library.hpp"
#include "http/failure_log.hpp"
#include "http/offload.hpp"
#include "listening.hpp"

using namespace schakel;
using namespace schakel::http;
using namespace schakel::http::testing;
using namespace std::chrono_literals;
using ::testing::ElementsAre;

namespace {

TEST(HeaderFields, names_ignore_case_and_set_replaces_all) {
  Headers headers{{"A", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(headers.find("a"), "1");
  EXPECT_EQ(headers.count("A"), 2U);
  headers.set("A", "4");
  EXPECT_EQ(headers.count("a"), 1U);
  EXPECT_EQ(headers.find("A"), "4");
  headers.set("C", "5");
  EXPECT_EQ(headers.find("c"), "5");
  headers.remove("B");
  EXPECT_FALSE(headers.find("b"));
}

TEST(ReadAll, a_body_of_the_limit_passes_and_one_octet_more_does_not) {
  IoThreads threads(1);
  StringReader exact(std::string(40'000, 'x')), longer(std::string(40'001, 'x'));
  EXPECT_EQ(run(threads, read_all(exact, 40'000)).value().size(), 40'000U);
  EXPECT_EQ(run(threads, read_all(longer, 40'000)).error().code, "http.bodyTooLarge");
}

// SEC-120
TEST(Problems, a_problem_has_its_members_and_no_internals) {
  const std::vector<FieldError> errors{{"query", "perPage", "range", "moet tussen 1 en 100 liggen"}};
  const auto response = problem("request.invalid", "Het verzoek bevat een fout.", "0197f5c0-0000-7000-8000-000000000001", errors);
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(response.headers.find("Content-Type"), "application/problem+json");
  const auto body = nlohmann::json::parse(response.body);
  EXPECT_EQ(body["type"], "urn:schakel:problem:request.invalid");
  EXPECT_EQ(body["code"], "request.invalid");
  EXPECT_EQ(body["status"], 400);
  EXPECT_EQ(body["title"], "Ongeldige invoer");
  EXPECT_EQ(body["detail"], "Het verzoek bevat een fout.");
  EXPECT_EQ(body["instance"], "urn:uuid:0197f5c0-0000-7000-8000-000000000001");
  EXPECT_EQ(body["errors"][0]["location"], "perPage");
  const auto unforeseen = nlohmann::json::parse(problem("weird.code", "SELECT failed at 10.0.0.1", "r").body);
  EXPECT_EQ(unforeseen["status"], 500);
  EXPECT_EQ(unforeseen["code"], "internal");
  EXPECT_EQ(unforeseen["detail"].get<std::string>().find("SELECT"), std::string::npos);
}

TEST(Problems, an_own_request_id_gives_the_same_instance_each_time) {
  const auto instance = [](const std::string& id) {
    return nlohmann::json::parse(problem("notFound", "", id).body)["instance"].get<std::string>();
  };
  EXPECT_EQ(instance("my.request-1"), instance("my.request-1"));
  EXPECT_NE(instance("my.request-1"), instance("my.request-2"));
  EXPECT_TRUE(is_uuid(instance("my.request-1").substr(9)));
}

// Every row of adapter.md 2.1.5, and the rows of this room.
TEST(Problems, every_code_has_its_status) {
  const std::vector<std::pair<unsigned, std::vector<std::string_view>>> rows = {
      {400,
       {"request.invalid", "request.unsupportedCharset", "contract.invalid", "contract.unknown", "contract.actionNotAllowed", "oin.invalid",
        "tenant.mismatch", "routing.loop", "payload.notAllowed", "webhook.targetRefused", "certificate.privateKeyRefused",
        "http.bodyInvalid"}},
      {401, {"auth.missing", "auth.invalid"}},
      {403,
       {"auth.forbidden", "mandate.missing", "contract.notAuthorised", "SEC.OIN.ONTBREEKT", "SEC.OIN.NIET_GEAUTORISEERD",
        "SEC.PKI.POLICY"}},
      {404, {"notFound"}},
      {405, {"request.methodNotAllowed"}},
      {406, {"request.notAcceptable"}},
      {408, {"request.timeout", "http.bodyTimeout"}},
      {409,
       {"message.duplicateId", "state.conflict", "oin.inUse", "contract.inUse", "contract.expired", "contract.notYetValid",
        "contract.suspended", "contract.ambiguous", "contract.limitReached", "route.none", "route.duplicate", "request.inProgress",
        "request.idempotencyMismatch"}},
      {410, {"payload.purged"}},
      {411, {"request.lengthRequired"}},
      {412, {"version.conflict"}},
      {413, {"message.tooLarge", "http.bodyTooLarge"}},
      {414, {"request.uriTooLong"}},
      {415, {"request.mediaType"}},
      {416, {"request.range"}},
      {421, {"request.misdirected"}},
      {428, {"version.missing"}},
      {429, {"quota.rate", "quota.month"}},
      {431, {"request.headersTooLarge"}},
      {500, {"internal", "no.such.code"}},
      {502, {"call.upstream"}},
      {503, {"node.draining", "tenant.suspended", "storage.unavailable"}},
      {504, {"call.timeout"}},
      {507, {"quota.storage"}}};
  for (const auto& [status, codes] : rows)
    for (const auto code : codes) EXPECT_EQ(status_of(code), status) << code;
}

// SEC-120
TEST(ApiResponses, carry_the_security_headers_and_keep_their_own) {
  const auto response = api_response(200, "{}", "r-1");
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"Cache-Control", "no-store"},
      {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
      {"Content-Type", "application/json"},
      {"Strict-Transport-Security", "max-age=31536000"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"API-Version", api_version},
      {"X-Request-Id", "r-1"}};
  for (const auto& [name, value] : expected) EXPECT_EQ(response.headers.find(name), value) << name;
  Response own;
  own.headers.add("cache-control", "max-age=60");
  add_api_headers(own, "r");
  EXPECT_EQ(own.headers.count("Cache-Control"), 1U);
  EXPECT_EQ(own.headers.find("Cache-Control"), "max-age=60");
}

// SEC-065: the handshake completes, the request is answered 403; ebMS2 without a body.
TEST(UnusablePeers, are_refused_with_403) {
  security::PeerIdentity peer;
  Request request;
  EXPECT_FALSE(refuse_unusable_peer(request, false));
  request.peer = &peer;
  peer.oin = "00000099000000001000";
  EXPECT_FALSE(refuse_unusable_peer(request, false));
  peer.oin.clear();
  peer.refusal = "SEC.OIN.ONTBREEKT";
  EXPECT_EQ(refuse_unusable_peer(request, false)->status, 403U);
  EXPECT_EQ(refuse_unusable_peer(request, false)->body, "");
  const auto told = refuse_unusable_peer(request, true);
  EXPECT_EQ(told->status, 403U);
  EXPECT_EQ(nlohmann::json::parse(told->body)["code"], "SEC.OIN.ONTBREEKT");
}

// SEC-105
TEST(Failures, of_one_address_are_told_first_then_every_hundredth_or_each_minute) {
  FailureLog log;
  const Instant start{};
  EXPECT_EQ(log.note("SEC.TLS.VERSIE", "192.0.2.1", start), 1U);
  for (int i = 0; i < 99; ++i) EXPECT_FALSE(log.note("SEC.TLS.VERSIE", "192.0.2.1", start + 1s));
  EXPECT_EQ(log.note("SEC.TLS.VERSIE", "192.0.2.1", start + 1s), 100U);
  EXPECT_FALSE(log.note("SEC.TLS.VERSIE", "192.0.2.1", start + 60s));
  EXPECT_EQ(log.note("SEC.TLS.VERSIE", "192.0.2.1", start + 61s), 2U);
  EXPECT_EQ(log.note("SEC.TLS.VERSIE", "192.0.2.2", start + 61s), 1U) << "another address is told apart";
  EXPECT_EQ(log.note("SEC.TLS.SUITE", "192.0.2.1", start + 61s), 1U) << "another reason too";
}

TEST(Failures, of_very_many_addresses_do_not_fill_memory_and_stay_correct) {
  FailureLog log;
  const Instant start{};
  for (int i = 0; i < 20'000; ++i) EXPECT_EQ(log.note("R", "a" + std::to_string(i), start + std::chrono::microseconds(i)), 1U);
  EXPECT_FALSE(log.note("R", "a19999", start + 1s)) << "the newest are remembered";
}

// SEC-050
TEST(Offloading, both_dialects_give_the_certificate) {
  const auto rfc = offloaded_certificate({{"Client-Cert", ":TGVhZg==:"}, {"Client-Cert-Chain", ":T25l:, :VHdv:"}});
  ASSERT_TRUE(rfc);
  EXPECT_EQ(rfc->der, "Leaf");
  EXPECT_THAT(rfc->chain, ElementsAre("One", "Two"));
  const auto pem = offloaded_certificate({{"X-SSL-Client-Cert",
                                           "-----BEGIN%20CERTIFICATE-----%0ATGVh%0AZg==%0A-----END%20CERTIFICATE-----%0A"
                                           "-----BEGIN%20CERTIFICATE-----%0AT25l%0A-----END%20CERTIFICATE-----%0A"}});
  ASSERT_TRUE(pem);
  EXPECT_EQ(pem->der, "Leaf");
  EXPECT_THAT(pem->chain, ElementsAre("One"));
}

// SEC-050, SEC-051
TEST(Offloading, malformed_repeated_and_absent_headers_are_no_certificate) {
  const std::vector<Headers> bad = {
      {},
      {{"Client-Cert", "TGVhZg=="}},
      {{"Client-Cert", ":TGVhZg:"}},
      {{"Client-Cert", "::"}},
      {{"Client-Cert", ":TGVhZg==:"}, {"client-cert", ":TGVhZg==:"}},
      {{"Client-Cert", ":TGVhZg==:"}, {"Client-Cert-Chain", ":T25l:,x"}},
      {{"Client-Cert", ":TGVhZg==:"}, {"Client-Cert-Chain", ":T25l:,:T25l:,:T25l:,:T25l:,:T25l:,:T25l:,:T25l:"}},
      {{"X-SSL-Client-Cert", "CN=Gemeente,serialNumber=00000099000000001000"}},
      {{"X-SSL-Client-Cert", "-----BEGIN%20CERTIFICATE-----%0ATGVh%0AZg=="}},
      {{"X-SSL-Client-Cert", "%"}},
      {{"X-SSL-Client-Cert", "%zz"}},
      {{"X-SSL-Client-Cert", ""}}};
  for (const auto& headers : bad) EXPECT_EQ(offloaded_certificate(headers).error().code, "SEC.TLS.GEEN_CERT");
}

}  // namespace
