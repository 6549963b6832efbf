"""Object code linked into this process by llvmlite, and what the processor is that it was made for."""

from functools import cache
from typing import Any

from llvmlite import binding as llvm

_linked: set[str] = set()


def address(code: bytes, entry: str) -> int:
    """Link an object file; the address of `entry`. The memory stays for the rest of the process.

    One entry is linked once: LLVM ends the process where two are called the same.
    """
    engine = _engine()
    if entry not in _linked:
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        _linked.add(entry)
    found = engine.get_function_address(entry)
    if not found:
        raise RuntimeError(f"the object code of {entry} does not define it")
    return int(found)


@cache
def processor() -> str:
    """This processor's name and features, as LLVM knows them."""
    return f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


@cache
def _engine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
