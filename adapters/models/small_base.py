"""Makes a base model of a few megabytes in Hugging Face's layout, with a tokenizer of its own.

Its weights are random, so that it writes noise until it is trained; everything that is done with a
real base can be done with it in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.models.tokenizer_file import SPLIT_OF_QWEN2
from bot.serving.llama_cpp.template import CHATML

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast

_END_OF_TEXT, _TURN_START, _TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


def small_tokenizer(
    texts: Iterable[str], *, vocabulary: int, context_tokens: int
) -> PreTrainedTokenizerFast:
    """Byte-level BPE with Qwen2's split, which llama.cpp cuts alike, and a ChatML template."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_OF_QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[_END_OF_TEXT, _TURN_START, _TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_TURN_END,
        pad_token=_END_OF_TEXT,
        additional_special_tokens=[_TURN_START, _TURN_END],
        model_max_length=context_tokens,
    )
    wrapped.chat_template = CHATML
    return wrapped


def write_small_base(
    path: Path,
    config: PretrainedConfig,
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    prepare: Callable[[Any], None] | None = None,
) -> None:
    """Write random weights of the shape in ``config``, and the tokenizer, to the folder ``path``.

    ``prepare`` may change the model before. The vocabulary and the tokens that end a turn become
    those of the tokenizer.
    """
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config.update({"vocab_size": len(tokenizer), "bos_token_id": None, **ends})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    if prepare:
        prepare(model)
    model.generation_config = GenerationConfig(**ends)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
