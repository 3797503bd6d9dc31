#include "topk.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "isa.hpp"
#include "pool.hpp"
#include "screens.hpp"
#include "selection.hpp"
#include "track_block.hpp"

namespace nlvr {
namespace {

Range part_of(std::size_t size, std::size_t part, std::size_t parts) {
    return {size * part / parts, size * (part + 1) / parts};
}

// How the work is cut: every group of queries meets every range of tracks in one task.
struct Cut {
    std::size_t groups, ranges;
};

Cut cut(std::size_t queries, std::size_t tracks, std::size_t dims, std::size_t k, std::size_t threads) {
    // Queries of a group share each read of the tracks and keep themselves and their candidates in the cache.
    constexpr std::size_t kNumbers = 196608, kCandidates = 1 << 22;
    const std::size_t most =
        std::min(kNumbers / std::max<std::size_t>(dims, 1), kCandidates / std::max<std::size_t>(k, 1));
    const std::size_t group = std::clamp<std::size_t>(most, 16, 384);
    const std::size_t groups = (queries + group - 1) / group;
    if (groups >= threads) return {std::min(queries, (groups + threads - 1) / threads * threads), 1};
    // Ranges of tracks must be merged, at a cost of k for each: worth it where k is small beside them.
    const std::size_t ranges =
        std::clamp<std::size_t>((threads + groups - 1) / groups, 1, std::max<std::size_t>(tracks, 1));
    if (queries < threads || tracks / ranges >= 4 * k) return {groups, ranges};
    return {threads, 1};
}

// When to screen a block: as long as that spares most scores. Where it does not, blocks are scored without for a while,
// each time a longer one.
class Pace {
   public:
    void begin_with_floors() { pause_ = 0; }
    bool screens_now() { return pause_ == 0 || --pause_ == 0; }
    void saw(std::size_t scored, std::size_t pairs) {
        constexpr std::size_t kFirst = 8, kLast = 512;
        if (4 * scored < pairs) {
            next_pause_ = kFirst;
        } else {
            pause_ = next_pause_;
            next_pause_ = std::min(2 * next_pause_, kLast);
        }
    }

   private:
    std::size_t pause_ = 2, next_pause_ = 8;  // before the first scores there is nothing to fall short of
};

// A group of queries on its way through a range of tracks.
class Scan {
   public:
    Scan(const TopK& problem, Range queries, std::size_t tracks) : block_(problem) {
        const std::size_t size = queries.size();
        query_floats_.resize(problem.queries.buffer_size(size));
        for (std::size_t i = 0; i < size; ++i) {
            float* const buffer = query_floats_.data() + problem.queries.buffer_size(i);
            queries_.push_back(problem.queries.row(queries.begin + i, buffer));
            best_.emplace_back(problem.k, tracks, block_.capacity());
        }
        scored_.resize(size);
        floors_.resize(size);
        scores_.resize(size * block_.capacity());
        screen_ = make_screen(queries_, block_, tracks, problem.k);
    }

    void run(Range tracks, const AllowedRows& allowed) {
        if (screen_ && screen_->looks_at() > 0) {
            Range first{tracks.begin, tracks.begin + std::min(tracks.size(), screen_->looks_at())};
            while (block_.fill(first, allowed)) screen_->look(block_);
            pace_.begin_with_floors();
        }
        while (block_.fill(tracks, allowed)) {
            if (screen_ && pace_.screens_now()) {
                screen();
            } else {
                score_survivors();
                score();
            }
        }
        score_survivors();
    }

    Reservoir& best(std::size_t query) { return best_[query]; }
    std::size_t scored(std::size_t query) const { return scored_[query]; }

   private:
    void score() {
        const std::size_t size = block_.size();
        thread_local const std::unique_ptr<float[]> scratch(new float[kScratchFloats]);
        isa_.scores(queries_.data(), queries_.size(), block_.rows(), size, block_.dims(), scores_.data(),
                    scratch.get());
        for (std::size_t i = 0; i < queries_.size(); ++i) {
            best_[i].offer(scores_.data() + i * size, block_.ids().data(), size);
            scored_[i] += size;
        }
    }

    void screen() {
        const std::size_t before = survivors_.size();
        for (std::size_t i = 0; i < queries_.size(); ++i) {
            // A bound of infinity may hide what is no number, so it passes even where every place is at infinity.
            floors_[i] = std::min(best_[i].floor(), std::numeric_limits<float>::max());
        }
        const Places& places = screen_->find(block_, floors_.data());
        for (std::size_t i = 0; i < queries_.size(); ++i) {
            const std::span<const std::uint32_t> found = places.of(i);
            if (found.empty()) continue;
            runs_.push_back({i, found.size()});
            for (const std::uint32_t place : found) {
                survivors_.push_back(block_.ids()[place]);
                pair_queries_.push_back(queries_[i]);
                pair_tracks_.push_back(block_.row(place));
            }
        }
        pace_.saw(survivors_.size() - before, queries_.size() * block_.size());
        // A few that are still in memory wait for the next block's: they are on their way meanwhile.
        constexpr std::size_t kWorthScoring = 16;
        if (!block_.floats_are_away() || survivors_.size() >= kWorthScoring) {
            score_survivors();
        } else {
            for (std::size_t n = before; n < survivors_.size(); ++n) fetch(pair_tracks_[n]);
        }
    }

