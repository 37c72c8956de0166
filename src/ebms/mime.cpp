#include "ebms/mime.hpp"

#include <algorithm>
#include <array>

#include "base/base64_decoder.hpp"

namespace schakel::ebms {

namespace {

bool is_token_char(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u > 0x20 && u < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

std::string_view trim_blank(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Error bad_type(std::string detail) {
  return fail("CONTENT_TYPE_INVALID", std::move(detail));
}
Error bad_mime(std::string detail) {
  return fail("MIME_INVALID", std::move(detail));
}

// One cursor over `; name=value` lists, shared by Content-Type and Content-Disposition.
class ParameterScanner {
 public:
  explicit ParameterScanner(std::string_view rest) : rest_(rest) {}

  // nullopt at the end. An Error when the text is not a parameter list.
  Result<std::optional<std::pair<std::string, std::string>>> next() {
    while (true) {
      rest_ = trim_blank(rest_);
      if (rest_.empty()) return std::optional<std::pair<std::string, std::string>>();
      if (rest_.front() != ';') return bad_type("a parameter must follow a semicolon");
      rest_.remove_prefix(1);
      rest_ = trim_blank(rest_);
      if (!rest_.empty() && rest_.front() != ';') break;
    }
    std::size_t length = 0;
    while (length < rest_.size() && is_token_char(rest_[length])) ++length;
    std::string name = to_lower(rest_.substr(0, length));
    rest_ = trim_blank(rest_.substr(length));
    if (name.empty() || rest_.empty() || rest_.front() != '=') return bad_type("a parameter has no value");
    rest_ = trim_blank(rest_.substr(1));
    SCHAKEL_TRY(std::string value, this->value());
    return std::optional(std::pair(std::move(name), std::move(value)));
  }

 private:
  Result<std::string> value() {
    std::string value;
    if (rest_.empty() || rest_.front() != '"') {
      // Wider than RFC 2045 tokens: real boundaries hold = ? / ( ) without quotes.
      const std::size_t end = std::min(rest_.find_first_of("; \t"), rest_.size());
      value = rest_.substr(0, end);
      rest_.remove_prefix(end);
      return value;
    }
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return value;
      }
      if (rest_[i] == '\\' && i + 1 < rest_.size()) ++i;
      value += rest_[i];
    }
    return bad_type("a quoted value has no end");
  }

  std::string_view rest_;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Content-Transfer-Encoding, undone as octets arrive (EB-025).
class TransferDecoder {
 public:
  enum class Coding { identity, base64, quoted_printable };

  explicit TransferDecoder(Coding coding) : coding_(coding) {}
  Coding coding() const { return coding_; }

  Result<> decode(BytesView in, Bytes& out) { return coding_ == Coding::base64 ? base64(in, out) : quoted_printable(in, out); }

  // White space that quoted-printable still holds back is padding of the transport (RFC 2045 6.7 rule 3); so is a soft line break without
  // its line end.
  Result<> finish() const {
    if (coding_ == Coding::base64 && !base64_.finish()) return bad_mime("base64 ends inside a group");
    if (held_.size() > 1 && held_.front() == '=' && hex_digit(held_[1]) >= 0) return bad_mime("quoted-printable ends inside an escape");
    return {};
  }

 private:
  Result<> base64(BytesView in, Bytes& out) {
    if (const auto decoded = base64_.decode(in, out); !decoded) return bad_mime(decoded.error().detail);
    return {};
  }

  Result<> quoted_printable(BytesView in, Bytes& out) {
    for (const char c : in) {
      if (!held_.empty() && held_.front() == '=') {
        SCHAKEL_CHECK(escape(c, out));
        continue;
      }
      if (c == ' ' || c == '\t') {
        held_ += c;  // may turn out to be trailing
        if (held_.size() > 1024) return bad_mime("a line of quoted-printable is too long");
        continue;
      }
      if (c == '\r' || c == '\n') {
        if (!held_.empty() && held_.front() != '=') held_.clear();
        out += c;
        continue;
      }
      out += held_;
      held_.clear();
      if (c == '=')
        held_ = "=";
      else
        out += c;
    }
    return {};
  }

  // `held_` starts with '=': a hexadecimal pair, or a soft line break with blanks before it.
  Result<> escape(char c, Bytes& out) {
    const bool first = held_.size() == 1;
    if (hex_digit(c) >= 0 && (first || hex_digit(held_[1]) >= 0)) {
      if (first) {
        held_ += c;
        return {};
      }
      out += static_cast<char>(hex_digit(held_[1]) * 16 + hex_digit(c));
      held_.clear();
      return {};
    }
    if (!first && hex_digit(held_[1]) >= 0) return bad_mime("a broken escape in quoted-printable");
    if (c == '\n') {
      held_.clear();
      return {};
    }
    if ((c == ' ' || c == '\t' || c == '\r') && held_.size() < 1024) {
      held_ += c;
      return {};
    }
    return bad_mime("a broken escape in quoted-printable");
  }

  Coding coding_;
  Base64Decoder base64_;
  std::string held_;
};

struct PartHeaders {
  std::string content_id, content_type, file_name;
  std::string transfer_coding;
  bool has_content_id = false, has_content_type = false, has_transfer_coding = false;
};

// Two readings of one part must not differ: a header that decides something stands once.
Result<> once(bool& seen) {
  if (std::exchange(seen, true)) return bad_mime("a header of a part stands twice");
  return {};
}

// EB-236: "null" is what a Java peer writes for no name.
std::string file_name_of(std::string_view disposition) {
  const std::size_t semicolon = disposition.find(';');
  if (semicolon == std::string_view::npos) return {};
  ParameterScanner scanner(disposition.substr(semicolon));
  while (true) {
    auto parameter = scanner.next();
    if (!parameter || !*parameter) return {};
    if ((*parameter)->first != "filename") continue;
    std::string name = std::move((*parameter)->second);
    if (name == "null") return {};
    return name;
  }
}

// Octets that are no UTF-8 are read as Latin-1, so that names can be stored and shown.
std::string as_utf8(std::string text) {
  if (is_valid_utf8(text)) return text;
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | (u >> 6));
      out += static_cast<char>(0x80 | (u & 0x3f));
    }
  }
  return out;
}

