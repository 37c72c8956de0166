// The schemas of the OpenAPI document, as JSON text. Private to api/.
#pragma once

#include <string_view>

namespace schakel::api {

// Each is components.schemas as one JSON object; they are put together in this order.
extern const std::string_view message_schemas;
extern const std::string_view contract_schemas;
extern const std::string_view operation_schemas;

}  // namespace schakel::api
