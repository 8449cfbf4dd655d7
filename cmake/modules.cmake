# lade_module(NAME SOURCES a.cpp ... [USES module ...] [DEPS dep::x ...])
# One static library a module; USES are the arrows of ARCHITECTURE.md, checked again by tests/architecture_test.cpp.
function(lade_module name)
  cmake_parse_arguments(M "" "" "SOURCES;USES;DEPS" ${ARGN})
  add_library(lade_${name} STATIC ${M_SOURCES})
  add_library(lade::${name} ALIAS lade_${name})
  target_link_libraries(lade_${name} PUBLIC lade_settings)
  foreach(used IN LISTS M_USES)
    target_link_libraries(lade_${name} PUBLIC lade::${used})
  endforeach()
  target_link_libraries(lade_${name} PRIVATE ${M_DEPS})
  lade_precompile(lade_${name} library)
endfunction()

# A test's own code is compiled once and run for a moment: optimising it, under sanitizers above all, costs more than it gives.
# Linked by gold where there is one: a hundred programs, each in half the time. Not by lld: version 14 loses the handlers of
# exceptions that are thrown in code that GCC moved apart as unlikely.
find_program(LADE_GOLD ld.gold)
function(lade_test_code target)
  if(LADE_GOLD)
    target_link_options(${target} PRIVATE -fuse-ld=gold)
  endif()
  target_compile_options(${target} PRIVATE -O0 -U_FORTIFY_SOURCE)
endfunction()

# lade_test(NAME SOURCES a_test.cpp ... [USES module ...] [LABELS label ...] [TIMEOUT seconds] [SANDBOX_MAIN])
# One gtest program a module, called tests_NAME, run whole by one ctest entry. SANDBOX_MAIN: the program runs
# steps of the sandbox, so its main() must let itself be re-executed as one.
function(lade_test name)
  cmake_parse_arguments(T "SANDBOX_MAIN" "TIMEOUT" "SOURCES;USES;DEPS;LABELS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  add_executable(tests_${name} ${T_SOURCES})
  foreach(used IN LISTS T_USES)
    target_link_libraries(tests_${name} PRIVATE lade::${used})
  endforeach()
  target_link_libraries(tests_${name} PRIVATE lade_settings ${T_DEPS} GTest::gtest GTest::gmock)
  if(T_SANDBOX_MAIN)
    target_sources(tests_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/sandbox_main.cpp)
    target_link_libraries(tests_${name} PRIVATE lade::sandbox)
  else()
    target_link_libraries(tests_${name} PRIVATE GTest::gtest_main)
  endif()
  lade_test_code(tests_${name})
  lade_precompile(tests_${name} test)
  target_compile_definitions(tests_${name} PRIVATE LADE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    LADE_BINARY="$<$<TARGET_EXISTS:lade>:${CMAKE_BINARY_DIR}/tools/lade>")
  add_test(NAME ${name} COMMAND tests_${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}")
endfunction()

# lade_python_test(NAME LABELS FILE): a test of the binary, in Python (standard library, and python3-h2), run by one ctest entry.
function(lade_python_test name labels file)
  # Debian's own: some need one of its packages (python3-h2), which another interpreter does not see.
  find_program(LADE_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
  add_test(NAME ${name} COMMAND ${LADE_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1200 LABELS "${labels}" ENVIRONMENT
    "LADE=$<TARGET_FILE:lade>;LADE_SOURCE_DIR=${PROJECT_SOURCE_DIR};LADE_FIXTURES=${CMAKE_BINARY_DIR}/fixtures;PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support")
endfunction()
