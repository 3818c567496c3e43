// Products: convolutions and dense layers, a dense layer being a convolution whose window is the whole map.
//
// A product of +-1 reads, for every output pixel, runs of consecutive words (a row of the window, or with dilation a pixel of it) and
// counts the bits in which they differ from the weights: sum of products = K - 2 * differing. Sixteen output channels lie side by side in
// every group of weight words, so that counters never have to be added up across lanes, and four pixels share every load of weights.
// A product of integers does the same in floats.
//
// Where the number 0 lies in a map of bits, its words are 0; what that makes differ too much or too little depends on which pixels of the
// window lie there, and is added from a table.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "intgraph.h"

namespace {

constexpr int PIXELS = 4;         // output pixels that share a load of weights
constexpr int LANES = 16;         // output channels of a popcount block
constexpr int FLOAT_LANES = 32;   // output channels of a sum block

// The runs of a window: how far each begins from the window's first pixel, and the words or numbers in each.
struct Runs {
    std::vector<size_t> at;
    int length;

    explicit Runs(const Layer& l) : length(l.in_stride) {
        const bool whole = l.dilation_w == 1;  // rows of the window
        if (whole) length *= l.kernel_w;
        for (int r = 0; r < l.kernel_h; ++r)
            for (int c = 0; c < (whole ? 1 : l.kernel_w); ++c)
                at.push_back((size_t(r) * l.dilation_h * l.in_w + size_t(c) * l.dilation_w) * l.in_stride);
    }
};

// Differing bits of P windows against one block of weights.
template <int P>
inline void differing(const uint64_t* const* x, const uint64_t* w, const Runs& runs, uint64_t (*count)[LANES]) {
    const int length = runs.length;
#if defined(__AVX512F__) && defined(__AVX512VPOPCNTDQ__)
    __m512i acc[P][2];
    for (int p = 0; p < P; ++p) acc[p][0] = acc[p][1] = _mm512_setzero_si512();
    for (const size_t at : runs.at)
        for (int i = 0; i < length; ++i, w += LANES) {
            const __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 8);
            for (int p = 0; p < P; ++p) {
                const __m512i v = _mm512_set1_epi64(int64_t(x[p][at + i]));
                acc[p][0] = _mm512_add_epi64(acc[p][0], _mm512_popcnt_epi64(_mm512_xor_si512(v, w0)));
                acc[p][1] = _mm512_add_epi64(acc[p][1], _mm512_popcnt_epi64(_mm512_xor_si512(v, w1)));
            }
        }
    for (int p = 0; p < P; ++p) {
        _mm512_storeu_si512(count[p], acc[p][0]);
        _mm512_storeu_si512(count[p] + 8, acc[p][1]);
    }
#else
    for (int p = 0; p < P; ++p) std::memset(count[p], 0, sizeof count[p]);
    for (const size_t at : runs.at)
        for (int i = 0; i < length; ++i, w += LANES)
            for (int p = 0; p < P; ++p) {
                const uint64_t v = x[p][at + i];
                for (int j = 0; j < LANES; ++j) count[p][j] += uint64_t(__builtin_popcountll(v ^ w[j]));
            }
#endif
}

// Which of 16 counters reach their limits, as bits.
inline uint64_t reached(const uint64_t* count, const int64_t* limit) {
#if defined(__AVX512F__) && defined(__AVX512VPOPCNTDQ__)
    const __mmask8 low = _mm512_cmple_epi64_mask(_mm512_loadu_si512(count), _mm512_loadu_si512(limit));
    const __mmask8 high = _mm512_cmple_epi64_mask(_mm512_loadu_si512(count + 8), _mm512_loadu_si512(limit + 8));
    return uint64_t(low | uint32_t(high) << 8);
#else
    uint64_t bits = 0;
    for (int j = 0; j < LANES; ++j) bits |= uint64_t(int64_t(count[j]) <= limit[j]) << j;
    return bits;
#endif
}

inline uint64_t reached(const float* sum, const float* limit) {
    uint64_t bits = 0;
#if defined(__AVX512F__)
    for (int j = 0; j < FLOAT_LANES; j += 16)
        bits |= uint64_t(_mm512_cmp_ps_mask(_mm512_loadu_ps(sum + j), _mm512_loadu_ps(limit + j), _CMP_GE_OQ)) << j;
#elif defined(__AVX2__)
    for (int j = 0; j < FLOAT_LANES; j += 8) {
        const __m256 mask = _mm256_cmp_ps(_mm256_loadu_ps(sum + j), _mm256_loadu_ps(limit + j), _CMP_GE_OQ);
        bits |= uint64_t(uint32_t(_mm256_movemask_ps(mask))) << j;
    }
#else
    for (int j = 0; j < FLOAT_LANES; ++j) bits |= uint64_t(sum[j] >= limit[j]) << j;
#endif
    return bits;
}

