// SOAP requests to operations and back, with their attachments. Private to facade/.
#pragma once

#include "api/login.hpp"
#include "facade/inline_body.hpp"
#include "facade/operations.hpp"
#include "facade/soap.hpp"

namespace schakel::facade {

// After the login. Attachments are streamed both ways (XOP); an answer has them on the endpoint with MTOM only.
http::Awaitable<http::Response> answer_soap(const Operations&, InlineBytes&, api::Login&, Endpoint, http::Request&, const api::Principal&);

}  // namespace schakel::facade
