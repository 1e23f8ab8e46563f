"""Options of a configuration: unknown ones are refused by name."""

import pytest

from espnet_ssr.conf import build_from_conf


class Connector:
    def __init__(self, size, layers=4, *, dropout=0.1):
        self.options = (size, layers, dropout)


class Plain:
    pass


@pytest.mark.parametrize(
    ("conf", "options"),
    [({}, (8, 4, 0.1)), ({"layers": 2}, (8, 2, 0.1)), ({"dropout": 0, "layers": 1}, (8, 1, 0))],
)
def test_known_options(conf, options):
    assert build_from_conf(Connector, conf, "connector_conf", size=8).options == options


@pytest.mark.parametrize(
    ("class_", "conf", "given", "message"),
    [
        (
            Connector,
            {"layer": 2, "layers": 2, "drop": 0},
            {"size": 8},
            "connector_conf: unknown option drop, layer; Connector takes layers, dropout",
        ),
        (
            Connector,
            {"size": 9},
            {"size": 8},
            "connector_conf: unknown option size; Connector takes layers, dropout",
        ),
        (Plain, {"a": 1}, {}, "connector_conf: unknown option a; Plain takes none"),
    ],
)
def test_other_options_are_refused(class_, conf, given, message):
    with pytest.raises(ValueError) as error:
        build_from_conf(class_, conf, "connector_conf", **given)
    assert str(error.value) == message


def test_missing_options_are_named():
    def build(model, device="cpu"):
        return model, device

    assert build_from_conf(build, {"model": "x"}, "aligner_conf") == ("x", "cpu")
    with pytest.raises(ValueError, match="aligner_conf: build needs model"):
        build_from_conf(build, {"device": "cpu"}, "aligner_conf")
