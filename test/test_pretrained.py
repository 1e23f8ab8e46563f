"""Where a model's name leads."""

import pytest

from espnet_ssr.pretrained import resolve_model


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Folder of models, also below the home and the working directory; ``whisper`` is in each."""
    for name in ("models", "home", "here"):
        (tmp_path / name / "whisper").mkdir(parents=True)
        (tmp_path / name / "whisper" / "config.json").write_text("{}")
        (tmp_path / name / "empty").mkdir()
    (tmp_path / "models" / "owner" / "llm").mkdir(parents=True)
    (tmp_path / "models" / "owner" / "llm" / "config.json").write_text("{}")
    monkeypatch.setenv("SSR_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("{}/here/whisper", "{}/here/whisper"),
        ("here/whisper", "here/whisper"),
        ("./here/whisper", "here/whisper"),
        ("~/whisper", "{}/home/whisper"),
        ("whisper", "{}/models/whisper"),
        ("owner/llm", "{}/models/owner/llm"),
        ("meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B"),
    ],
)
def test_found(models, name, found):
    assert resolve_model(name.format(models)) == found.format(models)


def test_folder_at_hand_comes_first(models, monkeypatch):
    monkeypatch.chdir(models / "here")
    assert resolve_model("whisper") == "whisper"


@pytest.mark.parametrize(
    "name", ["{}/here/none", "./none", "~/none", "none", "empty", "a/b/c", "../none"]
)
def test_missing_folder(models, name):
    with pytest.raises(FileNotFoundError) as error:
        resolve_model(name.format(models))
    message = str(error.value)
    assert message.startswith(f"no model {name.format(models)!r}: no such folder")
    assert f"SSR_MODELS={models / 'models'}" in message
    assert "make -C tools models" in message


def test_message_without_models_folder(models, monkeypatch):
    monkeypatch.delenv("SSR_MODELS")
    with pytest.raises(FileNotFoundError, match=r"SSR_MODELS=\(unset\)"):
        resolve_model("whisper")
