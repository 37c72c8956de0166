// A blocking client of a node's API, as an application would have one.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <optional>
#include <string>

#include "base/json_library.hpp"
#include "base/metrics.hpp"
#include "http/client.hpp"
#include "http/run.hpp"

namespace schakel::integration {

using Json = nlohmann::json;

struct RestAnswer {
  unsigned status = 0;  // 0: no answer
  http::Headers headers;
  std::string body;

  Json json() const { return Json::parse(body, nullptr, false); }
  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
};

class Rest {
 public:
  explicit Rest(std::string base, std::string api_key = {}) : base_(std::move(base)), api_key_(std::move(api_key)), io_(1U) {
    client_.emplace(io_.executor(), http::Client::Options{}, clock_, silent_log(), metrics_);
  }
  ~Rest() { io_.stop(); }

  RestAnswer call(std::string method, const std::string& path, std::string body = {}, const std::string& content_type = {},
                  http::Headers headers = {}) {
    http::ClientRequest request;
    request.method = std::move(method);
    request.url = base_ + path;
    request.headers = std::move(headers);
    request.body = std::move(body);
    request.response_bytes_max = 80 * 1024 * 1024;
    if (!api_key_.empty()) request.headers.add("X-Api-Key", api_key_);
    if (!content_type.empty()) request.headers.add("Content-Type", content_type);
    auto answer = boost::asio::co_spawn(io_.executor(), client_->send(std::move(request)), boost::asio::use_future).get();
    if (!answer) return {.status = 0, .headers = {}, .body = answer.error().code + ": " + answer.error().detail};
    return {.status = answer->status, .headers = std::move(answer->headers), .body = std::move(answer->body)};
  }
  RestAnswer get(const std::string& path) { return call("GET", path); }
  RestAnswer post(const std::string& path, const Json& body, http::Headers headers = {}) {
    return call("POST", path, body.dump(), "application/json", std::move(headers));
  }

 private:
  std::string base_, api_key_;
  SystemClock clock_;
  Metrics metrics_;
  http::IoThreads io_;
  std::optional<http::Client> client_;
};

}  // namespace schakel::integration