Result<> set_header(PartHeaders& headers, std::string_view line) {
  if (line.empty()) return {};
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad_mime("a part header without a colon");
  for (const char c : line)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return bad_mime("a control character in a part header");
  const std::string name = to_lower(trim_blank(line.substr(0, colon)));
  const std::string value = as_utf8(std::string(trim_blank(line.substr(colon + 1))));
  if (name == "content-id") {
    SCHAKEL_CHECK(once(headers.has_content_id));
    headers.content_id = without_brackets(value);
  } else if (name == "content-type") {
    SCHAKEL_CHECK(once(headers.has_content_type));
    headers.content_type = value;
  } else if (name == "content-transfer-encoding") {
    SCHAKEL_CHECK(once(headers.has_transfer_coding));
    headers.transfer_coding = to_lower(value);
  } else if (name == "content-disposition") {
    headers.file_name = file_name_of(value);
  }
  return {};
}

// The header block of one part without its closing empty line: folded lines joined, CRLF or bare LF (EB-030).
Result<PartHeaders> parse_headers(std::string_view block) {
  PartHeaders headers;
  std::string line;
  while (!block.empty()) {
    const std::size_t end = block.find('\n');
    std::string_view raw = block.substr(0, end);
    block = end == std::string_view::npos ? std::string_view() : block.substr(end + 1);
    if (!raw.empty() && raw.back() == '\r') raw.remove_suffix(1);
    if (!raw.empty() && (raw.front() == ' ' || raw.front() == '\t')) {
      line += ' ';
      line += trim_blank(raw);
      continue;
    }
    SCHAKEL_CHECK(set_header(headers, line));
    line = raw;
  }
  SCHAKEL_CHECK(set_header(headers, line));
  return headers;
}

Result<TransferDecoder::Coding> coding_of(std::string_view name) {
  using Coding = TransferDecoder::Coding;
  if (name.empty() || name == "7bit" || name == "8bit" || name == "binary") return Coding::identity;
  if (name == "base64") return Coding::base64;
  if (name == "quoted-printable") return Coding::quoted_printable;
  return bad_mime("unknown Content-Transfer-Encoding");
}

// A delimiter line is "--boundary", then "--" or nothing, then blanks to the line's end. More blanks than this are no transport padding.
constexpr std::size_t delimiter_padding_max = 128;

