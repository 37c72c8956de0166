// A WUS service offered by one organisation and called by another, directly and through an intermediary (wus.md section 6: rows 2, 9, 10,
// 12, 14, 17, 19, 21). Real processes, real two-sided TLS, a back-end of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "integration/partner.hpp"
#include "integration/world.hpp"

namespace schakel::integration {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::string_view types = "http://wus.aanbieder.example/xsd/inschrijving-v1";
constexpr std::string_view wsdl = "http://wus.aanbieder.example/wsdl/inschrijving-v1";

std::filesystem::path sample_service() {
  return std::filesystem::path(SCHAKEL_SOURCE_DIR) / ".." / "shared" / "standards" / "wus" / "sample-service";
}
std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string question(const std::string& number) {
  return "<v:vraagInschrijving xmlns:v=\"" + std::string(types) + "\"><v:inschrijfnummer>" + number +
         "</v:inschrijfnummer></v:vraagInschrijving>";
}
std::string answer(const std::string& number, const std::string& name = "Bakkerij &amp; Zoon é") {
  return "<vraagInschrijvingResponse xmlns=\"" + std::string(types) + "\"><inschrijfnummer>" + number + "</inschrijfnummer><naam>" + name +
         "</naam><status>ACTIEF</status><opmerking xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"></opmerking>"
         "</vraagInschrijvingResponse>";
}
std::string notice(const std::string& attachment) {
  return "<meldWijziging xmlns=\"" + std::string(types) +
         "\"><inschrijfnummer>12345678</inschrijfnummer><omschrijving>verhuizing</omschrijving><bijlage>" + to_base64(attachment) +
         "</bijlage></meldWijziging>";
}

// An application behind the provider: answers as it is told, and remembers what it was asked. On bare sockets, because our own listeners
// take Schakel-… headers away.
class Backend {
 public:
  struct Asked {
    std::string head, body;
    std::string header(const std::string& name) const {
      const auto at = head.find("\r\n" + name + ": ");
      if (at == std::string::npos) return {};
      const auto begin = at + name.size() + 4;
      return head.substr(begin, head.find("\r\n", begin) - begin);
    }
  };
  Backend() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 64) != 0)
      throw std::runtime_error("no port for the back-end");
    socklen_t length = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~Backend() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/dienst"; }
  void answers(unsigned status, std::string content_type, std::string body) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    content_type_ = std::move(content_type);
    body_ = std::move(body);
  }
  void answers(std::string body) { answers(200, "application/xml", std::move(body)); }
  std::vector<Asked> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  Asked last() {
    const auto all = asked();
    return all.empty() ? Asked{} : all.back();
  }

 private:
  void accept_all() {
    for (;;) {
      const int peer = ::accept(listener_, nullptr, nullptr);
      if (peer < 0) return;
      serve(peer);
      ::close(peer);
    }
  }
  // One request per connection.
  void serve(int peer) {
    std::string text;
    std::array<char, 64 * 1024> buffer;
    std::size_t head = std::string::npos, wanted = std::string::npos;
    while (text.size() < wanted) {
      const auto count = ::read(peer, buffer.data(), buffer.size());
      if (count <= 0) return;
      text.append(buffer.data(), static_cast<std::size_t>(count));
      if (head == std::string::npos && (head = text.find("\r\n\r\n")) != std::string::npos)
        wanted = head + 4 + std::stoul("0" + Asked{text.substr(0, head + 2), {}}.header("Content-Length"));
    }
    std::string reply;
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back({text.substr(0, head + 2), text.substr(head + 4)});
      reply = "HTTP/1.1 " + std::to_string(status_) + " X\r\nContent-Type: " + content_type_ +
              "\r\nContent-Length: " + std::to_string(body_.size()) + "\r\nConnection: close\r\n\r\n" + body_;
    }
    for (std::size_t sent = 0; sent < reply.size();) {
      const auto count = ::write(peer, reply.data() + sent, reply.size() - sent);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  }

  int listener_ = -1;
  unsigned short port_ = 0;
  std::mutex mutex_;
  std::vector<Asked> asked_;
  unsigned status_ = 200;
  std::string content_type_ = "application/xml", body_ = "<x/>";
  std::thread thread_;
};

std::string part(const std::string& name, const std::string& file, const std::string& type, const std::string& octets) {
  return "--b1\r\nContent-Disposition: form-data; name=\"" + name + "\"" + (file.empty() ? "" : "; filename=\"" + file + "\"") +
         "\r\nContent-Type: " + type + "\r\n\r\n" + octets + "\r\n";
}

