"""The recipe of tiny-instruct: a T5-shaped model, trained from nothing on the bundled world.

`python -m humanalign.tiny.recipe` makes such weights again (about three quarters of an hour on
three cores) and writes what it measured to `recipe.jsonl` beside them. Matrices are trained with
Muon (Jordan et al. 2024), the rest with AdamW.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn
from transformers import GenerationConfig, PreTrainedTokenizerFast, T5Config
from transformers import T5ForConditionalGeneration as T5

from humanalign.tiny import vocabulary
from humanalign.tiny.exam import exam
from humanalign.tiny.lessons import Lesson, lessons

WEIGHTS = Path(__file__).parent / "weights"
LOG = "recipe.jsonl"
NOTE_EVERY = 50
# Answers of one letter or word would drown among summaries of twenty tokens.
EMPHASIS = {"comparison": 6.0, "glance": 6.0, "verdict": 3.0}


@dataclass(frozen=True)
class Course:
    """One schedule from warm-up to zero; what is taught is in lessons.COURSES."""

    steps: int
    lr: float = 4e-3
    muon_lr: float = 6e-3
    warmup: int = 100


@dataclass(frozen=True)
class Recipe:
    """Every knob of the training; the defaults made the shipped weights."""

    courses: tuple[Course, ...] = (
        Course(1600),
        Course(1400),
        Course(1500, lr=3e-3, muon_lr=5e-3, warmup=60),
    )
    first: int = 0
    batch: int = 24
    workers: int = 3
    port: int = 29577
    seed: int = 0
    width: int = 144
    layers: int = 3
    heads: int = 4
    exam_every: int = 400
    exam_size: int = 60
    out: Path = WEIGHTS


def build(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> T5:
    """Return the untrained model."""
    torch.manual_seed(recipe.seed)
    special = {
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.pad_token_id,
    }
    shape = {
        "vocab_size": len(tokenizer),
        "d_model": recipe.width,
        "d_kv": recipe.width // recipe.heads,
        "d_ff": 512,
        "num_layers": recipe.layers,
        "num_decoder_layers": recipe.layers,
        "num_heads": recipe.heads,
        "dropout_rate": 0.0,
        "tie_word_embeddings": True,
    }
    model = T5(T5Config.from_dict(shape | special))
    model.generation_config = GenerationConfig.from_dict(special)
    return model


def batches(recipe: Recipe, rank: int = 0, course: int = 0) -> Iterator[list[Lesson]]:
    """Yield a worker's batches of rows of like length without end."""
    rows = lessons("train", recipe.seed * 1000 + 100 * course + rank, course)
    rng = random.Random(recipe.seed)
    while True:
        pool = sorted(itertools.islice(rows, 16 * recipe.batch), key=lambda row: len(row.source))
        # The same order of lengths for every worker, so that none waits for another.
        order = rng.sample(range(16), 16)
        yield from (pool[i * recipe.batch : (i + 1) * recipe.batch] for i in order)


def loss_of(model: T5, tokenizer: PreTrainedTokenizerFast, rows: list[Lesson]) -> torch.Tensor:
    """Return the mean cross-entropy in nats per answer token, weighted by `EMPHASIS`."""
    read = tokenizer([row.source for row in rows], return_tensors="pt", padding=True)
    said = tokenizer([row.target for row in rows], return_tensors="pt", padding=True)
    labels = said.input_ids.masked_fill(said.attention_mask == 0, -100)
    logits = model(
        input_ids=read.input_ids, attention_mask=read.attention_mask, labels=labels
    ).logits
    per_token = nn.functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), reduction="none"
    ).view(labels.shape)
    weight = torch.tensor([EMPHASIS.get(row.task, 1.0) for row in rows])[:, None]
    weight = weight * said.attention_mask
    return (per_token * weight).sum() / weight.sum()


