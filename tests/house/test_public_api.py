"""The names that `import humanalign` promises."""

from __future__ import annotations

import subprocess
import sys

import pytest

import humanalign


@pytest.mark.parametrize("name", humanalign.__all__)
def test_every_promised_name_is_there_and_documented(name):
    assert (getattr(humanalign, name).__doc__ or "").strip()


def test_the_public_names_are_few():
    assert 20 <= len(humanalign.__all__) <= 32
    assert len(set(humanalign.__all__)) == len(humanalign.__all__)


def test_a_name_that_is_not_promised_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'alling'"):
        _ = humanalign.alling


@pytest.mark.parametrize("name", ["collect", "align", "evaluate"])
def test_a_verb_stays_callable_after_its_room_was_imported(name):
    code = f"import humanalign as ha, humanalign.{name}\nassert callable(ha.{name})\n"
    code += f"ha.load_prompts; ha.{name}; assert callable(ha.{name})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_importing_the_package_costs_no_torch():
    code = (
        "import humanalign, sys; dir(humanalign);"
        "heavy = {'torch', 'transformers', 'pydantic', 'sqlalchemy', 'numpy'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