// The form of an import: the sample service with these settings.
std::string upload(const std::string& name, const Json& settings) {
  auto form = part("contract", "", "application/json",
                   Json{{"kind", "wsdl"}, {"name", name}, {"main", "inschrijving-v1.wsdl"}, {"settings", settings}}.dump());
  for (const char* file :
       {"inschrijving-v1.wsdl", "inschrijving-abstract-v1.wsdl", "inschrijving-v1.xsd", "inschrijving-policy-2W-be-SE.xml"})
    form += part("document", file, "text/xml", text_of(sample_service() / file));
  form += part("document", "xmlmime.xsd", "text/xml", text_of(sample_service() / ".." / "xsd" / "xmlmime.xsd"));
  return form + "--b1--\r\n";
}

void load_service(Site& site, const std::string& name, const Json& settings) {
  auto api = site.admin();
  const auto imported = api.call("POST", "/api/v1/contracts", upload(name, settings), "multipart/form-data; boundary=b1");
  ASSERT_EQ(imported.status, 201U) << imported.body;
  EXPECT_THAT(imported.json()["findings"], IsEmpty()) << imported.body;
  const auto id = imported.json().value("id", "");
  const auto activated = api.call("POST", "/api/v1/contracts/" + id + "/_activate", "", "", {{"If-Match", imported.header("ETag")}});
  ASSERT_EQ(activated.status, 200U) << activated.body;
}

void put_routes(Site& site, const Json& rows) {
  auto api = site.admin();
  const auto version = api.get("/api/v1/routes").header("ETag");
  const auto put = api.call("PUT", "/api/v1/routes", Json{{"routes", rows}}.dump(), "application/json", {{"If-Match", version}});
  ASSERT_EQ(put.status, 200U) << put.body;
}

const std::vector<std::string> everything{"tls-server", "tls-client", "signing", "encryption"};

// Consumer, provider and an intermediary, once for all tests; a service per name.
class Chain {
 public:
  Chain()
      : consumer(pki, {.slug = "voorbeeldstad",
                       .name = "Gemeente Voorbeeldstad",
                       .oin = "00000099000000010000",
                       .database_url = {},
                       .purposes = everything}),
        provider(pki, {.slug = "voorbeeldregister",
                       .name = "Voorbeeldregister",
                       .oin = "00000099000000020000",
                       .database_url = {},
                       .purposes = everything}),
        middle(pki, {.slug = "knooppunt", .name = "Knooppunt", .oin = "00000099000000220000", .database_url = {}, .purposes = everything}) {
    for (auto* site : {&consumer, &provider, &middle}) site->start_and_wait();
    put_routes(middle, Json::array({{{"id", "door"},
                                     {"direction", "inbound"},
                                     {"match", {{"protocol", "wus"}, {"toOin", provider.options().oin}}},
                                     {"mode", "transparent"},
                                     {"target", {{"kind", "partner"}, {"url", address("door")}}}}}));
    put_routes(provider, Json::array({{{"id", "naar"},
                                       {"direction", "outbound"},
                                       {"match", {{"toOin", consumer.options().oin}}},
                                       {"target",
                                        {{"kind", "intermediary"},
                                         {"oin", middle.options().oin},
                                         {"url", "https://localhost:" + std::to_string(middle.external_port()) + "/wus/door"}}}}}));
  }
  std::string address(const std::string& name) const {
    return "https://localhost:" + std::to_string(provider.external_port()) + "/wus/" + name;
  }
  // Offered and known at both sides, in this profile; `more`: further settings of the provider, of the consumer.
  void offer(const std::string& name, const std::string& profile, const Json& of_provider = Json::object(),
             const Json& of_consumer = Json::object()) {
    if (!offered_.insert(name).second) return;
    Json theirs{{"role", "provider"},
                {"ownOin", provider.options().oin},
                {"profile", profile},
                {"path", "/wus/" + name},
                {"addresses", {address(name)}},
                {"grants", {{{"oin", consumer.options().oin}}}},
                {"backend", {{"url", backend.url()}}}};
    theirs.merge_patch(of_provider);
    load_service(provider, name, theirs);
    Json ours{{"role", "consumer"},
              {"ownOin", consumer.options().oin},
              {"profile", profile},
              {"partner",
               {{"endpoint", address(name)},
                {"oin", provider.options().oin},
                {"fromAddress", "https://localhost/wus"},
                {"certificate", provider.identity().certificate.pem()}}}};
    ours.merge_patch(of_consumer);
    load_service(consumer, name, ours);
    // A node takes a changed configuration over within its poll.
    auto api = consumer.application();
    backend.answers(answer("12345678"));
    EXPECT_TRUE(becomes([&] { return call(name, "vraagInschrijving", question("12345678")).status == 200U; }, 20s))
        << call(name, "vraagInschrijving", question("12345678")).body << provider.log();
  }
  RestAnswer call(const std::string& name, const std::string& operation, const std::string& body) {
    return consumer.application().call("POST", "/api/v1/wus/" + name + "/" + operation, body, "application/xml");
  }

  ServedPki pki;
  Backend backend;
  Site consumer, provider, middle;

 private:
  std::set<std::string> offered_;
};

Chain& chain() {
  static Chain chain;
  return chain;
}

