#include "extras/dither.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace kmosaic {

namespace {

// Floyd's and Steinberg's weights are sixteenths, strengths 256ths.
constexpr int kErrorBits = 12;
constexpr std::int32_t kMaxAlphaStep = kUnit / 8;

using Error = std::array<std::int32_t, 3>;

void add(Error& to, const Error& error, std::int32_t weight) {
    for (std::size_t f = 0; f < 3; ++f) to[f] += weight * error[f];
}

class Strip {
  public:
    Strip(const Picture& picture, const ColourSpace& space, const SpacePoints& palette,
          const Diffusion& diffusion)
        : picture_(picture),
          space_(space),
          index_(palette),
          gamut_(space.gamut()),
          diffusion_(diffusion),
          width_(picture.width),
          n_channels_(picture.pixels.n_channels),
          row_bytes_(width_ * n_channels_ * (picture.pixels.deep ? 2 : 1)),
          points_(width_ * n_channels_),
          flat_(width_),
          errors_{std::vector<Error>(width_ + 2), std::vector<Error>(width_ + 2)} {}

    // Rows from `first` on; those before `kept` are not written.
    void run(std::size_t first, std::size_t kept, std::size_t end, std::uint8_t* labels,
             const Checkpoint& checkpoint) {
        for (auto& errors : errors_) std::fill(errors.begin(), errors.end(), Error{});
        std::vector<std::uint8_t> unused(first < kept ? width_ : 0);
        for (std::size_t y = first; y < end; ++y) {
            if (y % 16 == 0) checkpoint();
            space_.convert(picture_.pixels, y * width_, width_, points_.data());
            find_flat(y);
            std::uint8_t* row = y < kept ? unused.data() : labels + y * width_;
            if (n_channels_ == 3)
                diffuse_row<3>(y, row);
            else
                diffuse_row<4>(y, row);
        }
    }

  private:
    [[nodiscard]] const std::uint8_t* bytes(std::size_t y) const {
        return static_cast<const std::uint8_t*>(picture_.pixels.data) + y * row_bytes_;
    }

    // Pixels of the border have fewer neighbours than eight, and are not flat.
    void find_flat(std::size_t y) {
        std::fill(flat_.begin(), flat_.end(), std::uint8_t{0});
        if (y == 0 || y + 1 == picture_.height()) return;
        const std::size_t size = row_bytes_ / width_;
        if (size == 3)
            find_flat_in<3>(y);
        else if (size == 4)
            find_flat_in<4>(y);
        else if (size == 6)
            find_flat_in<6>(y);
        else
            find_flat_in<8>(y);
    }

    template <std::size_t kSize>
    void find_flat_in(std::size_t y) {
        const std::uint8_t* rows[3] = {bytes(y - 1), bytes(y), bytes(y + 1)};
        for (std::size_t x = 1; x + 1 < width_; ++x) {
            const std::uint8_t* own = rows[1] + x * kSize;
            if (std::memcmp(own, own + kSize, kSize) != 0) continue;
            bool flat = true;
            for (const std::uint8_t* row : rows)
                for (std::size_t n = x - 1; n <= x + 1; ++n)
                    flat = flat && std::memcmp(own, row + n * kSize, kSize) == 0;
            flat_[x] = flat;
        }
    }

    template <std::size_t kChannels>
    [[nodiscard]] SpacePoint point(std::size_t x) const {
        SpacePoint p{};
        for (std::size_t f = 0; f < kChannels; ++f) p[f] = points_[x * kChannels + f];
        return p;
    }

    // The error a pixel takes, no longer than allowed.
    [[nodiscard]] Error taken(const Error& sum) const {
        Error error;
        std::int64_t square = 0;
        for (std::size_t f = 0; f < 3; ++f) {
            error[f] = (sum[f] * diffusion_.strength + (1 << (kErrorBits - 1))) >> kErrorBits;
            square += std::int64_t{error[f]} * error[f];
        }
        const std::int64_t most = diffusion_.max_error;
        if (square <= most * most) return error;
        const double scale = static_cast<double>(most) / std::sqrt(static_cast<double>(square));
        for (std::int32_t& e : error) e = static_cast<std::int32_t>(e * scale);
        return error;
    }

