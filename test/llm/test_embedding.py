"""The LLM's embeddings: read from the one file that has them, and distances against formulas."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from espnet_ssr.llm.embedding import EmbeddingSpace, load_embedding_matrix

MATRIX = torch.arange(12.0).reshape(4, 3)
OTHER = torch.ones(4, 3)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def write_index(folder, weight_map):
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


@pytest.mark.parametrize(
    "name",
    [
        "model.embed_tokens.weight",
        "model.decoder.embed_tokens.weight",
        "transformer.wte.weight",
        "gpt_neox.embed_in.weight",
        "transformer.word_embeddings.weight",
        "word_embeddings.weight",
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_matrix_of_a_single_file(folder, name, dtype):
    others = {"lm_head.weight": OTHER.to(dtype), "model.layers.0.mlp.up_proj.weight": MATRIX + 1}
    save_file({name: MATRIX.to(dtype), **others}, folder / "model.safetensors")
    found = load_embedding_matrix(str(folder))
    assert found.dtype == torch.float32
    assert torch.equal(found, MATRIX)


def test_only_the_shard_with_the_matrix_is_needed(folder):
    shard = "model-00002-of-00002.safetensors"
    write_index(
        folder,
        {
            "lm_head.weight": "model-00001-of-00002.safetensors",  # was never written
            "model.embed_tokens.weight": shard,
        },
    )
    save_file({"model.embed_tokens.weight": MATRIX}, folder / shard)
    assert torch.equal(load_embedding_matrix(str(folder)), MATRIX)


def test_missing_shard(folder):
    write_index(folder, {"model.embed_tokens.weight": "model-00001-of-00001.safetensors"})
    with pytest.raises(FileNotFoundError, match=folder.name):
        load_embedding_matrix(str(folder))


def test_no_safetensors(folder):
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="no model.safetensors; save the model with"):
        load_embedding_matrix(str(folder))


@pytest.mark.parametrize("sharded", [False, True])
def test_no_embedding(folder, sharded):
    save_file({"lm_head.weight": OTHER}, folder / "model.safetensors")
    if sharded:
        write_index(folder, {"lm_head.weight": "model.safetensors"})
    with pytest.raises(KeyError, match="no input embedding; looked for embed_tokens.weight"):
        load_embedding_matrix(str(folder))


def test_two_candidates_are_not_guessed_between(folder):
    names = ("text.embed_tokens.weight", "audio.embed_tokens.weight")
    save_file({name: MATRIX + i for i, name in enumerate(names)}, folder / "model.safetensors")
    with pytest.raises(KeyError, match="no input embedding"):
        load_embedding_matrix(str(folder))


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="make -C tools models"):
        load_embedding_matrix(str(tmp_path / "nowhere"))


def test_installed_llm(installed_model):
    folder = installed_model("SmolLM2-135M-Instruct-q4_1")
    with open(f"{folder}/config.json", encoding="utf-8") as f:
        config = json.load(f)
    matrix = load_embedding_matrix(folder)
    assert matrix.shape == (config["vocab_size"], config["hidden_size"])
    assert matrix.isfinite().all()


def cosine(a, b):
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def minus(a, b):
    return [x - y for x, y in zip(a, b, strict=True)]


def square(a):
    return sum(x * x for x in a)


@given(
    seed=st.integers(0, 999),
    vocabulary=st.integers(2, 9),
    width=st.integers(2, 5),
    count=st.integers(1, 7),
)
def test_fidelity_and_nearest_are_the_formulas(seed, vocabulary, width, count):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(vocabulary, width, generator=generator) + 1.5
    vectors = torch.randn(count, width, generator=generator) + 1.5
    ids = torch.randint(vocabulary, (count,), generator=generator)
    space = EmbeddingSpace(matrix)
    figures = space.fidelity(vectors, ids)
    nearest = space.nearest(vectors, chunk=3)

    rows, outputs = matrix.double().tolist(), vectors.double().tolist()
    mean = [sum(column) / vocabulary for column in zip(*rows, strict=True)]
    variance = sum(square(minus(row, mean)) for row in rows) / vocabulary
    targets = [rows[i] for i in ids]
    pairs = list(zip(outputs, targets, strict=True))
    expected = {
        "cosine": [cosine(x, y) for x, y in pairs],
        "centred_cosine": [cosine(minus(x, mean), minus(y, mean)) for x, y in pairs],
        "mse": [square(minus(x, y)) / variance for x, y in pairs],
    }
    assert figures.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(figures[name], torch.tensor(values), rtol=1e-4, atol=1e-4)
    for x, found in zip(outputs, nearest.tolist(), strict=True):
        scores = [cosine(minus(x, mean), minus(row, mean)) for row in rows]
        assert scores[found] >= max(scores) - 1e-5


def test_embeddings_are_their_own_nearest(embedding_matrix):
    space = EmbeddingSpace(embedding_matrix)
    ids = torch.arange(len(embedding_matrix)).flip(0)
    figures = space.fidelity(space(ids), ids)
    torch.testing.assert_close(figures["cosine"], torch.ones(len(ids)))
    torch.testing.assert_close(figures["centred_cosine"], torch.ones(len(ids)))
    assert not figures["mse"].any()
    assert torch.equal(space.nearest(space(ids)), ids)
    assert space.width == embedding_matrix.size(1)


def test_predicting_the_mean_scores_a_mean_squared_distance_of_one(embedding_matrix):
    space = EmbeddingSpace(embedding_matrix)
    ids = torch.arange(len(embedding_matrix))
    mse = space.fidelity(space.mean.expand(len(ids), -1), ids)["mse"].mean()
    torch.testing.assert_close(mse, torch.tensor(1.0))


@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_nearest_in_chunks_and_of_nothing(embedding_matrix, chunk):
    space = EmbeddingSpace(embedding_matrix)
    vectors = torch.randn(20, space.width, generator=torch.Generator().manual_seed(0))
    assert torch.equal(space.nearest(vectors, chunk), space.nearest(vectors, 20))
    assert space.nearest(vectors[:0], chunk).tolist() == []


def test_a_zero_row_is_harmless():
    """Some vocabularies have untrained rows; one at the mean has no direction."""
    matrix = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    space = EmbeddingSpace(matrix)
    assert space.nearest(matrix[:2]).tolist() == [0, 1]
    assert space.fidelity(matrix, torch.arange(3))["centred_cosine"].isfinite().all()


def test_the_matrix_is_not_in_checkpoints(embedding_matrix):
    assert EmbeddingSpace(embedding_matrix).state_dict() == {}
