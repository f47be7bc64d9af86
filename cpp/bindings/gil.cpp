#include "bindings/gil.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace kmosaic {

namespace {

using namespace std::chrono_literals;

std::atomic<bool> leaving{false};
std::atomic<int> n_waiting{0};
std::thread::id leaver;

// Counts the threads that wait for the lock. The count goes up before `leaving` is read, and is read after
// that is set: a thread either sees that it must not ask, or is waited for.
class Waiting {
  public:
    Waiting() {
        ++n_waiting;
        if (!leaving || std::this_thread::get_id() == leaver) return;
        --n_waiting;
        while (true) std::this_thread::sleep_for(1h);
    }
    ~Waiting() { --n_waiting; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
};

PyGILState_STATE ensure_gil() {
    const Waiting waiting;
    return PyGILState_Ensure();
}

}  // namespace

void leave_python() {
    leaver = std::this_thread::get_id();
    leaving = true;
    const nanobind::gil_scoped_release release;
    // For a limited time: the child of a fork counts threads of its parent that it does not have.
    for (int i = 0; i < 1000 && n_waiting > 0; ++i) std::this_thread::sleep_for(1ms);
}

WithoutGil::WithoutGil() : state_(PyEval_SaveThread()) {}

WithoutGil::~WithoutGil() {
    const Waiting waiting;
    PyEval_RestoreThread(state_);
}

bool signal_raised() {
    const PyGILState_STATE state = ensure_gil();
    const bool raised = PyErr_CheckSignals() != 0;
    PyGILState_Release(state);
    return raised;
}

}  // namespace kmosaic
