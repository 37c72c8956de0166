// The Api over HTTP: http/client.hpp on a thread of its own, a future for the caller.
#pragma once

#include <memory>

#include "base/time.hpp"
#include "cli/api.hpp"
#include "http/message.hpp"

namespace schakel::cli {

// `clock` outlives the Api. Error "usage" for an address that is no URL.
Outcome<std::unique_ptr<Api>> connect_over_http(const ApiAccess&, const Clock& clock);

// multipart/form-data with the part "message" and one part "payload" per file, read while it is sent (adapter.md 2.1.4).
class FormBody final : public http::BodyReader {
 public:
  using Progress = std::function<void(std::uint64_t sent, std::uint64_t total)>;
  // Error "file.unreadable".
  static Result<std::unique_ptr<FormBody>> open(const ApiRequest&, std::string boundary);
  ~FormBody() override;

  // Error "file.changed": a file became shorter since `open`.
  http::Awaitable<Result<std::size_t>> read(std::span<char> buffer) override;
  std::uint64_t size() const;

 private:
  struct State;
  explicit FormBody(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

}  // namespace schakel::cli
