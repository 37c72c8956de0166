#include "api/json.hpp"

#include <charconv>

#include "base/json.hpp"

namespace schakel::api {
namespace {

constexpr std::int64_t exact_integer_max = 9'007'199'254'740'991;  // 2^53 - 1 (I-JSON)

std::string between(std::int64_t min, std::int64_t max) {
  return "moet tussen " + std::to_string(min) + " en " + std::to_string(max) + " liggen";
}

std::pair<std::string, std::string> words_of(const JsonFault& fault, std::size_t depth_max) {
  using Kind = JsonFault::Kind;
  switch (fault.kind) {
    case Kind::charset:
      return {"charset", "geen UTF-8"};
    case Kind::byte_order_mark:
      return {"syntax", "byte order mark is niet toegestaan"};
    case Kind::syntax:
      return {"syntax", "geen geldige JSON bij octet " + std::to_string(fault.octet)};
    case Kind::number:
      return {"number", "getal buiten bereik bij octet " + std::to_string(fault.octet)};
    case Kind::depth:
      return {"depth", "dieper genest dan " + std::to_string(depth_max)};
    case Kind::duplicate_name:
      return {"duplicateName", "staat er meer dan eens"};
  }
  return {};
}

}  // namespace

Answer<Json> read_json(BytesView text, std::size_t depth_max) {
  std::vector<JsonFault> found;
  if (auto value = read_strict_json(text, found, depth_max)) return std::move(*value);
  Faults faults;
  for (const auto& fault : found) {
    if (fault.kind == JsonFault::Kind::charset) return Refusal("request.unsupportedCharset", "De inhoud is geen UTF-8.");
    const auto [code, detail] = words_of(fault, depth_max);
    add_fault(faults, "body", fault.pointer, code, detail);
  }
  return judge(std::move(faults)).error();
}

Members::Members(const Json& object, std::string pointer, Faults& faults)
    : object_(object), is_object_(object.is_object()), pointer_(std::move(pointer)), faults_(faults) {
  if (!is_object_) add_fault(faults_, "body", pointer_, "type", "moet een object zijn");
}

std::string Members::pointer(std::string_view name) const {
  return pointer_ + "/" + escape_pointer(name);
}

void Members::fault(std::string_view name, std::string code, std::string detail) {
  add_fault(faults_, "body", pointer(name), std::move(code), std::move(detail));
}

bool Members::has(std::string_view name) {
  return find(name, Need::optional) != nullptr;
}

const Json* Members::find(std::string_view name, Need need) {
  if (!is_object_) return nullptr;
  known_.emplace(name);
  const auto found = object_.find(name);
  if (found != object_.end()) return &*found;
  if (need == Need::required) fault(name, "required", "ontbreekt");
  return nullptr;
}

const Json* Members::any(std::string_view name) {
  return find(name, Need::optional);
}

std::optional<std::string> Members::text(std::string_view name, Need need, std::size_t bytes_max, std::size_t bytes_min) {
  const Json* value = find(name, need);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    fault(name, "type", "moet tekst zijn");
    return std::nullopt;
  }
  const auto& content = value->get_ref<const std::string&>();
  if (content.size() < bytes_min || content.size() > bytes_max) {
    fault(name, "length", "lengte moet tussen " + std::to_string(bytes_min) + " en " + std::to_string(bytes_max) + " liggen");
    return std::nullopt;
  }
  return content;
}

std::optional<std::int64_t> Members::integer(std::string_view name, std::int64_t min, std::int64_t max, Need need) {
  const Json* value = find(name, need);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) {
    fault(name, "type", "moet een geheel getal zijn");
    return std::nullopt;
  }
  const bool huge = value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(exact_integer_max);
  const std::int64_t number = huge ? exact_integer_max : value->get<std::int64_t>();
  if (huge || number < -exact_integer_max || number < min || number > max) {
    fault(name, "range", between(min, max));
    return std::nullopt;
  }
  return number;
}

std::optional<bool> Members::boolean(std::string_view name, Need need) {
  const Json* value = find(name, need);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    fault(name, "type", "moet true of false zijn");
    return std::nullopt;
  }
  return value->get<bool>();
}

std::optional<Instant> Members::instant(std::string_view name, Need need) {
  const auto written = text(name, need, 64);
  if (!written) return std::nullopt;
  auto parsed = read_instant(*written);
  if (!parsed) {
    fault(name, "format", "geen RFC 3339-tijdstip met tijdzone");
    return std::nullopt;
  }
  return *parsed;
}

std::optional<std::string> Members::choice(std::string_view name, std::initializer_list<std::string_view> values, Need need) {
  auto written = text(name, need);
  if (!written) return std::nullopt;
  if (std::find(values.begin(), values.end(), *written) != values.end()) return written;
  std::string allowed;
  for (const auto value : values) allowed += (allowed.empty() ? "" : ", ") + std::string(value);
  fault(name, "enum", "moet een zijn van " + allowed);
  return std::nullopt;
}

std::optional<std::vector<std::string>> Members::texts(std::string_view name, std::size_t count_max, Need need, std::size_t bytes_max) {
  const Json* values = array(name, count_max, need);
  if (values == nullptr) return std::nullopt;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < values->size(); ++i) {
    const Json& value = (*values)[i];
    const bool fits =
        value.is_string() && !value.get_ref<const std::string&>().empty() && value.get_ref<const std::string&>().size() <= bytes_max;
    if (!fits) {
      add_fault(faults_, "body", pointer(name) + "/" + std::to_string(i), "type",
                "moet tekst van 1 tot " + std::to_string(bytes_max) + " octetten zijn");
      continue;
    }
    out.push_back(value.get<std::string>());
  }
  return out;
}

const Json* Members::array(std::string_view name, std::size_t count_max, Need need) {
  const Json* value = find(name, need);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    fault(name, "type", "moet een lijst zijn");
    return nullptr;
  }
  if (value->size() > count_max) {
    fault(name, "count", "mag ten hoogste " + std::to_string(count_max) + " elementen hebben");
    return nullptr;
  }
  return value;
}

const Json* Members::object(std::string_view name, Need need) {
  const Json* value = find(name, need);
  if (value == nullptr) return nullptr;
  if (value->is_object()) return value;
  fault(name, "type", "moet een object zijn");
  return nullptr;
}

void Members::end() {
  if (!is_object_) return;
  for (const auto& [name, value] : object_.items()) {
    if (!known_.contains(name)) fault(name.size() > 64 ? name.substr(0, 64) : name, "unknown", "is hier onbekend");
  }
}

Result<Instant> read_instant(std::string_view text) {
  const bool shape =
      text.size() >= 20 && text[10] == 'T' && !text.ends_with("-00:00") && text.find('z') == std::string_view::npos && text[11] <= '2';
  auto parsed = parse_datetime(text);
  if (!shape || !parsed || !parsed->has_zone || text.substr(11, 2) == "24")
    return fail("time.invalid", "geen RFC 3339-tijdstip met tijdzone");
  return parsed->instant;
}

std::optional<std::int64_t> read_digits(std::string_view text) {
  if (text.empty() || text.size() > 15) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return value;
}

}  // namespace schakel::api
