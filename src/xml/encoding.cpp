#include "xml/encoding.hpp"

#include <iconv.h>

#include <array>
#include <cerrno>

#include "base/bytes.hpp"
#include "xml/scan.hpp"

namespace schakel::xml {
namespace {

class Converter {
 public:
  explicit Converter(const std::string& from) : handle_(::iconv_open("UTF-8", from.c_str())) {}
  ~Converter() {
    if (usable()) ::iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  bool usable() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  Result<std::string> convert(std::string_view octets, std::size_t bytes_max) {
    std::string out;
    std::array<char, 16 * 1024> buffer;
    char* in = const_cast<char*>(octets.data());  // iconv's interface; it does not write there
    std::size_t left = octets.size();
    while (left > 0) {
      char* to = buffer.data();
      std::size_t room = buffer.size();
      const auto done = ::iconv(handle_, &in, &left, &to, &room);
      const int why = errno;
      out.append(buffer.data(), buffer.size() - room);
      if (out.size() > bytes_max) return fail("xml.limit", "the document is too large");
      if (done == static_cast<std::size_t>(-1) && why != E2BIG) return fail("xml.encoding", "octets that are not of the declared encoding");
    }
    return out;
  }

 private:
  iconv_t handle_;
};

// Where the XML declaration ends; 0: there is none.
std::size_t declaration_end(std::string_view text) {
  if (!text.starts_with("<?xml") || text.size() < 6 || std::string_view(" \t\r\n").find(text[5]) == std::string_view::npos) return 0;
  const auto end = text.find("?>");
  return end == std::string_view::npos ? 0 : end + 2;
}

// Encodings whose letters of the declaration are those of ASCII, so that it can be read before it is known. UTF-16 needs its mark.
bool is_name(std::string_view charset) {
  for (const char c : charset) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!allowed) return false;
  }
  return !charset.empty() && charset.size() <= 40;  // also keeps out iconv's "//IGNORE"
}

}  // namespace

Result<std::string> to_utf8(std::string_view octets, std::string_view charset, std::size_t bytes_max) {
  if (octets.size() > bytes_max) return fail("xml.limit", "the document is too large");
  std::string encoding;
  if (octets.starts_with("\xEF\xBB\xBF")) {
    octets.remove_prefix(3);
    encoding = "utf-8";
  } else if (octets.starts_with("\xFF\xFE") || octets.starts_with("\xFE\xFF")) {
    encoding = octets.front() == '\xFF' ? "utf-16le" : "utf-16be";
    octets.remove_prefix(2);
  } else if (const auto declared = declared_encoding(octets); !declared.empty()) {
    encoding = to_lower(declared);
  } else {
    encoding = charset.empty() ? "utf-8" : to_lower(charset);
  }
  if (!is_name(encoding)) return fail("xml.encoding", "an encoding with an impossible name");

  std::string text;
  if (encoding == "utf-8" || encoding == "utf8" || encoding == "us-ascii") {
    text = octets;  // the parser looks at every octet
  } else {
    Converter converter(encoding);
    if (!converter.usable()) return fail("xml.encoding", "the encoding " + encoding + " is not known here");
    SCHAKEL_TRY(text, converter.convert(octets, bytes_max));
  }
  // What it declared is no longer true.
  text.erase(0, declaration_end(text));
  return text;
}

}  // namespace schakel::xml
