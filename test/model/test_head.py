"""Heads by their configuration, and distillation with one that has posteriors."""

import pytest
import torch

from espnet_ssr.connector import SSRConnector
from espnet_ssr.connector.cif import CIFConnector
from espnet_ssr.connector.heads import HullHead
from espnet_ssr.connector.mean import MeanConnector
from espnet_ssr.llm.embedding import EmbeddingSpace, load_embedding_matrix
from espnet_ssr.model.distill import SSRDistillModel
from espnet_ssr.model.head import change_head, read_dictionary, set_head
from espnet_ssr.tensors import length_mask

WIDTH = 16
SMALL = {"key_size": 16, "symbol_size": 8, "channels": 8, "negatives": 20}


@pytest.fixture
def space(causal_lm):
    return EmbeddingSpace(load_embedding_matrix(causal_lm))


def make_connector(llm, make=SSRConnector, head="hull", conf=SMALL, **options):
    torch.manual_seed(0)
    connector = make(WIDTH, load_embedding_matrix(llm).size(1), hidden_size=32, **options)
    set_head(connector, head, conf, llm)
    return connector


def make_batch(head, utterances=6, tokens=4):
    """Utterances whose frames say which token it is."""
    generator = torch.Generator().manual_seed(0)
    known = head.keys.ids[torch.randperm(len(head.keys.ids), generator=generator)[:8]]
    codes = torch.randn(8, WIDTH, generator=generator)
    drawn = torch.randint(8, (utterances, tokens), generator=generator)
    return {
        "feats": codes[drawn].repeat_interleave(3, dim=1),
        "feats_lengths": torch.full((utterances,), 3 * tokens),
        "token_id": known[drawn],
        "token_id_lengths": torch.full((utterances,), tokens),
        "token_end": (torch.arange(1, tokens + 1) * 0.06).expand(utterances, -1),
    }


@pytest.mark.parametrize("keys", ["spelling", "both"])
@pytest.mark.parametrize("make", [SSRConnector, MeanConnector, CIFConnector])
def test_token_aligned_connectors_learn_with_it(causal_lm, space, make, keys):
    if keys == "both":
        pytest.importorskip("pocketsphinx")
    connector = make_connector(causal_lm, make, conf={**SMALL, "keys": keys}, num_layers=1)
    model = SSRDistillModel(connector, space, encoder=None, frame_rate=50.0)
    batch = make_batch(connector.output)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        model.train()(**batch)[0].backward()
        optimizer.step()
    stats = model.eval()(**batch)[1]
    assert stats["token_accuracy"] > 0.8
    assert {"posterior", "cosine", "mse"} <= set(stats)


def test_losses_on_the_vector_go_with_it(causal_lm, space):
    connector = make_connector(causal_lm, MeanConnector)
    losses = {"posterior": 1.0, "mse": 0.5}
    model = SSRDistillModel(connector, space, losses, encoder=None, frame_rate=50.0).eval()
    loss, stats, _ = model(**make_batch(connector.output))
    torch.testing.assert_close(loss, stats["posterior"] + 0.5 * stats["mse"])


def test_tokens_that_cannot_be_spoken_are_left_out_of_the_loss(causal_lm, space):
    connector = make_connector(causal_lm, MeanConnector)
    model = SSRDistillModel(connector, space, encoder=None, frame_rate=50.0).eval()
    batch = make_batch(connector.output)
    all_ids = torch.arange(len(space.matrix))
    silent = all_ids[~connector.output.can_be_spoken(all_ids)][0]
    batch["token_id"][:, -1] = silent
    found = model(**batch)[1]["posterior"]
    feats = {name: batch[name] for name in ("feats", "feats_lengths")}
    output = model.connect(batch["token_end"], batch["token_id_lengths"], **feats)
    spoken = (batch["token_id"] != silent).flatten()
    ids = batch["token_id"].flatten()[spoken]
    expected = connector.output.cross_entropy(output.states[spoken], ids)
    torch.testing.assert_close(found, expected)
    batch["token_id"][:] = silent
    for mode in (True, False):
        assert model.train(mode)(**batch)[1]["posterior"] == 0


