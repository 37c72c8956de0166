// nlohmann/json with the code of its two value types compiled once, in json_library.cpp: every file that compiled them anew took a second
// longer. Include this instead of <nlohmann/json.hpp>.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#ifndef SCHAKEL_JSON_CODE
#define SCHAKEL_JSON_CODE extern
#endif

SCHAKEL_JSON_CODE template class nlohmann::basic_json<>;
SCHAKEL_JSON_CODE template class nlohmann::basic_json<nlohmann::ordered_map>;
SCHAKEL_JSON_CODE template class nlohmann::detail::serializer<nlohmann::json>;
SCHAKEL_JSON_CODE template class nlohmann::detail::serializer<nlohmann::ordered_json>;
SCHAKEL_JSON_CODE template class std::vector<nlohmann::json>;
SCHAKEL_JSON_CODE template class std::vector<nlohmann::ordered_json>;
// What parse() makes of a std::string.
SCHAKEL_JSON_CODE template class nlohmann::detail::parser<nlohmann::json,
                                                          nlohmann::detail::iterator_input_adapter<std::string::const_iterator>>;
