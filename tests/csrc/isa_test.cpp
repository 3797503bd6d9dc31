// Every instruction set that runs here against the scalar reference, bit for bit, without Python: for machines that are
// only emulated. Prints the names and the first difference.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "isa.hpp"
#include "rounding.hpp"

namespace {

using nlvr::Kernels;

std::mt19937 random_bits(1);
float scratch[nlvr::kScratchFloats];

// Over many magnitudes, with zeros of both signs, denormals and now and then no number at all.
float wild_float() {
    constexpr float kSpecial[] = {0.0f, -0.0f, 1e-45f, -1e-40f, 1.0f, INFINITY, NAN};
    const auto bits = random_bits();
    if (bits % 16 == 0) return kSpecial[bits / 16 % (bits % 512 == 0 ? 7 : 5)];
    return std::ldexp(static_cast<float>(static_cast<int>(random_bits())), static_cast<int>(bits / 16 % 60) - 60);
}

template <class T>
T wild() {
    if constexpr (std::is_same_v<T, float>) {
        return wild_float();
    } else if constexpr (std::is_same_v<T, std::int8_t>) {
        return static_cast<std::int8_t>(static_cast<int>(random_bits() % 255) - 127);
    } else {
        return {static_cast<std::uint16_t>(random_bits())};
    }
}

template <class T>
std::vector<T> many(std::size_t size) {
    std::vector<T> values(size);
    for (T& value : values) value = wild<T>();
    return values;
}

template <class T>
std::vector<const T*> rows_of(const std::vector<T>& values, std::size_t rows, std::size_t dims) {
    std::vector<const T*> starts;
    for (std::size_t i = 0; i < rows; ++i) starts.push_back(values.data() + i * dims);
    return starts;
}

// One not-a-number counts as another: which payload survives an addition is the processor's choice.
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        if constexpr (std::is_same_v<T, float>) {
            if (std::isnan(a[i]) && std::isnan(b[i])) continue;
        }
        if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0) return false;
    }
    return true;
}

// Runs what fills `size` results of the table, in both, and compares.
template <class T, class Run>
bool agrees(const Kernels& isa, std::size_t size, const Run& run) {
    std::vector<T> expected(size), got(size);
    run(nlvr::scalar::kKernels, expected.data());
    run(isa, got.data());
    return same(expected, got);
}

template <class T>
bool box_sums_agree(const Kernels& isa, nlvr::BoxSums<T> Kernels::* sums, std::size_t width) {
    constexpr std::size_t kChannels = 35, kHeight = 3;
    const auto map = many<T>(kChannels * kHeight * width);
    const auto w = static_cast<std::ptrdiff_t>(width), c = static_cast<std::ptrdiff_t>(kChannels);
    const nlvr::Box<T> planar{map.data(), 3 * w, w, 1, width, kHeight},
        interleaved{map.data(), 1, w * c, c, width, kHeight};
    return agrees<float>(isa, kChannels,
                         [&](const Kernels& k, float* out) { (k.*sums).planar(planar, kChannels, out); }) &&
           agrees<float>(isa, kChannels,
                         [&](const Kernels& k, float* out) { (k.*sums).interleaved(interleaved, kChannels, out); });
}

