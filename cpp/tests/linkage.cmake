# What a kernel's object defines for others must be in the namespace of its instruction set. Of an inline function that
# is not, the linker keeps one copy for all objects: it may keep an AVX-512 one, for processors that have none.
string(REPLACE "|" ";" objects "${OBJECTS}")
foreach(object IN LISTS objects)
    string(REGEX MATCH "kmosaic_[a-z0-9_]+_([a-z0-9]+)\\.dir" _ "${object}")
    set(isa "${CMAKE_MATCH_1}")
    string(LENGTH "${isa}" length)
    set(own "_ZNK?7kmosaic${length}${isa}")  # mangled: demangled templates begin with what they return
    execute_process(COMMAND "${NM}" --extern-only --defined-only "${object}" OUTPUT_VARIABLE symbols
                    RESULT_VARIABLE status)
    if(NOT status EQUAL 0 OR NOT symbols MATCHES "${own}[0-9]+[a-z0-9_]+_kernelsE\n")
        message(SEND_ERROR "${object}: no table of kernels of '${isa}' found")
    endif()
    string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
    list(FILTER symbols EXCLUDE REGEX " [A-Za-z] _?${own}")
    # Data of AddressSanitizer and of unwinding; neither is code.
    list(FILTER symbols EXCLUDE REGEX " _?__odr_asan| V DW\\.ref\\.")
    foreach(symbol IN LISTS symbols)
        message(SEND_ERROR "${object}: ${symbol}")
    endforeach()
endforeach()
