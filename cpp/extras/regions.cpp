#include "extras/regions.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <numeric>
#include <queue>
#include <utility>
#include <vector>

namespace kmosaic {

namespace {

// Enough for threads to share.
std::size_t parts_for(const Parallel& parallel) {
    return 4 * std::clamp<std::size_t>(parallel.n_threads, 1, 1024);
}

constexpr std::size_t kLinesAtOnce = 16;
constexpr std::size_t kTilesAtOnce = 512;

// Pixels of one label side by side in a line, up to before `end`.
struct Run {
    std::uint32_t end;
    std::int32_t label;
};

class Sets {
  public:
    explicit Sets(std::size_t n) : parents_(n) { std::iota(parents_.begin(), parents_.end(), 0U); }

    std::uint32_t find(std::uint32_t i) {
        while (parents_[i] != i) {
            parents_[i] = parents_[parents_[i]];
            i = parents_[i];
        }
        return i;
    }
    // The lower index stands for both.
    void unite(std::uint32_t a, std::uint32_t b) {
        a = find(a);
        b = find(b);
        parents_[std::max(a, b)] = std::min(a, b);
    }
    void attach(std::uint32_t root, std::uint32_t to) { parents_[root] = to; }

  private:
    std::vector<std::uint32_t> parents_;
};

// An image's lines as runs.
class Runs {
  public:
    Runs(const Extent& shape, const std::int32_t* labels, const Parallel& parallel)
        : shape_(shape), lines_(shape[0] * shape[1]) {
        parallel_blocks(lines_.size(), kLinesAtOnce, parallel, [&] {
            return [&](std::size_t first, std::size_t count) {
                for (std::size_t line = first; line < first + count; ++line)
                    split(labels + line * shape_[2], lines_[line]);
            };
        });
        starts_.push_back(0);
        for (const std::vector<Run>& line : lines_)
            starts_.push_back(starts_.back() + static_cast<std::uint32_t>(line.size()));
    }

    [[nodiscard]] std::size_t size() const { return starts_.back(); }

    // Calls visit(run, label, length) for all runs in order.
    template <class Visit>
    void each(Visit visit) const {
        for (std::size_t line = 0; line < lines_.size(); ++line) {
            std::uint32_t begin = 0;
            for (std::size_t i = 0; i < lines_[line].size(); ++i) {
                const Run& run = lines_[line][i];
                visit(starts_[line] + static_cast<std::uint32_t>(i), run.label, run.end - begin);
                begin = run.end;
            }
        }
    }

    // Calls visit(a, label of a, b, label of b) for all runs of one line that touch.
    template <class Visit>
    void side_by_side(Visit visit) const {
        for (std::size_t line = 0; line < lines_.size(); ++line)
            for (std::size_t i = 1; i < lines_[line].size(); ++i) {
                const std::uint32_t run = starts_[line] + static_cast<std::uint32_t>(i);
                visit(run - 1, lines_[line][i - 1].label, run, lines_[line][i].label);
            }
    }

    // The same for a line and those before it, of its plane and the plane before, that lie from `from` on and
    // before `to`.
    template <class Visit>
    void across(std::size_t line, std::size_t from, std::size_t to, Visit visit) const {
        if (line % shape_[1] != 0 && line - 1 >= from && line - 1 < to) overlapping(line - 1, line, visit);
        if (line >= shape_[1] && line - shape_[1] >= from && line - shape_[1] < to)
            overlapping(line - shape_[1], line, visit);
    }

    [[nodiscard]] std::size_t n_lines() const { return lines_.size(); }

    // labels = values[run], for all pixels.
    void write(const std::vector<std::int32_t>& values, std::int32_t* labels,
               const Parallel& parallel) const {
        parallel_blocks(lines_.size(), kLinesAtOnce, parallel, [&] {
            return [&](std::size_t first, std::size_t count) {
                for (std::size_t line = first; line < first + count; ++line) {
                    std::int32_t* row = labels + line * shape_[2];
                    std::uint32_t begin = 0;
                    for (std::size_t i = 0; i < lines_[line].size(); ++i) {
                        const std::uint32_t end = lines_[line][i].end;
                        std::fill(row + begin, row + end, values[starts_[line] + i]);
                        begin = end;
                    }
                }
            };
        });
    }