// The name of the first function that differs on vectors of length `dims`, or nothing.
std::string difference(const Kernels& isa, std::size_t dims) {
    constexpr std::size_t kQueries = 11, kTracks = 37;
    const auto queries = many<float>(kQueries * dims), tracks = many<float>(kTracks * dims);
    const auto query_rows = rows_of(queries, kQueries, dims), track_rows = rows_of(tracks, kTracks, dims);
    const auto codes = many<std::int8_t>(kTracks * dims);
    const auto code_rows = rows_of(codes, kTracks, dims);
    if (!agrees<float>(isa, kQueries * kTracks, [&](const Kernels& k, float* out) {
            k.scores(query_rows.data(), kQueries, track_rows.data(), kTracks, dims, out, scratch);
        })) {
        return "scores";
    }
    if (!agrees<float>(isa, kQueries, [&](const Kernels& k, float* out) {
            k.pair_scores(query_rows.data(), track_rows.data(), kQueries, dims, out);
        })) {
        return "pair_scores";
    }
    if (!agrees<std::int32_t>(isa, kQueries * kTracks, [&](const Kernels& k, std::int32_t* out) {
            k.products(code_rows.data() + 5, kQueries, code_rows.data(), kTracks, dims, out);
        })) {
        return "products";
    }
    std::vector<std::uint32_t> places(dims);
    std::iota(places.begin(), places.end(), 7u);
    if (!agrees<nlvr::Candidate>(isa, dims + 1, [&](const Kernels& k, nlvr::Candidate* out) {
            out[dims] = k.candidates(queries.data(), places.data(), dims, 1e-3f, out);
        })) {
        return "candidates";
    }
    if (!agrees<nlvr::Candidate>(isa, dims + 1, [&](const Kernels& k, nlvr::Candidate* out) {
            out[dims] = k.candidates(queries.data(), places.data(), dims, NAN, out);
        })) {
        return "candidates without a floor";
    }
    std::vector<std::int32_t> products(codes.begin(), codes.begin() + static_cast<std::ptrdiff_t>(dims));
    const nlvr::CodeBlock block{code_rows.data(), queries.data(), queries.data() + dims, queries.data() + 2 * dims};
    if (!agrees<std::uint32_t>(isa, dims + 1, [&](const Kernels& k, std::uint32_t* out) {
            const nlvr::Reach reach{0.1f, 0.2f, 0.3f, 1e-6f};
            out[dims] = static_cast<std::uint32_t>(k.reaching(products.data(), block, dims, reach, 0.1f, out));
        })) {
        return "reaching";
    }
    if (!agrees<float>(isa, 2, [&](const Kernels& k, float* out) {
            const nlvr::Magnitude magnitude = k.magnitude(queries.data(), dims, tracks.data());
            out[0] = std::isfinite(magnitude.squares) ? magnitude.largest : INFINITY;
            out[1] = magnitude.squares;
        })) {
        return "magnitude";
    }
    std::vector<float> small(dims);
    for (float& value : small) value = static_cast<float>(static_cast<int>(random_bits() % 509) - 254);
    if (!agrees<std::int8_t>(isa, dims, [&](const Kernels& k, std::int8_t* out) {
            k.round(small.data(), dims, 0.5f, out, tracks.data());
        })) {
        return "round";
    }
    const std::size_t few = std::min(dims, nlvr::kFewValues);
    std::vector<std::uint64_t> values(few);
    for (std::uint64_t& value : values) value = std::uint64_t{random_bits()} << 32 | random_bits();
    if (!agrees<std::uint64_t>(isa, few, [&](const Kernels& k, std::uint64_t* out) {
            std::copy_n(values.data(), few, out);
            k.sort_few(out, few);
        })) {
        return "sort_few";
    }
    const auto halves = many<nlvr::Float16>(dims);
    const auto bfloats = many<nlvr::Bfloat16>(dims);
    if (!agrees<float>(isa, dims, [&](const Kernels& k, float* out) { k.widen_float16(halves.data(), dims, out); })) {
        return "widen_float16";
    }
    if (!agrees<float>(isa, dims, [&](const Kernels& k, float* out) { k.widen_bfloat16(bfloats.data(), dims, out); })) {
        return "widen_bfloat16";
    }
    if (!agrees<float>(isa, dims,
                       [&](const Kernels& k, float* out) { k.widen_codes(codes.data(), dims, 0.3f, out); })) {
        return "widen_codes";
    }
    if (!agrees<float>(isa, dims, [&](const Kernels& k, float* out) {
            std::fill_n(out, dims, 0.5f);
            k.add_rows(track_rows.data(), kTracks, dims, out);
        })) {
        return "add_rows";
    }
    if (!box_sums_agree(isa, &Kernels::box_sums_float32, dims)) return "box_sums_float32";
    if (!box_sums_agree(isa, &Kernels::box_sums_float16, dims)) return "box_sums_float16";
    return "";
}

