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
  schakel_precompile(schakel_${name})
endfunction()

# Standard headers for every room; rooms that speak Asio have it behind http/asio.hpp only.
function(schakel_precompile target)
  if(SCHAKEL_PCH)
    target_precompile_headers(${target} PRIVATE <algorithm> <chrono> <functional> <map> <memory> <optional> <span> <string> <string_view> <unordered_map> <variant> <vector>)
  endif()
endfunction()

# schakel_test(NAME SOURCES file... USES target...): a GoogleTest program, its cases known to CTest.
function(schakel_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;USES;LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${TEST_USES} schakel_options GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE SCHAKEL_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SCHAKEL_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(SCHAKEL_PCH)
    target_precompile_headers(${name} PRIVATE <gtest/gtest.h> <gmock/gmock.h> <algorithm> <map> <memory> <string> <vector>)
  endif()
  # One CTest entry per program: starting a program per case costs more than the cases do.
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}")
endfunction()
