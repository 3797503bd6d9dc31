// The reference: one float at a time, as the definition reads. Every other instruction set must give these bits.
#include "arithmetic.hpp"

namespace nlvr {
namespace {

float as_float(std::uint32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}
std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

float widened(float value) { return value; }
float widened(std::int8_t value) { return static_cast<float>(value); }
float widened(std::int32_t value) { return static_cast<float>(value); }
float widened(Bfloat16 value) { return as_float(std::uint32_t{value.bits} << 16); }
float widened(Float16 value) {
    const std::uint32_t sign = (value.bits & 0x8000u) << 16, magnitude = value.bits & 0x7FFFu;
    if (magnitude >= 0x7C00u) return as_float(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
    // Ten more bits of fraction would follow; the exponent's bias is 112 less, denormals included.
    return as_float(sign | bits_of(as_float(magnitude << 13) * 0x1p112f));
}

struct ScalarLanes {
    static constexpr int kParts = 1;
    static constexpr int kQueries = 1;
    static constexpr int kTracks = 1;
    static constexpr int kChannels = 1;

    float lane[kLanes];

    static ScalarLanes zero() { return {}; }
    static ScalarLanes set(float value) {
        ScalarLanes lanes;
        for (float& lane : lanes.lane) lane = value;
        return lanes;
    }
    template <class T>
    static ScalarLanes load(const T* from, std::size_t count = kLanes) {
        ScalarLanes lanes{};
        for (std::size_t l = 0; l < count; ++l) lanes.lane[l] = widened(from[l]);
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
    friend ScalarLanes multiply(const ScalarLanes& a, const ScalarLanes& b) {
        ScalarLanes product;
        for (std::size_t l = 0; l < kLanes; ++l) product.lane[l] = a.lane[l] * b.lane[l];
        return product;
    }
    friend ScalarLanes multiply_add(const ScalarLanes& a, const ScalarLanes& b, const ScalarLanes& c) {
        ScalarLanes sum;
        for (std::size_t l = 0; l < kLanes; ++l) sum.lane[l] = __builtin_fmaf(a.lane[l], b.lane[l], c.lane[l]);
        return sum;
    }

    friend ScalarLanes larger_magnitude(const ScalarLanes& magnitude, const ScalarLanes& b) {
        ScalarLanes larger;
        for (std::size_t l = 0; l < kLanes; ++l) {
            larger.lane[l] = __builtin_fmaxf(magnitude.lane[l], __builtin_fabsf(b.lane[l]));
        }
        return larger;
    }
    float largest() const {
        float most = 0.0f;
        for (const float value : lane) most = __builtin_fmaxf(most, value);
        return most;
    }
    std::uint32_t above(float floor) const {
        std::uint32_t bits = 0;
        for (std::size_t l = 0; l < kLanes; ++l) bits |= std::uint32_t{!(lane[l] <= floor)} << l;
        return bits;
    }
    void round(std::int8_t* to, std::size_t count) const {
        for (std::size_t l = 0; l < count; ++l) to[l] = static_cast<std::int8_t>(__builtin_rintf(lane[l]));
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

struct ScalarProducts {
    using Element = std::int8_t;
    using Result = std::int32_t;
    using Sum = std::int32_t;
    static constexpr std::size_t kStep = 1;
    static constexpr int kQueries = 1, kTracks = 1, kParts = 1;
    static constexpr bool kCheap = true;  // a fused multiply-add is a call of the C library

    static std::int32_t zero() { return 0; }
    template <class... Count>
    static std::int32_t query(const std::int8_t* from, Count... /*always one*/) {
        return *from;
    }
    template <class... Count>
    static std::int32_t track(const std::int8_t* from, Count... /*always one*/) {
        return *from;
    }
    static std::int32_t add_product(std::int32_t query, std::int32_t track, std::int32_t sum) {
        return sum + query * track;
    }
    static std::int32_t offset(const std::int8_t* /*query*/, std::size_t /*dims*/) { return 0; }
    template <int N>
    static void sums(const std::int32_t (&all)[N], std::int32_t* out) {
        for (int n = 0; n < N; ++n) out[n] = all[n];
    }
};

}  // namespace

namespace scalar {
constinit const Kernels kKernels = table<ScalarLanes, ScalarProducts>();
}
}  // namespace nlvr
