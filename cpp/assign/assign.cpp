#include "assign/assign.hpp"

#include <vector>

#include "assign/assigner.hpp"
#include "exact/exact_nearest.hpp"

namespace kmosaic {

std::size_t assign_exactly(const Kernels& table, const Rows& rows, const Centers& centers,
                           std::int32_t* labels, const Parallel& parallel, LabelChanges* changes) {
    return count_in_blocks(rows.n_rows, 1, parallel, [&] {
        return [exact_nearest = ExactNearest(rows, centers, table), candidates = std::vector<std::size_t>(),
                write = LabelWriter(labels, changes)](std::size_t row, std::size_t) mutable {
            candidates.clear();  // every centroid
            return std::size_t{write(row, exact_nearest(row, candidates))};
        };
    });
}

std::size_t assign(const Rows& rows, const Centers& centers, LabelArray labels, const Parallel& parallel,
                   LabelChanges* changes, const Int16Range* range) {
    return Assigner(rows, 1, range).assign(centers, labels, parallel, changes);
}

}  // namespace kmosaic
