# quasar_compile_together(TARGET)
# With QUASAR_UNITY_BUILD, sources of a target are compiled several at once: headers are read once for all of them. What
# one of them keeps to itself (an unnamed namespace) must then not have the name of what another does.
function(quasar_compile_together target)
  if(QUASAR_UNITY_BUILD)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # It takes what one source includes for a header of others.
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
  endif()
endfunction()

# quasar_module(NAME [NUMERIC] [APART] [ONLY files...] PUBLIC targets... PRIVATE targets...)
# A folder is a module is a static library quasar_NAME made of the folder's sources (or of ONLY some of
# them). What it links states what it may include. PRIVATE dependencies never show in the module's headers.
# NUMERIC: it loops over pixels, vectors or weights, and is optimised as far as the build type says.
# APART: each source is always compiled by itself, as optimising it takes longer than reading headers.
function(quasar_module name)
  cmake_parse_arguments(ARG "NUMERIC;APART" "" "ONLY;PUBLIC;PRIVATE" ${ARGN})
  if(ARG_ONLY)
    set(sources ${ARG_ONLY})
  else()
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/*.S")
  endif()
  if(NOT sources)
    add_library(quasar_${name} INTERFACE)
    return()
  endif()
  add_library(quasar_${name} STATIC ${sources})
  target_include_directories(quasar_${name} PUBLIC "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(quasar_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} quasar_options)
  if(NOT ARG_APART)
    quasar_compile_together(quasar_${name})
  endif()
  if(NOT ARG_NUMERIC)
    target_link_libraries(quasar_${name} PRIVATE quasar_lean_options)
  endif()
endfunction()

# quasar_test_suites(TARGET PREFIX [PROPERTIES ...])
# One ctest entry for each source file of a GoogleTest program, PREFIX.FILE for FILE_test.cpp: starting a
# program that loads LibTorch costs more than most tests. The files are looked through when ctest starts.
function(quasar_test_suites target prefix)
  cmake_parse_arguments(ARG "" "" "PROPERTIES" ${ARGN})
  get_target_property(files ${target} SOURCES)
  set(paths)
  foreach(file IN LISTS files)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
    list(APPEND paths "${file}")
  endforeach()
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${target}_suites.cmake")
  file(GENERATE OUTPUT "${script}" CONTENT "\
set(program \"$<TARGET_FILE:${target}>\")
set(prefix \"${prefix}\")
set(files \"${paths}\")
set(properties \"${ARG_PROPERTIES}\")
include(\"${CMAKE_SOURCE_DIR}/cmake/quasar_test_suites.cmake\")
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${script}")
endfunction()

# quasar_test(MODULE [RANKS n...] [LIBS targets...] [EXCLUDE regex] [TIMEOUT s] [PRECOMPILED headers...])
# One GoogleTest program quasar_MODULE_test from this folder's *_test.cpp. Files named *_mpi_test.cpp
# form a second program, quasar_MODULE_mpi_test, run under mpirun at each of the given rank counts.
# PRECOMPILED: what this program precompiles instead of what all share.
function(quasar_test module)
  cmake_parse_arguments(ARG "" "TIMEOUT;EXCLUDE" "RANKS;LIBS;PRECOMPILED" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 1200)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp")
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ARG_EXCLUDE}")
  endif()
  set(mpi_sources ${sources})
  list(FILTER mpi_sources INCLUDE REGEX "_mpi_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_mpi_test\\.cpp$")
  if(sources)
    add_executable(quasar_${module}_test ${sources})
    target_link_libraries(quasar_${module}_test PRIVATE
      quasar_${module} ${ARG_LIBS} quasar_test_support quasar_test_main GTest::gmock quasar_options
      quasar_once_options)
    if(ARG_PRECOMPILED)
      target_precompile_headers(quasar_${module}_test PRIVATE ${ARG_PRECOMPILED})
    else()
      target_precompile_headers(quasar_${module}_test REUSE_FROM quasar_test_precompiled)
    endif()
    quasar_test_suites(quasar_${module}_test ${module}
      PROPERTIES TIMEOUT ${ARG_TIMEOUT}
        ENVIRONMENT "QUASAR_DECODE=${CMAKE_BINARY_DIR}/jobs/quasar-decode"
        ENVIRONMENT_MODIFICATION "QUASAR_DUCKDB=set:${QUASAR_TEST_DUCKDB}")
  endif()
  if(mpi_sources)
    add_executable(quasar_${module}_mpi_test ${mpi_sources})
    target_link_libraries(quasar_${module}_mpi_test PRIVATE
      quasar_${module} ${ARG_LIBS} quasar_test_support quasar_mpi_test_main GTest::gmock quasar_options
      quasar_once_options)
    target_precompile_headers(quasar_${module}_mpi_test REUSE_FROM quasar_test_precompiled)
    foreach(ranks IN LISTS ARG_RANKS)
      add_test(NAME ${module}.mpi.${ranks}
        COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} --oversubscribe
                $<TARGET_FILE:quasar_${module}_mpi_test>)
      set_tests_properties(${module}.mpi.${ranks} PROPERTIES TIMEOUT ${ARG_TIMEOUT} PROCESSORS 2
        ENVIRONMENT "QUASAR_DECODE=${CMAKE_BINARY_DIR}/jobs/quasar-decode;OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1")
    endforeach()
  endif()
endfunction()
