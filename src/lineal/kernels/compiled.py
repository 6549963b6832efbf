"""A kernel as object code: numba's, with an entry in front that takes numpy's arrays as they lie in memory.

The entry allocates nothing and calls nothing of Python's. Of each array it compares the type, dtype, number of
dimensions and flags with a table, so that what is not as the kernel was compiled for is refused before it is read.
"""

from collections.abc import Sequence
from typing import Any

import numba
from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.np.arrayobj import populate_array

from lineal.kernels import array_fields, scratch
from lineal.kernels.signature import Argument, Signature
from lineal.kernels.types import ArrayOf

_BYTES = ir.IntType(8).as_pointer()
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)

FAILED = -1
"""The status of a kernel that ended with an error of numba's; a positive one is the number of the argument refused."""


@global_compiler_lock
def object_code(dispatcher: Any, signature: Signature, entry: str) -> bytes:
    """Compile with numba; the object file defines `entry` alone and needs nothing but functions of the C library.

    Linked and written outside numba's own engine, which knows its runtime by the names that scratch.py defines.
    """
    arguments = tuple(numba_type(one) for one in signature.arguments)
    dispatcher.compile(arguments)
    compiled = dispatcher.overloads[arguments]
    module = compiled.target_context.create_module(entry)
    _write_entry(module, compiled, signature, entry)
    scratch.define(module)
    linked = llvm.parse_assembly(str(module))
    linked.link_in(llvm.parse_assembly(compiled.library.get_llvm_str()))
    for function in linked.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = "internal"
    machine = _machine()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(linked, passes)
    _require_self_contained(linked, entry)
    return bytes(machine.emit_object(linked))


def _machine() -> Any:
    """This processor, as numba has it for its own code."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


def _require_self_contained(module: Any, entry: str) -> None:
    called = {function.name for function in module.functions if function.is_declaration}
    if unknown := {name for name in called if not name.startswith("llvm.")} - scratch.OUTSIDE:
        raise TypeError(f"{entry} calls {', '.join(sorted(unknown))}, which machine code that is kept cannot")


def numba_type(argument: Argument) -> Any:
    if isinstance(argument, ArrayOf):
        return types.Array(numba.from_dtype(argument.dtype), argument.dimensions, "C")
    return getattr(types, argument)


def _write_entry(module: ir.Module, compiled: Any, signature: Signature, entry: str) -> None:
    context, numba_types = compiled.target_context, compiled.signature.args
    passed = [_passed_as(one) for one in signature.arguments]
    results = [] if signature.result is None else [_BYTES]
    function = ir.Function(module, ir.FunctionType(_INT32, [_BYTES, *passed, *results]), entry)
    table, *given = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    _refuse_others(builder, table, [(one, given[i], i + 1) for i, one in enumerate(signature.arguments)])
    values = [
        _array(context, builder, kind, value)
        if isinstance(kind, types.Array)
        else _number(builder, context, kind, value)
        for kind, value in zip(numba_types, given[: len(numba_types)], strict=True)
    ]
    callee = context.declare_function(module, compiled.fndesc)
    returns = compiled.signature.return_type
    status, result = context.call_conv.call_function(builder, callee, returns, numba_types, values)
    with cgutils.if_unlikely(builder, status.is_error):
        builder.ret(_INT32(FAILED))
    if signature.result is not None:
        wanted = getattr(types, signature.result)
        stored = context.get_value_as_data(builder, wanted, context.cast(builder, result, returns, wanted))
        builder.store(stored, builder.bitcast(given[-1], stored.type.as_pointer()))
    builder.ret(_INT32(0))


def _refuse_others(builder: ir.IRBuilder, table: Any, arguments: Sequence[tuple[Argument, Any, int]]) -> None:
    """Return the number of the first argument that is no such array."""
    entries = builder.bitcast(table, _INT64.as_pointer())
    array_type, row = builder.load(entries), 0
    for argument, value, number in arguments:
        if not isinstance(argument, ArrayOf):
            continue
        row += 1
        dtype = builder.load(builder.gep(entries, [_INT64(row)]))
        # the type comes first: of nothing else is it known how far it reaches
        is_array = builder.icmp_unsigned("==", _field(builder, value, array_fields.TYPE, _INT64), array_type)
        with cgutils.if_unlikely(builder, builder.not_(is_array)):
            builder.ret(_INT32(number))
        flags = builder.and_(_field(builder, value, array_fields.FLAGS, _INT32), _INT32(array_fields.NEEDED))
        fits = builder.and_(
            builder.icmp_unsigned("==", flags, _INT32(array_fields.NEEDED)),
            builder.and_(
                builder.icmp_unsigned("==", _field(builder, value, array_fields.DTYPE, _INT64), dtype),
                builder.icmp_signed(
                    "==", _field(builder, value, array_fields.DIMENSIONS, _INT32), _INT32(argument.dimensions)
                ),
            ),
        )
        with cgutils.if_unlikely(builder, builder.not_(fits)):
            builder.ret(_INT32(number))


def _field(builder: ir.IRBuilder, value: Any, offset: int, kind: ir.Type) -> Any:
    return builder.load(builder.bitcast(builder.gep(value, [_INT64(offset)]), kind.as_pointer()))


def _array(context: Any, builder: ir.IRBuilder, kind: Any, value: Any) -> Any:
    """numba's own form of an array, whose memory is the caller's."""
    lengths = _field(builder, value, array_fields.SHAPE, _INT64.as_pointer())
    shape = [builder.load(builder.gep(lengths, [_INT64(axis)])) for axis in range(kind.ndim)]
    item = _INT64(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    strides: list[Any] = [item]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    array = context.make_array(kind)(context, builder)
    populate_array(
        array,
        data=builder.bitcast(_field(builder, value, array_fields.DATA, _BYTES), array.data.type),
        shape=cgutils.pack_array(builder, shape),
        strides=cgutils.pack_array(builder, strides),
        itemsize=item,
        meminfo=None,
    )
    return array._getvalue()  # noqa: SLF001 - how numba hands on what it has built


def _passed_as(argument: Argument) -> ir.Type:
    if isinstance(argument, ArrayOf):
        return _BYTES
    return {"float64": ir.DoubleType(), "float32": ir.FloatType()}.get(argument, _INT64)


def _number(builder: ir.IRBuilder, context: Any, kind: Any, value: Any) -> Any:
    """Whole numbers come as 64 bits."""
    if kind == types.boolean:
        return builder.icmp_unsigned("!=", value, _INT64(0))
    wanted = context.get_value_type(kind)
    return builder.trunc(value, wanted) if wanted == _INT32 else value
