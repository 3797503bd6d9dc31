#include "screens.hpp"

#include <algorithm>

#include "error_bounds.hpp"
#include "isa.hpp"
#include "quantization.hpp"
#include "rounding.hpp"

namespace nlvr {
namespace {

// By int8 codes: those of the block that are stored, or made of it.
class CodeScreen : public Screen {
   public:
    CodeScreen(std::span<const float* const> queries, const TrackBlock& block)
        : dims_(block.dims()),
          codes_(queries.size() * dims_),
          products_(queries.size() * block.capacity()),
          places_(queries.size(), block.capacity()) {
        const Quantizer quantizer(dims_);
        for (std::size_t i = 0; i < queries.size(); ++i) {
            std::int8_t* codes = codes_.data() + i * dims_;
            code_rows_.push_back(codes);
            reaches_.push_back(reach(quantizer.quantize_closely(queries[i], codes), dims_));
        }
    }

    const Places& find(TrackBlock& block, const float* floors) override {
        const std::size_t size = block.size();
        const CodeBlock tracks = block.codes();
        isa_.products(code_rows_.data(), code_rows_.size(), tracks.codes, size, dims_, products_.data());
        for (std::size_t i = 0; i < code_rows_.size(); ++i) {
            const std::size_t found = isa_.reaching(products_.data() + i * size, tracks, size, reaches_[i], floors[i],
                                                    places_.all() + i * places_.stride());
            places_.sizes()[i] = static_cast<std::uint32_t>(found);
        }
        return places_;
    }

   private:
    const Kernels& isa_ = kernels();
    std::size_t dims_;
    std::vector<std::int8_t> codes_;
    std::vector<const std::int8_t*> code_rows_;
    std::vector<Reach> reaches_;
    std::vector<std::int32_t> products_;
    Places places_;
};

// By bfloat16 numbers made of the block.
class RoundedScreen : public Screen {
   public:
    RoundedScreen(std::span<const float* const> queries, const TrackBlock& block, std::size_t k)
        : k_(k),
          queries_(kernels(), queries, block.dims()),
          scratch_(tile_rows(kLanes, block.dims())),
          places_(queries.size(), block.capacity()),
          floors_(queries.size()) {
        if (k <= kMostLows) {
            lows_.assign((queries.size() + kLanes - 1) / kLanes * kLanes * kMostLows, -kInfinity);
        }
    }

    std::size_t looks_at() const override { return lows_.empty() ? 0 : kLookedAt; }

    void look(TrackBlock& block) override {
        const std::span<const float* const> rows = block.rows_and_later();
        isa_.lows_rounded(queries_.view(), rows.data(), block.size(), rows.size(), scratch_.data(), lows_.data());
    }

    const Places& find(TrackBlock& block, const float* floors) override {
        for (std::size_t i = 0; i < floors_.size(); ++i) floors_[i] = floor(i, floors[i]);
        const std::span<const float* const> rows = block.rows_and_later();
        std::fill_n(places_.sizes(), queries_.view().size, 0u);
        isa_.reaching_rounded(queries_.view(), floors_.data(), rows.data(), block.size(), rows.size(), scratch_.data(),
                              places_.all(), places_.stride(), places_.sizes());
        return places_;
    }

   private:
    static constexpr std::size_t kLookedAt = 1024;

    // Of k tracks that were looked at, each has a score above the k-th lower bound.
    float floor(std::size_t query, float given) const {
        if (lows_.empty()) return given;
        const float low = lows_[(query / kLanes * kMostLows + k_ - 1) * kLanes + query % kLanes];
        return low > -kInfinity && !(given > low) ? low : given;
    }

    const Kernels& isa_ = kernels();
    std::size_t k_;
    RoundedRows queries_;
    std::vector<TileRow> scratch_;
    Places places_;
    std::vector<float> floors_, lows_;
};

// From where on it is worth it to make what a screen compares: that costs as much as scores for some queries, and what
// it spares grows with the queries that share it and with the tracks that lose.
struct Worth {
    std::size_t queries, dims, tracks, tracks_a_place;

    bool holds(std::size_t these_queries, std::size_t these_dims, std::size_t these_tracks, std::size_t k) const {
        return these_queries >= queries && these_dims >= dims && these_tracks >= std::max(tracks, tracks_a_place * k);
    }
};

constexpr Worth kCodesWorth{5, 192, 4096, 32}, kRoundingWorth{5, 32, 512, 50};

}  // namespace

std::unique_ptr<Screen> make_screen(std::span<const float* const> queries, const TrackBlock& block, std::size_t tracks,
                                    std::size_t k) {
    const Kernels& isa = kernels();
    const auto holds = [&](const Worth& worth) { return worth.holds(queries.size(), block.dims(), tracks, k); };
    if (block.dims() > kMostScreenedDims) return nullptr;
    if (!block.has_codes() && isa.reaching_rounded && holds(kRoundingWorth)) {
        return std::make_unique<RoundedScreen>(queries, block, k);
    }
    if (block.has_codes() || (isa.cheap_products && holds(kCodesWorth))) {
        return std::make_unique<CodeScreen>(queries, block);
    }
    return nullptr;
}

}  // namespace nlvr
