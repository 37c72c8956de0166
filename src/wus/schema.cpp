#include "wus/schema.hpp"

#include <libxml/catalog.h>
#include <libxml/globals.h>
#include <libxml/parser.h>
#include <libxml/xmlIO.h>
#include <libxml/xmlerror.h>
#include <libxml/xmlschemas.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <set>

#include "wus/binary_types.hpp"
#include "wus/names.hpp"
#include "wus/schema_documents.hpp"
#include "wus/schema_events.hpp"
#include "wus/schema_patterns.hpp"
#include "wus/trimmed_copy.hpp"

namespace schakel::wus {
namespace {

using Texts = std::map<std::string, std::string, std::less<>>;

// No catalogue of the host says where a schema is: its files are neither read nor, because of OnlyTheseTexts, found missing.
void use_no_catalogues() {
  static const bool done = (xmlCatalogSetDefaults(XML_CATA_ALLOW_NONE), true);
  static_cast<void>(done);
}

// While it lives, everything that libxml2 loads on this thread comes from these texts, nothing can be loaded that is not among them, and
// what libxml2 tells nobody in particular (faults of regular expressions, which it prints) is not told. Other threads are not touched: what
// opens a resource, and who is told, are variables per thread in libxml2.
class OnlyTheseTexts {
 public:
  explicit OnlyTheseTexts(const Texts& texts)
      : former_(xmlParserInputBufferCreateFilenameValue), listener_(xmlStructuredError), listener_context_(xmlStructuredErrorContext) {
    current = &texts;
    xmlParserInputBufferCreateFilenameValue = open;
    xmlSetStructuredErrorFunc(nullptr, ignore);
  }
  ~OnlyTheseTexts() {
    xmlSetStructuredErrorFunc(listener_context_, listener_);
    xmlParserInputBufferCreateFilenameValue = former_;
    current = nullptr;
  }
  OnlyTheseTexts(const OnlyTheseTexts&) = delete;
  OnlyTheseTexts& operator=(const OnlyTheseTexts&) = delete;

 private:
  static xmlParserInputBufferPtr open(const char* address, xmlCharEncoding encoding) {
    const auto found = current->find(std::string_view(address));
    if (found == current->end()) return nullptr;
    return xmlParserInputBufferCreateMem(found->second.data(), static_cast<int>(found->second.size()), encoding);
  }
  static void ignore(void*, xmlErrorPtr) {}

