// The table of layers and the maps, as intgraph.cpp and its products see them.
//
// A map of bits holds every pixel (NHWC) in ceil(channels / 64) words of 64 bits, channel 0 in bit 0, unused bits 0. A map of
// integers holds them as float: magnitudes below 2^24 are exact there, which compile/reach.py checks, and the FPU is faster than the
// integer unit.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

enum Kind : int32_t { TABLE, SUM, POPCOUNT, POOL, ARGMAX, THRESHOLD, TOTAL, ADD, PLACE, LOOKUP, REQUANTISE };
enum Form : int32_t { PLAIN, STEP, COUNT, WINDOW };  // stored of x: x, [x >= T], bias + number of T <= x, [x < T1 or x >= T2]

// One layer; must match _Layer in intgraph.py. Sizes are in pixels, channels, and words (bit maps) or numbers (integer maps).
struct Layer {
    int32_t kind, form;
    int32_t source, other;            // layers whose maps it reads; -1 is none
    int32_t slot;                     // where its own map goes
    int32_t bits;                     // the output is a map of bits
    int32_t in_h, in_w, in_c;         // input map
    int32_t out_h, out_w, out_c;      // output map
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int32_t in_stride, out_stride;    // words or numbers of a pixel
    int32_t top, left, before;        // PLACE: where pixels go, and channels of the last map that it reads
    int32_t rows, columns;            // TABLE, LOOKUP: of the table (element i reads row i % rows); THRESHOLD: steps
    int32_t fan_in;                   // terms of a sum
    int32_t bias;                     // COUNT: value of count 0
    int32_t broadcast;                // ADD: the second map has one pixel, added to all
    int32_t shift, other_shift;       // ADD: of both maps to the left; REQUANTISE: of the sum to the right
    int32_t low, high;                // REQUANTISE: ends of the codes; LOOKUP: low is what column 0 stands for
    const void* weights;              // POPCOUNT: words [block][position][LANES]; SUM: floats [block][position][FLOAT_LANES]
    const void* limits;               // products: [1 or 2][padded channels], POPCOUNT: int64, reached = differing <= limit,
                                      // SUM: float, reached = sum >= limit; THRESHOLD: float [rows][channels]
    const float* signs;               // THRESHOLD: per channel, +-1: factor in front of the comparison
    const float* table;               // TABLE: [rows][256], indexed by the byte of a pixel; LOOKUP: [rows][columns]
                                      // PLACE: [channels] of what lies around the map
    const int32_t* order;             // TABLE: element i of the stream is byte order[i] of the image
    const int64_t* zeros;             // POPCOUNT: [rows][padded channels], differing bits to add; none if null
    const int32_t* kinds;             // POPCOUNT: row of zeros for every pixel, -1 for none
    const int64_t *factors, *offsets; // REQUANTISE: [channels]
};

using Map = std::vector<uint64_t>;    // one allocation for the maps of a group; floats are stored in it, too

inline size_t map_size(const Layer& l) {  // words of the output map of one image
    const size_t elements = size_t(l.out_h) * l.out_w * l.out_stride;
    return l.bits ? elements : (elements + 1) / 2;
}
