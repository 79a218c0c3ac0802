"""One timed process of trl 1.12: `python -m bench.side_trl_new JOB.json` in its environment.

Its trainer is run whole; clocks stand around the functions that its loop calls.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

from bench.scorers import load_tokenizer
from bench.side import Job, Step, nothing, profiled, read_job, write_report


class Clock:
    """When each step began (generation), scored, and began to update (after whitening)."""

    def __init__(self, reward: torch.nn.Module) -> None:
        self.reward = reward
        self.began: list[float] = []
        self.scored: list[float] = []
        self.updating: list[float] = []

    def generate(self, plain: Callable) -> Callable:
        def timed(*args: object) -> object:
            self.began.append(time.monotonic())
            self.scored.append(0.0)
            return plain(*args)

        return timed

    def get_reward(self, plain: Callable) -> Callable:
        def timed(model: torch.nn.Module, *args: object) -> object:
            start = time.monotonic()
            scores = plain(model, *args)
            if model is self.reward:
                self.scored[-1] += time.monotonic() - start
            return scores

        return timed

    def whiten(self, plain: Callable) -> Callable:
        def timed(*args: object, **options: object) -> object:
            whitened = plain(*args, **options)
            self.updating.append(time.monotonic())
            return whitened

        return timed

    def steps(self) -> list[Step]:
        found = []
        ends = [*self.began[1:], time.monotonic()]
        for began, score, updating, end in zip(
            self.began, self.scored, self.updating, ends, strict=True
        ):
            found.append(Step(updating - began - score, score, end - updating))
        return found


def install(clock: Clock, *, stock: bool) -> None:
    """Put the clock into trl's loop; without `stock` take its garbage collections out."""
    ppo_trainer.batch_generation = clock.generate(ppo_trainer.batch_generation)
    ppo_trainer.get_reward = clock.get_reward(ppo_trainer.get_reward)
    ppo_trainer.masked_whiten = clock.whiten(ppo_trainer.masked_whiten)
    if not stock:
        gc.collect = ppo_trainer.empty_cache = nothing


def trainer(job: Job, reward: torch.nn.Module, place: str) -> PPOTrainer:
    tokenizer = load_tokenizer(job.folder)
    policy = AutoModelForCausalLM.from_pretrained(job.folder / "policy")
    config = PPOConfig(
        output_dir=place,
        per_device_train_batch_size=job.rows,
        gradient_accumulation_steps=1,
        num_mini_batches=1,
        num_ppo_epochs=job.epochs,
        total_episodes=job.rows * (job.warmup + job.steps),
        local_rollout_forward_batch_size=job.rows,
        response_length=job.response,
        temperature=1.0,
        learning_rate=job.lr,
        num_sample_generations=0,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        seed=job.seed,
    )
    prompts = [{"input_ids": ids} for ids in tokenizer(job.prompts()).input_ids]
    lora = {"r": job.lora, "lora_alpha": 2 * job.lora, "target_modules": "all-linear"}
    return PPOTrainer(
        args=config,
        processing_class=tokenizer,
        model=policy,
        ref_model=None,
        reward_model=reward,
        value_model=AutoModelForSequenceClassification.from_pretrained(job.folder / "reward"),
        train_dataset=Dataset.from_list(prompts),
        eval_dataset=Dataset.from_list(prompts[: job.rows]),
        peft_config=LoraConfig(**lora) if job.lora else None,
    )


def main() -> None:
    job = read_job()
    reward = AutoModelForSequenceClassification.from_pretrained(job.folder / "reward")
    clock = Clock(reward)
    with tempfile.TemporaryDirectory() as place:
        ppo = trainer(job, reward, place)
        install(clock, stock=job.stock)
        with profiled(job):
            ppo.train()
            steps = clock.steps()
        trained = sum(p.numel() for p in ppo.model.parameters() if p.requires_grad)
        write_report(job, steps, trained)


if __name__ == "__main__":
    main()
