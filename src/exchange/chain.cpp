#include "exchange/chain.hpp"

#include <algorithm>
#include <array>

namespace schakel::exchange {
namespace {

// Length of the UTF-8 sequence that begins at `at`, 0 when it is not one.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || at + length > text.size()) return 0;
  return is_valid_utf8(text.substr(at, length)) ? length : 0;
}

}  // namespace

Bytes genesis_hash() {
  return Bytes(32, '\0');
}

Result<ChainHead> chain_head(sql::Transaction& tx, std::string_view chain, std::string_view tenant) {
  SCHAKEL_TRY(sql::Rows rows,
              tx.query("SELECT seq, hash, at, base_seq, base_hash FROM chain_heads WHERE chain = $1 AND tenant = $2", {chain, tenant}));
  ChainHead head;
  head.hash = head.base_hash = genesis_hash();
  if (rows.empty()) return head;
  head.seq = rows[0].integer(0);
  head.hash = rows[0].take(1);
  head.sealed_until = rows[0].instant(2);
  head.base_seq = rows[0].integer(3);
  head.base_hash = rows[0].take(4);
  return head;
}

Result<> put_chain_head(sql::Transaction& tx, std::string_view chain, std::string_view tenant, const ChainHead& head) {
  return tx.post(
      "INSERT INTO chain_heads (chain, tenant, seq, hash, at, base_seq, base_hash) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (chain, "
      "tenant) DO UPDATE "
      "SET seq = excluded.seq, hash = excluded.hash, at = excluded.at, base_seq = excluded.base_seq, base_hash = excluded.base_hash",
      {chain, tenant, head.seq, sql::Blob{head.hash}, head.sealed_until, head.base_seq, sql::Blob{head.base_hash}});
}

Result<bool> lock_chain(sql::Transaction& tx, std::string_view chain) {
  if (!tx.is_postgres()) return true;
  SCHAKEL_TRY(const sql::Rows rows, tx.query("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7305808869232666988))", {chain}));
  return rows[0].boolean(0);
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr std::string_view hex = "0123456789abcdef";
  const auto needs_care = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; };
  out += '"';
  for (;;) {
    const auto special = std::find_if(text.begin(), text.end(), needs_care);
    const auto plain = static_cast<std::size_t>(special - text.begin());
    out.append(text, 0, plain);
    if (special == text.end()) break;
    switch (*special) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += "\\u00";
        out += hex[static_cast<unsigned char>(*special) >> 4];
        out += hex[static_cast<unsigned char>(*special) & 15];
    }
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

std::string storable_text(std::string_view text, std::size_t characters_max) {
  std::string out;
  out.reserve(std::min(text.size(), characters_max * 4));
  for (std::size_t at = 0, characters = 0; at < text.size() && characters < characters_max; ++characters) {
    const std::size_t length = text[at] == '\0' ? 0 : sequence_length(text, at);
    if (length == 0) {
      out += "\xEF\xBF\xBD";  // U+FFFD
      ++at;
    } else {
      out.append(text, at, length);
      at += length;
    }
  }
  return out;
}

}  // namespace schakel::exchange
