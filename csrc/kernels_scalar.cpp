// The reference: one float at a time, as the definition reads. Every other instruction set must give these bits.
#include "arithmetic.hpp"

namespace nlvr {
namespace {

struct ScalarLanes {
    static constexpr int kQueries = 1;
    static constexpr int kTracks = 1;
    static constexpr int kSingle = 1;
    static constexpr int kChannels = 1;

    float lane[kLanes];

    static ScalarLanes zero() { return {}; }
    static ScalarLanes load(const float* from) { return load(from, kLanes); }
    static ScalarLanes load(const float* from, std::size_t count) {
        ScalarLanes lanes{};
        for (std::size_t l = 0; l < count; ++l) lanes.lane[l] = from[l];
        return lanes;
    }
    void store(float* to, std::size_t count) const {
        for (std::size_t l = 0; l < count; ++l) to[l] = lane[l];
    }

    friend ScalarLanes add(const ScalarLanes& a, const ScalarLanes& b) {
        ScalarLanes sum;
        for (std::size_t l = 0; l < kLanes; ++l) sum.lane[l] = a.lane[l] + b.lane[l];
        return sum;
    }
    friend ScalarLanes multiply_add(const ScalarLanes& a, const ScalarLanes& b, const ScalarLanes& c) {
        ScalarLanes sum;
        for (std::size_t l = 0; l < kLanes; ++l) sum.lane[l] = __builtin_fmaf(a.lane[l], b.lane[l], c.lane[l]);
        return sum;
    }

    template <int N>
    static void sums(const ScalarLanes (&all)[N], float* out) {
        for (int n = 0; n < N; ++n) {
            ScalarLanes lanes = all[n];
            for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
                for (std::size_t l = 0; l < half; ++l) lanes.lane[l] += lanes.lane[l + half];
            }
            out[n] = lanes.lane[0];
        }
    }
};

}  // namespace

namespace scalar {
constinit const Kernels kKernels = table<ScalarLanes>();
}
}  // namespace nlvr
