"""Where remote code is put."""

import pytest
import transformers.dynamic_module_utils


@pytest.fixture(scope="session")
def remote_code(tmp_path_factory):
    """Remote code is copied to a folder of the tests, one for all, as Python imports it as one
    package."""
    folder = str(tmp_path_factory.mktemp("modules"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", folder)
        patch.syspath_prepend(folder)
        yield
