"""What quantizing costs a real model: perplexity and KL against its parent, beside llama.cpp's own quants of it.

Usage: quality.py MODEL TEXT, both on this disk; `make real` leaves such a model in build/real. Prints a table.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_LINEAL = Path(sys.executable).with_name("lineal")
_LLAMA_CPP = _ROOT / "build" / "peers" / "bin" / "python"
_FILE_TYPES = {"q8_0": 7, "q6_k": 18, "q5_k_m": 17, "q4_k_m": 15, "q4_0": 2, "q3_k_m": 12, "q2_k": 10}
_HEAD = "| scheme | bits a weight | perplexity | KL | llama.cpp's: perplexity | KL | equal tensors |"


def lineal(work: Path, *words: str, may_fail: bool = False) -> str:
    command = [f"{_LINEAL}", *words, "--registry", f"{work / 'registry.db'}"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode and not may_fail:
        raise SystemExit(f"{' '.join(command)} failed")
    return done.stdout


def theirs(work: Path, source: Path, scheme: str) -> Path:
    target = work / f"llama-cpp-{scheme}.gguf"
    asked = {"source": f"{source}", "target": f"{target}", "file_type": _FILE_TYPES[scheme], "threads": 2}
    script = _ROOT / "tests" / "peers" / "quantize_in_llama_cpp.py"
    subprocess.run([_LLAMA_CPP, script], input=json.dumps(asked), text=True, check=True)
    return target


def row(work: Path, model: str, f16: Path, text: str, scheme: str) -> str:
    ours, other = work / f"{scheme}.gguf", theirs(work, f16, scheme)
    lineal(work, "quantize", model, "--scheme", scheme, "--out", f"{ours}")
    lineal(work, "add", model, f"{other}")
    against = json.loads(lineal(work, "verify", f"{other}", "--against", model, "--json", may_fail=True))
    equal = sum(tensor["equal"] == tensor["blocks"] for tensor in against["tensors"])
    found = json.loads(lineal(work, "eval", f"{ours}", f"{other}", "--data", text, "--json"))
    cells = " | ".join(f"{one['perplexity']:.3f} | {one['kl']:.5f}" for one in found)
    shown = json.loads(lineal(work, "show", f"{ours}", "--json"))
    bits = 8 * shown["bytes"] / shown["parameters"]
    return f"| {scheme} | {bits:.2f} | {cells} | {equal} of {len(against['tensors'])} |"


def main(model: str, text: str) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as at:
        work = Path(at)
        f16 = work / "f16.gguf"
        lineal(work, "quantize", model, "--scheme", "f16", "--out", f"{f16}")
        print(_HEAD, "|---|---|---|---|---|---|---|", sep="\n")
        for scheme in _FILE_TYPES:
            print(row(work, model, f16, text, scheme), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