enum class Delimiter { no, next, last, more_needed };

// What follows "--boundary" in `rest`; `used` counts its octets up to and with the line end.
Delimiter classify_delimiter(std::string_view rest, bool at_end, std::size_t& used) {
  bool last = false;
  if (rest.starts_with("--")) {
    last = true;
    rest.remove_prefix(2);
    used = 2;
  } else if (rest.size() < 2 && !at_end && (rest.empty() || rest == "-")) {
    return Delimiter::more_needed;
  } else {
    used = 0;
  }
  std::size_t i = 0;
  while (i < rest.size() && (rest[i] == ' ' || rest[i] == '\t')) ++i;
  if (i > delimiter_padding_max) return Delimiter::no;
  if (i < rest.size() && rest[i] == '\n') return used += i + 1, last ? Delimiter::last : Delimiter::next;
  if (i + 1 < rest.size() && rest[i] == '\r' && rest[i + 1] == '\n') return used += i + 2, last ? Delimiter::last : Delimiter::next;
  const bool open = i == rest.size() || (i + 1 == rest.size() && rest[i] == '\r');
  if (!open) return Delimiter::no;
  if (!at_end) return Delimiter::more_needed;
  used += rest.size();
  return last ? Delimiter::last : Delimiter::no;  // EB-030: the final CRLF may be missing
}

}  // namespace

std::optional<std::string_view> MediaType::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return std::nullopt;
}

Result<MediaType> parse_media_type(std::string_view text) {
  MediaType media;
  text = trim_blank(text);
  const std::size_t semicolon = std::min(text.find(';'), text.size());
  media.type = to_lower(trim_blank(text.substr(0, semicolon)));
  const std::size_t slash = media.type.find('/');
  const auto all_token = [](std::string_view part) { return !part.empty() && std::all_of(part.begin(), part.end(), is_token_char); };
  if (slash == std::string::npos || !all_token(std::string_view(media.type).substr(0, slash)) ||
      !all_token(std::string_view(media.type).substr(slash + 1)))
    return bad_type("no media type");
  ParameterScanner scanner(text.substr(semicolon));
  while (true) {
    SCHAKEL_TRY(auto parameter, scanner.next());
    if (!parameter) return media;
    if (media.parameter(parameter->first)) return bad_type("a parameter stands twice");
    media.parameters.push_back(std::move(*parameter));
  }
}

struct MimeReader::State {
  enum class Place { preamble, headers, body, epilogue, plain };

  struct Current {
    bool is_root = false;
    Part part;
    TransferDecoder decoder{TransferDecoder::Coding::identity};
    Sha256 digest;
    std::int64_t chunks = 0;
    bool at_start = true;  // no octet of the body was seen yet
  };

  PartSink& sink;
  Limits limits;
  std::string delimiter;  // "\r\n--boundary"
  std::optional<std::string> start;
  Place place = Place::preamble;
  std::size_t total = 0;
  std::size_t part_count = 0;
  bool root_seen = false;
  bool root_complete = false;
  bool root_is_first = true;
  bool preamble_cut = false;  // octets before the window were dropped: its begin is no line start
  std::string window;
  std::string decoded;
  Current current;
  ReceivedRequest request;
  std::vector<std::string> blobs;

  State(PartSink& s, const Limits& l) : sink(s), limits(l) {}

  // Consumes what can be understood; false when more octets are needed (or none can be: `at_end`).
  Result<bool> step(bool at_end) {
    switch (place) {
      case Place::preamble:
        return skip_preamble(at_end);
      case Place::headers:
        return read_headers();
      case Place::body:
        return read_body(at_end);
      case Place::epilogue:
        window.clear();
        return false;
      case Place::plain:
        SCHAKEL_CHECK(take(window));
        window.clear();
        return false;
    }
    return false;
  }

  Result<> run(bool at_end) {
    while (true) {
      SCHAKEL_TRY(const bool more, step(at_end));
      if (!more) return {};
    }
  }

