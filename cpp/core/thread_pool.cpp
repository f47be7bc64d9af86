#include "core/thread_pool.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace kmosaic {

namespace {

// An idle thread polls for work this long before it sleeps: about the time between the parts of a step.
constexpr auto kLookout = std::chrono::microseconds(200);

struct Job {
    std::function<void()> work;
    std::function<void()> finished;
};

struct Helper {
    std::mutex mutex;
    std::condition_variable given;
    std::atomic<bool> has_job{false};
    Job job;
};

// Never destroyed: its threads may still sleep when the program ends.
struct Pool {
    std::mutex mutex;
    std::vector<Helper*> idle;
};

Pool* pool = new Pool;

#if defined(__unix__) || defined(__APPLE__)
// The child of a fork has none of the threads; their Helpers are leaked.
[[maybe_unused]] const int at_fork =
    pthread_atfork([] { pool->mutex.lock(); }, [] { pool->mutex.unlock(); }, [] { pool = new Pool; });
#endif

void wait_for_job(Helper& helper) {
    const auto end = std::chrono::steady_clock::now() + kLookout;
    while (!helper.has_job && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    std::unique_lock lock(helper.mutex);
    helper.given.wait(lock, [&] { return helper.has_job.load(); });
}

[[noreturn]] void serve(Helper& helper) {
    while (true) {
        wait_for_job(helper);
        const Job job = std::exchange(helper.job, {});
        helper.has_job = false;
        job.work();
        {
            const std::lock_guard lock(pool->mutex);
            pool->idle.push_back(&helper);
        }
        job.finished();
    }
}

Helper* take_idle() {
    const std::lock_guard lock(pool->mutex);
    if (pool->idle.empty()) return nullptr;
    Helper* helper = pool->idle.back();
    pool->idle.pop_back();
    return helper;
}

}  // namespace

bool run_on_thread(std::function<void()> work, std::function<void()> finished) {
    Helper* helper = take_idle();
    const bool found = helper != nullptr;
    if (!found) helper = new Helper;
    {
        const std::lock_guard lock(helper->mutex);
        helper->job = {std::move(work), std::move(finished)};
        helper->has_job = true;
    }
    if (found) {
        helper->given.notify_one();
        return true;
    }
    try {
        std::thread([helper] { serve(*helper); }).detach();
    } catch (const std::exception&) {
        delete helper;
        return false;
    }
    return true;
}

}  // namespace kmosaic
