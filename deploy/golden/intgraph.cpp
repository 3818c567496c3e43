// The integer graph on a CPU: layers over bit-packed maps, driven by a table that Python fills in, in topological order.
//
// Images of a group are processed layer by layer. Every layer writes its map into a slot; slots are shared by maps that are never needed
// at the same time (two are enough for a chain). Nothing is shared between calls: several threads may run at once.

#include "products.h"

namespace {

constexpr int GROUP = 8;  // images processed together: the pixels of a dense layer

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

// The numbers of pixel p of a map: as they are, or its bits as 0 and 1 in `scratch`.
const float* numbers(const uint64_t* map, bool bits, int channels, size_t p, float* scratch) {
    if (!bits) return reinterpret_cast<const float*>(map) + p * channels;
    map += p * ((channels + 63) / 64);
    for (int c = 0; c < channels; ++c) scratch[c] = float(map[c / 64] >> (c % 64) & 1);
    return scratch;
}

// Counts the steps at or below signs * x, all channels side by side: with vectors faster than a binary search up to some hundred steps.
void run_threshold(const Layer& l, const uint64_t* in, bool in_bits, uint64_t* out) {
    const int channels = l.out_c;
    std::vector<float> scratch(channels), x(channels), count(channels);
    for (size_t p = 0; p < size_t(l.out_h) * l.out_w; ++p) {
        const float *raw = numbers(in, in_bits, channels, p, scratch.data()), *step = static_cast<const float*>(l.limits);
        for (int c = 0; c < channels; ++c) x[c] = l.signs[c] * raw[c];
        std::fill(count.begin(), count.end(), 0.0f);
        for (int k = 0; k < l.rows; ++k, step += channels)
            for (int c = 0; c < channels; ++c) count[c] += x[c] >= step[c] ? 1.0f : 0.0f;
        uint64_t* words = out + p * l.out_stride;
        float* f = reinterpret_cast<float*>(out) + p * l.out_stride;
        if (l.bits)
            for (int c = 0; c < channels; ++c)
                words[c / 64] |= uint64_t(l.form == WINDOW ? count[c] != 1 : count[c] > 0) << (c % 64);
        else
            for (int c = 0; c < channels; ++c) f[c] = float(l.bias) + count[c];
    }
}

void run_pool(const Layer& l, const uint64_t* in, uint64_t* out) {
    const float* numbers = reinterpret_cast<const float*>(in);
    float* f = reinterpret_cast<float*>(out);
    for (int r = 0; r < l.out_h; ++r)
        for (int c = 0; c < l.out_w; ++c, out += l.out_stride, f += l.out_stride)
            for (int i = 0; i < l.kernel_h; ++i)
                for (int j = 0; j < l.kernel_w; ++j) {
                    const size_t at = (size_t(r * l.stride_h + i) * l.in_w + c * l.stride_w + j) * l.in_stride;
                    if (l.bits)
                        for (int k = 0; k < l.in_stride; ++k) out[k] |= in[at + k];
                    else
                        for (int k = 0; k < l.in_stride; ++k) f[k] = i + j ? std::max(f[k], numbers[at + k]) : numbers[at + k];
                }
}

void run_argmax(const Layer& l, const uint64_t* in, bool in_bits, uint64_t* out) {
    std::vector<float> scratch(l.in_c);
    const float* f = numbers(in, in_bits, l.in_c, 0, scratch.data());
    *reinterpret_cast<float*>(out) = float(std::max_element(f, f + l.in_c) - f);  // the first of equals
}

void run_total(const Layer& l, const uint64_t* in, bool in_bits, uint64_t* out) {
    std::vector<float> scratch(l.in_c);
    float* f = reinterpret_cast<float*>(out);
    for (int r = 0; r < l.out_h; ++r)
        for (int c = 0; c < l.out_w; ++c, f += l.out_c)
            for (int i = 0; i < l.kernel_h; ++i)
                for (int j = 0; j < l.kernel_w; ++j) {
                    const size_t p = size_t(r * l.stride_h + i) * l.in_w + c * l.stride_w + j;
                    const float* x = numbers(in, in_bits, l.in_c, p, scratch.data());
                    for (int k = 0; k < l.in_c; ++k) f[k] += x[k];
                }
}

void run_add(const Layer& l, const uint64_t* one, bool one_bits, const uint64_t* two, bool two_bits, uint64_t* out) {
    std::vector<float> a(l.out_c), b(l.out_c);
    const float by = float(1 << l.shift), other_by = float(1 << l.other_shift);
    float* f = reinterpret_cast<float*>(out);
    for (size_t p = 0; p < size_t(l.out_h) * l.out_w; ++p, f += l.out_c) {
        const float* x = numbers(one, one_bits, l.out_c, p, a.data());
        const float* y = numbers(two, two_bits, l.out_c, l.broadcast ? 0 : p, b.data());
        for (int c = 0; c < l.out_c; ++c) f[c] = by * x[c] + other_by * y[c];
    }
}

// Channels first.. of output pixel p: the `count` numbers or, of a map of bits, bits of pixel q of another map.
void place(const Layer& l, const uint64_t* in, bool in_bits, int count, size_t q, uint64_t* out, size_t p, int first) {
    if (!l.bits) {
        float* f = reinterpret_cast<float*>(out) + p * l.out_c + first;
        const float* x = numbers(in, in_bits, count, q, f);
        if (x != f) std::copy(x, x + count, f);
        return;
    }
    const int words = (count + 63) / 64, shift = first % 64;
    in += q * words;
    out += p * l.out_stride + first / 64;
    for (int k = 0; k < words; ++k) {
        out[k] |= in[k] << shift;
        if (shift && in[k] >> (64 - shift)) out[k + 1] |= in[k] >> (64 - shift);
    }
}

// Constants of channels first..last-1 of output pixel p.
void fill(const Layer& l, uint64_t* out, size_t p, int first, int last) {
    float* f = reinterpret_cast<float*>(out) + p * l.out_c;
    for (int c = first; c < last; ++c)
        if (l.bits)
            out[p * l.out_stride + c / 64] |= uint64_t(l.table[c] > 0) << (c % 64);
        else
            f[c] = l.table[c];
}

// A map, and a second one behind its channels; around a map alone lie constants.
void run_place(const Layer& l, const uint64_t* one, bool one_bits, const uint64_t* two, bool two_bits, uint64_t* out) {
    for (size_t p = 0, q = 0; p < size_t(l.out_h) * l.out_w; ++p) {
        const int row = int(p / l.out_w) - l.top, column = int(p % l.out_w) - l.left, first = l.other < 0 ? l.before : 0;
        if (row < 0 || row >= l.in_h || column < 0 || column >= l.in_w) {
            fill(l, out, p, 0, l.out_c);
            continue;
        }
        place(l, one, one_bits, l.in_c, q, out, p, first);
        if (l.other >= 0)
            place(l, two, two_bits, l.out_c - l.before, q, out, p, l.before);
        else {
            fill(l, out, p, 0, l.before);
            fill(l, out, p, l.before + l.in_c, l.out_c);
        }
        ++q;
    }
}

void run_lookup(const Layer& l, const uint64_t* in, bool in_bits, uint64_t* out) {
    std::vector<float> scratch(l.out_c);
    float* f = reinterpret_cast<float*>(out);
    for (size_t p = 0; p < size_t(l.out_h) * l.out_w; ++p, f += l.out_c) {
        const float* x = numbers(in, in_bits, l.out_c, p, scratch.data());
        for (int c = 0; c < l.out_c; ++c) f[c] = l.table[size_t(l.rows == 1 ? 0 : c) * l.columns + (int(x[c]) - l.low)];
    }
}

void run_requantise(const Layer& l, const uint64_t* in, bool in_bits, uint64_t* out) {
    std::vector<float> scratch(l.out_c);
    float* f = reinterpret_cast<float*>(out);
    for (size_t p = 0; p < size_t(l.out_h) * l.out_w; ++p, f += l.out_c) {
        const float* x = numbers(in, in_bits, l.out_c, p, scratch.data());
        for (int c = 0; c < l.out_c; ++c) {
            const int64_t code = (int64_t(x[c]) * l.factors[c] + l.offsets[c]) >> l.shift;
            f[c] = float(std::clamp(code, int64_t(l.low), int64_t(l.high)));
        }
    }
}

// One layer on a group of images; `image` are their pixels.
void run_layer(const Layer* layers, const Layer& l, int images, const uint8_t* image, size_t pixels, std::vector<Map>& slots) {
    const Layer &s = layers[std::max(l.source, 0)], &t = layers[std::max(l.other, 0)];
    const uint64_t *in = slots[s.slot].data(), *other = slots[t.slot].data();
    const size_t in_map = map_size(s), other_map = map_size(t), out_map = map_size(l);
    slots[l.slot].assign(out_map * images, 0);
    uint64_t* out = slots[l.slot].data();
    if (l.kind == POPCOUNT) return run_product<Bits>(l, images, in, in_map, out);
    if (l.kind == SUM) return run_product<Numbers>(l, images, in, in_map, out);
    for (int n = 0; n < images; ++n, image += pixels, in += in_map, other += other_map, out += out_map) {
        if (l.kind == TABLE) run_table(l, image, out);
        if (l.kind == POOL) run_pool(l, in, out);
        if (l.kind == ARGMAX) run_argmax(l, in, s.bits, out);
        if (l.kind == THRESHOLD) run_threshold(l, in, s.bits, out);
        if (l.kind == TOTAL) run_total(l, in, s.bits, out);
        if (l.kind == ADD) run_add(l, in, s.bits, other, t.bits, out);
        if (l.kind == PLACE) run_place(l, in, s.bits, other, t.bits, out);
        if (l.kind == LOOKUP) run_lookup(l, in, s.bits, out);
        if (l.kind == REQUANTISE) run_requantise(l, in, s.bits, out);
    }
}

// The map of one image as plain integers, [out_h][out_w][out_c].
void unpack(const Layer& l, const uint64_t* map, int64_t* out) {
    std::vector<float> scratch(l.out_c);
    for (size_t p = 0; p < size_t(l.out_h) * l.out_w; ++p) {
        const float* x = numbers(map, l.bits, l.out_c, p, scratch.data());
        for (int c = 0; c < l.out_c; ++c) *out++ = int64_t(x[c]);
    }
}

}  // namespace

// Runs layers 0 .. count-1 on `total` images of `pixels` bytes; writes the last one's maps to `out`, int64 [total][out_h][out_w][out_c].
extern "C" void signflow_run(const Layer* layers, int32_t count, const uint8_t* images, int64_t total, int64_t pixels, int64_t* out) {
    const Layer& last = layers[count - 1];
    const size_t results = size_t(last.out_h) * last.out_w * last.out_c;
    int32_t used = 0;
    for (int32_t i = 0; i < count; ++i) used = std::max(used, layers[i].slot + 1);
    std::vector<Map> slots(used);
    for (int64_t first = 0; first < total; first += GROUP) {
        const int group = int(std::min<int64_t>(GROUP, total - first));
        for (int32_t i = 0; i < count; ++i) run_layer(layers, layers[i], group, images + first * pixels, size_t(pixels), slots);
        for (int n = 0; n < group; ++n) unpack(last, slots[last.slot].data() + n * map_size(last), out + (first + n) * results);
    }
}
