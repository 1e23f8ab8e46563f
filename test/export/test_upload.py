"""Uploads: what is sent is what is reported; without a hub, only reported."""

import hashlib
import json

import huggingface_hub
import pytest
from huggingface_hub import constants

from espnet_ssr.export.upload import upload


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "packed" / "aligner").mkdir(parents=True)
    (tmp_path / "packed" / "README.md").write_text("card")
    (tmp_path / "packed" / "aligner" / "model.pth").write_bytes(b"123")
    (tmp_path / "packed" / ".lock").touch()
    return tmp_path / "packed"


@pytest.fixture
def hub(monkeypatch):
    """Somebody is logged in; what the hub was asked for."""
    asked = []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "somebody's")
    for name in ("create_repo", "upload_folder"):
        monkeypatch.setattr(
            huggingface_hub, name, lambda *args, name=name, **options: asked.append((name, options))
        )
    return asked


def read(report):
    return json.loads(report.read_text())


def test_sent(folder, hub, tmp_path):
    assert upload(folder, "me/ssr", tmp_path / "upload.json") is None
    (made, options), (sent, what) = hub
    assert (made, sent) == ("create_repo", "upload_folder")
    assert options == {"private": True, "exist_ok": True}
    assert what["repo_id"] == "me/ssr"
    assert what["allow_patterns"] == ["README.md", "aligner/model.pth"]
    assert read(tmp_path / "upload.json")["sent"] is True


@pytest.mark.parametrize("why", ["HF_HUB_OFFLINE", "nobody is logged in"])
def test_dry_run(why, folder, hub, monkeypatch, tmp_path):
    if why == "HF_HUB_OFFLINE":
        monkeypatch.setattr(constants, why, True)
    else:
        monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert why in upload(folder, "me/ssr", tmp_path / "upload.json")
    assert hub == []
    plan = read(tmp_path / "upload.json")
    assert (plan["repo"], plan["sent"]) == ("me/ssr", False)
    expected = {"path": "aligner/model.pth", "bytes": 3}
    expected["sha256"] = hashlib.sha256(b"123").hexdigest()
    assert plan["files"][1] == expected
    assert len(plan["files"]) == 2


def test_failures(folder, hub, monkeypatch, tmp_path):
    def refuse(*args, **options):
        raise ValueError("no such namespace")

    monkeypatch.setattr(huggingface_hub, "create_repo", refuse)
    with pytest.raises(OSError, match=r"me/ssr: not sent: no such namespace; .*upload\.json"):
        upload(folder, "me/ssr", tmp_path / "upload.json")
    assert read(tmp_path / "upload.json")["sent"] is False
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty is empty: run stage 12"):
        upload(tmp_path / "empty", "me/ssr", tmp_path / "upload.json")
