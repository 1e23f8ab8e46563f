"""The reader of CTranslate2's model.bin, and the renaming of Whisper's weights."""

import json
import struct

import numpy as np
import pytest

CODES = {"float32": 0, "int8": 1, "int32": 3, "float16": 4}


def text(value):
    data = value.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def model_bytes(variables, aliases=(), version=6):
    """A model.bin, written from the description of the format."""
    out = [struct.pack("<I", version), text("TinySpec"), struct.pack("<II", 3, len(variables))]
    for name, array in variables.items():
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        data = array.tobytes()
        out += [text(name), shape, struct.pack("<BI", CODES[array.dtype.name], len(data)), data]
    out.append(struct.pack("<I", len(aliases)))
    out += [text(name) for pair in aliases for name in pair]
    return b"".join(out)


@pytest.fixture
def reader(load_tool):
    return load_tool("installers/ctranslate2_file.py")


@pytest.fixture
def variables():
    rng = np.random.default_rng(0)
    return {
        "encoder/weight": rng.standard_normal((3, 4)).astype(np.float16),
        "encoder/bias": rng.standard_normal(3).astype(np.float32),
        "encoder/pre_norm": np.array(1, dtype=np.int8),
    }


def test_reads_what_was_written(reader, variables, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(model_bytes(variables, [("output/weight", "encoder/weight")]))
    model = reader.read_model_file(path)
    assert (model.spec, model.revision) == ("TinySpec", 3)
    assert model.aliases == {"output/weight": "encoder/weight"}
    assert list(model.variables) == list(variables)
    for name, array in variables.items():
        assert model.variables[name].dtype == array.dtype
        np.testing.assert_array_equal(model.variables[name], array)


def test_every_truncation_is_an_error_that_names_the_file(reader, variables, tmp_path):
    data = model_bytes(variables)
    path = tmp_path / "short.bin"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(reader.ModelFileError, match="short.bin: truncated"):
            reader.read_model_file(path)


def test_other_file_version_is_an_error(reader, variables, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(model_bytes(variables, version=7))
    with pytest.raises(reader.ModelFileError, match="version 7"):
        reader.read_model_file(path)


def test_size_that_contradicts_the_shape_is_an_error(reader, tmp_path):
    data = bytearray(model_bytes({"w": np.zeros(2, dtype=np.float32)}))
    position = data.index(struct.pack("<I", 8))
    data[position] = 12
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(reader.ModelFileError, match="w has 12 bytes, its shape says 8"):
        reader.read_model_file(path)


def test_unsupported_type_is_an_error(reader, monkeypatch, tmp_path):
    monkeypatch.setitem(CODES, "float32", 5)
    path = tmp_path / "model.bin"
    path.write_bytes(model_bytes({"w": np.zeros(2, dtype=np.float32)}))
    with pytest.raises(reader.ModelFileError, match="w has unsupported type 5"):
        reader.read_model_file(path)


def test_stacked_projection_is_split_and_the_key_bias_dropped(load_tool):
    weights = load_tool("installers/whisper_weights.py")
    stacked = {"a/weight": np.arange(12.0).reshape(6, 2), "a/bias": np.array([1, 2, 0, 0, 5, 6.0])}
    state = weights.linear_weights(stacked, "a", ("q_proj", "x.k_proj", "v_proj"))
    assert sorted(state) == [
        "q_proj.bias", "q_proj.weight", "v_proj.bias", "v_proj.weight", "x.k_proj.weight",
    ]  # fmt: skip
    np.testing.assert_array_equal(state["x.k_proj.weight"], [[4, 5], [6, 7]])
    np.testing.assert_array_equal(state["v_proj.bias"], [5, 6])


def test_key_projection_with_a_bias_is_an_error(load_tool):
    weights = load_tool("installers/whisper_weights.py")
    stacked = {"a/weight": np.ones((2, 2)), "a/bias": np.ones(2)}
    with pytest.raises(ValueError, match="key projection has a bias"):
        weights.linear_weights(stacked, "a", ("q_proj", "x.k_proj"))


def published_model(folder, num_words, tasks):
    """The files beside the weights of a model with ``num_words`` tokens of text."""
    special = ["<|endoftext|>", "<|startoftranscript|>", *tasks, "<|startofprev|>"]
    tokens = [f"word{number}" for number in range(num_words)] + special + ["<|notimestamps|>"]
    tokens += [f"<|{number / 50:.2f}|>" for number in range(1501)]
    (folder / "vocabulary.txt").write_text("\n".join(tokens) + "\n")
    suppressed = {"suppress_ids": [1], "suppress_ids_begin": [2], "alignment_heads": [[0, 1]]}
    lang_ids = [tokens.index("<|en|>")] if tasks else []
    (folder / "config.json").write_text(json.dumps({**suppressed, "lang_ids": lang_ids}))
    return tokens


def test_multilingual_model_is_told_language_and_task(load_tool, tmp_path):
    tool = load_tool("installers/convert_whisper_ct2.py")
    tasks = ["<|en|>", "<|translate|>", "<|transcribe|>"]
    tokens = published_model(tmp_path, 50357, tasks)
    assert [tokens[number] for number in tool.prompt(tmp_path)] == [
        "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>",
    ]  # fmt: skip
    values = tool.generation_values(tmp_path)
    assert values["is_multilingual"] and tokens[values["eos_token_id"]] == "<|endoftext|>"
    assert values["lang_to_id"] == {"<|en|>": tokens.index("<|en|>")}
    assert values["task_to_id"]["transcribe"] == tokens.index("<|transcribe|>")


def test_english_model_is_told_neither(load_tool, tmp_path):
    tool = load_tool("installers/convert_whisper_ct2.py")
    tokens = published_model(tmp_path, 50358, [])
    assert [tokens[number] for number in tool.prompt(tmp_path)] == [
        "<|startoftranscript|>", "<|notimestamps|>",
    ]  # fmt: skip
    values = tool.generation_values(tmp_path)
    assert not values["is_multilingual"] and "lang_to_id" not in values
    assert tool.text_tokens(tmp_path, [50359, 7, 50358]) == [7]
