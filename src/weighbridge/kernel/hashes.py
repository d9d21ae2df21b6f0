"""The hashes of a column of texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from weighbridge.identity import hash64
from weighbridge.kernel.arrays import MISSING, Ints


def hashes(texts: pa.Array) -> Ints:
    """Return `hash64` of every text, int64[n], MISSING where there is none; each different one is hashed once.

    >>> hashes(pa.array(["a", None, "a"])).tolist() == [hash64("a"), MISSING, hash64("a")]
    True
    """
    encoded = texts.dictionary_encode()
    told = [hash64(text) for text in encoded.dictionary.to_pylist()]
    places = encoded.indices.fill_null(len(told)).to_numpy(zero_copy_only=False)
    told.append(MISSING)
    return np.array(told, dtype=np.int64)[places]
