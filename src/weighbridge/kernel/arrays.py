"""The array types that the kernels read and write, and the value that stands for none."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Vectors = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]  # named arrays, as a bundle stores them

MISSING = np.iinfo(np.int64).min  # the stored value of an optional field that is absent
