"""Memory that was freed goes back to the system between blocks."""

import ctypes


def give_back() -> None:
    """Of the freed memory of a block, glibc would keep some in pieces that the next block's arrays do not fit into."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        _ = trim(0)
