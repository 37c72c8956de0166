// The MIME reader against what partners really send (ebms.md 1.2, 1.16), and the byte layout of what we send.
#include "ebms/mime.hpp"

#include <gtest/gtest.h>

#include <map>

namespace schakel::ebms {
namespace {

class MemorySink final : public PartSink {
 public:
  std::string open() override { return "blob-" + std::to_string(blobs_.size()); }
  void append(const std::string& blob, std::int64_t chunk, Bytes octets) override {
    EXPECT_EQ(chunk, chunks_[blob]++);
    EXPECT_LE(octets.size(), limits::blob_chunk_bytes);
    blobs_[blob] += octets;
  }
  void close(const std::string& blob) override { closed_.push_back(blob); }

  std::map<std::string, Bytes> blobs_;
  std::map<std::string, std::int64_t> chunks_;
  std::vector<std::string> closed_;
};

constexpr std::string_view kRelated = R"(multipart/related; boundary="B"; type="text/xml"; start="<root@a>")";

Result<ReceivedRequest> read(std::string_view content_type, BytesView body, std::size_t slice = 0, PartSink* sink = nullptr,
                             MimeReader::Limits limits = {}) {
  MemorySink own;
  SCHAKEL_TRY(MimeReader reader, MimeReader::open(content_type, sink ? *sink : own, limits));
  if (slice == 0) slice = body.size() + 1;
  for (std::size_t at = 0; at < body.size(); at += slice) SCHAKEL_CHECK(reader.feed(body.substr(at, slice)));
  return reader.finish();
}

std::string code(const Result<ReceivedRequest>& result) {
  return result ? "read" : result.error().code;
}

std::string two_parts(std::string_view payload,
                      std::string_view payload_headers = "Content-Type: application/xml\r\nContent-ID: <p1@a>\r\n") {
  std::string body = "--B\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <root@a>\r\n\r\n<root/>\r\n--B\r\n";
  body.append(payload_headers).append("\r\n").append(payload).append("\r\n--B--\r\n");
  return body;
}

TEST(MimeReader, reads_the_root_and_the_payload_octet_for_octet) {  // EB-029
  Bytes every_octet = "\r\n--Bx\r\n--\r\n";
  for (int i = 0; i < 256; ++i) every_octet += static_cast<char>(i);
  every_octet += "\r\n\r\n";
  for (const std::size_t slice : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{64}}) {
    const auto request = read(kRelated, two_parts(every_octet), slice);
    ASSERT_TRUE(request) << request.error().detail;
    EXPECT_EQ(request->root, "<root/>");
    EXPECT_EQ(request->root_charset, "UTF-8");
    ASSERT_EQ(request->parts.size(), 1u);
    EXPECT_EQ(request->parts[0].octets, every_octet);
    EXPECT_EQ(request->parts[0].size, static_cast<std::int64_t>(every_octet.size()));
    EXPECT_EQ(request->parts[0].sha256, sha256_hex(every_octet));
    EXPECT_EQ(request->parts[0].content_id, "p1@a");
    EXPECT_EQ(request->parts[0].content_type, "application/xml");
  }
}

TEST(MimeReader, reads_a_payload_of_zero_octets_with_and_without_its_own_line_end) {  // EB-029
  EXPECT_EQ(read(kRelated, two_parts(""))->parts.at(0).size, 0);
  const auto bare = read(kRelated, "--B\r\nContent-ID: <root@a>\r\n\r\n<r/>\r\n--B\r\nContent-ID: <p@a>\r\n\r\n--B--");
  ASSERT_TRUE(bare) << bare.error().detail;
  EXPECT_EQ(bare->parts.at(0).size, 0);
}

TEST(MimeReader, takes_plain_xml_and_a_multipart_of_the_root_alone) {  // EB-020
  EXPECT_EQ(read("text/xml; charset=UTF-8", "<a/>")->root, "<a/>");
  EXPECT_EQ(read("Text/XML", "<a/>", 1)->root, "<a/>");
  EXPECT_EQ(read(kRelated, "--B\r\nContent-ID: <root@a>\r\n\r\n<a/>\r\n--B--\r\n")->root, "<a/>");
}

TEST(MimeReader, takes_any_case_quoted_or_token_values_and_unknown_parameters) {  // EB-022, EB-237
  const std::string body = two_parts("x");
  for (const std::string_view type : {R"(multipart/related;boundary=B;start="<root@a>")",
                                      R"(Multipart/Related; TYPE=text/xml; Boundary="B"; start-info="text/xml"; charset=UTF-8)",
                                      R"(multipart/related ; boundary = "B" ; type="TEXT/XML"; start=<root@a>)"}) {
    const auto request = read(type, body);
    ASSERT_TRUE(request) << type << ": " << request.error().detail;
    EXPECT_EQ(request->root, "<root/>") << type;
  }
  std::string quoted = body;
  for (std::size_t at = quoted.find("--B"); at != std::string::npos; at = quoted.find("--B", at + 20))
    quoted.replace(at, 3, "---=4f0c-UUID=-");
  EXPECT_TRUE(read(R"(multipart/related; boundary="-=4f0c-UUID=-"; type="text/xml"; start="<root@a>"; start-info="text/xml")", quoted));
}

TEST(MimeReader, refuses_other_types_and_a_missing_boundary) {  // EB-022
  EXPECT_EQ(code(read("multipart/related; boundary=B; type=application/soap+xml", two_parts("x"))), "CONTENT_TYPE_INVALID");
  EXPECT_EQ(code(read("application/json", "{}")), "CONTENT_TYPE_INVALID");
  EXPECT_EQ(code(read("", "")), "CONTENT_TYPE_INVALID");
  EXPECT_EQ(code(read("multipart/related; type=\"text/xml", "")), "CONTENT_TYPE_INVALID");
  EXPECT_EQ(code(read("multipart/related; type=text/xml", two_parts("x"))), "MIME_INVALID");
  EXPECT_EQ(code(read("multipart/related; boundary=" + std::string(71, 'b'), "")), "MIME_INVALID");
}

TEST(MimeReader, takes_the_part_that_start_names_wherever_it_stands) {  // EB-023
  const std::string body =
      "--B\r\nContent-ID: <p1@a>\r\n\r\npayload\r\n--B\r\nContent-Type: text/xml\r\nContent-ID: <root@a>\r\n\r\n<root/>\r\n--B--\r\n";
  const auto second = read(kRelated, body, 3);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->root, "<root/>");
  EXPECT_EQ(second->parts.at(0).octets, "payload");
  EXPECT_EQ(code(read("multipart/related; boundary=B; start=\"<nobody@a>\"", body)), "MIME_INVALID");
  const auto first = read("multipart/related; boundary=B", two_parts("x"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->root, "<root/>");
}

TEST(MimeReader, undoes_every_transfer_coding_on_root_and_payload) {  // EB-025
  const auto with = [](std::string_view coding, std::string_view octets) {
    return read("multipart/related; boundary=B",
                "--B\r\ncontent-transfer-encoding: " + std::string(coding) + "\r\n\r\n" + std::string(octets) +
                    "\r\n--B\r\nContent-ID: p\r\nCONTENT-TRANSFER-ENCODING:" + std::string(coding) + "\r\n\r\n" + std::string(octets) +
                    "\r\n--B--",
                1);
  };
  for (const std::string_view coding : {"7bit", "8bit", "binary", "BINARY"})
    EXPECT_EQ(with(coding, "<a>=41</a>")->root, "<a>=41</a>") << coding;
  EXPECT_EQ(with("base64", "PGE+\r\nPC9h\r\nPg==")->root, "<a></a>");
  EXPECT_EQ(with("Base64", "PGE+PC9hPg==")->parts.at(0).octets, "<a></a>");
  EXPECT_EQ(with("quoted-printable", "<a b=3D\"1\">caf=C3=A9 =\r\n</a>   \r\n")->root, "<a b=\"1\">caf\xC3\xA9 </a>\r\n");
  EXPECT_EQ(with("quoted-printable", "=3Ca/=3e")->parts.at(0).octets, "<a/>");
  for (const std::string_view bad : {"PGE", "P=Ea", "PGE+=AAA", "PG!+", "PGE+PC9hPg==AAAA"})
    EXPECT_EQ(code(with("base64", bad)), "MIME_INVALID") << bad;
  for (const std::string_view bad : {"=4", "=4X", "=XY", "a=b c"}) EXPECT_EQ(code(with("quoted-printable", bad)), "MIME_INVALID") << bad;
  EXPECT_EQ(code(with("uuencode", "x")), "MIME_INVALID");
  EXPECT_EQ(code(with("gzip", "x")), "MIME_INVALID");
}

TEST(MimeReader, tolerates_what_mime_allows) {  // EB-030, SEC-118
  const std::string body =
      "This is a preamble that speaks of --B in a line\r\nand is longer than a delimiter.\r\n--B  \t\r\nCONTENT-TYPE:\r\n "
      "text/xml;\r\n\tcharset=\"utf-8\"\r\ncontent-id:   <root@a>  \r\n"
      "X-Unknown: yes\r\n\r\n<root/>\r\n--B\nContent-Type: text/plain\nContent-ID: "
      "<p1@a>\n\nline\nline\r\n--B--\t\r\nepilogue\r\n--B\r\nno part";
  for (const std::size_t slice : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
    const auto request = read(kRelated, body, slice);
    ASSERT_TRUE(request) << request.error().detail << " slice " << slice;
    EXPECT_EQ(request->root, "<root/>");
    EXPECT_EQ(request->root_charset, "utf-8");
    ASSERT_EQ(request->parts.size(), 1u);
    EXPECT_EQ(request->parts[0].octets, "line\nline");
  }
  std::string unended = two_parts("x");
  unended.resize(unended.size() - 2);
  EXPECT_TRUE(read(kRelated, unended));
}

TEST(MimeReader, refuses_a_body_without_closing_delimiter) {  // EB-030
  const std::string whole = two_parts("payload");
  for (std::size_t cut = 0; cut < whole.size() - 4; ++cut) EXPECT_EQ(code(read(kRelated, whole.substr(0, cut))), "MIME_INVALID") << cut;
  EXPECT_EQ(code(read(kRelated, "--B--\r\n")), "MIME_INVALID");
}

TEST(MimeReader, reads_names_as_the_peers_write_them) {  // EB-028, EB-236
  const auto name = [](std::string_view disposition) {
    return read(kRelated,
                two_parts("x", "Content-Type: text/plain\r\nContent-ID: 3f2c\r\nContent-Disposition: " + std::string(disposition) + "\r\n"))
        ->parts.at(0)
        .file_name;
  };
  EXPECT_EQ(name("attachment; filename=\"melding.xml\""), "melding.xml");
  EXPECT_EQ(name("attachment;\r\n filename=melding.xml"), "melding.xml");
  EXPECT_EQ(name("Attachment; FileName=\"a b.xml\"; size=3"), "a b.xml");
  EXPECT_EQ(name("attachment; filename=\"null\""), "");
  EXPECT_EQ(name("attachment"), "");
  EXPECT_EQ(name("attachment; filename=\"caf\xE9.xml\""), "caf\xC3\xA9.xml");
}

TEST(MimeReader, keeps_content_ids_with_and_without_brackets_or_at_sign) {  // EB-027, EB-237
  const auto id = [](std::string_view value) {
    return read(kRelated, two_parts("x", "Content-ID: " + std::string(value) + "\r\n"))->parts.at(0).content_id;
  };
  EXPECT_EQ(id("<p1@a>"), "p1@a");
  EXPECT_EQ(id("3f2c7a10-0000-4000-8000-000000000001"), "3f2c7a10-0000-4000-8000-000000000001");
  EXPECT_EQ(id("< p%2B1@a >"), "p%2B1@a");
  EXPECT_EQ(percent_decoded("p%2B1%40a"), "p+1@a");
  EXPECT_EQ(percent_decoded("100%"), "100%");
  EXPECT_EQ(percent_decoded("%zz%4"), "%zz%4");
}

TEST(MimeReader, keeps_every_limit) {  // EB-032, SEC-118
  static_assert(limits::ebms_parts_max <= 256);
  MimeReader::Limits limits;
  limits.request_max = 1000;
  EXPECT_EQ(code(read(kRelated, two_parts(std::string(2000, 'x')), 100, nullptr, limits)), "http.bodyTooLarge");
  limits = {};
  limits.root_max = 6;
  EXPECT_EQ(code(read(kRelated, two_parts("x"), 0, nullptr, limits)), "XML_INVALID");
  EXPECT_EQ(code(read("text/xml", "<a>too long</a>", 0, nullptr, limits)), "XML_INVALID");
  std::string many = "--B\r\nContent-ID: <root@a>\r\n\r\n<r/>";
  for (std::size_t i = 1; i < limits::ebms_parts_max; ++i) many += "\r\n--B\r\nContent-ID: <p" + std::to_string(i) + "@a>\r\n\r\nx";
  EXPECT_EQ(read(kRelated, many + "\r\n--B--")->parts.size(), limits::ebms_parts_max - 1);
  EXPECT_EQ(code(read(kRelated, many + "\r\n--B\r\n\r\nx\r\n--B--")), "MIME_INVALID");
  EXPECT_EQ(code(read(kRelated, two_parts("x", "X-Long: " + std::string(limits::ebms_part_header_bytes_max, 'x') + "\r\n"), 100)),
            "MIME_INVALID");
  EXPECT_EQ(code(read(kRelated, two_parts("x", "X-Long: " + std::string(limits::ebms_part_header_bytes_max, 'x')), 100)), "MIME_INVALID");
  EXPECT_EQ(code(read(kRelated, two_parts("x", "no colon here\r\n"))), "MIME_INVALID");
  EXPECT_EQ(code(read(kRelated, two_parts("x", std::string("X: a\0b\r\n", 8)))), "MIME_INVALID");
}

TEST(MimeReader, refuses_what_two_readers_would_read_differently) {  // SEC-118, EB-022
  for (const std::string_view twice :
       {"multipart/related; boundary=B; boundary=C", "multipart/related; boundary=B; start=\"<a>\"; START=\"<b>\"",
        "multipart/related; boundary=B; type=text/xml; type=text/plain", "text/xml; charset=utf-8; charset=latin1"})
    EXPECT_EQ(code(read(twice, two_parts("x"))), "CONTENT_TYPE_INVALID") << twice;
  for (const std::string_view twice :
       {"Content-ID: <p1@a>\r\nContent-Id: <p2@a>\r\n", "Content-Type: text/plain\r\nCONTENT-TYPE: text/html\r\n",
        "Content-Transfer-Encoding: binary\r\nContent-Transfer-Encoding: base64\r\n"})
    EXPECT_EQ(code(read(kRelated, two_parts("x", twice))), "MIME_INVALID") << twice;
  EXPECT_EQ(code(read(kRelated, two_parts("x", "X-Any: 1\r\nX-Any: 2\r\nContent-ID: <p1@a>\r\n"))), "read");
}

TEST(MimeReader, takes_boundaries_of_1_to_70_characters) {  // SEC-118, EB-022
  for (const std::size_t length : {std::size_t{1}, std::size_t{70}}) {
    const std::string boundary(length, 'b');
    const auto request = read("multipart/related; boundary=" + boundary,
                              "--" + boundary + "\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--" + boundary + "--\r\n");
    ASSERT_TRUE(request) << length;
    EXPECT_EQ(request->root, "<a/>");
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{71}})
    EXPECT_EQ(code(read("multipart/related; boundary=\"" + std::string(length, 'b') + "\"", "")), "MIME_INVALID") << length;
}

