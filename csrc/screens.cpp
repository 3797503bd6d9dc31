#include "screens.hpp"

#include <algorithm>

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
    RoundedScreen(std::span<const float* const> queries, const TrackBlock& block)
        : queries_(queries, block.dims()),
          scratch_(tile_rows(kLanes, block.dims())),
          places_(queries.size(), block.capacity()) {}

    const Places& find(TrackBlock& block, const float* floors) override {
        const std::span<const float* const> rows = block.rows_and_later();
        std::fill_n(places_.sizes(), queries_.view().size, 0u);
        isa_.reaching_rounded(queries_.view(), floors, rows.data(), block.size(), rows.size(), scratch_.data(),
                              places_.all(), places_.stride(), places_.sizes());
        return places_;
    }

   private:
    const Kernels& isa_ = kernels();
    RoundedRows queries_;
    std::vector<TileRow> scratch_;
    Places places_;
};

// From where on it is worth it to make what a screen compares: that costs as much as scores for some queries, and what
// it spares grows with the queries that share it and with the tracks that lose.
struct Worth {
    std::size_t queries, dims, tracks, tracks_a_place;

    bool holds(std::size_t these_queries, std::size_t these_dims, std::size_t these_tracks, std::size_t k) const {
        return these_queries >= queries && these_dims >= dims && these_tracks >= std::max(tracks, tracks_a_place * k);
    }
};

constexpr Worth kCodesWorth{5, 192, 4096, 32}, kRoundingWorth{5, 32, 512, 64};

}  // namespace

std::unique_ptr<Screen> make_screen(std::span<const float* const> queries, const TrackBlock& block, std::size_t tracks,
                                    std::size_t k) {
    const Kernels& isa = kernels();
    const auto holds = [&](const Worth& worth) { return worth.holds(queries.size(), block.dims(), tracks, k); };
    if (block.dims() > kMostScreenedDims) return nullptr;
    if (!block.has_codes() && isa.reaching_rounded && holds(kRoundingWorth)) {
        return std::make_unique<RoundedScreen>(queries, block);
    }
    if (block.has_codes() || (isa.cheap_products && holds(kCodesWorth))) {
        return std::make_unique<CodeScreen>(queries, block);
    }
    return nullptr;
}

}  // namespace nlvr