  static thread_local const Texts* current;
  xmlParserInputBufferCreateFilenameFunc former_;
  xmlStructuredErrorFunc listener_;
  void* listener_context_;
};
thread_local const Texts* OnlyTheseTexts::current = nullptr;

struct SchemaDeleter {
  void operator()(xmlSchema* schema) const { xmlSchemaFree(schema); }
};
struct ParserDeleter {
  void operator()(xmlSchemaParserCtxt* context) const { xmlSchemaFreeParserCtxt(context); }
};
struct ValidationDeleter {
  void operator()(xmlSchemaValidCtxt* context) const { xmlSchemaFreeValidCtxt(context); }
};
using CompiledSchema = std::unique_ptr<xmlSchema, SchemaDeleter>;

// The first error of a compilation.
struct CompilationError {
  const SchemaSet* set;
  bool found = false;
  std::string message, place;
};

void on_compilation_error(void* user, xmlErrorPtr error) {
  auto& out = *static_cast<CompilationError*>(user);
  if (error->level < XML_ERR_ERROR || out.found) return;
  out.found = true;
  out.message = error->message == nullptr ? "not valid" : for_log(trim(error->message));
  const auto* node = static_cast<const xmlNode*>(error->node);
  const auto* address = error->file;
  if (node != nullptr && node->doc != nullptr && node->doc->URL != nullptr) address = reinterpret_cast<const char*>(node->doc->URL);
  const auto name = address == nullptr ? std::string() : out.set->name_of(address);
  if (!name.empty()) out.place = name + ":" + std::to_string(error->line);
}

Result<CompiledSchema> compiled(const SchemaSet& set) {
  const std::unique_ptr<xmlSchemaParserCtxt, ParserDeleter> context(
      xmlSchemaNewMemParserCtxt(set.main.data(), static_cast<int>(set.main.size())));
  if (!context) return fail("wus.schema", "no memory for the schema compiler");
  CompilationError error{&set, false, {}, {}};
  xmlSchemaSetParserStructuredErrors(context.get(), on_compilation_error, &error);
  const OnlyTheseTexts only(set.texts);
  CompiledSchema schema(xmlSchemaParse(context.get()));
  if (!schema || error.found) return fail("wus.schema", error.found ? error.message : "the schema is not valid", error.place);
  return schema;
}

// Rules of XML Schema 1.0 Part 1 and Part 2 by libxml2's codes. Its own messages quote values and are never shown (wus.md 3.5).
struct Rule {
  int code;
  std::string_view name, text;
};
constexpr std::array rules = {
    Rule{XML_SCHEMAV_ELEMENT_CONTENT, "cvc-complex-type.2.4", "an element is missing, or stands where it may not"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_2_1, "cvc-complex-type.2.1", "the element must be empty"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_2_2, "cvc-complex-type.2.2", "the element may have no elements in it"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_2_3, "cvc-complex-type.2.3", "the element may have no text between its elements"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_2_4, "cvc-complex-type.2.4", "an element is missing, or stands where it may not"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_3_1, "cvc-complex-type.3.1", "an attribute has not its fixed value"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_3_2_1, "cvc-complex-type.3.2.1", "an attribute is not allowed here"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_3_2_2, "cvc-complex-type.3.2.2", "an attribute is not allowed here"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_4, "cvc-complex-type.4", "a required attribute is missing"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_5_1, "cvc-complex-type.5.1", "the element has two attributes of type ID"},
    Rule{XML_SCHEMAV_CVC_COMPLEX_TYPE_5_2, "cvc-complex-type.5.2", "the element has two attributes of type ID"},
    Rule{XML_SCHEMAV_CVC_PATTERN_VALID, "cvc-pattern-valid", "the value does not match the pattern"},
    Rule{XML_SCHEMAV_CVC_ENUMERATION_VALID, "cvc-enumeration-valid", "the value is none of the allowed ones"},
    Rule{XML_SCHEMAV_CVC_LENGTH_VALID, "cvc-length-valid", "the value has not the length that is laid down"},
    Rule{XML_SCHEMAV_CVC_MINLENGTH_VALID, "cvc-minLength-valid", "the value is too short"},
    Rule{XML_SCHEMAV_CVC_MAXLENGTH_VALID, "cvc-maxLength-valid", "the value is too long"},
    Rule{XML_SCHEMAV_CVC_MININCLUSIVE_VALID, "cvc-minInclusive-valid", "the value is too small"},
    Rule{XML_SCHEMAV_CVC_MAXINCLUSIVE_VALID, "cvc-maxInclusive-valid", "the value is too large"},
    Rule{XML_SCHEMAV_CVC_MINEXCLUSIVE_VALID, "cvc-minExclusive-valid", "the value is too small"},
    Rule{XML_SCHEMAV_CVC_MAXEXCLUSIVE_VALID, "cvc-maxExclusive-valid", "the value is too large"},
    Rule{XML_SCHEMAV_CVC_TOTALDIGITS_VALID, "cvc-totalDigits-valid", "the value has too many digits"},
    Rule{XML_SCHEMAV_CVC_FRACTIONDIGITS_VALID, "cvc-fractionDigits-valid", "the value has too many digits behind the point"},
    Rule{XML_SCHEMAV_CVC_FACET_VALID, "cvc-facet-valid", "the value is outside what its type allows"},
    Rule{XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_1, "cvc-datatype-valid.1.2.1", "the value is none of its type"},
    Rule{XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_2, "cvc-datatype-valid.1.2.2", "an item of the list is none of its type"},
    Rule{XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_3, "cvc-datatype-valid.1.2.3", "the value is of none of the types that are allowed"},
    Rule{XML_SCHEMAV_CVC_TYPE_1, "cvc-type.1", "the type is not known"},
    Rule{XML_SCHEMAV_CVC_TYPE_2, "cvc-type.2", "the type is abstract"},
    Rule{XML_SCHEMAV_CVC_TYPE_3_1_1, "cvc-type.3.1.1", "the element may have no attributes"},
    Rule{XML_SCHEMAV_CVC_TYPE_3_1_2, "cvc-type.3.1.2", "the element may have no elements in it"},
    Rule{XML_SCHEMAV_CVC_ELT_1, "cvc-elt.1", "the element is not declared"},
    Rule{XML_SCHEMAV_CVC_ELT_2, "cvc-elt.2", "the element is abstract"},
    Rule{XML_SCHEMAV_CVC_ELT_3_1, "cvc-elt.3.1", "xsi:nil on an element that is not nillable"},
    Rule{XML_SCHEMAV_CVC_ELT_3_2_1, "cvc-elt.3.2.1", "the element is nil and yet not empty"},
    Rule{XML_SCHEMAV_CVC_ELT_3_2_2, "cvc-elt.3.2.2", "the element is nil and yet has a fixed value"},
    Rule{XML_SCHEMAV_CVC_ELT_4_1, "cvc-elt.4.1", "xsi:type holds no name"},
    Rule{XML_SCHEMAV_CVC_ELT_4_2, "cvc-elt.4.2", "the type that xsi:type names is not known"},
    Rule{XML_SCHEMAV_CVC_ELT_4_3, "cvc-elt.4.3", "the type that xsi:type names may not stand here"},
    Rule{XML_SCHEMAV_CVC_ELT_5_2_2_2_1, "cvc-elt.5.2.2.2.1", "the element has not its fixed value"},
    Rule{XML_SCHEMAV_CVC_ELT_5_2_2_2_2, "cvc-elt.5.2.2.2.2", "the element has not its fixed value"},
    Rule{XML_SCHEMAV_CVC_ATTRIBUTE_3, "cvc-attribute.3", "the value of an attribute is none of its type"},
    Rule{XML_SCHEMAV_CVC_ATTRIBUTE_4, "cvc-attribute.4", "an attribute has not its fixed value"},
    Rule{XML_SCHEMAV_CVC_AU, "cvc-au", "an attribute has not its fixed value"},
    Rule{XML_SCHEMAV_CVC_IDC, "cvc-identity-constraint", "a key, a unique value or a reference to one does not hold"},
    Rule{XML_SCHEMAV_CVC_WILDCARD, "cvc-wildcard", "the element is not declared"},
};

std::string rule_text(int code) {
  const auto found = std::ranges::find(rules, code, &Rule::code);
  if (found == rules.end()) return "the element is not valid";
  return std::string(found->name) + ": " + std::string(found->text);
}

// "/{ns}local[2]/…" from the root that was validated; a position where there are more of the name.
std::string path_below(xml::Element root, xml::Element element) {
  std::vector<std::string> steps;
  for (auto at = element; at; at = at.parent()) {
    std::string step = "/";
    if (!at.namespace_uri().empty()) step.append("{").append(at.namespace_uri()).append("}");
    step.append(at.name());
    if (at == root) {
      steps.push_back(std::move(step));
      break;
    }
    const auto alike = at.parent() ? at.parent().children(at.namespace_uri(), at.name()) : std::vector<xml::Element>{at};
    if (alike.size() > 1) step.append("[").append(std::to_string(std::ranges::find(alike, at) - alike.begin() + 1)).append("]");
    steps.push_back(std::move(step));
  }
  std::string out;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) out += *step;
  return out;
}

// How much processor time this thread has used up since it was made.
class TimeSpent {
 public:
  // Looks at the clock on the wall each time, and only now and then at the one that costs a system call.
  bool over(std::chrono::nanoseconds most) {
    constexpr std::chrono::milliseconds often_enough{5};
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_ < often_enough) return false;
    looked_ = now;
    return processor_time() - began_ > most;
  }