// Every way in which scores and products of codes cut queries and tracks. `shuffled`: the queries lie anyhow.
bool shapes_agree(const Kernels& isa, std::size_t queries, std::size_t tracks, std::size_t dims, bool shuffled) {
    const auto floats = many<float>((queries + tracks) * dims);
    auto rows = rows_of(floats, queries + tracks, dims);
    const auto codes = many<std::int8_t>((queries + tracks) * dims);
    auto code_rows = rows_of(codes, queries + tracks, dims);
    if (shuffled) {
        std::shuffle(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(queries), random_bits);
        std::shuffle(code_rows.begin(), code_rows.begin() + static_cast<std::ptrdiff_t>(queries), random_bits);
    }
    return agrees<float>(isa, queries * tracks,
                         [&](const Kernels& k, float* out) {
                             k.scores(rows.data(), queries, rows.data() + queries, tracks, dims, out, scratch);
                         }) &&
           agrees<std::int32_t>(isa, queries * tracks, [&](const Kernels& k, std::int32_t* out) {
               k.products(code_rows.data(), queries, code_rows.data() + queries, tracks, dims, out);
           });
}

// Numbers of any size; such as embeddings hold; so large that scores are infinite or none; those that lie just below
// the normal range, and those whose products do; and those that rounding changes most and all the same way. Of the last
// three a bound has nothing to spare.
enum class Numbers { kWild, kNormal, kHuge, kTiny, kSmall, kWorst };

std::vector<float> numbers_of(Numbers kind, std::size_t queries, std::size_t tracks, std::size_t dims) {
    std::normal_distribution<float> normal;
    std::vector<float> floats = many<float>((queries + tracks) * dims);
    for (std::size_t n = 0; n < floats.size(); ++n) {
        if (kind == Numbers::kNormal) floats[n] = normal(random_bits);
        if (kind == Numbers::kHuge) floats[n] = std::ldexp(normal(random_bits), static_cast<int>(n % dims % 2) + 62);
        if (kind == Numbers::kTiny) floats[n] = n < queries * dims ? 64.0f : 0.996f * 0x1p-126f;
        if (kind == Numbers::kSmall) floats[n] = 0.99609375f * 0x1p-63f;
        if (kind == Numbers::kWorst) floats[n] = n < queries * dims ? 1.0f : 1.0f + 0x1p-8f - 0x1p-22f;
    }
    return floats;
}

