"""The distillation model: its loss by hand, raw speech as good as features, and that it learns."""

import pytest
import torch

from espnet_ssr.connector import AbsConnector, ConnectorOutput, MeanConnector, SSRConnector
from espnet_ssr.connector.acif import ACIFConnector
from espnet_ssr.connector.cif import CIFConnector
from espnet_ssr.connector.stack import StackConnector
from espnet_ssr.encoder import TinyEncoder
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.model.distill import SSRDistillModel

WIDTH = 16
SECONDS = (1.0, 0.5, 0.81)
TOKENS = ([3, 1, 7], [5], [0, 9, 3, 2])


def pad(rows):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


@pytest.fixture
def batch():
    """Speech of three utterances with evenly long tokens."""
    generator = torch.Generator().manual_seed(0)
    speech = [torch.rand(int(16000 * s), generator=generator) - 0.5 for s in SECONDS]
    ends = [torch.arange(1, len(t) + 1) / len(t) * s for t, s in zip(TOKENS, SECONDS, strict=True)]
    return {
        "speech": pad(speech),
        "speech_lengths": torch.tensor([len(x) for x in speech]),
        "token_id": pad([torch.tensor(t) for t in TOKENS]),
        "token_id_lengths": torch.tensor([len(t) for t in TOKENS]),
        "token_end": pad(ends),
        "token_end_lengths": torch.tensor([len(t) for t in TOKENS]),
    }


def make_model(matrix, encoder=None, make=MeanConnector, **options):
    torch.manual_seed(0)
    connector = make(WIDTH, matrix.size(1), hidden_size=64, num_layers=1)
    space = EmbeddingSpace(matrix)
    return SSRDistillModel(connector, space, encoder=encoder, frame_rate=50.0, **options)


class Given(AbsConnector):
    """Outputs what it was given, whatever it hears."""

    def __init__(self, vectors):
        super().__init__()
        self.output = torch.nn.Linear(1, vectors.size(-1))
        self.vectors = torch.nn.Parameter(vectors)

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        return ConnectorOutput(self.vectors, token_lengths)


@pytest.mark.parametrize(("cosine_weight", "mse_weight"), [(1.0, 1.0), (0.5, 0.0), (0.0, 2.0)])
def test_loss_is_the_formula(cosine_weight, mse_weight):
    # Mean (0, 1), squared distances from it 1, 1, 4, 4: the variance is 2.5.
    matrix = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [0.0, 3.0], [0.0, -1.0]])
    # Tokens 0 and 2, then 1; what is in the padding is not to be seen.
    vectors = torch.tensor([[[1.0, 1.0], [3.0, 0.0]], [[-2.0, 2.0], [99.0, 99.0]]])
    model = SSRDistillModel(
        Given(vectors),
        EmbeddingSpace(matrix),
        {"cosine": cosine_weight, "mse": mse_weight},
        encoder=None,
        frame_rate=50.0,
    )
    batch = {
        "feats": torch.zeros(2, 4, 1),
        "feats_lengths": torch.tensor([4, 4]),
        "token_id": torch.tensor([[0, 2], [1, 3]]),
        "token_id_lengths": torch.tensor([2, 1]),
        "token_end": torch.tensor([[0.02, 0.06], [0.04, 0.0]]),
    }
    cosine = (1 + 0 + 1) / 3
    mse = (0 + 18 + 2) / 2.5 / 3
    centred_cosine = (1 - 1 / 10**0.5 + 2 / 5**0.5) / 3
    loss, stats, weight = model.eval()(utt_id=["a", "b"], **batch)
    expected = cosine_weight * (1 - cosine) + mse_weight * mse
    torch.testing.assert_close(loss, torch.tensor(expected))
    assert {name: value.item() for name, value in stats.items()} == pytest.approx(
        {
            "loss": expected,
            "cosine": cosine,
            "mse": mse,
            "centred_cosine": centred_cosine,
            "token_accuracy": 2 / 3,
        }
    )
    assert weight == 3


