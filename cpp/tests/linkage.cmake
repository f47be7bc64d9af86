# What a kernel's object defines for others must be in the namespace of its instruction set. Of an inline function that
# is not, the linker keeps one copy for all objects: it may keep an AVX-512 one, for processors that have none.
set(failed FALSE)
string(REPLACE "|" ";" objects "${OBJECTS}")
foreach(object IN LISTS objects)
    string(REGEX MATCH "kmosaic_[a-z]+_([a-z0-9]+)\\.dir" _ "${object}")
    set(isa "${CMAKE_MATCH_1}")
    execute_process(COMMAND "${NM}" --demangle --extern-only --defined-only "${object}"
                    OUTPUT_VARIABLE symbols RESULT_VARIABLE status)
    if(NOT status EQUAL 0 OR NOT symbols MATCHES " kmosaic::${isa}::[a-z]+_kernels\n")
        message(SEND_ERROR "${object}: no table of kernels of '${isa}' found")
    endif()
    string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
    list(FILTER symbols EXCLUDE REGEX " [A-Za-z] ((vtable|guard variable|non-virtual thunk) [a-z]+ )?kmosaic::${isa}::")
    list(FILTER symbols EXCLUDE REGEX "__odr_asan")  # AddressSanitizer's marks, one byte each
    foreach(symbol IN LISTS symbols)
        message(SEND_ERROR "${object}: ${symbol}")
    endforeach()
endforeach()
