#include "topk.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "isa.hpp"
#include "pool.hpp"
#include "quantization.hpp"
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

// Some tracks, as many as fit the cache beside a group of queries: their floats and their codes, made when asked for.
class TrackBlock {
   public:
    explicit TrackBlock(const TopK& problem)
        : tracks_(problem.tracks),
          stored_(problem.screen ? problem.screen : problem.tracks.codes()),
          own_(stored_ == problem.tracks.codes()),
          lends_codes_(stored_ && !own_ && stored_->codes.buffer_size(1) == 0 && stored_->scales.adjacent() &&
                       stored_->norms.adjacent() && stored_->errors.adjacent()),
          quantizer_(tracks_.columns()) {
        constexpr std::size_t kFloats = 49152, kLeast = 16, kMost = 96;
        capacity_ = std::clamp(kFloats / std::max<std::size_t>(tracks_.columns(), 1), kLeast, kMost);
        floats_.resize(tracks_.buffer_size(capacity_));
        codes_.resize(stored_ ? stored_->codes.buffer_size(capacity_) : capacity_ * tracks_.columns());
        for (auto* each : {&scales_, &norms_, &errors_}) each->resize(capacity_);
        rows_.resize(capacity_);
        code_rows_.resize(capacity_);
    }

    // Takes tracks from the front of `range`. False when there are none.
    bool fill(Range& range, const AllowedRows& allowed) {
        size_ = std::min(capacity_, range.size());
        ids_.resize(std::min(capacity_ + kAhead, range.size()));
        for (std::size_t i = 0; i < ids_.size(); ++i) ids_[i] = allowed[range.begin + i];
        range.begin += size_;
        return size_ > 0;
    }

    std::size_t capacity() const { return capacity_; }
    std::size_t size() const { return size_; }
    std::span<const std::uint32_t> ids() const { return std::span(ids_).first(size_); }
    bool lends() const { return tracks_.buffer_size(1) == 0; }  // whether rows are where they stay
    bool has_codes() const { return stored_ != nullptr; }

    const float* row(std::size_t i) { return tracks_.row(ids_[i], floats_.data() + tracks_.buffer_size(i)); }

    const float* const* rows() {
        for (std::size_t i = 0; i < size(); ++i) rows_[i] = row(i);
        return rows_.data();
    }

    CodeBlock codes() {
        const std::size_t first = ids_.front();
        if (lends_codes_ && ids_[size() - 1] - first + 1 == size()) {
            for (std::size_t i = 0; i < size(); ++i) code_rows_[i] = stored_->codes.row(first + i, nullptr);
            for (const auto* each : {&stored_->scales, &stored_->norms, &stored_->errors}) {
                for (std::size_t i = 0; i < size(); i += kLanes) __builtin_prefetch(each->from(first + size() + i));
            }
            return {code_rows_.data(), stored_->scales.from(first), stored_->norms.from(first),
                    stored_->errors.from(first)};
        }
        for (std::size_t i = 0; i < size(); ++i) {
            const CodeScale row = stored_ ? stored_codes(i) : new_codes(i);
            scales_[i] = row.scale;
            norms_[i] = row.norm;
            errors_[i] = row.error;
        }
        return {code_rows_.data(), scales_.data(), norms_.data(), errors_.data()};
    }

   private:
    CodeScale stored_codes(std::size_t i) {
        const std::size_t id = ids_[i];
        code_rows_[i] = stored_->codes.row(id, codes_.data() + stored_->codes.buffer_size(i));
        const CodeScale row{stored_->scales[id], stored_->norms[id], stored_->errors[id]};
        return own_ ? of_codes_themselves(row) : row;
    }
    CodeScale new_codes(std::size_t i) {
        std::int8_t* codes = codes_.data() + i * tracks_.columns();
        code_rows_[i] = codes;
        const float* const floats = row(i);
        // Rows that must be gathered or widened first are in the cache by then.
        const std::uint32_t later = ids_[std::min(i + kAhead, ids_.size() - 1)];
        return quantizer_.quantize(floats, codes, lends() ? tracks_.row(later, nullptr) : floats);
    }

    static constexpr std::size_t kAhead = 2;

    const StoredRows& tracks_;
    const CodeRows* stored_;
    bool own_;          // the codes are the tracks
    bool lends_codes_;  // of tracks that follow each other they need not be gathered
    Quantizer quantizer_;
    std::size_t capacity_, size_ = 0;
    std::vector<float> floats_, scales_, norms_, errors_;
    std::vector<std::int8_t> codes_;
    std::vector<std::uint32_t> ids_;  // of the tracks, and of the first of the next block, which are fetched meanwhile
    std::vector<const float*> rows_;
    std::vector<const std::int8_t*> code_rows_;
};

