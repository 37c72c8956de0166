# schakel_room(NAME USES target...): the static library schakel_NAME from src/NAME/*.cpp.
# A room without sources is an interface library, so that the picture can stand before the walls.
include(CTest)

function(schakel_room name)
  cmake_parse_arguments(ROOM "" "" "USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  if(NOT sources)
    add_library(schakel_${name} INTERFACE)
    target_include_directories(schakel_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(schakel_${name} INTERFACE ${ROOM_USES} Threads::Threads)
    return()
  endif()
  add_library(schakel_${name} STATIC ${sources})
  target_include_directories(schakel_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(schakel_${name} PUBLIC ${ROOM_USES} Threads::Threads PRIVATE schakel_options)
  if(SCHAKEL_PCH)
    schakel_precompiled_headers(${name} headers)
    target_precompile_headers(schakel_${name} PRIVATE ${headers})
  endif()
endfunction()

# Standard headers for every room. JSON and coroutines cost seconds per file, so the rooms that use them have them precompiled too;
# other rooms stay without, and so cannot come to need them by accident.
set(schakel_standard_headers <algorithm> <chrono> <functional> <map> <memory> <optional> <span> <string> <string_view> <unordered_map> <variant> <vector>)
set(schakel_json_rooms cpa ebms api facade server cli)
set(schakel_coroutine_rooms http exchange api facade server cli)

function(schakel_precompiled_headers room out)
  set(headers ${schakel_standard_headers})
  if(room IN_LIST schakel_json_rooms)
    list(APPEND headers <nlohmann/json.hpp>)
  endif()
  if(room IN_LIST schakel_coroutine_rooms)
    list(APPEND headers <boost/asio/any_io_executor.hpp> <boost/asio/awaitable.hpp>)
  endif()
  set(${out} ${headers} PARENT_SCOPE)
endfunction()

# schakel_test(NAME ROOM room SOURCES file... USES target...): a GoogleTest program; ROOM says whose headers are precompiled with it.
function(schakel_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT;ROOM" "SOURCES;USES;LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${TEST_USES} schakel_options GTest::gtest GTest::gmock GTest::gtest_main)
  # What is tested is optimised; the tests themselves need not be, and compile in half the time.
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O0>)
  target_compile_definitions(${name} PRIVATE SCHAKEL_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SCHAKEL_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(SCHAKEL_PCH)
    schakel_precompiled_headers("${TEST_ROOM}" headers)
    target_precompile_headers(${name} PRIVATE <gtest/gtest.h> <gmock/gmock.h> ${headers})
  endif()
  # One CTest entry per program: starting a program per case costs more than the cases do.
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}")
endfunction()
