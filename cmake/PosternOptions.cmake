# SPDX-License-Identifier: Apache-2.0
# Compiler options of all targets: language, warnings, hardening, sanitizers.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

option(POSTERN_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(POSTERN_ARENA_MALLOC "Each arena piece is a heap object of its own" ${POSTERN_SANITIZE})
option(POSTERN_WERROR "Warnings are errors" OFF)
option(POSTERN_FUZZERS "Build the libFuzzer targets (clang)" OFF)
set(POSTERN_SWITCH "auto" CACHE STRING "Task switch: auto, x86_64, aarch64 or ucontext")

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wwrite-strings -Wformat=2 -Werror=format-security
    -Werror=implicit-function-declaration -Wno-missing-field-initializers
    -fno-strict-aliasing -fno-common -fwrapv)
if(POSTERN_WERROR)
  add_compile_options(-Werror)
endif()

if(POSTERN_SANITIZE OR POSTERN_FUZZERS)
  # The sanitizers' own spills would trip the frame limit.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
else()
  add_compile_options(-Wframe-larger-than=4096 -fstack-protector-strong
      -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU" OR CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-fstack-clash-protection)
  endif()
endif()
if(POSTERN_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(POSTERN_ARENA_MALLOC)
  add_compile_definitions(POSTERN_ARENA_MALLOC)
endif()
add_link_options(-pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed)

include_directories(${CMAKE_SOURCE_DIR}/lib ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/include)
