"""Pure mathematics of alignment: tensors in, unreduced losses out.

Nothing here knows a model, a device, a config or a file. Hyper-parameters are keyword-only
arguments whose defaults docs/methods.md explains; `masked.reduce` is the one place that
normalises. `lookup` and `check` find an objective by kind and name, as settings files do.
"""

from . import advantage, ilql, kl, masked, policy, preference, reward, vocabulary
from .batch import PairLogps, RolloutBatch, Tokens
from .ilql import IlqlOutputs, IlqlTerms
from .kl import KlController
from .masked import Moments
from .registry import check, kinds, lookup, names, objective

__all__ = [
    "IlqlOutputs",
    "IlqlTerms",
    "KlController",
    "Moments",
    "PairLogps",
    "RolloutBatch",
    "Tokens",
    "advantage",
    "check",
    "ilql",
    "kinds",
    "kl",
    "lookup",
    "masked",
    "names",
    "objective",
    "policy",
    "preference",
    "reward",
    "vocabulary",
]
