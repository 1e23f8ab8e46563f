"""Which tokens can be spoken, for the kinds of tokenizers that LLMs have."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from espnet_ssr.llm.spelling import pronounced_tokens, spoken_tokens
from espnet_ssr.llm.tokenizer import load_tokenizer


def make_tokenizer(vocabulary, decoder):
    tokenizer = Tokenizer(models.BPE(dict.fromkeys(vocabulary, 0) and vocabulary, []))
    tokenizer.decoder = decoder
    if isinstance(decoder, decoders.ByteLevel):
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>")


def number(tokens):
    return {token: n for n, token in enumerate(tokens)}


def test_byte_level_tokens():
    tokens = [
        "Ġthe",
        "The",
        "Ġ",
        "Ċ",
        "cafÃ©",
        "Ã",
        "():",
        "Ġ'",
        ".",
        "<eos>",
        "ĠĠa",
        "à¤ķà¥Ģ",
        "²",
    ]
    spoken = spoken_tokens(make_tokenizer(number(tokens), decoders.ByteLevel()))
    assert spoken == {0: " the", 1: "The", 4: "café", 7: " '", 8: ".", 11: "की"}


def test_sentencepiece_tokens_with_byte_fallback():
    tokens = ["▁the", "The", "▁", "<0x41>", "▁naïve", "▁▁", "=", "3", "<eos>", "\n"]
    spoken = spoken_tokens(make_tokenizer(number(tokens), decoders.Metaspace()))
    assert spoken == {0: " the", 1: "The", 4: " naïve", 7: "3"}


def test_no_token_can_be_spoken():
    with pytest.raises(ValueError, match="no token has a text that can be spoken"):
        spoken_tokens(make_tokenizer(number(["<eos>", "{}"]), decoders.Metaspace()))


def test_installed_llm(installed_model):
    tokenizer = load_tokenizer(installed_model("SmolLM2-135M-Instruct-q4_1"))
    spoken = spoken_tokens(tokenizer)
    assert 40_000 < len(spoken) < len(tokenizer)
    for text in (" speech", "Segment", ".", " isn't"):
        for index in tokenizer(text, add_special_tokens=False)["input_ids"]:
            assert spoken[index] == tokenizer.decode([index])


def test_pronunciations_keep_spaces_case_and_punctuation():
    known = {"cat": "K AE T", "isn't": "IH Z AH N T"}
    tokens = {1: " cat", 2: "Cat", 3: "zq", 4: "isn’t.", 5: "-", 6: " 3"}
    assert pronounced_tokens(tokens, known.get) == {
        1: [" ", "K", "AE", "T"],
        2: ["^", "K", "AE", "T"],
        3: ["z", "q"],
        4: ["IH", "Z", "AH", "N", "T", "."],
        5: ["-"],
        6: [" ", "3"],
    }
