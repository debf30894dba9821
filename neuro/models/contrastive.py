"""Contrastive losses of paired embeddings, from their logits: (samples of a, samples of b)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def symmetric_contrastive(logits: Tensor) -> Tensor:
    """Cross-entropy of finding each one's partner, mean of both directions [Radford2021].

    Pairs stand on the diagonal. All else is a negative: two pairs of one class in a batch count
    against each other, as they do in the paper's code [Lin2025].

    Args:
        logits: (pairs, pairs); rows are of a, columns of b.

    Raises:
        ValueError: if they are not square.
    """
    n = len(logits)
    if logits.shape != (n, n):
        raise ValueError(
            f"logits of {tuple(logits.shape)} have no diagonal of pairs: give as many of a as of b"
        )
    partner = torch.arange(n, device=logits.device)
    return (F.cross_entropy(logits, partner) + F.cross_entropy(logits.T, partner)) / 2


def supervised_contrastive(logits: Tensor, labels_a: Tensor, labels_b: Tensor) -> Tensor:
    """`L_out` of [Khosla2020] across two modalities, mean of both directions.

    Everything of an anchor's class on the other side is a positive:

        L_out = mean over anchors i of  -1/|P(i)| sum over p in P(i) of
                log( exp(logits[i, p]) / sum over k of exp(logits[i, k]) )

    with P(i) and k on the other side alone: unlike in the paper an anchor has nothing of its own
    modality to be told from.

    Args:
        logits: (samples of a, samples of b). labels_a: (samples of a,). labels_b: of b.

    Raises:
        ValueError: if shapes disagree, or a class is on one side only.
    """
    if logits.shape != (len(labels_a), len(labels_b)):
        raise ValueError(
            f"logits of {tuple(logits.shape)} for {len(labels_a)} and {len(labels_b)} labels: give "
            "a label for each row and each column"
        )
    same = (labels_a[:, None] == labels_b[None, :]).to(logits.dtype)
    of_a, of_b = same.sum(1), same.sum(0)
    if not (of_a.all() and of_b.all()):
        alone = {*labels_a.tolist()} ^ {*labels_b.tolist()}
        raise ValueError(
            f"class {min(alone)} is on one side only and has no positive: batches are of pairs"
        )
    to_b = (logits.log_softmax(1) * same).sum(1) / of_a
    to_a = (logits.log_softmax(0) * same).sum(0) / of_b
    return -(to_b.mean() + to_a.mean()) / 2


def prototypical(
    queries: Tensor, supports: Tensor, labels: Tensor, temperature: float = 1.0
) -> Tensor:
    """Cross-entropy of `-|query - mean of a class's supports|^2 / temperature` [Snell2017].

    Args:
        queries: (pairs, dimensions). supports: of the other side, (pairs, dimensions).
        labels: of both, (pairs,).
    """
    classes, of = labels.unique(return_inverse=True)
    same = (of[None, :] == torch.arange(len(classes), device=of.device)[:, None]).to(supports.dtype)
    means = same @ supports / same.sum(1, keepdim=True)
    apart = (queries[:, None] - means[None]).square().sum(2)
    return F.cross_entropy(-apart / temperature, of)