TEST(MimeReader, never_looks_into_a_multipart_inside_a_part) {  // SEC-118
  std::string nested = "innermost";
  for (int depth = 0; depth < 50; ++depth) {
    const std::string boundary = "N" + std::to_string(depth);
    nested = "--" + boundary + "\r\nContent-Type: multipart/mixed; boundary=N" + std::to_string(depth - 1) + "\r\n\r\n" + nested +
             "\r\n--" + boundary + "--\r\n";
  }
  const auto request = read(kRelated, two_parts(nested, "Content-Type: multipart/mixed; boundary=N49\r\nContent-ID: <p1@a>\r\n"), 11);
  ASSERT_TRUE(request) << request.error().detail;
  ASSERT_EQ(request->parts.size(), 1u);
  EXPECT_EQ(request->parts[0].octets, nested);
  EXPECT_EQ(request->parts[0].content_type, "multipart/mixed; boundary=N49");
  EXPECT_EQ(code(read("multipart/related; boundary=B",
                      "--B\r\nContent-Type: multipart/related; boundary=C\r\n\r\n--C\r\n\r\n<a/>\r\n--C--\r\n--B--")),
            "MIME_INVALID")
      << "nor is the envelope one level down";
}

TEST(MimeReader, names_what_it_stores_itself) {  // SEC-118
  MemorySink sink;
  const Bytes large(limits::payload_in_memory_max + 1, 'l');
  const std::string hostile =
      "Content-ID: <../../../../etc/passwd@x>\r\nContent-Disposition: attachment; filename=\"../../etc/cron.d/x\"\r\n";
  const auto request = read(kRelated, two_parts(large, hostile), 10'000, &sink);
  ASSERT_TRUE(request) << request.error().detail;
  EXPECT_EQ(request->parts.at(0).blob, "blob-0");
  EXPECT_EQ(request->parts.at(0).file_name, "../../etc/cron.d/x") << "a label for people, no place";
  EXPECT_EQ(sink.blobs_.at("blob-0"), large);
}

TEST(MimeReader, hands_large_payloads_to_the_sink_in_chunks_and_keeps_small_ones) {  // EB-031
  MemorySink sink;
  const Bytes small(limits::payload_in_memory_max, 's'), large(limits::payload_in_memory_max * 3 + 17, 'l');
  std::string body = two_parts(small);
  body.resize(body.size() - 4);
  body += "\r\nContent-ID: <p2@a>\r\n\r\n" + large + "\r\n--B--\r\n";
  auto reader = MimeReader::open(kRelated, sink);
  ASSERT_TRUE(reader);
  for (std::size_t at = 0; at < body.size(); at += 10'000) ASSERT_TRUE(reader->feed(BytesView(body).substr(at, 10'000)));
  const auto request = reader->finish();
  ASSERT_TRUE(request) << request.error().detail;
  EXPECT_EQ(request->parts.at(0).octets, small);
  EXPECT_TRUE(request->parts.at(0).blob.empty());
  EXPECT_TRUE(request->parts.at(1).octets.empty());
  EXPECT_EQ(request->parts.at(1).size, static_cast<std::int64_t>(large.size()));
  EXPECT_EQ(request->parts.at(1).sha256, sha256_hex(large));
  EXPECT_EQ(sink.blobs_.at(request->parts.at(1).blob), large);
  EXPECT_EQ(sink.closed_, reader->blobs());
}

