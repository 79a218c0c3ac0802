"""Two small random policies, one of each kind, with what real ones have: dropout, BOS, a template.

Vocabulary of both: <pad> </s> <s> <unk> and the words w0 .. w27, split at white space.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from humanalign.models import Policy

SPECIAL = ["<pad>", "</s>", "<s>", "<unk>"]
VOCABULARY = {word: i for i, word in enumerate(SPECIAL + [f"w{i}" for i in range(28)])}
PAD, EOS, BOS = 0, 1, 2
CONTEXT = 64
CHAT = (
    "{{ bos_token }}{% for m in messages %} {{ m['role'] }} {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %} w0{% endif %}"
)
PROMPTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9"]
RESPONSES = ["w10 w11", "w12 w13 w14 w15", "w16"]


def tokenizer(frame: str, **options: object) -> PreTrainedTokenizerFast:
    raw = Tokenizer(WordLevel(VOCABULARY, unk_token="<unk>"))
    raw.pre_tokenizer = WhitespaceSplit()
    raw.post_processor = TemplateProcessing(
        single=frame, special_tokens=[(s, VOCABULARY[s]) for s in SPECIAL]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", eos_token="</s>", **options
    )


def save_llama(path: Path, **changes: object) -> Path:
    torch.manual_seed(11)
    sizes = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": CONTEXT,
        "attention_dropout": 0.1,
        "initializer_range": 0.2,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
    }
    LlamaForCausalLM(LlamaConfig(**(sizes | changes))).save_pretrained(path)
    words = tokenizer("<s> $A", pad_token="<pad>", bos_token="<s>")
    words.chat_template = CHAT
    words.save_pretrained(path)
    return path


def save_small_t5(path: Path) -> Path:
    torch.manual_seed(12)
    config = T5Config(
        vocab_size=len(VOCABULARY),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        dropout_rate=0.1,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=PAD,
    )
    T5ForConditionalGeneration(config).save_pretrained(path)
    tokenizer("$A </s>", pad_token="<pad>", model_max_length=CONTEXT).save_pretrained(path)
    return path


def train_adapter(policy: Policy, size: float = 0.3) -> Policy:
    """Stand-in for an adapter that has been trained: its B matrices are far from 0."""
    generator = torch.Generator().manual_seed(5)
    for name, p in policy.trainable().items():
        if "lora_B" in name:
            p.data = size * torch.randn(p.shape, generator=generator)
    return policy
