#include "bindings/thread_limit.hpp"

#include <algorithm>
#include <atomic>

namespace {

std::atomic<int> limit_everywhere{0};
thread_local int limit_here = 0;

}  // namespace

int kmosaic_get_num_threads(int everywhere) {
    return everywhere ? limit_everywhere.load() : limit_here;
}

void kmosaic_set_num_threads(int everywhere, int n_threads) {
    if (everywhere)
        limit_everywhere = std::max(n_threads, 0);
    else
        limit_here = std::max(n_threads, 0);
}

namespace kmosaic {

int thread_limit() {
    const int everywhere = limit_everywhere;
    if (everywhere == 0 || limit_here == 0) return std::max(everywhere, limit_here);
    return std::min(everywhere, limit_here);
}

}  // namespace kmosaic
