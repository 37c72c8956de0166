// One organisation with a node of its own: folder, certificates, configuration, process, API. And the test PKI that all share, its CRLs
// served on loopback.
#pragma once

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "base/log.hpp"
#include "http/run.hpp"
#include "http/server.hpp"
#include "integration/cpa_document.hpp"
#include "integration/process.hpp"
#include "integration/rest.hpp"
#include "server/setup.hpp"
#include "support/pki.hpp"

namespace schakel::integration {

using namespace std::chrono_literals;

inline unsigned short free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  socklen_t length = sizeof address;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(descriptor);
  return ntohs(address.sin_port);
}

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A folder that is removed with the object, or kept for a person to look at when SCHAKEL_KEEP is set.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "schakel-integration-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    if (!std::getenv("SCHAKEL_KEEP")) std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// The test PKI with what `schakel pki serve` would answer, from this process: so a test can revoke and reissue at will.
class ServedPki {
 public:
  ServedPki() : port_(free_port()), pki_("http://127.0.0.1:" + std::to_string(port_), security::PkiGeneration::g4), io_(1U) {
    http::ListenerOptions options;
    options.name = "pki";
    options.port = port_;
    server_ = std::make_unique<http::Server>(
        io_.executor(), options,
        [this](http::Request& request) -> http::Awaitable<http::Response> {
          const std::lock_guard lock(mutex_);
          http::Response response;
          ++served_;
          if (auto found = silent_ ? std::nullopt : pki_.authority().serve(request.path)) {
            response.headers.add("Content-Type", std::string(found->media_type));
            response.body = std::move(found->body);
          } else {
            response.status = 404;
          }
          co_return response;
        },
        http::Environment{clock_, random_, silent_log(), metrics_});
    server_->start().value();
  }
  ~ServedPki() {
    server_->close();
    io_.stop();
  }

  template <class Function>
  auto with(Function function) {
    const std::lock_guard lock(mutex_);
    return function(pki_);
  }
  int served() const { return served_; }
  // Answers 404 to everything: no CRL can be fetched.
  void be_silent(bool silent) { silent_ = silent; }

 private:
  unsigned short port_;
  test::Pki pki_;
  std::mutex mutex_;
  std::atomic<int> served_{0};
  std::atomic<bool> silent_{false};
  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  http::IoThreads io_;
  std::unique_ptr<http::Server> server_;
};

struct SiteOptions {
  std::string slug, name, oin;
  std::string database_url;  // empty: SQLite in the folder
  std::string crl_refresh = "1h";
  std::string external = "", inner = "";  // more keys of the external listener; of internal and admin: ", tls = \"oneSided\""
  std::string more = "";                  // more tables of the configuration
  std::string pki = "";                   // more keys of [pki]
  std::vector<std::string> purposes = {"tls-server", "tls-client"};  // of its certificates
};

class Site {
 public:
  Site(ServedPki& pki, SiteOptions options) : pki_(pki), options_(std::move(options)) {
    external_ = free_port();
    admin_ = free_port();
    internal_ = free_port();
    ops_ = free_port();
    second_external_ = free_port();
    second_ops_ = free_port();
    std::filesystem::create_directories(folder_ / "keys");
    std::filesystem::permissions(folder_ / "keys", std::filesystem::perms::owner_all);
    identity_ = issue();
    install(*identity_);
    pki_.with([&](test::Pki& shared) {
      write("anchors.pem", shared.authority().anchors_pem());
      write("intermediates.pem", shared.authority().intermediates_pem());
    });
    write("schakel.toml", configuration("a"));
    write("second.toml", configuration("b"));
    set_up();
  }

  // --- the node ------------------------------------------------------------------------------------------------------------------------
  void start(const std::string& configuration = "schakel.toml") {
    process_ = std::make_unique<Process>(std::vector<std::string>{SCHAKEL_PROGRAM, "serve", "--config", (folder_ / configuration).string()},
                                         log_path());
  }
  bool is_ready(std::chrono::milliseconds at_most = 25s) {
    Rest ops(url(ops_));
    return becomes([&] { return !process_->running() || ops.get("/health/ready").status == 200; }, at_most) && process_->running();
  }
  void start_and_wait() {
    start();
    ASSERT_TRUE(is_ready()) << log();
  }
  Process& process() { return *process_; }
  // Another node of the organisation; on one database only with PostgreSQL.
  void start_second_and_wait() {
    second_ = std::make_unique<Process>(std::vector<std::string>{SCHAKEL_PROGRAM, "serve", "--config", path("second.toml").string()},
                                        path("second.log").string());
    Rest ops(url(second_ops_));
    ASSERT_TRUE(becomes([&] { return ops.get("/health/ready").status == 200; }, 25s)) << text_of(path("second.log"));
  }
  unsigned short second_external_port() const { return second_external_; }
  Process& second_process() { return *second_; }
  std::string log() const { return text_of(log_path()); }
  std::string log_path() const { return (folder_ / "node.log").string(); }

