"""Training through the LLM: its loss by hand, batches, what is trained, and that it learns."""

import pytest
import torch
from tiny_causal_lm import make_tokenizer
from torch.nn.functional import cross_entropy, kl_div

from espnet_ssr.connector import AbsConnector, ConnectorOutput, MeanConnector
from espnet_ssr.llm.load import load_frozen_llm
from espnet_ssr.llm.prompt import Prompt
from espnet_ssr.model.lm import SSRLMModel

SIZE, WIDTH = 6, 16
FRAMES = (9, 4, 12)
TOKENS = ([30, 10, 70], [50], [0, 90, 30, 20])


class Pairs(AbsConnector):
    """A vector for every two frames, with a loss of its own; notes what it was told."""

    needs_segmentation = False
    token_aligned = False

    def __init__(self):
        super().__init__()
        self.output = torch.nn.Linear(2 * SIZE, WIDTH)

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        self.told = token_end, token_lengths
        pairs = feats[:, : feats.size(1) // 2 * 2].unflatten(1, (-1, 2)).flatten(2)
        losses = {"size": 0.1 * self.output.weight.square().mean()}
        return ConnectorOutput(self.output(pairs), feats_lengths // 2, losses)


def pad(rows):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return {
        "feats": pad([torch.randn(n, SIZE, generator=generator) for n in FRAMES]),
        "feats_lengths": torch.tensor(FRAMES),
        "token_id": pad([torch.tensor(ids) for ids in TOKENS]),
        "token_id_lengths": torch.tensor([len(ids) for ids in TOKENS]),
    }


def make_model(causal_lm, connector=None, end="\n", llm_conf=None, **options):
    torch.manual_seed(0)
    llm = load_frozen_llm(causal_lm, **llm_conf or {})
    prompt = Prompt(make_tokenizer(start=True), "a", "bc", end)
    return SSRLMModel(connector or Pairs(), llm, prompt, encoder=None, frame_rate=50.0, **options)


def one(batch, i):
    """A batch of one utterance, without padding."""
    frames, tokens = FRAMES[i], len(TOKENS[i])
    return {
        "feats": batch["feats"][i : i + 1, :frames],
        "feats_lengths": torch.tensor([frames]),
        "token_id": batch["token_id"][i : i + 1, :tokens],
        "token_id_lengths": torch.tensor([tokens]),
    }


def logits_by_hand(model, vectors, ids):
    """Of the tokens after vectors, straight from transformers."""
    prompt = model.prompt
    parts = [model.llm.embed(prompt.before), vectors, model.llm.embed(prompt.after)]
    inputs = torch.cat([*parts, model.llm.embed(ids)])[None]
    return model.llm.model(inputs_embeds=inputs).logits[0, -len(ids) - 1 : -1]


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("loss", ["cross_entropy", "kl"])
def test_loss_is_the_formula_and_padding_is_not_seen(causal_lm, batch, loss, end):
    model = make_model(causal_lm, end=end, loss=loss).eval()
    found, stats, weight = model(utt_id=["a", "b", "c"], **batch)
    nats, divergence = [], []
    for i, text in enumerate(TOKENS):
        ids = torch.tensor([*text, *model.prompt.end])
        vectors = model.connect_one(one(batch, i)["feats"][0])
        logits = logits_by_hand(model, vectors, ids)
        wanted = logits_by_hand(model, model.llm.embed(text), ids)
        nats.append(cross_entropy(logits, ids, reduction="none"))
        divergence.append(
            kl_div(logits.log_softmax(-1), wanted.softmax(-1), reduction="none").sum(-1)
        )
    own = 0.1 * model.connector.output.weight.square().mean()
    expected = torch.cat(nats if loss == "cross_entropy" else divergence).mean() + own
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(stats["nats"], torch.cat(nats).mean(), rtol=1e-4, atol=1e-4)
    assert weight == sum(map(len, TOKENS)) + len(TOKENS) * len(model.prompt.end)
    assert set(stats) == {"loss", "nats", "token_accuracy", "size"} | {"kl"} & {loss}
    assert all(value.shape == () and not value.requires_grad for value in stats.values())


def test_gradient_of_a_batch_is_that_of_its_utterances(causal_lm, batch):
    model = make_model(causal_lm).eval()
    model(**batch)[0].backward()
    found = model.connector.output.weight.grad.clone()
    model.zero_grad()
    total = sum(map(len, TOKENS)) + len(TOKENS)
    for i in range(len(TOKENS)):
        loss, _, weight = model(**one(batch, i))
        (loss * weight / total).backward()
    torch.testing.assert_close(found, model.connector.output.weight.grad, rtol=1e-4, atol=1e-5)


def test_checkpointing_and_bfloat16(causal_lm, batch):
    losses = {}
    for name, conf in {
        "plain": {},
        "checkpointed": {"gradient_checkpointing": True},
        "half": {"dtype": "bfloat16", "gradient_checkpointing": True},
    }.items():
        model = make_model(causal_lm, llm_conf=conf).to(dtype=torch.float32)
        losses[name] = model(**batch)[0]
        losses[name].backward()
        assert model.connector.output.weight.grad.isfinite().all()
        assert model.llm.dtype == getattr(torch, conf.get("dtype", "float32"))
    torch.testing.assert_close(losses["plain"], losses["checkpointed"])
    torch.testing.assert_close(losses["plain"], losses["half"], rtol=0.05, atol=0.05)


def test_the_llm_gets_no_gradient_and_is_in_no_checkpoint(causal_lm, batch):
    model = make_model(causal_lm)
    model(**batch)[0].backward()
    assert all(p.grad is None for p in model.llm.parameters())
    assert set(model.state_dict()) == {"connector.output.weight", "connector.output.bias"}
    connector = Pairs().requires_grad_(False)
    with pytest.raises(ValueError, match="Pairs has no trainable parameters"):
        make_model(causal_lm, connector)
    llm = load_frozen_llm(causal_lm).requires_grad_(True)
    with pytest.raises(ValueError, match="the LLM has trainable parameters"):
        SSRLMModel(Pairs(), llm, model.prompt, encoder=None, frame_rate=50.0)


def test_utterances_without_vectors(causal_lm, batch):
    model = make_model(causal_lm)
    batch["feats_lengths"] = torch.tensor([1, 0, 12])
    batch["feats"][:2] = float("nan")
    vectors = model.connector(batch["feats"], batch["feats_lengths"])
    assert vectors.lengths.tolist() == [0, 0, 6]
    loss, *_ = model(**batch)
    assert loss.isfinite()


def test_the_number_of_tokens_is_told_in_training_only(causal_lm, batch):
    model = make_model(causal_lm)
    model(**batch)
    assert model.connector.told == (None, batch["token_id_lengths"])
    model.eval()(**batch)
    assert model.connector.told == (None, None)


def test_segments_reach_connectors_that_need_them(causal_lm, batch):
    connector = MeanConnector(SIZE, WIDTH, hidden_size=8, num_layers=1)
    model = make_model(causal_lm, connector).eval()
    with pytest.raises(ValueError, match="MeanConnector needs segments: give token_end"):
        model(**batch)
    ends = [torch.arange(1, len(ids) + 1) * 0.04 for ids in TOKENS]
    assert model(token_end=pad(ends), **batch)[0].isfinite()


def test_unknown_loss_is_refused(causal_lm):
    with pytest.raises(ValueError, match="loss: unknown 'mse'; there are cross_entropy, kl"):
        make_model(causal_lm, loss="mse")


def test_starts_around_the_mean_embedding_and_learns(causal_lm, batch):
    model = make_model(causal_lm)
    matrix = model.llm.embedding_matrix()
    torch.testing.assert_close(model.connector.output.bias.data, matrix.mean(0))
    first = model.eval()(**batch)[1]["nats"]
    optimizer = torch.optim.Adam(model.connector.parameters(), lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        model(**batch)[0].backward()
        optimizer.step()
    assert model(**batch)[1]["nats"] < 0.6 * first
