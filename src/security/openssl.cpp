#include "security/openssl.hpp"

#include <array>
#include <chrono>

namespace schakel::security {

BioPtr reader(BytesView bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

BioPtr writer() {
  return BioPtr(BIO_new(BIO_s_mem()));
}

Bytes written(BIO* bio) {
  char* start = nullptr;
  const long length = BIO_get_mem_data(bio, &start);
  return length <= 0 ? Bytes{} : Bytes(start, static_cast<std::size_t>(length));
}

std::string openssl_error() {
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  if (last == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(last);
  return reason == nullptr ? "error " + std::to_string(ERR_GET_REASON(last)) : reason;
}

Instant instant_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  using namespace std::chrono;
  const sys_days day{year{parts.tm_year + 1900} / month{static_cast<unsigned>(parts.tm_mon + 1)} /
                     std::chrono::day{static_cast<unsigned>(parts.tm_mday)}};
  return Instant{day} + hours{parts.tm_hour} + minutes{parts.tm_min} + seconds{parts.tm_sec};
}

std::time_t seconds_of(Instant instant) {
  return static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(instant).time_since_epoch().count());
}

std::string oid_of(const ASN1_OBJECT* object) {
  std::array<char, 128> text{};
  const int length = OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object, 1);
  return length <= 0 || static_cast<std::size_t>(length) >= text.size() ? std::string{}
                                                                        : std::string(text.data(), static_cast<std::size_t>(length));
}

std::string rfc2253(const X509_NAME* name) {
  const auto out = writer();
  // RFC 2253, but UTF-8 stays UTF-8: a name is read by people.
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  return written(out.get());
}

}  // namespace schakel::security