  private:
    void split(const std::int32_t* row, std::vector<Run>& runs) const {
        for (std::size_t x = 1; x < shape_[2]; ++x)
            if (row[x] != row[x - 1]) runs.push_back({static_cast<std::uint32_t>(x), row[x - 1]});
        runs.push_back({static_cast<std::uint32_t>(shape_[2]), row[shape_[2] - 1]});
    }

    template <class Visit>
    void overlapping(std::size_t a_line, std::size_t b_line, Visit visit) const {
        const std::vector<Run>& a = lines_[a_line];
        const std::vector<Run>& b = lines_[b_line];
        for (std::size_t i = 0, j = 0; i < a.size();) {
            visit(starts_[a_line] + static_cast<std::uint32_t>(i), a[i].label,
                  starts_[b_line] + static_cast<std::uint32_t>(j), b[j].label);
            const std::uint32_t a_end = a[i].end;
            const std::uint32_t b_end = b[j].end;
            i += a_end <= b_end;
            j += b_end <= a_end;
        }
    }

    Extent shape_;
    std::vector<std::vector<Run>> lines_;
    std::vector<std::uint32_t> starts_;
};

// The parts of labels that hang together, numbered by their first runs.
struct Parts {
    std::vector<std::int32_t> of_run;  // -1: in none
    std::vector<std::size_t> sizes;
};

// Bands of lines are united by different threads, as no set reaches over two of them yet.
Parts find_parts(const Runs& runs, const Parallel& parallel) {
    Sets sets(runs.size());
    const auto unite = [&](std::uint32_t a, std::int32_t of_a, std::uint32_t b, std::int32_t of_b) {
        if (of_a == of_b) sets.unite(a, b);
    };
    const std::size_t band = ceil_div(runs.n_lines(), parts_for(parallel));
    parallel_blocks(runs.n_lines(), band, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t line = first; line < first + count; ++line)
                runs.across(line, first, line, unite);
        };
    });
    for (std::size_t line = band; line < runs.n_lines(); ++line)
        runs.across(line, 0, line / band * band, unite);
    Parts parts{std::vector<std::int32_t>(runs.size(), -1), {}};
    runs.each([&](std::uint32_t run, std::int32_t label, std::size_t length) {
        if (label < 0) return;
        const std::uint32_t root = sets.find(run);  // the first, which has its number by now
        if (root == run) {
            parts.of_run[run] = static_cast<std::int32_t>(parts.sizes.size());
            parts.sizes.push_back(0);
        }
        parts.of_run[run] = parts.of_run[root];
        parts.sizes[static_cast<std::size_t>(parts.of_run[run])] += length;
    });
    return parts;
}

// Cuts what is too large: breadth first from the first pixel that is left, so that each piece hangs together.
class Cutter {
  public:
    Cutter(const Extent& shape, std::int32_t* parts, const std::vector<std::size_t>& sizes, std::size_t most)
        : shape_(shape),
          parts_(parts),
          sizes_(sizes),
          most_(most),
          next_(static_cast<std::int32_t>(sizes.size())) {}

    void cut(const Parallel& parallel) {
        const std::size_t n = volume(shape_);
        for (std::size_t i = 0; i < n; ++i) {
            if (i % (1U << 20U) == 0 && parallel.interrupted()) throw Interrupted();
            if (too_large(parts_[i])) cut_from(i);
        }
    }

  private:
    [[nodiscard]] bool too_large(std::int32_t part) const {
        return part >= 0 && static_cast<std::size_t>(part) < sizes_.size() &&
               sizes_[static_cast<std::size_t>(part)] > most_;
    }

    void cut_from(std::size_t first) {
        const std::int32_t part = parts_[first];
        const std::int32_t piece = next_++;
        waiting_.assign(1, first);
        parts_[first] = piece;
        std::size_t size = 1;
        while (!waiting_.empty()) {
            const std::size_t pixel = waiting_.front();
            waiting_.pop_front();
            around(pixel, [&](std::size_t other) {
                if (parts_[other] != part || size == most_) return;
                parts_[other] = piece;
                ++size;
                waiting_.push_back(other);
            });
        }
    }

