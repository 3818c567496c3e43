// Products: convolutions and dense layers, a dense layer being a convolution whose window is the whole map.
//
// A product of +-1 reads, for every output pixel, runs of consecutive words (a row of the window, or with dilation a pixel of it) and
// counts the bits in which they differ from the weights: sum of products = K - 2 * differing. Sixteen output channels lie side by side in
// every group of weight words, so that counters never have to be added up across lanes, and six pixels share every load of weights.
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

constexpr int PIXELS = 6;         // output pixels that share a load of weights
constexpr int LANES = 16;         // output channels of a popcount block
constexpr int FLOAT_LANES = 16;   // output channels of a sum block

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
#if defined(__AVX2__)
    for (int j = 0; j < FLOAT_LANES; j += 8) {
        const __m256 mask = _mm256_cmp_ps(_mm256_loadu_ps(sum + j), _mm256_loadu_ps(limit + j), _CMP_GE_OQ);
        bits |= uint64_t(uint32_t(_mm256_movemask_ps(mask))) << j;
    }
#else
    for (int j = 0; j < FLOAT_LANES; ++j) bits |= uint64_t(sum[j] >= limit[j]) << j;
#endif
    return bits;
}

// A block of output channels: its weights and limits, and where its results lie in a pixel of the output.
template <class Product>
struct Block {
    static constexpr int N = Product::WIDTH;
    const Layer& l;
    const int channel, lanes;
    const typename Product::Element* const weights;
    const typename Product::Limit *const first, *const second;
    const bool bits, window;

    Block(const Layer& l, int channel, size_t taps)
        : l(l), channel(channel), lanes(std::min(N, l.out_c - channel)),
          weights(static_cast<const typename Product::Element*>(l.weights) + channel * taps),
          first(static_cast<const typename Product::Limit*>(l.limits) + channel),
          second(first + (l.out_c + N - 1) / N * N), bits(l.bits), window(l.form == WINDOW) {}

    // Stores the results of one pixel; the lanes beyond the last channel have limits that give 0.
    void store(const typename Product::Sum* sum, void* out) const {
        if (bits) {
            uint64_t results = reached(sum, first);
            if (window) results = (~results & ((uint64_t(1) << N) - 1)) | reached(sum, second);
            static_cast<uint64_t*>(out)[channel / 64] |= results << (channel % 64);
            return;
        }
        float* f = static_cast<float*>(out) + channel;
        if (l.form == PLAIN) {
            for (int j = 0; j < lanes; ++j) f[j] = Product::number(l, sum[j]);
            return;
        }
        const uint64_t one = reached(sum, first), two = reached(sum, second);
        for (int j = 0; j < lanes; ++j) f[j] = float(l.bias + int(one >> j & 1) + int(two >> j & 1));
    }
};

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
    // 8 floats, in what registers there are: with 16 a processor lowers its clock, by a tenth for all layers
    typedef float Half __attribute__((vector_size(FLOAT_LANES / 2 * sizeof(float))));

    static float number(const Layer&, Sum sum) { return sum; }

    template <int P>
    static void sums(const Runs& runs, const Element* const* x, const Element* w, Sum (*sum)[WIDTH]) {
        Half acc[P][2] = {};
        const int length = runs.length;
        for (const size_t at : runs.at)
            for (int i = 0; i < length; ++i, w += WIDTH) {
                const Half one = reinterpret_cast<const Half*>(w)[0], two = reinterpret_cast<const Half*>(w)[1];
                for (int p = 0; p < P; ++p) {
                    acc[p][0] += x[p][at + i] * one;
                    acc[p][1] += x[p][at + i] * two;
                }
            }
        std::memcpy(sum, acc, sizeof acc);
    }
};

// P output pixels from number q on.
template <class Product, int P, class Element = typename Product::Element>
void product_pixels(const Block<Product>& block, const Runs& runs, const Element* const* x, size_t q, void* const* out) {
    typename Product::Sum sum[P][Product::WIDTH];
    Product::template sums<P>(runs, x + q, block.weights, sum);
    if (block.l.zeros)
        for (int p = 0; p < P; ++p) add_zeros(block.l, q + p, block.channel, sum[p]);
    for (int p = 0; p < P; ++p) block.store(sum[p], out[q + p]);
}

template <class Product>
void run_product(const Layer& l, int images, const uint64_t* in, size_t in_map, uint64_t* out) {
    using Element = typename Product::Element;
    const size_t out_map = map_size(l), taps = size_t(l.kernel_h) * l.kernel_w * l.in_stride;
    std::vector<const Element*> x;
    std::vector<void*> y;
    for (int n = 0; n < images; ++n, in += in_map, out += out_map)
        for (int r = 0; r < l.out_h; ++r)
            for (int c = 0; c < l.out_w; ++c) {
                const size_t from = (size_t(r * l.stride_h) * l.in_w + c * l.stride_w) * l.in_stride;
                const size_t to = (size_t(r) * l.out_w + c) * l.out_stride;
                x.push_back(reinterpret_cast<const Element*>(in) + from);
                y.push_back(l.bits ? static_cast<void*>(out + to) : reinterpret_cast<float*>(out) + to);
            }
    const size_t pixels = x.size();
    const Runs runs(l);
    for (int channel = 0; channel < l.out_c; channel += Product::WIDTH) {
        const Block<Product> block(l, channel, taps);
        size_t q = 0;
        for (; q + PIXELS <= pixels; q += PIXELS) product_pixels<Product, PIXELS>(block, runs, x.data(), q, y.data());
        for (; q < pixels; ++q) product_pixels<Product, 1>(block, runs, x.data(), q, y.data());
    }
}

}  // namespace
