"""Log-likelihoods by a plain loop of transformers: what anything faster is compared with."""

import torch


@torch.no_grad()
def plain_log_likelihoods(llm, inputs, ids):
    """Log-likelihoods of the tokens that the last rows of ``inputs`` stand for, one unbatched call
    for each."""
    found = []
    for n, token in enumerate(ids):
        before = inputs[: len(inputs) - len(ids) + n]
        logits = llm.model(inputs_embeds=before[None]).logits[0, -1]
        found.append(logits.log_softmax(-1)[token])
    return torch.stack(found)
