"""Array types used in all packages."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""An array of float64."""

AnyFloats = NDArray[np.floating]
"""An array of float16, float32 or float64."""

Integers = NDArray[np.int64]
"""An array of int64."""

AnyIntegers = NDArray[np.integer]
"""An array of integers of any width."""

RgbImage = NDArray[np.uint8]
"""(height, width, 3) pixels."""
