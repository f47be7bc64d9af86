// What CPython's other headers ask of pyconfig.h, as it is on 64-bit Windows.
#include <sys/types.h>

#define DOUBLE_IS_LITTLE_ENDIAN_IEEE754 1
#define HAVE_DECLSPEC_DLL 1
#define HAVE_SSIZE_T 1
#define HAVE_SYS_STAT_H 1
#define HAVE_WCHAR_H 1
#define MS_WIN32 1
#define MS_WIN64 1
#define MS_WINDOWS 1
#define NT_THREADS 1
#define PY_FORMAT_SIZE_T "z"
#define Py_ENABLE_SHARED 1
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_PID_T 4
#define SIZEOF_SIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_UINTPTR_T 8
#define SIZEOF_VOID_P 8
#define SIZEOF_WCHAR_T 2
#define SIZEOF__BOOL 1
#define WITH_DOC_STRINGS 1
#define WITH_PYMALLOC 1
