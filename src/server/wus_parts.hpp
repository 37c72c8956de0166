// The WUS room put together: its office over configuration, certificates and trust; provider, consumer and intermediary.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/configuration.hpp"
#include "server/identities.hpp"
#include "server/message_keys.hpp"
#include "wus/caller.hpp"
#include "wus/endpoint.hpp"
#include "wus/relay.hpp"

namespace schakel::server {

class WusParts {
 public:
  struct Dependencies {
    sql::Database& database;
    http::Client& client;
    Random& random;
    const Clock& clock;
    Log& log;
    Metrics& metrics;
    std::string node;
    std::function<std::shared_ptr<const Configuration>()> configuration;
    std::function<std::shared_ptr<const Identities>()> identities;
    const MessageKeys& keys;
    std::function<bool(const std::string& url)> is_own_listener;
    std::function<bool(const std::string& sha256)> is_own_certificate;
    wus::Endpoint::Audit audit;
    bool insecure_transport = false;
    wus::Relay::Options relay;
  };
  explicit WusParts(Dependencies);

  wus::Caller& caller() { return caller_; }
  // Is a path of a WUS service, or one that WUS messages are passed on from?
  bool serves(const http::Request&, const std::string& tenant) const;
  http::Awaitable<http::Response> handle(http::Request& request, const std::string& tenant) { return relay_.handle(request, tenant); }

 private:
  wus::Office office(const Dependencies&);
  wus::Relay::Dependencies relay_dependencies(const Dependencies&) const;

  wus::Measures measures_;
  wus::Office office_;
  wus::Caller caller_;
  wus::Endpoint endpoint_;
  wus::Relay relay_;
};

}  // namespace schakel::server
