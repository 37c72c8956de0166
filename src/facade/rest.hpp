// The operations as REST (ebms.md 2.10). Private to facade/.
#pragma once

#include <vector>

#include "api/router.hpp"
#include "facade/inline_body.hpp"
#include "facade/operations.hpp"

namespace schakel::facade {

// Paths below rest_path. What they get is borrowed for as long as the routes live.
std::vector<api::Route> rest_routes(const Operations&, InlineBytes&);

// The status and the text of a refusal (2.10: "404 unknown id, 400 bad request, 500 otherwise with a text message"). What is about the way
// here keeps its status: login, media type, size, overload. Of the rest: 404, 400 for what the caller can mend, 500.
unsigned text_status(const api::Refusal&);
std::string refusal_text(const api::Refusal&);
http::Response text_response(const api::Refusal&);

}  // namespace schakel::facade
