#include "http/syntax.hpp"

#include <gmock/gmock.h>

#include "base/limits.hpp"
#include "http/message.hpp"

using namespace schakel;
using namespace schakel::http;
using ::testing::ElementsAre;
using ::testing::Pair;

namespace {

std::string with(std::string_view fields, std::string_view line = "POST /ebms HTTP/1.1") {
  return std::string(line) + "\r\nHost: dk.voorbeeldstad.test\r\n" + std::string(fields) + "\r\n";
}

unsigned status_of_head(std::string_view head) {
  const auto checked = check_request_head(head);
  return checked ? 200U : status_of(checked.error().code);
}

TEST(RequestHead, a_plain_head_is_read) {
  const auto text = with("Content-Length: 12\r\nX-Empty:\r\nX-Spaces: \t a b \t\r\n");
  const auto head = parse_request_head(text);
  ASSERT_TRUE(head) << head.error().detail;
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->target, "/ebms");
  EXPECT_EQ(head->host, "dk.voorbeeldstad.test");
  EXPECT_EQ(head->content_length, 12U);
  EXPECT_FALSE(head->chunked);
  EXPECT_TRUE(head->keep_alive);
  EXPECT_EQ(head->fields[2].value, "");
  EXPECT_EQ(head->fields[3].value, "a b");
}

// SEC-116: every way to make two readers see two requests.
TEST(RequestHead, a_head_that_two_readers_may_read_differently_is_refused) {
  const std::string host = "Host: a\r\n";
  const std::vector<std::string> corpus = {
      // two framings
      with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
      with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
      with("Content-Length: 5\r\nContent-Length: 5\r\n"),
      with("Content-Length: 5\r\nContent-Length: 6\r\n"),
      with("Content-Length: 5, 5\r\n"),
      with("Content-Length: +5\r\n"),
      with("Content-Length: -5\r\n"),
      with("Content-Length: 0x5\r\n"),
      with("Content-Length: 5 5\r\n"),
      with("Content-Length:\r\n"),
      with("Content-Length: 99999999999999999999\r\n"),
      with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
      with("Transfer-Encoding: gzip, chunked\r\n"),
      with("Transfer-Encoding: chunked, identity\r\n"),
      with("Transfer-Encoding: xchunked\r\n"),
      with("Transfer-Encoding: identity\r\n"),
      with("Transfer-Encoding: \x0b"
           "chunked\r\n"),
      with("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0"),
      // names and lines
      with("Transfer-Encoding : chunked\r\n"),
      with("Content-Length\t: 5\r\n"),
      with(" Content-Length: 5\r\n"),
      with("X: a\r\n b\r\n"),
      with("X: a\r\n\tContent-Length: 5\r\n"),
      with("X: a\rContent-Length: 5\r\n"),
      with("X: a\nContent-Length: 5\r\n"),
      with("X: a\r\r\n"),
      with("no colon\r\n"),
      with(": no name\r\n"),
      with("X(y): z\r\n"),
      with(std::string("X: a") + '\0' + "b\r\n"),
      with(std::string("X") + '\0' + ": b\r\n"),
      with("X: \x7f\r\n"),
      // request lines
      "GET  / HTTP/1.1\r\n" + host + "\r\n",
      "GET /  HTTP/1.1\r\n" + host + "\r\n",
      "GET / HTTP/1.1 \r\n" + host + "\r\n",
      " GET / HTTP/1.1\r\n" + host + "\r\n",
      "GET\t/ HTTP/1.1\r\n" + host + "\r\n",
      "GET / a HTTP/1.1\r\n" + host + "\r\n",
      "GET /\r\n" + host + "\r\n",
      "GET\r\n" + host + "\r\n",
      "G(T / HTTP/1.1\r\n" + host + "\r\n",
      "GET / http/1.1\r\n" + host + "\r\n",
      "GET / HTTP/1.10\r\n" + host + "\r\n",
      "GET / HTTP/1:1\r\n" + host + "\r\n",
      "GET /\x01 HTTP/1.1\r\n" + host + "\r\n",
      "GET /\xc3\xa9 HTTP/1.1\r\n" + host + "\r\n",
      "\r\nGET / HTTP/1.1\r\n" + host + "\r\n",
      "GET / HTTP/1.1\n" + host + "\r\n",
      "GET / HTTP/1.1\r\n" + host + "\n",
      // hosts
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: []\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: [g::1]\r\n\r\n",
  };
  for (const auto& head : corpus) EXPECT_EQ(status_of_head(head), 400U) << head;
}

TEST(RequestHead, octets_after_the_empty_line_are_no_part_of_it) {
  EXPECT_EQ(status_of_head(with("") + "x"), 400U);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\r\nHost: a\r\n"), 400U) << "and without it nothing is complete";
}