// When to look at codes first: as long as they spare most scores. Where they do not, blocks are scored without for a
// while, each time a longer one.
class Screening {
   public:
    explicit Screening(bool worth) : worth_(worth) {}

    bool worth() const { return worth_; }
    bool now() { return worth_ && (pause_ == 0 || --pause_ == 0); }
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
    bool worth_;
    std::size_t pause_ = 2, next_pause_ = 8;  // before the first scores there is nothing to fall short of
};

// A group of queries on its way through a range of tracks.
class Scan {
   public:
    Scan(const TopK& problem, Range queries, std::size_t tracks)
        : dims_(problem.tracks.columns()),
          block_(problem),
          screening_(worth_screening(queries.size(), tracks, problem.k)) {
        const std::size_t size = queries.size();
        floats_.resize(problem.queries.buffer_size(size));
        for (std::size_t i = 0; i < size; ++i) {
            rows_.push_back(problem.queries.row(queries.begin + i, floats_.data() + problem.queries.buffer_size(i)));
            best_.emplace_back(problem.k, tracks, block_.capacity());
        }
        scored_.resize(size);
        scores_.resize(size * block_.capacity());
        places_.resize(block_.capacity());
        if (screening_.worth()) quantize_queries();
    }

    void run(Range tracks, const AllowedRows& allowed) {
        while (block_.fill(tracks, allowed)) {
            if (screening_.now()) {
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
    // Making codes costs as much as scoring for some queries; what they spare grows with the queries that share them.
    bool worth_screening(std::size_t queries, std::size_t tracks, std::size_t k) const {
        constexpr std::size_t kQueries = 5, kDims = 192, kTracks = 4096;
        if (dims_ > kMostCodeDims) return false;
        if (block_.has_codes()) return true;
        return isa_.cheap_products && queries >= kQueries && dims_ >= kDims && tracks >= std::max(32 * k, kTracks);
    }

    void quantize_queries() {
        codes_.resize(rows_.size() * dims_);
        products_.resize(rows_.size() * block_.capacity());
        const Quantizer quantizer(dims_);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            std::int8_t* codes = codes_.data() + i * dims_;
            code_rows_.push_back(codes);
            reaches_.push_back(reach(quantizer.quantize_closely(rows_[i], codes), dims_));
        }
    }

    void score() {
        const std::size_t size = block_.size();
        thread_local const std::unique_ptr<float[]> scratch(new float[kScratchFloats]);
        isa_.scores(rows_.data(), rows_.size(), block_.rows(), size, dims_, scores_.data(), scratch.get());
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            best_[i].offer(scores_.data() + i * size, block_.ids().data(), size);
            scored_[i] += size;
        }
    }

    void screen() {
        const std::size_t size = block_.size(), before = survivors_.size();
        const CodeBlock tracks = block_.codes();
        isa_.products(code_rows_.data(), code_rows_.size(), tracks.codes, size, dims_, products_.data());
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            // A bound of infinity may hide what is no number, so it passes even where every place is at infinity.
            const float floor = std::min(best_[i].floor(), std::numeric_limits<float>::max());
            const std::size_t found =
                isa_.reaching(products_.data() + i * size, tracks, size, reaches_[i], floor, places_.data());
            if (found == 0) continue;
            runs_.push_back({i, found});
            for (std::size_t p = 0; p < found; ++p) {
                survivors_.push_back(block_.ids()[places_[p]]);
                pair_queries_.push_back(rows_[i]);
                pair_tracks_.push_back(block_.row(places_[p]));
            }
        }
        screening_.saw(survivors_.size() - before, rows_.size() * size);
        // A few wait for the next block's: they are on their way from memory meanwhile.
        constexpr std::size_t kWorthScoring = 16;
        if (!block_.lends() || survivors_.size() >= kWorthScoring) {
            score_survivors();
        } else {
            for (std::size_t n = before; n < survivors_.size(); ++n) fetch(pair_tracks_[n]);
        }
    }

    void fetch(const float* row) const {
        for (std::size_t e = 0; e < dims_; e += kLanes) __builtin_prefetch(row + e);
    }

    void score_survivors() {
        const std::size_t pairs = survivors_.size();
        scores_.resize(std::max(scores_.size(), pairs));
        isa_.pair_scores(pair_queries_.data(), pair_tracks_.data(), pairs, dims_, scores_.data());
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
    std::size_t dims_;
    TrackBlock block_;
    Screening screening_;
    std::vector<float> floats_;
    std::vector<const float*> rows_;
    std::vector<std::int8_t> codes_;
    std::vector<const std::int8_t*> code_rows_;
    std::vector<Reach> reaches_;
    std::vector<Reservoir> best_;
    std::vector<std::size_t> scored_;

    std::vector<float> scores_;  // of a block
    std::vector<std::int32_t> products_;
    std::vector<std::uint32_t> places_;
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
