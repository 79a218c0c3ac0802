"""The problems that are timed: a policy, a reward network of its size, and prompts, as a folder.

`write` makes the folder `policy/`, `reward/`, `prompts.json`, from a seed and without a network.
Letters: B answers a step, P prompt tokens, R response tokens.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

SPECIAL = ["<pad>", "</s>", "<unk>"]
PROMPTS = 512
OPENING_WORDS = 8


@dataclass(frozen=True)
class Shape:
    """A model and the batch it is timed with: B rows, P prompt and R response tokens."""

    kind: str
    vocabulary: int
    rows: int
    prompt: int
    response: int
    lr: float = 1e-5


SHAPES = {
    "stories": Shape("stories", 512, rows=64, prompt=0, response=48, lr=1e-4),
    "gpt2-13.9m": Shape("gpt2", 8192, rows=16, prompt=64, response=64),
    "gpt2-32k": Shape("gpt2", 32768, rows=16, prompt=64, response=64),
    "t5-9.4m": Shape("t5", 8192, rows=16, prompt=128, response=32),
}


def write(name: str, folder: Path, *, seed: int, stories: Path) -> None:
    """Write the problem `name` into `folder`; `stories` is the directory of the stories model."""
    shape = SHAPES[name]
    torch.manual_seed(seed)
    if shape.kind == "stories":
        model = AutoModelForCausalLM.from_pretrained(stories)
        tokenizer = AutoTokenizer.from_pretrained(stories)
        prompts = _openings(model, tokenizer)
    else:
        model, tokenizer = _random_model(shape), _words(shape)
        prompts = _random_prompts(shape)
    model.save_pretrained(folder / "policy")
    tokenizer.save_pretrained(folder / "policy")
    if shape.kind != "t5":
        scorer = AutoModelForSequenceClassification.from_pretrained(folder / "policy", num_labels=1)
        scorer.save_pretrained(folder / "reward")
        tokenizer.save_pretrained(folder / "reward")
    (folder / "prompts.json").write_text(json.dumps(prompts), encoding="utf-8")
    (folder / "shape.json").write_text(json.dumps(asdict(shape)), encoding="utf-8")


def _random_model(shape: Shape) -> PreTrainedModel:
    """No dropout, because one of the peers leaves it on."""
    if shape.kind == "t5":
        return T5ForConditionalGeneration(
            T5Config(
                vocab_size=shape.vocabulary,
                d_model=256,
                d_kv=64,
                d_ff=1024,
                num_layers=4,
                num_heads=4,
                dropout_rate=0.0,
                pad_token_id=0,
                eos_token_id=1,
                decoder_start_token_id=0,
            )
        )
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=shape.vocabulary,
            n_positions=256,
            n_embd=384,
            n_layer=6,
            n_head=6,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=1,
        )
    )


def _words(shape: Shape) -> PreTrainedTokenizerFast:
    """w0 w1 ...: as many words as the model has rows of embeddings."""
    words = SPECIAL + [f"w{i}" for i in range(shape.vocabulary - len(SPECIAL))]
    vocabulary = {word: i for i, word in enumerate(words)}
    raw = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = WhitespaceSplit()
    frame = "$A </s>" if shape.kind == "t5" else "$A"
    raw.post_processor = TemplateProcessing(single=frame, special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="</s>",
        padding_side="left",
    )


def _random_prompts(shape: Shape) -> list[str]:
    """Every prompt has exactly P tokens, the EOS that T5 reads included."""
    length = shape.prompt - (1 if shape.kind == "t5" else 0)
    ids = torch.randint(shape.vocabulary - len(SPECIAL), (PROMPTS, length))
    return [" ".join(f"w{i}" for i in row) for row in ids.tolist()]


def _openings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """The first eight words of stories that the model itself tells."""
    start = torch.full((PROMPTS, 1), tokenizer.bos_token_id)
    told = model.generate(start, do_sample=True, top_k=0, max_new_tokens=40, pad_token_id=0)
    texts = tokenizer.batch_decode(told, skip_special_tokens=True)
    openings = [" ".join(text.split()[:OPENING_WORDS]) for text in texts]
    return [opening for opening in openings if opening]


def main(name: str, folder: str, seed: str, stories: str) -> None:
    write(name, Path(folder), seed=int(seed), stories=Path(stories))


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])
