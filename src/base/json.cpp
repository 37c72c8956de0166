#include "base/json.hpp"

namespace schakel {
namespace {

using nlohmann::json;
using Kind = JsonFault::Kind;

constexpr std::size_t faults_max = 100;  // REST-065

// Builds the value, notes repeated names with their pointers, stops at the depth limit.
class Builder final : public nlohmann::json_sax<json> {
 public:
  Builder(std::vector<JsonFault>& faults, std::size_t depth_max) : depth_max_(depth_max), faults_(faults) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool v) override { return put(v); }
  bool number_integer(number_integer_t v) override { return put(v); }
  bool number_unsigned(number_unsigned_t v) override { return put(v); }
  bool number_float(number_float_t v, const string_t&) override { return put(v); }
  bool string(string_t& v) override { return put(std::move(v)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool key(string_t& name) override {
    Level& level = open_.back();
    if (level.value->contains(name)) note({Kind::duplicate_name, pointer() + "/" + escape_pointer(name), 0});
    level.name = std::move(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    // Number 406: a number outside IEEE double. The library's own sentence quotes input and stays inside.
    note({error.id == 406 ? Kind::number : Kind::syntax, {}, position});
    return false;
  }

  json take() { return std::move(root_); }

 private:
  struct Level {
    json* value;
    std::string name;
  };

  template <class Value>
  bool put(Value&& value) {
    place(json(std::forward<Value>(value)));
    return true;
  }

  json* place(json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = open_.back();
    if (level.value->is_array()) {
      level.value->push_back(std::move(value));
      return &level.value->back();
    }
    json& member = (*level.value)[level.name];
    member = std::move(value);
    return &member;
  }

  bool open(json&& value) {
    if (open_.size() == depth_max_) {
      note({Kind::depth, pointer(), 0});
      return false;
    }
    json* placed = place(std::move(value));
    open_.push_back({placed, {}});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  void note(JsonFault fault) {
    if (faults_.size() < faults_max) faults_.push_back(std::move(fault));
  }

  // The container that is open now.
  std::string pointer() const {
    std::string out;
    for (std::size_t i = 0; i + 1 < open_.size(); ++i) {
      const Level& level = open_[i];
      out += "/";
      out += level.value->is_array() ? std::to_string(level.value->size() - 1) : escape_pointer(level.name);
    }
    return out;
  }

  std::size_t depth_max_;
  json root_;
  std::vector<Level> open_;
  std::vector<JsonFault>& faults_;
};

}  // namespace

std::string escape_pointer(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string describe(const JsonFault& fault) {
  switch (fault.kind) {
    case Kind::charset:
      return "the text is not UTF-8";
    case Kind::byte_order_mark:
      return "a byte order mark is not allowed";
    case Kind::syntax:
      return "not JSON at octet " + std::to_string(fault.octet);
    case Kind::number:
      return "a number is out of range at octet " + std::to_string(fault.octet);
    case Kind::depth:
      return "the text is nested too deeply";
    case Kind::duplicate_name:
      return "the member " + for_log(fault.pointer) + " occurs more than once";
  }
  return {};
}

std::optional<json> read_strict_json(BytesView text, std::vector<JsonFault>& faults, std::size_t depth_max) {
  const auto before = faults.size();
  if (!is_valid_utf8(text)) {
    faults.push_back({Kind::charset, {}, 0});
    return std::nullopt;
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    faults.push_back({Kind::byte_order_mark, {}, 0});
    return std::nullopt;
  }
  Builder builder(faults, depth_max);
  if (!json::sax_parse(text.begin(), text.end(), &builder) || faults.size() > before) return std::nullopt;
  return builder.take();
}

}  // namespace schakel
