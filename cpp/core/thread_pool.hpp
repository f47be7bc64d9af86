// Threads that wait for work between calls, since starting a thread takes longer than many steps of k-means.
#pragma once

#include <chrono>
#include <functional>

namespace kmosaic {

// A thread of the pool that runs one piece of work for the caller.
class BorrowedThread {
  public:
    // Starts `work`, which must not throw; nothing is borrowed if no thread can be started. A thread that has
    // no memory for exceptions does not run the work: the caller must be able to do all work without it.
    // After a fork the child starts threads of its own.
    explicit BorrowedThread(std::function<void()> work) noexcept;
    BorrowedThread(BorrowedThread&& other) noexcept;
    BorrowedThread(const BorrowedThread&) = delete;
    BorrowedThread& operator=(const BorrowedThread&) = delete;
    BorrowedThread& operator=(BorrowedThread&&) = delete;
    // Only once the work is revoked or finished.
    ~BorrowedThread();

    explicit operator bool() const { return helper_ != nullptr; }

    // Whether the work has not begun: then it never will. A thread that sleeps takes longer to wake up than
    // small work takes to do.
    bool revoke();

    // Waits so long for the work to finish; whether it has.
    bool finished(std::chrono::milliseconds patience);

  private:
    struct Helper* helper_ = nullptr;
};

}  // namespace kmosaic
