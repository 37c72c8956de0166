// The WSDL of the two endpoints, put together from one table of operations: types are those of ebms.md 2.10.
#include <array>

#include "facade/soap.hpp"
#include "xml/document.hpp"

namespace schakel::facade {
namespace {

struct Part {
  std::string_view name, type;
  std::string_view occurs = "";  // of the schema; empty: once
};
constexpr std::string_view optional = R"( minOccurs="0")", list = R"( minOccurs="0" maxOccurs="unbounded")";

struct ComplexType {
  std::string_view name;
  std::vector<Part> parts;
};

struct OperationShape {
  std::string_view name;
  std::vector<Part> request, response;
};

std::string elements(const std::vector<Part>& parts) {
  std::string out = "<xs:sequence>";
  for (const auto& part : parts)
    out.append("<xs:element name=\"")
        .append(part.name)
        .append("\" type=\"")
        .append(part.type)
        .append("\"")
        .append(part.occurs)
        .append("/>");
  return out + "</xs:sequence>";
}

std::string enumeration(std::string_view name, std::initializer_list<std::string_view> values) {
  std::string out = "<xs:simpleType name=\"" + std::string(name) + "\"><xs:restriction base=\"xs:string\">";
  for (const auto value : values) out.append("<xs:enumeration value=\"").append(value).append("\"/>");
  return out + "</xs:restriction></xs:simpleType>";
}

std::vector<ComplexType> complex_types(Endpoint endpoint) {
  const std::vector<Part> plain = {
      {"name", "xs:string"}, {"contentId", "xs:string", optional}, {"contentType", "xs:string"}, {"content", "xs:base64Binary"}};
  const std::vector<Part> attached = {{"contentId", "xs:string", optional}, {"attachment", "xs:base64Binary"}};
  return {{"party", {{"partyId", "xs:string"}, {"role", "xs:string", optional}}},
          {"DataSource", endpoint == Endpoint::mtom ? attached : plain},
          {"messageRequestProperties",
           {{"cpaId", "xs:string"},
            {"fromPartyId", "xs:string"},
            {"fromRole", "xs:string"},
            {"toPartyId", "xs:string", optional},
            {"toRole", "xs:string", optional},
            {"service", "xs:string"},
            {"action", "xs:string"},
            {"conversationId", "xs:string", optional},
            {"messageId", "xs:string", optional},
            {"refToMessageId", "xs:string", optional}}},
          {"MessageRequest", {{"properties", "tns:messageRequestProperties"}, {"dataSource", "tns:DataSource", list}}},
          {"messageProperties",
           {{"cpaId", "xs:string"},
            {"fromParty", "tns:party"},
            {"toParty", "tns:party"},
            {"service", "xs:string"},
            {"action", "xs:string"},
            {"timestamp", "xs:dateTime"},
            {"conversationId", "xs:string"},
            {"messageId", "xs:string"},
            {"refToMessageId", "xs:string", optional},
            {"messageStatus", "tns:ebMSMessageStatus"}}},
          {"Message", {{"properties", "tns:messageProperties"}, {"dataSource", "tns:DataSource", list}}},
          {"messageFilter",
           {{"cpaId", "xs:string", optional},
            {"fromParty", "tns:party", optional},
            {"toParty", "tns:party", optional},
            {"service", "xs:string", optional},
            {"action", "xs:string", optional},
            {"conversationId", "xs:string", optional},
            {"messageId", "xs:string", optional},
            {"refToMessageId", "xs:string", optional}}},
          {"messageStatus", {{"timestamp", "xs:dateTime", optional}, {"status", "tns:ebMSMessageStatus"}}},
          {"messageEvent", {{"messageId", "xs:string"}, {"type", "tns:messageEventType"}}},
          {"EbMSMessageServiceException", {{"message", "xs:string", optional}}}};
}

std::vector<OperationShape> operations(Endpoint endpoint) {
  const bool mtom = endpoint == Endpoint::mtom;
  const Part message_id = {"messageId", "xs:string"};
  const std::vector<Part> answered_id = {{"messageId", "xs:string", optional}};
  return {{"ping", {{"cpaId", "xs:string"}, {"fromPartyId", "xs:string"}, {"toPartyId", "xs:string"}}, {}},
          {"sendMessage", {{"message", "tns:MessageRequest"}}, answered_id},
          {"resendMessage", {message_id}, answered_id},
          {"getUnprocessedMessageIds",
           {{"messageFilter", "tns:messageFilter", optional}, {"maxNr", "xs:int", optional}},
           {{mtom ? "messageIds" : "messageId", "xs:string", list}}},
          {"getMessage", {message_id, {"process", "xs:boolean", optional}}, {{"message", "tns:Message", optional}}},
          {"processMessage", {message_id}, {}},
          {"getMessageStatus", {message_id}, {{"messageStatus", "tns:messageStatus", optional}}},
          {"getUnprocessedMessageEvents",
           {{"messageFilter", "tns:messageFilter", optional}, {"eventType", "tns:messageEventType", list}, {"maxNr", "xs:int", optional}},
           {{mtom ? "messageEvents" : "messageEvent", "tns:messageEvent", list}}},
          {"processMessageEvent", {message_id}, {}}};
}

std::string schema(Endpoint endpoint, const std::vector<OperationShape>& shapes) {
  std::string out = "<xs:schema elementFormDefault=\"unqualified\" targetNamespace=\"" + std::string(service_namespace) + "\">";
  const auto wrapper = [&](const std::string& name, const std::vector<Part>& parts) {
    out += "<xs:element name=\"" + name + "\" type=\"tns:" + name + "\"/><xs:complexType name=\"" + name + "\">" + elements(parts) +
           "</xs:complexType>";
  };
  for (const auto& shape : shapes) {
    wrapper(std::string(shape.name), shape.request);
    wrapper(std::string(shape.name) + "Response", shape.response);
  }
  for (const auto& type : complex_types(endpoint))
    out += "<xs:complexType name=\"" + std::string(type.name) + "\">" + elements(type.parts) + "</xs:complexType>";
  out += enumeration("ebMSMessageStatus", {"UNAUTHORIZED", "NOT_RECOGNIZED", "RECEIVED", "PROCESSED", "FORWARDED", "FAILED", "CREATED",
                                           "DELIVERY_FAILED", "DELIVERED", "EXPIRED"});
  out += enumeration("messageEventType", {"RECEIVED", "DELIVERED", "FAILED", "EXPIRED"});
  return out + "<xs:element name=\"EbMSMessageServiceException\" type=\"tns:EbMSMessageServiceException\"/></xs:schema>";
}

}  // namespace

std::string wsdl(Endpoint endpoint, std::string_view address) {
  const auto shapes = operations(endpoint);
  std::string messages, port, binding;
  const auto message = [&](const std::string& name) {
    messages += "<wsdl:message name=\"" + name + "\"><wsdl:part name=\"parameters\" element=\"tns:" + name + "\"/></wsdl:message>";
  };
  for (const auto& shape : shapes) {
    const std::string name(shape.name);
    message(name);
    message(name + "Response");
    port += "<wsdl:operation name=\"" + name + "\"><wsdl:input message=\"tns:" + name + "\"/><wsdl:output message=\"tns:" + name +
            "Response\"/><wsdl:fault name=\"EbMSMessageServiceException\" message=\"tns:EbMSMessageServiceException\"/></wsdl:operation>";
    binding += "<wsdl:operation name=\"" + name +
               "\"><soap:operation soapAction=\"\" style=\"document\"/><wsdl:input><soap:body use=\"literal\"/></wsdl:input><wsdl:output>"
               "<soap:body use=\"literal\"/></wsdl:output><wsdl:fault name=\"EbMSMessageServiceException\"><soap:fault "
               "name=\"EbMSMessageServiceException\" use=\"literal\"/></wsdl:fault></wsdl:operation>";
  }
  message("EbMSMessageServiceException");
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<wsdl:definitions name=\"EbMSMessageService\" targetNamespace=\"" +
         std::string(service_namespace) + "\" xmlns:tns=\"" + std::string(service_namespace) +
         "\" xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\" "
         "xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"><wsdl:types>" +
         schema(endpoint, shapes) + "</wsdl:types>" + messages + "<wsdl:portType name=\"EbMSMessageService\">" + port +
         "</wsdl:portType><wsdl:binding name=\"EbMSMessageServiceSoapBinding\" type=\"tns:EbMSMessageService\"><soap:binding "
         "style=\"document\" transport=\"http://schemas.xmlsoap.org/soap/http\"/>" +
         binding +
         "</wsdl:binding><wsdl:service name=\"EbMSMessageService\"><wsdl:port name=\"EbMSMessagePort\" "
         "binding=\"tns:EbMSMessageServiceSoapBinding\"><soap:address location=\"" +
         xml::escaped(address) + "\"/></wsdl:port></wsdl:service></wsdl:definitions>";
}

}  // namespace schakel::facade