Json newest(Site& site, const std::string& query) {
  auto api = site.admin();
  Json found;
  becomes(
      [&] {
        const auto list = api.get("/api/v1/messages?protocol=wus&perPage=1&" + query).json();
        if (list.is_array() && !list.empty()) found = list[0];
        return !found.is_null();
      },
      10s);
  return found;
}

#define SCHAKEL_NEEDS_WUS_STANDARDS() \
  if (!std::filesystem::exists(sample_service())) GTEST_SKIP() << "the official WUS files are not beside the repository"

struct ProfileCase {
  const char* name;
  const char* profile;
};
class EachProfile : public ::testing::TestWithParam<ProfileCase> {
 protected:
  std::string service() const { return std::string("dienst-") + GetParam().name; }
  bool secured() const { return std::string(GetParam().profile) != "2W-be"; }
};

// WUS-001, WUS-002, WUS-202, WUS-240, WUS-244, WUS-260, WUS-320, WUS-321
TEST_P(EachProfile, ACallReachesTheBackendAndItsAnswerComesBack) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer(service(), GetParam().profile);
  two.backend.answers(answer("87654321"));
  const auto called = two.call(service(), "vraagInschrijving", question("87654321"));
  ASSERT_EQ(called.status, 200U) << called.body << two.provider.log();
  EXPECT_THAT(called.body, HasSubstr("Bakkerij &amp; Zoon é"));
  EXPECT_EQ(called.header("Schakel-Profile"), GetParam().profile);

  const auto asked = two.backend.last();
  EXPECT_THAT(asked.body, HasSubstr("<v:inschrijfnummer>87654321</v:inschrijfnummer>"));
  const auto header = [&](const std::string& name) { return asked.header(name); };
  EXPECT_EQ(header("Schakel-Operation"), "vraagInschrijving");
  EXPECT_EQ(header("Schakel-Sender-Oin"), two.consumer.options().oin);
  EXPECT_EQ(header("Schakel-Peer-Oin"), two.consumer.options().oin);
  EXPECT_EQ(header("Schakel-Signer-Oin"), secured() ? two.consumer.options().oin : "");
  EXPECT_EQ(header("Schakel-Receiver-Oin"), two.provider.options().oin);
  EXPECT_EQ(header("Schakel-Message-Id"), called.header("Schakel-Relates-To"));

  // What is on record at both sides, and in S and SE the octets that crossed.
  const auto message_id = called.header("Schakel-Relates-To");
  for (auto* site : {&two.consumer, &two.provider}) {
    const auto record = newest(*site, "messageId=" + message_id);
    EXPECT_EQ(record.value("state", ""), "COMPLETED") << record.dump(1);
    EXPECT_EQ(record.value("profile", ""), GetParam().profile);
    EXPECT_EQ(record.value("action", ""), "vraagInschrijving");
    auto api = site->admin();
    const auto id = record.value("id", "");
    EXPECT_THAT(api.get("/api/v1/messages/" + id + "/events").body, Not(HasSubstr("87654321"))) << "no payload in the trail";
    EXPECT_EQ(api.get("/api/v1/messages/" + id + "/payloads/0").status, secured() ? 200U : 404U);
    EXPECT_EQ(api.get("/api/v1/messages/" + id + "/payloads/1").status, secured() ? 200U : 404U);
  }
  EXPECT_THAT(two.provider.log() + two.consumer.log(), Not(HasSubstr("87654321"))) << "no payload in a log";
}

// WUS-244: the same call as JSON and as SOAP.
TEST_P(EachProfile, TheThreeFormsOfACallGiveTheSame) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer(service(), GetParam().profile);
  two.backend.answers(answer("11112222"));
  auto api = two.consumer.application();
  const auto json =
      api.post("/api/v1/calls", {{"contractId", service()}, {"operation", "vraagInschrijving"}, {"body", question("11112222")}});
  ASSERT_EQ(json.status, 200U) << json.body;
  EXPECT_EQ(json.json().value("outcome", ""), "response");
  EXPECT_THAT(json.json().value("body", ""), HasSubstr("11112222"));

  const auto soap = api.call("POST", "/api/v1/wus/" + service(),
                             "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header><Action "
                             "xmlns=\"http://www.w3.org/2005/08/addressing\">" +
                                 std::string(wsdl) + "/IInschrijvingService_v1/vraagInschrijvingRequest</Action></s:Header><s:Body>" +
                                 question("11112222") + "</s:Body></s:Envelope>",
                             "text/xml");
  ASSERT_EQ(soap.status, 200U) << soap.body;
  EXPECT_THAT(soap.body, HasSubstr("<soapenv:Envelope"));
  EXPECT_THAT(soap.body, HasSubstr("11112222"));
  EXPECT_THAT(soap.body, HasSubstr("vraagInschrijvingResponse</wsa:Action>"));
  EXPECT_THAT(soap.body, Not(HasSubstr("Security")));
}

