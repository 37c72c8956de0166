// Messages near the limit of 64 MiB (ebms.md 5 A26): what they cost in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/world.hpp"

namespace schakel::integration {
namespace {

constexpr std::size_t MiB = 1024 * 1024;
constexpr std::size_t parts = 20, part_bytes = 3 * MiB;
constexpr long growth_kib_max = 64L * 1024;  // A26

std::string noise(std::uint32_t seed, std::size_t bytes) {
  std::string octets(bytes, '\0');
  for (auto& octet : octets) octet = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24U);
  return octets;
}

// The form of POST /messages with these payloads.
std::string form(Json fields, const std::vector<std::string>& payloads) {
  fields["payloads"] = Json::array();
  for (std::size_t i = 0; i < payloads.size(); ++i) fields["payloads"].push_back({{"contentType", "application/octet-stream"}});
  std::string body =
      "--b1\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n" + fields.dump() + "\r\n";
  for (const auto& octets : payloads)
    body += "--b1\r\nContent-Disposition: form-data; name=\"payload\"\r\nContent-Type: application/octet-stream\r\n\r\n" + octets + "\r\n";
  return body + "--b1--\r\n";
}

// Peak memory of a node since this was made, above what it had then. What its start took and gave back may count too: never too little.
class Growth {
 public:
  explicit Growth(Site& site) : site_(site), before_(site.process().memory_kib("VmRSS")) {}
  long kib() const { return site_.process().memory_kib("VmHWM") - before_; }

 private:
  Site& site_;
  long before_;
};

// EB-031, EB-032
TEST(Large, SixtyMebibytesInTwentyPartsPassInBoundedMemory) {
  World two;
  const auto document = CpaDocument({.cpa_id = "cpa-large"}, two.stad.party("Melder"), two.register_.party("Register")).text();
  const auto contract = two.stad.load(document);
  two.register_.load(document);
  auto admin = two.stad.admin(), sender = two.stad.application(), receiver = two.register_.application();
  const Json fields{{"cpaId", "cpa-large"}, {"service", "Voorbeeld:Meldingen:1:0"}, {"action", "meld"}};
  const auto post = [&](const std::vector<std::string>& payloads) {
    return sender.call("POST", "/api/v1/messages", form(fields, payloads), "multipart/form-data; boundary=b1");
  };

  const auto refused = post(std::vector(7, noise(1, part_bytes)));  // 21 MiB
  EXPECT_EQ(refused.status, 413U) << refused.body;
  EXPECT_EQ(refused.json().value("code", ""), "message.tooLarge");
  const auto version = admin.get("/api/v1/contracts/" + contract).header("ETag");
  const auto raised = admin.call("PATCH", "/api/v1/contracts/" + contract, Json{{"settings", {{"largeMessageThreshold", 64 * MiB}}}}.dump(),
                                 "application/merge-patch+json", {{"If-Match", version}});
  ASSERT_EQ(raised.status, 200U) << raised.body;

  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < parts; ++i) payloads.push_back(noise(static_cast<std::uint32_t>(i), part_bytes));
  const Growth at_sender(two.stad), at_receiver(two.register_);
  const auto sent = post(payloads);
  ASSERT_EQ(sent.status, 202U) << sent.body;
  const auto id = sent.json().value("id", "");
  ASSERT_TRUE(becomes([&] { return message(sender, id).value("state", "") == "DELIVERED"; }, 120s))
      << message(sender, id).dump(1) << two.stad.log() << two.register_.log();
  EXPECT_LT(at_sender.kib(), growth_kib_max);
  EXPECT_LT(at_receiver.kib(), growth_kib_max);
  RecordProperty("senderGrowthKib", std::to_string(at_sender.kib()));
  RecordProperty("receiverGrowthKib", std::to_string(at_receiver.kib()));

  const auto received = inbound(receiver, sent.json().value("messageId", ""));
  ASSERT_FALSE(received.is_null()) << two.register_.log();
  for (std::size_t i = 0; i < parts; ++i)
    EXPECT_TRUE(receiver.get("/api/v1/messages/" + received.value("id", "") + "/payloads/" + std::to_string(i)).body == payloads[i]) << i;

  const auto too_large = post(std::vector(1, std::string(65 * MiB, 'x')));
  EXPECT_EQ(too_large.status, 413U) << too_large.body;
}

}  // namespace
}  // namespace schakel::integration
