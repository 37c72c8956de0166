// What a partner does to messages of a secured profile, done with the product's own code: signs, encrypts, signs acknowledgements. So the
// node under load meets what it meets in practice, and its figure is that of its whole way.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace schakel::bench {

class Protection {
 public:
  // PEM files: the partner's certificate (the first of `chain`) and key, and the certificate that payloads are encrypted for; an empty
  // name: they are not. Throws std::runtime_error, as every member.
  Protection(const std::string& chain, const std::string& key, const std::string& recipient);
  ~Protection();
  Protection(const Protection&) = delete;
  Protection& operator=(const Protection&) = delete;

  // A multipart body with a root part and one payload, of the load's template with its ids filled in.
  std::string of_message(std::string_view body) const;
  // An acknowledgement with its ids filled in and @REFERENCES@ where those of `message`, a request as it came, belong.
  std::string of_acknowledgement(std::string acknowledgement, std::string_view message) const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
};

}  // namespace schakel::bench