// WUS-163, WUS-164, WUS-201, WUS-245, WUS-263; wus.md 3.7
TEST_P(EachProfile, FaultsOfTheBackendReachTheCaller) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer(service(), GetParam().profile);
  const auto fault = [&](unsigned status, const std::string& type, const std::string& body) {
    two.backend.answers(status, type, body);
    const auto called = two.call(service(), "vraagInschrijving", question("12345678"));
    EXPECT_EQ(called.status, 502U) << called.body;
    EXPECT_EQ(called.json().value("code", ""), "WUS-C-FAULT") << called.body;
    EXPECT_TRUE(called.json().value("authenticated", false)) << called.body;
    return called.json();
  };
  const auto declared = fault(404, "application/problem+json",
                              Json{{"wusFault",
                                    {{"faultcode", "Client"},
                                     {"faultstring", "Onbekend inschrijfnummer"},
                                     {"detailXml", "<inschrijvingFout xmlns=\"" + std::string(types) +
                                                       "\"><code>F1</code><melding>onbekend</melding></inschrijvingFout>"}}}}
                                  .dump());
  EXPECT_EQ(declared.value("faultcode", ""), "{http://schemas.xmlsoap.org/soap/envelope/}Client");
  EXPECT_EQ(declared.value("faultstring", ""), "Onbekend inschrijfnummer");
  EXPECT_THAT(declared.value("detailXml", ""), HasSubstr("<code>F1</code>"));
  EXPECT_EQ(fault(400, "text/plain", "secret of the back-end").value("dkCode", ""), "DK0050");
  EXPECT_EQ(fault(503, "text/plain", "secret of the back-end").value("dkCode", ""), "DK0051");
  EXPECT_EQ(fault(200, "application/xml", "<other/>").value("dkCode", ""), "DK0050");
  EXPECT_EQ(fault(200, "application/xml", "").value("dkCode", ""), "DK0050");
  const auto invalid = fault(200, "application/xml", answer("7")).dump();
  EXPECT_THAT(invalid, HasSubstr("DK0050"));
  EXPECT_THAT(two.consumer.log(), Not(HasSubstr("secret of the back-end")));
}

// WUS-280..282, row 9: through two-sided TLS of somebody who holds no keys of the parties.
TEST_P(EachProfile, AnIntermediaryPassesOctetsOn) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto name = "door-" + std::string(GetParam().name);
  const auto hop = "https://localhost:" + std::to_string(two.middle.external_port()) + "/wus/" + name;
  two.offer(name, GetParam().profile);
  // The row of the intermediary leads to this service; the consumer's partner is now the intermediary.
  put_routes(two.middle,
             Json::array({{{"id", "door"},
                           {"direction", "inbound"},
                           {"match", {{"protocol", "wus"}, {"toOin", two.provider.options().oin}}},
                           {"mode", "transparent"},
                           {"target", {{"kind", "partner"}, {"url", two.address(name)}, {"oin", two.provider.options().oin}}}}}));
  auto admin = two.consumer.admin();
  const auto listed = admin.get("/api/v1/contracts?kind=wsdl&perPage=100").json();
  std::string id;
  for (const auto& contract : listed)
    if (contract.value("name", "") == name) id = contract.value("id", "");
  const auto version = admin.get("/api/v1/contracts/" + id).header("ETag");
  const auto changed = admin.call(
      "PATCH", "/api/v1/contracts/" + id,
      Json{{"settings", {{"partner", {{"endpoint", hop}, {"toAddress", two.address(name)}, {"serverOins", {two.middle.options().oin}}}}}}}
          .dump(),
      "application/merge-patch+json", {{"If-Match", version}});
  ASSERT_EQ(changed.status, 200U) << changed.body;
  // Without a signature the intermediary is the sender, so it takes a mandate of the party that wsa:From names (WUS-243).
  if (!secured()) {
    const auto mandate = two.provider.admin().post("/api/v1/mandates", {{"mandatorOin", two.consumer.options().oin},
                                                                        {"mandataryOin", two.middle.options().oin},
                                                                        {"scope", "wus/" + name},
                                                                        {"direction", "inbound"},
                                                                        {"validFrom", "2026-01-01T00:00:00Z"}});
    ASSERT_EQ(mandate.status, 201U) << mandate.body;
  }
  two.backend.answers(answer("55556666"));
  RestAnswer called;
  ASSERT_TRUE(becomes(
      [&] {
        called = two.call(name, "vraagInschrijving", question("55556666"));
        const auto passed = two.middle.admin().get("/api/v1/messages?protocol=wus&messageId=" + called.header("Schakel-Relates-To")).json();
        return called.status == 200U && passed.is_array() && passed.size() == 1U;
      },
      20s))
      << called.body << two.middle.log() << two.provider.log();
  EXPECT_THAT(called.body, HasSubstr("55556666"));
  EXPECT_EQ(two.backend.last().header("Schakel-Peer-Oin"), two.middle.options().oin);
  EXPECT_EQ(two.backend.last().header("Schakel-Signer-Oin"), secured() ? two.consumer.options().oin : "");
  EXPECT_THAT(two.middle.log(), Not(HasSubstr("55556666")));
}

