"""What the bits of a float depend on beside the program: processor, C library, compilers."""

from __future__ import annotations

import platform
from functools import cache

import llvmlite.binding
import numba
import numpy as np


@cache
def machine() -> str:
    """Return one line that two machines share when they compute the same bits."""
    libc = " ".join(platform.libc_ver())
    cpu = f"{platform.machine()} {llvmlite.binding.get_host_cpu_name()}"
    return f"{platform.system()}, {cpu}, {libc}, numpy {np.__version__}, numba {numba.__version__}"
