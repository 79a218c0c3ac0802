"""One timed process of trl 0.11.4: `python -m bench.side_trl_old JOB.json` in its environment.

The loop is the user's there: generate, score, step. The clock inside `step` is trl's own.
"""

from __future__ import annotations

import gc
import time

import torch
from peft import LoraConfig
from transformers import PreTrainedTokenizerFast
from trl import (
    AutoModelForCausalLMWithValueHead,
    AutoModelForSeq2SeqLMWithValueHead,
    PPOConfig,
    PPOTrainer,
)

from bench.scorers import CausalScorer, EncoderDecoderScorer, load_scorer, load_tokenizer
from bench.side import Job, Step, nothing, profiled, read_job, write_report

MEASURING = ("forward_pass", "compute_rewards", "compute_advantages")


def trainer(job: Job, tokenizer: PreTrainedTokenizerFast) -> PPOTrainer:
    causal = (job.folder / "reward").is_dir()
    kind = AutoModelForCausalLMWithValueHead if causal else AutoModelForSeq2SeqLMWithValueHead
    lora = {"r": job.lora, "lora_alpha": 2 * job.lora, "target_modules": "all-linear"}
    model = kind.from_pretrained(
        str(job.folder / "policy"), peft_config=LoraConfig(**lora) if job.lora else None
    )
    config = PPOConfig(
        batch_size=job.rows,
        mini_batch_size=job.rows,
        gradient_accumulation_steps=1,
        ppo_epochs=job.epochs,
        learning_rate=job.lr,
        seed=job.seed,
        accelerator_kwargs={"cpu": True},
    )
    return PPOTrainer(config, model, None, tokenizer)


def one_step(
    ppo: PPOTrainer,
    queries: list[torch.Tensor],
    scorer: CausalScorer | EncoderDecoderScorer,
    job: Job,
) -> Step:
    began = time.monotonic()
    answers = ppo.generate(
        queries,
        batch_size=len(queries),
        return_prompt=False,
        do_sample=True,
        top_k=0,
        top_p=1.0,
        max_new_tokens=job.response,
        min_new_tokens=job.response,
        pad_token_id=ppo.tokenizer.pad_token_id,
    )
    sampled = time.monotonic()
    scores = scorer.scores([q.tolist() for q in queries], [a.tolist() for a in answers])
    scored = time.monotonic()
    stats = ppo.step(queries, list(answers), list(scores.clone().unbind()))
    ended = time.monotonic()
    measured = sum(float(stats[f"time/ppo/{name}"]) for name in MEASURING)
    return Step(sampled - began + measured, scored - sampled, ended - scored - measured)


def main() -> None:
    job = read_job()
    tokenizer = load_tokenizer(job.folder)
    ppo, scorer = trainer(job, tokenizer), load_scorer(job.folder)
    if not job.stock:
        gc.collect = nothing
    ids = [torch.tensor(row) for row in tokenizer(job.prompts()).input_ids]
    order = torch.randperm(len(ids)).tolist()
    steps = []
    with profiled(job):
        for step in range(job.warmup + job.steps):
            places = [(step * job.rows + i) % len(ids) for i in range(job.rows)]
            steps.append(one_step(ppo, [ids[order[place]] for place in places], scorer, job))
    trained = sum(p.numel() for p in ppo.model.parameters() if p.requires_grad)
    write_report(job, steps, trained)


if __name__ == "__main__":
    main()