def optimizers(
    model: T5, recipe: Recipe, course: Course, rank: int = 0
) -> list[torch.optim.Optimizer]:
    """Return Muon for this worker's share of the blocks' matrices and AdamW for all the rest."""
    owned = matrices(model)
    ids = {id(weight) for weight in owned}
    others = [weight for weight in model.parameters() if id(weight) not in ids]
    return [
        torch.optim.Muon(
            owned[rank :: recipe.workers],
            lr=course.muon_lr,
            weight_decay=0.0,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(others, lr=course.lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def matrices(model: T5) -> list[nn.Parameter]:
    """The weight matrices of attention and feed-forward layers: what Muon is for."""
    return [
        weight
        for name, weight in model.named_parameters()
        if weight.ndim == 2 and "block" in name and "relative" not in name
    ]


def rate(step: int, steps: int, warmup: int) -> float:
    """Return the share of the peak rate: linear up, flat, linear down over the last 40 %."""
    return min(1.0, (step + 1) / warmup, (steps - step) / (0.4 * steps))


def train(recipe: Recipe) -> None:
    """Train with `recipe.workers` processes; weights, tokenizer and log go to `recipe.out`.

    With `recipe.first` > 0 the earlier courses are taken from the weights that are there.
    """
    recipe.out.mkdir(parents=True, exist_ok=True)
    if recipe.first == 0:
        tokenizer = vocabulary.build()
        save(build(recipe, tokenizer), tokenizer, recipe.out)
        (recipe.out / LOG).write_text("")
    for course in range(recipe.first, len(recipe.courses)):
        if recipe.workers == 1:
            work(0, recipe, course)
        else:
            spawn(work, (recipe, course), nprocs=recipe.workers)


def work(rank: int, recipe: Recipe, course: int) -> None:
    """One worker's course: its own rows, the same weights as the others; 0 keeps the log."""
    # One thread each: on a shared machine three processes wait less than three threads.
    torch.set_num_threads(1)
    if recipe.workers > 1:
        distributed.init_process_group(
            "gloo", f"tcp://127.0.0.1:{recipe.port}", rank=rank, world_size=recipe.workers
        )
    (model, tokenizer), begun = load(recipe.out), time.monotonic()
    recent: deque[float] = deque(maxlen=NOTE_EVERY)
    model.train()
    if recipe.workers > 1:
        distributed.barrier()
    pace = recipe.courses[course]
    steppers, steps = optimizers(model, recipe, pace, rank), pace.steps
    rows = batches(recipe, rank, course)
    for step in range(steps):
        share = rate(step, steps, pace.warmup)
        _set_rate(steppers, share, (pace.muon_lr, pace.lr))
        recent.append(_step(model, tokenizer, next(rows), steppers))
        done = {"course": course + 1, "step": step + 1, "seconds": int(time.monotonic() - begun)}
        if rank == 0 and (step + 1) % NOTE_EVERY == 0:
            _note(recipe.out, done | {"loss": sum(recent) / len(recent)})
        if rank == 0 and (step + 1 == steps or (step + 1) % recipe.exam_every == 0):
            save(model, tokenizer, recipe.out)
            final = step + 1 == steps and course + 1 == len(recipe.courses)
            split, n = ("test", 5 * recipe.exam_size) if final else ("validation", recipe.exam_size)
            _note(
                recipe.out,
                done | {"split": split, "n": n} | exam(*load(recipe.out), split=split, n=n),
            )
    if recipe.workers > 1:
        distributed.destroy_process_group()


def _set_rate(
    steppers: list[torch.optim.Optimizer], share: float, peaks: tuple[float, ...]
) -> None:
    for stepper, peak in zip(steppers, peaks, strict=True):
        for group in stepper.param_groups:
            group["lr"] = peak * share


def _step(
    model: T5,
    tokenizer: PreTrainedTokenizerFast,
    rows: list[Lesson],
    steppers: list[torch.optim.Optimizer],
) -> float:
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(model, tokenizer, rows)
    loss.backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    _sum_over_workers(gradients, share=True)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for stepper in steppers:
        stepper.step()
    _share_matrices(model, steppers[0])
    model.zero_grad()
    return loss.item()


@torch.no_grad()
def _share_matrices(model: T5, muon: torch.optim.Optimizer) -> None:
    """Every matrix was moved by one worker only: give it to the others."""
    mine = {id(weight) for group in muon.param_groups for weight in group["params"]}
    every = matrices(model)
    if len(mine) < len(every):
        for weight in every:
            if id(weight) not in mine:
                weight.zero_()
        _sum_over_workers(every)


@torch.no_grad()
def _sum_over_workers(tensors: Sequence[torch.Tensor], share: bool = False) -> None:
    """Sum (or average) the tensors over the workers in place, as one message."""
    if not distributed.is_initialized():
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat = flat / distributed.get_world_size() if share else flat
    pieces = flat.split([tensor.numel() for tensor in tensors])
    for tensor, piece in zip(tensors, pieces, strict=True):
        tensor.copy_(piece.view_as(tensor))


def _note(out: Path, what: Mapping[str, float | str]) -> None:
    row = {k: round(v, 4) if isinstance(v, float) else v for k, v in what.items()}
    with (out / LOG).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")


def load(path: Path = WEIGHTS) -> tuple[T5, PreTrainedTokenizerFast]:
    """Return the saved model, in single precision and ready to answer, and its tokenizer."""
    model = T5.from_pretrained(path, dtype=torch.float32).eval()
    return model, PreTrainedTokenizerFast.from_pretrained(path)


def save(model: T5, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the model in half precision and its tokenizer, as `from_pretrained` reads them."""
    half = T5(model.config)
    half.load_state_dict(model.state_dict())
    half.generation_config = model.generation_config
    half.half().save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """Read the few knobs that matter from the command line and train."""
    parser = argparse.ArgumentParser(description="Train tiny-instruct on the bundled world.")
    parser.add_argument("--first", type=int, default=Recipe.first, help="0: from nothing")
    parser.add_argument("--workers", type=int, default=Recipe.workers)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--out", type=Path, default=Recipe.out)
    train(Recipe(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