 private:
  static std::chrono::nanoseconds processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  std::chrono::nanoseconds began_ = processor_time();
  std::chrono::steady_clock::time_point looked_ = std::chrono::steady_clock::now();
};

struct Validation {
  xml::Element root;
  const SchemaEvents* events;
  std::vector<Schema::Finding> findings{};
  const xmlNode* last = nullptr;
  bool broken = false;   // something is wrong, whether or not there is room for another finding
  bool stopped = false;  // and the validator cannot go on
  // Values of built-in types with white space around them that were found wrong.
  std::set<const xmlNode*> padded{};
};

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

std::string value_of(const xmlAttr* attribute) {
  const auto uri = attribute->ns == nullptr ? std::string_view() : view(attribute->ns->href);
  return xml::Element(attribute->parent).attribute(uri, view(attribute->name)).value_or("");
}

// How libxml2 names what it speaks of: "Element '{ns}e'", "Element '{ns}e', attribute 'a'".
std::string quoted(const xmlNs* space, const xmlChar* name) {
  std::string out = "'";
  if (space != nullptr) out.append("{").append(view(space->href)).append("}");
  return out.append(view(name)).append("'");
}

// The attribute that an error is about; null: it is about the element itself. libxml2 gives the element for both.
const xmlAttr* attribute_of(const xmlError* error, const xmlNode* element) {
  const auto message = view(reinterpret_cast<const xmlChar*>(error->message));
  const auto start = "Element " + quoted(element->ns, element->name);
  if (!message.starts_with(start + ", attribute ")) return nullptr;
  for (const auto* attribute = element->properties; attribute != nullptr; attribute = attribute->next)
    if (message.starts_with(start + ", attribute " + quoted(attribute->ns, attribute->name) + ":")) return attribute;
  return nullptr;
}