  // The first delimiter stands at the start of the body or after a line end.
  Result<bool> skip_preamble(bool at_end) {
    const std::string_view line = std::string_view(delimiter).substr(2);
    std::size_t from = 0;
    while (true) {
      const std::size_t at = window.find(line, from);
      if (at == std::string::npos) {
        // Keep what may be the beginning of the delimiter, and the octet before it.
        const std::size_t keep = std::min(window.size(), line.size());
        preamble_cut = preamble_cut || keep < window.size();
        window.erase(0, window.size() - keep);
        return false;
      }
      std::size_t used = 0;
      const bool line_start = at == 0 ? !preamble_cut : window[at - 1] == '\n';
      const Delimiter kind =
          line_start ? classify_delimiter(std::string_view(window).substr(at + line.size()), at_end, used) : Delimiter::no;
      if (kind == Delimiter::more_needed) return false;
      if (kind == Delimiter::no) {
        from = at + 1;
        continue;
      }
      window.erase(0, at + line.size() + used);
      SCHAKEL_CHECK(after_delimiter(kind));
      return true;
    }
  }

  Result<> after_delimiter(Delimiter kind) {
    if (kind == Delimiter::last) {
      place = Place::epilogue;
      return {};
    }
    place = Place::headers;
    if (++part_count > limits.parts_max) return bad_mime("more parts than allowed");
    return {};
  }

  Result<bool> read_headers() {
    std::size_t end = std::string::npos, length = 0;
    if (window.starts_with("\r\n")) {
      end = 0, length = 2;
    } else if (window.starts_with("\n")) {
      end = 0, length = 1;
    } else {
      for (std::size_t at = window.find('\n'); at != std::string::npos; at = window.find('\n', at + 1)) {
        const std::string_view after = std::string_view(window).substr(at + 1);
        if (after.starts_with("\r\n")) {
          end = at + 1, length = 2;
        } else if (after.starts_with("\n")) {
          end = at + 1, length = 1;
        } else {
          continue;
        }
        break;
      }
    }
    if (std::min(end, window.size()) > limits.part_header_max) return bad_mime("the header of a part is too large");
    if (end == std::string::npos) return false;
    SCHAKEL_TRY(PartHeaders headers, parse_headers(std::string_view(window).substr(0, end)));
    window.erase(0, end + length);
    SCHAKEL_CHECK(begin_part(std::move(headers)));
    return true;
  }

  Result<> begin_part(PartHeaders headers) {
    SCHAKEL_TRY(const TransferDecoder::Coding coding, coding_of(headers.transfer_coding));
    const bool root = !root_seen && (start ? headers.content_id == *start : part_count == 1);
    current = Current();
    current.is_root = root;
    current.decoder = TransferDecoder(coding);
    place = Place::body;
    if (!root) {
      current.part.content_id = std::move(headers.content_id);
      current.part.content_type = headers.content_type.empty() ? "application/octet-stream" : std::move(headers.content_type);
      current.part.file_name = std::move(headers.file_name);
      return {};
    }
    root_seen = true;
    root_is_first = part_count == 1;
    request.root_content_id = std::move(headers.content_id);
    if (headers.content_type.empty()) return {};
    auto media = parse_media_type(headers.content_type);
    if (!media || media->type != "text/xml") return bad_mime("the root part is not text/xml");
    if (const auto charset = media->parameter("charset")) request.root_charset = std::string(*charset);
    return {};
  }

  Result<bool> read_body(bool at_end) {
    // Zero octets may be written without a CRLF of their own: then the header's end stands in for it.
    const std::string_view line = std::string_view(delimiter).substr(2);
    if (current.at_start) {
      if (window.size() < line.size() && line.starts_with(window) && !at_end) return false;
      if (window.starts_with(line)) {
        std::size_t used = 0;
        const Delimiter kind = classify_delimiter(std::string_view(window).substr(line.size()), at_end, used);
        if (kind == Delimiter::more_needed) return false;
        if (kind != Delimiter::no) return end_body(0, line.size() + used, kind);
      }
    }
    std::size_t from = 0;
    while (true) {
      const std::size_t at = window.find(delimiter, from);
      if (at == std::string::npos) {
        // The tail may be the beginning of a delimiter; it stays.
        const std::size_t keep = std::min(window.size(), delimiter.size() - 1);
        return pass(window.size() - keep);
      }
      std::size_t used = 0;
      const Delimiter kind = classify_delimiter(std::string_view(window).substr(at + delimiter.size()), at_end, used);
      if (kind == Delimiter::more_needed) return pass(at);
      if (kind != Delimiter::no) return end_body(at, at + delimiter.size() + used, kind);
      from = at + 1;
    }
  }

