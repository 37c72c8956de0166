# Compiler settings that every target shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(SCHAKEL_TESTS "Build the tests" ON)
option(SCHAKEL_BENCH "Build the benchmarks" ON)
option(SCHAKEL_FUZZ "Build the libFuzzer targets (clang)" OFF)
option(SCHAKEL_PCH "Use precompiled headers" ON)
set(SCHAKEL_SANITIZE "" CACHE STRING "address, thread or empty; address brings undefined with it")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
# -g1 keeps line numbers for back traces at a third of the size and link time of full debug information.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(schakel_options INTERFACE)
target_compile_options(schakel_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Werror
  -fno-plt -fstack-protector-strong
  # The compiler's own false alarms in coroutine frames and inlined standard containers (g++ 12).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-dangling-pointer -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-mismatched-new-delete>)
# Templates fill the compiler's heap: collecting its garbage at the default 128 MiB costs an eighth of the whole build.
target_compile_options(schakel_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>)
target_compile_definitions(schakel_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_DISABLE_BOOST_COROUTINE
  SCHAKEL_VERSION="${PROJECT_VERSION}")
if(CCACHE AND SCHAKEL_PCH)
  target_compile_options(schakel_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()
if(SCHAKEL_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(SCHAKEL_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()
if(SCHAKEL_FUZZ)
  # clang 14 cannot combine its function-type check with coroutines.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=function -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()
