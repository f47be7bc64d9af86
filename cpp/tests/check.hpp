// A small test harness: TEST registers, CHECK counts and says where, main runs all and fails if any check
// did.
#pragma once

#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace kmosaic::testing {

struct Test {
    const char* name;
    void (*run)();
};

inline std::vector<Test>& tests() {
    static std::vector<Test> list;
    return list;
}

struct Tally {
    std::size_t checks = 0;
    std::size_t failures = 0;
};

inline Tally& tally() {
    static Tally counts;
    return counts;
}

// Describes the present case; printed with a failure.
inline std::string& context() {
    static std::string text;
    return text;
}

inline void check(bool passed, const char* what, const char* file, int line) {
    ++tally().checks;
    if (passed) return;
    if (++tally().failures <= 20)
        std::fprintf(stderr, "%s:%d: %s\n    with %s\n", file, line, what, context().c_str());
}

// The message of the exception that `action` throws; empty where it throws none.
template <class Exception>
std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Exception& error) {
        return error.what();
    }
    return {};
}

inline int run_all() {
    for (const Test& test : tests()) {
        context().clear();
        const Tally before = tally();
        try {
            test.run();
        } catch (const std::exception& error) {
            check(false, error.what(), test.name, 0);
        }
        const std::size_t checks = tally().checks - before.checks;
        check(checks > 0, "a test must check something", test.name, 0);
        std::printf("%-70s %zu checks, %zu failed\n", test.name, checks, tally().failures - before.failures);
    }
    return tally().failures == 0 && !tests().empty() ? 0 : 1;
}

}  // namespace kmosaic::testing

#define CHECK(condition) \
    ::kmosaic::testing::check(static_cast<bool>(condition), #condition, __FILE__, __LINE__)

#define TEST(name)                                            \
    static void name();                                       \
    static const bool name##_registered = [] {                \
        ::kmosaic::testing::tests().push_back({#name, name}); \
        return true;                                          \
    }();                                                      \
    static void name()

#define TEST_MAIN                             \
    int main() {                              \
        return ::kmosaic::testing::run_all(); \
    }
