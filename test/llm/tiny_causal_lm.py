"""A whole LLM that is built in a moment: random weights, and a token for every byte."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

START, END = "<s>", "</s>"


def save_tiny_causal_lm(folder) -> str:
    """Write model and tokenizer to ``folder``; returns its name."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
        # Large weights, so that what comes before a token matters to it.
        initializer_range=0.5,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    make_tokenizer(start=True).save_pretrained(folder)
    return str(folder)


def make_tokenizer(start: bool) -> PreTrainedTokenizerFast:
    """A token a byte; with or without a token that begins every text."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = {token: i for i, token in enumerate([*letters, START, END])}
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    if start:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{START} $A", special_tokens=[(START, tokens[START])]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=START, eos_token=END)
