// Tests that run on both databases: `class MyTest : public schakel::testing::DatabaseTest`, then TEST_P and
// SCHAKEL_ON_BOTH_DATABASES(MyTest).
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "sql/database.hpp"
#include "support/postgres.hpp"

namespace schakel::testing {

class DatabaseTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (is_postgres()) {
      if (Postgres::switched_off()) GTEST_SKIP() << "SCHAKEL_NO_POSTGRES=1";
      auto server = Postgres::shared();
      ASSERT_TRUE(server) << server.error().detail;
      auto url = (*server)->new_database();
      ASSERT_TRUE(url) << url.error().detail;
      url_ = *url;
    } else {
      folder_ = (std::filesystem::temp_directory_path() / "schakel-sqlite-XXXXXX").string();
      ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
      url_ = "sqlite:" + folder_ + "/test.db";
    }
    database = open();
    ASSERT_NE(database, nullptr);
  }

  void TearDown() override {
    database.reset();
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  bool is_postgres() const { return std::string_view(GetParam()) == "postgres"; }
  const std::string& url() const { return url_; }

  // Another Database on the same data, as another node (or a later process) would open it.
  std::unique_ptr<sql::Database> open(std::size_t pool_size = 8) {
    auto opened = sql::open({url_, pool_size}, silent_log(), metrics);
    EXPECT_TRUE(opened) << opened.error().detail;
    return opened ? std::move(*opened) : nullptr;
  }

  Metrics metrics;
  std::unique_ptr<sql::Database> database;

 private:
  std::string url_, folder_;
};

#define SCHAKEL_ON_BOTH_DATABASES(fixture) \
  INSTANTIATE_TEST_SUITE_P(Both, fixture, ::testing::Values("sqlite", "postgres"), [](const auto& name) { return std::string(name.param); })

}  // namespace schakel::testing
