# Compiles with zig for KMOSAIC_ZIG_TARGET. All that zig itself brings (libc++, compiler-rt) is linked statically.
set(CMAKE_SYSTEM_NAME ${KMOSAIC_SYSTEM})
set(CMAKE_SYSTEM_PROCESSOR ${KMOSAIC_PROCESSOR})
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES KMOSAIC_ZIG KMOSAIC_ZIG_TARGET KMOSAIC_SYSTEM KMOSAIC_PROCESSOR)
set(CMAKE_CXX_COMPILER ${KMOSAIC_ZIG} c++ -target ${KMOSAIC_ZIG_TARGET})
# They would be the machine's own, which know only its own kind of object files.
set(CMAKE_CXX_ARCHIVE_CREATE "${KMOSAIC_ZIG} ar qc <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_APPEND "${KMOSAIC_ZIG} ar q <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "${KMOSAIC_ZIG} ranlib <TARGET>")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_USER_MAKE_RULES_OVERRIDE ${CMAKE_CURRENT_LIST_DIR}/zig_rules.cmake)
# It has no scanner of modules, of which there are none.
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
# nanobind 3.1 writes to stderr without this header, which libc++'s others do not bring. Optimised from CMake's first
# checks on, since zig compiles libc++ once more for programs that are not.
set(CMAKE_CXX_FLAGS_INIT "-O3 -include cstdio -Wno-macro-redefined")