    template <class Visit>
    void around(std::size_t pixel, Visit visit) const {
        const std::size_t strides[3] = {shape_[1] * shape_[2], shape_[2], 1};
        for (std::size_t a = 0; a < 3; ++a) {
            const std::size_t place = pixel / strides[a] % shape_[a];
            if (place > 0) visit(pixel - strides[a]);
            if (place + 1 < shape_[a]) visit(pixel + strides[a]);
        }
    }

    Extent shape_;
    std::int32_t* parts_;
    const std::vector<std::size_t>& sizes_;
    std::size_t most_;
    std::int32_t next_;
    std::deque<std::size_t> waiting_;
};

// Sums of each part's values, as whole numbers.
std::vector<std::int64_t> sum_parts(const TiledImage& image, const std::int32_t* parts, std::size_t n_parts,
                                    const Parallel& parallel) {
    const std::size_t n_channels = image.n_channels();
    std::vector<std::int64_t> total(n_parts * n_channels);
    std::mutex mutex;
    parallel_blocks(
        image.n_tiles(), std::max(kTilesAtOnce, ceil_div(image.n_tiles(), parts_for(parallel))), parallel,
        [&] {
            return [&, own = std::vector<std::int64_t>()](std::size_t first, std::size_t count) mutable {
                own.assign(total.size(), 0);
                for (std::size_t i = first * kTileRows; i < (first + count) * kTileRows; ++i) {
                    const std::size_t t = i / kTileRows;
                    const auto at = image.line(t, i % kTileRows);
                    if (!image.has_line(at)) continue;
                    const TiledImage::Tile& tile = image.tile(t);
                    const std::int32_t* row =
                        parts + (at[0] * image.shape()[1] + at[1]) * image.shape()[2] + tile.first[2];
                    const std::size_t n = tile.last[2] - tile.first[2] + 1;
                    for (std::size_t c = 0; c < n_channels; ++c) {
                        const std::uint16_t* values = image.lanes(t, i % kTileRows, c);
                        for (std::size_t x = 0; x < n; ++x)
                            if (row[x] >= 0)
                                own[static_cast<std::size_t>(row[x]) * n_channels + c] += values[x];
                    }
                }
                const std::lock_guard lock(mutex);
                for (std::size_t j = 0; j < total.size(); ++j) total[j] += own[j];
            };
        });
    return total;
}

class Joiner {
  public:
    // Parts of fewer than `least` pixels are joined.
    Joiner(std::vector<std::size_t> sizes, std::vector<std::int64_t> sums, std::size_t least)
        : sets_(sizes.size()),
          sizes_(std::move(sizes)),
          sums_(std::move(sums)),
          n_channels_(sums_.size() / sizes_.size()),
          least_(least),
          neighbours_(sizes_.size()) {}

    // Only those of small parts are asked for.
    void add_neighbours(std::uint32_t a, std::uint32_t b) {
        if (a == b) return;
        add_neighbour(a, b);
        add_neighbour(b, a);
    }

    void join() {
        using Entry = std::pair<std::size_t, std::uint32_t>;
        std::priority_queue<Entry, std::vector<Entry>, std::greater<>> small;
        for (std::uint32_t part = 0; part < sizes_.size(); ++part)
            if (sizes_[part] < least_) small.emplace(sizes_[part], part);
        while (!small.empty()) {
            const auto [size, part] = small.top();
            small.pop();
            if (sets_.find(part) != part || sizes_[part] != size) continue;  // joined since
            gather(part);
            if (neighbours_[part].empty()) continue;
            const std::uint32_t other = nearest(part);
            merge(part, other);
            if (sizes_[other] < least_) small.emplace(sizes_[other], other);
        }
    }

    std::uint32_t find(std::uint32_t part) { return sets_.find(part); }

  private:
    void add_neighbour(std::uint32_t part, std::uint32_t other) {
        std::vector<std::uint32_t>& list = neighbours_[part];
        if (sizes_[part] < least_ && (list.empty() || list.back() != other)) list.push_back(other);
    }

    // Neighbours as they are by now, each once.
    void gather(std::uint32_t part) {
        std::vector<std::uint32_t>& list = neighbours_[part];
        for (std::uint32_t& one : list) one = sets_.find(one);
        std::sort(list.begin(), list.end());
        list.erase(std::unique(list.begin(), list.end()), list.end());
        std::erase(list, part);
    }

