// What msg-header-2_0.xsd and the SOAP 1.1 schema say about an envelope, in our tables (EB-042). The tests compare the verdicts with the
// official schemas.
//
// On purpose wider than the schemas: soap:mustUnderstand may be "true" or "false" (EB-041), and inside ds:Signature only the outline is
// checked here: the verifier decides what it accepts.
#include "ebms/envelope.hpp"

namespace schakel::ebms {

namespace {

using xml::AttributeRule;
using xml::ChildRule;
using xml::ElementRule;
using xml::Type;

constexpr std::string_view kNone = "";

AttributeRule id() {
  return {uri::eb, "id", Type::id};
}
AttributeRule version() {
  return {uri::eb, "version", Type::non_empty_string, true};
}
AttributeRule must_understand() {
  return {uri::soap, "mustUnderstand", Type::enumeration, true, {"0", "1", "true", "false"}};
}
ChildRule foreign() {
  return {kNone, "*", 0, -1};
}

std::vector<AttributeRule> header_extension(std::vector<AttributeRule> more = {}) {
  std::vector<AttributeRule> all{id(), version(), must_understand()};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

ElementRule text(std::string_view name, Type type = Type::non_empty_string, std::vector<AttributeRule> attributes = {}) {
  return {.namespace_uri = uri::eb, .name = name, .text = type, .attributes = std::move(attributes), .children = {}};
}

ElementRule structure(std::string_view name, std::vector<AttributeRule> attributes, bool other_attributes,
                      std::vector<ChildRule> children) {
  return {.namespace_uri = uri::eb,
          .name = name,
          .text = Type::none,
          .attributes = std::move(attributes),
          .other_attributes = other_attributes,
          .children = std::move(children)};
}

ChildRule eb(std::string_view name, int min = 1, int max = 1) {
  return {uri::eb, name, min, max};
}

void add_soap(std::vector<ElementRule>& rules) {
  rules.push_back({.namespace_uri = uri::soap,
                   .name = "Envelope",
                   .attributes = {},
                   .other_attributes = true,
                   .children = {{uri::soap, "Header", 0, 1}, {uri::soap, "Body", 1, 1}, foreign()}});
  rules.push_back({.namespace_uri = uri::soap, .name = "Header", .attributes = {}, .other_attributes = true, .children = {foreign()}});
  rules.push_back({.namespace_uri = uri::soap, .name = "Body", .attributes = {}, .other_attributes = true, .children = {foreign()}});
}

void add_header_blocks(std::vector<ElementRule>& rules) {
  rules.push_back(structure("MessageHeader", header_extension(), true,
                            {eb("From"), eb("To"), eb("CPAId"), eb("ConversationId"), eb("Service"), eb("Action"), eb("MessageData"),
                             eb("DuplicateElimination", 0), eb("Description", 0, -1), foreign()}));
  for (const std::string_view party : {"From", "To"}) rules.push_back(structure(party, {}, false, {eb("PartyId", 1, -1), eb("Role", 0)}));
  rules.push_back(text("PartyId", Type::non_empty_string, {{uri::eb, "type", Type::non_empty_string}}));
  rules.push_back(text("Service", Type::non_empty_string, {{uri::eb, "type", Type::non_empty_string}}));
  for (const std::string_view name : {"Role", "CPAId", "ConversationId", "Action", "MessageId", "RefToMessageId"})
    rules.push_back(text(name));
  for (const std::string_view name : {"Timestamp", "TimeToLive"}) rules.push_back(text(name, Type::date_time));
  rules.push_back(structure("MessageData", {}, false, {eb("MessageId"), eb("Timestamp"), eb("RefToMessageId", 0), eb("TimeToLive", 0)}));
  rules.push_back(text("DuplicateElimination", Type::string));
  rules.push_back(text("Description", Type::non_empty_string, {{uri::xml, "lang", Type::token, true}}));
  rules.push_back(structure("SyncReply", header_extension({{uri::soap, "actor", Type::any_uri, true}}), true, {foreign()}));
  rules.push_back(structure("MessageOrder", header_extension(), true, {eb("SequenceNumber"), foreign()}));
  rules.push_back(text("SequenceNumber", Type::integer, {{uri::eb, "status", Type::enumeration, false, {"Reset", "Continue"}}}));
  rules.push_back(structure("AckRequested",
                            header_extension({{uri::soap, "actor", Type::any_uri}, {uri::eb, "signed", Type::boolean, true}}), true,
                            {foreign()}));
  rules.push_back(structure("Acknowledgment", header_extension({{uri::soap, "actor", Type::any_uri}}), true,
                            {eb("Timestamp"), eb("RefToMessageId"), eb("From", 0), {uri::ds, "Reference", 0, -1}}));
  rules.push_back(structure("ErrorList", header_extension({{uri::eb, "highestSeverity", Type::enumeration, true, {"Warning", "Error"}}}),
                            true, {eb("Error", 1, -1), foreign()}));
  rules.push_back(structure("Error",
                            {id(),
                             {uri::eb, "codeContext", Type::any_uri},
                             {uri::eb, "errorCode", Type::non_empty_string, true},
                             {uri::eb, "severity", Type::enumeration, true, {"Warning", "Error"}},
                             {uri::eb, "location", Type::non_empty_string}},
                            true, {eb("Description", 0), foreign()}));
}

void add_body_blocks(std::vector<ElementRule>& rules) {
  rules.push_back(structure("Manifest", {id(), version()}, true, {eb("Reference", 1, -1), foreign()}));
  rules.push_back(structure("Reference",
                            {id(),
                             {uri::xlink, "type", Type::enumeration, false, {"simple"}},
                             {uri::xlink, "href", Type::any_uri, true},
                             {uri::xlink, "role", Type::any_uri}},
                            true, {eb("Schema", 0, -1), eb("Description", 0, -1), foreign()}));
  rules.push_back(
      structure("Schema", {{uri::eb, "location", Type::any_uri, true}, {uri::eb, "version", Type::non_empty_string}}, false, {}));
  rules.push_back(structure("StatusRequest", {id(), version()}, true, {eb("RefToMessageId"), foreign()}));
  rules.push_back(structure(
      "StatusResponse",
      {id(),
       version(),
       {uri::eb, "messageStatus", Type::enumeration, true, {"UnAuthorized", "NotRecognized", "Received", "Processed", "Forwarded"}}},
      true, {eb("RefToMessageId"), eb("Timestamp", 0), foreign()}));
}

void add_signature(std::vector<ElementRule>& rules) {
  const auto ds = [&rules](std::string_view name, std::vector<AttributeRule> attributes, std::vector<ChildRule> children,
                           Type text = Type::none) {
    rules.push_back(
        {.namespace_uri = uri::ds, .name = name, .text = text, .attributes = std::move(attributes), .children = std::move(children)});
  };
  const AttributeRule own_id{kNone, "Id", Type::id}, algorithm{kNone, "Algorithm", Type::any_uri, true};
  ds("Signature", {own_id}, {{uri::ds, "SignedInfo"}, {uri::ds, "SignatureValue"}, {uri::ds, "KeyInfo", 0, 1}, {uri::ds, "Object", 0, -1}});
  ds("SignedInfo", {own_id}, {{uri::ds, "CanonicalizationMethod"}, {uri::ds, "SignatureMethod"}, {uri::ds, "Reference", 1, -1}});
  ds("Reference", {own_id, {kNone, "URI", Type::any_uri}, {kNone, "Type", Type::any_uri}},
     {{uri::ds, "Transforms", 0, 1}, {uri::ds, "DigestMethod"}, {uri::ds, "DigestValue"}});
  ds("Transforms", {}, {{uri::ds, "Transform", 1, -1}});
  ds("SignatureValue", {own_id}, {}, Type::base64);
  ds("DigestValue", {}, {}, Type::base64);
  for (const std::string_view method : {"CanonicalizationMethod", "SignatureMethod", "DigestMethod", "Transform"})
    ds(method, {algorithm}, {}, Type::anything);
  for (const std::string_view open : {"KeyInfo", "Object"})
    rules.push_back(
        {.namespace_uri = uri::ds, .name = open, .text = Type::anything, .attributes = {own_id}, .other_attributes = true, .children = {}});
}

}  // namespace

const xml::Grammar& envelope_grammar() {
  static const xml::Grammar grammar = [] {
    std::vector<ElementRule> rules;
    add_soap(rules);
    add_header_blocks(rules);
    add_body_blocks(rules);
    add_signature(rules);
    return xml::Grammar(std::move(rules));
  }();
  return grammar;
}

}  // namespace schakel::ebms
