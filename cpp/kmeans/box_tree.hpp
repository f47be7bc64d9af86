// Which rows a few candidate seeds would come nearer to than the row's nearest seed, once seeds are many: a tree of
// bounding boxes over the rows, sixteen entries a node, split as a k-d tree (Bentley 1975) and packed as an R-tree
// (Guttman 1984, SIGMOD). Each entry has a reach, the largest distance of its rows to their nearest seed. A candidate
// farther from a box than that is the nearest seed of none of its rows, so the whole entry is left alone: the exact
// acceleration of k-means++ by filtering (Raff 2021, IJCAI), for groups of rows in place of single ones.
//
// Why this is certain. Let X = (x - o) s be a row and C a candidate in units of the tree: o is an origin, s a power of
// two with |X_f|, |C_f| <= 2^41 (smaller still where s would overflow). x' and c' are X and C rounded to float32; with
// u = 2^-24, |x' - X| <= e_x = 2u |x'| + 2^-100 in norm, and c' alike: one float32 rounding, two of float64 and what
// underflows. Let r be the row's nearest distance as computed: squared distances in float64 are within one part in 10^9
// up to kMostTreeFeatures features, but for what underflows, less than 2^-520 in distance. Then a candidate whose
// computed squared distance is below r^2 has |X - C| <= R = s (r (1 + 10^-9) + 2^-520), so
//
//   |x' - c'| <= R + e_x + e_c,
//
// and no less than the distance of c' from any box that x' lies in. The kernels add d squares of differences, each
// rounded, in any order and with or without FMA: what they get is at most the true sum times 1 / (1 - (d + 4) u), plus
// less than d 2^-148 for underflow. They compare it with the square of reach + slack. So
//
//   reach = (R + e_x + 2^-40) m  and  slack = e_c m,  m = (1 + 2^-20) / sqrt(1 - (d + 4) u),
//
// rounded to float32, suffice: 2^-20 is sixteen roundings of float32, of which the two, their sum and its square are five,
// and 2^-40 squared is more than all that underflows. The reach of a box is the largest of its entries'. A row whose
// nearest distance is 0 gets nearer to nothing: its reach is negative, and below every slack.
//
// What the tree leaves is measured by ExactKernels::squared_distance, as everywhere: no bit depends on the tree.
#pragma once

#include <cstdint>
#include <vector>

#include "kmeans/aligned.hpp"
#include "kmeans/candidate_pairs.hpp"

namespace kmosaic {

constexpr std::size_t kMostTreeFeatures = std::size_t{1} << 16;

// A row that a candidate is nearer to than the row's nearest seed.
struct NearerRow {
    std::size_t row;
    double square;
};

class BoxTree {
  public:
    static bool possible(const Rows& rows);

    BoxTree(const Rows& rows, const Nearest& nearest, const Parallel& parallel);

    // nearer[c] = the rows that candidate c is nearer to, ascending.
    void find(const std::vector<std::size_t>& candidates, std::vector<std::vector<NearerRow>>& nearer,
              const Parallel& parallel);

    // The row's nearest distance has become less.
    void lower(std::size_t row);

    // How many pairs of a row and a candidate the last search measured.
    [[nodiscard]] std::size_t n_measured() const { return n_measured_; }

  private:
    // Nodes of kBoxFanOut entries. An entry is a row on level 0, and above it a node of the level below.
    struct Level {
        std::size_t n_nodes;
        AlignedVector<float> entries;  // [node][feature][lane], or [node][feature][low, high][lane]
        AlignedVector<float> reaches;  // [node][lane]
    };
    // A node that some candidates (bits) may reach into.
    struct Visit {
        std::uint32_t node;
        std::uint32_t candidates;
    };
    struct Found {
        std::vector<CloserPair> pairs;
        std::size_t n_measured = 0;
    };
    struct Search;
    class Worker;

    void place_origin();
    void place_rows(const Parallel& parallel);
    void add_levels(const Parallel& parallel);
    void add_level(const Parallel& parallel);
    void bound(Level& level, std::size_t node) const;
    float convert(std::size_t row, float* out, double* wide) const;
    [[nodiscard]] float reach(std::size_t position) const;
    [[nodiscard]] Search start(const std::vector<std::size_t>& candidates) const;
    void descend(const Search& search, std::size_t n_candidates);
    void children(const Search& search, std::size_t level, const Visit& visit, std::vector<Visit>& out) const;

    Rows rows_;
    const Kernels& table_;
    const Nearest& nearest_;
    double scale_ = 1;
    double margin_;  // m
    std::vector<double> origin_;
    std::vector<std::uint32_t> row_at_;    // [position]
    std::vector<std::uint32_t> position_;  // [row]
    std::vector<float> errors_;            // [position]: e_x, from above
    std::vector<Level> levels_;
    std::size_t n_measured_ = 0;
    std::vector<Visit> visits_, next_;  // of the search under way
    std::vector<Found> found_;          // by task
};

}  // namespace kmosaic
