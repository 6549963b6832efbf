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
from tests.family.conftest import write_family

FAMILY = """
family: small
models:
  m: {original: {path: ./m}}
  q.gguf: {quantize: {parent: m, scheme: f16}}
  whole: {merge: {parents: [q.gguf], method: passthrough}}
  small.gguf: {quantize: {parent: q.gguf, scheme: q8_0}}
"""


@pytest.mark.parametrize("child", ["whole", "small.gguf"])
def test_a_parent_whose_experts_changed_cannot_vouch_for_its_child(
    session: Session, tmp_path: Path, child: str
) -> None:
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
