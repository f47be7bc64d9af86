// parallel_for: every task once, failures and interruptions reach the caller, and no task runs after its
// call.
#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "core/parallel.hpp"

namespace kmosaic::testing {
namespace {

// More tasks than anybody could do: a call of so many returns only because it is stopped.
constexpr std::size_t kEndless = std::numeric_limits<std::size_t>::max();

TEST(every_task_runs_once_whatever_the_number_of_threads) {
    for (const std::size_t n_threads : {0U, 1U, 2U, 3U, 7U, 64U}) {
        for (const std::size_t n_tasks : {0U, 1U, 2U, 5U, 1000U}) {
            context() = std::to_string(n_threads) + " threads, " + std::to_string(n_tasks) + " tasks";
            std::vector<int> runs(n_tasks, 0);  // not atomic: ThreadSanitizer sees a task taken twice
            parallel_for(n_tasks, Parallel{n_threads, [] { return false; }},
                         [&] { return [&](std::size_t task) { ++runs[task]; }; });
            CHECK(runs == std::vector<int>(n_tasks, 1));
        }
    }
}

// Work that another thread has not begun is taken back; the thread may wake up in the middle of the next call.
TEST(small_work_is_done_once_whether_other_threads_begin_or_not) {
    std::vector<int> runs(3, 0);
    constexpr int kCalls = 20000;
    for (int call = 0; call < kCalls; ++call)
        parallel_for(runs.size(), Parallel{4, [] { return false; }},
                     [&] { return [&](std::size_t task) { ++runs[task]; }; });
    CHECK(runs == std::vector<int>(3, kCalls));
}

TEST(no_more_workers_than_tasks) {
    std::atomic<int> workers{0};
    parallel_for(3, Parallel{16, [] { return false; }}, [&] {
        ++workers;
        return [](std::size_t) {};
    });
    CHECK(workers >= 1 && workers <= 3);
}

TEST(each_worker_has_its_own_buffers) {
    std::vector<std::size_t> sums(4000, 0);
    parallel_for(sums.size(), Parallel{7, [] { return false; }}, [&] {
        return [&, buffer = std::vector<std::size_t>(8)](std::size_t task) mutable {
            for (std::size_t& value : buffer) value = task;
            for (const std::size_t value : buffer) sums[task] += value;
        };
    });
    bool right = true;
    for (std::size_t task = 0; task < sums.size(); ++task) right = right && sums[task] == 8 * task;
    CHECK(right);
}

TEST(an_exception_of_a_task_reaches_the_caller_and_stops_the_rest) {
    for (const std::size_t n_threads : {1U, 2U, 7U}) {
        context() = std::to_string(n_threads) + " threads";
        std::atomic<std::size_t> run{0};
        const std::string message = message_of<std::runtime_error>([&] {
            parallel_for(kEndless, Parallel{n_threads, [] { return false; }}, [&] {
                return [&](std::size_t task) {
                    ++run;
                    if (task == 10) throw std::runtime_error("task ten");
                };
            });
        });
        CHECK(message == "task ten");
        CHECK(run >= 11);
    }
}

TEST(an_exception_of_every_thread_is_one_exception) {
    for (int repeat = 0; repeat < 50; ++repeat) {
        const std::string message = message_of<std::runtime_error>([] {
            parallel_for(100, Parallel{7, [] { return false; }},
                         [] { return [](std::size_t) { throw std::runtime_error("each"); }; });
        });
        CHECK(message == "each");
    }
}

TEST(an_exception_while_a_worker_is_made_reaches_the_caller) {
    std::atomic<int> made{0};
    const std::string message = message_of<std::bad_alloc>([&] {
        parallel_for(1000, Parallel{3, [] { return false; }}, [&] {
            if (++made == 1) throw std::bad_alloc();
            return [](std::size_t) {};
        });
    });
    CHECK(!message.empty());
}

TEST(interruption_is_asked_by_the_calling_thread_and_stops_the_work) {
    const std::thread::id caller = std::this_thread::get_id();
    for (const std::size_t n_threads : {1U, 3U}) {
        context() = std::to_string(n_threads) + " threads";
        std::atomic<std::size_t> run{0};
        std::atomic<bool> elsewhere{false};
        const Parallel parallel{n_threads, [&] {
                                    if (std::this_thread::get_id() != caller) elsewhere = true;
                                    return run > 5;
                                }};
        const std::string message = message_of<Interrupted>(
            [&] { parallel_for(kEndless, parallel, [&] { return [&](std::size_t) { ++run; }; }); });
        CHECK(message == "interrupted");
        CHECK(!elsewhere);
    }
}

TEST(a_long_task_stops_at_its_checkpoint) {
    for (const std::size_t n_threads : {1U, 3U}) {
        context() = std::to_string(n_threads) + " threads";
        const auto start = std::chrono::steady_clock::now();
        const Parallel parallel{
            n_threads,
            [&] { return std::chrono::steady_clock::now() - start > std::chrono::milliseconds(20); }};
        const std::string message = message_of<Interrupted>([&] {
            parallel_for(n_threads, parallel, [] {
                return [](std::size_t, const Checkpoint& checkpoint) {
                    while (true) checkpoint();
                };
            });
        });
        CHECK(message == "interrupted");
    }
}

TEST(the_calling_thread_is_interruptible_when_only_others_still_work) {
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<bool> idle{false};
    // Nobody is interrupted before the caller has nothing left to do.
    const Parallel parallel{2, [&] { return idle.load(); }};
    const std::string message = message_of<Interrupted>([&] {
        parallel_for(2, parallel, [&] {
            return [&](std::size_t, const Checkpoint& checkpoint) {
                static std::atomic<bool> other_works{false};
                if (std::this_thread::get_id() == caller) {
                    while (!other_works) std::this_thread::yield();
                    idle = true;
                    return;
                }
                other_works = true;
                while (true) checkpoint();
            };
        });
    });
    CHECK(message == "interrupted");
}

TEST(without_interruption_nothing_is_thrown) {
    int asked = 0;
    parallel_for(10, Parallel{1, [&] { return ++asked > 10; }}, [] { return [](std::size_t) {}; });
    CHECK(asked == 10);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
