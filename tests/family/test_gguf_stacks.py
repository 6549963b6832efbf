"""GGUFs whose experts stand in one tensor, as parents in a family."""

import os
from pathlib import Path

import pytest

from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import Session
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.evidence import Evidence
from tests.engines.architectures import make_architecture
from tests.engines.quantizations import quantize
from tests.family.conftest import write_family
from tests.family.test_verify_against_ggufs import importances_of_experts
from tests.lineage.test_reports import kept

FAMILY = """
family: small
models:
  m: {original: {path: ./m}}
  q.gguf: {quantize: {parent: m, scheme: f16}}
  whole: {merge: {parents: [q.gguf], method: passthrough}}
  small.gguf: {quantize: {parent: q.gguf, scheme: q8_0}}
"""


@pytest.mark.parametrize("child", ["whole", "small.gguf"])
def test_a_parent_whose_experts_changed_cannot_vouch(session: Session, tmp_path: Path, child: str) -> None:
    """Of which the record has no hash each; and the file is as old as it was."""
    _ = make_architecture(tmp_path / "m", "mixtral")
    local = run_family(session, read_family(write_family(tmp_path, FAMILY)), tmp_path / "models")
    built = dict(local)
    (verdict,) = verify_references(session, [child])
    assert (verdict.ok, verdict.recomputed) == (True, verdict.tensors)
    spec = built["q.gguf"].checkpoint["blk.1.ffn_down_exps.weight"]
    before, content = spec.path.stat(), bytearray(spec.path.read_bytes())
    content[spec.offset + spec.byte_length // 2] ^= 1
    with spec.path.open("r+b") as file:
        _ = file.write(content)
    os.utime(spec.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (verdict,) = verify_references(session, [child])
    assert verdict.ok
    assert "'blk.1.ffn_down_exps.weight' has changed" in verdict.why_not
    (step,) = session.registry.steps_of(built[child].model_hash)
    assert step.evidence is not Evidence.CONTRADICTED


FITTED = """
family: fitted
models:
  m: {original: {path: ./m}}
  q.gguf: {quantize: {parent: m, scheme: f32}}
  once.gguf: {quantize: {parent: m, %s, bits_per_weight: 6, imatrix: ./imatrix.gguf}}
  twice.gguf: {quantize: {parent: q.gguf, %s, bits_per_weight: 6, imatrix: ./imatrix.gguf}}
"""


@pytest.mark.parametrize("scheme", ["embedding_type: q8_0", "scheme: q8_0", "scheme: q4_0"])
def test_a_size_and_importances_of_experts_go_together(session: Session, tmp_path: Path, scheme: str) -> None:
    """Wherever the experts are from, and whether or not importances count for the types that are begun with."""
    unweighed = quantize(make_architecture(tmp_path / "m", "mixtral"), tmp_path / "f32")
    _ = importances_of_experts(tmp_path / "imatrix.gguf", unweighed)
    wanted = read_family(write_family(tmp_path, FITTED % (scheme, scheme)))
    built = dict(run_family(session, wanted, tmp_path / "models"))
    assert built["once.gguf"].path.read_bytes() == built["twice.gguf"].path.read_bytes()
    kinds = {spec.dtype for name, spec in built["twice.gguf"].checkpoint.items() if "_exps" in name}
    assert kinds - {"Q8_0", "F16"}
    for verdict in verify_references(session, ["once.gguf", "twice.gguf"]):
        assert (verdict.ok, verdict.recomputed) == (True, verdict.tensors)
        report = kept(session.registry, verdict.model_hash)
        assert report is not None
        assert {name for name, _ in report.tensors} == built["once.gguf"].checkpoint.keys()
