"""The hull at frame rate against a plain loop over frames; its aligner stays as it was trained."""

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from espnet_ssr.align.labels import CharLabels, TokenLabels
from espnet_ssr.align.trained import LABELS_FILE, build_network
from espnet_ssr.connector.ctc_hull import CTCHullConnector, LabelHull
from espnet_ssr.train.checkpoint import TrainedWeightsMixin

NAMES = ["<blank>", " ab", "b", "é", "c"]
WIDTH, OUTPUT = len(NAMES), 5
MATRIX = torch.randn(300, OUTPUT, generator=torch.Generator().manual_seed(0))
CONF = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "feedforward_size": 8}


def save_aligner(folder, labels, name="ctc"):
    """Leave an untrained aligner as a training does; returns its path."""
    torch.manual_seed(0)
    conf = CONF if name == "ctc" else {"hidden_size": 8}
    network = build_network(name, conf, WIDTH, labels)
    config = {"aligner": name, "aligner_conf": conf, "input_size": WIDTH}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    labels.save(folder / LABELS_FILE)
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    torch.save(state, folder / "model.pth")
    return str(folder / "model.pth")


@pytest.fixture(scope="module")
def aligner(tmp_path_factory, tokenizer_folder):
    return save_aligner(tmp_path_factory.mktemp("aligner"), TokenLabels(NAMES, tokenizer_folder))


class Echo(torch.nn.Module):
    """An aligner whose log posteriors are the features, so that a test decides on them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("prior", torch.ones(1))

    def log_probs(self, feats, lengths):
        return feats


def make_connector(aligner, **options):
    connector = CTCHullConnector(WIDTH, OUTPUT, aligner, **options).eval()
    connector.attach(lambda ids: MATRIX[ids])
    return connector


def embeddings_of_labels(folder):
    """Of each label but the blank, by the tokenizer's own account of its string."""
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    return [MATRIX[tokenizer.encode(name).ids].mean(0) for name in NAMES[1:]]


def plain_vectors(posteriors, embeddings, max_blank, sharpness):
    """Vectors of one utterance, of the posteriors ``(T, V)`` of its frames."""
    kept = [p for p in posteriors if p[0] <= max_blank]
    if len(posteriors) and not kept:
        kept = [min(posteriors, key=lambda p: p[0])]
    vectors = []
    for p in kept:
        powers = [float(x) ** sharpness for x in p[1:]]
        pairs = zip(powers, embeddings, strict=True)
        vectors.append(sum(x / sum(powers) * e for x, e in pairs))
    return vectors


@given(
    sizes=st.lists(st.integers(0, 6), min_size=1, max_size=4).filter(any),
    spare=st.integers(0, 2),
    blank=st.sampled_from([-2.0, 1.0, 3.0, 9.0]),
    max_blank=st.sampled_from([0.3, 0.9]),
    sharpness=st.sampled_from([0.5, 1.0, 3.0]),
    seed=st.integers(0, 99),
)
def test_equals_a_plain_loop(
    aligner, tokenizer_folder, sizes, spare, blank, max_blank, sharpness, seed
):
    connector = make_connector(aligner, max_blank=max_blank)
    connector.aligner = Echo()
    with torch.no_grad():
        connector.output.log_sharpness.fill_(sharpness).log_()
    generator = torch.Generator().manual_seed(seed)
    feats = torch.full((len(sizes), max(sizes) + spare, WIDTH), torch.nan)
    for row, size in zip(feats, sizes, strict=True):
        scores = torch.randn(size, WIDTH, generator=generator)
        scores[:, 0] += blank
        row[:size] = scores.log_softmax(-1)
    output = connector(feats, torch.tensor(sizes))
    embeddings = embeddings_of_labels(tokenizer_folder)
    for b, size in enumerate(sizes):
        plain = plain_vectors(feats[b, :size].exp(), embeddings, max_blank, sharpness)
        assert output.lengths[b] == len(plain)
        for found, expected in zip(output.embeds[b], plain, strict=False):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert (output.embeds[b, len(plain) :] == 0).all()