// Whether places by rounded numbers are all that lie above the floor and, of normal numbers, few beside them.
bool rounding_finds(const Kernels& isa, Numbers kind, std::size_t queries, std::size_t tracks, std::size_t dims) {
    constexpr std::size_t kLater = 3;
    const std::vector<float> floats = numbers_of(kind, queries, tracks + kLater, dims);
    const auto rows = rows_of(floats, queries + tracks + kLater, dims);
    const nlvr::RoundedRows rounded{isa, std::span(rows).first(queries), dims};
    std::vector<float> scores(queries * tracks), floors(queries);
    nlvr::scalar::kKernels.scores(rows.data(), queries, rows.data() + queries, tracks, dims, scores.data(), scratch);
    for (std::size_t i = 0; i < queries; ++i) {
        floors[i] = std::nextafter(std::min(scores[i * tracks + i % tracks], 3e38f), -INFINITY);
    }
    if (queries > 1) floors[queries - 1] = NAN;
    std::vector<nlvr::TileRow> tiles(nlvr::tile_rows(16, dims));
    std::vector<std::uint32_t> places(queries * tracks), sizes(queries);
    isa.reaching_rounded(rounded.view(), floors.data(), rows.data() + queries, tracks, tracks + kLater, tiles.data(),
                         places.data(), tracks, sizes.data());
    // A length is about the root of dims; the bound is some .6 % of two of them.
    const float near = 0.01f * static_cast<float>(dims) + 0.1f;
    for (std::size_t i = 0; i < queries; ++i) {
        const auto* next = places.data() + i * tracks;
        const auto* const end = next + sizes[i];
        for (std::size_t j = 0; j < tracks; ++j) {
            const float score = scores[i * tracks + j];
            const bool found = next != end && *next == j;
            next += found;
            if (!found && !(score <= floors[i])) return false;
            if (found && kind == Numbers::kNormal && score < floors[i] - near) return false;
        }
        if (next != end) return false;
    }
    // Each lower bound is below as many scores as it says.
    std::vector<float> lows((queries + 15) / 16 * 16 * nlvr::kMostLows, -INFINITY);
    isa.lows_rounded(rounded.view(), rows.data() + queries, tracks, tracks + kLater, tiles.data(), lows.data());
    for (std::size_t i = 0; i < queries; ++i) {
        float* const own = scores.data() + i * tracks;
        if (std::any_of(own, own + tracks, [](float score) { return std::isnan(score); })) continue;
        std::sort(own, own + tracks, std::greater<>());
        for (std::size_t p = 0; p < nlvr::kMostLows; ++p) {
            const float low = lows[(i / 16 * nlvr::kMostLows + p) * 16 + i % 16];
            const bool finite = p < tracks && (kind == Numbers::kNormal || kind == Numbers::kWorst);
            if (finite ? !(low < own[p] && low > own[p] - near) : p < tracks ? low > own[p] : low > -INFINITY)
                return false;
        }
    }
    return true;
}

}  // namespace

int main() {
    for (const nlvr::Isa& isa : nlvr::available_isas()) {
        if (!isa.usable()) continue;
        for (std::size_t dims = 1; dims <= 2200; dims += dims < 70 ? 1 : dims < 300 ? 23 : 471) {
            const std::string name = difference(*isa.kernels, dims);
            if (name.empty()) continue;
            std::printf("%s: %s differs at %zu\n", isa.name.c_str(), name.c_str(), dims);
            return 1;
        }
        constexpr std::size_t kShapes[][2] = {{1, 37},  {3, 8},   {4, 7},   {4, 8},   {8, 16},  {11, 61},
                                              {12, 7},  {12, 8},  {13, 16}, {16, 17}, {23, 33}, {31, 49},
                                              {32, 32}, {33, 33}, {40, 64}, {64, 96}, {19, 97}, {259, 20}};
        for (const auto& [queries, tracks] : kShapes) {
            for (const std::size_t dims : {1, 5, 16, 63, 64, 65, 130, 1024, 1025, 2047, 2048, 2049}) {
                if (queries * tracks * dims > 4'000'000) continue;
                if (shapes_agree(*isa.kernels, queries, tracks, dims, false) &&
                    shapes_agree(*isa.kernels, queries, tracks, dims, true)) {
                    continue;
                }
                std::printf("%s: %zu x %zu differ at %zu\n", isa.name.c_str(), queries, tracks, dims);
                return 1;
            }
        }
        constexpr std::size_t kRoundedShapes[][2] = {{1, 1}, {5, 16}, {16, 17}, {17, 40}, {64, 96}, {65, 5}, {150, 33}};
        for (const std::size_t dims : {1, 2, 31, 32, 33, 63, 64, 100, 512, 1000}) {
            for (const auto& [queries, tracks] : kRoundedShapes) {
                if (isa.kernels->reaching_rounded == nullptr) continue;
                const auto finds = [&](Numbers kind) {
                    return rounding_finds(*isa.kernels, kind, queries, tracks, dims);
                };
                using enum Numbers;
                if (finds(kWild) && finds(kNormal) && finds(kHuge) && finds(kTiny) && finds(kSmall) && finds(kWorst)) {
                    continue;
                }
                std::printf("%s: rounding finds otherwise of %zu x %zu at %zu\n", isa.name.c_str(), queries, tracks,
                            dims);
                return 1;
            }
        }
        std::printf("%s\n", isa.name.c_str());
    }
}
