# Language level, optimisation, warnings, sanitizers and the compiler cache for this project's own targets.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

find_program(QUASAR_CCACHE ccache)
if(QUASAR_CCACHE)
  # As its manual asks for where headers are precompiled.
  set(launcher "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${QUASAR_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${launcher}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
endif()

add_library(quasar_options INTERFACE)
target_compile_options(quasar_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>
  # Results must not depend on which products the compiler happens to fuse.
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
# GCC 12 warns wrongly about "literal" + std::string (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(quasar_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(QUASAR_WARNINGS_AS_ERRORS)
  target_compile_options(quasar_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(QUASAR_SANITIZE STREQUAL "address")
  set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=undefined)
elseif(QUASAR_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread)
  # GCC warns that it does not see fences in other people's headers, either.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(quasar_options INTERFACE -Wno-tsan)
  endif()
elseif(QUASAR_SANITIZE)
  message(FATAL_ERROR "QUASAR_SANITIZE=${QUASAR_SANITIZE} is none of address, thread")
endif()
if(QUASAR_SANITIZE)
  target_compile_options(quasar_options INTERFACE ${sanitizers} -fno-omit-frame-pointer)
  target_link_options(quasar_options INTERFACE ${sanitizers})
endif()

# Levels of optimisation other than the build type's, of which Release asks for the highest. Values of floating-point
# numbers do not depend on them.
add_library(quasar_lean_options INTERFACE)  # what waits and hands on: no loops over pixels, vectors or weights
add_library(quasar_once_options INTERFACE)  # what is compiled more often than it runs for long: tests, the command line
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(quasar_lean_options INTERFACE -O2)
  target_compile_options(quasar_once_options INTERFACE -O1)
endif()

# GCC 12 forgets that headers are the system's when they come precompiled, and warns wrongly about what it inlines of
# them (GCC bugs 105329, 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(quasar_once_options INTERFACE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()

# For targets that use <regex>, about which GCC 12 warns wrongly under the sanitizers (GCC bug 105562).
function(quasar_uses_regex target)
  if(QUASAR_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
endfunction()
