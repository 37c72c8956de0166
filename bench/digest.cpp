// ebms.osb-rm-s.digest.20m.…: megabytes per second of a signed payload of 20 MB digested, on one core, against SHA-256 of OpenSSL alone
// over the same octets in one piece.
//
// arriving: the octets of the request pass ebms::MimeReader, which finds the delimiter and digests on the way (SHA-256, what agreements
//   name); nothing is read again to verify. The chunks are dropped where the node would store them: store.commit measures that.
// stored: chunk by chunk out of SQLite, as payloads are digested by another method than SHA-256.
#include <array>
#include <stdexcept>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "ebms/mime.hpp"
#include "exchange/blob.hpp"
#include "exchange/store.hpp"
#include "measure.hpp"
#include "sql/database.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::bench {
namespace {

constexpr std::size_t payload_bytes = 20'000'000;
constexpr std::size_t read_bytes = 64 * 1024;  // of a connection at once
constexpr auto blob = "0190a000-0000-7000-8000-000000000001";

void expect(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

Bytes payload() {
  Bytes out(payload_bytes, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * 2654435761U >> 24U);
  return out;
}

class Nowhere final : public ebms::PartSink {
 public:
  std::string open() override { return blob; }
  void append(const std::string&, std::int64_t, Bytes) override {}
  void close(const std::string&) override {}
};

std::string arriving(BytesView body) {
  Nowhere nowhere;
  auto reader = ebms::MimeReader::open("multipart/related; boundary=\"b\"; type=\"text/xml\"", nowhere).value();
  for (std::size_t at = 0; at < body.size(); at += read_bytes) expect(reader.feed(body.substr(at, read_bytes)).has_value(), "MIME");
  return reader.finish().value().parts.front().sha256;
}

std::unique_ptr<sql::Database> database_with(const Bytes& octets, const std::string& folder, Metrics& metrics) {
  auto database = sql::open({.url = "sqlite:" + folder + "/payload.db"}, silent_log(), metrics).value();
  expect(sql::migrate(*database, exchange::migrations()).has_value(), "migrate");
  for (std::size_t chunk = 0; chunk * limits::blob_chunk_bytes < octets.size(); ++chunk) {
    const auto written = database->commit([&](sql::Transaction& tx) {
      return exchange::write_chunk(tx, blob, static_cast<std::int64_t>(chunk),
                                   BytesView(octets).substr(chunk * limits::blob_chunk_bytes, limits::blob_chunk_bytes), Instant());
    });
    expect(written.has_value(), "write");
  }
  return database;
}

std::string stored(sql::Transaction& tx) {
  xmlsecurity::Digest digest(xmlsecurity::DigestMethod::sha256);
  std::size_t done = 0;
  for (std::int64_t chunk = 0; done < payload_bytes; ++chunk) {
    const auto octets = exchange::read_chunk(tx, blob, chunk).value();
    expect(!octets.empty(), "the payload is shorter");
    digest.write(octets);
    done += octets.size();
  }
  return to_hex(digest.finish());
}

Figure in_megabytes(Figure figure) {
  figure.unit = "MB/s";
  figure.value *= payload_bytes / 1e6;
  figure.limit *= payload_bytes / 1e6;
  return figure;
}

}  // namespace

std::vector<Figure> digest_figures(const std::string& folder) {
  const Bytes octets = payload();
  const std::string digest = sha256_hex(octets);
  const Bytes body =
      "--b\r\nContent-Type: text/xml\r\nContent-ID: <r@bench.example>\r\n\r\n<x/>\r\n--b\r\nContent-Type: "
      "application/octet-stream\r\nContent-ID: <p@bench.example>\r\n\r\n" +
      octets + "\r\n--b--\r\n";
  const auto alone = [&] { expect(sha256_hex(octets) == digest, "SHA-256"); };
  std::vector<Figure> out;
  out.push_back(in_megabytes(figure(
      "ebms.osb-rm-s.digest.20m.arriving", [&] { expect(arriving(body) == digest, "another digest"); }, alone)));
  Metrics metrics;
  const auto database = database_with(octets, folder, metrics);
  // In one unit: the work is done by the thread that is measured.
  const auto measured = database->read([&](sql::Transaction& tx) -> Result<> {
    out.push_back(in_megabytes(figure(
        "ebms.osb-rm-s.digest.20m.stored", [&] { expect(stored(tx) == digest, "another digest"); }, alone)));
    return {};
  });
  expect(measured.has_value(), "read");
  database->stop();
  return out;
}

}  // namespace schakel::bench
