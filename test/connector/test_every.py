"""What holds for every connector: shapes, padding, NaN, empty rows, gradients, the untrained start."""

import inspect

import pytest
import torch
import yaml

from espnet_ssr.align.labels import CharLabels
from espnet_ssr.align.trained import LABELS_FILE, build_network
from espnet_ssr.connector import CONNECTORS, SSRConnector
from espnet_ssr.tensors import length_mask

WIDTH, OUTPUT = 6, 10
SMALL = {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "feedforward_size": 16}
# Frames of each segment: one or many; empty ones; one token an utterance, or none.
SEGMENTS = ([2, 1, 7, 3], [5], [3, 0, 4, 0], [1, 1], [], [1])
VARIANTS = [(name, {}) for name in CONNECTORS]
VARIANTS += [("ssr", {"pooling": pooling}) for pooling in ("mean", "attention", "cross")]
VARIANTS += [("ssr", {"context": 2}), ("ssr", {"attention": "causal"})]
VARIANTS += [("ssr", {"attention": "causal", "pooling": "cross"})]
HEARS_ITSELF = [variant for variant in VARIANTS if CONNECTORS[variant[0]].needs_segmentation]


def name_of(variant):
    return "-".join([variant[0], *variant[1].values()]) if isinstance(variant, tuple) else None


@pytest.fixture(scope="session")
def aligner(tmp_path_factory):
    """The checkpoint of an untrained CTC aligner."""
    folder = tmp_path_factory.mktemp("aligner")
    torch.manual_seed(0)
    labels, conf = CharLabels.build(["ab c"]), {**SMALL, "num_layers": 1}
    config = {"aligner": "ctc", "aligner_conf": conf, "input_size": WIDTH}
    config |= {"frame_rate": 50.0, "frame_offset": 0.0}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    labels.save(folder / LABELS_FILE)
    state = build_network("ctc", conf, WIDTH, labels).state_dict()
    torch.save({f"network.{name}": value for name, value in state.items()}, folder / "model.pth")
    return str(folder / "model.pth")


@pytest.fixture(params=VARIANTS, ids=name_of)
def connector(request, aligner):
    torch.manual_seed(0)
    name, options = request.param
    known = inspect.signature(CONNECTORS[name]).parameters
    given = {**SMALL, "aligner": aligner, **options}
    given = {option: value for option, value in given.items() if option in known}
    return CONNECTORS[name](WIDTH, OUTPUT, **given).eval()


def make_batch(segments=SEGMENTS, padding_frames=2, filler=0.0, end_filler=0):
    """Utterances of these segments and a frame more; ``filler`` after the end of the features and
    ``end_filler`` after that of the tokens."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([sum(sizes) + 1 if sizes else 0 for sizes in segments])
    size = int(lengths.max()) + padding_frames
    feats = torch.randn(len(segments), size, WIDTH, generator=generator)
    feats[~length_mask(lengths, size)] = filler
    token_end = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(sizes, dtype=torch.long).cumsum(0) - 1 for sizes in segments],
        batch_first=True,
        padding_value=end_filler,
    )
    return feats, lengths, token_end, torch.tensor([len(sizes) for sizes in segments])


def take(batch, rows):
    """Some utterances, without the frames and the tokens that none of them has."""
    feats, feats_lengths, token_end, token_lengths = (x[rows] for x in batch)
    feats = feats[:, : int(feats_lengths.max())]
    return feats, feats_lengths, token_end[:, : int(token_lengths.max())], token_lengths


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_shape_and_padding_of_the_output(connector):
    batch = make_batch()
    output = connector(*batch)
    assert output.embeds.shape == (len(SEGMENTS), int(output.lengths.max()), OUTPUT)
    assert output.embeds.dtype == torch.float32
    assert connector.output_size() == OUTPUT
    mask = length_mask(output.lengths, output.embeds.size(1))
    assert not output.embeds[~mask].any()
    assert output.embeds[mask].any(dim=-1).all()
    assert torch.equal(output.lengths > 0, batch[1] > 0)
    if connector.token_aligned:
        assert torch.equal(output.lengths, batch[3])


def test_an_utterance_does_not_see_its_batch(connector):
    batch = make_batch()
    output = connector(*batch)
    for b, sizes in enumerate(SEGMENTS):
        if sizes:
            single = connector(*take(batch, slice(b, b + 1)))
            assert torch.equal(single.lengths, output.lengths[b : b + 1])
            assert_same(output.embeds[b, : output.lengths[b]], single.embeds[0])


@pytest.mark.parametrize(
    "padding",
    [
        pytest.param({"padding_frames": 9}, id="more frames"),
        pytest.param({"filler": 1e4}, id="garbage frames"),
        pytest.param({"filler": torch.nan}, id="NaN frames"),
        pytest.param({"end_filler": 10**9}, id="garbage ends"),
        pytest.param({"end_filler": -7}, id="negative ends"),
    ],
)
def test_padding_does_not_matter(connector, padding):
    plain = make_batch()
    padded = make_batch(**padding)
    padded[0][:, : plain[0].size(1)][length_mask(plain[1], plain[0].size(1))] = plain[0][
        length_mask(plain[1], plain[0].size(1))
    ]
    assert_same(connector(*padded).embeds, connector(*plain).embeds)
