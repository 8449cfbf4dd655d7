# One INTERFACE target carries every flag, so that no target can differ from the others.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # the hot loops are in the libraries; -O3 only builds longer
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(LADE_CCACHE ccache)
if(LADE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER AND NOT LADE_PCH)  # ccache does not know files that use a precompiled header
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LADE_CCACHE})
endif()

add_library(lade_settings INTERFACE)
target_include_directories(lade_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(lade_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror
  -fstack-protector-strong
  # GCC 12 sees overlapping copies in std::string where there are none (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
target_compile_definitions(lade_settings INTERFACE _GLIBCXX_ASSERTIONS _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_link_options(lade_settings INTERFACE -Wl,-z,relro,-z,now)
if(LADE_SANITIZE)
  # Left out are the checks before every access through a pointer, a quarter of such a build's time: what they would find
  # the address sanitizer finds too. Warnings are the other builds' to judge: GCC has false ones where a sanitizer's code stands.
  target_compile_options(lade_settings INTERFACE -fsanitize=${LADE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all -fno-sanitize=null,alignment,object-size,vptr -Wno-error)
  target_link_options(lade_settings INTERFACE -fsanitize=${LADE_SANITIZE})
  set(LADE_STATIC_RUNTIME OFF)
else()
  set(LADE_STATIC_RUNTIME ON)
  if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    target_compile_definitions(lade_settings INTERFACE _FORTIFY_SOURCE=2)
  endif()
endif()
if(LADE_FUZZ)
  target_compile_options(lade_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()