INSTANTIATE_TEST_SUITE_P(Wus, EachProfile,
                         ::testing::Values(ProfileCase{"be", "2W-be"}, ProfileCase{"s", "2W-be-S"}, ProfileCase{"se", "2W-be-SE"}),
                         [](const auto& instance) { return std::string(instance.param.name); });

class Wus : public ::testing::Test {};

// WUS-180..184, row 2: attachments as MTOM, in every profile.
TEST_F(Wus, AttachmentsTravelAsMtom) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  for (const auto& [name, profile] : {std::pair{"mtom-be", "2W-be"}, {"mtom-s", "2W-be-S"}, {"mtom-se", "2W-be-SE"}}) {
    two.offer(name, profile, {{"mtom", "required"}}, {{"mtom", "required"}});
    std::string octets(1 << 20, '\0');
    std::uint32_t seed = 7;
    for (auto& octet : octets) octet = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24U);
    two.backend.answers("<meldWijzigingResponse xmlns=\"" + std::string(types) +
                        "\"><ontvangstnummer>1</ontvangstnummer></meldWijzigingResponse>");
    const auto called = two.call(name, "meldWijziging", notice(octets));
    ASSERT_EQ(called.status, 200U) << profile << called.body << two.provider.log();
    EXPECT_THAT(two.backend.last().body, HasSubstr(to_base64(octets).substr(0, 4000))) << profile;
  }
}

// WUS-200, WUS-260
TEST_F(Wus, WhatTheSchemaForbidsIsNotSent) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("dienst-s", "2W-be-S");
  const auto before = two.backend.asked().size();
  const auto wrong = two.call("dienst-s", "vraagInschrijving", question("1234567"));
  EXPECT_EQ(wrong.status, 400U);
  EXPECT_EQ(wrong.json().value("code", ""), "WUS-C-INPUT") << wrong.body;
  EXPECT_THAT(wrong.body, Not(HasSubstr("1234567")));
  EXPECT_EQ(two.call("dienst-s", "vraagInschrijving", "<!DOCTYPE x><x/>").status, 400U);
  EXPECT_EQ(two.call("dienst-s", "onbekend", question("12345678")).status, 404U);
  EXPECT_EQ(two.call("geen-dienst", "vraagInschrijving", question("12345678")).status, 404U);
  EXPECT_EQ(two.backend.asked().size(), before);
}

// WUS-243, SEC-065; WUS-024, WUS-050
TEST_F(Wus, WhoHasNoRightIsTurnedAway) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("dienst-be", "2W-be");
  two.offer("beperkt", "2W-be", {{"grants", {{{"oin", two.consumer.options().oin}, {"operations", {"vraagInschrijving"}}}}}});
  const auto stranger = two.pki.with([](test::Pki& pki) { return pki.tls("00000099000000090000", "Iemand anders"); });
  Partner outside(two.pki, stranger.key_pair), inside(two.pki, two.consumer.identity().key_pair);
  const http::Headers soap{{"Content-Type", "text/xml; charset=utf-8"}, {"SOAPAction", "\"\""}};
  const auto before = two.backend.asked().size();
  EXPECT_EQ(outside.send("POST", two.address("dienst-be"), soap, "<x/>").status, 403U);
  EXPECT_EQ(outside.send("GET", two.address("dienst-be") + "?wsdl").status, 403U);
  EXPECT_EQ(inside.send("PUT", two.address("dienst-be"), soap, "<x/>").status, 405U);
  EXPECT_EQ(inside.send("GET", two.address("dienst-be")).header("Allow"), "POST, GET");
  EXPECT_EQ(inside.send("POST", two.address("dienst-be"), {{"Content-Type", "application/soap+xml"}}, "<x/>").status, 415U);
  EXPECT_EQ(inside.send("POST", two.address("nergens"), soap, "<x/>").status, 404U);
  const auto described = inside.send("GET", two.address("dienst-be") + "?wsdl");
  EXPECT_EQ(described.status, 200U);
  EXPECT_THAT(described.body, HasSubstr("location=\"" + two.address("dienst-be") + "\""));
  const auto broken = inside.send("POST", two.address("dienst-be"), soap, "<!DOCTYPE x [<!ENTITY e 'v'>]><x>&e;</x>");
  EXPECT_EQ(broken.status, 500U);
  EXPECT_THAT(broken.body, HasSubstr("DK0001"));
  EXPECT_EQ(broken.header("Content-Type"), "text/xml; charset=utf-8");
  EXPECT_EQ(two.backend.asked().size(), before);

  two.backend.answers("<meldWijzigingResponse xmlns=\"" + std::string(types) +
                      "\"><ontvangstnummer>1</ontvangstnummer></meldWijzigingResponse>");
  const auto refused = two.call("beperkt", "meldWijziging", notice("x"));
  EXPECT_EQ(refused.status, 502U) << refused.body;
  EXPECT_EQ(refused.json().value("dkCode", ""), "DK0002") << refused.body;
}

