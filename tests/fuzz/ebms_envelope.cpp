// The root part of a request: the envelope parser, and every check of Msh::examine that needs no database. Whatever is refused is refused
// with an answer that is well-formed itself; whatever is read has a header hash that does not depend on how often it is read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "ebms/envelope.hpp"
#include "ebms/msh.hpp"
#include "support/agreement_builder.hpp"

using namespace schakel;

namespace {

class StoppedClock final : public Clock {
 public:
  Instant now() const override { return parse_datetime("2026-03-02T10:00:00Z")->instant; }
};

class CountingRandom final : public Random {
 public:
  void fill(std::span<unsigned char> out) override {
    for (auto& octet : out) octet = ++next_;
  }

 private:
  unsigned char next_ = 0;
};

struct Receiver {
  Receiver() {
    for (const bool synchronous : {false, true}) {
      testing::AgreementBuilder builder(synchronous ? "sim-2" : "sim-1", {"00000001800000001000", "Melder", "https://a.example/ebms"},
                                        {"00000001800000002000", "Ontvanger", "https://b.example/ebms"});
      loaded.push_back(builder.synchronous(synchronous).loaded("tb", 1));
    }
    contracts = std::make_shared<const cpa::Contracts>(std::move(loaded), std::vector<cpa::UrlMapping>{},
                                                       std::vector<cpa::CertificateMapping>{}, std::vector<cpa::Mandate>{});
    peer.oin = "00000001800000001000";
  }

  StoppedClock clock;
  CountingRandom random;
  Metrics metrics;
  std::vector<cpa::LoadedContract> loaded;
  std::shared_ptr<const cpa::Contracts> contracts;
  security::PeerIdentity peer;
  ebms::Msh msh{{}, ebms::Msh::Dependencies{clock, random, silent_log(), metrics, [this] { return contracts; }}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  static const Receiver receiver;
  const std::string_view input(reinterpret_cast<const char*>(octets), size);

  ebms::ReceivedRequest request;
  request.root = input;
  ebms::Part part;
  part.content_id = "p1@a";
  part.content_type = "application/xml";
  part.octets = "<m/>";
  part.size = 4;
  request.parts.push_back(part);
  const auto examined = receiver.msh.examine(std::move(request), &receiver.peer, "");
  const ebms::Answer* immediate = ebms::Msh::immediate(*examined);

  const auto envelope = ebms::parse_envelope(input, std::nullopt);
  if (!envelope) {
    if (!immediate || immediate->status != 500 || !xml::Document::parse(immediate->body, xml::Limits{})) std::abort();
    return 0;
  }
  const auto hash = ebms::header_hash(*envelope);
  if (hash && *hash != *ebms::header_hash(*ebms::parse_envelope(input, std::nullopt))) std::abort();
  // What we would say back about it can be read by a partner.
  ebms::Envelope out;
  out.header = envelope->header;
  out.header.version = "2.0";
  out.header.duplicate_elimination = false;
  const auto written = ebms::build_envelope(out);
  if (written) {
    const auto back = ebms::parse_envelope(*written, "UTF-8");
    if (!back || back->header.message_id != out.header.message_id || back->header.conversation_id != out.header.conversation_id)
      std::abort();
  }
  return 0;
}