  // --- its doors -----------------------------------------------------------------------------------------------------------------------
  Rest admin() const { return Rest(url(admin_), api_key_); }
  Rest application() const { return Rest(url(internal_), api_key_); }
  Rest ops() const { return Rest(url(ops_)); }
  std::string ebms_url() const { return "https://localhost:" + std::to_string(external_) + "/ebms"; }
  unsigned short external_port() const { return external_; }
  unsigned short admin_port() const { return admin_; }
  unsigned short internal_port() const { return internal_; }
  const std::string& api_key() const { return api_key_; }

  // --- what it is ------------------------------------------------------------------------------------------------------------------------
  const SiteOptions& options() const { return options_; }
  const security::Issued& identity() const { return *identity_; }
  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name, std::ios::binary) << text; }
  CpaParty party(std::string role) const { return {options_.name, options_.oin, std::move(role), ebms_url(), identity_->certificate}; }
  security::Issued issue() {
    return pki_.with([&](test::Pki& shared) { return shared.tls(options_.oin, options_.name, {"localhost"}); });
  }
  // Puts certificate and key where the tenant's are.
  void install(const security::Issued& issued, const std::string& name = "tls") {
    std::string chain = issued.certificate.pem();
    for (const auto& certificate : issued.chain) chain += certificate.pem();
    write("keys/" + name + ".pem", chain);
    security::write_private_file((folder_ / ("keys/" + name + ".key")).string(), *security::private_key_pem(issued.key_pair->key()))
        .value();
  }
  // Gives the tenant these certificates, in this order; also beside a running node.
  void use_certificates(const std::vector<std::string>& names) {
    std::vector<server::OwnCertificate> certificates;
    for (const auto& name : names) certificates.push_back(in_files(name));
    use_certificates(std::move(certificates));
  }
  void use_certificates(std::vector<server::OwnCertificate> certificates) {
    certificates_ = std::move(certificates);
    set_up();
  }

  // --- contracts
  // --------------------------------------------------------------------------------------------------------------------------- Imports and
  // activates; the id of the contract.
  std::string load(const std::string& cpa) {
    auto api = admin();
    const auto imported = api.call("POST", "/api/v1/contracts", cpa, "application/xml");
    EXPECT_THAT(imported.status, ::testing::AnyOf(200U, 201U)) << imported.body;
    const auto id = imported.json().value("id", "");
    const auto got = api.get("/api/v1/contracts/" + id);
    const auto activated = api.call("POST", "/api/v1/contracts/" + id + "/_activate", "", "", {{"If-Match", got.header("ETag")}});
    EXPECT_EQ(activated.status, 200U) << activated.body;
    return id;
  }

 private:
  static std::string url(unsigned short port) { return "http://127.0.0.1:" + std::to_string(port); }

  std::string configuration(const std::string& node) const {
    const auto bind = [](unsigned short port) { return "\"127.0.0.1:" + std::to_string(port) + "\""; };
    const bool first = node == "a";
    const auto port = [&](unsigned short own) { return first ? own : free_port(); };
    const auto external = first ? external_ : second_external_, ops = first ? ops_ : second_ops_;
    return "[node]\nname = \"" + node + "\"\nenvironment = \"test\"\ndrain-wait = \"100ms\"\n[database]\nurl = \"" +
           (options_.database_url.empty() ? "sqlite:schakel.db" : options_.database_url) +
           "\"\npool-size = 6\n[listeners]\nexternal = { bind = " + bind(external) + options_.external +
           " }\ninternal = { bind = " + bind(port(internal_)) + options_.inner + " }\nadmin = { bind = " + bind(port(admin_)) +
           options_.inner + " }\nops = { bind = " + bind(ops) +
           " }\n[pki]\ntest-anchors = \"anchors.pem\"\nintermediates = \"intermediates.pem\"\nkeys = \"keys\"\n" + options_.pki +
           "[crl]\nrefresh = \"" + options_.crl_refresh + "\"\n[webhook]\nallowed-networks = [\"127.0.0.0/8\"]\nallow-http = true\n" +
           options_.more;
  }

  server::OwnCertificate in_files(const std::string& name) const {
    return {.certificates = name + ".pem", .key = name + ".key", .passphrase = {}, .purposes = options_.purposes};
  }

  void set_up() {
    auto checked = config::check_file((folder_ / "schakel.toml").string(), {});
    ASSERT_TRUE(checked.faults.empty()) << checked.faults.front().location << " " << checked.faults.front().detail;
    Metrics metrics;
    SystemRandom random;
    auto database = server::open_for_setup(checked.settings, silent_log(), metrics).value();
    server::Tenant tenant;
    tenant.slug = options_.slug;
    tenant.name = options_.name;
    tenant.oins = {options_.oin};
    tenant.hosts = {"localhost"};
    tenant.certificates = certificates_;
    server::set_up_tenant(*database, tenant, api_key_.empty() ? (folder_ / "api.key").string() : "", random, SystemClock().now()).value();
    std::ifstream key(folder_ / "api.key");
    std::getline(key, api_key_);
    database->stop();
  }

  ServedPki& pki_;
  SiteOptions options_;
  Folder folder_;
  unsigned short external_ = 0, admin_ = 0, internal_ = 0, ops_ = 0, second_external_ = 0, second_ops_ = 0;
  std::optional<security::Issued> identity_;
  std::vector<server::OwnCertificate> certificates_{in_files("tls")};
  std::string api_key_;
  std::unique_ptr<Process> process_, second_;
};

}  // namespace schakel::integration
