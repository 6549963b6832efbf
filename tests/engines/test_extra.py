"""The optional installation."""

import gc
import os
import subprocess
import sys

import pytest

from lineal.engines import extra
from lineal.engines.extra import require_training
from lineal.errors import MissingExtra


def test_what_is_missing_is_named_with_the_line_that_installs_it(monkeypatch):
    require_training("fine-tuning")
    monkeypatch.setattr(extra, "find_spec", lambda package: None if package == "torch" else object())
    with pytest.raises(MissingExtra, match=r"fine-tuning needs the extra 'train': pip install 'lineal\[train\]'"):
        require_training("fine-tuning")


def test_threads_of_a_training_sleep_while_they_wait_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    require_training("fine-tuning")
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    require_training("fine-tuning")
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_methods_documents_and_courses_need_no_torch():
    modules = "lineal.methods.finetune, lineal.engines.text.packing, lineal.engines.extra"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_garbage_is_collected_again_where_torch_works() -> None:
    gc.disable()
    try:
        require_training("fine-tuning")
        assert gc.isenabled()
    finally:
        gc.enable()
