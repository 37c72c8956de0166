#include "api/refusal.hpp"

#include <algorithm>

namespace schakel::api {

void add_fault(Faults& faults, std::string in, std::string location, std::string code, std::string detail) {
  if (faults.size() < faults_max) faults.push_back({std::move(in), std::move(location), std::move(code), std::move(detail)});
}

Refusal::Refusal(const Error& error) : code(error.code), detail(error.detail) {
  if (error.location.empty()) return;
  if (code == "contract.ambiguous") {  // ADP-305: the location lists the contracts among which the caller must choose
    auto& candidates = members["candidates"] = OrderedJson::array();
    std::string_view rest = error.location;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      candidates.push_back(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return;
  }
  errors.push_back({"body", error.location, error.code, error.detail});
}

Answer<> judge(Faults faults) {
  if (faults.empty()) return {};
  Refusal refusal("request.invalid",
                  faults.size() == 1 ? "Het verzoek bevat een fout." : "Het verzoek bevat " + std::to_string(faults.size()) + " fouten.");
  refusal.errors = std::move(faults);
  return refusal;
}

http::Response to_response(const Refusal& refusal, const std::string& request_id) {
  const bool wrong_input = http::status_of(refusal.code) == 400;
  auto response = http::problem(refusal.code, refusal.detail, request_id,
                                wrong_input ? std::span<const http::FieldError>(refusal.errors) : std::span<const http::FieldError>{});
  for (const auto& [name, value] : refusal.headers) response.headers.set(name, value);
  if (!refusal.members.empty()) {
    auto body = OrderedJson::parse(response.body);
    for (const auto& [name, value] : refusal.members.items()) body[name] = value;
    response.body = body.dump();
  }
  return response;
}

}  // namespace schakel::api
