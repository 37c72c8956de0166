#include "http/syntax.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/limits.hpp"

namespace schakel::http {
namespace {

// Request line = method SP target SP version: room for the longest method that anybody uses.
constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t request_line_bytes_max = method_bytes_max + 1 + limits::http_uri_bytes_max + 1 + 8;
// Chunk extensions and trailers carry nothing that we use.
constexpr std::size_t chunk_extension_bytes_max = 256;
constexpr std::size_t trailer_bytes_max = 8 * limits::KiB;
constexpr unsigned chunk_size_digits_max = 15;

constexpr std::array<bool, 256> token_characters = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

Error invalid(std::string detail) {
  return fail("request.invalid", std::move(detail));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the next line, without its CRLF. A CR inside a line, a LF without CR or a missing end are errors.
Result<std::string_view> take_line(BytesView& rest) {
  const auto lf = rest.find('\n');
  if (lf == std::string_view::npos || lf == 0 || rest[lf - 1] != '\r') return invalid("A line does not end in CR LF.");
  const auto line = rest.substr(0, lf - 1);
  if (line.find('\r') != std::string_view::npos) return invalid("A line holds a bare CR.");
  rest.remove_prefix(lf + 1);
  return line;
}

Result<FieldView> parse_field(std::string_view line) {
  if (line.size() > limits::http_header_line_bytes_max) return fail("request.headersTooLarge", "A header line is longer than 8 KiB.");
  if (is_blank(line.front())) return invalid("A header line is folded.");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return invalid("A header line has no colon.");
  const FieldView field{line.substr(0, colon), trim_blanks(line.substr(colon + 1))};
  if (!is_token(field.name)) return invalid("A header name is not a token.");
  if (!is_field_value(field.value)) return invalid("A header value holds a control character.");
  return field;
}

Result<std::vector<FieldView>> parse_fields(BytesView& rest) {
  if (rest.size() > limits::http_header_block_bytes_max) return fail("request.headersTooLarge", "The header block is larger than 32 KiB.");
  std::vector<FieldView> fields;
  fields.reserve(16);
  for (;;) {
    SCHAKEL_TRY(const auto line, take_line(rest));
    if (line.empty()) return fields;
    if (fields.size() == limits::http_headers_max) return fail("request.headersTooLarge", "There are more than 100 header lines.");
    SCHAKEL_TRY(const auto field, parse_field(line));
    fields.push_back(field);
  }
}

struct Framing {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
};

// RFC 9112 6.3, without its leniences: one Content-Length or one Transfer-Encoding, never both, never a list.
Result<Framing> framing_of(const std::vector<FieldView>& fields, int minor_version) {
  Framing framing;
  for (const auto& [name, value] : fields) {
    if (equals_ignoring_case(name, "Content-Length")) {
      if (framing.content_length) return invalid("Content-Length is repeated.");
      std::uint64_t length = 0;
      const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), length);
      if (value.empty() || problem != std::errc{} || end != value.data() + value.size() || length > INT64_MAX)
        return invalid("Content-Length is not a number.");
      framing.content_length = length;
    } else if (equals_ignoring_case(name, "Transfer-Encoding")) {
      if (framing.chunked) return invalid("Transfer-Encoding is repeated.");
      if (minor_version == 0) return invalid("HTTP/1.0 knows no Transfer-Encoding.");
      if (!equals_ignoring_case(value, "chunked")) return invalid("Only the transfer coding chunked is known.");
      framing.chunked = true;
    }
  }
  if (framing.chunked && framing.content_length) return invalid("Content-Length and Transfer-Encoding exclude each other.");
  return framing;
}

bool keeps_alive(const std::vector<FieldView>& fields, int minor_version) {
  bool keep = minor_version >= 1;
  for (const auto& [name, value] : fields) {
    if (!equals_ignoring_case(name, "Connection")) continue;
    if (has_token(value, "close")) return false;
    if (has_token(value, "keep-alive")) keep = true;
  }
  return keep;
}

bool is_host_character(char c) {
  return hex_digit(c) >= 0 || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') || c == '.' || c == '-' || c == '_' || c == '~';
}

// The host of a Host value: a name, an IPv4 address or an IPv6 address in brackets, with an optional port.
Result<std::string_view> host_of(std::string_view value) {
  std::string_view host, port;
  if (!value.empty() && value.front() == '[') {
    const auto bracket = value.find(']');
    if (bracket == std::string_view::npos) return invalid("Host is not valid.");
    host = value.substr(0, bracket + 1);
    port = value.substr(bracket + 1);
    const auto address = host.substr(1, host.size() - 2);
    if (address.empty() || !std::all_of(address.begin(), address.end(), [](char c) { return hex_digit(c) >= 0 || c == ':' || c == '.'; }))
      return invalid("Host is not valid.");
  } else {
    const auto colon = value.find(':');
    host = value.substr(0, colon);
    if (colon != std::string_view::npos) port = value.substr(colon);
    if (host.empty() || host.size() > 255 || !std::all_of(host.begin(), host.end(), is_host_character))
      return invalid("Host is not valid.");
  }
  if (!port.empty() && (port.front() != ':' || port.size() > 6 || port.find_first_not_of("0123456789", 1) != std::string_view::npos))
    return invalid("The port of Host is not valid.");
  return host;
}

Result<> parse_request_line(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  if (first == std::string_view::npos) return invalid("The request line has no target.");
  head.method = line.substr(0, first);
  if (!is_token(head.method) || head.method.size() > method_bytes_max) return invalid("The method is not a token.");
  const auto last = line.rfind(' ');
  if (last == first) return invalid("The request line has no version.");
  head.target = line.substr(first + 1, last - first - 1);
  if (head.target.size() > limits::http_uri_bytes_max) return fail("request.uriTooLong", "The target is longer than 8 KiB.");
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (head.target.empty() || !std::all_of(head.target.begin(), head.target.end(), is_visible)) return invalid("The target is not valid.");
  const auto version = line.substr(last + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' || hex_digit(version[5]) > 9 || hex_digit(version[5]) < 0 ||
      hex_digit(version[7]) > 9 || hex_digit(version[7]) < 0)
    return invalid("The version is not valid.");
  if (version[5] != '1' || version[7] > '1') return fail("request.version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
  head.minor_version = version[7] - '0';
  return {};
}

Result<> apply_request_fields(RequestHead& head) {
  bool has_host = false;
  for (const auto& [name, value] : head.fields) {
    if (equals_ignoring_case(name, "Host")) {
      if (has_host) return invalid("Host is repeated.");
      has_host = true;
      SCHAKEL_TRY(head.host, host_of(value));
    } else if (equals_ignoring_case(name, "Expect")) {
      if (!equals_ignoring_case(value, "100-continue")) return fail("request.expectation", "Only the expectation 100-continue is known.");
      head.expects_continue = head.minor_version >= 1;
    } else if (equals_ignoring_case(name, "Content-Encoding")) {
      if (!equals_ignoring_case(value, "identity")) return fail("request.mediaType", "Encoded content is not accepted.");
    }
  }
  if (!has_host) return invalid("Host is missing.");
  return {};
}

struct Decoded {
  std::string text;
  bool slash = false;  // a slash or back-slash was written encoded
};

Result<Decoded> percent_decode(std::string_view text, bool plus_is_space) {
  Decoded decoded;
  decoded.text.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return invalid("A percent sign is not followed by two hexadecimal digits.");
      c = static_cast<char>(high * 16 + low);
      i += 2;
      decoded.slash = decoded.slash || c == '/' || c == '\\';
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return invalid("The target holds a control character.");
    decoded.text.push_back(c);
  }
  if (!is_valid_utf8(decoded.text)) return invalid("The target is not UTF-8.");
  return decoded;
}

Result<std::string> parse_path(std::string_view raw) {
  SCHAKEL_TRY(auto decoded, percent_decode(raw, false));
  if (decoded.slash || decoded.text.find('\\') != std::string::npos) return fail("notFound", "The path holds an encoded slash.");
  std::string_view rest = std::string_view(decoded.text).substr(1);
  while (true) {
    const auto slash = rest.find('/');
    const auto segment = rest.substr(0, slash);
    if (segment == "." || segment == "..") return fail("notFound", "The path holds a dot segment.");
    if (slash == std::string_view::npos) break;
    if (segment.empty()) return fail("notFound", "The path holds an empty segment.");
    rest.remove_prefix(slash + 1);
  }
  return std::move(decoded.text);
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return token_characters[static_cast<unsigned char>(c)]; });
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (equals_ignoring_case(trim_blanks(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

Result<HeadScan> scan_head(BytesView received, std::size_t from) {
  HeadScan scan{from, std::nullopt};
  for (;;) {
    const auto lf = received.find('\n', scan.searched);
    if (lf == std::string_view::npos) {
      scan.searched = received.size();
      return scan;
    }
    if (lf == 0 || received[lf - 1] != '\r') return invalid("A line ends in a bare LF.");
    // The empty line: CR LF directly after a line's LF, or at the very start (which the parser refuses).
    if (lf == 1 || received[lf - 2] == '\n') {
      scan.searched = scan.end.emplace(lf + 1);
      return scan;
    }
    scan.searched = lf + 1;
  }
}

Result<> check_partial_head(BytesView received) {
  // A TLS client on a plain port, for instance, need not wait for its time-out.
  if (!received.empty() && !token_characters[static_cast<unsigned char>(received.front())])
    return invalid("The first octet belongs to no HTTP message.");
  const auto line_end = received.find('\n');
  if (line_end == std::string_view::npos) {
    if (received.size() > request_line_bytes_max + 1) return fail("request.uriTooLong", "The request line is too long.");
    return {};
  }
  if (received.size() - line_end - 1 > limits::http_header_block_bytes_max)
    return fail("request.headersTooLarge", "The header block is larger than 32 KiB.");
  return {};
}

Result<std::vector<FieldView>> parse_header_block(BytesView block) {
  SCHAKEL_TRY(auto fields, parse_fields(block));
  if (!block.empty()) return invalid("Octets follow the header.");
  return fields;
}

Result<RequestHead> parse_request_head(BytesView bytes) {
  RequestHead head;
  BytesView rest = bytes;
  SCHAKEL_TRY(const auto line, take_line(rest));
  SCHAKEL_CHECK(parse_request_line(line, head));
  SCHAKEL_TRY(head.fields, parse_fields(rest));
  if (!rest.empty()) return invalid("Octets follow the head.");
  SCHAKEL_TRY(const auto framing, framing_of(head.fields, head.minor_version));
  head.content_length = framing.content_length;
  head.chunked = framing.chunked;
  head.keep_alive = keeps_alive(head.fields, head.minor_version);
  SCHAKEL_CHECK(apply_request_fields(head));
  if (head.method == "TRACE" || head.method == "CONNECT")
    return fail("request.methodNotAllowed", "The methods TRACE and CONNECT are refused.");
  return head;
}

Result<> check_request_head(BytesView head) {
  const auto parsed = parse_request_head(head);
  if (!parsed) return parsed.error();
  return {};
}

Result<ResponseHead> parse_response_head(BytesView bytes) {
  const auto refuse = [](const Error& error) { return fail("transport.invalid", "The answer is not valid HTTP: " + error.detail); };
  ResponseHead head;
  BytesView rest = bytes;
  const auto line = take_line(rest);
  if (!line) return refuse(line.error());
  // "HTTP/1.1 200 OK"; the reason phrase, and the space before it, may be absent.
  if (line->size() < 12 || !line->starts_with("HTTP/1.") || ((*line)[7] != '0' && (*line)[7] != '1') || (*line)[8] != ' ' ||
      (line->size() > 12 && (*line)[12] != ' '))
    return refuse(invalid("the status line is malformed."));
  head.minor_version = (*line)[7] - '0';
  const auto digits = line->substr(9, 3);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos || digits[0] < '1' || digits[0] > '5')
    return refuse(invalid("the status is not a number from 100 to 599."));
  std::from_chars(digits.data(), digits.data() + digits.size(), head.status);
  auto fields = parse_fields(rest);
  if (!fields) return refuse(fields.error());
  head.fields = std::move(*fields);
  const auto framing = framing_of(head.fields, head.minor_version);
  if (!framing) return refuse(framing.error());
  head.content_length = framing->content_length;
  head.chunked = framing->chunked;
  head.keep_alive = keeps_alive(head.fields, head.minor_version);
  return head;
}

Result<Target> parse_target(std::string_view text) {
  if (text.empty() || text.front() != '/') return invalid("The target is not in origin form.");
  if (text.find('#') != std::string_view::npos) return invalid("The target holds a fragment.");
  Target target;
  const auto question = text.find('?');
  SCHAKEL_TRY(target.path, parse_path(text.substr(0, question)));
  if (question == std::string_view::npos) return target;
  std::string_view rest = text.substr(question + 1);
  while (!rest.empty()) {
    const auto ampersand = rest.find('&');
    const auto pair = rest.substr(0, ampersand);
    rest.remove_prefix(ampersand == std::string_view::npos ? rest.size() : ampersand + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    SCHAKEL_TRY(auto name, percent_decode(pair.substr(0, equals), true));
    SCHAKEL_TRY(auto value, percent_decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true));
    target.query.emplace_back(std::move(name.text), std::move(value.text));
  }
  return target;
}

// One octet outside chunk data.
Result<> ChunkedDecoder::structure(char octet) {
  const auto refuse = [](const char* detail) { return fail("http.bodyInvalid", detail); };
  const auto is_text = [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); };
  switch (state_) {
    case State::size:
      if (const int digit = hex_digit(octet); digit >= 0) {
        if (++digits_ > chunk_size_digits_max) return refuse("A chunk size is too large.");
        remaining_ = remaining_ * 16 + static_cast<unsigned>(digit);
        return {};
      }
      if (digits_ == 0) return refuse("A chunk has no size.");
      if (octet == '\r') {
        state_ = State::size_lf;
      } else if (octet == ';') {
        state_ = State::extension;
      } else {
        return refuse("A chunk size is not hexadecimal.");
      }
      return {};
    case State::extension:
      if (octet == '\r') {
        state_ = State::size_lf;
        return {};
      }
      if (!is_text(octet)) return refuse("A chunk extension holds a control character.");
      if (++overhead_ > chunk_extension_bytes_max) return refuse("A chunk extension is too long.");
      return {};
    case State::size_lf:
      if (octet != '\n') return refuse("A chunk size does not end in CR LF.");
      overhead_ = 0;
      state_ = remaining_ == 0 ? State::trailer_start : State::data;
      return {};
    case State::data_cr:
      if (octet != '\r') return refuse("A chunk does not end in CR LF.");
      state_ = State::data_lf;
      return {};
    case State::data_lf:
      if (octet != '\n') return refuse("A chunk does not end in CR LF.");
      digits_ = 0;
      state_ = State::size;
      return {};
    case State::trailer_start:
      if (octet == '\r') {
        state_ = State::end_lf;
        return {};
      }
      if (!token_characters[static_cast<unsigned char>(octet)]) return refuse("A trailer line is malformed.");
      state_ = State::trailer;
      return {};
    case State::trailer:
      if (octet == '\r') {
        state_ = State::trailer_lf;
        return {};
      }
      if (!is_text(octet)) return refuse("A trailer line holds a control character.");
      if (++overhead_ > trailer_bytes_max) return refuse("The trailers are too long.");
      return {};
    case State::trailer_lf:
      if (octet != '\n') return refuse("A trailer line does not end in CR LF.");
      state_ = State::trailer_start;
      return {};
    case State::end_lf:
      if (octet != '\n') return refuse("The body does not end in CR LF.");
      state_ = State::done;
      return {};
    case State::data:
    case State::done:
      break;
  }
  return refuse("The body is malformed.");
}

Result<ChunkedDecoder::Step> ChunkedDecoder::decode(std::span<char> octets) {
  Step step;
  while (step.used < octets.size() && state_ != State::done) {
    if (state_ == State::data) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, octets.size() - step.used));
      std::memmove(octets.data() + step.body_bytes, octets.data() + step.used, count);
      step.body_bytes += count;
      step.used += count;
      remaining_ -= count;
      if (remaining_ == 0) state_ = State::data_cr;
    } else {
      SCHAKEL_CHECK(structure(octets[step.used]));
      ++step.used;
    }
  }
  return step;
}

}  // namespace schakel::http
