"""The tokenizer of the bundled world: whole words with their space, bytes for everything else.

Every word of the world is one token; any other text is spelled byte by byte, so that encoding
then decoding gives back exactly what was written.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from humanalign.tiny import insults, tasks
from humanalign.tiny.grammar import Situation, situations
from humanalign.tiny.lessons import lessons

PAD, EOS, UNK = "<pad>", "</s>", "<unk>"


def build() -> PreTrainedTokenizerFast:
    """Return the tokenizer: `<pad>` 0, `</s>` 1 (ends every sequence), then bytes, then words."""
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = {word for text in _texts() for word, _ in cut.pre_tokenize_str(text)}
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [PAD, EOS, UNK, *alphabet, *sorted(words - set(alphabet))]
    vocab = {token: i for i, token in enumerate(tokens)}
    # No merges: a word of the vocabulary is found whole, any other is left in bytes.
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A $B {EOS}", special_tokens=[(EOS, vocab[EOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )


def _texts() -> Iterator[str]:
    """Texts that hold every word of the world in each place where it can stand."""
    for situation in situations().values():
        yield from _filled(situation)
    for word in insults.SEVERITY:
        yield f'that {word} the {word} "{word}" {word}'
    yield from tasks.principles()
    for lesson in itertools.islice(lessons("train", 0), 20000):
        yield lesson.source
        yield lesson.target


def _filled(situation: Situation) -> Iterator[str]:
    rng = random.Random(situation.name)
    texts = [text for _, said in situation.turns for text in said]
    texts += [text for pair in situation.questions for text in pair]
    for text in (*texts, *situation.summaries):
        for slot in ("a", "b", *situation.slots):
            for value in situation.fillers(slot):
                slots = {s: rng.choice(situation.fillers(s)) for s in ("a", "b", *situation.slots)}
                filled = text.format(**(slots | {slot: value}))
                yield filled
                yield filled[0].upper() + filled[1:]
