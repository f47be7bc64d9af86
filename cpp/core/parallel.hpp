// Threads: tasks 0 .. n_tasks - 1 are taken in order by whichever thread is free. No result may depend on
// which thread took which task.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/thread_pool.hpp"

namespace kmosaic {

// How many groups of `size` hold n, and how many items these groups hold.
constexpr std::size_t ceil_div(std::size_t n, std::size_t size) {
    return (n + size - 1) / size;
}
constexpr std::size_t round_up(std::size_t n, std::size_t size) {
    return ceil_div(n, size) * size;
}

struct Interrupted : std::exception {
    [[nodiscard]] const char* what() const noexcept override { return "interrupted"; }
};

struct Parallel {
    std::size_t n_threads = 1;
    // Asked by the calling thread between tasks; true stops the work with Interrupted.
    std::function<bool()> interrupted = [] { return false; };
};

// Stops the threads of one call together and keeps the first exception. Only the calling thread asks whether
// it is interrupted, and it does not ask again once something has failed.
class Progress {
  public:
    Progress(std::size_t n_tasks, const Parallel& parallel) : n_tasks_(n_tasks), parallel_(parallel) {}

    // The next task to do, n_tasks or more when there is none.
    std::size_t next() { return stopped_ ? n_tasks_ : next_++; }

    // Throws Interrupted if the work is to stop.
    void check(bool calling) const {
        if (stopped_ || (calling && parallel_.interrupted())) throw Interrupted();
    }

    void fail(std::exception_ptr failure) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::move(failure);
        stopped_ = true;
    }

    // Waits for another thread to finish its tasks, and stays interruptible. Tasks that it has not begun have
    // been done.
    void wait(BorrowedThread& other) {
        if (other.revoke()) return;
        while (!other.finished(std::chrono::milliseconds(50)))
            if (!stopped_ && parallel_.interrupted()) fail(std::make_exception_ptr(Interrupted()));
    }

    void rethrow() const {
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    std::size_t n_tasks_;
    const Parallel& parallel_;
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> stopped_{false};
    std::mutex mutex_;
    std::exception_ptr failure_;
};

// Long tasks (over 100 ms) call this now and then; it throws Interrupted if the work is to stop.
class Checkpoint {
  public:
    Checkpoint(const Progress& progress, bool calling) : progress_(progress), calling_(calling) {}
    void operator()() const { progress_.check(calling_); }

  private:
    const Progress& progress_;
    bool calling_;
};

// Calls make_worker() once per thread (it may allocate buffers), then worker(task), or worker(task,
// checkpoint), for each task.
template <class MakeWorker>
void parallel_for(std::size_t n_tasks, const Parallel& parallel, MakeWorker make_worker) {
    Progress progress(n_tasks, parallel);
    const auto work = [&](bool calling) {
        try {
            auto worker = make_worker();
            const Checkpoint checkpoint(progress, calling);
            for (std::size_t task = progress.next(); task < n_tasks; task = progress.next()) {
                if constexpr (std::is_invocable_v<decltype(worker)&, std::size_t, const Checkpoint&>)
                    worker(task, checkpoint);
                else
                    worker(task);
                if (calling) checkpoint();
            }
        } catch (...) {
            progress.fail(std::current_exception());
        }
    };
    const std::size_t n_threads = parallel.n_threads < n_tasks ? parallel.n_threads : n_tasks;
    std::vector<BorrowedThread> others;
    others.reserve(n_threads);
    while (others.size() + 1 < n_threads) {
        if (others.emplace_back([&] { work(false); })) continue;
        others.pop_back();
        break;  // fewer threads do the same work
    }
    work(true);
    for (BorrowedThread& other : others) progress.wait(other);
    progress.rethrow();
}

// The same for blocks of n items, `size` at a time but for the last: worker(first, count), or worker(first,
// count, checkpoint).
template <class MakeWorker>
void parallel_blocks(std::size_t n, std::size_t size, const Parallel& parallel, MakeWorker make_worker) {
    parallel_for(ceil_div(n, size), parallel, [&] {
        return [&, worker = make_worker()](std::size_t block, const Checkpoint& checkpoint) mutable {
            const std::size_t first = block * size;
            const std::size_t count = std::min(size, n - first);
            if constexpr (std::is_invocable_v<decltype(worker)&, std::size_t, std::size_t, const Checkpoint&>)
                worker(first, count, checkpoint);
            else
                worker(first, count);
        };
    });
}

// The same, and returns the sum of what worker(first, count) returns.
template <class MakeWorker>
std::size_t count_in_blocks(std::size_t n, std::size_t size, const Parallel& parallel,
                            MakeWorker make_worker) {
    std::atomic<std::size_t> total{0};
    parallel_blocks(n, size, parallel, [&] {
        return [&, worker = make_worker()](std::size_t first, std::size_t count) mutable {
            total += worker(first, count);
        };
    });
    return total;
}

}  // namespace kmosaic