    void fetch(const float* row) const {
        for (std::size_t e = 0; e < block_.dims(); e += kLanes) __builtin_prefetch(row + e);
    }

    void score_survivors() {
        const std::size_t pairs = survivors_.size();
        scores_.resize(std::max(scores_.size(), pairs));
        isa_.pair_scores(pair_queries_.data(), pair_tracks_.data(), pairs, block_.dims(), scores_.data());
        std::size_t first = 0;
        for (const auto& [query, size] : runs_) {
            best_[query].offer(scores_.data() + first, survivors_.data() + first, size);
            scored_[query] += size;
            first += size;
        }
        runs_.clear();
        survivors_.clear();
        pair_queries_.clear();
        pair_tracks_.clear();
    }

    // What is left of a block for one query: so many of the survivors.
    struct Run {
        std::size_t query, size;
    };

    const Kernels& isa_ = kernels();
    TrackBlock block_;
    std::vector<float> query_floats_;
    std::vector<const float*> queries_;
    std::unique_ptr<Screen> screen_;
    Pace pace_;
    std::vector<Reservoir> best_;
    std::vector<std::size_t> scored_;

    std::vector<float> floors_;  // of each query, above which a block's scores count
    std::vector<float> scores_;
    std::vector<Run> runs_;
    std::vector<std::uint32_t> survivors_;
    std::vector<const float*> pair_queries_, pair_tracks_;
};

void write(const TopK& problem, std::size_t query, std::span<const Candidate> best) {
    std::int64_t* ids = problem.ids + query * problem.k;
    float* scores = problem.scores + query * problem.k;
    for (std::size_t i = 0; i < best.size(); ++i) {
        ids[i] = row_of(best[i]);
        scores[i] = score_of(best[i]);
    }
    std::fill(ids + best.size(), ids + problem.k, -1);
    std::fill(scores + best.size(), scores + problem.k, -std::numeric_limits<float>::infinity());
}

}  // namespace

std::optional<NotANumber> topk(const TopK& problem) {
    const std::size_t queries = problem.queries.size(), dims = problem.tracks.columns();
    if (queries == 0) return std::nullopt;
    const AllowedRows allowed(problem.allowed, problem.tracks.size());
    const std::size_t tracks = allowed.size();
    const double work = static_cast<double>(queries) * static_cast<double>(tracks) * static_cast<double>(dims + 16);
    const std::size_t threads = threads_for(problem.threads, work);
    const auto [groups, ranges] = cut(queries, tracks, dims, problem.k, threads);

    // By query, then by range: that query's candidates there in order, and how many scores that took.
    std::vector<std::vector<Candidate>> found(ranges > 1 ? queries * ranges : 0);
    std::vector<std::size_t> scored(queries * ranges);
    std::vector<std::optional<NotANumber>> bad(groups * ranges);
    parallel(groups * ranges, threads, [&, groups = groups, ranges = ranges](std::size_t task) {
        const std::size_t range = task % ranges;
        const Range group = part_of(queries, task / ranges, groups), part = part_of(tracks, range, ranges);
        Scan scan(problem, group, part.size());
        scan.run(part, allowed);
        for (std::size_t i = 0; i < group.size(); ++i) {
            const std::size_t query = group.begin + i;
            const std::span<const Candidate> list = scan.best(i).finish();
            if (const auto row = not_a_number(list); row && !bad[task]) bad[task] = {query, *row};
            scored[query * ranges + range] = scan.scored(i);
            if (ranges == 1) {
                write(problem, query, list);
            } else {
                found[query * ranges + range].assign(list.begin(), list.end());
            }
        }
    });
    std::optional<NotANumber> first;
    for (const auto& pair : bad) {
        if (pair && (!first || *pair < *first)) first = pair;
    }
    if (first) return first;
    for (std::size_t query = 0; query < queries && problem.scored != nullptr; ++query) {
        const auto begin = scored.begin() + static_cast<std::ptrdiff_t>(query * ranges);
        problem.scored[query] = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(ranges), std::int64_t{0});
    }
    if (ranges == 1) return std::nullopt;
    parallel_ranges(queries, threads, [&, ranges = ranges](std::size_t begin, std::size_t end) {
        for (std::size_t query = begin; query < end; ++query) {
            std::vector<Candidate> all;
            for (std::size_t range = 0; range < ranges; ++range) {
                const auto& list = found[query * ranges + range];
                all.insert(all.end(), list.begin(), list.end());
            }
            write(problem, query, std::span(all).first(sort_best(all, problem.k, false)));
        }
    });
    return std::nullopt;
}

}  // namespace nlvr
