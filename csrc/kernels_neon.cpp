// NEON of 64-bit Arm: the 16 lanes are four registers of four.
#include <arm_neon.h>

#include "arithmetic.hpp"

namespace nlvr {
namespace {

// Up to sixteen numbers, those from `count` on 0: there are no masked loads.
template <class T>
class Sixteen {
   public:
    Sixteen(const T* from, std::size_t count) : from_(from) {
        if (count >= kLanes) return;
        for (std::size_t i = 0; i < count; ++i) some_[i] = from[i];
        from_ = some_;
    }
    const T* quarter(std::size_t n) const { return from_ + 4 * n; }

   private:
    const T* from_;
    T some_[kLanes] = {};
};

struct NeonLanes {
    static constexpr int kParts = 1;
    static constexpr int kQueries = 2;
    static constexpr int kTracks = 2;
    static constexpr int kChannels = 4;
    static constexpr std::size_t kQuarters = 4;

    float32x4_t quarter[kQuarters];

    template <class F>
    static NeonLanes each(const F& f) {
        return {{f(0), f(1), f(2), f(3)}};
    }

    static NeonLanes zero() { return set(0.0f); }
    static NeonLanes set(float value) {
        return each([&](std::size_t) { return vdupq_n_f32(value); });
    }
    static NeonLanes load(const float* from) {
        return each([&](std::size_t n) { return vld1q_f32(from + 4 * n); });
    }
    static NeonLanes load(const float* from, std::size_t count) {
        const Sixteen<float> all(from, count);
        return load(all.quarter(0));
    }
    static NeonLanes load(const Float16* from, std::size_t count) {
        const Sixteen<Float16> all(from, count);
        return each([&](std::size_t n) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&all.quarter(n)->bits))); });
    }
    static NeonLanes load(const Bfloat16* from, std::size_t count) {
        const Sixteen<Bfloat16> all(from, count);
        return each(
            [&](std::size_t n) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(&all.quarter(n)->bits), 16)); });
    }
    static NeonLanes load(const std::int32_t* from, std::size_t count) {
        const Sixteen<std::int32_t> all(from, count);
        return each([&](std::size_t n) { return vcvtq_f32_s32(vld1q_s32(all.quarter(n))); });
    }
    static NeonLanes load(const std::int8_t* from, std::size_t count) {
        const Sixteen<std::int8_t> all(from, count);
        const int8x16_t codes = vld1q_s8(all.quarter(0));
        const int16x8_t low = vmovl_s8(vget_low_s8(codes)), high = vmovl_s8(vget_high_s8(codes));
        return each([&](std::size_t n) {
            const int16x8_t half = n < 2 ? low : high;
            return vcvtq_f32_s32(vmovl_s16(n % 2 == 0 ? vget_low_s16(half) : vget_high_s16(half)));
        });
    }
    void store(float* to, std::size_t count) const {
        float all[kLanes];
        float* const at = count < kLanes ? all : to;
        for (std::size_t n = 0; n < kQuarters; ++n) vst1q_f32(at + 4 * n, quarter[n]);
        for (std::size_t i = 0; at == all && i < count; ++i) to[i] = all[i];
    }
    void round(std::int8_t* to, std::size_t count) const {
        std::int32_t all[kLanes];
        for (std::size_t n = 0; n < kQuarters; ++n) vst1q_s32(all + 4 * n, vcvtnq_s32_f32(quarter[n]));
        for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::int8_t>(all[i]);
    }

    friend NeonLanes add(const NeonLanes& a, const NeonLanes& b) {
        return each([&](std::size_t n) { return vaddq_f32(a.quarter[n], b.quarter[n]); });
    }
    friend NeonLanes multiply(const NeonLanes& a, const NeonLanes& b) {
        return each([&](std::size_t n) { return vmulq_f32(a.quarter[n], b.quarter[n]); });
    }
    friend NeonLanes multiply_add(const NeonLanes& a, const NeonLanes& b, const NeonLanes& c) {
        return each([&](std::size_t n) { return vfmaq_f32(c.quarter[n], a.quarter[n], b.quarter[n]); });
    }
    friend NeonLanes larger_magnitude(const NeonLanes& magnitude, const NeonLanes& b) {
        return each([&](std::size_t n) { return vmaxq_f32(magnitude.quarter[n], vabsq_f32(b.quarter[n])); });
    }
    float largest() const {
        return vmaxvq_f32(vmaxq_f32(vmaxq_f32(quarter[0], quarter[1]), vmaxq_f32(quarter[2], quarter[3])));
    }
    std::uint32_t above(float floor) const {
        const uint32x4_t places = {1, 2, 4, 8};
        std::uint32_t bits = 0;
        for (std::size_t n = 0; n < kQuarters; ++n) {
            const uint32x4_t above = vmvnq_u32(vcleq_f32(quarter[n], vdupq_n_f32(floor)));
            bits |= vaddvq_u32(vandq_u32(above, places)) << (4 * n);
        }
        return bits;
    }

    template <int N>
    static void sums(const NeonLanes (&all)[N], float* out) {
        for (int i = 0; i < N; ++i) {
            const float32x4_t(&lanes)[kQuarters] = all[i].quarter;
            const float32x4_t four = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
            const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            out[i] = vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
        }
    }
};

struct NeonProducts {
    using Element = std::int8_t;
    using Result = std::int32_t;
    using Sum = int32x4_t;
    static constexpr std::size_t kStep = kLanes;
    static constexpr int kQueries = 4, kTracks = 2, kParts = 1;
    static constexpr bool kCheap = false;  // as many instructions as of floats

    static int32x4_t zero() { return vdupq_n_s32(0); }
    static int8x16_t query(const std::int8_t* from, std::size_t count = kStep) {
        return vld1q_s8(Sixteen<std::int8_t>(from, count).quarter(0));
    }
    static int8x16_t track(const std::int8_t* from, std::size_t count = kStep) { return query(from, count); }
    static int32x4_t add_product(int8x16_t query, int8x16_t track, int32x4_t sum) {
        const int16x8_t low = vmull_s8(vget_low_s8(query), vget_low_s8(track));
        return vpadalq_s16(vpadalq_s16(sum, low), vmull_high_s8(query, track));
    }
    static std::int32_t offset(const std::int8_t* /*query*/, std::size_t /*dims*/) { return 0; }
    template <int N>
    static void sums(const int32x4_t (&all)[N], std::int32_t* out) {
        for (int n = 0; n < N; ++n) out[n] = vaddvq_s32(all[n]);
    }
};

}  // namespace

namespace neon {
constinit const Kernels kKernels = table<NeonLanes, NeonProducts>();
}
}  // namespace nlvr
