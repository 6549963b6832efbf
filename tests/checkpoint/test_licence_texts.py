"""Licences stated beside weights: in the card, in texts, in a GGUF's metadata."""

import sysconfig
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.licence.stated import StatedLicence
from lineal.checkpoint.licence.texts import recognised, stated_licence
from lineal.checkpoint.reader import open_checkpoint
from tests.builders import make_checkpoint, random_tensors

MIT = """MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
"""
APACHE = "                    Apache License\n              Version 2.0, January 2004\n"


def stated(folder: Path, **files: str) -> StatedLicence | None:
    make_checkpoint(folder, random_tensors(1, {"model.norm.weight": (4,)}, np.float32))
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return stated_licence(open_checkpoint(folder))


@pytest.mark.parametrize(
    ("front", "licence"),
    [
        ("license: apache-2.0", "apache-2.0"),
        ("license: other\nlicense_name: llama3.1", "llama3.1"),
        ("license: [mit, cc-by-4.0]", "mit AND cc-by-4.0"),
        ("license: other", None),
        ("license: 3", None),
        ("license: {a: b}", None),
        ("licence: mit", None),
        ("license: [", None),
        ("- mit", None),
    ],
)
def test_a_card_states_its_licence_in_the_front_matter(tmp_path: Path, front: str, licence: str | None) -> None:
    expected = None if licence is None else StatedLicence(licence, "its card")
    assert stated(tmp_path / "m", README_md=f"---\n{front}\n---\n\n# license: gpl-3.0\n") == expected


def test_texts_are_recognised_by_their_sentences_and_both_are_said_where_they_differ(tmp_path: Path) -> None:
    assert stated(tmp_path / "none") is None
    assert stated(tmp_path / "odd", LICENSE="All rights reserved.") is None
    assert stated(tmp_path / "text", LICENSE_md=MIT) == StatedLicence("mit", "LICENSE.md")
    both = stated(tmp_path / "both", LICENSE=APACHE, README_md="---\nlicense: llama3.1\n---\n")
    assert both == StatedLicence("llama3.1 AND apache-2.0", "its card and LICENSE")


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (MIT, "mit"),
        (APACHE, "apache-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007", "gpl-3.0"),
        ("GNU GENERAL PUBLIC LICENSE\n  Version 2, June 1991", "gpl-2.0"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007", "agpl-3.0"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007", "lgpl-3.0"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999", "lgpl-2.1"),
        ("Creative Commons Attribution-ShareAlike 4.0 International Public\nLicense", "cc-by-sa-4.0"),
        ("Creative Commons Attribution 4.0 International Public License", "cc-by-4.0"),
        ("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT", "llama3.1"),
        ("META LLAMA 3 COMMUNITY LICENSE AGREEMENT", "llama3"),
        ("This is free and unencumbered software released into the public domain.", "unlicense"),
    ],
)
def test_each_text_is_one_licence(text: str, licence: str) -> None:
    assert recognised(text) == (licence,)


def test_licences_of_installed_packages_are_what_their_metadata_says() -> None:
    """Texts as they really are: those of packages that state an SPDX expression of one identifier."""
    from importlib.metadata import distributions

    checked: set[str] = set()
    for package in distributions(path=[sysconfig.get_path("purelib")]):
        expression = str(package.metadata.get("License-Expression", "")).lower()
        texts = [file for file in package.files or () if file.name.upper() in ("LICENSE", "LICENSE.TXT", "LICENSE.MD")]
        if expression in ("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "isc") and len(texts) == 1:
            assert recognised(texts[0].read_text()) == (expression,), package.name
            checked.add(expression)
    assert {"mit", "apache-2.0", "bsd-3-clause"} <= checked


def test_a_gguf_states_it_in_its_metadata(tmp_path: Path) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_license("cc-by-nc-4.0")
    writer.add_tensor("output_norm.weight", np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert stated_licence(open_checkpoint(tmp_path / "x.gguf")) == StatedLicence("cc-by-nc-4.0", "general.license")
