"""A kernel takes what it is annotated with and nothing else, and computes what numba's own call of it does."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

import lineal
from lineal.kernels import array_fields
from lineal.kernels.kernel import Kernel, kernel
from lineal.kernels.types import ArrayOf, Float32Rows, Float32s, Uint32s

FACTOR = 3
PAIR = np.dtype([("low", np.uint32), ("high", np.int64)], align=True)


@kernel
def square(x: Any) -> Any:
    return x * x


@kernel
def scale(values: Float32s, factor: np.float32, out: Float32s) -> None:
    room = np.empty(values.size, np.float32)
    for i in range(values.size):
        room[i] = square(values[i])
    for i in range(values.size):
        out[i] = room[i] * factor


@kernel
def total(rows: Float32Rows, first: int, squared: bool, offset: float) -> float:
    found = offset
    for r in range(first, rows.shape[0]):
        for value in rows[r]:
            found += np.float64(value) * (np.float64(value) if squared else 1.0)
    return found * FACTOR


@kernel
def largest(bits: Uint32s, start: np.uint32, most: np.uint64) -> np.uint32:
    found = start
    for i in range(bits.size):
        found = max(found, bits[i])
    return np.uint32(min(np.uint64(found), most))


@kernel
def fill(pairs: Annotated[Any, ArrayOf(PAIR)]) -> None:
    for i in range(pairs.size):
        pairs[i].low = i
        pairs[i].high = -i


def floats(count: int) -> Any:
    return np.linspace(-2, 3, count, dtype=np.float32)


def test_arrays_numbers_and_results_arrive() -> None:
    values, out = floats(1000), np.empty(1000, np.float32)
    scale(values, np.float32(0.1), out)
    np.testing.assert_array_equal(out, values * values * np.float32(0.1))
    rows = values.reshape(10, 100)
    wide = rows[2:].astype(np.float64)
    assert total(rows, 2, True, 0.5) == pytest.approx(3 * (0.5 + (wide**2).sum()))
    assert total(rows, np.int64(2), False, 1) == pytest.approx(3 * (1 + wide.sum()))
    bits = np.array([7, 0xFFFFFFFE, 3], np.uint32)
    assert largest(bits, np.uint32(5), 2**40) == 0xFFFFFFFE  # pyright: ignore[reportArgumentType]
    assert largest(bits[2:], np.uint32(0xFFFFFFFF), np.uint64(2**64 - 1)) == 0xFFFFFFFF
    pairs = np.zeros(4, PAIR)
    fill(pairs)
    assert pairs["high"].tolist() == [0, -1, -2, -3]


def test_nothing_is_read_of_an_array_without_elements() -> None:
    scale(floats(0), np.float32(1), floats(0))
    assert total(floats(0).reshape(0, 5), 0, True, 2.0) == 6


@pytest.mark.parametrize(
    "wrong",
    [
        *[None, 3, [1.0], b"bytes", "text", object(), np.float32],
        *[np.zeros(4), np.zeros(4, np.uint32), np.zeros(4, ">f4"), np.zeros((2, 2), np.float32), np.float32(1)],
        *[np.zeros(8, np.float32)[::2], np.frombuffer(bytes(16), np.float32)],
        np.frombuffer(bytearray(17), np.uint8)[1:].view(np.float32),
    ],
)
def test_what_is_no_such_array_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"scale: argument 1 must be a writable array"):
        scale(wrong, np.float32(1), floats(4))
    with pytest.raises(TypeError, match=r"scale: argument 3 must be a writable array"):
        scale(floats(4), np.float32(1), wrong)


@pytest.mark.parametrize("wrong", ["1", None, [1]])
def test_what_is_no_number_is_refused(wrong: Any) -> None:
    with pytest.raises(Exception, match=r"TypeError|wrong type|argument 3"):
        scale(floats(4), wrong, floats(4))
    with pytest.raises(Exception, match=r"TypeError|wrong type|argument 3"):
        total(floats(4).reshape(2, 2), wrong, True, 1.0)


def test_a_whole_number_has_no_fraction() -> None:
    with pytest.raises(Exception, match="float"):
        total(floats(4).reshape(2, 2), 1.5, True, 1.0)  # pyright: ignore[reportArgumentType]


def test_too_few_and_too_many_arguments_are_refused() -> None:
    rows, one, several, wrong = floats(4).reshape(2, 2), np.float32(1), floats(4), "takes . arguments, not"
    with pytest.raises(TypeError, match=wrong):
        scale(several, one)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=wrong):
        fill(np.zeros(4, PAIR), 1)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=wrong):
        total(rows, 0, True)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=wrong):
        total(rows, 0, True, 1.0, 2)  # pyright: ignore[reportCallIssue]


def test_arrays_that_only_look_different_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "values"
    path.write_bytes(floats(6).tobytes())
    mapped = np.memmap(path, np.float32, "r+")
    renamed = floats(6).view(np.dtype(np.float32, metadata={"unit": "none"}))
    for values in (mapped, renamed):
        out = np.empty(6, np.float32)
        scale(values, np.float32(2), out)
        np.testing.assert_array_equal(out, floats(6) ** 2 * 2)


def test_a_kernel_for_kernels_is_not_called_from_outside() -> None:
    with pytest.raises(TypeError, match="is there for other kernels"):
        square(2.0)


def test_a_kernel_that_writes_nowhere_keeps_its_bytes_from_threads() -> None:
    made = Kernel(scale.function)  # type: ignore[attr-defined]
    outs = [np.empty(5000, np.float32) for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda out: made(floats(5000), np.float32(3), out), outs))
    assert {out.tobytes() for out in outs} == {(floats(5000) ** 2 * np.float32(3)).tobytes()}


def test_an_array_in_another_layout_of_numpy_goes_through_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_fields, "is_known", lambda: False)
    made, out = Kernel(scale.function), np.empty(9, np.float32)  # type: ignore[attr-defined]
    made(floats(9), np.float32(3), out)
    np.testing.assert_array_equal(out, floats(9) ** 2 * np.float32(3))
    assert made.dispatcher.signatures


def test_a_kernel_runs_as_python_where_numba_is_told_to_leave_it(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np\n"
        "from lineal.methods.merge.linear import Linear\n"
        "print(Linear()([np.arange(3.0), np.ones(3)]).tolist())\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == "[0.5, 1.0, 1.5]\n"
    assert not list(tmp_path.iterdir())


def test_this_numpy_keeps_arrays_as_is_thought() -> None:
    assert array_fields.is_known()


def test_a_constant_or_a_called_kernel_that_changes_changes_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest() -> bytes:
        return Kernel(total.function).digest + Kernel(scale.function).digest  # type: ignore[attr-defined]

    before = digest()
    assert digest() == before
    monkeypatch.setitem(globals(), "FACTOR", 4)
    constant = digest()
    monkeypatch.setitem(globals(), "square", Kernel(lambda x: x * x * 1))
    assert before[:32] != constant[:32]
    assert before[32:] == constant[32:] != digest()[32:]


def test_a_kernel_uses_nothing_that_could_change_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "FACTOR", [1, 2])
    with pytest.raises(TypeError, match="cannot use FACTOR"):
        _ = Kernel(total.function).digest  # type: ignore[attr-defined]


def test_a_second_process_does_not_import_numba(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np\n"
        "from lineal.randomness import uniforms\n"
        "print(uniforms(1, 'w', 0, 0, 3).tolist(), 'numba' in sys.modules)\n"
    )
    source = str(Path(lineal.__file__).parents[1])
    environment = {"PATH": "", "PYTHONPATH": source, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", script]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout for _ in range(2)
    )
    assert first.replace("True", "False") == second
    assert first.strip().endswith("True")
