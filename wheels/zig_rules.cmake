# zig makes no bundles, which CMake would have modules be on macOS; Python loads dynamic libraries as well.
if(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
    set(CMAKE_SHARED_MODULE_CREATE_CXX_FLAGS "-shared")
endif()
