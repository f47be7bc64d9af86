// Float32 filter with rows in lanes: most rows' nearest centroid, and proof that it is the nearest.
//
// A row whose second least score is above
//
//   least + row_factor |X|^2 + constant
//
// has its centroid of least score as the nearest: L5 in docs/developer/proof.md. The other rows, and those
// too large for float32, are left undecided. L6 gives a lower bound of how much farther every other centroid
// is (the margin).
#pragma once

#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

class LaneFilter {
  public:
    // Later copies of an equal centroid are excluded, since ties go to the lowest index.
    LaneFilter(const Centers& centers, Dtype dtype);

    [[nodiscard]] const LaneCenters& centroids() const { return view_; }
    // Whether some centroid equals another. Margins leave out copies, so they mean nothing then.
    [[nodiscard]] bool has_duplicates() const { return has_duplicates_; }

  private:
    void set_scale(const Centers& centers, Dtype dtype);
    void set_coefficients(const Centers& centers);

    std::vector<double> origin_;
    std::vector<float> coefficients_;
    std::vector<float> norms_;
    bool has_duplicates_ = false;
    LaneCenters view_;
};

}  // namespace kmosaic
