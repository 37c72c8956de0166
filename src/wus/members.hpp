// JSON objects member by member, in both directions: one function that names the members of a value reads it with a MemberReader and
// writes it with a MemberWriter.
//
// The reader notes every fault at once, as an Error "contract.settings" whose location is a JSON Pointer; what is absent keeps the value
// that it had, what was not asked for is a fault.
#pragma once

#include <charconv>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/json.hpp"
#include "base/json_library.hpp"
#include "base/time.hpp"
#include "wus/fault.hpp"

namespace schakel::wus {

// One value of an enumeration and its word.
template <class Value>
struct Word {
  Value value;
  std::string_view text;
};
template <class Value>
using Words = std::initializer_list<Word<std::type_identity_t<Value>>>;

class MemberReader {
 public:
  using Json = nlohmann::json;

  MemberReader(const Json& object, std::string pointer, std::vector<Error>& faults)
      : object_(object), pointer_(std::move(pointer)), faults_(faults) {
    if (!object.is_object()) faults.push_back(fail("contract.settings", "must be an object", pointer_));
  }

  static constexpr bool reads = true;

  template <class Value>
  void choice(std::string_view name, Value& field, Words<Value> words) {
    const auto* json = find(name);
    if (!json) return;
    for (const auto& word : words)
      if (json->is_string() && json->get_ref<const std::string&>() == word.text) {
        field = word.value;
        return;
      }
    std::string known;
    for (const auto& word : words) known.append(known.empty() ? "" : ", ").append(word.text);
    fault(name, "must be one of " + known);
  }

  void flag(std::string_view name, bool& field) {
    const auto* json = find(name);
    if (!json) return;
    if (json->is_boolean())
      field = json->get<bool>();
    else
      fault(name, "must be true or false");
  }

  void number(std::string_view name, std::size_t& field, std::size_t min, std::size_t max) {
    if (const auto value = integer(name, min, max)) field = *value;
  }

  // A whole number of seconds.
  void seconds(std::string_view name, std::chrono::seconds& field, std::chrono::seconds min, std::chrono::seconds max) {
    const auto value = integer(name, static_cast<std::size_t>(min.count()), static_cast<std::size_t>(max.count()));
    if (value) field = std::chrono::seconds(*value);
  }

  // "30s", "24h" (README section 10).
  template <class Field>
  void duration(std::string_view name, Field& field, std::type_identity_t<Field> min, std::type_identity_t<Field> max) {
    const auto* json = find(name);
    if (!json) return;
    const auto value = json->is_string() ? parse_duration(json->get_ref<const std::string&>()) : Result<Duration>(fail("time.invalid", ""));
    if (value && *value >= min && *value <= max)
      field = std::chrono::duration_cast<Field>(*value);
    else
      fault(name, "must be a duration from " + text_of(min) + " to " + text_of(max));
  }

  void instant(std::string_view name, std::optional<Instant>& field) {
    const auto* json = find(name);
    if (!json) return;
    const auto value =
        json->is_string() ? parse_datetime(json->get_ref<const std::string&>()) : Result<ParsedTime>(fail("time.invalid", ""));
    if (value && value->has_zone)
      field = value->instant;
    else
      fault(name, "must be a time with its zone, for instance 2026-05-04T00:00:00Z");
  }

  void text(std::string_view name, std::string& field, std::size_t bytes_max = 1024) {
    const auto* json = find(name);
    if (!json) return;
    if (is_text(*json, bytes_max))
      field = json->get<std::string>();
    else
      fault(name, "must be a text of 1 to " + std::to_string(bytes_max) + " octets");
  }

  template <class Texts>
  void texts(std::string_view name, Texts& field, std::size_t count_max, std::size_t bytes_max = 1024) {
    field = {};
    each(name, count_max, [&](const Json& json, const std::string& pointer) {
      if (is_text(json, bytes_max))
        field.insert(field.end(), json.get<std::string>());
      else
        faults_.push_back(fail("contract.settings", "must be a text of 1 to " + std::to_string(bytes_max) + " octets", pointer));
    });
  }

  // Visits every item of an array with its pointer.
  template <class Visit>
  void each(std::string_view name, std::size_t count_max, const Visit& visit) {
    const auto* json = find(name);
    if (!json) return;
    if (!json->is_array() || json->size() > count_max) return fault(name, "must be an array of at most " + std::to_string(count_max));
    for (std::size_t i = 0; i < json->size(); ++i) visit((*json)[i], pointer_of(name) + "/" + std::to_string(i));
  }