// WUS-246, WUS-247, WUS-323, row 12
TEST_F(Wus, TheSameOctetsAreAcceptedOnce) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("herhaald", "2W-be-S");
  two.backend.answers(answer("12345678"));
  const auto called = two.call("herhaald", "vraagInschrijving", question("12345678"));
  ASSERT_EQ(called.status, 200U) << called.body;
  const auto record = newest(two.consumer, "messageId=" + called.header("Schakel-Relates-To"));
  const auto sent = two.consumer.admin().get("/api/v1/messages/" + record.value("id", "") + "/payloads/0");
  ASSERT_EQ(sent.status, 200U);
  Partner inside(two.pki, two.consumer.identity().key_pair);
  const http::Headers soap{{"Content-Type", "text/xml; charset=utf-8"}, {"SOAPAction", "\"\""}};
  const auto before = two.backend.asked().size();
  for (int i = 0; i < 2; ++i) {
    const auto replayed = inside.send("POST", two.address("herhaald"), soap, sent.body);
    EXPECT_EQ(replayed.status, 500U);
    EXPECT_THAT(replayed.body, HasSubstr("InvalidSecurity"));
  }
  auto changed = sent.body;
  changed.replace(changed.find("12345678"), 8, "12345679");
  EXPECT_THAT(inside.send("POST", two.address("herhaald"), soap, changed).body, HasSubstr("FailedCheck"));
  EXPECT_EQ(two.backend.asked().size(), before) << "nothing of it reached the back-end";
  const auto metrics = two.provider.ops().get("/metrics").body;
  for (const std::string series :
       {"schakel_wus_replay_total{service=\"herhaald\",tenant=\"voorbeeldregister\"} 2\n",
        "schakel_wus_verification_failures_total{direction=\"inbound\",reason=\"wus.signature\"} ",
        "{code=\"wus.replay\",direction=\"inbound\",result=\"REFUSED\",service=\"herhaald\",tenant=\"voorbeeldregister\"} 2\n",
        "schakel_wus_phase_seconds_count{direction=\"inbound\",phase=\"backend\"} ",
        "schakel_wus_clock_difference_seconds{partner=\"00000099000000010000\"} ",
        "schakel_tls_handshake_seconds_count{listener=\"external\"} "})
    EXPECT_THAT(metrics, HasSubstr(series));
}

// --- a partner that is not what it should be
// ----------------------------------------------------------------------------------------------

// Speaks TLS with a certificate of the test PKI, and answers each request by a script; the last entry goes on.
class Flaky {
 public:
  struct Reply {
    unsigned status = 200;
    std::string type = {}, body = {};
    std::chrono::milliseconds after{0};
    bool right = false;  // the answer that was asked for
  };
  Flaky(ServedPki& pki, const security::Issued& own) : io_(2U) {
    http::ListenerOptions options;
    options.name = "external";
    options.tls = pki.with([&](test::Pki& shared) {
      return security::TlsServer::make({}, {{.key_pair = own.key_pair, .trust = shared.authority().trust_store(clock_.now()).value()}},
                                       clock_)
          .value();
    });
    server_ = std::make_unique<http::Server>(
        io_.executor(), options, [this](http::Request& request) { return take(request); },
        http::Environment{clock_, random_, silent_log(), metrics_});
    server_->start().value();
  }
  ~Flaky() {
    server_->close();
    io_.stop();
  }
  std::string url() const { return "https://localhost:" + std::to_string(server_->port()) + "/dienst"; }
  void says(std::vector<Reply> script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
    message_ids_.clear();
  }
  std::vector<std::string> message_ids() {
    const std::lock_guard lock(mutex_);
    return message_ids_;
  }

 private:
  static std::string right_answer(const std::string& message_id) {
    return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:a=\"http://www.w3.org/2005/08/addressing\"><s:Header>"
           "<a:Action>" +
           std::string(wsdl) +
           "/IInschrijvingService_v1/vraagInschrijvingResponse</a:Action><a:MessageID>urn:uuid:antwoord</a:MessageID>"
           "<a:RelatesTo>" +
           message_id + "</a:RelatesTo></s:Header><s:Body>" + answer("12345678") + "</s:Body></s:Envelope>";
  }
  http::Awaitable<http::Response> take(http::Request& request) {
    auto body = co_await http::read_all(*request.body, 1 << 20);
    const auto text = body ? *body : std::string();
    const auto begin = text.find("<wsa:MessageID>") + 15;
    const auto message_id = text.substr(begin, text.find('<', begin) - begin);
    Reply reply;
    {
      const std::lock_guard lock(mutex_);
      reply = script_.at(std::min(message_ids_.size(), script_.size() - 1));
      message_ids_.push_back(message_id);
    }
    if (reply.after.count() > 0) co_await http::sleep(reply.after);
    http::Response response;
    response.status = reply.status;
    const auto type = reply.right ? std::string("text/xml; charset=utf-8") : reply.type;
    if (!type.empty()) response.headers.add("Content-Type", type);
    response.body = reply.right ? right_answer(message_id) : reply.body;
    co_return response;
  }

  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  http::IoThreads io_;
  std::mutex mutex_;
  std::vector<Reply> script_{Reply{}};
  std::vector<std::string> message_ids_;
  std::unique_ptr<http::Server> server_;
};

