# The libraries that minik stands on, each under a name of ours. The shipped binary links them
# statically and only libc dynamically, so the archives are named here by file.
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)

# ARCHIVES in the order in which they need one another, then DEPS. Each is a target of its own, because only
# between targets CMake keeps that order on a link line where several libraries share what they stand on.
function(minik_static_library name header)
  cmake_parse_arguments(arg "" "" "ARCHIVES;DEPS" ${ARGN})
  add_library(minik_${name} INTERFACE)
  set(needs ${arg_DEPS})
  list(REVERSE arg_ARCHIVES)
  foreach(archive IN LISTS arg_ARCHIVES)
    find_library(minik_${archive}_archive lib${archive}.a REQUIRED)
    add_library(minik_archive_${archive} STATIC IMPORTED)
    set_target_properties(minik_archive_${archive} PROPERTIES
      IMPORTED_LOCATION ${minik_${archive}_archive} INTERFACE_LINK_LIBRARIES "${needs}")
    set(needs minik_archive_${archive})
  endforeach()
  target_link_libraries(minik_${name} INTERFACE ${needs})
endfunction()

minik_static_library(openssl openssl/ssl.h ARCHIVES ssl crypto DEPS Threads::Threads)
minik_static_library(sqlite sqlite3.h ARCHIVES sqlite3 DEPS Threads::Threads m)
minik_static_library(yaml yaml-cpp/yaml.h ARCHIVES yaml-cpp)
minik_static_library(boost_json boost/json.hpp ARCHIVES boost_json)
minik_static_library(boost_asio boost/asio.hpp ARCHIVES boost_system DEPS Threads::Threads)
minik_static_library(seccomp seccomp.h ARCHIVES seccomp)
minik_static_library(cap sys/capability.h ARCHIVES cap)
minik_static_library(netlink netlink/netlink.h ARCHIVES nl-nf-3 nl-route-3 nl-3 DEPS m)
minik_static_library(zlib zlib.h ARCHIVES z)
# Only the tar format and the gzip and zstd filters are named in the code. One member of libarchive holds a
# table of all formats next to a function that tar needs; dropping unused sections drops the table and with
# it libxml2, nettle, lzma and bz2.
minik_static_library(archive archive.h ARCHIVES archive zstd DEPS minik_zlib)
target_link_options(minik_archive INTERFACE -Wl,--gc-sections)
minik_static_library(ldns ldns/ldns.h ARCHIVES ldns DEPS minik_openssl)
minik_static_library(http2 nghttp2/nghttp2.h ARCHIVES nghttp2)
minik_static_library(re2 re2/re2.h ARCHIVES re2 DEPS Threads::Threads)
minik_static_library(jemalloc jemalloc/jemalloc.h ARCHIVES jemalloc_pic DEPS Threads::Threads m)
# For programs that are measured and shipped: malloc from jemalloc. Sanitizers bring their own.
add_library(minik_malloc INTERFACE)
if(NOT MINIK_SANITIZE AND NOT MINIK_FUZZ)
  target_link_libraries(minik_malloc INTERFACE minik_jemalloc)
endif()

add_library(minik_gtest INTERFACE)
target_link_libraries(minik_gtest INTERFACE GTest::gmock GTest::gtest GTest::gtest_main)