bool has_padded_value(const xmlNode* element, const xmlAttr* attribute) {
  const xml::Element subject(const_cast<xmlNode*>(element));
  if (attribute == nullptr && subject.first_child()) return false;
  const auto text = attribute == nullptr ? subject.text() : value_of(attribute);
  return text != trim(text);
}

void add_finding(Validation& out, xml::Element at, std::string message) {
  out.broken = true;
  if (out.findings.size() < Schema::findings_max) out.findings.push_back({path_below(out.root, at), std::move(message), at.line()});
}

// One finding for each element or attribute: what follows about the same one (that a value which breaks a facet is none of its type) only
// repeats.
void on_validation_error(void* user, xmlErrorPtr error) {
  if (error->level < XML_ERR_ERROR) return;
  auto& out = *static_cast<Validation*>(user);
  out.broken = true;
  const auto at = out.events->at() ? out.events->at() : out.root;
  const auto* attribute = attribute_of(error, at.node());
  const auto* subject = attribute == nullptr ? at.node() : reinterpret_cast<const xmlNode*>(attribute);
  if (error->code == XML_SCHEMAV_INTERNAL) out.stopped = true;  // of patterns: there were too many ways to try
  if (subject == out.last) return;
  out.last = subject;
  if (error->code == XML_SCHEMAV_INTERNAL) return add_finding(out, at, "the element cannot be validated");
  if (error->code == XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_1 && has_padded_value(at.node(), attribute)) out.padded.insert(subject);
  add_finding(out, at, rule_text(error->code));
}

// A text that is too long to be held against a pattern, in the element or in one of its attributes.
bool has_too_long_text(const Patterns& patterns, xml::Element element) {
  for (const auto* attribute = element.node()->properties; attribute != nullptr; attribute = attribute->next)
    if (patterns.may_bind_attribute(view(attribute->name)) && value_of(attribute).size() > patterned_text_bytes_max) return true;
  return !element.first_child() && patterns.may_bind_text(element) && element.text().size() > patterned_text_bytes_max;
}

