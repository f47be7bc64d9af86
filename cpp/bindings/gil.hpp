// Doing without Python's lock (GIL), and taking it back also while the interpreter is about to leave.
//
// A thread that asks for the lock while Python finalizes is ended by it (before 3.14) with pthread_exit, which
// unwinds the stack: through C++ that may not throw that ends the whole process with std::terminate. So a daemon
// thread in the midst of a fit when the program ends must not ask. It stays where it is, as from 3.14 on.
#pragma once

#include <nanobind/nanobind.h>

#include <exception>

namespace kmosaic {

// Before Python finalizes (atexit): from here on no other thread asks for the lock, and none still waits for it.
void leave_python();

// While it lives, the calling thread does not hold the lock.
class WithoutGil {
  public:
    WithoutGil();
    ~WithoutGil();
    WithoutGil(const WithoutGil&) = delete;
    WithoutGil& operator=(const WithoutGil&) = delete;

  private:
    PyThreadState* state_;
};

// Memory for this thread's first exception, allocated ahead: where none is left then, the C++ runtime ends the process.
inline void prepare_to_throw() {
    (void)std::uncaught_exceptions();
}

// Whether a signal's handler raised, such as Ctrl-C's: asked without holding the lock. Then Python's error is set.
bool signal_raised();

}  // namespace kmosaic
