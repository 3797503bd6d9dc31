#include "topk.hpp"

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "isa.hpp"
#include "pool.hpp"
#include "selection.hpp"

namespace nlvr {
namespace {

struct Range {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
};

Range part_of(std::size_t size, std::size_t part, std::size_t parts) {
    return {size * part / parts, size * (part + 1) / parts};
}

// How the work is cut: every group of queries meets every range of tracks in one task.
struct Cut {
    std::size_t groups, ranges;
};

// Queries of a group share each read of the tracks and keep their candidates in the cache.
constexpr std::size_t kGroup = 64;

Cut cut(const TopK& problem, std::size_t threads) {
    const std::size_t queries = problem.queries.size(), tracks = problem.tracks.size();
    const std::size_t groups = (queries + kGroup - 1) / kGroup;
    if (groups >= threads) return {std::min(queries, (groups + threads - 1) / threads * threads), 1};
    // Ranges of tracks must be merged, at a cost of k for each: worth it where k is small beside them.
    const std::size_t ranges = std::min(tracks, (threads + groups - 1) / groups);
    if (queries < threads || tracks / ranges >= 4 * problem.k) return {groups, ranges};
    return {threads, 1};
}

// Some tracks that count, as many as fit the cache beside a group of queries.
class TrackBlock {
   public:
    explicit TrackBlock(const FloatRows& tracks) : tracks_(tracks) {
        constexpr std::size_t kFloats = 32768, kLeast = 8, kMost = 64;
        capacity_ = std::clamp(kFloats / std::max<std::size_t>(tracks.columns(), 1), kLeast, kMost);
        buffer_.resize(tracks.buffer_size(capacity_));
        ids_.reserve(capacity_);
        rows_.reserve(capacity_);
    }

    // Takes the next allowed tracks from the front of `range`. False when there are none.
    bool fill(Range& range, const Allowed& allowed) {
        ids_.clear();
        rows_.clear();
        for (; range.begin < range.end && ids_.size() < capacity_; ++range.begin) {
            if (!allowed(range.begin)) continue;
            rows_.push_back(tracks_.row(range.begin, buffer_.data() + tracks_.buffer_size(ids_.size())));
            ids_.push_back(static_cast<std::uint32_t>(range.begin));
        }
        return !ids_.empty();
    }

    std::size_t capacity() const { return capacity_; }
    std::size_t size() const { return ids_.size(); }
    const std::uint32_t* ids() const { return ids_.data(); }
    const float* const* rows() const { return rows_.data(); }

   private:
    const FloatRows& tracks_;
    std::size_t capacity_;
    std::vector<float> buffer_;
    std::vector<std::uint32_t> ids_;
    std::vector<const float*> rows_;
};

// The candidates of each query of a group among a range of tracks.
std::vector<Reservoir> scan(const TopK& problem, Range queries, Range tracks) {
    const Kernels& isa = kernels();
    std::vector<float> buffer(problem.queries.buffer_size(queries.size()));
    std::vector<const float*> rows;
    for (std::size_t i = 0; i < queries.size(); ++i) {
        rows.push_back(problem.queries.row(queries.begin + i, buffer.data() + problem.queries.buffer_size(i)));
    }
    std::vector<Reservoir> best;
    for (std::size_t i = 0; i < queries.size(); ++i) best.emplace_back(problem.k, tracks.size());
    TrackBlock block(problem.tracks);
    std::vector<float> scores(queries.size() * block.capacity());
    while (block.fill(tracks, problem.allowed)) {
        isa.scores(rows.data(), rows.size(), block.rows(), block.size(), problem.tracks.columns(), scores.data());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            best[i].offer(std::span(scores).subspan(i * block.size(), block.size()), block.ids());
        }
    }
    return best;
}

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
    const std::size_t queries = problem.queries.size(), tracks = problem.tracks.size();
    if (queries == 0 || tracks == 0) return std::nullopt;
    const double work =
        static_cast<double>(queries) * static_cast<double>(tracks) * static_cast<double>(problem.tracks.columns() + 16);
    const std::size_t threads = threads_for(problem.threads, work);
    const auto [groups, ranges] = cut(problem, threads);

    // found[query * ranges + range]: that query's candidates there, in order.
    std::vector<std::vector<Candidate>> found(ranges > 1 ? queries * ranges : 0);
    std::vector<std::optional<NotANumber>> bad(groups * ranges);
    parallel(groups * ranges, threads, [&, groups = groups, ranges = ranges](std::size_t task) {
        const std::size_t range = task % ranges;
        const Range group = part_of(queries, task / ranges, groups);
        std::vector<Reservoir> best = scan(problem, group, part_of(tracks, range, ranges));
        for (std::size_t i = 0; i < group.size(); ++i) {
            const std::size_t query = group.begin + i;
            if (best[i].not_a_number() != Reservoir::kNone && !bad[task]) {
                bad[task] = {query, best[i].not_a_number()};
            }
            const std::span<const Candidate> list = best[i].finish();
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
    if (first || ranges == 1) return first;
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
