// A Database that tells when a commit became durable, so that the work loop wakes for the work in it. Everything else it passes on.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "sql/database.hpp"

namespace schakel::server {

class WakingDatabase final : public sql::Database {
 public:
  explicit WakingDatabase(std::unique_ptr<sql::Database> database) : database_(std::move(database)) {}

  // Called on a database thread after each durable commit. Set once, before the first submit that matters.
  void on_commit(std::function<void()> wake) { wake_ = std::move(wake); }
  // The database itself, for units that make no work due: the loop's own claims and heartbeats.
  sql::Database& quiet() { return *database_; }

  void submit(sql::Unit unit, sql::Completion done) override {
    database_->submit(std::move(unit), [this, done = std::move(done)](Result<> result) {
      const bool durable = result.has_value();
      done(std::move(result));
      if (durable && wake_) wake_();
    });
  }
  void submit_read(sql::Unit unit, sql::Completion done) override { database_->submit_read(std::move(unit), std::move(done)); }
  bool is_postgres() const override { return database_->is_postgres(); }
  bool available() const override { return database_->available(); }
  void stop() override { database_->stop(); }

 private:
  std::unique_ptr<sql::Database> database_;
  std::function<void()> wake_;
};

}  // namespace schakel::server
