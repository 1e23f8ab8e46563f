"""What holds for every connector: shapes, padding, NaN, nothing at all, gradients, the start."""

import inspect

import pytest
import torch
import yaml

from espnet_ssr.align.labels import TokenLabels
from espnet_ssr.align.trained import LABELS_FILE, build_network
from espnet_ssr.connector import CONNECTORS
from espnet_ssr.tensors import length_mask

WIDTH, OUTPUT = 6, 10
MATRIX = torch.randn(300, OUTPUT, generator=torch.Generator().manual_seed(0))
SMALL = {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "feedforward_size": 16}
# Frames of each segment: one or many; empty ones; one token an utterance, or none.
SEGMENTS = ([2, 1, 7, 3], [5], [3, 0, 4, 0], [1, 1], [], [1])
VARIANTS = [(name, {}) for name in CONNECTORS]
VARIANTS += [("ssr", {"pooling": pooling}) for pooling in ("mean", "attention", "cross")]
VARIANTS += [
    ("ssr", {"context": 2}),
    ("ssr", {"merge": 2, "segment_layers": 1}),
    ("ssr", {"attention": "causal"}),
]
VARIANTS += [("ssr", {"attention": "causal", "pooling": "cross"})]
VARIANTS += [("stack", {"kernel_size": 3}), ("qformer", {"queries": 2})]
VARIANTS += [("ctc_compress", {"keep_blanks": False}), ("ctc_hull", {"max_blank": 0.15})]


def name_of(variant):
    return "-".join([variant[0], *(str(value) for value in variant[1].values())])


@pytest.fixture(scope="session")
def aligner(tmp_path_factory, tokenizer_folder):
    """The checkpoint of an untrained CTC aligner of tokens."""
    folder = tmp_path_factory.mktemp("aligner")
    torch.manual_seed(0)
    labels = TokenLabels.build(["ab c"], tokenizer_folder)
    conf = {**SMALL, "num_layers": 1}
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
    made = CONNECTORS[name](WIDTH, OUTPUT, **given).eval()
    made.attach(lambda ids: MATRIX[ids])
    return made


def make_batch(segments=SEGMENTS, padding_frames=2, filler=0.0, end_filler=0):
    """Utterances of these segments and a frame more; ``filler`` after the end of the features and
    ``end_filler`` after that of the tokens."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([sum(sizes) + 1 if sizes else 0 for sizes in segments])
    feats = torch.full((len(segments), int(lengths.max()) + padding_frames, WIDTH), filler)
    for row, length in zip(feats, lengths, strict=True):
        row[:length] = torch.randn(int(length), WIDTH, generator=generator)
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
    assert_same(connector(*make_batch(**padding)).embeds, connector(*make_batch()).embeds)


@pytest.mark.parametrize("frames", [slice(2, 3), slice(None)], ids=["one frame", "all frames"])
def test_nan_stays_in_its_utterance(connector, frames):
    feats, *rest = make_batch()
    plain = connector(feats, *rest)
    for nan in (0, len(SEGMENTS) - 1):
        bad = feats.clone()
        bad[nan, frames] = torch.nan
        others = [b for b in range(len(SEGMENTS)) if b != nan]
        output = connector(bad, *rest)
        assert output.embeds[nan].isnan().any() or frames != slice(None)
        assert torch.equal(output.lengths[others], plain.lengths[others])
        for b in others:
            shorter = int(plain.lengths[b])
            assert_same(output.embeds[b, :shorter], plain.embeds[b, :shorter])
            assert not output.embeds[b, shorter:].any()


def test_without_tokens_a_connector_decides_by_itself(connector):
    if connector.needs_segmentation:
        pytest.skip("needs segments")
    feats, feats_lengths, *_ = make_batch(filler=torch.nan)
    output = connector(feats, feats_lengths)
    assert torch.equal(output.lengths > 0, feats_lengths > 0)
    for b, frames in enumerate(feats_lengths.tolist()):
        if frames:
            single = connector(feats[b : b + 1, :frames], feats_lengths[b : b + 1])
            assert_same(output.embeds[b, : output.lengths[b]], single.embeds[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_training_gives_finite_gradients_everywhere(connector, dtype):
    connector.train()
    feats, *rest = make_batch()
    feats.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        output = connector(feats, *rest)
    loss = sum(output.losses.values(), (output.embeds.float() - 1).square().sum())
    assert loss.shape == ()
    loss.backward()
    assert loss.isfinite()
    for name, parameter in connector.named_parameters():
        assert parameter.dtype == torch.float32
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    assert feats.grad.isfinite().all()
    assert feats.grad.any()


@pytest.mark.parametrize("mode", [True, False], ids=["training", "evaluation"])
def test_a_batch_of_nothing(connector, mode):
    connector.train(mode)
    feats = torch.full((2, 3, WIDTH), torch.nan)
    nothing = torch.zeros(2, dtype=torch.long)
    output = connector(feats, nothing, torch.zeros(2, 0, dtype=torch.long), nothing)
    assert output.embeds.numel() == 0
    assert torch.equal(output.lengths, nothing)
    sum(output.losses.values(), output.embeds.sum()).backward()
    for parameter in connector.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()


def test_autocast_gives_about_the_same(connector):
    with torch.autocast("cpu", torch.bfloat16):
        rounded = connector(*make_batch())
    plain = connector(*make_batch())
    assert torch.equal(rounded.lengths, plain.lengths)
    torch.testing.assert_close(rounded.embeds.float(), plain.embeds, rtol=0.05, atol=0.05)


def test_start_at_shrinks_the_output_around_the_vector(connector):
    if not isinstance(connector.output, torch.nn.Linear):
        pytest.skip("gives sums of embeddings from the start")
    output = connector(*make_batch())
    mask = length_mask(output.lengths, output.embeds.size(1))
    vector, deviation = torch.linspace(-3, 3, OUTPUT), torch.tensor(0.02)
    around_bias = output.embeds[mask] - connector.output.bias.detach()
    trainable = [p.requires_grad for p in connector.parameters()]
    connector.start_at(vector, deviation)
    around_vector = connector(*make_batch()).embeds[mask] - vector
    shrunk = 0.5 * 3**0.5 * deviation * around_bias
    torch.testing.assert_close(around_vector, shrunk, rtol=1e-4, atol=1e-6)
    assert [p.requires_grad for p in connector.parameters()] == trainable


@pytest.mark.parametrize("name", [name for name in CONNECTORS if not name.startswith("ctc_")])
def test_default_sizes_are_alike(name):
    trained = sum(p.numel() for p in CONNECTORS[name](384, 576).parameters())
    assert trained == pytest.approx(4.7e6, rel=0.1)
