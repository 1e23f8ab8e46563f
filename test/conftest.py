"""What tests share: tiny LLMs, the installed models, real prompts, hypothesis' settings."""

import json
import subprocess
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from safetensors.torch import save_file

REPO = Path(__file__).resolve().parents[1]
MODELS = REPO / "tools" / "models"
ASTERISK = REPO / "egs2" / "asterisk" / "ssr1"

# Time limits an example fail on busy machines, not on bad code.
settings.register_profile(
    "ssr", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ssr")

# On tensors as small as these threads cost more than they give.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def installed_model():
    """A function from a name to the folder below tools/models; skips where it is not installed."""

    def find(name: str) -> str:
        if not (MODELS / name / "config.json").is_file():
            pytest.skip(f"no tools/models/{name}: run 'make -C tools models'")
        return str(MODELS / name)

    return find


@pytest.fixture(scope="session")
def embedding_matrix() -> torch.Tensor:
    """Embeddings (40, 12) with a common mean, as those of real LLMs have."""
    generator = torch.Generator().manual_seed(7)
    return 0.1 * torch.randn(40, 12, generator=generator) + torch.linspace(-0.1, 0.2, 12)


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory, embedding_matrix) -> str:
    """Folder of an LLM of which only the embedding is there."""
    folder = tmp_path_factory.mktemp("tiny_llm")
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    save_file({"model.embed_tokens.weight": embedding_matrix}, folder / "model.safetensors")
    return str(folder)


@pytest.fixture(scope="session")
def causal_lm(tmp_path_factory) -> str:
    """Folder of a whole LLM, with a tokenizer; see ``tiny_causal_lm``."""
    # Here, as most tests need not wait for transformers.
    from tiny_causal_lm import save_tiny_causal_lm

    return save_tiny_causal_lm(tmp_path_factory.mktemp("causal_lm"))


@pytest.fixture(scope="session")
def make_experiment(causal_lm, tmp_path_factory):
    """A function from options of a training to its checkpoint; weights are random."""

    from experiments import save_experiment

    def make(*options, **task):
        return save_experiment(tmp_path_factory.mktemp("exp"), causal_lm, *options, **task)

    return make


@pytest.fixture(scope="session")
def remote_code(tmp_path_factory):
    """Remote code is copied to a folder of the tests, one for all, as Python imports it as one
    package."""
    import transformers.dynamic_module_utils

    folder = str(tmp_path_factory.mktemp("modules"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", folder)
        patch.syspath_prepend(folder)
        yield


@pytest.fixture(scope="session")
def asterisk_data(tmp_path_factory) -> Path:
    """``data/`` of the Asterisk recipe: its own if it was run, else fetched once a session."""
    if all((ASTERISK / "data" / name / "wav.scp").is_file() for name in ("train", "valid", "test")):
        return ASTERISK / "data"
    folder = tmp_path_factory.mktemp("asterisk")
    script = '. ./path.sh && local/data.sh --download_dir "$1/downloads" --data_dir "$1/data"'
    command = ["bash", "-c", script, "data.sh", str(folder)]
    result = subprocess.run(command, cwd=ASTERISK, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip(f"no Asterisk prompts: {result.stderr.strip().splitlines()[-1]}")
    return folder / "data"