  // Visits an object's members with a reader of their own.
  template <class Visit>
  void object(std::string_view name, const Visit& visit) {
    const auto* json = find(name);
    if (!json) return;
    MemberReader inner(*json, pointer_of(name), faults_);
    visit(inner);
    inner.end();
  }

  // Visits every member of an object, whatever its name, with its pointer.
  template <class Visit>
  void each_member(std::string_view name, std::size_t count_max, const Visit& visit) {
    const auto* json = find(name);
    if (!json) return;
    if (!json->is_object() || json->size() > count_max)
      return fault(name, "must be an object of at most " + std::to_string(count_max) + " members");
    for (const auto& [key, value] : json->items()) visit(key, value, pointer_of(name) + "/" + escape_pointer(key));
  }

  bool has(std::string_view name) { return find(name) != nullptr; }
  void require(std::string_view name) {
    if (!has(name)) fault(name, "is missing");
  }
  void fault(std::string_view name, std::string detail) {
    faults_.push_back(fail("contract.settings", std::move(detail), pointer_of(name)));
  }
  std::string pointer_of(std::string_view name) const { return pointer_ + "/" + escape_pointer(name); }

  // Members that nobody asked for. Once, last.
  void end() {
    if (!object_.is_object()) return;
    for (const auto& [name, value] : object_.items())
      if (!known_.contains(name)) fault(name, "is not known");
  }

  static std::string text_of(Duration duration) {
    using namespace std::chrono;
    if (duration % hours(1) == Duration::zero() && duration != Duration::zero()) return std::to_string(duration / hours(1)) + "h";
    if (duration % std::chrono::seconds(1) == Duration::zero()) return std::to_string(duration / std::chrono::seconds(1)) + "s";
    return std::to_string(duration / milliseconds(1)) + "ms";
  }

 private:
  const Json* find(std::string_view name) {
    known_.emplace(name);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(std::string(name));
    return found == object_.end() ? nullptr : &*found;
  }

  std::optional<std::size_t> integer(std::string_view name, std::size_t min, std::size_t max) {
    const auto* json = find(name);
    if (!json) return std::nullopt;
    const bool is_natural = json->is_number_unsigned() || (json->is_number_integer() && json->get<std::int64_t>() >= 0);
    if (is_natural && json->get<std::uint64_t>() >= min && json->get<std::uint64_t>() <= max) return json->get<std::size_t>();
    fault(name, "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
  }

  static bool is_text(const Json& json, std::size_t bytes_max) {
    return json.is_string() && !json.get_ref<const std::string&>().empty() && json.get_ref<const std::string&>().size() <= bytes_max;
  }

  const Json& object_;
  std::string pointer_;
  std::vector<Error>& faults_;
  std::set<std::string, std::less<>> known_;
};

// Writes what a MemberReader reads. Empty texts, lists and times are left out.
class MemberWriter {
 public:
  using Json = nlohmann::json;

  static constexpr bool reads = false;

  template <class Value>
  void choice(std::string_view name, const Value& field, Words<Value> words) {
    for (const auto& word : words)
      if (word.value == field) out_[std::string(name)] = word.text;
  }
  void flag(std::string_view name, bool field) { out_[std::string(name)] = field; }
  void number(std::string_view name, std::size_t field, std::size_t, std::size_t) { out_[std::string(name)] = field; }
  void seconds(std::string_view name, std::chrono::seconds field, std::chrono::seconds, std::chrono::seconds) {
    out_[std::string(name)] = field.count();
  }
  template <class Field>
  void duration(std::string_view name, const Field& field, std::type_identity_t<Field>, std::type_identity_t<Field>) {
    out_[std::string(name)] = MemberReader::text_of(field);
  }
  void instant(std::string_view name, const std::optional<Instant>& field) {
    if (field) out_[std::string(name)] = to_rfc3339(*field);
  }
  void text(std::string_view name, const std::string& field, std::size_t = 0) {
    if (!field.empty()) out_[std::string(name)] = field;
  }
  template <class Texts>
  void texts(std::string_view name, const Texts& field, std::size_t, std::size_t = 0) {
    if (!field.empty()) out_[std::string(name)] = field;
  }
  template <class Visit>
  void object(std::string_view name, const Visit& visit) {
    MemberWriter inner;
    visit(inner);
    if (!inner.out_.empty()) out_[std::string(name)] = std::move(inner.out_);
  }
  void put(std::string_view name, Json value) { out_[std::string(name)] = std::move(value); }

  Json take() { return std::move(out_); }

 private:
  Json out_ = Json::object();
};

}  // namespace schakel::wus
