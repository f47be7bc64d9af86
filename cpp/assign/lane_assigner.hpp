// The assignment step with rows in the lanes of registers, which meet every centroid in float32 or int16: for rows
// of few features (pixels, bands of a scene) and for few centroids.
#pragma once

#include <cstdint>
#include <optional>

#include "assign/lane_bounds.hpp"
#include "assign/plan.hpp"
#include "core/parallel.hpp"
#include "filters/int16_filter.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

// Labels as they are stored: in four bytes each or, for at most kMaxSmallLabels clusters, in one byte, in
// which kNoLabel stands for -1. Labels of a byte need a quarter of the memory bandwidth.
constexpr std::size_t kMaxSmallLabels = 255;
constexpr std::uint8_t kNoLabel = 255;

class LabelArray {
  public:
    LabelArray(std::int32_t* wide) : wide_(wide) {}  // NOLINT(google-explicit-constructor)
    explicit LabelArray(std::uint8_t* small) : small_(small) {}

    [[nodiscard]] std::int32_t* wide() const { return wide_; }
    [[nodiscard]] std::int32_t of(std::size_t row) const {
        if (wide_) return wide_[row];
        return small_[row] == kNoLabel ? -1 : small_[row];
    }
    void set(std::size_t row, std::int32_t label) const {
        if (wide_)
            wide_[row] = label;
        else
            small_[row] = static_cast<std::uint8_t>(label);
    }
    // Labels from `first` on; labels of a byte are read into `buffer`.
    const std::int32_t* read(std::size_t first, std::size_t count, std::int32_t* buffer) const;
    // Labels from `first` on as the int16 kernels take them, without lists.
    [[nodiscard]] Int16Labels int16(std::size_t first) const {
        if (wide_) return {wide_ + first, false, first, nullptr, nullptr, 0, 0};
        return {small_ + first, true, first, nullptr, nullptr, 0, 0};
    }

  private:
    std::int32_t* wide_ = nullptr;
    std::uint8_t* small_ = nullptr;
};

// Writes labels of n_rows rows in four bytes each. Threads share the cost of touching new memory.
void widen(const LabelArray& labels, std::size_t n_rows, std::int32_t* out, const Parallel& parallel);

// Assigns the same rows, call after call: by the int16 filter first (at most kLowDimFeatures features), or with
// bounds from the second call on, as the plan says.
class LaneAssigner {
  public:
    // `range`: the int16_range of these rows where it is known, else null.
    LaneAssigner(const Rows& rows, const Kernels& table, const Int16Range* range = nullptr);

    // Writes the nearest centroid of each row (ties: the lowest), records changes of labels in `changes`, if
    // given, and returns how many labels changed, each as often as its row counts. Labels and centers may
    // have changed in any way since the last call.
    std::size_t assign(const Plan& plan, const Centers& centers, LabelArray labels, const Parallel& parallel,
                       LabelChanges* changes);

  private:
    Rows rows_;
    const Kernels& table_;
    std::optional<Int16Range> range_;
    std::optional<LaneBounds> bounds_;
    std::size_t n_calls_ = 0;
};

}  // namespace kmosaic
