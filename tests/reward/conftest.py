"""Directories of tiny models, made once for the folder."""

from pathlib import Path

import pytest
import tiny_models


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.save_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def calm_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One layer with small weights: its output is nearly a sum over words, so it learns fast."""
    path = tmp_path_factory.mktemp("calm")
    return tiny_models.save_encoder(path, initializer_range=0.02, num_hidden_layers=1)


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.save_t5(tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="session")
def causal(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_models.save_causal(tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="session")
def hate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A classifier whose "nothate" is not at index 0, so that a lucky index is found out."""
    labels = ["spam", "hate", "nothate"]
    return tiny_models.save_classifier(tmp_path_factory.mktemp("hate"), labels)


@pytest.fixture
def reward_file(tmp_path: Path) -> Path:
    """A file with reward functions, right ones and wrong ones."""
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy\n"
        "def by_length(prompts, completions):\n"
        "    return [float(len(c)) for c in completions]\n"
        "def as_array(prompts, completions):\n"
        "    return numpy.array([len(p) for p in prompts])\n"
        "def short(prompts, completions):\n"
        "    return [0.0]\n"
        "def broken(prompts, completions):\n"
        "    return [float('nan') for _ in completions]\n"
        "def one_number(prompts, completions):\n"
        "    return 1.0\n"
    )
    return path
