"""The course's lab as shipped: that very file, with random stand-ins of the same architectures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from tokenizers import ByteLevelBPETokenizer, Tokenizer, trainers
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from humanalign.cli import run
from humanalign.config import load
from humanalign.run import flatten
from humanalign.settings import AlignConfig
from humanalign.verbs.table import VERBS, settings_of

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
LAB = CONFIGS / "flan-t5-dialogsum.yaml"


@pytest.fixture(scope="module")
def texts(shared) -> list[str]:
    lines = (shared / "data/dialogsum/dialogsum.dev.jsonl").read_text().splitlines()[:120]
    return [json.loads(line)["dialogue"] for line in lines]


@pytest.fixture(scope="module")
def flan(texts, tmp_path_factory) -> Path:
    """A T5 with a Unigram tokenizer trained on the dialogues, as SentencePiece would."""
    folder = tmp_path_factory.mktemp("flan")
    words = Tokenizer(Unigram())
    words.pre_tokenizer = Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=600, special_tokens=special, unk_token="<unk>")
    words.train_from_iterator(texts, trainer)
    words.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=512, **names).save_pretrained(
        folder
    )
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
    config = T5Config(
        vocab_size=words.get_vocab_size() + 28,  # FLAN's table is wider than its tokenizer too
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        **sizes,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def roberta(texts, tmp_path_factory) -> Path:
    """A RoBERTa classifier with the labels of the lab's hate-speech model, in its order."""
    folder = tmp_path_factory.mktemp("roberta")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words = ByteLevelBPETokenizer()
    words.train_from_iterator(texts, vocab_size=500, special_tokens=special)
    words.save_model(str(folder))
    RobertaTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    torch.manual_seed(1)
    config = RobertaConfig(
        vocab_size=words.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=514,
        type_vocab_size=1,
        initializer_range=0.3,
        id2label={0: "nothate", 1: "hate"},
        label2id={"nothate": 0, "hate": 1},
    )
    model = RobertaForSequenceClassification(config)
    # Hate is always the likelier label, so that the first of a sorted list is wrong.
    model.classifier.out_proj.bias.data = torch.tensor([0.0, 50.0])
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def finished(shared, flan, roberta, tmp_path_factory) -> tuple[Path, dict[str, object]]:
    """The run of the shipped file with only names and sizes overridden, and those overrides."""
    place = tmp_path_factory.mktemp("lab") / "run"
    changed: dict[str, object] = {
        "model": str(flan),
        "prompts": str(shared / "data/dialogsum/dialogsum.dev.jsonl"),
        "reward": f"hf:{roberta}",
        "split": None,
        "limit": 40,
        "steps": 2,
        "batch": 8,
        "max_new_tokens": 12,
    }
    words = [f"{key}={'null' if v is None else v}" for key, v in changed.items()]
    assert run(["align", str(LAB), *words, "--run", str(place)]) == 0
    return place, changed


def test_the_lab_runs_to_its_end_with_every_optimizer_step(finished):
    place, _ = finished
    record = json.loads((place / "run.json").read_text())
    assert record["status"] == "finished"
    assert (record["summary"]["steps"], record["summary"]["optimizer_steps"]) == (2, 8)
    first, _ = (json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines())
    assert first["align/kl"] == 0.0
    assert (place / "policy" / "adapter_config.json").is_file()


def test_every_setting_that_was_not_overridden_is_that_of_the_file(finished):
    place, changed = finished
    used = flatten(yaml.safe_load((place / "config.yaml").read_text()))
    shipped = flatten(yaml.safe_load(LAB.read_text()))
    assert {k: used[k] for k in shipped if k not in changed} == {
        k: v for k, v in shipped.items() if k not in changed
    }
    assert used["lora.rank"] == 32
    assert used["label"] == "nothate"


def test_the_reward_is_the_logit_of_not_hate_by_name(finished, roberta):
    place, _ = finished
    rows = [json.loads(line) for line in (place / "samples.jsonl").read_text().splitlines()]
    model = AutoModelForSequenceClassification.from_pretrained(roberta).eval()
    tokenizer = RobertaTokenizerFast.from_pretrained(roberta)
    assert len(rows) == 8
    for row in rows:
        with torch.no_grad():
            logits = model(**tokenizer(row["completion"], return_tensors="pt")).logits[0]
        assert row["reward"] == pytest.approx(float(logits[0]), abs=1e-4)
        assert logits.argmax() == 1


def test_the_prompts_are_the_dialogues_in_the_shipped_template(finished, texts):
    place, _ = finished
    rows = [json.loads(line) for line in (place / "samples.jsonl").read_text().splitlines()]
    known = {
        f"Summarize the following conversation.\n\n{dialogue}\n\nSummary:" for dialogue in texts
    }
    assert {row["prompt"] for row in rows} <= known


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_file_is_valid_for_the_verb_it_names(path):
    text = path.read_text(encoding="utf-8")
    verb = text.split("humanalign ", 1)[1].split()[0]
    config = load(settings_of(VERBS[verb]), path, [])
    shipped = flatten(yaml.safe_load(text))
    resolved = flatten(config.model_dump())
    assert shipped.items() <= resolved.items()


def test_the_lab_leaves_nothing_important_to_a_default():
    config = load(AlignConfig, LAB, [])
    assert (config.model, config.max_new_tokens, config.batch) == ("google/flan-t5-base", 100, 64)
    assert config.reward == "hf:facebook/roberta-hate-speech-dynabench-r4-target"
