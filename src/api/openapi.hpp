// The contract of /api/v1 as an OpenAPI 3.0.3 document (REST-039, REST-042, REST-060). One description in openapi.cpp, served as JSON and
// as YAML without login; a test holds it against the routes, both ways.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/refusal.hpp"
#include "http/message.hpp"

namespace schakel::api {

OrderedJson openapi_document();
// Made once.
const std::string& openapi_json();
const std::string& openapi_yaml();

// The answer for `/openapi.json` and `/openapi.yaml` below the base path; nullopt for every other path.
std::optional<http::Response> serve_openapi(const http::Request&, std::string_view path);

// Block style, every text in double quotes (which YAML reads as JSON does).
std::string to_yaml(const OrderedJson&);

}  // namespace schakel::api
