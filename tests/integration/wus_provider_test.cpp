// Who and what a provider lets in (wus.md section 6: rows 12, 19, 22).
#include <atomic>
#include <future>

#include "integration/wus_world.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;

// WUS-243, SEC-065; WUS-024, WUS-050
TEST(WusProvider, WhoHasNoRightIsTurnedAway) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("dienst-be", "2W-be");
  two.offer("beperkt", "2W-be", {{"grants", {{{"oin", two.consumer.options().oin}, {"operations", {"vraagInschrijving"}}}}}});
  const auto stranger = two.pki.with([](test::Pki& pki) { return pki.tls("00000099000000090000", "Iemand anders"); });
  Partner outside(two.pki, stranger.key_pair), inside(two.pki, two.consumer.identity().key_pair);
  const auto before = two.backend.asked().size();
  EXPECT_EQ(outside.send("POST", two.address("dienst-be"), soap_headers, "<x/>").status, 403U);
  EXPECT_EQ(outside.send("GET", two.address("dienst-be") + "?wsdl").status, 403U);
  EXPECT_EQ(inside.send("PUT", two.address("dienst-be"), soap_headers, "<x/>").status, 405U);
  EXPECT_EQ(inside.send("GET", two.address("dienst-be")).header("Allow"), "POST, GET");
  EXPECT_EQ(inside.send("POST", two.address("dienst-be"), {{"Content-Type", "application/soap+xml"}}, "<x/>").status, 415U);
  EXPECT_EQ(inside.send("POST", two.address("nergens"), soap_headers, "<x/>").status, 404U);
  const auto described = inside.send("GET", two.address("dienst-be") + "?wsdl");
  EXPECT_EQ(described.status, 200U);
  EXPECT_THAT(described.body, HasSubstr("location=\"" + two.address("dienst-be") + "\""));
  const auto broken = inside.send("POST", two.address("dienst-be"), soap_headers, "<!DOCTYPE x [<!ENTITY e 'v'>]><x>&e;</x>");
  EXPECT_EQ(broken.status, 500U);
  EXPECT_THAT(broken.body, HasSubstr("DK0001"));
  EXPECT_EQ(broken.header("Content-Type"), "text/xml; charset=utf-8");
  EXPECT_EQ(two.backend.asked().size(), before);

  two.backend.answers("<meldWijzigingResponse xmlns=\"" + std::string(wus_types) +
                      "\"><ontvangstnummer>1</ontvangstnummer></meldWijzigingResponse>");
  const auto refused = two.call("beperkt", "meldWijziging", notice("x"));
  EXPECT_EQ(refused.status, 502U) << refused.body;
  EXPECT_EQ(refused.json().value("dkCode", ""), "DK0002") << refused.body;
}

// WUS-246, WUS-247, WUS-323, row 12
TEST(WusProvider, TheSameOctetsAreAcceptedOnce) {
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
  const auto before = two.backend.asked().size();
  for (int i = 0; i < 2; ++i) {
    const auto replayed = inside.send("POST", two.address("herhaald"), soap_headers, sent.body);
    EXPECT_EQ(replayed.status, 500U);
    EXPECT_THAT(replayed.body, HasSubstr("InvalidSecurity"));
  }
  auto changed = sent.body;
  changed.replace(changed.find("12345678"), 8, "12345679");
  EXPECT_THAT(inside.send("POST", two.address("herhaald"), soap_headers, changed).body, HasSubstr("FailedCheck"));
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

// A request to `vraagInschrijving` in 2W-be, as a partner writes it.
std::string plain_request(const std::string& address) {
  return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:a=\"http://www.w3.org/2005/08/addressing\">"
         "<s:Header><a:To>" +
         address + "</a:To><a:Action>" + std::string(wus_wsdl) +
         "/IInschrijvingService_v1/vraagInschrijvingRequest</a:Action><a:MessageID>urn:uuid:een</a:MessageID></s:Header><s:Body>" +
         question("12345678") + "</s:Body></s:Envelope>";
}

// WUS-003, WUS-028
TEST(WusProvider, ManyMessagesGoOneAfterTheOther) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("dienst-be", "2W-be");
  two.backend.answers(answer("12345678"));
  const auto envelope = plain_request(two.address("dienst-be"));
  Partner inside(two.pki, two.consumer.identity().key_pair);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(inside.send("POST", two.address("dienst-be"), soap_headers, envelope).status, 200U) << i;
  auto zipped = soap_headers;
  zipped.add("Content-Encoding", "gzip");
  EXPECT_EQ(inside.send("POST", two.address("dienst-be"), zipped, envelope).status, 415U);
  auto same = soap_headers;
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
TEST(WusProvider, ManyChunkedRequestsAtOnceAreTaken) {
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
    request.headers = soap_headers;
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
