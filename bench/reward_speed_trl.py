"""One timed fit of trl 1.12's RewardTrainer: `python -m bench.reward_speed_trl JOB.json`.

Its trainer is run whole, on ids made beforehand: its own tokenisation is not timed.
"""

from __future__ import annotations

import tempfile

import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    TrainerCallback,
)
from trl import RewardConfig, RewardTrainer

from bench.reward_speed_side import Clock, Job, read_job, write_report


class Ticks(TrainerCallback):
    """Calls the clock at the end of each optimizer step."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_end(self, *_: object, **__: object) -> None:
        self.clock.tick()


def trainer(job: Job, model: PreTrainedModel, clock: Clock, place: str) -> RewardTrainer:
    config = RewardConfig(
        output_dir=place,
        per_device_train_batch_size=job.batch,
        learning_rate=job.lr,
        num_train_epochs=job.epochs,
        weight_decay=0.01,
        max_length=job.max_tokens,
        bf16=job.precision == "bf16",
        gradient_checkpointing=job.checkpointing,
        disable_dropout=not job.dropout,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        seed=job.seed,
    )
    ids = [{key: row[key] for key in ("chosen_ids", "rejected_ids")} for row in job.rows("train")]
    return RewardTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(ids),
        processing_class=AutoTokenizer.from_pretrained(job.model),
        callbacks=[Ticks(clock)],
    )


@torch.inference_mode()
def scores(model: PreTrainedModel, rows: list[list[int]]) -> list[float]:
    """float32 scores of rows of ids, one at a time: no padding, no question of it."""
    model.eval()
    return [float(model(input_ids=torch.tensor([row])).logits[0, 0]) for row in rows]


def main() -> None:
    job = read_job()
    model = AutoModelForSequenceClassification.from_pretrained(job.model, dtype=torch.float32)
    test = job.rows("test")
    chosen, rejected = ([row[key] for row in test] for key in ("chosen_ids", "rejected_ids"))
    before = scores(model, chosen)
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        trainer(job, model, clock, place).train()
    gaps = [a - b for a, b in zip(scores(model, chosen), scores(model, rejected), strict=True)]
    write_report(job, clock, before=before, gaps=gaps)


if __name__ == "__main__":
    main()
