// Every limit in one place, with its reason. Defaults of README section 15; configuration may set those that have a key.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace schakel::limits {

inline constexpr std::size_t KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;

// ebMS2 (EB-032)
inline constexpr std::size_t ebms_request_bytes_max = 64 * MiB;
inline constexpr std::size_t ebms_root_bytes_max = 1 * MiB;
inline constexpr std::size_t ebms_root_bytes_ceiling = 16 * MiB;  // the most that ebms.root-max may say
inline constexpr std::size_t ebms_parts_max = 100;
inline constexpr std::size_t ebms_part_header_bytes_max = 16 * KiB;
inline constexpr std::size_t ebms_text_chars_max = 255;      // MessageId, CPAId, ConversationId, Service, Action (EB section 4)
inline constexpr std::size_t ebms_root_elements_max = 2000;  // EB-043
inline constexpr std::size_t ebms_root_depth_max = 64;
inline constexpr std::size_t ebms_root_attributes_max = 256;
inline constexpr std::size_t payload_in_memory_max = 128 * KiB;   // EB-031: above this a payload goes to the store while it arrives
inline constexpr std::size_t blob_chunk_bytes = 128 * KiB;        // so that no row is large and no reader holds more
inline constexpr std::size_t large_message_threshold = 20 * MiB;  // Grote Berichten above this (ADP-007)

// CPA (CPA-004)
inline constexpr std::size_t cpa_bytes_max = 2 * MiB;
inline constexpr std::size_t cpa_depth_max = 100;
inline constexpr std::size_t cpa_actions_max = 1000;
inline constexpr std::size_t cpa_certificates_max = 200;

// Shared XML (SEC-111)
inline constexpr std::size_t xml_bytes_max = 20 * MiB;
inline constexpr std::size_t xml_depth_max = 128;
inline constexpr std::size_t xml_attributes_max = 256;
inline constexpr std::size_t xml_namespaces_max = 64;
inline constexpr std::size_t xml_name_bytes_max = 1024;
inline constexpr std::size_t xml_namespace_bytes_max = 4 * KiB;  // canonical forms repeat namespace names on many elements
inline constexpr std::size_t xml_text_bytes_max = 32 * MiB;
inline constexpr std::size_t xml_nodes_max = 2'000'000;

// JSON (SEC-115)
inline constexpr std::size_t json_bytes_max = 1 * MiB;
inline constexpr std::size_t json_depth_max = 64;

// HTTP (SEC-116, SEC-117)
inline constexpr std::size_t http_uri_bytes_max = 8 * KiB;
inline constexpr std::size_t http_header_block_bytes_max = 32 * KiB;
inline constexpr std::size_t http_header_line_bytes_max = 8 * KiB;
inline constexpr std::size_t http_headers_max = 100;
inline constexpr std::chrono::seconds tls_handshake_timeout{10};
inline constexpr std::chrono::seconds http_header_timeout{10};
inline constexpr std::chrono::seconds http_body_idle_timeout{30};
inline constexpr std::chrono::seconds http_body_rate_grace{30};
inline constexpr std::uint64_t http_body_bytes_per_second_min = 1 * KiB;
inline constexpr std::chrono::seconds http_keep_alive_timeout{75};
inline constexpr std::size_t http_connections_max = 10'000;
inline constexpr std::size_t http_connections_per_address_max = 1'000;

// Certificates (SEC-008) and CRLs (3.3)
inline constexpr std::size_t certificate_path_max = 6;
inline constexpr std::size_t crl_bytes_max = 50 * MiB;

// Store
inline constexpr std::size_t commit_group_max = 128;   // units in one database transaction
inline constexpr std::size_t commit_queue_max = 4096;  // units waiting; above it the node answers 503
inline constexpr std::size_t work_batch_max = 64;      // work rows claimed at once
inline constexpr std::size_t work_in_flight_per_destination_max = 32;

}  // namespace schakel::limits
