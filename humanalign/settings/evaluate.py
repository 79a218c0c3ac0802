"""The settings of `evaluate`: who is measured, on which prompts, by which scorers."""

from __future__ import annotations

from pydantic import Field

from humanalign.settings.parts import Decoding, Positive, ReadsPrompts, Samples


class EvaluateConfig(ReadsPrompts, Samples):
    model: str
    against: str | None = Field(default=None, description="the model before")
    scorers: dict[str, str] = Field(
        default={}, description="{toxicity: 'hf:NAME?label=hate&use=prob'}"
    )
    samples: Positive = Field(default=1, description="answers per prompt")
    sampling: Decoding = Decoding()
    batch: Positive = 64
    seed: int = 0