def test_an_utterance_does_not_see_its_batch(causal_lm, space):
    connector = make_connector(causal_lm).eval()
    connector.attach(space)
    feats, lengths = torch.randn(3, 9, WIDTH), torch.tensor([9, 6, 3])
    ends, counts = torch.tensor([[2, 5, 8]] * 3), torch.tensor([3, 2, 1])
    output = connector(feats, lengths, ends, counts)
    assert not output.embeds[~length_mask(counts, 3)].any()
    for n in range(3):
        alone = connector(feats[n : n + 1, : lengths[n]], lengths[n : n + 1], ends[:1, : counts[n]],
                          counts[n : n + 1])  # fmt: skip
        torch.testing.assert_close(output.embeds[n, : counts[n]], alone.embeds[0])


def test_linear_is_what_connectors_are_built_with(causal_lm):
    assert isinstance(make_connector(causal_lm, head="linear", conf={}).output, torch.nn.Linear)
    assert isinstance(make_connector(causal_lm).output, HullHead)


def test_a_connector_with_a_head_of_its_own_takes_no_other(causal_lm):
    connector = MeanConnector(WIDTH, WIDTH, hidden_size=8)
    connector.output = torch.nn.Identity()
    set_head(connector, "linear", {}, causal_lm)
    with pytest.raises(ValueError, match="MeanConnector has one of its own: leave out hull"):
        set_head(connector, "hull", {}, causal_lm)


@pytest.mark.parametrize(
    ("head", "conf", "message"),
    [
        ("hul", {}, "head: linear, hull, not 'hul'"),
        ("linear", {"top_k": 3}, "the linear head has no options: leave out top_k"),
        ("hull", {"topk": 3}, "head_conf: unknown option topk"),
        ("hull", {"keys": "sound"}, "keys: spelling, pronunciation, both, not 'sound'"),
        ("hull", {"keys": "both", "dictionary": "none.dict"}, "dictionary: none.dict"),
        ("hull", {"top_k": -1}, "top_k: a whole number from 0, not -1"),
        ("hull", {"channels": 8.5}, "channels: a whole number from 1, not 8.5"),
        ("hull", {"sharpness": "1e1"}, "sharpness: a number such as 1.5, not '1e1'"),
        ("hull", {"sharpness": 0}, "sharpness: above 0, not 0"),
        ("hull", {"prior_weight": float("nan")}, "prior_weight: a number such as 1.5, not nan"),
    ],
)
def test_wrong_options_are_named(causal_lm, head, conf, message):
    with pytest.raises(ValueError, match=message):
        make_connector(causal_lm, head=head, conf=conf)


def test_a_posterior_loss_needs_a_head_with_posteriors(causal_lm, space):
    connector = make_connector(causal_lm, head="linear", conf={})
    with pytest.raises(ValueError, match="needs a head with posteriors: head: hull"):
        SSRDistillModel(connector, space, {"posterior": 1.0}, encoder=None, frame_rate=50.0)


def test_dictionary(tmp_path):
    file = tmp_path / "a.dict"
    file.write_text("Cat  K AE T\ncat(2) K A T\n\nof AH V\n")
    assert read_dictionary(str(file)) == {"cat": "K AE T", "of": "AH V"}
    file.write_text("of AH V\nat\n")
    with pytest.raises(ValueError, match=r"a\.dict:2: 'at' has no phones"):
        read_dictionary(str(file))


def test_inference_sets_some_options_otherwise():
    config = {"head": "hull", "head_conf": {"keys": "both", "top_k": 3}}
    change_head(config, {"sharpness": 2.0, "top_k": 5})
    assert config["head_conf"] == {"keys": "both", "top_k": 5, "sharpness": 2.0}
    with pytest.raises(ValueError, match="inference can change .* not 'key_size'"):
        change_head(config, {"key_size": 3})
    change_head({"connector": "mean"}, {})
    with pytest.raises(ValueError, match="has a linear head"):
        change_head({"connector": "mean"}, {"sharpness": 2.0})
