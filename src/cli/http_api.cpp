#include "cli/http_api.hpp"

#include <filesystem>
#include <fstream>
#include <future>
#include <vector>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "http/client.hpp"
#include "http/run.hpp"
#include "http/url.hpp"
#include "security/tls.hpp"

namespace schakel::cli {
namespace {

// A page of descriptors or one range of a payload.
constexpr std::size_t answer_bytes_max = 16 * limits::MiB;
constexpr std::chrono::seconds connect_timeout{10};
// A ping waits 30 s for its Pong.
constexpr std::chrono::seconds answer_timeout{60};

// A quoted-string of a part header; the specification of forms encodes these three (WHATWG HTML 4.10.21.8).
std::string form_quoted(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '"')
      text += "%22";
    else if (c == '\r')
      text += "%0D";
    else if (c == '\n')
      text += "%0A";
    else
      text += c;
  }
  return text;
}

class HttpApi final : public Api {
 public:
  HttpApi(ApiAccess access, std::shared_ptr<security::TlsClient> tls, const Clock& clock)
      : access_(std::move(access)), tls_(std::move(tls)), threads_(1), client_(threads_.executor(), {}, clock, silent_log(), metrics_) {}

  Result<ApiResponse> send(const ApiRequest& request) override {
    SCHAKEL_TRY(auto outgoing, made_from(request));
    std::promise<Result<http::ClientResponse>> promise;
    auto answer = promise.get_future();
    http::spawn(threads_.executor(), exchange(std::move(outgoing), promise));
    SCHAKEL_TRY(auto response, answer.get());
    return ApiResponse{response.status, std::move(response.headers), std::move(response.body)};
  }

 private:
  http::Awaitable<> exchange(http::ClientRequest request, std::promise<Result<http::ClientResponse>>& promise) {
    promise.set_value(co_await client_.send(std::move(request)));
  }

  Result<http::ClientRequest> made_from(const ApiRequest& request) {
    http::ClientRequest outgoing{.method = request.method,
                                 .url = access_.url + "/api/v1" + request.path,
                                 .headers = request.headers,
                                 .body = request.body,
                                 .connect_timeout = connect_timeout,
                                 .response_timeout = answer_timeout,
                                 .response_bytes_max = answer_bytes_max};
    outgoing.tls = tls_;
    outgoing.headers.set("User-Agent", "schakel-cli/" SCHAKEL_VERSION);
    outgoing.headers.set("Accept", "application/json, application/problem+json, */*;q=0.5");
    if (!access_.api_key.empty()) outgoing.headers.set("X-Api-Key", access_.api_key);
    if (!request.content_type.empty()) outgoing.headers.set("Content-Type", request.content_type);
    if (!request.files.empty()) SCHAKEL_CHECK(stream_form(request, outgoing));
    return outgoing;
  }

  Result<> stream_form(const ApiRequest& request, http::ClientRequest& outgoing) {
    const auto boundary = "schakel-" + uuid_v4(random_);
    SCHAKEL_TRY(auto first, FormBody::open(request, boundary));
    outgoing.headers.set("Content-Type", "multipart/form-data; boundary=" + boundary);
    outgoing.body.clear();
    outgoing.stream_bytes = first->size();
    // A second connection attempt reads the files anew; one that has vanished since makes an empty, hence failing, body.
    outgoing.stream = [request, boundary,
                       ready = std::make_shared<std::unique_ptr<FormBody>>(std::move(first))]() -> std::unique_ptr<http::BodyReader> {
      if (*ready) return std::move(*ready);
      auto again = FormBody::open(request, boundary);
      return again ? std::unique_ptr<http::BodyReader>(std::move(*again)) : std::make_unique<http::StringReader>("");
    };
    return {};
  }

  ApiAccess access_;
  std::shared_ptr<security::TlsClient> tls_;  // for https
  Metrics metrics_;
  SystemRandom random_;
  http::IoThreads threads_;
  http::Client client_;
};

}  // namespace

// --- the form --------------------------------------------------------------------------------------------------------------------

struct FormBody::State {
  struct Piece {  // text, or a file of `size` octets
    std::string text;
    std::string path;
    std::uint64_t size;
  };
  std::vector<Piece> pieces;
  std::uint64_t total = 0, sent = 0;
  std::size_t at = 0;      // the piece that is being read
  std::uint64_t done = 0;  // octets of it
  std::ifstream file;      // when it is a file
  Progress progress;

  void add_text(std::string text) {
    total += text.size();
    const auto size = text.size();
    pieces.push_back({std::move(text), {}, size});
  }

  Result<std::size_t> read_file(const Piece& piece, std::span<char> buffer) {
    if (done == 0) {
      file.close();
      file.clear();
      file.open(piece.path, std::ios::binary);
    }
    file.read(buffer.data(), static_cast<std::streamsize>(std::min<std::uint64_t>(buffer.size(), piece.size - done)));
    if (file.gcount() == 0) return fail("file.changed", piece.path + " became shorter while it was sent");
    return static_cast<std::size_t>(file.gcount());
  }

  Result<std::size_t> read(std::span<char> buffer) {
    while (at < pieces.size() && done == pieces[at].size) {
      ++at;
      done = 0;
    }
    if (at == pieces.size() || buffer.empty()) return std::size_t{0};
    const auto& piece = pieces[at];
    std::size_t count = 0;
    if (piece.path.empty()) {
      count = piece.text.copy(buffer.data(), buffer.size(), done);
    } else {
      SCHAKEL_TRY(count, read_file(piece, buffer));
    }
    done += count;
    sent += count;
    if (progress) progress(sent, total);
    return count;
  }
};

FormBody::FormBody(std::unique_ptr<State> state) : state_(std::move(state)) {}
FormBody::~FormBody() = default;

Result<std::unique_ptr<FormBody>> FormBody::open(const ApiRequest& request, std::string boundary) {
  auto state = std::make_unique<State>();
  state->progress = request.progress;
  state->add_text("--" + boundary + "\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n" +
                  request.body);
  for (const auto& part : request.files) {
    state->add_text("\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"payload\"; filename=\"" +
                    form_quoted(part.file_name) + "\"\r\nContent-Type: " + part.content_type + "\r\n\r\n");
    std::error_code error;
    const auto size = std::filesystem::file_size(part.path, error);
    if (error) return fail("file.unreadable", part.path + " cannot be read");
    if (size > 0) state->pieces.push_back({{}, part.path, size});
    state->total += size;
  }
  state->add_text("\r\n--" + boundary + "--\r\n");
  return std::unique_ptr<FormBody>(new FormBody(std::move(state)));
}

http::Awaitable<Result<std::size_t>> FormBody::read(std::span<char> buffer) {
  co_return state_->read(buffer);
}

std::uint64_t FormBody::size() const {
  return state_->total;
}

Outcome<std::unique_ptr<Api>> connect_over_http(const ApiAccess& access, const Clock& clock) {
  const auto url = http::parse_url(access.url);
  if (!url) return wrong_usage("the address of the node is no URL: " + url.error().detail);
  std::shared_ptr<security::TlsClient> tls;
  if (url->is_tls()) {
    SCHAKEL_TRY(tls, security::TlsClient::make_web({}, nullptr, nullptr, access.ca_pem, clock));
  }
  return std::unique_ptr<Api>(std::make_unique<HttpApi>(access, std::move(tls), clock));
}

}  // namespace schakel::cli