    template <std::size_t kChannels>
    void diffuse_row(std::size_t y, std::uint8_t* labels) {
        const std::ptrdiff_t step = y % 2 == 0 ? 1 : -1;
        std::vector<Error>& errors = errors_[y % 2];
        std::vector<Error>& below = errors_[(y + 1) % 2];
        std::size_t x = step > 0 ? 0 : width_ - 1;
        Error left{};
        std::int32_t alpha_before = 0;
        // What the pixels below the one before and below this one have so far.
        Error behind{};
        Error under{};
        for (std::size_t n = 0; n < width_; ++n, x += static_cast<std::size_t>(step)) {
            const SpacePoint own = point<kChannels>(x);
            if (kChannels == 4) {
                if (std::abs(own[3] - alpha_before) > kMaxAlphaStep) left = {};
                alpha_before = own[3];
            }
            if (kChannels == 4 && own[3] == 0) {
                labels[x] = static_cast<std::uint8_t>(index_.size());
                left = {};
            } else {
                Error sum = errors[x + 1];
                add(sum, left, 7);
                left = place<kChannels>(own, sum, x, labels);
            }
            add(behind, left, 3);
            below[x + 1 - static_cast<std::size_t>(step)] = behind;
            behind = under;
            add(behind, left, 5);
            under = left;
        }
        below[x + 1 - static_cast<std::size_t>(step)] = behind;
        if (kChannels == 4) drop_across_edges(y, below);
    }

    // Labels a pixel, and returns what its label's colour lacks.
    template <std::size_t kChannels>
    Error place(const SpacePoint& own, const Error& sum, std::size_t x, std::uint8_t* labels) {
        if (flat_[x]) {
            const std::size_t nearest = index_.nearest(own);
            if (squared_distance(own, index_.point(nearest)) <= diffusion_.max_flat_square) {
                labels[x] = static_cast<std::uint8_t>(nearest);
                return {};
            }
        }
        const Error error = taken(sum);
        SpacePoint wanted = own;
        for (std::size_t f = 0; f < 3; ++f)
            wanted[f] = std::clamp(own[f] + error[f], gamut_[0][f], gamut_[1][f]);
        const std::size_t nearest = index_.nearest(wanted);
        labels[x] = static_cast<std::uint8_t>(nearest);
        const SpacePoint& found = index_.point(nearest);
        return {wanted[0] - found[0], wanted[1] - found[1], wanted[2] - found[2]};
    }

    // Takes the error from pixels of the row below whose opacity is another than that of the pixel above.
    void drop_across_edges(std::size_t y, std::vector<Error>& below) {
        if (y + 1 == picture_.height()) return;
        next_.resize(points_.size());
        space_.convert(picture_.pixels, (y + 1) * width_, width_, next_.data());
        for (std::size_t x = 0; x < width_; ++x) {
            const std::int32_t here = next_[x * 4 + 3];
            for (std::size_t n = x == 0 ? 0 : x - 1; n <= std::min(x + 1, width_ - 1); ++n)
                if (std::abs(here - points_[n * 4 + 3]) > kMaxAlphaStep) below[x + 1] = {};
        }
    }

    const Picture& picture_;
    const ColourSpace& space_;
    PaletteIndex index_;
    std::array<std::array<std::int32_t, 3>, 2> gamut_;
    const Diffusion& diffusion_;
    std::size_t width_;
    std::size_t n_channels_;
    std::size_t row_bytes_;
    std::vector<std::uint16_t> points_;
    std::vector<std::uint16_t> next_;
    std::vector<std::uint8_t> flat_;
    std::vector<Error> errors_[2];
};

}  // namespace

void diffuse(const Picture& picture, const ColourSpace& space, const SpacePoints& palette,
             const Diffusion& diffusion, std::uint8_t* labels, const Parallel& parallel) {
    const std::size_t height = picture.height();
    parallel_for(ceil_div(height, kStripRows), parallel, [&] {
        return [&, strip = Strip(picture, space, palette, diffusion)](std::size_t s,
                                                                      const Checkpoint& checkpoint) mutable {
            const std::size_t kept = s * kStripRows;
            const std::size_t first = kept < kWarmUpRows ? 0 : kept - kWarmUpRows;
            strip.run(first, kept, std::min(kept + kStripRows, height), labels, checkpoint);
        };
    });
}

}  // namespace kmosaic