  // Hands the first `count` octets of the window to the part, and waits for more.
  Result<bool> pass(std::size_t count) {
    if (count == 0) return false;
    SCHAKEL_CHECK(take(std::string_view(window).substr(0, count)));
    window.erase(0, count);
    current.at_start = false;
    return false;
  }

  Result<bool> end_body(std::size_t body_end, std::size_t consumed, Delimiter kind) {
    SCHAKEL_CHECK(take(std::string_view(window).substr(0, body_end)));
    window.erase(0, consumed);
    SCHAKEL_CHECK(end_part());
    SCHAKEL_CHECK(after_delimiter(kind));
    return true;
  }

  Result<> take(BytesView octets) {
    if (octets.empty()) return {};
    if (current.decoder.coding() == TransferDecoder::Coding::identity) return keep(octets);
    decoded.clear();
    SCHAKEL_CHECK(current.decoder.decode(octets, decoded));
    return keep(decoded);
  }

  Result<> keep(BytesView octets) {
    if (current.is_root) {
      if (request.root.size() + octets.size() > limits.root_max) return fail("XML_INVALID", "the root part is too large");
      request.root += octets;
      return {};
    }
    Part& part = current.part;
    current.digest.update(octets);
    part.size += static_cast<std::int64_t>(octets.size());
    if (part.blob.empty() && part.octets.size() + octets.size() <= limits.in_memory_max) {
      part.octets += octets;
      return {};
    }
    if (part.blob.empty()) blobs.push_back(part.blob = sink.open());
    while (part.octets.size() + octets.size() >= limits::blob_chunk_bytes) {
      const std::size_t room = limits::blob_chunk_bytes - part.octets.size();
      part.octets += octets.substr(0, room);
      octets.remove_prefix(room);
      sink.append(part.blob, current.chunks++, std::move(part.octets));
      part.octets = {};
    }
    part.octets += octets;
    return {};
  }

  Result<> end_part() {
    if (current.decoder.coding() != TransferDecoder::Coding::identity) SCHAKEL_CHECK(current.decoder.finish());
    if (current.is_root) {
      root_complete = true;
      return {};
    }
    Part& part = current.part;
    if (!part.blob.empty()) {
      if (!part.octets.empty()) sink.append(part.blob, current.chunks++, std::move(part.octets));
      part.octets.clear();
      sink.close(part.blob);
    }
    part.sha256 = to_hex(current.digest.finish());
    request.parts.push_back(std::move(part));
    return {};
  }
};

MimeReader::MimeReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
MimeReader::MimeReader(MimeReader&&) noexcept = default;
MimeReader& MimeReader::operator=(MimeReader&&) noexcept = default;
MimeReader::~MimeReader() = default;

Result<MimeReader> MimeReader::open(std::string_view content_type, PartSink& sink, const Limits& limits) {
  SCHAKEL_TRY(const MediaType media, parse_media_type(content_type));
  auto state = std::make_unique<State>(sink, limits);
  state->limits.in_memory_max = std::min(limits.in_memory_max, limits::blob_chunk_bytes);  // what stays in memory is one chunk later
  if (media.type == "text/xml") {
    if (const auto charset = media.parameter("charset")) state->request.root_charset = std::string(*charset);
    state->place = State::Place::plain;
    state->current.is_root = state->root_seen = true;
    return MimeReader(std::move(state));
  }
  if (media.type != "multipart/related") return bad_type("neither text/xml nor multipart/related");
  if (const auto type = media.parameter("type"); type && to_lower(*type) != "text/xml")
    return bad_type("the type parameter is not text/xml");
  const auto boundary = media.parameter("boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) return bad_mime("no boundary, or a boundary of more than 70 characters");
  state->delimiter = "\r\n--" + std::string(*boundary);
  if (const auto start = media.parameter("start")) state->start = std::string(without_brackets(*start));
  return MimeReader(std::move(state));
}

Result<> MimeReader::feed(BytesView octets) {
  State& s = *state_;
  s.total += octets.size();
  if (s.total > s.limits.request_max) return fail("http.bodyTooLarge", "the request is larger than the limit");
  // In slices, so that the window stays small whatever the caller hands over.
  constexpr std::size_t slice = 64 * limits::KiB;
  for (; !octets.empty(); octets.remove_prefix(std::min(slice, octets.size()))) {
    s.window += octets.substr(0, slice);
    SCHAKEL_CHECK(s.run(false));
  }
  return {};
}

Result<ReceivedRequest> MimeReader::finish() {
  State& s = *state_;
  SCHAKEL_CHECK(s.run(true));
  if (s.place != State::Place::epilogue && s.place != State::Place::plain) return bad_mime("the closing delimiter is missing");
  if (!s.root_seen) return bad_mime(s.start ? "start names no part" : "there is no root part");
  return std::move(s.request);
}

const ReceivedRequest* MimeReader::root() const {
  return state_->root_complete ? &state_->request : nullptr;
}

bool MimeReader::root_is_first() const {
  return state_->root_is_first;
}

const std::vector<std::string>& MimeReader::blobs() const {
  return state_->blobs;
}

std::string_view without_brackets(std::string_view content_id) {
  content_id = trim_blank(content_id);
  if (content_id.size() >= 2 && content_id.front() == '<' && content_id.back() == '>')
    content_id = trim_blank(content_id.substr(1, content_id.size() - 2));
  return content_id;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string wire_file_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto u = static_cast<unsigned char>(c);
    if ((u & 0xc0) == 0x80) continue;  // the rest of a character that was replaced
    out += u < 0x20 || u >= 0x7f || c == '"' || c == '\\' ? '_' : c;
  }
  return out;
}

