#include "track_block.hpp"

namespace nlvr {
namespace {

constexpr std::size_t kLater = 16;  // tracks of the next block that are known, as many as are rounded side by side

}  // namespace

TrackBlock::TrackBlock(const TopK& problem)
    : tracks_(problem.tracks),
      stored_(problem.screen ? problem.screen : problem.tracks.codes()),
      own_(stored_ == problem.tracks.codes()),
      lends_codes_(stored_ && !own_ && stored_->codes.buffer_size(1) == 0 && stored_->scales.adjacent() &&
                   stored_->norms.adjacent() && stored_->errors.adjacent()),
      quantizer_(tracks_.columns()) {
    constexpr std::size_t kFloats = 49152, kLeast = 16, kMost = 96;
    capacity_ = std::clamp(kFloats / std::max<std::size_t>(tracks_.columns(), 1), kLeast, kMost);
    floats_.resize(tracks_.buffer_size(capacity_));
    for (auto* each : {&scales_, &norms_, &errors_}) each->resize(capacity_);
    rows_.resize(capacity_ + kLater);
    code_rows_.resize(capacity_);
}

bool TrackBlock::fill(Range& range, const AllowedRows& allowed) {
    size_ = std::min(capacity_, range.size());
    ids_.resize(std::min(capacity_ + kLater, range.size()));
    for (std::size_t i = 0; i < ids_.size(); ++i) ids_[i] = allowed[range.begin + i];
    range.begin += size_;
    has_rows_ = false;
    return size_ > 0;
}

std::span<const float* const> TrackBlock::rows_and_later() {
    rows();
    const std::size_t there = lends() ? ids_.size() : size_;
    for (std::size_t i = size_; i < there; ++i) rows_[i] = tracks_.row(ids_[i], nullptr);
    return std::span(rows_).first(there);
}

CodeBlock TrackBlock::codes() {
    codes_.resize(stored_ ? stored_->codes.buffer_size(capacity_) : capacity_ * dims());
    const std::size_t first = ids_.front();
    if (lends_codes_ && ids_[size_ - 1] - first + 1 == size_) {
        for (std::size_t i = 0; i < size_; ++i) code_rows_[i] = stored_->codes.row(first + i, nullptr);
        for (const auto* each : {&stored_->scales, &stored_->norms, &stored_->errors}) {
            for (std::size_t i = 0; i < size_; i += kLanes) __builtin_prefetch(each->from(first + size_ + i));
        }
        return {code_rows_.data(), stored_->scales.from(first), stored_->norms.from(first),
                stored_->errors.from(first)};
    }
    if (!stored_) rows();
    for (std::size_t i = 0; i < size_; ++i) {
        const CodeScale row = stored_ ? stored_codes(i) : new_codes(i);
        scales_[i] = row.scale;
        norms_[i] = row.norm;
        errors_[i] = row.error;
    }
    return {code_rows_.data(), scales_.data(), norms_.data(), errors_.data()};
}

CodeScale TrackBlock::stored_codes(std::size_t i) {
    const std::size_t id = ids_[i];
    code_rows_[i] = stored_->codes.row(id, codes_.data() + stored_->codes.buffer_size(i));
    const CodeScale row{stored_->scales[id], stored_->norms[id], stored_->errors[id]};
    return own_ ? of_codes_themselves(row) : row;
}

CodeScale TrackBlock::new_codes(std::size_t i) {
    constexpr std::size_t kAhead = 2;
    std::int8_t* codes = codes_.data() + i * dims();
    code_rows_[i] = codes;
    const float* const floats = row(i);
    // Rows that must be gathered or widened first are in the cache by then.
    const std::uint32_t later = ids_[std::min(i + kAhead, ids_.size() - 1)];
    return quantizer_.quantize(floats, codes, lends() ? tracks_.row(later, nullptr) : floats);
}

}  // namespace nlvr
