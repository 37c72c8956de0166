// Mutated octets in process: nothing crashes, everything is answered (cpa.md 6.1 row 30).
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <random>

#include "base/limits.hpp"
#include "cpa/specification.hpp"
#include "cpa/validate.hpp"
#include "support/cpa_samples.hpp"

namespace {
std::atomic<std::size_t> sockets_made{0};
}

// In front of the C library's, for this program and the libraries that it loads: whoever wants the network is counted.
extern "C" int socket(int domain, int type, int protocol) {
  ++sockets_made;
  return static_cast<int>(::syscall(SYS_socket, domain, type, protocol));
}
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  ++sockets_made;
  return real(host, service, hints, found);
}

namespace schakel::cpa {
namespace {

using namespace schakel::testing;

class Mangler {
 public:
  explicit Mangler(std::uint32_t seed) : random_(seed) {}

  std::string mangled(std::string text, const std::string& other) {
    const auto changes = 1 + below(4);
    for (std::size_t i = 0; i < changes && !text.empty(); ++i) change(text, other);
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }

  void change(std::string& text, const std::string& other) {
    const auto at = below(text.size());
    const auto length = below(std::min<std::size_t>(text.size() - at, 400)) + 1;
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(below(text.size()), length));
        break;
      case 3:
        text.insert(at, other.substr(below(other.size()), length));
        break;
      case 4:
        text.resize(at);
        break;
      default:
        swap_values(text);
    }
  }
  // Two quoted values change places: the document stays well-formed, its meaning does not.
  void swap_values(std::string& text) {
    const auto value_at = [&](std::size_t from) {
      const auto begin = text.find("=\"", from);
      const auto end = begin == std::string::npos ? begin : text.find('"', begin + 2);
      return std::pair(begin, end);
    };
    const auto first = value_at(below(text.size()));
    if (first.second == std::string::npos) return;
    const auto second = value_at(first.second);
    if (second.second == std::string::npos) return;
    const auto a = text.substr(first.first + 2, first.second - first.first - 2);
    const auto b = text.substr(second.first + 2, second.second - second.first - 2);
    text.replace(second.first + 2, b.size(), a);
    text.replace(first.first + 2, a.size(), b);
  }

  std::mt19937 random_;
};

// What a run of mutations led to.
struct Tally {
  std::size_t malformed = 0, invalid = 0, judged = 0;
  Tally& operator+=(const Tally& other) {
    malformed += other.malformed;
    invalid += other.invalid;
    judged += other.judged;
    return *this;
  }
};

Tally judge_mutations(const std::vector<std::string>& sources, std::uint32_t first_seed, std::uint32_t step, std::uint32_t count) {
  ValidationOptions options;
  options.mode = Mode::test;
  options.now = parse_datetime("2026-03-02T12:00:00Z").value().instant;
  Tally tally;
  for (std::uint32_t seed = first_seed; seed <= count; seed += step) {
    Mangler mangler(seed);
    const auto octets = mangler.mangled(sources[seed % sources.size()], sources[seed * 7 % sources.size()]);
    const auto validation = validate(octets, options);
    (validation.agreement ? tally.judged : validation.schema_valid || validation.well_formed ? tally.invalid : tally.malformed) += 1;
    // What is not understood is always refused, and what is understood can be read again.
    EXPECT_TRUE(validation.agreement || validation.refused()) << "seed " << seed;
    EXPECT_EQ(validation.agreement.has_value(), validation.agreement && parse(octets)) << "seed " << seed;
  }
  return tally;
}

// Peak of this process so far.
std::size_t resident_bytes_max() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

// CPA-004, cpa.md 6.1 row 30: 100 000 mutations, no crash, no network traffic, memory bounded
TEST(Fuzz, MutatedAgreementsAreAnsweredWithoutHarm) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  constexpr std::uint32_t mutations = 100'000, threads = 2;
  constexpr std::size_t growth_bytes_max = 64 * limits::MiB;  // a leak of one document per hundred would show
  std::vector<std::string> sources = {example_cpa()};
  for (const auto name : sample_names) sources.push_back(sample_cpa(name));
  auto tally = judge_mutations(sources, 1, 1, 1'000);  // fills caches and allocators
  const auto sockets_before = sockets_made.load();
  const auto resident_before = resident_bytes_max();
  std::vector<std::future<Tally>> parts;
  for (std::uint32_t i = 0; i < threads; ++i)
    parts.push_back(std::async(std::launch::async, [&, i] { return judge_mutations(sources, 1'001 + i, threads, mutations); }));
  for (auto& part : parts) tally += part.get();
  EXPECT_EQ(tally.malformed + tally.invalid + tally.judged, mutations);
  EXPECT_GT(tally.malformed, mutations / 30);
  EXPECT_GT(tally.invalid, mutations / 30);
  EXPECT_GT(tally.judged, mutations / 60);
  EXPECT_EQ(sockets_made, sockets_before) << "an agreement made the process look for the network";
  EXPECT_LT(resident_bytes_max() - resident_before, growth_bytes_max);
}

// The proof above rests on this: a library that makes a socket is seen.
TEST(Fuzz, ASocketOfALibraryIsSeen) {
  const auto before = sockets_made.load();
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST;
  ASSERT_EQ(::getaddrinfo("127.0.0.1", "80", &hints, &found), 0);
  ::freeaddrinfo(found);
  EXPECT_EQ(sockets_made, before + 1) << "a look-up of a name";
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ::close(descriptor);
  EXPECT_EQ(sockets_made, before + 2);
}

TEST(Fuzz, MutatedSpecificationsAreAnsweredWithoutHarm) {
  ServiceSpecification made;
  made.identifying_name = "A.1";
  made.provider_oin = "00000099000000020000";
  made.process_name = made.process_version = made.process_uri = "x";
  made.roles = {{"A", false}, {"B", true}};
  made.services = {{"S", "urn:osb:services", {{"do", "A", "B"}, {"done", "B", "A"}}}};
  made.reliability = best_practice_terms();
  for (const auto& source : {to_xml(made), to_json(made)}) {
    ASSERT_TRUE(parse_specification(source));
    std::size_t refused = 0;
    for (std::uint32_t seed = 1; seed <= 2'000; ++seed) {
      const auto parsed = parse_specification(Mangler(seed).mangled(source, source));
      if (!parsed) {
        ++refused;
        EXPECT_EQ(parsed.error().code, "specification.invalid");
      } else {
        EXPECT_EQ(parse_specification(to_json(*parsed)).value(), *parsed);
      }
    }
    EXPECT_GT(refused, 1'000U);
  }
}

}  // namespace
}  // namespace schakel::cpa
