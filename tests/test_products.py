"""Layers that multiply by oneDNN: the values and gradients of those that do not."""

import copy

import pytest
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from humanalign import products
from humanalign.products import QuickConv1D, QuickLinear, quick_products

CLOSE = 1e-5


@pytest.fixture(autouse=True)
def _amd(monkeypatch):
    """As on an AMD processor; oneDNN computes the same on all."""
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch was built without oneDNN")
    monkeypatch.setattr(products, "mkl_is_slow", lambda: True)


def both(layer: nn.Module, rows: Tensor) -> list[list[Tensor]]:
    """Output and gradients of the layer as it is and as it becomes."""
    found = []
    for one in (copy.deepcopy(layer), quick_products(copy.deepcopy(layer))):
        given = rows.clone().requires_grad_()
        out = one(given)
        (out * torch.arange(out.numel()).view_as(out).cos()).sum().backward()
        found.append([out, given.grad, *(p.grad for p in one.parameters())])
    return found


@pytest.mark.parametrize(
    "layer", [nn.Linear(80, 96), nn.Linear(80, 96, bias=False), Conv1D(96, 80)], ids=str
)
@pytest.mark.parametrize("shape", [(5, 80), (2, 7, 80)])
def test_values_and_gradients_are_the_same(layer, shape):
    usual, quick = both(layer, torch.randn(shape))
    for expected, found in zip(usual, quick, strict=True):
        assert torch.allclose(found, expected, atol=CLOSE)


def test_a_layer_is_exchanged_by_its_very_class_and_size():
    class Quantized(nn.Linear):
        """Stands for a layer whose weight is something else."""

    model = quick_products(
        nn.Sequential(nn.Linear(80, 80), Conv1D(80, 80), nn.Linear(8, 8), Quantized(80, 80))
    )
    kinds = [type(module) for module in model]
    assert kinds == [QuickLinear, QuickConv1D, nn.Linear, Quantized]


def test_elsewhere_nothing_changes(monkeypatch):
    monkeypatch.setattr(products, "mkl_is_slow", lambda: False)
    assert type(quick_products(nn.Linear(80, 80))) is nn.Linear


def test_a_copy_of_the_layer_has_weights_of_its_own():
    layer = quick_products(nn.Linear(80, 80))
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other.weight.zero_()
        assert other(torch.ones(1, 80)).equal(other.bias[None])
        assert not layer(torch.ones(1, 80)).equal(layer.bias[None])


def test_autocast_still_multiplies_in_half():
    layer = quick_products(nn.Linear(80, 80))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.ones(1, 80)).dtype == torch.bfloat16