@pytest.mark.parametrize("training", [True, False])
def test_what_the_trainer_is_given(embedding_matrix, batch, training):
    model = make_model(embedding_matrix, TinyEncoder(WIDTH)).train(training)
    loss, stats, weight = model(utt_id=["a", "b", "c"], **batch)
    assert loss.requires_grad
    assert weight.shape == ()
    assert weight == sum(map(len, TOKENS))
    assert all(value.shape == () and not value.requires_grad for value in stats.values())
    # The whole vocabulary is searched in validation only.
    assert ("token_accuracy" in stats) is not training


@pytest.mark.parametrize("make", [MeanConnector, SSRConnector])
def test_speech_and_its_extracted_features_give_the_same_loss(embedding_matrix, batch, make):
    encoder = TinyEncoder(WIDTH)
    model = make_model(embedding_matrix, encoder, make).eval()
    from_speech, *_ = model(**batch)
    feats, feats_lengths = encoder(batch.pop("speech"), batch.pop("speech_lengths"))
    extracted = make_model(embedding_matrix, None, make).eval()
    from_feats, *_ = extracted(feats=feats, feats_lengths=feats_lengths, **batch)
    torch.testing.assert_close(from_speech, from_feats, rtol=1e-5, atol=1e-5)


def test_one_utterance_as_in_a_batch(embedding_matrix, batch):
    encoder = TinyEncoder(WIDTH)
    model = make_model(embedding_matrix, encoder).eval()
    batched = model.connect(
        batch["token_end"],
        batch["token_id_lengths"],
        speech=batch["speech"],
        speech_lengths=batch["speech_lengths"],
    ).embeds
    feats, lengths = encoder(batch["speech"], batch["speech_lengths"])
    # 1 s and three tokens: a third of 50 frames is 16.7.
    alone = model.connect_one(feats[0, : lengths[0]], torch.tensor([16, 33, 49]))
    torch.testing.assert_close(batched[0, :3], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [MeanConnector, SSRConnector])
def test_starts_as_the_mean_and_overfits(embedding_matrix, batch, make):
    model = make_model(embedding_matrix, TinyEncoder(WIDTH), make)
    model.eval()
    first, stats, _ = model(**batch)
    ids = torch.tensor(sum(TOKENS, []))
    space = model.embedding
    constant = space.fidelity(space.mean.expand(len(ids), -1), ids)["mse"].mean()
    # PyTorch's default weights alone would miss by over 20.
    assert stats["mse"] == pytest.approx(constant.item(), abs=1)
    optimizer = torch.optim.Adam(model.connector.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch)[0].backward()
        optimizer.step()
    last, stats, _ = model(**batch)
    assert last < 0.05 * first
    assert stats["token_accuracy"] == 1.0


def test_only_the_connector_is_in_checkpoints(embedding_matrix):
    class TrainableEncoder(TinyEncoder):
        def __init__(self):
            super().__init__(WIDTH)
            self.layer = torch.nn.Linear(WIDTH, WIDTH).requires_grad_(False)

    model = make_model(embedding_matrix, TrainableEncoder())
    names = {f"connector.{name}" for name, _ in model.connector.named_parameters()}
    assert set(model.state_dict()) == names


def test_a_connector_without_a_vector_a_token_is_refused(embedding_matrix):
    class Stack(MeanConnector):
        token_aligned = False

    with pytest.raises(ValueError, match="one vector a token"):
        make_model(embedding_matrix, make=Stack)


@pytest.mark.parametrize("make", [CIFConnector, ACIFConnector])
def test_connectors_that_find_the_segments_themselves(embedding_matrix, batch, make):
    model = make_model(embedding_matrix, TinyEncoder(WIDTH), make)
    del batch["token_end"], batch["token_end_lengths"]
    optimizer = torch.optim.Adam(model.connector.parameters(), lr=0.003)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss, stats, weight = model.train()(**batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    # The connector's own loss is a part of the whole, and is shown.
    assert stats["quantity"] > 0
    parts = (1 - stats["cosine"]) + stats["mse"] + stats["quantity"]
    torch.testing.assert_close(loss.detach(), parts)
    assert weight == sum(map(len, TOKENS))
    # In validation there is a vector for each token.
    _, stats, _ = model.eval()(**batch)
    assert 0 <= stats["token_accuracy"] <= 1


def test_a_connector_without_tokens_is_refused(embedding_matrix):
    with pytest.raises(ValueError, match="StackConnector through the LLM instead"):
        make_model(embedding_matrix, make=StackConnector)