    std::uint32_t nearest(std::uint32_t part) const {
        std::uint32_t best = neighbours_[part].front();
        double least = distance(part, best);
        for (const std::uint32_t other : neighbours_[part]) {
            const double own = distance(part, other);
            if (own >= least) continue;
            least = own;
            best = other;
        }
        return best;
    }

    [[nodiscard]] double distance(std::uint32_t a, std::uint32_t b) const {
        double total = 0;
        for (std::size_t c = 0; c < n_channels_; ++c) {
            const double difference = mean(a, c) - mean(b, c);
            total += difference * difference;
        }
        return total;
    }
    [[nodiscard]] double mean(std::uint32_t part, std::size_t c) const {
        return static_cast<double>(sums_[part * n_channels_ + c]) / static_cast<double>(sizes_[part]);
    }

    void merge(std::uint32_t part, std::uint32_t into) {
        sets_.attach(part, into);
        sizes_[into] += sizes_[part];
        for (std::size_t c = 0; c < n_channels_; ++c)
            sums_[into * n_channels_ + c] += sums_[part * n_channels_ + c];
        std::vector<std::uint32_t> gone = std::move(neighbours_[part]);
        if (sizes_[into] >= least_) return;
        std::vector<std::uint32_t>& own = neighbours_[into];
        if (own.size() < gone.size()) own.swap(gone);
        own.insert(own.end(), gone.begin(), gone.end());
    }

    Sets sets_;
    std::vector<std::size_t> sizes_;
    std::vector<std::int64_t> sums_;
    std::size_t n_channels_;
    std::size_t least_;
    std::vector<std::vector<std::uint32_t>> neighbours_;
};

// Numbers in the order in which parts come first.
std::vector<std::int32_t> renumbered(const Parts& parts, Joiner& joiner, std::size_t& n_regions) {
    std::vector<std::int32_t> numbers(parts.sizes.size(), -1);
    std::vector<std::int32_t> values(parts.of_run.size(), -1);
    n_regions = 0;
    for (std::size_t run = 0; run < values.size(); ++run) {
        if (parts.of_run[run] < 0) continue;
        std::int32_t& number = numbers[joiner.find(static_cast<std::uint32_t>(parts.of_run[run]))];
        if (number < 0) number = static_cast<std::int32_t>(n_regions++);
        values[run] = number;
    }
    return values;
}

}  // namespace

std::size_t connect_regions(const TiledImage& image, const RegionSizes& sizes, std::int32_t* labels,
                            const Parallel& parallel) {
    auto runs = Runs(image.shape(), labels, parallel);
    Parts parts = find_parts(runs, parallel);
    runs.write(parts.of_run, labels, parallel);
    const auto largest = std::max_element(parts.sizes.begin(), parts.sizes.end());
    if (largest != parts.sizes.end() && *largest > sizes.most) {
        Cutter(image.shape(), labels, parts.sizes, sizes.most).cut(parallel);
        runs = Runs(image.shape(), labels, parallel);
        parts = find_parts(runs, parallel);
        runs.write(parts.of_run, labels, parallel);
    }
    if (parts.sizes.empty()) return 0;
    const bool joins = std::any_of(parts.sizes.begin(), parts.sizes.end(),
                                   [&](std::size_t size) { return size < sizes.least; });
    std::vector<std::int64_t> sums;
    if (joins) sums = sum_parts(image, labels, parts.sizes.size(), parallel);
    Joiner joiner(parts.sizes, std::move(sums), sizes.least);
    if (joins) {
        const auto add = [&](std::uint32_t a, std::int32_t, std::uint32_t b, std::int32_t) {
            if (parts.of_run[a] >= 0 && parts.of_run[b] >= 0)
                joiner.add_neighbours(static_cast<std::uint32_t>(parts.of_run[a]),
                                      static_cast<std::uint32_t>(parts.of_run[b]));
        };
        runs.side_by_side(add);
        for (std::size_t line = 0; line < runs.n_lines(); ++line) runs.across(line, 0, line, add);
        joiner.join();
    }
    std::size_t n_regions = 0;
    runs.write(renumbered(parts, joiner, n_regions), labels, parallel);
    return n_regions;
}

}  // namespace kmosaic