Validation validated(xmlSchema* schema, const Patterns& patterns, xml::Element element, std::chrono::milliseconds time_max) {
  Validation out{.root = element, .events = nullptr};
  const std::unique_ptr<xmlSchemaValidCtxt, ValidationDeleter> context(xmlSchemaNewValidCtxt(schema));
  bool valid = false;
  if (context) {
    SchemaEvents events(*context);
    out.events = &events;
    xmlSchemaSetValidStructuredErrors(context.get(), on_validation_error, &out);
    const Texts none;
    const OnlyTheseTexts nothing(none);
    TimeSpent time;
    const bool whole = events.tell(element, [&](xml::Element at) {
      const auto stop = [&](std::string why) {
        out.stopped = true;
        add_finding(out, at, std::move(why));
      };
      if (out.stopped) return false;
      if (time.over(time_max))
        stop("the validation takes too long");
      else if (has_too_long_text(patterns, at))
        stop("the text is too long to be held against a pattern");
      return !out.stopped;
    });
    valid = whole && xmlSchemaIsValid(context.get()) == 1;
  }
  if ((!valid || out.broken) && out.findings.empty())
    out.findings.push_back({path_below(element, element), "the element cannot be validated", element.line()});
  return out;
}

// Elements without elements in them, each with its position among all elements from `root` on in document order.
template <class Visit>
void for_each_leaf(xml::Element root, const Visit& visit) {
  std::size_t position = 0;
  auto at = root;
  while (at) {
    auto next = at.first_child();
    if (!next) visit(at, position);
    ++position;
    while (!next && at != root) {
      next = at.next_sibling();
      if (!next) at = at.parent();
    }
    at = next;
  }
}

bool is_base64_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("+/= \t\r\n").find(c) != std::string_view::npos;
  });
}

}  // namespace

struct Schema::State {
  CompiledSchema schema;
  std::set<ExpandedName> elements;  // global ones
  BinaryTypes binary_types;
  Patterns patterns;
};

Schema::Schema(std::unique_ptr<State> state) : state_(std::move(state)) {}
Schema::~Schema() = default;

Result<std::shared_ptr<const Schema>> Schema::compile(const Documents& documents, const std::vector<std::string>& roots) {
  SCHAKEL_TRY(const auto set, arrange_schemas(documents, roots));
  SCHAKEL_TRY(auto patterns, Patterns::of(set.documents));
  use_no_catalogues();
  SCHAKEL_TRY(auto schema, compiled(set));
  std::set<ExpandedName> elements;
  for (const auto& document : set.documents) {
    for (const auto declaration : document.document.root().children(ns::xsd, "element"))
      for (const auto& as : document.namespaces) elements.insert({as, declaration.attribute("", "name").value_or("")});
  }
  auto state = std::make_unique<State>(State{std::move(schema), std::move(elements), BinaryTypes(set.documents), std::move(patterns)});
  return std::shared_ptr<const Schema>(new Schema(std::move(state)));
}

std::vector<Schema::Finding> Schema::validate(xml::Element element, std::chrono::milliseconds time_max) const {
  auto validation = validated(state_->schema.get(), state_->patterns, element, time_max);
  if (!validation.padded.empty() && !validation.stopped) {
    // libxml2 2.9 compares values of xs:date, xs:int and other built-in types without collapsing their white space, as XML Schema Part 2
    // 4.3.6 lays down. Types that keep white space never fail in this way.
    const TrimmedCopy copy(element, validation.padded);
    if (copy.root()) validation = validated(state_->schema.get(), state_->patterns, copy.root(), time_max);
  }
  if (!validation.findings.empty()) return std::move(validation.findings);
  // And it passes over characters that are none of base64 (Part 2 3.2.16).
  for_each_leaf(element, [&](xml::Element leaf, std::size_t) {
    if (!state_->binary_types.holds_binary(leaf) || is_base64_text(leaf.text()) || validation.findings.size() >= findings_max) return;
    validation.findings.push_back({path_below(element, leaf), rule_text(XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_1), leaf.line()});
  });
  return std::move(validation.findings);
}

bool Schema::declares(const ExpandedName& name) const {
  return state_->elements.contains(name);
}

std::vector<std::size_t> Schema::binary_elements(xml::Element root) const {
  std::vector<std::size_t> out;
  for_each_leaf(root, [&](xml::Element leaf, std::size_t position) {
    if (state_->binary_types.holds_binary(leaf)) out.push_back(position);
  });
  return out;
}

}  // namespace schakel::wus
