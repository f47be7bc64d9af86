#include "core/thread_pool.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
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
    explicit Helper(Job first) : has_job(true), job(std::move(first)) {}

    std::mutex mutex;
    std::condition_variable given;
    std::atomic<bool> has_job;
    Job job;
};

// Never destroyed, since its threads may still sleep when the program ends.
struct Pool {
    std::mutex mutex;
    std::vector<Helper*> idle;
    std::size_t n_started = 0;  // `idle` has capacity for so many
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

// The C++ runtime allocates a few bytes for each thread's exceptions when the thread throws or asks for the
// first time; glibc ends the process if there is no memory for them. So they are allocated before any work,
// right after blocks of all sizes that they may have were allocated and freed, of which the allocator reuses
// one. Returns false if there is no memory.
bool can_throw() {
    constexpr std::size_t kSizes = 64;
    std::array<void*, kSizes> blocks{};
    bool allocated = true;
    for (std::size_t i = 0; i < kSizes; ++i) allocated = (blocks[i] = std::malloc(16 * (i + 1))) && allocated;
    for (void* block : blocks) std::free(block);
    return allocated && std::uncaught_exceptions() == 0;
}

void serve(Helper& helper) {
    if (!can_throw()) {
        helper.job.finished();
        delete &helper;
        return;
    }
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

void start(std::unique_ptr<Helper> helper) {
    {
        const std::lock_guard lock(pool->mutex);
        pool->idle.reserve(pool->n_started + 1);
        ++pool->n_started;
    }
    std::thread([own = helper.get()] { serve(*own); }).detach();
    helper.release();
}

}  // namespace

bool run_on_thread(std::function<void()> work, std::function<void()> finished) {
    if (Helper* helper = take_idle()) {
        {
            const std::lock_guard lock(helper->mutex);
            helper->job = {std::move(work), std::move(finished)};
            helper->has_job = true;
        }
        helper->given.notify_one();
        return true;
    }
    try {
        start(std::make_unique<Helper>(Job{std::move(work), std::move(finished)}));
    } catch (const std::exception&) {
        return false;
    }
    return true;
}

}  // namespace kmosaic
