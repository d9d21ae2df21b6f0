"""Asks the processor for memory before it is written; nothing that is computed changes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from weighbridge.kernel.arrays import Vectors

_FOR_WRITING, _KEEP, _DATA = 1, 3, 1  # the arguments of LLVM's llvm.prefetch


def prefetch(array: Vectors, row: int, column: int) -> None:
    """Ask for the line of memory that holds an element of a two-dimensional array, to write it soon."""


@intrinsic
def _prefetch(_: Any, array: Any, row: Any, column: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        found = context.make_array(kind)(context, builder, arguments[0])
        address = cgutils.get_item_pointer(context, builder, kind, found, arguments[1:])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, number, number, number]), "llvm.prefetch.p0"
        )
        hints = [ir.Constant(number, hint) for hint in (_FOR_WRITING, _KEEP, _DATA)]
        builder.call(function, [builder.bitcast(address, byte), *hints])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate


@overload(prefetch)
def _compiled(array: Any, row: Any, column: Any) -> Any:
    def call(array: Any, row: Any, column: Any) -> Any:
        return _prefetch(array, row, column)

    return call
