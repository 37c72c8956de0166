// A WUS service offered by one organisation and called by another, directly and through an intermediary: what its tests share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <mutex>
#include <thread>

#include "integration/partner.hpp"
#include "integration/world.hpp"

namespace schakel::integration {

inline constexpr std::string_view wus_types = "http://wus.aanbieder.example/xsd/inschrijving-v1";
inline constexpr std::string_view wus_wsdl = "http://wus.aanbieder.example/wsdl/inschrijving-v1";

inline std::filesystem::path sample_service() {
  return std::filesystem::path(SCHAKEL_SOURCE_DIR) / ".." / "shared" / "standards" / "wus" / "sample-service";
}

inline std::string question(const std::string& number) {
  return "<v:vraagInschrijving xmlns:v=\"" + std::string(wus_types) + "\"><v:inschrijfnummer>" + number +
         "</v:inschrijfnummer></v:vraagInschrijving>";
}
inline std::string answer(const std::string& number, const std::string& name = "Bakkerij &amp; Zoon é") {
  return "<vraagInschrijvingResponse xmlns=\"" + std::string(wus_types) + "\"><inschrijfnummer>" + number + "</inschrijfnummer><naam>" +
         name +
         "</naam><status>ACTIEF</status><opmerking xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"></opmerking>"
         "</vraagInschrijvingResponse>";
}
inline std::string notice(const std::string& attachment) {
  return "<meldWijziging xmlns=\"" + std::string(wus_types) +
         "\"><inschrijfnummer>12345678</inschrijfnummer><omschrijving>verhuizing</omschrijving><bijlage>" + to_base64(attachment) +
         "</bijlage></meldWijziging>";
}

inline std::string envelope(const std::string& header_blocks, const std::string& body) {
  return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:a=\"http://www.w3.org/2005/08/addressing\"><s:Header>" +
         header_blocks + "</s:Header><s:Body>" + body + "</s:Body></s:Envelope>";
}
inline std::string in_dai(const std::string& element) {
  return "<d:bericht xmlns:d=\"http://www.stufstandaarden.nl/koppelvlak/dai0100\">" + element + "</d:bericht>";
}

// An application behind the provider: answers as it is told, and remembers what it was asked. On bare sockets, because our own listeners
// take Schakel-… headers away.
class Backend {
 public:
  struct Asked {
    std::string head, body;
    std::string header(const std::string& name) const {
      const auto at = head.find("\r\n" + name + ": ");
      if (at == std::string::npos) return {};
      const auto begin = at + name.size() + 4;
      return head.substr(begin, head.find("\r\n", begin) - begin);
    }
  };
  Backend() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 64) != 0)
      throw std::runtime_error("no port for the back-end");
    socklen_t length = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~Backend() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/dienst"; }
  void answers(unsigned status, std::string content_type, std::string body) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    content_type_ = std::move(content_type);
    body_ = std::move(body);
  }
  void answers(std::string body) { answers(200, "application/xml", std::move(body)); }
  // As a back-end of this mode does (wus.md 3.7).
  void answers_in(const std::string& mode, const std::string& element) {
    if (mode == "xml") return answers(element);
    answers(200, "text/xml", envelope("", mode == "dai" ? in_dai(element) : element));
  }
  // Before each answer from now on.
  void waits(std::chrono::milliseconds time) {
    const std::lock_guard lock(mutex_);
    wait_ = time;
  }
  std::vector<Asked> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  Asked last() {
    const auto all = asked();
    return all.empty() ? Asked{} : all.back();
  }

 private:
  void accept_all() {
    for (;;) {
      const int peer = ::accept(listener_, nullptr, nullptr);
      if (peer < 0) return;
      serve(peer);
      ::close(peer);
    }
  }
  // One request per connection.
  void serve(int peer) {
    std::string text;
    std::array<char, 64 * 1024> buffer;
    std::size_t head = std::string::npos, wanted = std::string::npos;
    while (text.size() < wanted) {
      const auto count = ::read(peer, buffer.data(), buffer.size());
      if (count <= 0) return;
      text.append(buffer.data(), static_cast<std::size_t>(count));
      if (head == std::string::npos && (head = text.find("\r\n\r\n")) != std::string::npos)
        wanted = head + 4 + std::stoul("0" + Asked{text.substr(0, head + 2), {}}.header("Content-Length"));
    }
    std::string reply;
    std::chrono::milliseconds wait{0};
    {
      const std::lock_guard lock(mutex_);
      wait = wait_;
      asked_.push_back({text.substr(0, head + 2), text.substr(head + 4)});
      reply = "HTTP/1.1 " + std::to_string(status_) + " X\r\nContent-Type: " + content_type_ +
              "\r\nContent-Length: " + std::to_string(body_.size()) + "\r\nConnection: close\r\n\r\n" + body_;
    }
    std::this_thread::sleep_for(wait);
    for (std::size_t sent = 0; sent < reply.size();) {
      const auto count = ::send(peer, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  }

  int listener_ = -1;
  unsigned short port_ = 0;
  std::mutex mutex_;
  std::vector<Asked> asked_;
  unsigned status_ = 200;
  std::string content_type_ = "application/xml", body_ = "<x/>";
  std::chrono::milliseconds wait_{0};
  std::thread thread_;
};

inline std::string part(const std::string& name, const std::string& file, const std::string& type, const std::string& octets) {
  return "--b1\r\nContent-Disposition: form-data; name=\"" + name + "\"" + (file.empty() ? "" : "; filename=\"" + file + "\"") +
         "\r\nContent-Type: " + type + "\r\n\r\n" + octets + "\r\n";
}

// The sample has no answer with binary content, so its answer to a notice may have a proof here.
inline std::string with_proof(std::string document) {
  const std::string number = "<xsd:element name=\"ontvangstnummer\" type=\"xsd:string\"/>";
  const auto at = document.find(number);
  if (at != std::string::npos)
    document.insert(at + number.size(), "<xsd:element name=\"bewijs\" type=\"xsd:base64Binary\" minOccurs=\"0\"/>");
  return document;
}

// The form of an import: the sample service with these settings.
inline std::string upload(const std::string& name, const Json& settings) {
  auto form = part("contract", "", "application/json",
                   Json{{"kind", "wsdl"}, {"name", name}, {"main", "inschrijving-v1.wsdl"}, {"settings", settings}}.dump());
  for (const char* file :
       {"inschrijving-v1.wsdl", "inschrijving-abstract-v1.wsdl", "inschrijving-v1.xsd", "inschrijving-policy-2W-be-SE.xml"})
    form += part("document", file, "text/xml", with_proof(text_of(sample_service() / file)));
  form += part("document", "xmlmime.xsd", "text/xml", text_of(sample_service() / ".." / "xsd" / "xmlmime.xsd"));
  return form + "--b1--\r\n";
}

inline void load_service(Site& site, const std::string& name, const Json& settings) {
  auto api = site.admin();
  const auto imported = api.call("POST", "/api/v1/contracts", upload(name, settings), "multipart/form-data; boundary=b1");
  ASSERT_EQ(imported.status, 201U) << imported.body;
  EXPECT_THAT(imported.json()["findings"], ::testing::IsEmpty()) << imported.body;
  const auto id = imported.json().value("id", "");
  const auto activated = api.call("POST", "/api/v1/contracts/" + id + "/_activate", "", "", {{"If-Match", imported.header("ETag")}});
  ASSERT_EQ(activated.status, 200U) << activated.body;
}

// The contract as the API gives it; null: there is none of this name.
inline Json service_of(Site& site, const std::string& name) {
  for (const auto& contract : site.admin().get("/api/v1/contracts?kind=wsdl&perPage=100").json())
    if (contract.value("name", "") == name) return contract;
  return nullptr;
}
// Settings of a service that is in use.
inline void change_service(Site& site, const std::string& name, const Json& settings) {
  auto api = site.admin();
  const auto path = "/api/v1/contracts/" + service_of(site, name).value("id", "");
  const auto version = api.get(path).header("ETag");
  const auto changed =
      api.call("PATCH", path, Json{{"settings", settings}}.dump(), "application/merge-patch+json", {{"If-Match", version}});
  ASSERT_EQ(changed.status, 200U) << changed.body;
}

inline const std::vector<std::string> everything{"tls-server", "tls-client", "signing", "encryption"};

// Consumer, provider and an intermediary, once for all tests; a service per name.
class Chain {
 public:
  Chain()
      : consumer(pki, {.slug = "voorbeeldstad",
                       .name = "Gemeente Voorbeeldstad",
                       .oin = "00000099000000010000",
                       .database_url = {},
                       .more = "[dai]\nkey = \"file:api.key\"\n",
                       .purposes = everything}),
        provider(pki, {.slug = "voorbeeldregister",
                       .name = "Voorbeeldregister",
                       .oin = "00000099000000020000",
                       .database_url = {},
                       .purposes = everything}),
        middle(pki, {.slug = "knooppunt", .name = "Knooppunt", .oin = "00000099000000220000", .database_url = {}, .purposes = everything}) {
    for (auto* site : {&consumer, &provider, &middle}) site->start_and_wait();
    put_routes(middle, Json::array({{{"id", "door"},
                                     {"direction", "inbound"},
                                     {"match", {{"protocol", "wus"}, {"toOin", provider.options().oin}}},
                                     {"mode", "transparent"},
                                     {"target", {{"kind", "partner"}, {"url", address("door")}}}}}));
    put_routes(provider, Json::array({{{"id", "naar"},
                                       {"direction", "outbound"},
                                       {"match", {{"toOin", consumer.options().oin}}},
                                       {"target",
                                        {{"kind", "intermediary"},
                                         {"oin", middle.options().oin},
                                         {"url", "https://localhost:" + std::to_string(middle.external_port()) + "/wus/door"}}}}}));
  }
  std::string address(const std::string& name) const {
    return "https://localhost:" + std::to_string(provider.external_port()) + "/wus/" + name;
  }
  // Offered and known at both sides, in this profile; `more`: further settings of the provider, of the consumer.
  void offer(const std::string& name, const std::string& profile, const Json& of_provider = Json::object(),
             const Json& of_consumer = Json::object()) {
    if (!offered_.insert(name).second) return;
    Json theirs{{"role", "provider"},
                {"ownOin", provider.options().oin},
                {"profile", profile},
                {"path", "/wus/" + name},
                {"addresses", {address(name)}},
                {"grants", {{{"oin", consumer.options().oin}}}},
                {"backend", {{"url", backend.url()}}}};
    theirs.merge_patch(of_provider);
    load_service(provider, name, theirs);
    Json ours{{"role", "consumer"},
              {"ownOin", consumer.options().oin},
              {"profile", profile},
              {"partner",
               {{"endpoint", address(name)},
                {"oin", provider.options().oin},
                {"fromAddress", "https://localhost/wus"},
                {"certificate", provider.identity().certificate.pem()}}}};
    ours.merge_patch(of_consumer);
    load_service(consumer, name, ours);
    // A node takes a changed configuration over within its poll.
    auto api = consumer.application();
    backend.answers_in(of_provider.value(Json::json_pointer("/backend/mode"), "xml"), answer("12345678"));
    EXPECT_TRUE(becomes([&] { return call(name, "vraagInschrijving", question("12345678")).status == 200U; }, 20s))
        << call(name, "vraagInschrijving", question("12345678")).body << provider.log();
  }
  RestAnswer call(const std::string& name, const std::string& operation, const std::string& body) {
    return consumer.application().call("POST", "/api/v1/wus/" + name + "/" + operation, body, "application/xml");
  }

  ServedPki pki;
  Backend backend;
  Site consumer, provider, middle;

 private:
  std::set<std::string> offered_;
};

inline Chain& chain() {
  static Chain chain;
  return chain;
}

inline Json newest(Site& site, const std::string& query) {
  auto api = site.admin();
  Json found;
  becomes(
      [&] {
        const auto list = api.get("/api/v1/messages?protocol=wus&perPage=1&" + query).json();
        if (list.is_array() && !list.empty()) found = list[0];
        return !found.is_null();
      },
      10s);
  return found;
}

#define SCHAKEL_NEEDS_WUS_STANDARDS() \
  if (!std::filesystem::exists(sample_service())) GTEST_SKIP() << "the official WUS files are not beside the repository"

// As a client sends a SOAP message.
inline const http::Headers soap_headers{{"Content-Type", "text/xml; charset=utf-8"}, {"SOAPAction", "\"\""}};

}  // namespace schakel::integration
