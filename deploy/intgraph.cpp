// The integer graph on a CPU: a chain of layers over bit-packed maps, driven by a table that Python fills in.
//
// Maps. A map of bits holds every pixel (NHWC) in ceil(channels / 64) words of 64 bits, channel 0 in bit 0, unused bits 0. A map of
// integers holds them as float: sums below 2^24 are exact there, which the compiler has checked, and the FPU is faster than the integer unit.
//
// Products. A product of +-1 reads, for every output pixel, kernel_rows runs of consecutive words (a row of the window is consecutive in
// memory) and counts the bits in which they differ from the weights: sum of products = K - 2 * differing. Sixteen output channels lie
// side by side in every weight word group, so that counters never have to be added up across lanes, and four pixels share every weight load.
// A dense layer is a convolution whose window is the whole map.
//
// Images of a group are processed layer by layer. Nothing is shared between calls: several threads may run at once.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>
#if defined(__AVX512F__) && defined(__AVX512VPOPCNTDQ__)
#include <immintrin.h>
#endif

namespace {

enum Kind : int32_t { TABLE = 0, SUM = 1, POPCOUNT = 2, POOL = 3, ARGMAX = 4 };

constexpr int GROUP = 8;          // images processed together: the pixels of a dense layer
constexpr int PIXELS = 4;         // output pixels that share a weight load
constexpr int LANES = 16;         // output channels of a popcount block
constexpr int FLOAT_LANES = 32;   // output channels of a sum block

}  // namespace

// One layer; must match _Layer in intgraph.py. Sizes are in pixels, channels, and words (bit maps) or numbers (integer maps).
struct Layer {
    int32_t kind;
    int32_t bits;                     // the output is a map of bits
    int32_t in_h, in_w, in_c;         // input map
    int32_t out_h, out_w, out_c;      // output map
    int32_t kernel_h, kernel_w, stride_h, stride_w;
    int32_t in_stride, out_stride;    // words or numbers of a pixel
    int32_t rows;                     // TABLE: rows of the table (element i reads row i % rows)
    int32_t fan_in;                   // terms of a sum
    const void* weights;              // POPCOUNT: words [block][position][LANES]; SUM: floats [block][position][FLOAT_LANES]
    const void* limits;               // POPCOUNT: int64, bit = differing <= limit; SUM: float, bit = sum >= limit; per padded channel
    const float* table;               // TABLE: [rows][256], indexed by the byte of a pixel
    const int32_t* order;             // TABLE: element i of the stream is byte order[i] of the image
};