// SEC-116
TEST(RequestHead, each_limit_has_its_status) {
  EXPECT_EQ(status_of_head("GET /" + std::string(limits::http_uri_bytes_max - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"), 200U);
  EXPECT_EQ(status_of_head("GET /" + std::string(limits::http_uri_bytes_max, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"), 414U);
  EXPECT_EQ(status_of_head(with("X: " + std::string(limits::http_header_line_bytes_max - 3, 'a') + "\r\n")), 200U);
  EXPECT_EQ(status_of_head(with("X: " + std::string(limits::http_header_line_bytes_max - 2, 'a') + "\r\n")), 431U);
  std::string many, much;
  for (std::size_t i = 1; i < limits::http_headers_max; ++i) many += "X: y\r\n";
  EXPECT_EQ(status_of_head(with(many)), 200U);
  EXPECT_EQ(status_of_head(with(many + "X: y\r\n")), 431U);
  for (int i = 0; i < 5; ++i) much += "X: " + std::string(7000, 'a') + "\r\n";
  EXPECT_EQ(status_of_head(with(much)), 431U);
}

// SEC-116, SEC-117
TEST(RequestHead, methods_codings_expectations_and_versions_that_we_do_not_serve) {
  EXPECT_EQ(status_of_head(with("", "TRACE / HTTP/1.1")), 405U);
  EXPECT_EQ(status_of_head(with("", "CONNECT a:443 HTTP/1.1")), 405U);
  EXPECT_EQ(status_of_head(with("Content-Encoding: gzip\r\n")), 415U);
  EXPECT_EQ(status_of_head(with("Content-Encoding: identity\r\n")), 200U);
  EXPECT_EQ(status_of_head(with("Expect: something\r\n")), 417U);
  EXPECT_EQ(status_of_head(with("Expect: 100-Continue\r\n")), 200U);
  EXPECT_EQ(status_of_head(with("", "GET / HTTP/2.0")), 505U);
  EXPECT_EQ(status_of_head(with("", "PRI * HTTP/2.0")), 505U);
  EXPECT_EQ(status_of_head(with("", "GET / HTTP/1.0")), 200U);
}

TEST(RequestHead, a_connection_stays_when_nobody_asks_otherwise) {
  EXPECT_FALSE(parse_request_head(with("Connection: close\r\n"))->keep_alive);
  EXPECT_FALSE(parse_request_head(with("Connection: Upgrade, Close\r\n"))->keep_alive);
  EXPECT_TRUE(parse_request_head(with("Connection: Upgrade, HTTP2-Settings\r\n"))->keep_alive);
  EXPECT_FALSE(parse_request_head(with("", "GET / HTTP/1.0"))->keep_alive);
  EXPECT_TRUE(parse_request_head(with("Connection: keep-alive\r\n", "GET / HTTP/1.0"))->keep_alive);
}

TEST(RequestHead, a_host_may_be_an_address_and_have_a_port) {
  EXPECT_EQ(parse_request_head("GET / HTTP/1.1\r\nHost: [::1]:443\r\n\r\n")->host, "[::1]");
  EXPECT_EQ(parse_request_head("GET / HTTP/1.1\r\nHost: 127.0.0.1:10443\r\n\r\n")->host, "127.0.0.1");
}

TEST(HeadScan, the_end_is_found_however_the_octets_come) {
  const std::string head = with("A: b\r\n");
  for (std::size_t cut = 0; cut < head.size(); ++cut) {
    const auto first = scan_head(BytesView(head).substr(0, cut), 0);
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->end) << cut;
    const auto second = scan_head(head + "rest", first->searched);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->end, head.size()) << cut;
  }
}

// SEC-116
TEST(HeadScan, a_bare_lf_is_refused_before_the_head_is_complete) {
  EXPECT_FALSE(scan_head("GET / HTTP/1.1\nHo", 0));
  EXPECT_FALSE(scan_head("\n", 0));
  EXPECT_FALSE(scan_head("GET / HTTP/1.1\r\nHost: a\r\n\n", 0));
}

// SEC-116
TEST(HeadScan, a_head_without_end_is_refused_at_the_limit) {
  EXPECT_TRUE(check_partial_head("GET /" + std::string(8000, 'a')));
  EXPECT_EQ(check_partial_head("GET /" + std::string(9000, 'a')).error().code, "request.uriTooLong");
  EXPECT_TRUE(check_partial_head("GET / HTTP/1.1\r\n" + std::string(32768, 'a')));
  EXPECT_EQ(check_partial_head("GET / HTTP/1.1\r\n" + std::string(32769, 'a')).error().code, "request.headersTooLarge");
}

// SEC-116
TEST(HeadScan, what_cannot_become_a_head_is_refused_at_its_first_octet) {
  EXPECT_EQ(check_partial_head("\x16\x03\x01").error().code, "request.invalid");
  EXPECT_TRUE(check_partial_head(""));
  EXPECT_TRUE(check_partial_head("G"));
}

TEST(ResponseHead, what_servers_send_is_read) {
  const auto head = parse_response_head("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200U);
  EXPECT_EQ(head->content_length, 3U);
  EXPECT_EQ(parse_response_head("HTTP/1.1 204\r\n\r\n")->status, 204U);
  EXPECT_EQ(parse_response_head("HTTP/1.1 503 \r\n\r\n")->status, 503U);
  EXPECT_FALSE(parse_response_head("HTTP/1.0 200 OK\r\n\r\n")->keep_alive);
  EXPECT_TRUE(parse_response_head("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n")->chunked);
}

TEST(ResponseHead, malformed_ones_are_invalid) {
  for (const std::string_view head :
       {"HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1  200\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", ""})
    EXPECT_EQ(parse_response_head(head).error().code, "transport.invalid") << head;
}

TEST(TargetForm, paths_and_queries_are_decoded) {
  const auto target = parse_target("/api/v1/messages/a%20b?page=2&from=a%2Bb+c&flag&&x=%C3%A9");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/api/v1/messages/a b");
  EXPECT_THAT(target->query, ElementsAre(Pair("page", "2"), Pair("from", "a+b c"), Pair("flag", ""), Pair("x", "\xc3\xa9")));
  EXPECT_EQ(parse_target("/")->path, "/");
  EXPECT_EQ(parse_target("/a/")->path, "/a/");
  EXPECT_EQ(parse_target("/a...b/..c")->path, "/a...b/..c");
}

// ADP-115: a trick never becomes the path of another handler.
TEST(TargetForm, path_tricks_are_not_found) {
  for (const std::string_view target : {"//api/v1/messages", "/ebms//api", "/ebms/../api/v1", "/ebms/..", "/..", "/.", "/./api",
                                        "/%2e%2e/api", "/%2E./api", "/.%2e", "/ebms%2fapi", "/ebms%2Fapi", "/a%5cb", "/a\\b", "/%2e"})
    EXPECT_EQ(parse_target(target).error().code, "notFound") << target;
}

// ADP-115
TEST(TargetForm, other_forms_and_bad_encodings_are_invalid) {
  for (const std::string_view target : {"http://other.test/api/v1", "https://a/", "*", "a:443", "", "api", "?x=1", "/%", "/%2", "/%zz",
                                        "/%00", "/%0d%0aX", "/%ff", "/%c3", "/a#b", "/?a=%0a", "/?a=%ff"})
    EXPECT_EQ(parse_target(target).error().code, "request.invalid") << target;
}

// Feeds the octets in pieces of `size`; the body, or the error's code.
std::string decode(std::string_view octets, std::size_t size, std::size_t* unused = nullptr) {
  ChunkedDecoder decoder;
  std::string body;
  while (!octets.empty() && !decoder.done()) {
    std::string piece(octets.substr(0, size));
    const auto step = decoder.decode(piece);
    if (!step) return step.error().code;
    body.append(piece, 0, step->body_bytes);
    octets.remove_prefix(step->used);
  }
  if (unused != nullptr) *unused = octets.size();
  return decoder.done() ? body : "unfinished";
}

// EB-006
TEST(Chunked, a_body_is_read_however_it_is_cut) {
  const std::string body = "4\r\nWiki\r\n5;ext=\"a\"\r\npedia\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t size = 1; size <= body.size(); ++size) {
    std::size_t unused = 99;
    EXPECT_EQ(decode(body + "GET", size, &unused), "Wikipedia0123456789") << size;
    EXPECT_EQ(unused, 3U) << size;
  }
  EXPECT_EQ(decode("0\r\n\r\n", 100), "");
}

// SEC-116
TEST(Chunked, malformed_sizes_and_ends_are_refused) {
  for (const std::string_view body :
       {"\r\n\r\n", "x\r\n", "-1\r\n", "0x4\r\nWiki\r\n0\r\n\r\n", " 4\r\nWiki\r\n0\r\n\r\n", "4 \r\nWiki\r\n0\r\n\r\n",
        "4\nWiki\r\n0\r\n\r\n", "4\r\nWikix\r\n0\r\n\r\n", "4\r\nWiki\n0\r\n\r\n", "4\r\nWiki\r0\r\n\r\n", "FFFFFFFFFFFFFFFF\r\n",
        "4;a\nb\r\nWiki\r\n0\r\n\r\n", "0\r\nA\nB\r\n\r\n", "0\r\n X: folded\r\n\r\n", "0\r\n\rX"})
    EXPECT_EQ(decode(body, 100), "http.bodyInvalid") << body;
}

// SEC-116
TEST(Chunked, extensions_and_trailers_have_limits) {
  EXPECT_EQ(decode("1;" + std::string(256, 'a') + "\r\nx\r\n0\r\n\r\n", 4096), "x");
  EXPECT_EQ(decode("1;" + std::string(257, 'a') + "\r\nx\r\n0\r\n\r\n", 4096), "http.bodyInvalid");
  EXPECT_EQ(decode("0\r\nA" + std::string(9000, 'a'), 4096), "http.bodyInvalid");
}

}  // namespace
