#define SCHAKEL_JSON_CODE
#include "base/json_library.hpp"
