#include "http/multipart.hpp"

#include <gmock/gmock.h>

#include "listening.hpp"

using namespace schakel;
using namespace schakel::http;
using namespace schakel::http::testing;
using ::testing::ElementsAre;

namespace {

// Gives its octets a few at a time, as a network does.
class SlowReader final : public BodyReader {
 public:
  SlowReader(std::string bytes, std::size_t step) : inner_(std::move(bytes)), step_(step) {}
  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override { return inner_.read(buffer.first(std::min(step_, buffer.size()))); }

 private:
  StringReader inner_;
  std::size_t step_;
};

struct ReadPart {
  PartHead head;
  std::string content;
};

Awaitable<Result<std::vector<ReadPart>>> read_form(std::string_view content_type, BodyReader& body,
                                                   MultipartKind kind = MultipartKind::form_data) {
  SCHAKEL_CO_TRY(const auto form, MultipartReader::make(content_type, body, MultipartReader::Limits(), kind));
  std::vector<ReadPart> parts;
  for (;;) {
    SCHAKEL_CO_TRY(auto head, co_await form->next());
    if (!head) co_return parts;
    SCHAKEL_CO_TRY(auto content, co_await read_all(*form, 1 << 24));
    parts.push_back({std::move(*head), std::move(content)});
  }
}

class Multipart : public ::testing::Test {
 protected:
  Result<std::vector<ReadPart>> read(std::string body, std::size_t step = 4096, std::string_view type = "multipart/form-data; boundary=b1",
                                     MultipartKind kind = MultipartKind::form_data) {
    SlowReader reader(std::move(body), step);
    return run(threads, read_form(type, reader, kind));
  }
  static std::string part(std::string_view content, std::string_view name = "payload") {
    return "--b1\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" + std::string(content) + "\r\n";
  }
  IoThreads threads{1};
};

TEST_F(Multipart, parts_come_in_order_however_the_octets_come) {
  const std::string body =
      "preamble\r\n--b1\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n"
      "--b1 \t\r\ncontent-disposition: form-data; name=payload; filename=\"m\xc3\xa9l "
      "ding.xml\"\r\n\r\n<x>\r\n--b\r\n--\r\n-\r\r\n\n</x>\r\n"
      "--b1\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n"
      "--b1\r\nContent-Disposition: form-data; name=\"absent\"\r\n\r\n--b1--\r\nepilogue\r\n--b1\r\n";
  for (std::size_t step = 1; step < body.size(); step += step < 80 ? 1 : 37) {
    const auto parts = read(body, step);
    ASSERT_TRUE(parts) << step << " " << parts.error().detail;
    ASSERT_EQ(parts->size(), 4U) << step;
    EXPECT_EQ((*parts)[0].head.name, "message");
    EXPECT_EQ((*parts)[0].head.content_type, "application/json");
    EXPECT_EQ((*parts)[0].content, "{\"a\":1}");
    EXPECT_FALSE((*parts)[0].head.file_name);
    EXPECT_EQ((*parts)[1].head.file_name, "m\xc3\xa9l ding.xml");
    EXPECT_EQ((*parts)[1].head.content_type, "text/plain");
    EXPECT_EQ((*parts)[1].content, "<x>\r\n--b\r\n--\r\n-\r\r\n\n</x>");
    EXPECT_EQ((*parts)[2].content, "");
    EXPECT_EQ((*parts)[3].content, "");
  }
}

TEST_F(Multipart, a_large_part_passes_unchanged) {
  std::string content;
  for (unsigned i = 0; i < 300'000; ++i) content += static_cast<char>(i * 7919 % 251);
  EXPECT_EQ(read(part(content) + "--b1--")->at(0).content, content);
}

TEST_F(Multipart, a_part_that_nobody_reads_is_skipped) {
  StringReader body(part(std::string(100'000, 'x'), "first") + part("2", "second") + "--b1--");
  const auto names = run(threads, [](BodyReader& reader) -> Awaitable<std::vector<std::string>> {
    const auto form = MultipartReader::make("multipart/form-data; boundary=b1", reader).value();
    std::vector<std::string> found;
    for (;;) {
      const auto head = co_await form->next();
      if (!head || !*head) break;
      found.push_back((*head)->name);
    }
    const auto after = co_await form->next();
    if (after && !*after) found.emplace_back("nothing");
    co_return found;
  }(body));
  EXPECT_THAT(names, ElementsAre("first", "second", "nothing"));
}

TEST_F(Multipart, other_media_types_are_refused) {
  for (const auto* type : {"multipart/mixed; boundary=b1", "application/json", "", "multipart/form-data; boundary"}) {
    EXPECT_EQ(read("", 1, type).error().code, "request.mediaType") << type;
  }
}

// adapter.md section 4: 400 for all of them
TEST_F(Multipart, bad_boundaries_are_refused) {
  EXPECT_TRUE(read("--" + std::string(70, 'b') + "--", 1, "multipart/form-data; boundary=" + std::string(70, 'b')));
  for (const auto& type : {std::string("multipart/form-data"), std::string("multipart/form-data; boundary=\"\""),
                           "multipart/form-data; boundary=" + std::string(71, 'b'), std::string("multipart/form-data; boundary=\"b \""),
                           std::string("multipart/form-data; boundary=\"b\xc3\xa9\"")})
    EXPECT_EQ(read("--b--", 1, type).error().code, "request.invalid") << type;
}

TEST_F(Multipart, malformed_forms_are_refused) {
  const std::string good = part("x");
  for (const auto& body : {
           std::string(),
           std::string("no delimiter at all"),
           good,
           good + "--b1",
           good + "--b1-",
           good + "--b1x\r\n",
           std::string("--b1\r\n\r\nno disposition\r\n--b1--"),
           std::string("--b1\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b1--"),
           std::string("--b1\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--b1--"),
           std::string("--b1\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b1--"),
           std::string("--b1\r\nContent-Disposition: form-data; name=\"a\"; name=\"b\"\r\n\r\nx\r\n--b1--"),
           std::string(
               "--b1\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nx\r\n--b1--"),
           std::string("--b1\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b1--"),
           std::string("--b1\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\nx\r\n--b1--"),
           std::string("--b1\r\nContent-Disposition: form-data; name=\"a\"\nX: y\r\n\r\nx\r\n--b1--"),
           std::string("--b1\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\nx\r\n--b1--"),
           std::string("--b1\r\nbroken\r\n\r\nx\r\n--b1--"),
           "--b1\r\nX: " + std::string(17'000, 'a') + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b1--",
           "--b1" + std::string(1000, ' ') + "\r\n",
       })
    for (const std::size_t step : {1U, 5U, 4096U}) EXPECT_EQ(read(body, step).error().code, "request.invalid") << body.substr(0, 200);
}

TEST_F(Multipart, the_number_of_parts_is_limited) {
  std::string body;
  for (std::size_t i = 0; i <= limits::ebms_parts_max; ++i) body += part("x");
  EXPECT_EQ(read(body + "--b1--").value().size(), limits::ebms_parts_max + 1);
  EXPECT_EQ(read(body + part("x") + "--b1--").error().code, "request.invalid");
}

class FailingReader final : public BodyReader {
 public:
  Awaitable<Result<std::size_t>> read(std::span<char>) override { co_return fail("http.bodyTooLarge", "too large"); }
};

TEST_F(Multipart, an_error_of_the_body_is_passed_on) {
  FailingReader body;
  EXPECT_EQ(run(threads, read_form("multipart/form-data; boundary=b1", body)).error().code, "http.bodyTooLarge");
}

// EB-212: what clients of ebms-core send
TEST_F(Multipart, old_forms_may_be_in_base64_and_have_any_boundary) {
  const std::string type = "multipart/form-data; boundary=-=b=-";
  const auto part = [](std::string_view encoding, std::string_view content) {
    return "---=b=-\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: " + std::string(encoding) + "\r\n\r\n" +
           std::string(content) + "\r\n";
  };
  const std::string body = part("BASE64", "U2Ft\r\ncGxl IG1lc3NhZ2Uu") + part("binary", "U2Ft") + part("base64", "") + "---=b=---";
  for (const std::size_t step : {1U, 3U, 7U, 4096U}) {
    const auto parts = read(body, step, type, MultipartKind::form_data_of_old);
    ASSERT_TRUE(parts) << parts.error().detail;
    ASSERT_EQ(parts->size(), 3U);
    EXPECT_EQ((*parts)[0].content, "Sample message.");
    EXPECT_EQ((*parts)[1].content, "U2Ft");
    EXPECT_EQ((*parts)[2].content, "");
  }
  EXPECT_EQ(read(body, 4096, type).error().code, "request.mediaType") << "our own API wants RFC 7578";
  for (const auto* wrong : {"U2F", "U2Ft*", "U2==Ft==", "=", "U2FtcA==x"})
    EXPECT_EQ(read(part("base64", wrong) + "---=b=---", 4096, type, MultipartKind::form_data_of_old).error().code, "request.invalid")
        << wrong;
  EXPECT_EQ(read(part("quoted-printable", "a") + "---=b=---", 4096, type, MultipartKind::form_data_of_old).error().code, "request.invalid");
}

// What is left of a part in base64 does not reach the next one.
TEST_F(Multipart, a_part_in_base64_may_be_left_half_read) {
  const std::string body = "--b1\r\nContent-ID: <1>\r\nContent-Transfer-Encoding: base64\r\n\r\n" + to_base64(std::string(10'000, 'x')) +
                           "\r\n--b1\r\nContent-ID: <2>\r\n\r\ntwee\r\n--b1--";
  SlowReader reader(body, 100);
  const auto second = run(threads, [](BodyReader& source) -> Awaitable<Result<std::string>> {
    SCHAKEL_CO_TRY(const auto parts,
                   MultipartReader::make("multipart/related; boundary=b1", source, MultipartReader::Limits(), MultipartKind::related));
    SCHAKEL_CO_CHECK(co_await parts->next());
    std::array<char, 10> few{};
    SCHAKEL_CO_CHECK(co_await parts->read(few));
    SCHAKEL_CO_CHECK(co_await parts->next());
    co_return co_await read_all(*parts, 1000);
  }(reader));
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_EQ(*second, "twee");
}

TEST_F(Multipart, related_parts_have_ids_instead_of_names) {
  const std::string body =
      "--b1\r\nContent-Type: application/xop+xml; type=\"text/xml\"\r\nContent-ID: <root@x>\r\n\r\n<a/>\r\n"
      "--b1\r\nContent-Disposition: attachment;filename=a.pdf\r\ncontent-id: <1@x>\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n--b1--";
  const auto parts = read(body, 5, "multipart/related; type=application/xop+xml; boundary=b1", MultipartKind::related);
  ASSERT_TRUE(parts) << parts.error().detail;
  ASSERT_EQ(parts->size(), 2U);
  EXPECT_EQ((*parts)[0].head.headers.find("Content-ID"), "<root@x>");
  EXPECT_EQ((*parts)[0].content, "<a/>");
  EXPECT_EQ((*parts)[1].head.file_name, "a.pdf");
  EXPECT_EQ(read(body, 5, "multipart/form-data; boundary=b1", MultipartKind::related).error().code, "request.mediaType");
}

}  // namespace
