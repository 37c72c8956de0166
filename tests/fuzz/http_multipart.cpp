// multipart/form-data: the first line of the input is the Content-Type, the rest the body. The parts must not depend on the pieces in which
// the body comes.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "http/multipart.hpp"

using namespace schakel;

namespace {

class Pieces final : public http::BodyReader {
 public:
  Pieces(std::string_view body, std::size_t piece) : body_(body), piece_(piece) {}
  http::Awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
    const auto octets = body_.substr(0, std::min(piece_, buffer.size()));
    std::memcpy(buffer.data(), octets.data(), octets.size());
    body_.remove_prefix(octets.size());
    co_return octets.size();
  }

 private:
  std::string_view body_;
  std::size_t piece_;
};

struct Form {
  std::string error;
  std::vector<std::string> parts;  // name, file name, type and content of each
  friend bool operator==(const Form&, const Form&) = default;
};

http::Awaitable<Result<>> take_parts(std::string_view type, http::BodyReader& body, Form& form) {
  SCHAKEL_CO_TRY(auto reader, http::MultipartReader::make(type, body));
  for (;;) {
    SCHAKEL_CO_TRY(const auto part, co_await reader->next());
    if (!part) co_return Result<>();
    std::string content;
    std::array<char, 64> buffer;
    for (;;) {
      SCHAKEL_CO_TRY(const std::size_t count, co_await reader->read(buffer));
      if (count == 0) break;
      content.append(buffer.data(), count);
    }
    form.parts.push_back(part->name + "|" + part->file_name.value_or("-") + "|" + part->content_type + "|" + content);
  }
}

http::Awaitable<void> take(std::string_view type, std::string_view body, std::size_t piece, Form& form) {
  Pieces reader(body, piece);
  const auto taken = co_await take_parts(type, reader, form);
  if (!taken) form.error = taken.error().code;
}

Form read(std::string_view type, std::string_view body, std::size_t piece) {
  Form form;
  boost::asio::io_context context;
  boost::asio::co_spawn(context, take(type, body, piece, form), boost::asio::detached);
  context.run();
  return form;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  const auto line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto type = input.substr(0, line), body = input.substr(line + 1);
  if (read(type, body, body.size() + 1) != read(type, body, 3)) std::abort();
  return 0;
}
