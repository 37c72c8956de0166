#include "api/router.hpp"

#include <gtest/gtest.h>

namespace schakel::api {
namespace {

Route route(std::string_view method, std::string_view path, bool for_applications = false) {
  Route out;
  out.method = method;
  out.path = path;
  out.for_applications = for_applications;
  return out;
}

const Router& router() {
  static const Router instance({route("GET", "/messages", true), route("POST", "/messages", true), route("GET", "/messages/{id}", true),
                                route("GET", "/messages/{id}/payloads/{index}", true), route("GET", "/contracts/_match"),
                                route("POST", "/contracts/_validate"), route("GET", "/contracts/{id}"), route("DELETE", "/contracts/{id}"),
                                route("POST", "/contracts/{id}/_activate")});
  return instance;
}

std::string matched(std::string_view method, std::string_view path, bool applications_only = false) {
  const auto match = router().match(method, path, applications_only);
  if (match.route == nullptr) return match.allow.empty() ? "no path" : "no method";
  std::string out(match.route->path);
  for (const auto& value : match.path) out += " " + value;
  return out;
}

TEST(Router, FindsTheOperationAndItsVariables) {
  EXPECT_EQ(matched("GET", "/messages"), "/messages");
  EXPECT_EQ(matched("GET", "/messages/abc"), "/messages/{id} abc");
  EXPECT_EQ(matched("GET", "/messages/abc/payloads/3"), "/messages/{id}/payloads/{index} abc 3");
  EXPECT_EQ(matched("GET", "/contracts/_match"), "/contracts/_match");
}

// REST-023, REST-063
TEST(Router, UnknownPathsAndTrailingSlashesAreNoPaths) {
  for (const auto* path :
       {"", "/", "/nothing", "/messages/", "/messages/abc/", "/messages/abc/payloads", "/Messages", "//messages", "/contracts/_unknown"}) {
    EXPECT_EQ(matched("GET", path), "no path") << path;
  }
}

// REST-030, REST-063
TEST(Router, AnotherMethodIsTold) {
  const auto match = router().match("PATCH", "/messages", false);
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allow, (std::vector<std::string_view>{"GET", "HEAD", "POST", "OPTIONS"}));
  EXPECT_EQ(router().match("GET", "/contracts/_validate", false).allow, (std::vector<std::string_view>{"POST", "OPTIONS"}));
}

// REST-030, REST-063
TEST(Router, HeadWorksWhereverGetDoes) {
  EXPECT_EQ(matched("HEAD", "/messages/abc"), "/messages/{id} abc");
  EXPECT_EQ(matched("HEAD", "/contracts/_validate"), "no method");
}

// ADP-115
TEST(Router, TheInternalListenerHasThePartForApplicationsOnly) {
  EXPECT_EQ(matched("GET", "/messages", true), "/messages");
  EXPECT_EQ(matched("GET", "/contracts/abc", true), "no path");
}

http::Request request_with(std::vector<std::pair<std::string, std::string>> query) {
  http::Request request;
  request.path = "/api/v1/messages";
  request.query = std::move(query);
  return request;
}

// REST-038: all at once
TEST(Query, UnknownAndRepeatedKeysAreFaults) {
  Faults faults;
  check_query(request_with({{"page", "1"}, {"page", "2"}, {"nonsense", "x"}, {"state", "QUEUED"}}), {"page", "perPage", "state"}, faults);
  ASSERT_EQ(faults.size(), 2U);
  EXPECT_EQ(faults[0].location + " " + faults[0].code, "page repeated");
  EXPECT_EQ(faults[1].location + " " + faults[1].code, "nonsense unknown");
}

// REST-068
TEST(Pages, HaveBounds) {
  const auto faults_of = [](std::string per_page) {
    const auto request = request_with({{"perPage", std::move(per_page)}});
    Faults faults;
    Query query(request, faults);
    read_page(query);
    return faults.size();
  };
  EXPECT_EQ(faults_of("1"), 0U);
  EXPECT_EQ(faults_of("100"), 0U);
  for (const auto* wrong : {"0", "101", "1e3", "-1", "", "x"}) EXPECT_EQ(faults_of(wrong), 1U) << wrong;
}

// REST-068
TEST(Pages, SayWhereTheyAre) {
  const auto request = request_with({{"state", "A B"}, {"page", "2"}, {"perPage", "10"}});
  http::Response response;
  add_page_headers(response, request, {2, 10}, 35);
  EXPECT_EQ(
      response.headers.find("Link"),
      "</api/v1/messages?state=A%20B&page=1&perPage=10>; rel=\"first\", </api/v1/messages?state=A%20B&page=1&perPage=10>; rel=\"prev\", "
      "</api/v1/messages?state=A%20B&page=3&perPage=10>; rel=\"next\", </api/v1/messages?state=A%20B&page=4&perPage=10>; rel=\"last\"");
  EXPECT_EQ(response.headers.find("Total-Count"), "35");
  EXPECT_EQ(response.headers.find("Total-Pages"), "4");
  EXPECT_EQ(response.headers.find("Per-Page"), "10");
  EXPECT_EQ(response.headers.find("Current-Page"), "2");
}

TEST(Pages, AnEmptyListHasOnePage) {
  http::Response response;
  add_page_headers(response, request_with({}), {1, 20}, 0);
  EXPECT_EQ(response.headers.find("Total-Pages"), "1");
  EXPECT_EQ(response.headers.find("Link")->find("next"), std::string_view::npos);
}

TEST(Versions, AreRequiredAndCompared) {
  auto request = request_with({});
  EXPECT_EQ(check_if_match(request, 3).error().code, "version.missing");
  for (const auto* fits : {"\"3\"", "*", "\"2\", \"3\""}) {
    request.headers.set("If-Match", fits);
    EXPECT_TRUE(check_if_match(request, 3)) << fits;
  }
  for (const auto* stale : {"\"2\"", "W/\"3\"", "3", "", "\"33\""}) {
    request.headers.set("If-Match", stale);
    EXPECT_EQ(check_if_match(request, 3).error().code, "version.conflict") << stale;
  }
}

}  // namespace
}  // namespace schakel::api
