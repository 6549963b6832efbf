"""Loops as machine code: what a kernel's types are, how numba compiles it, and where what it made is kept.

`kernel.py` is what everything else uses: a decorator. numba is imported where something is to be compiled, and only
there; machine code that was made before is linked by llvmlite and called through ctypes.
"""
