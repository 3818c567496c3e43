// Included before all generated C++. Verilator counts ones with shifts and masks (about 13 operations); processors have an
// instruction for it. Most of the work of a binary network is counting ones.
#pragma once

#include "verilated.h"

#include <cstring>

static inline IData popcount_w(int words, WDataInP const data) {
    uint64_t ones = 0;
    int i = 0;
    for (; i + 1 < words; i += 2) {
        uint64_t pair;
        memcpy(&pair, data + i, sizeof pair);
        ones += __builtin_popcountll(pair);
    }
    if (i < words) ones += __builtin_popcount(data[i]);
    return (IData)ones;
}

#undef VL_COUNTONES_E
#define VL_COUNTONES_I(value) static_cast<IData>(__builtin_popcount(value))
#define VL_COUNTONES_E(value) static_cast<IData>(__builtin_popcount(value))
#define VL_COUNTONES_Q(value) static_cast<IData>(__builtin_popcountll(value))
#define VL_COUNTONES_W popcount_w
