"""A small node of every operator for operators.md: what it is for, its attributes, its constants and its input.

Streams of the examples are short enough to be drawn word by word, cycle by cycle (`draw_operators.py`).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Example:
    """One node, and what to say of it."""

    says: str
    """What the operator is for, for somebody who meets it first."""
    shows: str
    """What the picture shows."""
    attributes: dict
    inputs: tuple
    """One array for each stream, of any shape with the right number of elements, frame after frame."""
    constants: tuple = ()
    suffix: str = ""
    """Tells the examples of one operator apart."""
    other: tuple[str, ...] = ()
    """Modules that some nodes of the operator are instead."""


def channels(count: int, pe: int, vectors: list[int], kind: str, **more) -> dict:
    """Attributes that most operators share."""
    return {"NumChannels": count, "PE": pe, "numInputVectors": vectors, "inputDataType": kind} | more


PIXELS = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
EXAMPLES = {
    "MVAU_sf": [
        Example(
            "The matrix-vector-activation unit is every dense layer and, behind a window generator, every convolution. "
            "It multiplies a vector by a matrix of weights, and compares each sum with the threshold that stands for "
            "the normalisation and the sign behind it. SIMD places of a vector and PE rows of the matrix are worked on "
            "in every cycle.",
            "Three vectors of 4 bits, 4 rows of weights (1010, 1100, 0110, 1111), thresholds 2, 3, 1 and 4 agreeing "
            "places. With SIMD = 2 and PE = 2 a vector takes two input words and four cycles: both words for the first "
            "two rows, both again for the other two. Each output word has the bits of two rows.",
            {
                "MW": 4, "MH": 4, "SIMD": 2, "PE": 2, "inputDataType": "BINARY", "weightDataType": "BINARY",
                "outputDataType": "BINARY", "binaryXnorMode": 1, "noActivation": 0, "window": 0,
                "numInputVectors": [1], "ActVal": 0,
            },
            ([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 1]],),
            (np.array([[1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]]).T, [[2], [3], [1], [4]]),
            other=("sf_mvau_planes",),
        )
    ],
    "ConvolutionInputGenerator_sf": [
        Example(
            "The window generator turns a map into the windows of a convolution or of a pool: it keeps the rows that "
            "are still needed and sends the pixels of each window. There are two modules. This one sends a window "
            "pixel by pixel, which suits a matrix-vector unit that takes several cycles for each.",
            "The 2 x 2 windows of a 3 x 3 map with the pixels 1 to 9, each window as four words. The windows of the "
            "second row need the pixels 4 to 6 once more, which are read from the ring.",
            {
                "ConvKernelDim": [2, 2], "IFMChannels": 1, "IFMDim": [3, 3], "OFMDim": [2, 2], "SIMD": 1,
                "Stride": [1, 1], "Dilation": [1, 1], "Pads": [0, 0, 0, 0], "inputDataType": "UINT4",
                "outputDataType": "UINT4", "parallel_window": 0,
            },
            ([PIXELS],),
        ),
        Example(
            "The other module sends a whole window in a cycle, for a matrix-vector unit that takes one in each cycle.",
            "The same windows, each as one word of four pixels.",
            {
                "ConvKernelDim": [2, 2], "IFMChannels": 1, "IFMDim": [3, 3], "OFMDim": [2, 2], "SIMD": 1,
                "Stride": [1, 1], "Dilation": [1, 1], "Pads": [0, 0, 0, 0], "inputDataType": "UINT4",
                "outputDataType": "UINT4", "parallel_window": 1,
            },
            ([PIXELS],),
            suffix="-parallel",
        ),
    ],
    "MaxPool_sf": [
        Example(
            "The maximum over windows that do not overlap. Of bits this is an OR, and of counts of thresholds it is "
            "exact too ([exactness.md](exactness.md#windows-and-pools)), so no float is ever pooled.",
            "A 4 x 4 map and its four 2 x 2 maxima. The maximum of a window comes one cycle after its last pixel.",
            {"IFMDim": [4, 4], "Channels": 1, "PoolDim": [2, 2], "PE": 1, "inputDataType": "UINT4"},
            ([[[1, 2, 0, 1], [3, 1, 9, 4], [2, 2, 7, 5], [2, 6, 1, 0]]],),
        )
    ],
    "Thresholding_sf": [
        Example(
            "Quantisers and normalisations on integers that no matrix-vector unit has compared already: sums of a "
            "residual stream, raw pixels, accumulators of many levels. It counts how many thresholds of its channel a "
            "number reaches, by binary search. Where the thresholds lie on a line, one multiplication gives the same "
            "codes (`sf_requantise`), and where they only round, an addition does (`sf_round`); the folding takes what "
            "is cheapest.",
            "Two channels, one in a word. Channel 0 has the thresholds 2, 5 and 9, channel 1 has 1, 1 and 12. Two "
            "levels of search take four cycles.",
            channels(2, 1, [1, 4], "UINT4", numSteps=3, weightDataType="INT32", outputDataType="UINT2", ActVal=0,
                     window=0, shared=0),
            ([[[1, 0], [2, 1], [7, 12], [9, 15]]],),
            ([[2, 5, 9], [1, 1, 12]],),
            other=("sf_round",),
        )
    ],
    "Requantise_sf": [
        Example(
            "A linear function of every number, rounded down and clipped: the quantiser of a branch of several bits, "
            "where one multiplication gives every reachable code.",
            "min(max((3 x + 4) >> 3, 0), 3) of six numbers, two in a word.",
            channels(2, 2, [1, 3], "UINT4", factorDataType="INT4", offsetDataType="INT4", outputDataType="UINT2",
                     shift=3, low=0, high=3, shared=1),
            ([[[0, 2], [4, 6], [9, 15]]],),
            ([3], [4]),
        )
    ],
    "Lookup_sf": [
        Example(
            "Any function of a narrow integer as a table: quantisers of pixels, codes that rise and fall (ABN, a PReLU "
            "with negative slope), signs that change more than twice.",
            "The table 3, 2, 1, 0, 0, 1, 2, 3 for numbers from 0 to 7: a function that falls and rises.",
            channels(1, 1, [1, 8], "UINT3", outputDataType="UINT2", lowest=0, shared=1),
            ([[[0], [1], [2], [3], [4], [5], [6], [7]]],),
            ([[3, 2, 1, 0, 0, 1, 2, 3]],),
        )
    ],
    "Add_sf": [
        Example(
            "The sum at the end of a residual block, and the moving threshold of SD-BNN. Scales whose ratio is a power "
            "of two become a shift; others have no common integer and are refused.",
            "in0 + 4 in1, two channels in a word.",
            channels(2, 2, [1, 4], "UINT3", inputDataType1="INT3", outputDataType="INT6", shift0=0, shift1=2),
            ([[[1, 2], [3, 4], [5, 6], [7, 0]]], [[[0, 1], [-1, 0], [2, -2], [3, -4]]]),
        )
    ],
    "Duplicate_sf": [
        Example(
            "A fork: the stream goes on along the branch and along the shortcut. Each output is taken at its own time.",
            "Both outputs have the word in the cycle in which it comes; nothing is stored.",
            channels(1, 1, [1, 6], "UINT4"),
            ([[[1], [2], [3], [4], [5], [6]]],),
        )
    ],
    "Concat_sf": [
        Example(
            "Two maps side by side: at every position the channels of one, then those of the other.",
            "Three positions; two channels of in0 and one of in1. While one input has its turn, the other waits.",
            channels(2, 1, [1, 3], "UINT4", NumChannels1=1, inputDataType1="UINT4", outputDataType="UINT4"),
            ([[[1, 2], [3, 4], [5, 6]]], [[[7], [8], [9]]]),
        )
    ],
    "PadChannels_sf": [
        Example(
            "More channels, all of them constant: the shortcuts of some residual networks have fewer channels than the "
            "branch beside them, and fill up with zeros.",
            "One channel becomes three: 0, the channel, 0.",
            channels(1, 1, [1, 4], "UINT4", before=1, after=1, value=0, outputDataType="UINT4"),
            ([[[5], [6], [7], [8]]],),
        )
    ],
    "AccPool_sf": [
        Example(
            "The sums of an average pool, of a whole map or window by window. The division is a scale, and belongs to "
            "the thresholds behind it.",
            "Two channels, one in a word, summed over the four positions of a map.",
            {"NumChannels": 2, "PE": 1, "numInputVectors": [1, 2, 2], "inputDataType": "UINT4", "outVectors": [1],
             "outputDataType": "UINT6"},
            ([[[1, 2], [3, 4], [5, 6], [7, 8]]],),
        )
    ],
    "Replicate_sf": [
        Example(
            "One vector for every position of a map: SD-BNN's levels, which are computed once an image and added at "
            "every pixel.",
            "A vector of two words for a map of 2 x 2 positions.",
            {"NumChannels": 2, "PE": 1, "outVectors": [1, 2, 2], "inputDataType": "UINT4"},
            ([[3, 5]],),
        )
    ],
    "LabelSelect_sf": [
        Example(
            "The number of the class with the largest result, for networks that end in an arg max.",
            "Two images of four classes. Of equal results the first one wins, as in PyTorch.",
            {"Labels": 4, "PE": 1, "K": 1, "inputDataType": "INT6", "outputDataType": "UINT8", "numInputVectors": [1]},
            ([[1, 9, 3, 9], [-5, -7, -2, -4]],),
        )
    ],
    "StreamingDataWidthConverter_sf": [
        Example(
            "Between operators whose words hold different numbers of elements. The folding counts what converters cost "
            "when it chooses the widths.",
            "Words of two elements become words of four; order is kept.",
            {"inShape": [1, 16], "outShape": [1, 16], "inWidth": 8, "outWidth": 16, "dataType": "UINT4"},
            ([list(range(16))],),
        )
    ],
    "Interleave_sf": [
        Example(
            "Several pixels side by side, so that a matrix-vector unit reads its weights once for all of them "
            "(`Pixels`), and back.",
            "Two vectors of two words each; afterwards every word has a part of both.",
            {"inShape": [1, 4, 4], "outShape": [1, 4, 4], "dataType": "UINT4", "join": 1, "pixels": 2, "words": 2,
             "lanes": 2},
            ([[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 0]]],),
        )
    ],
    "StreamingFIFO_sf": [
        Example(
            "A queue between two operators. Its depth is computed from the exact timing of both sides, so that no "
            "image is ever late for want of room; beside a branch it holds what the branch delays.",
            "Where the reader takes every word at once, each waits one cycle.",
            {"depth": 4, "folded_shape": [1, 6, 1], "normal_shape": [1, 6], "dataType": "UINT4"},
            ([[1, 2, 3, 4, 5, 6]],),
        )
    ],
}  # fmt: skip
"""Operator -> its examples, in the order of the page."""
