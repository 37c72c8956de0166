#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "exchange/store.hpp"
#include "fake_shell.hpp"

namespace schakel::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class DatabaseTools : public Terminal {
 protected:
  DatabaseTools()
      : config(file("schakel.toml", "[node]\nname = \"a\"\n[database]\nurl = \"sqlite:" + (folder / "schakel.db").string() + "\"\n")) {}

  std::vector<std::string> tenant(const std::string& slug, const std::string& oin, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"tenant", "create", "--config", config, "--slug", slug, "--name", "Gemeente " + slug, "--oin", oin};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::string config;
};

TEST_F(DatabaseTools, migrate_makes_the_tables_and_status_tells_whether_it_is_needed) {
  EXPECT_EQ(run({"db", "status", "--config", config}), 5);
  EXPECT_THAT(out.str() + err.str(), HasSubstr("schakel db migrate"));
  EXPECT_EQ(run({"db", "migrate", "--config", config}), 0) << err.str();
  EXPECT_EQ(run({"db", "status", "--config", config}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("up to date"));
}

TEST_F(DatabaseTools, need_a_good_configuration_and_a_database) {
  EXPECT_EQ(run({"db", "migrate", "--config", file("bad.toml", "[database]\nurll = \"x\"\n")}), 2);
  EXPECT_THAT(err.str(), HasSubstr("bad.toml:2"));
  EXPECT_EQ(
      run({"db", "migrate", "--config", file("far.toml", "[node]\nname=\"a\"\n[database]\nurl = \"sqlite:/absent/folder/schakel.db\"\n")}),
      1);
}

TEST_F(DatabaseTools, tenant_create_writes_the_tenant_and_its_first_key_once) {
  const auto key = (folder / "first.key").string();
  EXPECT_EQ(run(tenant("voorbeeldstad", "00000099000000010000", {"--first-key-file", key, "--host", "dk.voorbeeldstad.example"})), 0)
      << err.str();
  EXPECT_THAT(out.str(), HasSubstr("created"));
  struct stat status {};
  ASSERT_EQ(::stat(key.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077U, 0U);
  const auto token = content_of(key);
  EXPECT_THAT(token, testing::StartsWith("sk_test_"));
  EXPECT_THAT(out.str() + err.str(), Not(HasSubstr("sk_test_")));
  EXPECT_EQ(run(tenant("voorbeeldstad", "00000099000000010000", {"--host", "dk.voorbeeldstad.example"})), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("unchanged"));
}

// ADP-201
TEST_F(DatabaseTools, tenant_create_refuses_an_oin_that_another_tenant_has) {
  ASSERT_EQ(run(tenant("voorbeeldstad", "00000099000000010000")), 0) << err.str();
  EXPECT_EQ(run(tenant("testdorp", "00000099000000010000")), 1);
  EXPECT_THAT(err.str(), HasSubstr("oin.inUse"));
}

TEST_F(DatabaseTools, tenant_create_names_every_fault) {
  EXPECT_EQ(run(tenant("Fout!", "123", {"--environment", "acceptance"})), 2);
  EXPECT_THAT(err.str(), HasSubstr("slug"));
  EXPECT_THAT(err.str(), HasSubstr("oins"));
  EXPECT_THAT(err.str(), HasSubstr("environment"));
  EXPECT_EQ(run(tenant("voorbeeldstad", "00000099000000010000", {"--certificate", "alleen.pem"})), 2);
  EXPECT_EQ(run(tenant("voorbeeldstad", "00000099000000010000",
                       {"--certificate", "a.pem", "--key", "a.key", "--purpose", "signing", "--purpose", "encryption"})),
            2);
}

// SEC-070, SEC-074
TEST_F(DatabaseTools, tenant_create_takes_tokens_and_moments) {
  const std::vector<std::string> good{"--certificate", "a.pem",   "--key",         "pkcs11:token=stad;object=tls",
                                      "--passphrase",  "env:PIN", "--active-from", "2027-01-15T06:00:00+01:00"};
  EXPECT_EQ(run(tenant("voorbeeldstad", "00000099000000010000", good)), 0) << err.str();
  EXPECT_EQ(run(tenant("voorbeeldstad", "00000099000000010000", good)), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("unchanged"));
  const auto wrong = [&](std::size_t at, const std::string& value) {
    auto arguments = good;
    arguments[at] = value;
    return run(tenant("voorbeeldstad", "00000099000000010000", arguments));
  };
  EXPECT_EQ(wrong(3, "pkcs11:token=stad?pin-value=1234"), 2);
  EXPECT_THAT(err.str(), Not(HasSubstr("1234")));
  EXPECT_EQ(wrong(5, "1234"), 2) << "a secret is given by reference";
  EXPECT_EQ(wrong(7, "morgen"), 2);
}

// ADP-502: the first break is named.
TEST_F(DatabaseTools, verify_names_a_broken_chain) {
  ASSERT_EQ(run(tenant("voorbeeldstad", "00000099000000010000")), 0) << err.str();
  Metrics metrics;
  {
    auto database = sql::open({.url = "sqlite:" + (folder / "schakel.db").string()}, silent_log(), metrics);
    ASSERT_TRUE(database);
    ASSERT_TRUE((*database)->commit([&](sql::Transaction& tx) -> Result<> {
      std::vector<exchange::TrailEvent> events(3);
      for (auto& event : events) {
        event.at = clock.now();
        event.message = "0199a1b2-7c3d-7e11-9abc-0123456789ab";
        event.type = "submitted";
      }
      return exchange::append_trail(tx, "voorbeeldstad", "a", events);
    }));
    // What is not sealed yet is not part of the chain.
    ASSERT_TRUE((*database)->commit([](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::seal_trail(tx, 100));
      return {};
    }));
  }
  EXPECT_EQ(run({"audit", "verify", "--config", config}), 0) << err.str();
  EXPECT_EQ(run({"db", "verify", "--config", config, "--json"}), 0) << err.str();
  {
    auto database = sql::open({.url = "sqlite:" + (folder / "schakel.db").string()}, silent_log(), metrics);
    ASSERT_TRUE(database);
    ASSERT_TRUE((*database)->commit([](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(tx.execute("UPDATE trail SET type = 'processed' WHERE seq = 2"));
      return {};
    }));
  }
  EXPECT_EQ(run({"audit", "verify", "--config", config}), 5);
  EXPECT_THAT(out.str(), HasSubstr("broken at 2"));
  EXPECT_EQ(run({"db", "verify", "--config", config}), 5);
}

}  // namespace
}  // namespace schakel::cli
