# SPDX-License-Identifier: Apache-2.0
# What a folder is: a library layer, a daemon, a set of unit tests.

set(POSTERN_LIBEXECDIR ${CMAKE_INSTALL_LIBEXECDIR}/postern)
set(POSTERN_SYSCONFDIR ${CMAKE_INSTALL_SYSCONFDIR}/postern)

# postern_library(NAME LINK targets...): lib/NAME/*.c
function(postern_library name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lib/${name}/*.c)
  if(name STREQUAL "task")
    file(GLOB assembly CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lib/${name}/*.S)
    list(APPEND sources ${assembly})
  endif()
  if(NOT sources)
    add_library(postern_${name} INTERFACE)
    target_link_libraries(postern_${name} INTERFACE ${arg_LINK})
    return()
  endif()
  add_library(postern_${name} STATIC ${sources})
  target_link_libraries(postern_${name} PUBLIC ${arg_LINK})
  if(name STREQUAL "task")
    postern_task_switch(${sources})
  endif()
endfunction()

# The switch that POSTERN_SWITCH names, and for the tests a library with the portable one.
function(postern_task_switch)
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
  if(POSTERN_SWITCH STREQUAL "ucontext")
    target_compile_definitions(postern_task PUBLIC TASK_SWITCH_UCONTEXT)
  elseif(NOT POSTERN_SWITCH STREQUAL "auto" AND NOT POSTERN_SWITCH STREQUAL processor
      AND NOT "${POSTERN_SWITCH}:${processor}" STREQUAL "x86_64:amd64"
      AND NOT "${POSTERN_SWITCH}:${processor}" STREQUAL "aarch64:arm64")
    message(FATAL_ERROR "POSTERN_SWITCH=${POSTERN_SWITCH} on ${processor}")
  endif()
  get_target_property(link postern_task LINK_LIBRARIES)
  add_library(postern_task_ucontext STATIC EXCLUDE_FROM_ALL ${ARGN})
  target_compile_definitions(postern_task_ucontext PUBLIC TASK_SWITCH_UCONTEXT)
  target_link_libraries(postern_task_ucontext PUBLIC ${link})
endfunction()

# postern_daemon(NAME [LIBRARY name] LINK targets...): NAME/*.c, main.c apart so that tests link the
# rest, as postern_NAME unless a layer has that name
function(postern_daemon name)
  cmake_parse_arguments(arg "" "LIBRARY" "LINK" ${ARGN})
  if(NOT arg_LIBRARY)
    set(arg_LIBRARY ${name})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.c)
  list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${name}/main.c)
  if(sources)
    add_library(postern_${arg_LIBRARY} STATIC ${sources})
    target_link_libraries(postern_${arg_LIBRARY} PUBLIC ${arg_LINK})
    set(own postern_${arg_LIBRARY})
  else()
    set(own ${arg_LINK})
  endif()
  if(EXISTS ${CMAKE_SOURCE_DIR}/${name}/main.c)
    add_executable(${name} ${CMAKE_SOURCE_DIR}/${name}/main.c)
    target_link_libraries(${name} PRIVATE ${own})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
        ${CMAKE_BINARY_DIR}/libexec/postern)
    install(TARGETS ${name} DESTINATION ${POSTERN_LIBEXECDIR})
  endif()
endfunction()

# postern_command(NAME SOURCES files... LINK targets... ALIASES names...): a command in sbin or bin
function(postern_command name)
  cmake_parse_arguments(arg "" "DESTINATION" "SOURCES;LINK;ALIASES" ${ARGN})
  if(NOT arg_DESTINATION)
    set(arg_DESTINATION ${CMAKE_INSTALL_SBINDIR})
  endif()
  add_executable(command_${name} ${arg_SOURCES})
  target_link_libraries(command_${name} PRIVATE ${arg_LINK})
  set_target_properties(command_${name} PROPERTIES OUTPUT_NAME ${name}
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/sbin)
  install(TARGETS command_${name} DESTINATION ${arg_DESTINATION})
  foreach(alias ${arg_ALIASES})
    add_custom_command(TARGET command_${name} POST_BUILD COMMAND
        ${CMAKE_COMMAND} -E create_symlink ${name} ${CMAKE_BINARY_DIR}/sbin/${alias})
    install(FILES ${CMAKE_BINARY_DIR}/sbin/${alias} DESTINATION ${arg_DESTINATION})
  endforeach()
endfunction()

# A failed assertion ends the program: inside a task there is no way back into cmocka.
function(postern_unit_test name target source library)
  add_executable(${target} ${source})
  target_link_libraries(${target} PRIVATE ${library} PkgConfig::CMOCKA)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 ENVIRONMENT "CMOCKA_TEST_ABORT=1")
endfunction()

# tests/unit/FOLDER/*_test.c links the library or daemon of that name; one ctest test per file.
# The tests of lib/task run a second time with the portable switch.
function(postern_unit_tests)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*/*_test.c)
  foreach(test ${tests})
    get_filename_component(stem ${test} NAME_WE)
    get_filename_component(folder ${test} DIRECTORY)
    get_filename_component(folder ${folder} NAME)
    set(target unit_${folder}_${stem})
    postern_unit_test(unit/${folder}/${stem} ${target} ${test} postern_${folder})
    if(folder STREQUAL "task")
      postern_unit_test(unit/task_ucontext/${stem} ${target}_ucontext ${test}
          postern_task_ucontext)
    endif()
  endforeach()
endfunction()