TEST(Multipart, is_written_byte_for_byte_as_specified) {  // EB-021, EB-023, EB-024, EB-028
  exchange::Payload payload;
  payload.content_id = "p1-0001@ebms.melder.example";
  payload.content_type = "application/xml";
  payload.file_name = "melding.xml";
  payload.size = 4;
  exchange::Payload large = payload;
  large.content_id = "p2@x";
  large.file_name.clear();
  large.size = 1'000'000;
  large.blob = "the-blob";
  const auto pieces = multipart_body("b-7f3a91c2", "m@ebms.melder.example", "<r/>", {payload, large}, {"<m/>", {}});
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].octets,
            "--b-7f3a91c2\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <m@ebms.melder.example>\r\n\r\n<r/>"
            "\r\n--b-7f3a91c2\r\nContent-Type: application/xml\r\nContent-ID: <p1-0001@ebms.melder.example>\r\nContent-Disposition: "
            "attachment; filename=\"melding.xml\"\r\n\r\n<m/>"
            "\r\n--b-7f3a91c2\r\nContent-Type: application/xml\r\nContent-ID: <p2@x>\r\n\r\n");
  EXPECT_EQ(pieces[1].blob, "the-blob");
  EXPECT_EQ(pieces[2].octets, "\r\n--b-7f3a91c2--\r\n");
  EXPECT_EQ(body_bytes(pieces), pieces[0].octets.size() + 1'000'000 + pieces[2].octets.size());
  EXPECT_EQ(multipart_content_type("b-7f3a91c2", "m@x"), R"(multipart/related; boundary="b-7f3a91c2"; type="text/xml"; start="<m@x>")");
  EXPECT_EQ(multipart_body("b", "m@x", "<r/>", {}, {}).at(0).octets, "<r/>");
}

