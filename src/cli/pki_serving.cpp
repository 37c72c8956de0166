#include "cli/pki_serving.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace schakel::cli {
namespace {

// `name` of "/crl/<name>.crl": letters, digits and hyphens only, so that no path leaves the folder.
std::optional<std::string> name_in(std::string_view path, std::string_view folder, std::string_view ending) {
  if (!path.starts_with(folder) || !path.ends_with(ending) || path.size() <= folder.size() + ending.size()) return std::nullopt;
  const auto name = path.substr(folder.size(), path.size() - folder.size() - ending.size());
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  return plain ? std::optional(std::string(name)) : std::nullopt;
}

std::optional<std::string> content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

http::Response answer(const std::filesystem::path& directory, const http::Request& request) {
  http::Response response;
  if (request.method != "GET" && request.method != "HEAD") {
    response.status = 405;
    response.headers.add("Allow", "GET, HEAD");
    return response;
  }
  std::optional<std::string> octets;
  std::string media_type = "application/pkix-crl";
  if (const auto list = name_in(request.path, "/crl/", ".crl")) {
    octets = content(directory / "crl" / (*list + ".crl"));
    if (!octets) octets = content(directory / "negative" / (*list + ".crl"));  // of the CAs of the bad set
  } else if (const auto authority = name_in(request.path, "/certs/", ".cer")) {
    media_type = "application/pkix-cert";
    octets = content(directory / "ca" / (*authority + ".cer"));
  }
  if (!octets) {
    response.status = 404;
    return response;
  }
  response.headers = {{"Content-Type", media_type}, {"Cache-Control", "no-store"}};
  response.body = std::move(*octets);
  return response;
}

}  // namespace

http::Handler serve_pki(std::string directory) {
  return [folder = std::filesystem::path(std::move(directory))](http::Request& request) -> http::Awaitable<http::Response> {
    co_return answer(folder, request);
  };
}

}  // namespace schakel::cli
