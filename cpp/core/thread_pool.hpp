// Threads that wait for work between calls: to start one takes longer than many a step of k-means.
#pragma once

#include <functional>

namespace kmosaic {

// Runs `work` on a thread of its own and, that being done, `finished`, when the thread may have been given other work already.
// False where no thread can be had. A thread that finds no memory to work with finishes without working: what it does others must
// do in its place. After a fork the child has threads of its own. Nothing is thrown.
bool run_on_thread(std::function<void()> work, std::function<void()> finished);

}  // namespace kmosaic
