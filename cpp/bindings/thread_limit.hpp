// The limits that threadpoolctl sets; it finds the two exported functions by their names.
#pragma once

namespace kmosaic {

// The most threads that a call from this thread may use; 0 where there is no limit.
int thread_limit();

}  // namespace kmosaic

#if defined(_WIN32)
#define KMOSAIC_EXPORT __declspec(dllexport)
#else
#define KMOSAIC_EXPORT __attribute__((visibility("default")))
#endif

// A limit on every thread of the process (everywhere != 0) or on the calling thread alone; 0 is no limit.
extern "C" KMOSAIC_EXPORT int kmosaic_get_num_threads(int everywhere);
extern "C" KMOSAIC_EXPORT void kmosaic_set_num_threads(int everywhere, int n_threads);
