#include "simulation/world.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "ebms/mime.hpp"
#include "exchange/blob.hpp"
#include "exchange/delivery.hpp"
#include "exchange/store.hpp"
#include "sql/inline.hpp"
#include "support/agreement_builder.hpp"
#include "support/pki.hpp"
#include "support/test_keys.hpp"

namespace schakel::simulation {
namespace {

using namespace std::chrono_literals;

class VirtualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  void advance_to(Instant when) { now_ = std::max(now_, when); }

 private:
  Instant now_ = parse_datetime("2026-03-02T09:00:00Z").value().instant;
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<unsigned char> out) override {
    for (auto& octet : out) octet = static_cast<unsigned char>(engine_());
  }
  bool chance(double probability) { return std::uniform_real_distribution<double>(0, 1)(engine_) < probability; }
  double between(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine_); }
  Duration up_to(Duration most) {
    return Duration(most.count() <= 0 ? 0 : static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most.count()) + 1)));
  }

 private:
  std::mt19937_64 engine_;
};

constexpr const char* melder_oin = "00000099000000010000";
constexpr const char* ontvanger_oin = "00000099000000020000";

// Keys and certificates, made once per run of the program: RSA is slow, and no seed depends on them.
struct Means {
  test::Pki pki{"http://127.0.0.1:8089", security::PkiGeneration::g4, VirtualClock().now()};
  security::Issued melder = pki.tls(melder_oin, "Melder"), ontvanger = pki.tls(ontvanger_oin, "Ontvanger");
  std::shared_ptr<testing::TestKeys> keys = std::make_shared<testing::TestKeys>(pki.trust());

  Means() {
    keys->hold("melder", melder.key_pair);
    keys->hold("ontvanger", ontvanger.key_pair);
  }
};

const Means& means() {
  static const Means shared;
  return shared;
}

// One database and the nodes that share it: an organisation's installation.
struct Installation {
  std::string tenant, oin;
  bool dies_before_commit = false, dies_after_commit = false;  // at the next commit
  std::unique_ptr<sql::Database> database;
  std::vector<std::size_t> nodes;
};

struct Node {
  std::string name;
  Installation* home = nullptr;
  std::unique_ptr<SeededRandom> random;
  std::unique_ptr<ebms::Msh> msh;
  exchange::Claimer claimer;
  bool up = false;
  std::uint64_t incarnation = 0;
  std::optional<Instant> next_tick;
  Instant unreachable_until{};
};

struct WireRequest {
  std::string content_type;
  Bytes body;
};

// What the outside saw, kept by the world itself: the truth against which the nodes are judged.
struct Sent {
  std::string from_tenant, to_tenant, message_id, sha256;
  bool reliable = false, accepted = false;
  std::string own_id;
};

class World {
 public:
  World(std::uint64_t seed, bool trace) : random_(seed), seed_(seed), trace_(trace) {}