bool is_wire_content_id(std::string_view id) {
  if (id.size() < 3 || id.size() > 255) return false;
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '@';
  };
  if (!std::all_of(id.begin(), id.end(), allowed)) return false;
  const std::size_t at = id.find('@');
  return at != std::string_view::npos && at != 0 && at + 1 != id.size() && id.find('@', at + 1) == std::string_view::npos;
}

std::string make_boundary(Random& random) {
  std::array<unsigned char, 16> bits{};
  random.fill(bits);
  return "b-" + to_hex(BytesView(reinterpret_cast<const char*>(bits.data()), bits.size()));
}

std::string multipart_content_type(std::string_view boundary, std::string_view root_content_id) {
  std::string out = "multipart/related; boundary=\"";
  out.append(boundary).append("\"; type=\"text/xml\"; start=\"<").append(root_content_id).append(">\"");
  return out;
}

std::vector<exchange::Piece> multipart_body(std::string_view boundary, std::string_view root_content_id, Bytes root,
                                            const std::vector<exchange::Payload>& payloads, std::vector<Bytes> octets) {
  std::vector<exchange::Piece> pieces;
  const auto literal = [&pieces](Bytes text) {
    const auto size = static_cast<std::int64_t>(text.size());
    if (!pieces.empty() && pieces.back().blob.empty()) {
      pieces.back().octets += text;
      pieces.back().size += size;
    } else {
      pieces.push_back({std::move(text), {}, size});
    }
  };
  if (payloads.empty()) {
    literal(std::move(root));
    return pieces;
  }
  Bytes head = "--";
  head.append(boundary).append("\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <").append(root_content_id).append(">\r\n\r\n");
  head += root;
  literal(std::move(head));
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const exchange::Payload& payload = payloads[i];
    Bytes between = "\r\n--";
    between.append(boundary)
        .append("\r\nContent-Type: ")
        .append(payload.content_type)
        .append("\r\nContent-ID: <")
        .append(payload.content_id)
        .append(">\r\n");
    if (!payload.file_name.empty())
      between.append("Content-Disposition: attachment; filename=\"").append(wire_file_name(payload.file_name)).append("\"\r\n");
    between += "\r\n";
    literal(std::move(between));
    if (payload.size == 0) continue;
    if (i < octets.size() && octets[i].size() == static_cast<std::size_t>(payload.size))
      literal(std::move(octets[i]));
    else
      pieces.push_back({{}, payload.blob, payload.size});
  }
  Bytes tail = "\r\n--";
  tail.append(boundary).append("--\r\n");
  literal(std::move(tail));
  return pieces;
}

std::uint64_t body_bytes(const std::vector<exchange::Piece>& pieces) {
  std::uint64_t total = 0;
  for (const exchange::Piece& piece : pieces) total += static_cast<std::uint64_t>(piece.size);
  return total;
}

}  // namespace schakel::ebms
