"""Tiny random models of every family, made in the test and saved as directories."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "</s>"]
JUDGED = ["good", "bad", "fine", "rude", "the", "a", "is", "you", "are", ".", "!"]
WORDS = [f"w{i}" for i in range(40)] + JUDGED
VOCABULARY = {word: i for i, word in enumerate(SPECIAL + WORDS)}


def tokenizer(single: str, pair: str, **options: object) -> PreTrainedTokenizerFast:
    raw = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    raw.pre_tokenizer = Whitespace()
    if single != "$A":
        raw.post_processor = TemplateProcessing(
            single=single, pair=pair, special_tokens=[(t, VOCABULARY[t]) for t in SPECIAL]
        )
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", **options)


def bert_tokenizer() -> PreTrainedTokenizerFast:
    return tokenizer(
        "[CLS] $A [SEP]",
        "[CLS] $A [SEP] $B:1 [SEP]:1",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def bert_config(**changes: object) -> BertConfig:
    sizes = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        # The usual 0.02 gives so tiny a model almost the same output for every input.
        "initializer_range": 0.3,
    }
    return BertConfig(**(sizes | changes))


def save_encoder(path: Path, **changes: object) -> str:
    torch.manual_seed(0)
    BertModel(bert_config(**changes)).save_pretrained(path)
    bert_tokenizer().save_pretrained(path)
    return str(path)


def save_classifier(path: Path, labels: list[str], **changes: object) -> str:
    torch.manual_seed(1)
    config = bert_config(
        id2label=dict(enumerate(labels)), label2id={name: i for i, name in enumerate(labels)}
    )
    config.update(changes)
    BertForSequenceClassification(config).save_pretrained(path)
    bert_tokenizer().save_pretrained(path)
    return str(path)


def save_t5(path: Path) -> str:
    torch.manual_seed(2)
    config = T5Config(
        vocab_size=len(VOCABULARY),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
    )
    T5ForConditionalGeneration(config).save_pretrained(path)
    words = tokenizer("$A </s>", "$A </s> $B </s>", pad_token="[PAD]", eos_token="</s>")
    words.save_pretrained(path)
    return str(path)


def save_causal(path: Path) -> str:
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=len(VOCABULARY),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        initializer_range=0.3,
    )
    GPT2LMHeadModel(config).save_pretrained(path)
    # No pad token, as GPT-2 has none: EOS stands in, and masks come from lengths.
    tokenizer("$A", "$A $B", eos_token="</s>").save_pretrained(path)
    return str(path)
