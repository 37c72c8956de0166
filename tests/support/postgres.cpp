#include "support/postgres.hpp"

#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

namespace schakel::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* programs = "/usr/lib/postgresql/15/bin/";

struct Account {
  uid_t user;
  gid_t group;
};

// The user that the server runs as: ourselves, or `postgres` when we are root (PostgreSQL refuses to run as root).
Result<Account> server_account() {
  if (::geteuid() != 0) return Account{::geteuid(), ::getegid()};
  const passwd* entry = ::getpwnam("postgres");
  if (!entry) return fail("test.postgres", "running as root, and there is no user postgres");
  return Account{entry->pw_uid, entry->pw_gid};
}

[[noreturn]] void become(const Account& account, const std::vector<std::string>& command, const std::string& log) {
  const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (file >= 0) {
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
  }
  if (::chdir("/") != 0) ::_exit(125);
  const bool is_self = account.user == ::geteuid();
  if (!is_self && (::setgid(account.group) != 0 || ::setuid(account.user) != 0)) ::_exit(126);
  std::vector<char*> arguments;
  for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

Result<> run(const Account& account, const std::vector<std::string>& command, const std::string& log) {
  const pid_t child = ::fork();
  if (child < 0) return fail("test.postgres", "fork failed");
  if (child == 0) become(account, command, log);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fail("test.postgres", command[0] + " failed; see " + log);
  return {};
}

// Lives until the pipe closes, which it does however the program ends; then stops the server and removes the folder.
[[noreturn]] void watch(int pipe_end, pid_t server, const std::string& folder) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_IGN);
  ::setpgid(0, 0);
  char octet = 0;
  while (::read(pipe_end, &octet, 1) < 0 && errno == EINTR) {
  }
  ::kill(server, SIGQUIT);
  ::waitpid(server, nullptr, 0);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  ::_exit(0);
}

struct ConnectionCloser {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

}  // namespace

bool Postgres::switched_off() {
  const char* value = std::getenv("SCHAKEL_NO_POSTGRES");
  return value && std::string_view(value) == "1";
}

Result<Postgres*> Postgres::shared() {
  static Result<std::unique_ptr<Postgres>> server = []() -> Result<std::unique_ptr<Postgres>> {
    std::string folder = (fs::temp_directory_path() / "schakel-pg-XXXXXX").string();
    if (!::mkdtemp(folder.data())) return fail("test.postgres", "cannot make a temporary folder");
    auto made = std::make_unique<Postgres>(folder);
    SCHAKEL_CHECK(made->start());
    return made;
  }();
  if (!server) return server.error();
  return server->get();
}

Result<> Postgres::start() {
  if (!fs::exists(std::string(programs) + "postgres"))
    return fail("test.postgres", std::string("PostgreSQL 15 is not installed in ") + programs);
  SCHAKEL_TRY(const Account account, server_account());
  if (::chown(folder_.c_str(), account.user, account.group) != 0)
    return fail("test.postgres", "cannot give the folder to the server's user");
  const std::string data = folder_ + "/data", log = "/dev/null";
  SCHAKEL_CHECK(run(
      account,
      {std::string(programs) + "initdb", "-D", data, "-U", "schakel", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}, log));

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail("test.postgres", "no pipe");
  const pid_t watcher = ::fork();
  if (watcher < 0) return fail("test.postgres", "fork failed");
  if (watcher == 0) {
    ::close(ends[1]);
    const pid_t server = ::fork();
    if (server == 0)
      become(account,
             {std::string(programs) + "postgres", "-D", data, "-k", folder_, "-c", "listen_addresses=", "-c", "fsync=on", "-c",
              "synchronous_commit=on", "-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "logging_collector=off"},
             folder_ + "/log");
    watch(ends[0], server, folder_);
  }
  ::close(ends[0]);
  watcher_pipe_ = ends[1];
  for (int tries = 0; tries < 300; ++tries) {
    if (PQping(url_of("postgres").c_str()) == PQPING_OK) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return fail("test.postgres", "the server did not start");
}

// The watcher stops the server and removes the folder by itself; nobody waits for that.
Postgres::~Postgres() {
  if (watcher_pipe_ >= 0) ::close(watcher_pipe_);
}

std::string Postgres::url_of(const std::string& database) const {
  std::string host;
  for (const char c : folder_) host += c == '/' ? std::string("%2F") : std::string(1, c);
  return "postgresql://schakel@" + host + "/" + database;
}

Result<> Postgres::administer(const std::string& sql) const {
  const std::unique_ptr<PGconn, ConnectionCloser> connection(PQconnectdb(url_of("postgres").c_str()));
  PGresult* result = PQexec(connection.get(), sql.c_str());
  const auto status = PQresultStatus(result);
  PQclear(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return fail("test.postgres", PQerrorMessage(connection.get()));
  return {};
}

Result<std::string> Postgres::new_database() {
  const std::string name = "test_" + std::to_string(::getpid()) + "_" + std::to_string(++databases_made_);
  SCHAKEL_CHECK(administer("CREATE DATABASE " + name));
  return url_of(name);
}

Result<> Postgres::end_connections() {
  return administer(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
}

}  // namespace schakel::testing
