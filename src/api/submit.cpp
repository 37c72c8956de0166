#include "api/submit.hpp"

#include <mutex>
#include <set>

#include "api/descriptor.hpp"
#include "api/intake.hpp"
#include "exchange/blob.hpp"
#include "exchange/commit.hpp"
#include "http/multipart.hpp"

namespace schakel::api {
namespace {

using ebms::SubmitPayload;
using http::Awaitable;
using http::Response;

constexpr std::size_t labels_max = 16, label_bytes_max = 128;

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_media_type(std::string_view text) {
  const auto printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  const auto slash = text.find('/');
  return printable && slash != std::string_view::npos && slash > 0 && slash + 1 < text.size() && text.front() != ' ';
}

bool is_traceparent(std::string_view text) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != 55 || !text.starts_with("00-")) return false;
  for (std::size_t i = 3; i < text.size(); ++i) {
    const bool dash = i == 35 || i == 52;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return text.substr(3, 32).find_first_not_of('0') != std::string_view::npos &&
         text.substr(36, 16).find_first_not_of('0') != std::string_view::npos;
}

bool is_label_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !name.empty() && name.size() <= 32 && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

void read_labels(Members& members, Faults& faults, std::map<std::string, std::string>& out) {
  const Json* labels = members.object("labels");
  if (labels == nullptr) return;
  if (labels->size() > labels_max) members.fault("labels", "count", "mag ten hoogste 16 labels hebben");
  Members each(*labels, members.pointer("labels"), faults);
  for (const auto& [name, value] : labels->items()) {
    auto text = each.text(name, Need::optional, label_bytes_max, 0);
    if (!is_label_name(name)) {
      each.fault(name.substr(0, 64), "name", "naam van een label: a-z, dan ten hoogste 31 letters en cijfers");
    } else if (text) {
      out.emplace(name, std::move(*text));
    }
  }
}

// EB-067 and adapter.md section 4: an id of the application is an RFC 5322 msg-id without brackets.
std::string read_message_id(Members& members) {
  auto id = members.text("messageId");
  if (!id) return {};
  const bool wrong = !is_visible_ascii(*id) || id->find_first_of("<>") != std::string::npos || id->find('@') == std::string::npos ||
                     id->front() == '@' || id->back() == '@';
  if (wrong) members.fault("messageId", "format", "moet de vorm naam@host hebben, zonder witruimte en punthaken");
  return std::move(*id);
}

std::optional<Duration> read_time_to_live(Members& members, Instant now) {
  const auto text = members.text("timeToLive", Need::optional, 64);
  if (!text) return std::nullopt;
  const auto parsed = parse_xs_duration(*text);
  if (!parsed) {
    members.fault("timeToLive", "format", "geen ISO 8601-tijdsduur");
    return std::nullopt;
  }
  const Duration length = parsed->length_from(now);
  if (parsed->negative || length <= Duration(0)) {
    members.fault("timeToLive", "range", "moet groter dan nul zijn");
    return std::nullopt;
  }
  return length;
}

std::string read_content_type(Members& members, Need need) {
  const auto text = members.text("contentType", need);
  if (text && !is_media_type(*text)) members.fault("contentType", "format", "geen mediatype");
  return text.value_or("");
}

void read_payloads(Members& members, bool with_data, Faults& faults, SubmitFields& out) {
  const Json* list = members.array("payloads", limits::ebms_parts_max - 1);
  if (list == nullptr) return;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Members one((*list)[i], members.pointer("payloads") + "/" + std::to_string(i), faults);
    SubmitPayload payload;
    payload.content_id = one.text("contentId").value_or("");
    if (const auto type = read_content_type(one, with_data ? Need::required : Need::optional); !type.empty()) payload.content_type = type;
    payload.file_name = one.text("fileName").value_or("");
    const bool has_control = std::any_of(payload.file_name.begin(), payload.file_name.end(),
                                         [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (has_control) one.fault("fileName", "format", "bevat besturingstekens");
    if (with_data) {
      const auto text = one.text("data", Need::required, limits::json_bytes_max, 0);
      auto octets = from_base64(text.value_or(""));
      if (!octets) one.fault("data", "format", "geen base64");
      out.data.push_back(octets ? std::move(*octets) : Bytes());
    }
    one.end();
    out.request.payloads.push_back(std::move(payload));
  }
}

// Requests with an Idempotency-Key that run on this node now. Other nodes meet in the database: the second waits for the first and replays
// its answer.
class InProgress {
 public:
  // Holds a key until it is destroyed.
  class Turn {
   public:
    Turn() = default;
    Turn(InProgress& owner, std::string key) : owner_(&owner), key_(std::move(key)) {}
    Turn(Turn&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), key_(std::move(other.key_)) {}
    Turn& operator=(Turn&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(key_, other.key_);
      return *this;
    }
    ~Turn() {
      if (owner_ != nullptr) owner_->leave(key_);
    }

   private:
    InProgress* owner_ = nullptr;
    std::string key_;
  };

  std::optional<Turn> enter(std::string_view tenant, std::string_view key) {
    std::string name = std::string(tenant) + " " + std::string(key);
    const std::lock_guard lock(mutex_);
    if (!keys_.insert(name).second) return std::nullopt;
    return Turn(*this, std::move(name));
  }

 private:
  void leave(const std::string& name) {
    const std::lock_guard lock(mutex_);
    keys_.erase(name);
  }

  std::mutex mutex_;
  std::set<std::string> keys_;
};

Refusal in_progress() {
  Refusal refusal("request.inProgress", "Het eerste verzoek met deze Idempotency-Key wordt nog verwerkt.");
  refusal.headers.set("Retry-After", "1");
  return refusal;
}

Awaitable<Answer<>> take_json(const Office& office, Visit& visit, Faults faults, Taken& taken) {
  const std::size_t bytes_max = office.settings.json_bytes_max;
  auto body = co_await http::read_all(*visit.request.body, bytes_max);
  if (!body && body.error().code == "http.bodyTooLarge")
    co_return body_fault("", "length", "JSON mag ten hoogste " + std::to_string(bytes_max) + " octetten zijn; gebruik multipart/form-data");
  if (!body) co_return Refusal(body.error());
  auto json = read_json(*body);
  if (!json) co_return json.error();
  auto fields = read_submit(*json, true, office.now(), faults);
  if (auto verdict = judge_input(std::move(faults)); !verdict) co_return verdict;
  for (std::size_t i = 0; i < fields.data.size(); ++i) place(office, fields.request.payloads[i], std::move(fields.data[i]), taken);
  taken.request = std::move(fields.request);
  taken.body_sha256 = sha256_hex(*body);
  co_return Answer<>{};
}

// The boundary is not part of what a repetition is compared by: clients draw a new one for every attempt.
void digest_part(Sha256& digest, const http::PartHead& part, std::string_view content_sha256) {
  const std::string file_name = part.file_name.value_or("");
  for (const std::string_view text :
       {std::string_view(part.name), std::string_view(file_name), std::string_view(part.content_type), content_sha256}) {
    digest.update(std::to_string(text.size()) + ":");
    digest.update(text);
  }
}

Awaitable<Answer<Bytes>> read_part(http::MultipartReader& form, std::size_t bytes_max) {
  Bytes out;
  std::vector<char> buffer(64 * limits::KiB);
  for (;;) {
    const auto count = co_await form.read(buffer);
    if (!count) co_return broken_body(count.error());
    if (*count == 0) co_return out;
    out.append(buffer.data(), *count);
    if (out.size() > bytes_max)
      co_return body_fault("", "length", "het deel message mag ten hoogste " + std::to_string(bytes_max) + " octetten zijn");
  }
}

Awaitable<Answer<>> take_payload(const Office& office, http::MultipartReader& form, const http::PartHead& part, SubmitPayload& payload,
                                 std::size_t& bytes_left, Taken& taken) {
  if (payload.content_type == SubmitPayload().content_type && part.headers.find("Content-Type")) payload.content_type = part.content_type;
  if (payload.file_name.empty()) payload.file_name = part.file_name.value_or("");
  co_return co_await take_octets(office, form, payload, bytes_left, taken);
}

Awaitable<Answer<>> take_form(const Office& office, Visit& visit, Faults faults, Taken& taken) {
  auto form = http::MultipartReader::make(*visit.request.headers.find("Content-Type"), *visit.request.body);
  if (!form) co_return broken_body(form.error());
  const auto first = co_await (*form)->next();
  if (!first) co_return broken_body(first.error());
  if (!*first || (*first)->name != "message") co_return body_fault("", "form", "het eerste deel moet message heten");
  auto text = co_await read_part(**form, office.settings.json_bytes_max);
  if (!text) co_return text.error();
  auto json = read_json(*text);
  if (!json) co_return json.error();
  auto fields = read_submit(*json, false, office.now(), faults);
  if (auto verdict = judge_input(std::move(faults)); !verdict) co_return verdict;
  taken.request = std::move(fields.request);
  Sha256 digest;
  digest_part(digest, **first, sha256(*text));
  std::size_t bytes_left = office.settings.message_bytes_max;
  for (std::size_t i = 0;; ++i) {
    const auto part = co_await (*form)->next();
    if (!part) co_return broken_body(part.error());
    if (!*part && i == taken.request.payloads.size()) break;
    if (!*part || i == taken.request.payloads.size())
      co_return body_fault("/payloads", "count", "het aantal delen is niet het aantal payloads");
    if ((*part)->name != "payload") co_return body_fault("/payloads/" + std::to_string(i), "form", "na message heten alle delen payload");
    if (auto done = co_await take_payload(office, **form, **part, taken.request.payloads[i], bytes_left, taken); !done) co_return done;
    digest_part(digest, **part, taken.request.payloads[i].sha256);
  }
  taken.body_sha256 = to_hex(digest.finish());
  co_return Answer<>{};
}

constexpr std::string_view submit_path = "/api/v1/messages";

Response accepted(std::int64_t status, const std::string& location, std::string body) {
  Response response;
  response.status = static_cast<unsigned>(status);
  response.headers.set("Content-Type", "application/json");
  response.headers.set("Location", location);
  response.body = std::move(body);
  return response;
}

// The stored answer of an earlier request with this key; nullopt: the key is new and now ours.
Answer<std::optional<Response>> replay(sql::Transaction& tx, const std::string& tenant, const std::string& key,
                                       const std::string& body_sha256, Instant now) {
  SCHAKEL_TRY(auto stored, exchange::take_idempotency_key(tx, tenant, key, submit_path, body_sha256, now));
  if (!stored) return std::optional<Response>{};
  if (stored->body_sha256 != body_sha256)
    return Refusal("request.idempotencyMismatch", "Deze Idempotency-Key hoort bij een ander verzoek.");
  if (stored->status == 0) return in_progress();
  Response response = accepted(stored->status, stored->location, std::move(stored->body));
  response.headers.set("Idempotency-Replayed", "true");
  return std::optional<Response>(std::move(response));
}

// Everything of a submit in one transaction: key, message, payloads, work, answer.
Answer<Response> store(sql::Transaction& tx, const Office& office, const Taken& taken, const std::string& key) {
  if (!key.empty()) {
    SCHAKEL_TRY(auto earlier, replay(tx, taken.request.tenant, key, taken.body_sha256, office.now()));
    if (earlier) {
      for (const auto& blob : taken.blobs) SCHAKEL_CHECK(exchange::delete_blob(tx, blob));
      return std::move(*earlier);
    }
  }
  SCHAKEL_TRY(const auto message, submit_taken(tx, office, taken));
  SCHAKEL_TRY(const auto payloads, exchange::payloads_of(tx, message.id));
  const std::string location = message_href(message.id);
  std::string body =
      descriptor(message, payloads, office.environment_of(message.tenant)).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  if (!key.empty())
    SCHAKEL_CHECK(exchange::store_answer(tx, taken.request.tenant, key, submit_path, {taken.body_sha256, 202, location, body}));
  return accepted(202, location, std::move(body));
}

// `fromOin` of somebody else is an attempt to act for them: refused and told to the audit log (adapter.md section 4).
Awaitable<Answer<>> check_sender(const Office& office, const Visit& visit, const ebms::SubmitRequest& request) {
  if (request.from_oin.empty()) co_return Answer<>{};
  const auto tenant = office.dependencies.tenant(request.tenant);
  if (!tenant || std::find(tenant->oins.begin(), tenant->oins.end(), request.from_oin) != tenant->oins.end()) co_return Answer<>{};
  const auto done = co_await exchange::commit(office.dependencies.database, [&](sql::Transaction& tx) {
    return audit(tx, office, visit, "message.create", "fromOin " + request.from_oin, nullptr, {{"refused", "tenant.mismatch"}});
  });
  if (!done) co_return Refusal(done.error());
  Refusal refusal("tenant.mismatch", "fromOin hoort niet bij deze tenant.");
  refusal.errors.push_back({"body", "/fromOin", "tenant.mismatch", "hoort niet bij deze tenant"});
  co_return refusal;
}

Awaitable<Answer<Response>> submit(const Office& office, InProgress& in_progress_here, Visit& visit, Faults faults) {
  const auto type = visit.request.headers.find("Content-Type");
  const std::string essence = type ? to_lower(trim(type->substr(0, type->find(';')))) : "";
  const bool is_form = essence == "multipart/form-data";
  if (!is_form && essence != "application/json")
    co_return Refusal("request.mediaType", "Een bericht is application/json of multipart/form-data.");
  const std::string key = read_idempotency_key(visit.request, office.settings.require_idempotency_key, faults);
  InProgress::Turn turn;
  if (!key.empty() && faults.empty()) {
    auto entered = in_progress_here.enter(visit.tenant(), key);
    if (!entered) co_return in_progress();
    turn = std::move(*entered);
  }
  Taken taken;
  Answer<> read;
  if (is_form) {
    read = co_await take_form(office, visit, std::move(faults), taken);
  } else {
    read = co_await take_json(office, visit, std::move(faults), taken);
  }
  if (read) {
    taken.request.tenant = visit.tenant();
    const auto trace = visit.request.headers.find("traceparent");
    if (taken.request.traceparent.empty() && trace && is_traceparent(*trace)) taken.request.traceparent = *trace;
    read = co_await check_sender(office, visit, taken.request);
  }
  if (!read) {
    co_await remove_blobs(office, taken);
    co_return read.error();
  }
  taken.composed = office.dependencies.msh.compose(taken.request);
  auto answer =
      co_await in_unit(office.dependencies.database, Access::write, [&](sql::Transaction& tx) { return store(tx, office, taken, key); });
  if (!answer) co_await remove_blobs(office, taken);
  co_return answer;
}

}  // namespace

SubmitFields read_submit(const Json& json, bool with_data, Instant now, Faults& faults) {
  SubmitFields out;
  auto& request = out.request;
  Members members(json, "", faults);
  const auto text = [&](const char* name) { return members.text(name).value_or(""); };
  request.contract_id = text("contractId");
  request.cpa_id = text("cpaId");
  request.from_oin = read_oin(members, "fromOin");
  request.from_role = text("fromRole");
  request.from_party_id = text("fromPartyId");
  request.to_oin = read_oin(members, "toOin");
  request.to_role = text("toRole");
  request.to_party_id = text("toPartyId");
  request.service = text("service");
  request.service_type = text("serviceType");
  request.action = text("action");
  request.conversation_id = text("conversationId");
  request.message_id = read_message_id(members);
  request.ref_to_message_id = text("refToMessageId");
  request.time_to_live = read_time_to_live(members, now);
  request.not_before = members.instant("notBefore");
  request.traceparent = text("traceparent");
  if (!request.traceparent.empty() && !is_traceparent(request.traceparent)) members.fault("traceparent", "format", "geen W3C traceparent");
  request.force = members.boolean("force").value_or(false);
  read_labels(members, faults, request.labels);
  read_payloads(members, with_data, faults, out);
  members.end();
  return out;
}

std::string read_idempotency_key(const http::Request& request, bool required, Faults& faults) {
  const auto key = request.headers.find("Idempotency-Key");
  if (!key) {
    if (required) add_fault(faults, "header", "Idempotency-Key", "required", "ontbreekt");
    return {};
  }
  if (request.headers.count("Idempotency-Key") > 1) add_fault(faults, "header", "Idempotency-Key", "repeated", "mag maar eens voorkomen");
  if (key->empty() || key->size() > 255 || !is_visible_ascii(*key))
    add_fault(faults, "header", "Idempotency-Key", "format", "1 tot 255 zichtbare ASCII-tekens");
  return std::string(*key);
}

Streaming make_submit(const Office& office) {
  auto in_progress_here = std::make_shared<InProgress>();
  return [&office, in_progress_here](Visit& visit, Faults faults) { return submit(office, *in_progress_here, visit, std::move(faults)); };
}

}  // namespace schakel::api