  Verdict run() {
    build();
    schedule_traffic();
    drain_events(bad_weather_ends_);
    say("good weather");
    weather_ = Weather{};
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i]->unreachable_until = {};
      if (!nodes_[i]->up) after(0ms, [this, i] { start(i); });
    }
    drain_events(clock_.now() + 60 * 24h);
    judge();
    return std::move(verdict_);
  }

 private:
  // --- the loop ------------------------------------------------------------------------------------------------------------------
  struct Event {
    Instant at;
    std::uint64_t order;
    std::function<void()> run;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const { return a.at != b.at ? a.at > b.at : a.order > b.order; }
  };

  void after(Duration delay, std::function<void()> run) { events_.push({clock_.now() + delay, next_order_++, std::move(run)}); }

  // The event runs only if the node still lives the same life.
  void after_on(std::size_t node, Duration delay, std::function<void()> run) {
    after(delay, [this, node, life = nodes_[node]->incarnation, run = std::move(run)] {
      if (nodes_[node]->up && nodes_[node]->incarnation == life) run();
    });
  }

  void drain_events(Instant until) {
    constexpr std::uint64_t steps_max = 400'000;  // a run that never rests is a fault of its own
    while (!events_.empty() && events_.top().at <= until) {
      auto event = events_.top();
      events_.pop();
      clock_.advance_to(event.at);
      event.run();
      if (++verdict_.steps > steps_max) {
        violation("the system does not come to rest");
        events_ = {};
      }
    }
    clock_.advance_to(std::min(until, events_.empty() ? clock_.now() : until));
  }

  void say(const std::string& what) const {
    if (trace_) std::fprintf(stderr, "%s %s\n", to_rfc3339(clock_.now()).c_str(), what.c_str());
  }
  void violation(const std::string& what) {
    say("VIOLATION " + what);
    verdict_.violations.push_back(what);
  }

  // --- building ------------------------------------------------------------------------------------------------------------------
  void build() {
    weather_ = {.drop = random_.between(0, 0.25),
                .cut = random_.between(0, 0.25),
                .duplicate = random_.between(0, 0.2),
                .delay_max = random_.up_to(40s),
                .crash_before_commit = random_.between(0, 0.02),
                .crash_after_commit = random_.between(0, 0.02),
                .down_max = random_.up_to(10min),
                .partition = random_.between(0, 0.05)};
    reliable_retries_ = static_cast<std::int64_t>(4 + random_.below(8));
    interval_ = std::chrono::seconds(60 + random_.below(240));
    const bool clustered = random_.chance(0.34);
    secured_ = random_.chance(0.2);  // of the seeds, so that the others stay fast
    homes_.push_back(make_home("melder", melder_oin));
    homes_.push_back(make_home("ontvanger", ontvanger_oin));
    contracts_ = make_contracts();
    add_node(0, "melder-a");
    add_node(1, "ontvanger-a");
    if (clustered) add_node(1, "ontvanger-b");
    for (std::size_t i = 0; i < nodes_.size(); ++i) start(i);
  }

  std::unique_ptr<Installation> make_home(const std::string& tenant, const std::string& oin) {
    auto home = std::make_unique<Installation>();
    home->tenant = tenant;
    home->oin = oin;
    home->database = sql::open_inline(":memory:", {.dies_before_commit = [at = home.get()] { return at->dies_before_commit; },
                                                   .dies_after_commit = [at = home.get()] { return at->dies_after_commit; }})
                         .value();
    sql::migrate(*home->database, exchange::migrations()).value();
    return home;
  }

  std::shared_ptr<const cpa::Contracts> make_contracts() const {
    const auto duration = interval_ * (reliable_retries_ + 2);
    const auto builder = [&](const std::string& id) {
      return testing::AgreementBuilder(id, {homes_[0]->oin, "Melder", "https://melder.example/ebms"},
                                       {homes_[1]->oin, "Ontvanger", "https://ontvanger.example/ebms"})
          .reliability(reliable_retries_, interval_, duration);
    };
    std::vector<cpa::LoadedContract> loaded;
    for (int own = 0; own < 2; ++own) {
      const auto& tenant = homes_[static_cast<std::size_t>(own)]->tenant;
      loaded.push_back(builder("sim-rm").profile(cpa::Profile::osb_rm).loaded(tenant, own));
      loaded.push_back(builder("sim-rm-sync").profile(cpa::Profile::osb_rm).synchronous().loaded(tenant, own));
      loaded.push_back(builder("sim-be").profile(cpa::Profile::osb_be).loaded(tenant, own));
      loaded.push_back(builder(ordered_cpa).profile(cpa::Profile::osb_rm).ordered().loaded(tenant, own));
      if (!secured_) continue;
      for (const auto profile : {cpa::Profile::osb_rm_s, cpa::Profile::osb_rm_e, cpa::Profile::osb_be_s, cpa::Profile::osb_be_e}) {
        auto secured = builder("sim" + std::string(cpa::to_string(profile)).substr(3));
        secured.profile(profile).certificates(means().melder.certificate->der, means().ontvanger.certificate->der);
        loaded.push_back(secured.loaded(tenant, own));
      }
      auto synchronous = builder("sim-rm-s-sync").profile(cpa::Profile::osb_rm_s).synchronous();
      loaded.push_back(synchronous.certificates(means().melder.certificate->der, means().ontvanger.certificate->der).loaded(tenant, own));
    }
    return std::make_shared<const cpa::Contracts>(std::move(loaded), std::vector<cpa::UrlMapping>{}, std::vector<cpa::CertificateMapping>{},
                                                  std::vector<cpa::Mandate>{});
  }

  void add_node(std::size_t home, const std::string& name) {
    auto node = std::make_unique<Node>();
    node->name = name;
    node->home = homes_[home].get();
    node->random = std::make_unique<SeededRandom>(seed_ * 1000 + nodes_.size() + 1);
    ebms::Msh::Dependencies dependencies{clock_, *node->random, silent_log(), metrics_, [this] { return contracts_; }};
    if (secured_) dependencies.keys = means().keys;
    node->msh = std::make_unique<ebms::Msh>(ebms::Settings{.node = name, .allow_message_order = true}, std::move(dependencies));
    homes_[home]->nodes.push_back(nodes_.size());
    nodes_.push_back(std::move(node));
  }

  // --- commits, crashes ---------------------------------------------------------------------------------------------------------------
  // Runs a unit as one durable step of the node. nullopt: the node crashed at it (before the commit: nothing happened; after it: it did).
  // A look for work makes none, so it wakes nobody.
  enum class Wakes { everybody, nobody };
  std::optional<Result<>> step(std::size_t index, const sql::Unit& unit, Wakes wakes = Wakes::everybody) {
    auto& home = *nodes_[index]->home;
    home.dies_before_commit = random_.chance(weather_.crash_before_commit);
    home.dies_after_commit = random_.chance(weather_.crash_after_commit);
    std::optional<Result<>> outcome;
    home.database->submit(unit, [&](Result<> result) { outcome = std::move(result); });
    home.dies_before_commit = home.dies_after_commit = false;
    if (!outcome) {
      crash(index);
    } else if (wakes == Wakes::everybody) {
      wake(index);
    }
    return outcome;
  }

  void crash(std::size_t index) {
    auto& node = *nodes_[index];
    ++verdict_.faults.crashes;
    node.up = false;
    ++node.incarnation;
    node.next_tick.reset();
    say(node.name + " crashes");
    after(20s + random_.up_to(weather_.down_max), [this, index] { start(index); });
  }

  void start(std::size_t index) {
    auto& node = *nodes_[index];
    if (node.up) return;
    const auto taken = node.home->database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(node.claimer, exchange::take_node_lease(tx, node.name, clock_.now()));
      return {};
    });
    if (!taken) {
      say(node.name + " cannot start: " + taken.error().code + " " + taken.error().detail);
      after(5s, [this, index] { start(index); });
      return;
    }
    node.up = true;
    say(node.name + " starts");
    wake(index);
  }

  // --- the work loop --------------------------------------------------------------------------------------------------------------------
  // Every node of the installation may have something to do after a commit of any of them.
  void wake(std::size_t index) {
    for (const auto other : nodes_[index]->home->nodes) wake_at(other, clock_.now());
  }

  void wake_at(std::size_t index, Instant when) {
    auto& node = *nodes_[index];
    if (!node.up || (node.next_tick && *node.next_tick <= when)) return;
    node.next_tick = when;
    after_on(index, when - clock_.now(), [this, index, when] {
      if (nodes_[index]->next_tick != when) return;
      nodes_[index]->next_tick.reset();
      tick(index);
    });
  }

  void tick(std::size_t index) {
    auto& node = *nodes_[index];
    std::vector<exchange::Work> claimed;
    std::vector<exchange::Lease> offered;
    std::optional<Instant> due;
    const auto outcome = step(
        index,
        [&](sql::Transaction& tx) -> Result<> {
          SCHAKEL_CHECK(exchange::renew_node_lease(tx, node.claimer, clock_.now()));
          SCHAKEL_TRY(claimed, exchange::claim_work(tx, node.claimer, clock_.now(), 8, 4));
          SCHAKEL_TRY(due, exchange::next_due(tx));
          SCHAKEL_TRY(offered, lease_from_queue(tx, node));
          SCHAKEL_TRY(const auto waiting, queue_due(tx, node));
          if (waiting && (!due || *waiting < *due)) due = waiting;
          return {};
        },
        Wakes::nobody);
    if (!outcome) return;
    if (!*outcome) return lost_lease(index, outcome->error());
    for (const auto& work : claimed) {
      after_on(index, random_.up_to(50ms), [this, index, work] { process(index, work); });
    }
    for (const auto& lease : offered) {
      after_on(index, random_.up_to(50ms), [this, index, lease] { consume(index, lease); });
    }
    if (!claimed.empty()) {
      wake_at(index, clock_.now() + 1ms);
    } else if (due) {
      wake_at(index, std::max(*due, clock_.now() + 1ms));
    }
  }

  // A node that was thought dead lost its lease: it starts anew, as the program does.
  void lost_lease(std::size_t index, const Error& error) {
    auto& node = *nodes_[index];
    say(node.name + ": " + error.code + " " + error.detail);
    node.up = false;
    ++node.incarnation;
    after(1s, [this, index] { start(index); });
  }

  void process(std::size_t index, const exchange::Work& work) {
    auto& node = *nodes_[index];
    if (work.kind == "ebms.send" || work.kind == "ebms.signal") return post(index, work);
    const auto outcome = step(index, [&](sql::Transaction& tx) -> Result<> {
      if (work.kind == "message.expire") return node.msh->expire(tx, node.claimer, work);
      if (work.kind == "ebms.orderGap") return node.msh->report_order_gap(tx, node.claimer, work);
      return exchange::finish_work(tx, node.claimer, work.id);
    });
    if (outcome && !*outcome && outcome->error().code != "work.lost")
      violation("work " + work.kind + " failed: " + outcome->error().code + " " + outcome->error().detail);
  }

  // The application pulls; what it took and did not answer for comes back after a minute.
  template <class Node>
  Result<std::vector<exchange::Lease>> lease_from_queue(sql::Transaction& tx, const Node& node) {
    return exchange::lease(tx, node.home->tenant, exchange::default_queue, clock_.now(), clock_.now() + 1min, 4,
                           [this] { return "receipt-" + std::to_string(++receipts_); });
  }

  template <class Node>
  Result<std::optional<Instant>> queue_due(sql::Transaction& tx, const Node& node) {
    SCHAKEL_TRY(const sql::Rows rows, tx.query("SELECT min(available_at) FROM queue_entries WHERE tenant = $1", {node.home->tenant}));
    return rows[0].optional_instant(0);
  }

  // It says that it has processed the message, unless its lease was given to another meanwhile.
  void consume(std::size_t index, const exchange::Lease& lease) {
    auto& node = *nodes_[index];
    const auto outcome = step(index, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto held, exchange::find_lease(tx, node.home->tenant, exchange::default_queue, lease.receipt));
      if (!held) return {};
      SCHAKEL_CHECK(node.msh->act(tx, node.home->tenant, lease.message, "markProcessed", "simulated application", "application", false));
      return {};
    });
    if (outcome && !*outcome) violation("a message could not be confirmed: " + outcome->error().code + " " + outcome->error().detail);
  }

  void post(std::size_t index, const exchange::Work& work) {
    auto& node = *nodes_[index];
    std::optional<ebms::Attempt> attempt;
    WireRequest request;
    const auto outcome = step(index, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(attempt, node.msh->prepare(tx, node.claimer, work));
      if (!attempt) return {};
      request = {};
      for (const auto& [name, value] : attempt->headers) {
        if (name == "Content-Type") request.content_type = value;
      }
      for (const auto& piece : attempt->body) {
        request.body += piece.octets;
        for (std::int64_t chunk = 0; !piece.blob.empty(); ++chunk) {
          SCHAKEL_TRY(const Bytes octets, exchange::read_chunk(tx, piece.blob, chunk));
          if (octets.empty()) break;
          request.body += octets;
        }
      }
      return {};
    });
    if (!outcome || !*outcome || !attempt) {
      if (outcome && !*outcome && outcome->error().code != "work.lost")
        violation("prepare failed: " + outcome->error().code + " " + outcome->error().detail);
      return;
    }
    check_identical(*attempt, request);
    cross(index, *attempt, request);
  }

  // EB-102: every attempt carries the same octets.
  void check_identical(const ebms::Attempt& attempt, const WireRequest& request) {
    const auto [known, fresh] = first_wire_.try_emplace(attempt.work.kind + attempt.message, sha256_hex(request.body));
    if (!fresh && known->second != sha256_hex(request.body)) violation("a retry of " + attempt.message + " differs from the first attempt");
  }

  // --- the network
  // ---------------------------------------------------------------------------------------------------------------------------
  Duration crossing() {
    const auto delay = random_.up_to(weather_.delay_max);
    if (delay > 1s) ++verdict_.faults.delayed;
    return 1ms + delay;
  }

  void cross(std::size_t from, const ebms::Attempt& attempt, const WireRequest& request) {
    auto& home = attempt.url.find("melder") != std::string::npos ? *homes_[0] : *homes_[1];
    const auto to = home.nodes[random_.below(home.nodes.size())];
    if (random_.chance(weather_.partition)) {
      ++verdict_.faults.partitions;
      nodes_[to]->unreachable_until = clock_.now() + 1min + random_.up_to(20min);
    }
    if (random_.chance(weather_.drop) || nodes_[to]->unreachable_until > clock_.now()) {
      ++verdict_.faults.dropped;
      return conclude_later(from, attempt, failure("transport.connect", false), 30s);
    }
    if (random_.chance(weather_.duplicate)) {
      ++verdict_.faults.duplicated;
      after(crossing() + random_.up_to(5min), [this, from, to, request] { arrive(from, to, request); });
    }
    after(crossing(), [this, from, to, attempt, request] {
      const auto answer = arrive(from, to, request);
      if (!answer) return conclude_later(from, attempt, failure("transport.closed", true), 1s);
      if (random_.chance(weather_.cut)) {
        ++verdict_.faults.cut;
        return conclude_later(from, attempt, failure("transport.timeout", true), 30s);
      }
      ebms::Outcome outcome;
      outcome.status = answer->status;
      outcome.content_type = answer->content_type;
      outcome.body = answer->body;
      outcome.body_was_sent = true;
      conclude_later(from, attempt, std::move(outcome), crossing());
    });
  }

  static ebms::Outcome failure(const char* code, bool sent) {
    ebms::Outcome outcome;
    outcome.error_code = code;
    outcome.error_detail = "simulated";
    outcome.body_was_sent = sent;
    return outcome;
  }

  void conclude_later(std::size_t from, const ebms::Attempt& attempt, ebms::Outcome outcome, Duration delay) {
    after_on(from, delay, [this, from, attempt, outcome = std::move(outcome)]() mutable {
      outcome.peer = std::make_shared<const security::PeerIdentity>(identity_of(attempt.url.find("melder") != std::string::npos ? 0 : 1));
      note_signals(outcome.body);
      const auto done =
          step(from, [&](sql::Transaction& tx) { return nodes_[from]->msh->conclude(tx, nodes_[from]->claimer, attempt, outcome); });
      if (done && !*done && done->error().code != "work.lost")
        violation("conclude failed: " + done->error().code + " " + done->error().detail);
    });
  }

  security::PeerIdentity identity_of(std::size_t home) const {
    security::PeerIdentity peer;
    peer.oin = homes_[home]->oin;
    return peer;
  }

  // The request reaches the node. nullopt: it was down, or crashed at it.
  std::optional<ebms::Answer> arrive(std::size_t from, std::size_t to, const WireRequest& request) {
    auto& node = *nodes_[to];
    if (!node.up) return std::nullopt;
    note_signals(request.body);
    auto read = read_request(to, request);
    if (!read) {
      violation("our own request cannot be read: " + read.error().code);
      return std::nullopt;
    }
    const auto peer = identity_of(nodes_[from]->home == homes_[0].get() ? 0 : 1);
    auto examination = node.msh->begin(std::move(*read), &peer, "");
    while (!examination.wanted_blob().empty()) read_part(to, examination);
    const auto examined = examination.finish();
    if (const auto* immediate = ebms::Msh::immediate(*examined)) {
      violation("a request of ours was refused at once: " + std::to_string(immediate->status) + " " + immediate->body);
      return *immediate;
    }
    ebms::Answer answer;
    const auto outcome = step(to, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(answer, node.msh->receive(tx, *examined));
      return {};
    });
    if (!outcome) return std::nullopt;
    if (!*outcome) return ebms::Answer{503, "", "", true};
    return answer;
  }

  // Octets that are too many for memory go to the store before the message is there, as in the program.
  class BlobSink final : public ebms::PartSink {
   public:
    BlobSink(sql::Database& database, Random& random, Instant now) : database_(database), random_(random), now_(now) {}
    std::string open() override { return uuid_v7(random_, now_); }
    void append(const std::string& blob, std::int64_t chunk, Bytes octets) override {
      database_.commit([&](sql::Transaction& tx) { return exchange::write_chunk(tx, blob, chunk, octets, now_); }).value();
    }
    void close(const std::string&) override {}

   private:
    sql::Database& database_;
    Random& random_;
    Instant now_;
  };

  Result<ebms::ReceivedRequest> read_request(std::size_t to, const WireRequest& request) {
    BlobSink sink(*nodes_[to]->home->database, *nodes_[to]->random, clock_.now());
    SCHAKEL_TRY(auto reader, ebms::MimeReader::open(request.content_type, sink));
    SCHAKEL_CHECK(reader.feed(request.body));
    return reader.finish();
  }

  // A large part of a secured message, as the endpoint reads it.
  void read_part(std::size_t to, ebms::Examination& examination) {
    auto& database = *nodes_[to]->home->database;
    BlobSink sink(database, *nodes_[to]->random, clock_.now());
    const std::string blob = examination.wanted_blob();
    for (std::int64_t chunk = 0;; ++chunk) {
      Bytes octets;
      database
          .read([&](sql::Transaction& tx) -> Result<> {
            SCHAKEL_TRY(octets, exchange::read_chunk(tx, blob, chunk));
            return {};
          })
          .value();
      if (octets.empty()) break;
      examination.read(octets, sink);
    }
    examination.end_of_blob(sink);
  }

  // EB-108: every acknowledgement of one message that ever crosses the wire is the same octets.
  void note_signals(const Bytes& body) {
    if (body.find("Acknowledgment>") == Bytes::npos) return;
    const auto begin = body.find("RefToMessageId>");
    if (begin == Bytes::npos) return;
    const auto start = begin + 15, end = body.find('<', start);
    const auto [known, fresh] = first_ack_.try_emplace(body.substr(start, end - start), body);
    if (!fresh && known->second != body) violation("two different acknowledgements for " + known->first);
  }

  // --- traffic
  // ----------------------------------------------------------------------------------------------------------------------------------
  void schedule_traffic() {
    const auto count = 4 + random_.below(16);
    const auto span = 2h;
    bad_weather_ends_ = clock_.now() + span + 30min;
    for (std::uint64_t i = 0; i < count; ++i) {
      Sent sent;
      const bool forth = random_.chance(0.5);
      sent.from_tenant = homes_[forth ? 0 : 1]->tenant;
      sent.to_tenant = homes_[forth ? 1 : 0]->tenant;
      sent.message_id = "m" + std::to_string(i) + "-" + std::to_string(seed_) + "@" + sent.from_tenant + ".example";
      const bool protect = secured_ && random_.chance(0.6);
      static constexpr std::array<const char*, 4> plain{"sim-rm", "sim-rm-sync", "sim-be", ordered_cpa};
      static constexpr std::array<const char*, 5> protected_{"sim-rm-s", "sim-rm-e", "sim-rm-s-sync", "sim-be-s", "sim-be-e"};
      const std::string cpa = protect ? protected_[random_.below(protected_.size())] : plain[random_.below(plain.size())];
      sent.reliable = !cpa.starts_with("sim-be");
      Bytes payload = random_bytes(random_.chance(0.1) ? 300'000 : random_.below(6000));
      sent.sha256 = sha256_hex(payload);
      sent_.push_back(sent);
      after(random_.up_to(span), [this, i, cpa, payload = std::move(payload)] { submit(i, cpa, payload, 0); });
    }
    verdict_.messages = count;
  }

  Bytes random_bytes(std::uint64_t size) {
    Bytes out(size, '\0');
    random_.fill({reinterpret_cast<unsigned char*>(out.data()), out.size()});
    return out;
  }

  // The application submits until it knows that the message is accepted, as applications do.
  void submit(std::uint64_t which, const std::string& cpa, const Bytes& payload, int tries) {
    auto& sent = sent_[which];
    const auto again = [&] { after(10s, [this, which, cpa, payload, tries] { submit(which, cpa, payload, tries + 1); }); };
    const std::size_t index =
        homes_[0]->tenant == sent.from_tenant ? homes_[0]->nodes[0] : homes_[1]->nodes[random_.below(homes_[1]->nodes.size())];
    auto& node = *nodes_[index];
    if (!node.up) return again();
    ebms::SubmitRequest request;
    request.tenant = node.home->tenant;
    request.cpa_id = cpa;
    request.from_oin = node.home->oin;
    request.to_oin = node.home == homes_[0].get() ? homes_[1]->oin : homes_[0]->oin;
    request.service = "sim:Melding:1:0";
    request.action = node.home == homes_[0].get() ? "question" : "answer";
    request.message_id = sent.message_id;
    if (cpa == ordered_cpa) request.conversation_id = "ordered-" + sent.from_tenant;
    ebms::SubmitPayload part;
    part.content_type = "application/octet-stream";
    part.size = static_cast<std::int64_t>(payload.size());
    part.sha256 = sent.sha256;
    std::optional<exchange::Message> made;
    const bool large = payload.size() > limits::payload_in_memory_max;
    if (large) {
      part.blob = sent.message_id;
    } else {
      part.octets = payload;
    }
    request.payloads = {part};
    const auto composed = node.msh->compose(request);
    const auto outcome = step(index, [&](sql::Transaction& tx) -> Result<> {
      if (large) {
        SCHAKEL_CHECK(exchange::delete_blob(tx, part.blob));
        for (std::size_t offset = 0, chunk = 0; offset < payload.size(); offset += limits::blob_chunk_bytes, ++chunk) {
          SCHAKEL_CHECK(exchange::write_chunk(tx, part.blob, static_cast<std::int64_t>(chunk),
                                              BytesView(payload).substr(offset, limits::blob_chunk_bytes), clock_.now()));
        }
      }
      SCHAKEL_TRY(made, node.msh->submit(tx, request, composed.get()));
      return {};
    });
    if (!outcome) return again();
    if (!*outcome && outcome->error().code != "message.duplicateId") {
      violation("submit failed: " + outcome->error().code + " " + outcome->error().detail);
      return;
    }
    if (*outcome) sent.own_id = made->id;
    sent.accepted = true;
    say("accepted " + sent.message_id);
  }

  // --- invariants
  // -----------------------------------------------------------------------------------------------------------------------------------
  void judge() {
    for (auto& home : homes_) {
      const auto read = home->database->read([&](sql::Transaction& tx) -> Result<> {
        judge_rest(tx, *home);
        return {};
      });
      if (!read) violation("the store cannot be read: " + read.error().detail);
    }
    for (const auto& sent : sent_) judge_message(sent);
  }

  Installation& home_of(const std::string& tenant) { return homes_[0]->tenant == tenant ? *homes_[0] : *homes_[1]; }

  void judge_rest(sql::Transaction& tx, const Installation& home) {
    const auto due = exchange::next_due(tx);
    if (due && *due) violation(home.tenant + " still has work at " + to_rfc3339(**due));
    judge_order(tx, home);
    const auto chain = exchange::verify_trail(tx, home.tenant);
    if (!chain || chain->first_break) violation(home.tenant + ": the trail is broken");
  }

  // EB-191: the application hears of a conversation's messages in the order of their numbers, without a gap.
  void judge_order(sql::Transaction& tx, const Installation& home) {
    const auto rows = tx.query(
        "SELECT o.number FROM events e JOIN ordered_messages o ON o.message = e.message WHERE e.type = 'message.received' ORDER BY "
        "e.position");
    if (!rows) return violation(home.tenant + ": the order of events cannot be read: " + rows.error().detail);
    std::int64_t expected = 0;
    for (const auto& row : *rows)
      if (row.integer(0) != expected++) return violation(home.tenant + ": an ordered conversation was handed over out of order");
    verdict_.ordered += expected;
  }

  // The message whose turn it is never came: its sender gave it up.
  static bool waits_for_its_turn(sql::Transaction& tx, const exchange::Message& message) {
    const auto rows = tx.query(
        "SELECT 1 FROM ordered_messages o JOIN ordered_conversations c ON c.tenant = o.tenant AND c.conversation_id = o.conversation_id "
        "AND "
        "c.cpa_id = o.cpa_id AND c.party = o.party AND c.direction = o.direction WHERE o.message = $1 AND o.waiting_since IS NOT NULL AND "
        "NOT EXISTS (SELECT 1 FROM ordered_messages n WHERE n.tenant = o.tenant AND n.conversation_id = o.conversation_id AND n.cpa_id = "
        "o.cpa_id AND n.party = o.party AND n.direction = o.direction AND n.number = c.next)",
        {message.id});
    return rows && !rows->empty();
  }

  void judge_message(const Sent& sent) {
    if (!sent.accepted) return violation(sent.message_id + " was never accepted");
    std::optional<exchange::Message> out;
    std::vector<exchange::Message> in;
    std::vector<exchange::Payload> payloads;
    bool waits = false;
    (void)home_of(sent.from_tenant).database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(out, exchange::find_outbound(tx, sent.message_id));
      return {};
    });
    (void)home_of(sent.to_tenant).database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(in, exchange::find_inbound(tx, sent.to_tenant, sent.message_id));
      if (!in.empty()) {
        SCHAKEL_TRY(payloads, exchange::payloads_of(tx, in.front().id));
        waits = waits_for_its_turn(tx, in.front());
      }
      return {};
    });
    if (!out) return violation(sent.message_id + " was accepted and is gone");
    if (!exchange::is_final(out->state))
      violation(sent.message_id + " never reached a final state: " + std::string(exchange::to_string(out->state)));
    verdict_.delivered += out->state == exchange::State::delivered;
    verdict_.expired += out->state == exchange::State::expired;
    verdict_.failed += out->state == exchange::State::failed;
    if (sent.reliable && in.size() > 1) violation(sent.message_id + " was taken in " + std::to_string(in.size()) + " times");
    if (sent.reliable && out->state == exchange::State::delivered && in.empty())
      violation(sent.message_id + " was acknowledged and never taken in");
    // An attempt that is on its way when the TimeToLive passes: the receiver may say so before the sender gives up by itself (3.5 row 9).
    const bool came_too_late = out->last_error && out->last_error->code == "TimeToLiveExpired" && out->expires_at && out->final_at &&
                               *out->final_at >= *out->expires_at;
    if (sent.reliable && out->state == exchange::State::failed && !came_too_late)
      violation(sent.message_id + " failed: " + (out->last_error ? out->last_error->code : ""));
    for (const auto& message : in) {
      // A copy that comes after the TimeToLive is refused; the sender has then given up too, or heard it.
      const bool gave_up = out->state == exchange::State::expired || came_too_late;
      if (message.state == exchange::State::refused && sent.reliable && gave_up) continue;
      if (message.state != exchange::State::processed && !waits)
        violation(sent.message_id + " was taken in and is " + std::string(exchange::to_string(message.state)));
    }
    if (!payloads.empty() && (payloads.size() != 1 || payloads[0].sha256 != sent.sha256))
      violation(sent.message_id + " arrived with other octets");
  }

  static constexpr const char* ordered_cpa = "sim-rm-ordered";  // one conversation each way

  SeededRandom random_;
  std::uint64_t seed_;
  bool trace_;
  bool secured_ = false;  // this seed has signed and encrypted traffic too
  VirtualClock clock_;
  Metrics metrics_;
  Weather weather_;
  Verdict verdict_;
  std::int64_t reliable_retries_ = 0;
  Duration interval_{0};
  Instant bad_weather_ends_{};
  std::vector<std::unique_ptr<Installation>> homes_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::shared_ptr<const cpa::Contracts> contracts_;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::uint64_t next_order_ = 0;
  std::vector<Sent> sent_;
  std::int64_t receipts_ = 0;
  std::map<std::string, std::string> first_wire_, first_ack_;
};

}  // namespace

Verdict run(std::uint64_t seed, bool trace) {
  return World(seed, trace).run();
}

}  // namespace schakel::simulation
