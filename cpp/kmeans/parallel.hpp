// Threads: tasks 0 .. n_tasks - 1 are taken in order by whoever is free. No result may depend on who took
// which.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kmosaic {

struct Interrupted : std::exception {
    [[nodiscard]] const char* what() const noexcept override { return "interrupted"; }
};

struct Parallel {
    std::size_t n_threads = 1;
    // Asked by the calling thread between tasks; true stops the work with Interrupted.
    std::function<bool()> interrupted = [] { return false; };
};

// Call make_worker() once a thread (it may allocate buffers), then worker(task) for each task.
template <class MakeWorker>
void parallel_for(std::size_t n_tasks, const Parallel& parallel, MakeWorker make_worker) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_mutex;
    const auto work = [&](bool calling) {
        try {
            auto worker = make_worker();
            for (std::size_t task = next++; task < n_tasks; task = next++) {
                worker(task);
                if (calling && parallel.interrupted()) throw Interrupted();
            }
        } catch (...) {
            const std::lock_guard lock(failure_mutex);
            if (!failure) failure = std::current_exception();
            next = n_tasks;
        }
    };
    const std::size_t n_threads = parallel.n_threads < n_tasks ? parallel.n_threads : n_tasks;
    std::vector<std::thread> threads;
    threads.reserve(n_threads);  // here it may throw; with threads running it would end the program
    for (std::size_t t = 1; t < n_threads; ++t) {
        try {
            threads.emplace_back(work, false);
        } catch (const std::exception&) {
            break;  // fewer threads do the same work
        }
    }
    work(true);
    for (std::thread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace kmosaic
