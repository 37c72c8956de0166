#include "wus/dai.hpp"

#include <algorithm>
#include <array>

#include "base/oin.hpp"
#include "wus/names.hpp"
#include "xml/grammar.hpp"

namespace schakel::wus {
namespace {

using xml::Element;

constexpr std::string_view dai_namespace = "http://www.stufstandaarden.nl/koppelvlak/dai0100";
constexpr std::string_view stuf_namespace = "http://www.egem.nl/StUF/StUF0301";
constexpr std::string_view internal_prefix = "urn:dkintern:";
constexpr std::string_view failure_code = "StUF058", failure_text = "Proces voor afhandelen bericht geeft fout";
constexpr std::size_t details_characters_max = 1000;

Error invalid(std::string detail) {
  return fail("dai.invalid", std::move(detail));
}

// --- headers -----------------------------------------------------------------------------------------------------------------------------

bool is_understood(Element block) {
  constexpr std::array<std::string_view, 5> names{"To", "From", "Action", "MessageID", "RelatesTo"};
  return block.namespace_uri() == ns::wsa && std::ranges::find(names, block.name()) != names.end();
}

// SOAP 1.1, 4.2.3: before anything else.
Result<> check_mandatory(const std::vector<Element>& blocks) {
  for (const Element block : blocks) {
    const auto mandatory = block.attribute(ns::soapenv, "mustUnderstand").value_or("0");
    if (mandatory == "0" || (mandatory == "1" && is_understood(block))) continue;
    if (mandatory != "1") return invalid("soapenv:mustUnderstand is neither 0 nor 1");
    return fail("dai.mustUnderstand", "a mandatory header block that is not understood: " + std::string(block.name()));
  }
  return {};
}

// The values of a header, each collapsed; of From that of its Address.
std::vector<std::string> values_of(const std::vector<Element>& blocks, std::string_view name) {
  std::vector<std::string> out;
  for (const Element block : blocks) {
    if (!block.is(ns::wsa, name)) continue;
    const Element holder = name == "From" ? block.child(ns::wsa, "Address") : block;
    out.push_back(holder ? xml::collapsed(holder.text()) : std::string());
  }
  return out;
}

struct Wanted {
  std::string_view name;
  std::string DaiHeaders::*field;
};
constexpr std::array wanted_headers{Wanted{"To", &DaiHeaders::to}, Wanted{"From", &DaiHeaders::from}, Wanted{"Action", &DaiHeaders::action},
                                    Wanted{"MessageID", &DaiHeaders::message_id}};

void take_headers(const std::vector<Element>& blocks, DaiHeaders& headers) {
  for (const auto& wanted : wanted_headers)
    if (auto values = values_of(blocks, wanted.name); values.size() == 1) headers.*wanted.field = std::move(values.front());
}

Result<> check_headers(const std::vector<Element>& blocks, DaiHeaders& headers) {
  SCHAKEL_CHECK(check_mandatory(blocks));
  const auto is_security = [](Element block) { return block.is(ns::wsse, "Security"); };
  if (std::ranges::any_of(blocks, is_security)) return invalid("a wsse:Security header: the adapter signs and encrypts (ADP-114)");
  for (const auto& wanted : wanted_headers) {
    if (values_of(blocks, wanted.name).size() > 1) return invalid("wsa:" + std::string(wanted.name) + " stands twice");
    if ((headers.*wanted.field).empty()) return invalid("wsa:" + std::string(wanted.name) + " is missing");
  }
  if (!is_iri(headers.to)) return invalid("wsa:To is not an IRI");
  if (!is_iri(headers.from)) return invalid("wsa:From is not an IRI");
  headers.message_id = as_iri(headers.message_id);
  if (!is_message_id(headers.message_id)) return invalid("wsa:MessageID cannot be made a URI of at most 512 characters");
  return {};
}

// --- logical addresses -------------------------------------------------------------------------------------------------------------------

// `urn:dkintern:<organisatie>:<applicatie>:<administratie>`, parts from the left; nothing when it begins otherwise.
std::vector<std::string_view> parts_of(std::string_view address) {
  std::vector<std::string_view> parts;
  if (!address.starts_with(internal_prefix)) return parts;
  for (auto rest = address.substr(internal_prefix.size());;) {
    const auto colon = rest.find(':');
    parts.push_back(rest.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    rest.remove_prefix(colon + 1);
  }
}

std::string_view organisation_of(std::string_view address) {
  const auto parts = parts_of(address);
  return parts.empty() ? std::string_view() : parts.front();
}

// `agreed`: by the address that was agreed for the partner, or else by its OIN.
bool is_for(const ServiceContract& contract, std::string_view tenant, const DaiHeaders& headers, bool agreed) {
  if (contract.tenant != tenant || contract.role != Role::consumer || contract.state != exchange::ContractState::active) return false;
  if (!contract.by_action(headers.action)) return false;
  const auto& address = contract.partner_dai_address;
  const bool to_partner = agreed ? headers.to == address : address.empty() && organisation_of(headers.to) == contract.partner_oin;
  const auto from = organisation_of(headers.from);
  return to_partner && (!is_oin(from) || from == contract.own_oin);
}

// --- StUF --------------------------------------------------------------------------------------------------------------------------------

class StufWriter {
 public:
  template <class Inside>
  void element(std::string_view name, const Inside& inside) {
    out_.append("<StUF:").append(name).append(">");
    inside();
    out_.append("</StUF:").append(name).append(">");
  }
  // What is empty is not written, nor what the parser cites of a document that is none.
  void text(std::string_view name, std::string_view value) {
    if (!value.empty() && xml::is_xml_text(value)) element(name, [&] { out_ += xml::escaped(value); });
  }
  void failure(std::string_view details, bool of_client) {
    element("body", [&] {
      text("code", failure_code);
      text("plek", of_client ? "client" : "server");
      text("omschrijving", failure_text);
      text("details", cut(details));
    });
  }
  // `<StUF:name>` as the root of what was written.
  std::string as(std::string_view name) const {
    std::string out("<StUF:");
    out.append(name).append(" xmlns:StUF=\"").append(stuf_namespace).append("\">").append(out_);
    return out.append("</StUF:").append(name).append(">");
  }

 private:
  // At most so many characters; a character of UTF-8 is not cut in two.
  static std::string_view cut(std::string_view utf8) {
    std::size_t characters = 0;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
      if ((static_cast<unsigned char>(utf8[i]) & 0xC0) == 0x80) continue;
      if (characters++ == details_characters_max) return utf8.substr(0, i);
    }
    return utf8;
  }

  std::string out_;
};

// `zender` and `ontvanger` name an application; whoever cannot be told apart further is one as a whole.
void write_receiver(StufWriter& out, std::string_view address) {
  const auto parts = parts_of(address);
  const bool known = parts.size() >= 2 && !parts[1].empty();
  out.element("ontvanger", [&] {
    if (known) out.text("organisatie", parts[0]);
    out.text("applicatie", known ? parts[1] : address.empty() ? std::string_view("onbekend") : address);
    if (known && parts.size() >= 3) out.text("administratie", parts[2]);
  });
}

// Statutory time in the Netherlands, which StUF writes without a zone: an hour ahead of UTC, two between 01:00 UTC on the last Sundays of
// March and October (directive 2000/84/EC).
Instant dutch_time(Instant utc) {
  using namespace std::chrono;
  const auto turn = [year = year_month_day(floor<days>(utc)).year()](month in) { return sys_days(year / in / Sunday[last]) + hours(1); };
  const bool is_summer = utc >= turn(March) && utc < turn(October);
  return utc + hours(is_summer ? 2 : 1);
}

// YYYYMMDDhhmmssmmm
std::string stuf_time(Instant utc) {
  std::string out;
  for (const char c : to_rfc3339(dutch_time(utc)))
    if (c >= '0' && c <= '9') out += c;
  return out;
}

std::string fault(std::string_view code, std::string detail) {
  return fault_element({.code = {std::string(ns::soapenv), std::string(code)},
                        .dk = {},
                        .text = std::string(failure_text),
                        .actor = {},
                        .detail_xml = std::move(detail),
                        .action = {}});
}

std::string_view without_prefix(std::string_view message_id) {
  if (message_id.starts_with(internal_prefix)) message_id.remove_prefix(internal_prefix.size());
  return message_id;
}

}  // namespace

Result<Plain> read_dai_request(std::string_view octets, std::string_view content_type, std::size_t bytes_max, DaiHeaders& headers) {
  auto plain = read_plain(octets, content_type, PlainForm::envelope, bytes_max);
  if (!plain) return invalid(plain.error().code + ": " + plain.error().detail);
  const auto header = plain->document.root().child(ns::soapenv, "Header");
  const auto blocks = header ? header.children() : std::vector<Element>();
  take_headers(blocks, headers);
  SCHAKEL_CHECK(check_headers(blocks, headers));
  SCHAKEL_CHECK(unwrap_dai(*plain));
  return plain;
}

Result<> unwrap_dai(Plain& plain) {
  if (!plain.payload.is(dai_namespace, "bericht")) return invalid("the Body does not hold dai:bericht");
  const auto inside = plain.payload.first_child();
  if (!inside || inside.next_sibling() || plain.payload.has_text()) return invalid("dai:bericht does not hold exactly one element");
  plain.payload = inside;
  return {};
}

std::string dai_envelope(const DaiHeaders& headers, std::string_view payload) {
  const auto blocks = plain_headers({.to = headers.to,
                                     .action = headers.action,
                                     .message_id = headers.message_id,
                                     .relates_to = {},
                                     .from = headers.from,
                                     .reply_to = {},
                                     .fault_to = {}});
  std::string body("<dai:bericht xmlns:dai=\"");
  body.reserve(payload.size() + 128);
  body.append(dai_namespace).append("\">").append(payload).append("</dai:bericht>");
  return plain_envelope(blocks, body);
}

std::string logical_address(std::string_view agreed, std::string_view oin) {
  return agreed.empty() ? std::string(internal_prefix) + std::string(oin) + "::" : std::string(agreed);
}

std::string as_iri(std::string_view message_id) {
  return is_iri(message_id) ? std::string(message_id) : std::string(internal_prefix) + std::string(message_id);
}

Result<std::shared_ptr<const ServiceContract>> contract_for(const Services& services, std::string_view tenant, const DaiHeaders& headers) {
  for (const bool agreed : {true, false}) {
    std::shared_ptr<const ServiceContract> found;
    for (const auto& contract : services.all()) {
      if (!is_for(*contract, tenant, headers, agreed)) continue;
      if (found) return fail("contract.ambiguous", "more than one contract has this wsa:Action, wsa:To and wsa:From");
      found = contract;
    }
    if (found) return found;
  }
  return fail("contract.unknown", "no active contract has this wsa:Action, wsa:To and wsa:From");
}

std::string dai_failure(std::string_view reason, bool of_client) {
  StufWriter out;
  out.element("stuurgegevens", [&] { out.text("berichtcode", "Fo02"); });
  out.failure(reason, of_client);
  return fault(of_client ? "Client" : "Server", out.as("Fo02Bericht"));
}

std::string dai_refusal(const Error& error, const DaiHeaders& headers, std::string_view reference, Instant now) {
  StufWriter out;
  out.element("stuurgegevens", [&] {
    out.text("berichtcode", "Fo03");
    out.element("zender", [&] { out.text("applicatie", "Schakel"); });
    write_receiver(out, headers.from);
    out.text("referentienummer", reference);
    out.text("tijdstipBericht", stuf_time(now));
    out.text("crossRefnummer", without_prefix(headers.message_id));
  });
  out.failure(error.detail, true);
  return fault(error.code == "dai.mustUnderstand" ? "MustUnderstand" : "Client", out.as("Fo03Bericht"));
}

}  // namespace schakel::wus
