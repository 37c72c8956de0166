#include "wus/trail_text.hpp"

#include "xmlsecurity/algorithms.hpp"
#include "xmlsecurity/issuer_serial.hpp"

namespace schakel::wus {
namespace {

class Line {
 public:
  void add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (!text_.empty()) text_ += ' ';
    text_.append(name).append("=").append(value);
  }
  // An algorithm by the end of its URI.
  void add_algorithm(std::string_view name, std::string_view uri) { add(name, uri.substr(uri.find('#') + 1)); }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_certificate(Line& line, const security::Certificate& certificate) {
  line.add("signer", certificate->oin.oin);
  line.add("serial", certificate->serial);
}

}  // namespace

std::string address_text(const Addressing& addressing, std::string_view shown_from) {
  Line line;
  line.add("to", addressing.to);
  line.add("from", shown_from);
  return line.take();
}

std::string opened_text(const Opened& opened) {
  if (!opened.signer) return {};
  Line line;
  add_certificate(line, *opened.signer);
  line.add_algorithm("signature", opened.signature_algorithm);
  line.add_algorithm("digest", opened.digest_algorithm);
  line.add_algorithm("cipher", opened.cipher_algorithm);
  line.add_algorithm("transport", opened.transport_algorithm);
  line.add("issuer", xmlsecurity::issuer_name(*opened.signer));
  return line.take();
}

std::string secured_text(const MessageToMake::Protection& protection, const Settings& settings) {
  if (!protection.signer) return {};
  Line line;
  add_certificate(line, protection.signer->certificate());
  line.add_algorithm("signature", xmlsecurity::uri_of(settings.signature_algorithm));
  line.add_algorithm("digest", xmlsecurity::uri_of(settings.digest_algorithm));
  if (protection.recipient) {
    line.add_algorithm("cipher", xmlsecurity::uri_of(settings.encryption_algorithm));
    line.add_algorithm("transport", xmlsecurity::uri_of(xmlsecurity::KeyTransport::rsa_oaep_mgf1p));
  }
  line.add("issuer", xmlsecurity::issuer_name(protection.signer->certificate()));
  return line.take();
}

}  // namespace schakel::wus
