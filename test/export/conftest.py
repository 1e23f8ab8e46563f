"""Tiny experiments."""

import pytest
import transformers.dynamic_module_utils
from experiments import save_experiment


@pytest.fixture(scope="session")
def make_experiment(causal_lm, tmp_path_factory):
    """A function from options of a training to its checkpoint; weights are random."""

    def make(*options, **task):
        return save_experiment(tmp_path_factory.mktemp("exp"), causal_lm, *options, **task)

    return make


@pytest.fixture(scope="session")
def remote_code(tmp_path_factory):
    """Remote code is copied to a folder of the tests, one for all, as Python imports it as one
    package."""
    folder = str(tmp_path_factory.mktemp("modules"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", folder)
        patch.syspath_prepend(folder)
        yield
