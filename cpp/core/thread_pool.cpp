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

// How long a thread polls for work, and a caller for the end of it, before it sleeps: about the time between
// the parts of a step.
constexpr auto kLookout = std::chrono::microseconds(200);

enum class State { kIdle, kGiven, kRunning, kFinished };

// Polls until `done` holds; false if it does not within kLookout.
template <class Condition>
bool poll(const Condition& done) {
    const auto end = std::chrono::steady_clock::now() + kLookout;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::yield();
    }
    return true;
}

}  // namespace

struct Helper {
    explicit Helper(std::function<void()> first) : state(State::kGiven), work(std::move(first)) {}

    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<State> state;
    std::function<void()> work;

    void set(State next) {
        {
            const std::lock_guard lock(mutex);
            state = next;
        }
        changed.notify_one();
    }

    // Whether the state was kGiven.
    bool take(State next) {
        State given = State::kGiven;
        return state.compare_exchange_strong(given, next);
    }

    void wait_for_work() {
        const auto given = [this] { return state == State::kGiven; };
        if (poll(given)) return;
        std::unique_lock lock(mutex);
        changed.wait(lock, given);
    }
};

namespace {

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

[[noreturn]] void serve(Helper& helper) {
    bool ready = false;
    while (true) {
        helper.wait_for_work();
        if (!helper.take(State::kRunning)) continue;  // revoked
        ready = ready || can_throw();
        if (ready) helper.work();
        helper.set(State::kFinished);
    }
}

Helper* take_idle() {
    const std::lock_guard lock(pool->mutex);
    if (pool->idle.empty()) return nullptr;
    Helper* helper = pool->idle.back();
    pool->idle.pop_back();
    return helper;
}

Helper* start(std::function<void()> work) {
    auto helper = std::make_unique<Helper>(std::move(work));
    {
        const std::lock_guard lock(pool->mutex);
        pool->idle.reserve(pool->n_started + 1);
        ++pool->n_started;
    }
    std::thread([own = helper.get()] { serve(*own); }).detach();
    return helper.release();
}

}  // namespace

BorrowedThread::BorrowedThread(std::function<void()> work) noexcept : helper_(take_idle()) {
    if (helper_) {
        helper_->work = std::move(work);
        helper_->set(State::kGiven);
        return;
    }
    try {
        helper_ = start(std::move(work));
    } catch (const std::exception&) {
        helper_ = nullptr;
    }
}

BorrowedThread::BorrowedThread(BorrowedThread&& other) noexcept
    : helper_(std::exchange(other.helper_, nullptr)) {}

BorrowedThread::~BorrowedThread() {
    if (!helper_) return;
    const std::lock_guard lock(pool->mutex);
    pool->idle.push_back(helper_);
}

bool BorrowedThread::revoke() {
    return helper_->take(State::kIdle);
}

bool BorrowedThread::finished(std::chrono::milliseconds patience) {
    const auto done = [this] { return helper_->state == State::kFinished; };
    if (poll(done)) return true;
    std::unique_lock lock(helper_->mutex);
    return helper_->changed.wait_for(lock, patience, done);
}

}  // namespace kmosaic
