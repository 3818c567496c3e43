"""What a network's input allows: by its definition, for every pixel type."""

import itertools

import numpy as np
import pytest

from signflow.deploy.compile.images import KINDS, ImageInput

TYPES = ("int8", "uint8", "int16", "uint16", "int64")


def test_pixels_are_in_range_or_refused():
    """Each number around the ends, alone in an image: in the range it comes through, else it is named."""
    for kind, datatype in itertools.product(KINDS, TYPES):
        limits, image = np.iinfo(datatype), ImageInput(kind, (2, 3))
        for number in (-129, -128, -2, -1, 0, 1, 2, 127, 128, 255, 256):
            if not limits.min <= number <= limits.max:
                continue
            images = np.ones((2, 2, 3), datatype)
            images[1, 0, 2] = number
            if number in KINDS[kind].pixels:
                assert image.check(images) is images
            else:
                with pytest.raises(ValueError, match=rf"pixel \(1, 0, 2\) is {number}, .* \({kind}\) allows"):
                    image.check(images)
