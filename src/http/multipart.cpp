#include "http/multipart.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.hpp"
#include "http/fields.hpp"
#include "http/syntax.hpp"

namespace schakel::http {
namespace {

constexpr std::size_t boundary_chars_max = 70;  // RFC 2046 5.1.1
constexpr std::size_t fill_bytes = 16 * limits::KiB;
constexpr std::size_t padding_bytes_max = 64;

Error invalid(const char* detail) {
  return fail("request.invalid", detail);
}

bool is_boundary(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= boundary_chars_max && text.back() != ' ' && std::all_of(text.begin(), text.end(), allowed);
}

// The name of a form's part, and what either kind says of a file.
Result<> read_disposition(PartHead& head, MultipartKind kind) {
  const auto given = head.headers.find("Content-Disposition");
  const auto disposition = given ? parse_parameterised(*given) : std::nullopt;
  if (kind == MultipartKind::related) {
    // A disposition that cannot be read names no file; nothing else depends on it.
    if (const auto file_name = disposition ? disposition->parameter("filename") : std::nullopt) head.file_name = *file_name;
  } else {
    const auto name = disposition ? disposition->parameter("name") : std::nullopt;
    if (!disposition || disposition->type != "form-data" || !name || name->empty()) return invalid("A part of a form has no name.");
    head.name = *name;
    if (const auto file_name = disposition->parameter("filename")) head.file_name = *file_name;
  }
  if (!is_valid_utf8(head.name) || (head.file_name && !is_valid_utf8(*head.file_name))) return invalid("A name is not UTF-8.");
  return {};
}

Result<PartHead> part_head(BytesView block, MultipartKind kind) {
  const auto fields = parse_header_block(block);
  if (!fields) return invalid("The header of a part is not valid.");
  PartHead head;
  for (const auto& [name, value] : *fields) head.headers.add(std::string(name), std::string(value));
  const std::size_t dispositions = head.headers.count("Content-Disposition");
  if (dispositions > 1 || (dispositions == 0 && kind != MultipartKind::related) || head.headers.count("Content-Type") > 1)
    return invalid("A part needs one Content-Disposition and at most one Content-Type.");
  if (kind == MultipartKind::form_data && head.headers.find("Content-Transfer-Encoding"))
    return invalid("A part of a form has no transfer encoding.");
  SCHAKEL_CHECK(read_disposition(head, kind));
  head.content_type = head.headers.find("Content-Type").value_or("text/plain");
  return head;
}

// True for base64, false for the encodings that change nothing (RFC 2045 6.2).
Result<bool> is_base64(const Headers& headers) {
  if (headers.count("Content-Transfer-Encoding") > 1) return invalid("A part has two transfer encodings.");
  const auto encoding = to_lower(trim(headers.find("Content-Transfer-Encoding").value_or("binary")));
  if (encoding == "base64") return true;
  if (encoding == "binary" || encoding == "8bit" || encoding == "7bit") return false;
  return invalid("A part has an unknown transfer encoding.");
}

}  // namespace

Result<std::unique_ptr<MultipartReader>> MultipartReader::make(std::string_view content_type, BodyReader& body, Limits limits,
                                                               MultipartKind kind) {
  const auto type = parse_media_type(content_type, kind == MultipartKind::form_data ? Unquoted::tokens : Unquoted::anything);
  const std::string_view wanted = kind == MultipartKind::related ? "multipart/related" : "multipart/form-data";
  if (!type || type->type != wanted) return fail("request.mediaType", "The content is not " + std::string(wanted) + ".");
  const auto boundary = type->parameter("boundary");
  if (!boundary || !is_boundary(*boundary)) return invalid("The boundary is absent or not valid.");
  return std::unique_ptr<MultipartReader>(new MultipartReader(body, limits, *boundary, kind));
}

MultipartReader::MultipartReader(BodyReader& body, Limits limits, std::string_view boundary, MultipartKind kind)
    : body_(body), limits_(limits), kind_(kind), delimiter_("\r\n--" + std::string(boundary)) {}

// More octets in the window; the end of the body inside a form is an error.
Awaitable<Result<>> MultipartReader::fill() {
  buffer_.erase(0, std::exchange(begin_, 0));
  const std::size_t size = buffer_.size();
  buffer_.resize(size + fill_bytes);
  const auto count = co_await body_.read(std::span(buffer_.data() + size, fill_bytes));
  buffer_.resize(size + (count ? *count : 0));
  if (!count) co_return count.error();
  if (*count == 0) co_return invalid("The form ends before its last delimiter.");
  co_return Result<>();
}

Awaitable<Result<std::size_t>> MultipartReader::read(std::span<char> out) {
  if (base64_) co_return co_await read_base64(out);
  co_return co_await read_octets(out);
}

Awaitable<Result<std::size_t>> MultipartReader::read_base64(std::span<char> out) {
  std::array<char, 4096> text;
  while (decoded_.empty()) {
    SCHAKEL_CO_TRY(const std::size_t count, co_await read_octets(text));
    if (count == 0) {
      if (!base64_->finish()) co_return invalid("A part in base64 is not whole.");
      co_return std::size_t{0};
    }
    if (!base64_->decode({text.data(), count}, decoded_)) co_return invalid("A part is not base64.");
  }
  const std::size_t count = std::min(decoded_.size(), out.size());
  std::memcpy(out.data(), decoded_.data(), count);
  decoded_.erase(0, count);
  co_return count;
}

Awaitable<Result<std::size_t>> MultipartReader::read_octets(std::span<char> out) {
  if (place_ != Place::content || out.empty()) co_return std::size_t{0};
  for (;;) {
    const auto octets = window();
    const auto found = octets.find(delimiter_);
    if (found == 0) {
      place_ = Place::part_end;
      co_return std::size_t{0};
    }
    // Without a delimiter in sight, its beginning may still be at the end of the window.
    const std::size_t certain = found != BytesView::npos ? found : octets.size() - std::min(octets.size(), delimiter_.size() - 1);
    if (certain > 0) {
      const std::size_t count = std::min(certain, out.size());
      std::memcpy(out.data(), octets.data(), count);
      begin_ += count;
      co_return count;
    }
    SCHAKEL_CO_CHECK(co_await fill());
  }
}

// Drops the preamble, or what the caller left of a part.
Awaitable<Result<>> MultipartReader::skip_content() {
  place_ = Place::content;
  std::array<char, 4096> dropped;
  for (;;) {
    SCHAKEL_CO_TRY(const std::size_t count, co_await read_octets(dropped));
    if (count == 0) co_return Result<>();
  }
}

// Goes past the delimiter that the window begins with. True when a part follows, false after the last.
Awaitable<Result<bool>> MultipartReader::read_delimiter() {
  begin_ += delimiter_.size();
  for (;;) {
    const auto octets = window();
    if (octets.starts_with("--")) {
      begin_ += 2;
      co_return false;
    }
    const auto text = octets.find_first_not_of(" \t");
    if (text != BytesView::npos && text + 1 < octets.size()) {
      if (octets.substr(text, 2) != "\r\n" || text > padding_bytes_max) co_return invalid("A delimiter is malformed.");
      begin_ += text + 2;
      co_return true;
    }
    if (octets.size() > padding_bytes_max) co_return invalid("A delimiter is malformed.");
    SCHAKEL_CO_CHECK(co_await fill());
  }
}

Awaitable<Result<PartHead>> MultipartReader::read_head() {
  for (;;) {
    const auto octets = window();
    const bool is_empty = octets.starts_with("\r\n");
    const auto end = is_empty ? 0 : octets.find("\r\n\r\n");
    if (end != BytesView::npos) {
      const std::size_t size = is_empty ? 2 : end + 4;
      if (size > limits_.part_header_bytes_max) co_return invalid("The header of a part is too large.");
      auto head = part_head(octets.substr(0, size), kind_);
      // The CR LF before a delimiter belongs to it; that of the header may be the same when the content is empty.
      begin_ += size - 2;
      if (!window().starts_with(delimiter_)) {
        while (window().size() < delimiter_.size()) SCHAKEL_CO_CHECK(co_await fill());
        if (!window().starts_with(delimiter_)) begin_ += 2;
      }
      co_return head;
    }
    if (octets.size() > limits_.part_header_bytes_max) co_return invalid("The header of a part is too large.");
    SCHAKEL_CO_CHECK(co_await fill());
  }
}

Awaitable<Result<>> MultipartReader::skip_epilogue() {
  place_ = Place::end;
  buffer_.clear();
  begin_ = 0;
  std::array<char, 4096> dropped;
  for (;;) {
    SCHAKEL_CO_TRY(const std::size_t count, co_await body_.read(dropped));
    if (count == 0) co_return Result<>();
  }
}

Awaitable<Result<std::optional<PartHead>>> MultipartReader::next() {
  if (place_ == Place::end) co_return std::nullopt;
  if (place_ != Place::part_end) SCHAKEL_CO_CHECK(co_await skip_content());
  SCHAKEL_CO_TRY(const bool has_part, co_await read_delimiter());
  if (!has_part) {
    SCHAKEL_CO_CHECK(co_await skip_epilogue());
    co_return std::nullopt;
  }
  if (++parts_ > limits_.parts_max) co_return invalid("The form has too many parts.");
  SCHAKEL_CO_TRY(auto head, co_await read_head());
  SCHAKEL_CO_TRY(const bool encoded, is_base64(head.headers));
  base64_ = encoded ? std::optional(Base64Decoder()) : std::nullopt;
  decoded_.clear();
  place_ = Place::content;
  co_return std::optional<PartHead>(std::move(head));
}

}  // namespace schakel::http
