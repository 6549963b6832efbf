"""Scratch arrays inside kernels, on the C library's malloc and free instead of numba's runtime.

numba takes memory with NRT_MemInfo_alloc_aligned, which hands out a header (numba/core/runtime/nrt.h) with one
reference, and returns it with NRT_MemInfo_call_dtor after the last. Memory never leaves a kernel, so nothing else of
that runtime is needed. Both are inlined wherever they are called: no name of theirs remains for another to meet.
"""

from llvmlite import ir

_BYTES = ir.IntType(8).as_pointer()
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_HEADER = ir.LiteralStructType([_INT64, _BYTES, _BYTES, _BYTES, _INT64])
"""References, destructor, what it is told, the memory, how much there is."""
_HEADER_BYTES = 40

OUTSIDE = {"malloc", "free", "memset", "memcpy", "memmove", "sqrt", "sqrtf"}
"""All that the object code of a kernel may call: the C library's, found in the process. Square roots are rounded
correctly wherever they are, and an instruction where the processor has one."""


def define(module: ir.Module) -> None:
    """Write both functions into a kernel's module."""
    _define_allocation(module)
    _define_release(module)


def _define_allocation(module: ir.Module) -> None:
    function = _inlined(module, ir.FunctionType(_BYTES, [_INT64, _INT32]), "NRT_MemInfo_alloc_aligned")
    builder = ir.IRBuilder(function.append_basic_block())
    size, alignment = function.args[0], builder.zext(function.args[1], _INT64)
    malloc = ir.Function(module, ir.FunctionType(_BYTES, [_INT64]), "malloc")
    taken = builder.call(malloc, [builder.add(builder.add(size, alignment), _INT64(_HEADER_BYTES))])
    with builder.if_then(builder.icmp_unsigned("==", taken, _BYTES(None)), likely=False):
        builder.ret(_BYTES(None))
    behind = builder.add(builder.ptrtoint(taken, _INT64), builder.add(alignment, _INT64(_HEADER_BYTES - 1)))
    memory = builder.inttoptr(builder.and_(behind, builder.neg(alignment)), _BYTES)
    header = builder.bitcast(taken, _HEADER.as_pointer())
    for field, value in enumerate((_INT64(1), _BYTES(None), _BYTES(None), memory, size)):
        builder.store(value, builder.gep(header, [_INT32(0), _INT32(field)]))
    builder.ret(taken)


def _define_release(module: ir.Module) -> None:
    function = _inlined(module, ir.FunctionType(ir.VoidType(), [_BYTES]), "NRT_MemInfo_call_dtor")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.call(ir.Function(module, ir.FunctionType(ir.VoidType(), [_BYTES]), "free"), [function.args[0]])
    builder.ret_void()


def _inlined(module: ir.Module, kind: ir.FunctionType, name: str) -> ir.Function:
    function = ir.Function(module, kind, name)
    function.attributes.add("alwaysinline")
    return function
