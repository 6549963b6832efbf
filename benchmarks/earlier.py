"""An earlier lineal to compare with, and the machine that both run on."""

import io
import platform
import subprocess
import tarfile
from pathlib import Path

_ROOT = Path(__file__).parent.parent


def source_of(commit: str, work: Path) -> Path:
    """The folder for PYTHONPATH that holds lineal as it was at a commit."""
    archive = subprocess.run(["git", "archive", commit, "src"], cwd=_ROOT, check=True, stdout=subprocess.PIPE)
    place = work / commit
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
        packed.extractall(place, filter="data")
    return place / "src"


def processor() -> str:
    """How many processors there are, and of which kind."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    widest = next((told for flag, told in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")
    return f"{len(found)} processors, {found[0]} {widest}".strip() if found else platform.processor()
