# Third-party libraries, all from Debian 12; docs/design/0002-dependencies.md gives the reason of each.
# Where Debian ships an archive we link it statically (and hide its symbols): the program then starts
# without relocating a dozen shared objects. libcurl, whose archive needs libraries that exist only as
# shared objects, is loaded at the first network request (libimage/http/curl_api.h).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
set(Boost_USE_STATIC_LIBS ${LADE_STATIC_DEPS})
find_package(Boost REQUIRED COMPONENTS program_options)
find_package(nlohmann_json REQUIRED)

# lade_library(TARGET NAME HEADER): imports lib NAME, the archive first where LADE_STATIC_DEPS is on.
function(lade_library target name header)
  set(names ${name})
  if(LADE_STATIC_DEPS)
    set(names lib${name}.a ${name})
  endif()
  find_library(LADE_LIB_${name} NAMES ${names} REQUIRED)
  find_path(LADE_INC_${name} ${header} REQUIRED)
  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${LADE_LIB_${name}} INTERFACE_INCLUDE_DIRECTORIES ${LADE_INC_${name}})
endfunction()
lade_library(dep::crypto crypto openssl/evp.h)
lade_library(dep::zstd zstd zstd.h)
lade_library(dep::deflate deflate libdeflate.h)
lade_library(dep::z z zlib.h)
lade_library(dep::isal isal isa-l/igzip_lib.h)
lade_library(dep::bz2 bz2 bzlib.h)
lade_library(dep::lzma lzma lzma.h)
lade_library(dep::seccomp seccomp seccomp.h)
lade_library(dep::re2 re2 re2/re2.h)
lade_library(dep::yaml yaml-cpp yaml-cpp/yaml.h)
find_path(LADE_INC_curl curl/curl.h REQUIRED)
find_path(LADE_INC_toml toml++/toml.h REQUIRED)  # headers only
set_property(TARGET dep::crypto PROPERTY INTERFACE_LINK_LIBRARIES ${CMAKE_DL_LIBS} Threads::Threads)
set_property(TARGET dep::re2 PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
set_property(TARGET dep::zstd PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
