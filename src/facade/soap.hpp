// The operations as SOAP 1.1, document/literal wrapped (ebms.md 2.10): a request in the namespace http://www.ordina.nl/ebms/2.18 to an
// Operation, and answers to text. Pure functions; the attachments of MTOM (XOP) go beside them (soap_endpoint.cpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "facade/model.hpp"

namespace schakel::facade {

// `envelope`: UTF-8, at most `bytes_max` octets. Names and ids are texts of at most 1024 octets; what no operation has is refused. Errors:
// "request.invalid", "soap.mustUnderstand", "soap.versionMismatch", and those of xml::Document::parse.
Result<Operation> read_operation(BytesView envelope, std::size_t bytes_max);

// The two endpoints name their lists differently, as those of ebms-core do: `messageIds` and `messageEvents` with MTOM.
enum class Endpoint { plain, mtom };

// What stands before and after the content of <opResponse>.
std::string response_begin(std::string_view operation);
std::string response_end(std::string_view operation);
// `<name>text</name>`; a text that XML cannot carry is shown in plain ASCII.
std::string element(std::string_view name, std::string_view text);
// <properties> of an answer.
std::string properties_element(const exchange::Message&);

// A fault with the detail that ebms-core's WSDL names. `code`: "Client", "Server", "MustUnderstand", "VersionMismatch".
std::string fault_envelope(std::string_view code, std::string_view text);

// What the endpoint at `address` can be asked, for clients that read it before they ask.
std::string wsdl(Endpoint, std::string_view address);

}  // namespace schakel::facade
