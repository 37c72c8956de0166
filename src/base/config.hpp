// The configuration file (README section 10; adapter.md 2.12): TOML and environment overrides in, typed settings out, checked as a whole.
//
// One table in config.cpp holds every key with its type, its default and what is allowed; defaults exist nowhere else. Every fault is
// reported at once, with file and line. Secrets are references (`file:…`, `env:…`) that are read when they are needed and never printed.
// Relative paths are relative to the directory of the file. Plain values; no global state.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace schakel::config {

// A secret by reference. `text` never leaves the process in a log or an error.
struct Secret {
  std::string reference;  // "file:/…", "env:NAME" or empty

  bool given() const { return !reference.empty(); }
  // The octets; a final line end of a file is dropped. Error "config.secret" names the reference, never the content.
  Result<std::string> read() const;
};

struct Listener {
  std::string name;
  std::string address;
  unsigned short port = 0;
  std::vector<std::string> hosts;
  bool enabled = true;
  bool offload = false;           // SEC-051: a proxy in front ends TLS and passes the client certificate in a header
  std::string proxy_certificate;  // PEM file with the certificates of that proxy; empty: it connects over loopback without TLS
  std::vector<std::string> allowed_networks;
  // internal and admin only. none: plain HTTP; oneSided: TLS; twoSided: TLS that asks for a certificate of our anchors.
  std::string tls = "none";
  std::string certificate, key;  // their own, from any CA; empty: the tenants' certificates for tls-server
  Secret passphrase;
};

// What this program uses today. Keys of facilities that are not built yet are known and checked, but have no member here.
struct Settings {
  std::string directory;  // of the file: where relative paths begin

  struct Node {
    std::string name, environment;
    Duration drain_wait{}, drain_timeout{};
  } node;
  struct Database {
    std::string url;  // the real one: may hold a password
    std::int64_t pool_size = 0;
  } database;
  struct Storage {
    std::string payloads, path;
    Secret master_key;
    bool encrypt = true;
  } storage;
  std::map<std::string, Listener, std::less<>> listeners;  // every listener of README section 12
  struct Tls {
    std::string min;
    Duration max_connection_age{};
    bool resumption = false, sni_strict = false, require_ems = false;
    std::int64_t peer_rsa_min = 0;
  } tls;
  struct Pki {
    std::string anchors, test_anchors, intermediates, keys, pkcs11_module;
    std::vector<std::string> policy_oids;
    bool ocsp = false;
  } pki;
  struct Crl {
    Duration refresh{};
    std::string proxy;
    std::map<std::string, std::string> urls;  // issuer subject -> URL
  } crl;
  struct Api {
    bool require_idempotency_key = false, docs_public = true;
  } api;
  struct Limits {
    std::int64_t message_max = 0, json_max = 0;
    Duration call_timeout{};
  } limits;
  struct HttpClient {
    Duration connect_timeout{}, read_timeout{};
    std::string proxy;
    std::vector<std::string> no_proxy;
  } http_client;
  struct Ebms {
    std::string path;
    std::int64_t accept_status = 0, parts_max = 0, root_max = 0;
    bool allow_message_order = false, insecure_transport = false;
    Secret facade_key;  // API key of requests to the facade that bring none
  } ebms;
  struct Dai {
    Secret key;  // API key of requests to the DAI that bring none
  } dai;
  struct Transparent {
    std::string keep;
  } transparent;
  struct Webhook {
    Duration timeout{}, delivery_age_max{};
    std::vector<std::string> allowed_networks;
    bool allow_http = false;
  } webhook;
  struct Retention {
    CalendarDuration payload, payload_failed, trail, audit;
  } retention;
  struct Cluster {
    Duration heartbeat{}, lease{};
  } cluster;
  struct Log {
    std::string level, format;
  } log;

  bool production() const { return node.environment == "production"; }
  // `path` as it is when absolute or empty, else below `directory`.
  std::string resolve(std::string_view path) const;
};

// One effective value, for `config show`.
struct Effective {
  std::string key;     // "listeners.external.bind"
  std::string value;   // as TOML; secrets as their reference, passwords in URLs as ***
  std::string source;  // "default", "schakel.toml:12" or "SCHAKEL_…"
};

struct Checked {
  Settings settings;
  std::vector<Effective> effective;  // in the order of the table
  std::vector<Error> faults;         // code "config.invalid"; location "schakel.toml:12" or the name of the variable
};

// Variables of the environment: name -> value. Only names that begin with SCHAKEL_ and hold "__" are read.
using Environment = std::map<std::string, std::string>;
Environment process_environment();

// Checks `toml`, the text of the file `name` in `directory`. Never fails: faults are in the answer, and settings are only to be used when
// there are none.
Checked check(std::string_view toml, std::string_view name, std::string_view directory, const Environment&);
// The same for a file on disk. A file that cannot be read is one fault.
Checked check_file(const std::string& path, const Environment&);

}  // namespace schakel::config
