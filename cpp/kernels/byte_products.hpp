// Rows of bytes times panels of sixteen centroids' codes, by the instructions of dot4.hpp.
#pragma once

#include "kernels/dot4.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

constexpr std::size_t kVectors = kPanelWidth / kLanes;
// kRowGroup x kVectors accumulators fit the registers beside the codes of a panel and of a row.
constexpr std::size_t kRowGroup = KMOSAIC_LANES == 16 ? 12 : KMOSAIC_LANES == 8 ? 4 : 2;

struct Products {
    Ints lanes[kRowGroup][kVectors];
};

// Contiguous rows of 64 bytes: their addresses follow from the first one's.
constexpr std::size_t kTileBytes = 64;
struct Tile {
    alignas(64) std::uint8_t rows[kRowGroup][kTileBytes];
    const std::uint8_t* operator[](std::size_t r) const { return rows[r]; }
};

// NRows rows (pointers, or a Tile) x NPanels panels of 16 centroids, `apart` bytes from one to the next.
template <std::size_t NRows, std::size_t NPanels, class Rows>
inline void multiply(const std::int8_t* panels, std::size_t apart, std::size_t n_quads, const Rows& rows,
                     Ints (&out)[NRows][NPanels * kVectors]) {
    Ints sums[NRows][NPanels * kVectors] = {};
    for (std::size_t q = 0; q < n_quads; ++q) {
        Ints codes[NPanels * kVectors];
#pragma GCC unroll 16
        for (std::size_t v = 0; v < NPanels * kVectors; ++v)
            codes[v] =
                load_ints(panels + v / kVectors * apart + (q * kPanelWidth + v % kVectors * kLanes) * 4);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < NRows; ++r) {
            const Ints x = four_bytes(rows[r] + 4 * q);
#pragma GCC unroll 16
            for (std::size_t v = 0; v < NPanels * kVectors; ++v) sums[r][v] = dot4(sums[r][v], x, codes[v]);
        }
    }
#pragma GCC unroll 16
    for (std::size_t r = 0; r < NRows; ++r)
#pragma GCC unroll 16
        for (std::size_t v = 0; v < NPanels * kVectors; ++v) out[r][v] = sums[r][v];
}

// A group of rows x one panel.
template <class Rows>
inline void multiply(const std::int8_t* panel, std::size_t n_quads, const Rows& rows, Products& out) {
    multiply<kRowGroup, 1>(panel, 0, n_quads, rows, out.lanes);
}

// Calls visit(first, count, codes) for each group of rows. The last group is filled up with its last row: a
// whole group takes no longer than two or three single rows.
template <std::size_t NRows, class QuantizedRows, class Visit>
inline void for_each_group(std::size_t n_rows, QuantizedRows quantized_rows, Visit visit) {
    const std::uint8_t* codes[NRows];
    for (std::size_t first = 0; first < n_rows; first += NRows) {
        const std::size_t count = n_rows - first < NRows ? n_rows - first : NRows;
        for (std::size_t i = 0; i < NRows; ++i)
            codes[i] = quantized_rows(first + (i < count ? i : count - 1));
        visit(first, count, codes);
    }
}

}  // namespace
}  // namespace kmosaic::KMOSAIC_ISA
