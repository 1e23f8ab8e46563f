"""A tokenizer without its LLM, for connectors whose aligner knows tokens."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory) -> str:
    """Byte-level BPE: all bytes, and the token " ab"."""
    merges = [("a", "b"), ("Ġ", "ab")]
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "ab", "Ġab"]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text("{}")
    return str(folder)
