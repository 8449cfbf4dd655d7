# Precompiled headers for builds that start from nothing (./quickstart, ./test, .ci/run): with LADE_PCH the standard headers
# that nearly every file includes are parsed once, a third of such a build's time. The dev and tidy presets go without, so
# that a file that lacks an include does not pass there, and so that ccache's hits do not depend on where a tree lies.
option(LADE_PCH "Precompile the standard headers" OFF)
if(LADE_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 forgets that code inlined from a precompiled standard header is not ours to mend.
  target_compile_options(lade_settings INTERFACE -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds)
endif()

# lade_precompile(TARGET KIND): KIND is `library` (position independent code), or `test` (an executable of gtest's at -O0).
function(lade_precompile target kind)
  if(NOT LADE_PCH)
    return()
  endif()
  if(NOT TARGET lade_pch_${kind})
    set(source ${PROJECT_BINARY_DIR}/lade_pch_${kind}.cpp)
    file(WRITE ${source} "int main() { return 0; }\n")
    if(kind STREQUAL library)
      add_library(lade_pch_library OBJECT ${source})
      target_precompile_headers(lade_pch_library PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.h)
    else()
      add_executable(lade_pch_test ${source})
      target_precompile_headers(lade_pch_test PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.h <gmock/gmock.h> <gtest/gtest.h>)
      target_link_libraries(lade_pch_test PRIVATE GTest::gtest GTest::gmock)
      lade_test_code(lade_pch_test)
    endif()
    target_link_libraries(lade_pch_${kind} PRIVATE lade_settings)
  endif()
  target_precompile_headers(${target} REUSE_FROM lade_pch_${kind})
endfunction()