Json partner_at(const Chain& chain, const std::string& url, const std::string& oin, const Json& more = Json::object()) {
  Json settings{{"role", "consumer"},
                {"ownOin", chain.consumer.options().oin},
                {"profile", "2W-be"},
                {"timeout", "1s"},
                {"partner", {{"endpoint", url}, {"oin", oin}}}};
  settings.merge_patch(more);
  return settings;
}

// WUS-081, WUS-262, WUS-263, WUS-264; rows of section 5 about the response side
TEST_F(Wus, AnswersThatAreNoneAreToldByTheirCode) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const std::string oin = "00000099000000330000";
  Flaky partner(two.pki, two.pki.with([&](test::Pki& pki) { return pki.tls(oin, "Grillig"); }));
  load_service(two.consumer, "grillig", partner_at(two, partner.url(), oin));
  load_service(two.consumer, "verkeerd-oin", partner_at(two, partner.url(), "00000099000000440000"));
  load_service(two.consumer, "niemand", partner_at(two, "https://localhost:" + std::to_string(free_port()) + "/dienst", oin));
  const auto called = [&](const std::string& name) { return two.call(name, "vraagInschrijving", question("12345678")); };
  partner.says({{.right = true}});
  ASSERT_TRUE(becomes([&] { return called("grillig").status == 200U && called("niemand").status != 404U; }, 20s)) << called("grillig").body;

  struct Row {
    Flaky::Reply reply;
    const char* code;
    unsigned status;
  };
  const std::string foreign =
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "xmlns:a=\"http://www.w3.org/2005/08/addressing\"><s:Header><a:Action>" +
      std::string(wsdl) +
      "/IInschrijvingService_v1/vraagInschrijvingResponse</a:Action><a:MessageID>urn:m</a:MessageID>"
      "<a:RelatesTo>urn:uuid:other</a:RelatesTo></s:Header><s:Body>" +
      answer("12345678") + "</s:Body></s:Envelope>";
  const std::string fault =
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Server</faultcode>"
      "<faultstring>DK0050: stuk</faultstring></s:Fault></s:Body></s:Envelope>";
  const std::vector<Row> rows{
      {{.status = 202}, "WUS-C-HTTP", 502},
      {{.status = 204}, "WUS-C-HTTP", 502},
      {{.status = 302, .type = "text/html", .body = "elsewhere"}, "WUS-C-HTTP", 502},
      {{.status = 200, .type = "text/html", .body = "<html>geheim van de partner</html>"}, "WUS-C-HTTP", 502},
      {{.status = 503, .type = "text/plain", .body = "later"}, "WUS-C-HTTP", 502},
      {{.status = 200, .type = "text/xml", .body = "<a>"}, "WUS-C-SOAP", 502},
      {{.status = 200, .type = "text/xml", .body = "<!DOCTYPE a><a/>"}, "WUS-C-SOAP", 502},
      {{.status = 200, .type = "text/xml", .body = foreign}, "WUS-C-ADDR", 502},
      {{.after = 3s, .right = true}, "WUS-C-TIMEOUT", 504},
  };
  for (const auto& row : rows) {
    partner.says({row.reply});
    const auto refused = called("grillig");
    EXPECT_EQ(refused.status, row.status) << row.code << refused.body;
    EXPECT_EQ(refused.json().value("code", ""), row.code) << refused.body;
    EXPECT_EQ(partner.message_ids().size(), 1U) << "no retry unless it is asked for";
    EXPECT_THAT(refused.body, Not(HasSubstr("geheim van de partner")));
  }
  // A Fault is one whatever the status (WUS-025).
  for (const unsigned status : {200U, 500U}) {
    partner.says({{.status = status, .type = "text/xml", .body = fault}});
    EXPECT_EQ(called("grillig").json().value("code", ""), "WUS-C-FAULT") << status << called("grillig").body;
  }
  EXPECT_EQ(called("verkeerd-oin").json().value("code", ""), "WUS-C-TLS") << called("verkeerd-oin").body;
  const auto nobody = called("niemand");
  EXPECT_EQ(nobody.status, 504U);
  EXPECT_EQ(nobody.json().value("code", ""), "WUS-C-CONNECT") << nobody.body;
}