def test_labels_have_the_token_of_their_string_or_the_mean_of_several(tokenizer_folder):
    ids = TokenLabels(NAMES, tokenizer_folder).token_ids()
    tokenizer = Tokenizer.from_file(f"{tokenizer_folder}/tokenizer.json")
    assert ids[0] == []
    assert ids[1] == [tokenizer.token_to_id("Ġab")]
    assert len(ids[3]) == 2  # bytes
    hull = LabelHull(ids, OUTPUT)
    hull.attach(lambda i: MATRIX[i])
    expected = torch.stack(embeddings_of_labels(tokenizer_folder))
    torch.testing.assert_close(hull.embeddings(), expected)


def test_labels_of_a_sentencepiece_vocabulary(tmp_path):
    vocabulary = {"▁": 0, "a": 1, "b": 2, "▁a": 3, "ab": 4}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("▁", "a"), ("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text("{}")
    labels = TokenLabels(["<blank>", " a", "ab", "b", " b", "x"], str(tmp_path))
    # Not the start of a word where the label is inside one; no token for what is unknown.
    assert labels.token_ids() == [[], [3], [4], [2], [2], []]


def test_the_gradient_of_the_sharpness():
    hull = LabelHull([[], [3], [4, 5], [], [6]], OUTPUT)
    hull.attach(lambda i: MATRIX[i].double())
    log_posteriors = torch.randn(7, 5, dtype=torch.double).log_softmax(-1)
    target = torch.randn(7, OUTPUT, dtype=torch.double)

    def loss(value):
        with torch.no_grad():
            hull.log_sharpness.fill_(value)
        return (hull.double()(log_posteriors) * target).sum()

    loss(0.3).backward()
    step = 1e-4
    with torch.no_grad():
        expected = (loss(0.3 + step) - loss(0.3 - step)) / (2 * step)
    assert hull.log_sharpness.grad.item() == pytest.approx(expected.item(), rel=1e-3)


def test_the_sharpness_alone_is_trained(aligner):
    connector = make_connector(aligner).train()
    assert not any(module.training for module in connector.aligner.modules())
    connector(torch.randn(2, 9, WIDTH), torch.tensor([9, 4])).embeds.sum().backward()
    trained = {name for name, p in connector.named_parameters() if p.grad is not None}
    assert trained == {"output.log_sharpness"}
    before = connector.output.log_sharpness.item()
    connector.start_at(torch.ones(OUTPUT), torch.tensor(1.0))
    assert connector.output.log_sharpness.item() == before


class Model(TrainedWeightsMixin, torch.nn.Module):
    def __init__(self, connector):
        super().__init__()
        self.connector = connector


def test_checkpoints_are_without_the_aligner_and_the_labels(aligner):
    model = Model(make_connector(aligner))
    with torch.no_grad():
        model.connector.output.log_sharpness.fill_(0.7)
    state = model.state_dict()
    assert state.keys() == {"connector.output.log_sharpness", "connector.aligner.prior"}
    again = Model(make_connector(aligner))
    again.load_state_dict(state)
    feats, lengths = torch.randn(2, 9, WIDTH), torch.tensor([9, 4])
    found, expected = (m.connector(feats, lengths).embeds for m in (again, model))
    assert torch.equal(found, expected)


def test_aligners_that_are_of_no_use_are_refused(tmp_path, tokenizer_folder):
    with pytest.raises(ValueError, match=r"model\.pth: its labels are of the kind char; ctc_hull"):
        make_connector(save_aligner(tmp_path, CharLabels(NAMES)))
    labels = TokenLabels(NAMES, tokenizer_folder)
    with pytest.raises(ValueError, match="unity2; CTCHullConnector needs"):
        make_connector(save_aligner(tmp_path, labels, "unity2"))
    with pytest.raises(ValueError, match="no label of the aligner has a token"):
        LabelHull([[], []], OUTPUT)


def test_without_embeddings_it_says_what_is_missing(aligner):
    connector = CTCHullConnector(WIDTH, OUTPUT, aligner)
    with pytest.raises(RuntimeError, match="call attach first"):
        connector(torch.randn(1, 3, WIDTH), torch.tensor([3]))