namespace {

using Map = std::vector<uint64_t>;    // one allocation for the maps of a group; floats are stored in it, too

size_t map_size(const Layer& l) {     // words of the output map of one image
    const size_t elements = size_t(l.out_h) * l.out_w * l.out_stride;
    return l.bits ? elements : (elements + 1) / 2;
}

void run_table(const Layer& l, const uint8_t* image, uint64_t* out) {
    const int count = l.out_h * l.out_w * l.out_c;
    if (!l.bits) {
        float* f = reinterpret_cast<float*>(out);
        for (int i = 0; i < count; ++i) f[i] = l.table[(i % l.rows) * 256 + image[l.order[i]]];
        return;
    }
    for (int p = 0, i = 0; p < l.out_h * l.out_w; ++p)
        for (int c = 0; c < l.out_c; ++c, ++i) {
            const uint64_t bit = l.table[(i % l.rows) * 256 + image[l.order[i]]] > 0;
            out[size_t(p) * l.out_stride + c / 64] |= bit << (c % 64);
        }
}

// Where output pixel q of the group starts to read, in words or numbers from the start of the group's input maps.
size_t window(const Layer& l, size_t q, size_t in_map) {
    const size_t per_image = size_t(l.out_h) * l.out_w, image = q / per_image, p = q % per_image;
    const size_t row = p / l.out_w * l.stride_h, column = p % l.out_w * l.stride_w;
    return image * in_map + (row * l.in_w + column) * l.in_stride;
}

// Differing bits of P windows against one block of weights.
template <int P>
inline void differing(const uint64_t* const* x, const uint64_t* w, int rows, int run, size_t row_stride, uint64_t (*count)[LANES]) {
#if defined(__AVX512F__) && defined(__AVX512VPOPCNTDQ__)
    __m512i acc[P][2];
    for (int p = 0; p < P; ++p) acc[p][0] = acc[p][1] = _mm512_setzero_si512();
    for (int r = 0; r < rows; ++r)
        for (int i = 0; i < run; ++i, w += LANES) {
            const __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 8);
            for (int p = 0; p < P; ++p) {
                const __m512i v = _mm512_set1_epi64(int64_t(x[p][r * row_stride + i]));
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
    for (int r = 0; r < rows; ++r)
        for (int i = 0; i < run; ++i, w += LANES)
            for (int p = 0; p < P; ++p) {
                const uint64_t v = x[p][r * row_stride + i];
                for (int j = 0; j < LANES; ++j) count[p][j] += uint64_t(__builtin_popcountll(v ^ w[j]));
            }
#endif
}

// 16 comparisons as 16 bits.
inline uint16_t compare(const uint64_t* count, const int64_t* limit) {
#if defined(__AVX512F__) && defined(__AVX512VPOPCNTDQ__)
    const __mmask8 low = _mm512_cmple_epi64_mask(_mm512_loadu_si512(count), _mm512_loadu_si512(limit));
    const __mmask8 high = _mm512_cmple_epi64_mask(_mm512_loadu_si512(count + 8), _mm512_loadu_si512(limit + 8));
    return uint16_t(low | uint16_t(high) << 8);
#else
    uint16_t bits = 0;
    for (int j = 0; j < LANES; ++j) bits |= uint16_t(int64_t(count[j]) <= limit[j]) << j;
    return bits;
#endif
}

template <int P>
void popcount_pixels(const Layer& l, const uint64_t* const* x, const uint64_t* w, int block, uint64_t* const* out) {
    uint64_t count[P][LANES];
    differing<P>(x, w, l.kernel_h, l.kernel_w * l.in_stride, size_t(l.in_w) * l.in_stride, count);
    for (int p = 0; p < P; ++p)
        if (l.bits) {
            const uint64_t bits = compare(count[p], static_cast<const int64_t*>(l.limits) + block * LANES);
            out[p][block / 4] |= bits << (block % 4 * LANES);
        } else {
            float* f = reinterpret_cast<float*>(out[p]);
            for (int j = 0; j < LANES && block * LANES + j < l.out_c; ++j) f[block * LANES + j] = float(l.fan_in - int64_t(count[p][j]));
        }
}

void run_popcount(const Layer& l, int images, const uint64_t* in, size_t in_map, uint64_t* out) {
    const size_t pixels = size_t(images) * l.out_h * l.out_w, words = size_t(l.kernel_h) * l.kernel_w * l.in_stride;
    const size_t per_image = size_t(l.out_h) * l.out_w, out_map = map_size(l);
    std::vector<const uint64_t*> x(pixels);
    std::vector<uint64_t*> y(pixels);
    for (size_t q = 0; q < pixels; ++q) {
        x[q] = in + window(l, q, in_map);
        uint64_t* base = out + q / per_image * out_map;
        const size_t element = q % per_image * l.out_stride;
        y[q] = l.bits ? base + element : reinterpret_cast<uint64_t*>(reinterpret_cast<float*>(base) + element);
    }
    for (int block = 0; block * LANES < l.out_c; ++block) {
        const uint64_t* w = static_cast<const uint64_t*>(l.weights) + block * words * LANES;
        size_t q = 0;
        for (; q + PIXELS <= pixels; q += PIXELS) popcount_pixels<PIXELS>(l, &x[q], w, block, &y[q]);
        for (; q < pixels; ++q) popcount_pixels<1>(l, &x[q], w, block, &y[q]);
    }
}

template <int P>
void sum_pixels(const Layer& l, const float* const* x, const float* w, int block, uint64_t* const* out) {
    float acc[P][FLOAT_LANES] = {};
    const int run = l.kernel_w * l.in_stride;
    const size_t row_stride = size_t(l.in_w) * l.in_stride;
    for (int r = 0; r < l.kernel_h; ++r)
        for (int i = 0; i < run; ++i, w += FLOAT_LANES)
            for (int p = 0; p < P; ++p) {
                const float v = x[p][r * row_stride + i];
                for (int j = 0; j < FLOAT_LANES; ++j) acc[p][j] += v * w[j];
            }
    const float* limit = static_cast<const float*>(l.limits) + block * FLOAT_LANES;
    for (int p = 0; p < P; ++p)
        if (l.bits) {
            uint64_t bits = 0;
            for (int j = 0; j < FLOAT_LANES; ++j) bits |= uint64_t(acc[p][j] >= limit[j]) << j;
            out[p][block / 2] |= bits << (block % 2 * FLOAT_LANES);
        } else {
            float* f = reinterpret_cast<float*>(out[p]);
            for (int j = 0; j < FLOAT_LANES && block * FLOAT_LANES + j < l.out_c; ++j) f[block * FLOAT_LANES + j] = acc[p][j];
        }
}

void run_sum(const Layer& l, int images, const uint64_t* in, size_t in_map, uint64_t* out) {
    const size_t pixels = size_t(images) * l.out_h * l.out_w, taps = size_t(l.kernel_h) * l.kernel_w * l.in_stride;
    const size_t per_image = size_t(l.out_h) * l.out_w, out_map = map_size(l);
    std::vector<const float*> x(pixels);
    std::vector<uint64_t*> y(pixels);
    for (size_t q = 0; q < pixels; ++q) {
        const size_t image = q / per_image;
        x[q] = reinterpret_cast<const float*>(in + image * in_map) + (window(l, q, in_map) - image * in_map);
        uint64_t* base = out + image * out_map;
        const size_t element = q % per_image * l.out_stride;
        y[q] = l.bits ? base + element : reinterpret_cast<uint64_t*>(reinterpret_cast<float*>(base) + element);
    }
    for (int block = 0; block * FLOAT_LANES < l.out_c; ++block) {
        const float* w = static_cast<const float*>(l.weights) + block * taps * FLOAT_LANES;
        size_t q = 0;
        for (; q + PIXELS <= pixels; q += PIXELS) sum_pixels<PIXELS>(l, &x[q], w, block, &y[q]);
        for (; q < pixels; ++q) sum_pixels<1>(l, &x[q], w, block, &y[q]);
    }
}

void run_pool(const Layer& l, const uint64_t* in, uint64_t* out) {
    for (int r = 0; r < l.out_h; ++r)
        for (int c = 0; c < l.out_w; ++c, out += l.out_stride)
            for (int i = 0; i < l.kernel_h; ++i)
                for (int j = 0; j < l.kernel_w; ++j) {
                    const uint64_t* x = in + (size_t(r * l.stride_h + i) * l.in_w + c * l.stride_w + j) * l.in_stride;
                    for (int k = 0; k < l.in_stride; ++k) out[k] |= x[k];
                }
}

void run_argmax(const Layer& l, const uint64_t* in, uint64_t* out) {
    const float* f = reinterpret_cast<const float*>(in);
    *reinterpret_cast<float*>(out) = float(std::max_element(f, f + l.in_c) - f);  // the first of equals
}

void run_layer(const Layer& l, int images, const uint8_t* image, size_t pixels, const Map& in, size_t in_map, Map& out) {
    const size_t out_map = map_size(l);
    out.assign(out_map * images, 0);
    if (l.kind == POPCOUNT) return run_popcount(l, images, in.data(), in_map, out.data());
    if (l.kind == SUM) return run_sum(l, images, in.data(), in_map, out.data());
    for (int n = 0; n < images; ++n) {
        uint64_t* y = out.data() + n * out_map;
        if (l.kind == TABLE) run_table(l, image + n * pixels, y);
        if (l.kind == POOL) run_pool(l, in.data() + n * in_map, y);
        if (l.kind == ARGMAX) run_argmax(l, in.data() + n * in_map, y);
    }
}

// The map of one image as plain integers, [out_h][out_w][out_c].
void unpack(const Layer& l, const uint64_t* map, int64_t* out) {
    for (int p = 0; p < l.out_h * l.out_w; ++p)
        for (int c = 0; c < l.out_c; ++c) {
            const size_t at = size_t(p) * l.out_stride;
            *out++ = l.bits ? int64_t(map[at + c / 64] >> (c % 64) & 1) : int64_t(reinterpret_cast<const float*>(map)[at + c]);
        }
}

}  // namespace

// Runs layers 0 .. count-1 on `images` images of `pixels` bytes; writes the last one's maps to `out`, int64 [images][out_h][out_w][out_c].
extern "C" void signflow_run(const Layer* layers, int32_t count, const uint8_t* images, int64_t total, int64_t pixels, int64_t* out) {
    const Layer& last = layers[count - 1];
    const size_t results = size_t(last.out_h) * last.out_w * last.out_c;
    Map a, b;
    for (int64_t first = 0; first < total; first += GROUP) {
        const int group = int(std::min<int64_t>(GROUP, total - first));
        size_t in_map = 0;
        for (int32_t i = 0; i < count; ++i) {
            run_layer(layers[i], group, images + first * pixels, size_t(pixels), a, in_map, b);
            in_map = map_size(layers[i]);
            a.swap(b);
        }
        for (int n = 0; n < group; ++n) unpack(last, a.data() + n * in_map, out + (first + n) * results);
    }
}