// WUS-261: each attempt is a new message, linked to the one before.
TEST_F(Wus, AnIdempotentOperationIsTriedAgain) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const std::string oin = "00000099000000330000";
  Flaky partner(two.pki, two.pki.with([&](test::Pki& pki) { return pki.tls(oin, "Grillig"); }));
  load_service(two.consumer, "volhouden",
               partner_at(two, partner.url(), oin,
                          {{"retry", "idempotent"}, {"operations", {{{"name", "vraagInschrijving"}, {"idempotent", true}}}}}));
  partner.says({{.right = true}});
  ASSERT_TRUE(becomes([&] { return two.call("volhouden", "vraagInschrijving", question("12345678")).status == 200U; }, 20s));
  partner.says({{.status = 503, .type = "text/plain", .body = "later"}, {.right = true}});
  const auto called = two.call("volhouden", "vraagInschrijving", question("12345678"));
  EXPECT_EQ(called.status, 200U) << called.body;
  const auto ids = partner.message_ids();
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_NE(ids[0], ids[1]);
  const auto first = newest(two.consumer, "messageId=" + ids[0]), second = newest(two.consumer, "messageId=" + ids[1]);
  EXPECT_EQ(first.value("state", ""), "FAILED") << first.dump(1);
  EXPECT_EQ(second.value("state", ""), "COMPLETED") << second.dump(1);
  EXPECT_EQ(second.value("copyOf", ""), first.value("id", "-")) << second.dump(1);
}

// A request to `vraagInschrijving` in 2W-be, as a partner writes it.
std::string plain_request(const std::string& address) {
  return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:a=\"http://www.w3.org/2005/08/addressing\">"
         "<s:Header><a:To>" +
         address + "</a:To><a:Action>" + std::string(wsdl) +
         "/IInschrijvingService_v1/vraagInschrijvingRequest</a:Action><a:MessageID>urn:uuid:een</a:MessageID></s:Header><s:Body>" +
         question("12345678") + "</s:Body></s:Envelope>";
}

// WUS-003, WUS-028
TEST_F(Wus, ManyMessagesGoOneAfterTheOther) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("dienst-be", "2W-be");
  two.backend.answers(answer("12345678"));
  const auto envelope = plain_request(two.address("dienst-be"));
  Partner inside(two.pki, two.consumer.identity().key_pair);
  const http::Headers soap{{"Content-Type", "text/xml; charset=utf-8"}, {"SOAPAction", "\"\""}};
  for (int i = 0; i < 200; ++i) ASSERT_EQ(inside.send("POST", two.address("dienst-be"), soap, envelope).status, 200U) << i;
  auto zipped = soap;
  zipped.add("Content-Encoding", "gzip");
  EXPECT_EQ(inside.send("POST", two.address("dienst-be"), zipped, envelope).status, 415U);
  auto same = soap;
  same.add("Content-Encoding", "identity");
  EXPECT_EQ(inside.send("POST", two.address("dienst-be"), same, envelope).status, 200U);
}

// A body that is sent as soon as somebody lets it go.
class HeldBody final : public http::BodyReader {
 public:
  HeldBody(std::string body, const std::atomic<bool>& released) : body_(std::move(body)), released_(released) {}
  http::Awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
    while (!released_) co_await http::sleep(5ms);
    co_return co_await body_.read(buffer);
  }

 private:
  http::StringReader body_;
  const std::atomic<bool>& released_;
};

// WUS-024, WUS-028: whose length nobody told counts by what came of it, not as the largest request there may be.
TEST_F(Wus, ManyChunkedRequestsAtOnceAreTaken) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  constexpr int at_once = 100;  // more than one for each 32 MiB of what is held at once
  auto& two = chain();
  two.offer("dienst-be", "2W-be");
  two.backend.answers(answer("12345678"));
  const auto url = two.address("dienst-be"), envelope = plain_request(url);
  Partner inside(two.pki, two.consumer.identity().key_pair);
  const auto chunked = [&](const std::atomic<bool>& released) {
    http::ClientRequest request;
    request.url = url;
    request.headers = {{"Content-Type", "text/xml; charset=utf-8"}, {"SOAPAction", "\"\""}};
    request.stream = [&] { return std::make_unique<HeldBody>(envelope, released); };
    return inside.send(std::move(request)).status;
  };
  std::atomic<bool> released = false;
  const std::atomic<bool> at_once_released = true;
  std::vector<std::future<unsigned>> held;
  for (int i = 0; i < at_once; ++i) held.push_back(std::async(std::launch::async, chunked, std::cref(released)));
  std::this_thread::sleep_for(1s);  // their heads are there
  EXPECT_EQ(chunked(at_once_released), 200U);
  released = true;
  for (auto& one : held) EXPECT_EQ(one.get(), 200U);
}

}  // namespace
}  // namespace schakel::integration