TEST(Multipart, makes_names_and_ids_safe) {  // EB-026, EB-028
  EXPECT_EQ(wire_file_name("a\"b\\c\r\nd\xC3\xA9.xml"), "a_b_c__d_.xml");
  EXPECT_TRUE(is_wire_content_id("p1-0001@ebms.melder.example"));
  for (const std::string_view bad : {"p1", "p 1@x", "p%201@x", "@x", "x@", "a@b@c", "<a@b>"}) EXPECT_FALSE(is_wire_content_id(bad)) << bad;
  EXPECT_FALSE(is_wire_content_id(std::string(254, 'a') + "@x"));
}

TEST(Multipart, comes_back_through_the_reader_unchanged) {  // EB-021, EB-029
  SystemRandom random;
  const std::string boundary = make_boundary(random);
  EXPECT_LE(boundary.size(), 70u);
  EXPECT_NE(boundary, make_boundary(random));
  exchange::Payload payload;
  payload.content_id = "p1@x";
  payload.content_type = "application/octet-stream";
  const Bytes octets = "--" + boundary.substr(0, 5) + std::string("\r\n\r\n\0--\r\n", 9);
  payload.size = static_cast<std::int64_t>(octets.size());
  Bytes body;
  for (const auto& piece : multipart_body(boundary, "m@x", "<r/>", {payload}, {octets})) body += piece.octets;
  const auto request = read(multipart_content_type(boundary, "m@x"), body, 3);
  ASSERT_TRUE(request) << request.error().detail;
  EXPECT_EQ(request->root, "<r/>");
  EXPECT_EQ(request->parts.at(0).octets, octets);
}

}  // namespace
}  // namespace schakel::ebms