// Stores one block of lanes of an output pixel; the lanes beyond the last channel have limits that give 0.
template <class Product>
inline void store(const Layer& l, int block, const typename Product::Sum* sum, void* out) {
    constexpr int N = Product::WIDTH;
    const auto* first = static_cast<const typename Product::Limit*>(l.limits) + block * N;
    const auto* second = first + (l.out_c + N - 1) / N * N;
    if (l.bits) {
        uint64_t bits = reached(sum, first);
        if (l.form == WINDOW) bits = (~bits & ((uint64_t(1) << N) - 1)) | reached(sum, second);
        static_cast<uint64_t*>(out)[block * N / 64] |= bits << (block * N % 64);
        return;
    }
    float* f = static_cast<float*>(out) + block * N;
    const int lanes = std::min(N, l.out_c - block * N);
    if (l.form == PLAIN) {
        for (int j = 0; j < lanes; ++j) f[j] = Product::number(l, sum[j]);
        return;
    }
    const uint64_t one = reached(sum, first), two = reached(sum, second);
    for (int j = 0; j < lanes; ++j) f[j] = float(l.bias + int(one >> j & 1) + int(two >> j & 1));
}

// What the number 0 in the window of pixel q adds to the differing bits of the lanes from `channel` on.
inline void add_zeros(const Layer& l, size_t q, int channel, uint64_t* count) {
    const int kind = l.kinds[q % (size_t(l.out_h) * l.out_w)];
    const size_t padded = size_t((l.out_c + LANES - 1) / LANES) * LANES;
    if (kind >= 0)
        for (int j = 0; j < LANES; ++j) count[j] += uint64_t(l.zeros[kind * padded + channel + j]);
}

inline void add_zeros(const Layer&, size_t, int, float*) {}  // integers hold their zeros

struct Bits {  // +-1 times +-1
    using Element = uint64_t;
    using Sum = uint64_t;
    using Limit = int64_t;
    static constexpr int WIDTH = LANES;

    static float number(const Layer& l, Sum count) { return float(l.fan_in - int64_t(count)); }

    template <int P>
    static void sums(const Runs& runs, const Element* const* x, const Element* w, Sum (*sum)[WIDTH]) {
        differing<P>(x, w, runs, sum);
    }
};

struct Numbers {  // integers times integers
    using Element = float;
    using Sum = float;
    using Limit = float;
    static constexpr int WIDTH = FLOAT_LANES;
    typedef float Half __attribute__((vector_size(FLOAT_LANES / 2 * sizeof(float))));  // in what registers there are

    static float number(const Layer&, Sum sum) { return sum; }

    template <int P>
    static void sums(const Runs& runs, const Element* const* x, const Element* w, Sum (*sum)[WIDTH]) {
        Half acc[P][2] = {};
        const int length = runs.length;
        for (const size_t at : runs.at)
            for (int i = 0; i < length; ++i, w += WIDTH) {
                Half half[2];
                std::memcpy(half, w, sizeof half);
                for (int p = 0; p < P; ++p)
                    for (int h = 0; h < 2; ++h) acc[p][h] += x[p][at + i] * half[h];
            }
        std::memcpy(sum, acc, sizeof acc);
    }
};

// P output pixels from number q on.
template <class Product, int P, class Element = typename Product::Element>
void product_pixels(const Layer& l, const Runs& runs, const Element* const* x, const Element* w, int block, size_t q, void* const* out) {
    typename Product::Sum sum[P][Product::WIDTH];
    Product::template sums<P>(runs, x + q, w, sum);
    if (l.zeros)
        for (int p = 0; p < P; ++p) add_zeros(l, q + p, block * Product::WIDTH, sum[p]);
    for (int p = 0; p < P; ++p) store<Product>(l, block, sum[p], out[q + p]);
}

template <class Product>
void run_product(const Layer& l, int images, const uint64_t* in, size_t in_map, uint64_t* out) {
    using Element = typename Product::Element;
    const size_t per_image = size_t(l.out_h) * l.out_w, pixels = images * per_image, out_map = map_size(l);
    const size_t taps = size_t(l.kernel_h) * l.kernel_w * l.in_stride;
    std::vector<const Element*> x(pixels);
    std::vector<void*> y(pixels);
    const Runs runs(l);
    for (size_t q = 0; q < pixels; ++q) {
        const size_t image = q / per_image, p = q % per_image;
        const size_t row = p / l.out_w * l.stride_h, column = p % l.out_w * l.stride_w;
        x[q] = reinterpret_cast<const Element*>(in + image * in_map) + (row * l.in_w + column) * l.in_stride;
        uint64_t* base = out + image * out_map;
        y[q] = l.bits ? static_cast<void*>(base + p * l.out_stride) : reinterpret_cast<float*>(base) + p * l.out_stride;
    }
    for (int block = 0; block * Product::WIDTH < l.out_c; ++block) {
        const Element* w = static_cast<const Element*>(l.weights) + block * taps * Product::WIDTH;
        size_t q = 0;
        for (; q + PIXELS <= pixels; q += PIXELS) product_pixels<Product, PIXELS>(l, runs, x.data(), w, block, q, y.data());
        for (; q < pixels; ++q) product_pixels<Product, 1>(l, runs, x.data(), w, block, q, y.data());
    }
}

}  // namespace
