"""A generator of windows with a border and an MVAU behind it are PyTorch's padded convolution."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

CASES = {
    "zeros": ((6, 5), 4, 3, 4, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 0, 0),
    "zeros, larger words": ((5, 7), 8, 4, 24, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1), 0, 0),
    "zeros, parts of a pixel": ((4, 5), 8, 4, 2, (3, 2), (1, 2), (2, 1), (2, 0, 1, 1), 0, 0),
    "zeros, whole windows": ((6, 6), 6, 5, 54, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 0, 1),
    "minus ones": ((5, 5), 3, 4, 3, (2, 3), (1, 1), (1, 2), (0, 1, 1, 2), -1, 0),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("tree", [0, 1])
def test_it_is_the_padded_convolution(bench, name, tree):
    size, channels, outputs, simd, kernel, stride, dilation, pads, value, parallel = CASES[name]
    top, left, bottom, right = pads
    rng = np.random.default_rng(len(name))
    maps = rng.choice([-1, 1], (3, channels, *size))
    weights = rng.choice([-1, 1], (outputs, channels, *kernel))
    padded = F.pad(torch.tensor(maps, dtype=torch.float64), (left, right, top, bottom), value=value)
    sums = F.conv2d(padded, torch.tensor(weights, dtype=torch.float64), stride=stride, dilation=dilation).numpy()

    group = 0 if value else channels
    generator = bench("ConvolutionInputGenerator_sf", {
        "ConvKernelDim": kernel, "IFMChannels": channels, "IFMDim": size, "OFMDim": sums.shape[2:],
        "SIMD": channels if parallel else min(simd, channels), "Stride": stride, "Dilation": dilation,
        "Pads": pads, "inputDataType": "BIPOLAR", "outputDataType": "BIPOLAR", "parallel_window": parallel,
    } | ({"padGroup": group} if group else {"Border": [value]}))  # fmt: skip
    windows, _ = generator.compile().stream(maps.transpose(0, 2, 3, 1)[:, None])
    bits = np.where(windows == 2, 0.5, windows) * 2 - 1

    inputs = channels * kernel[0] * kernel[1]
    attributes = {
        "MW": inputs, "MH": outputs, "SIMD": simd, "PE": 1, "inputDataType": "BIPOLAR", "weightDataType": "BIPOLAR",
        "outputDataType": "UINT8", "noActivation": 1, "binaryXnorMode": 0, "padGroup": group, "ActVal": 0,
        "numInputVectors": [1, *sums.shape[2:]],
    }  # fmt: skip
    product = bench("MVAU_sf", attributes, weights.transpose(2, 3, 1, 0).reshape(inputs, outputs))
    counts, _ = product.compile(TREE=tree).stream(bits)
    np.testing.assert_array_equal(2 * counts[:, 0] - inputs, sums.transpose(0, 2, 3, 1))
