// Threads that wait for work between calls, since starting a thread takes longer than many steps of k-means.
#pragma once

#include <functional>

namespace kmosaic {

// Runs `work` and then `finished` on another thread; the thread may have got other work by the time
// `finished` runs. Returns false if no thread can be started. If the thread has no memory for exceptions, it
// runs only `finished`: the caller must be able to do all work without it. After a fork the child starts
// threads of its own. Throws nothing.
bool run_on_thread(std::function<void()> work, std::function<void()> finished);

}  // namespace kmosaic
