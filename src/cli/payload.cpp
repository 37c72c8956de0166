#include "cli/payload.hpp"

#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/bytes.hpp"
#include "base/limits.hpp"

namespace schakel::cli {
namespace {

// One range: large enough to keep the connection busy, small enough to hold.
constexpr std::uint64_t range_bytes = 4 * limits::MiB;

std::string media_type_of(const std::string& file_name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> known{{{".xml", "application/xml"},
                                                                                       {".json", "application/json"},
                                                                                       {".pdf", "application/pdf"},
                                                                                       {".txt", "text/plain"},
                                                                                       {".csv", "text/csv"},
                                                                                       {".zip", "application/zip"},
                                                                                       {".png", "image/png"},
                                                                                       {".jpg", "image/jpeg"},
                                                                                       {".tiff", "image/tiff"}}};
  const auto ending = to_lower(std::filesystem::path(file_name).extension().string());
  for (const auto& [name, type] : known)
    if (ending == name) return std::string(type);
  return "application/octet-stream";
}

Outcome<std::string> fetch_range(Api& api, const std::string& path, std::uint64_t from, std::uint64_t size) {
  ApiRequest request{.path = path};
  const auto last = std::min(from + range_bytes, size) - 1;
  const bool whole = from == 0 && last + 1 == size;
  if (!whole) request.headers.add("Range", "bytes=" + std::to_string(from) + "-" + std::to_string(last));
  SCHAKEL_TRY(auto response, call(api, request));
  if (response.status != (whole ? 200U : 206U) || response.body.size() != last + 1 - from)
    return Failure(Exit::failure, "payload.damaged", "the node gave another part of the payload than was asked for", "try again");
  return std::move(response.body);
}

// Writes what arrives; removes an incomplete file unless `keep` was called.
class Target {
 public:
  Target(Shell& shell, std::string path) : path_(std::move(path)), stream_(&shell.out) {
    if (path_.empty() || path_ == "-") return;
    file_.open(beside(), std::ios::binary | std::ios::trunc);
    stream_ = &file_;
  }
  ~Target() {
    if (kept_ || stream_ != &file_) return;
    file_.close();
    std::remove(beside().c_str());
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  void write(std::string_view octets) { stream_->write(octets.data(), static_cast<std::streamsize>(octets.size())); }
  Outcome<> keep() {
    stream_->flush();
    const bool good = stream_->good();
    if (file_.is_open()) file_.close();
    if (!good || (stream_ == &file_ && std::rename(beside().c_str(), path_.c_str()) != 0))
      return Failure(Exit::failure, "file.unwritable", (path_.empty() ? "standard output" : path_) + " cannot be written");
    kept_ = true;
    return Exit::ok;
  }

 private:
  std::string beside() const { return path_ + ".part"; }

  std::string path_;
  std::ofstream file_;
  std::ostream* stream_;
  bool kept_ = false;
};

}  // namespace

Outcome<FilePart> file_part(const std::string& argument) {
  static constexpr std::string_view mark = ";type=";
  const auto at = argument.rfind(mark);
  FilePart part{.path = argument.substr(0, at), .content_type = {}, .file_name = {}};
  part.file_name = std::filesystem::path(part.path).filename().string();
  part.content_type = at == std::string::npos ? media_type_of(part.file_name) : argument.substr(at + mark.size());
  struct stat status {};
  if (::stat(part.path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || !std::ifstream(part.path))
    return Failure(Exit::failure, "file.unreadable", part.path + " is not a file that can be read");
  return part;
}

std::function<void(std::uint64_t, std::uint64_t)> progress_on(std::ostream& out) {
  return [&out, shown = std::make_shared<std::uint64_t>(101)](std::uint64_t sent, std::uint64_t total) {
    const auto percent = total == 0 ? 100 : sent * 100 / total;
    if (percent == *shown) return;
    *shown = percent;
    out << "\rsending " << percent << "% of " << total << " bytes" << (percent == 100 ? "\n" : "") << std::flush;
  };
}

Outcome<> fetch_payload(Shell& shell, Api& api, const std::string& path, const Json& descriptor, const std::string& target_path,
                        bool force) {
  if (descriptor.value("purged", false)) return Failure(exit_for("payload.purged"), "payload.purged", "the payload was purged");
  if (!target_path.empty() && target_path != "-" && !force && std::filesystem::exists(target_path))
    return Failure(Exit::failure, "file.exists", target_path + " exists already");
  const auto size = descriptor.value("size", std::uint64_t{0});
  Target target(shell, target_path);
  Sha256 hash;
  for (std::uint64_t done = 0; done < size;) {
    SCHAKEL_TRY(auto octets, fetch_range(api, path, done, size));
    hash.update(octets);
    target.write(octets);
    done += octets.size();
  }
  if (to_hex(hash.finish()) != descriptor.value("sha256", std::string{}))
    return Failure(Exit::failure, "payload.damaged", "the octets do not have the SHA-256 of the payload",
                   "try again; when it stays so, run `schakel db verify`");
  return target.keep();
}

}  // namespace schakel::cli
