# minik_library(NAME SOURCES a.cpp… [DEPS lib…] [PRIVATE_DEPS lib…])
#   A static library named minik_NAME with warnings as errors, and its link test: a program made of
#   the whole library and nothing but what it declares, so that an undeclared dependency does not
#   link.
# minik_test(NAME SOURCES a_test.cpp… DEPS lib… [LABELS l…])
#   A GoogleTest program; each of its tests is one ctest entry only where that is cheap (one entry a
#   program keeps ctest's overhead small).

set(MINIK_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 takes the two sides of std::variant for one another when it inlines Result<T>, and the two forms of
  # std::string likewise; of the standard library's own headers it says so once they are precompiled.
  list(APPEND MINIK_WARNINGS -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-restrict)
endif()

add_library(minik_flags INTERFACE)
target_include_directories(minik_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
# Paths in messages are relative, so that the same source gives the same binary anywhere.
target_compile_options(minik_flags INTERFACE ${MINIK_WARNINGS}
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -fno-math-errno -ffunction-sections -fdata-sections)
target_link_options(minik_flags INTERFACE -Wl,--gc-sections)
# There are 150 programs to link, each static: GNU ld takes minutes for what mold does in seconds.
find_program(MINIK_MOLD mold)
if(MINIK_MOLD)
  target_link_options(minik_flags INTERFACE -fuse-ld=mold)
endif()
if(MINIK_SANITIZE)
  # GCC sees uninitialized values where only the sanitizers' own code is between them and their use, and
  # warns of Asio's fences, which the thread sanitizer does not follow (every hand-over also has a lock).
  target_compile_options(minik_flags INTERFACE -fsanitize=${MINIK_SANITIZE} -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  if(MINIK_SANITIZE STREQUAL "thread")
    target_compile_options(minik_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
  target_link_options(minik_flags INTERFACE -fsanitize=${MINIK_SANITIZE})
endif()
if(MINIK_FUZZ)
  # Without the checks at every pointer that the address sanitizer makes in its own way: they are a fifth of the build.
  target_compile_options(minik_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize=null,alignment,vptr,object-size,function,pointer-overflow)
  target_link_options(minik_flags INTERFACE -fsanitize=address,undefined)
endif()
# What is shipped is compiled twice: programs that count what runs, and then for what they counted, all files as one
# (tools/release does both). Files keep their counts beside their objects. What did not run while it counted is compiled
# as ever, and a count that no longer fits its function is left aside.
set(MINIK_PROFILE "" CACHE STRING "count: programs that count what runs; use: programs compiled for these counts")
if(MINIK_PROFILE STREQUAL "count")
  target_compile_options(minik_flags INTERFACE -fprofile-generate -fprofile-update=prefer-atomic)
  target_link_options(minik_flags INTERFACE -fprofile-generate)
elseif(MINIK_PROFILE STREQUAL "use")
  target_compile_options(minik_flags INTERFACE -fprofile-use -fprofile-partial-training -fprofile-correction
    -Wno-missing-profile -Wno-coverage-mismatch -Wno-error=coverage-mismatch)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  # Only who sees all files at once sees two types of one name in them.
  target_link_options(minik_flags INTERFACE -Werror=odr -Werror=lto-type-mismatch)
endif()
# Release keeps the CHECKs (they are not asserts) and takes no debug information: it is half of the
# link time.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

# Tests call optimised libraries; to optimise the calls, too, would cost a minute or two of every build.
set(MINIK_TEST_OPTIONS $<$<CONFIG:Release>:-O0>)

# Two thirds of what the compiler does with a small file is reading the standard library's headers again: they are read
# once for all of ours, and GoogleTest's once for all tests. A file still includes what it uses.
option(MINIK_PRECOMPILE "Read the headers that everybody includes once" ON)
if(MINIK_PRECOMPILE)
  set(MINIK_HEADERS <algorithm> <array> <cstdint> <deque> <functional> <map> <memory> <optional> <set> <span> <string>
    <string_view> <utility> <variant> <vector>)
  # In angles, as a path would be written down in full and no two checkouts could share a compiler cache.
  list(APPEND MINIK_HEADERS <control/base/result.h> <control/base/text.h> <control/object/value.h>)
  file(WRITE ${CMAKE_BINARY_DIR}/generated/precompiled.cpp "")
  foreach(of code tests)
    add_library(minik_precompiled_${of} OBJECT ${CMAKE_BINARY_DIR}/generated/precompiled.cpp)
    target_link_libraries(minik_precompiled_${of} PRIVATE minik_flags)
    target_precompile_headers(minik_precompiled_${of} PRIVATE ${MINIK_HEADERS})
  endforeach()
  target_link_libraries(minik_precompiled_tests PRIVATE minik_gtest)
  target_compile_options(minik_precompiled_tests PRIVATE ${MINIK_TEST_OPTIONS})
  target_precompile_headers(minik_precompiled_tests PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
endif()
function(minik_precompiled name of)
  if(MINIK_PRECOMPILE)
    target_precompile_headers(${name} REUSE_FROM minik_precompiled_${of})
  endif()
endfunction()

# Files of a library that are compiled as one share what the compiler reads and instantiates for them: two fifths less of
# its time, at the cost of those who change one file and compile eight again. So no two files of a library may have one name
# in their anonymous namespaces. Presets without it (dev, asan, tsan, clang) compile each file alone.
option(MINIK_UNITY "Compile files of a library eight at a time" OFF)

function(minik_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(minik_${name} STATIC ${arg_SOURCES})
  minik_precompiled(minik_${name} code)
  set_target_properties(minik_${name} PROPERTIES UNITY_BUILD ${MINIK_UNITY})
  if(MINIK_UNITY)
    # GCC takes such a file for a header, whose types must not have members of types that only one file knows.
    target_compile_options(minik_${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
  target_link_libraries(minik_${name} PUBLIC minik_flags ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
  add_executable(link_${name} EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/link/main.cpp)
  target_link_libraries(link_${name} PRIVATE
    -Wl,--whole-archive minik_${name} -Wl,--no-whole-archive ${arg_DEPS} ${arg_PRIVATE_DEPS})
  target_link_options(link_${name} PRIVATE -Wl,--no-gc-sections -Wl,--no-undefined)
  set_target_properties(link_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/link_tests)
  set_property(GLOBAL APPEND PROPERTY MINIK_LINK_TESTS link_${name})
endfunction()

function(minik_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  # Those of the simulator look at what they check after every step of thousands of runs.
  if("sim" IN_LIST arg_LABELS)
    minik_precompiled(${name} code)
  else()
    minik_precompiled(${name} tests)
    target_compile_options(${name} PRIVATE ${MINIK_TEST_OPTIONS})
  endif()
  target_link_libraries(${name} PRIVATE minik_flags ${arg_DEPS} minik_gtest)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "unit;${arg_LABELS}" TIMEOUT 300
    SKIP_REGULAR_EXPRESSION "SKIPPED: ")
endfunction()

# minik_fuzzer(NAME SOURCES a_fuzz.cpp DEPS lib…): a libFuzzer program under the fuzz preset; elsewhere
# the same entry point runs once over its seed corpus as a test, so that the targets never rot.
function(minik_fuzzer name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(MINIK_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${name} COMMAND ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(${name} PROPERTIES LABELS "unit;fuzz")
  endif()
  minik_precompiled(${name} code)
  target_link_libraries(${name} PRIVATE minik_flags ${arg_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()
