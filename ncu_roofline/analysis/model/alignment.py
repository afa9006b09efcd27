"""Which weight matrix each of a layer's products streams: aligned by order, judged by bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ncu_roofline.knowledge.limits import THRESHOLDS


@dataclass(frozen=True, slots=True)
class Product:
    """One matrix product of a layer: bytes read, whether its name says that it streams experts, and
    whether it comes after the layer's attention (None where the layer shows none)."""

    read: float | None
    experts: bool = False
    after: bool | None = None
    lone: bool = True
    """May be one expert's, though its name does not say so: in layers where no name does."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Matrix:
    """One weight matrix as one launch may stream it; with fused neighbours it covers several parts."""

    name: str
    n: int
    k: int
    bytes: float
    """Weight bytes on one GPU; of one expert where there are several."""
    activations: float = 0.0
    """Bytes of the rows that are multiplied with it."""
    experts: int = 1
    per_token: int = 1
    first: int = 0
    parts: int = 1
    after: bool | None = None
    """Whether it is multiplied after attention; None where engines differ (MLA)."""

    def misfit(self, product: Product) -> float:
        """How badly the product fits: 0 is exactly; infinite is another matrix."""
        if product.experts != (self.experts > 1) and (product.experts or not product.lone):
            return math.inf
        if None not in (self.after, product.after) and self.after != product.after:
            return math.inf
        doubt = 0.0 if self.experts == 1 else THRESHOLDS.expert_doubt if product.experts else THRESHOLDS.lone_expert_doubt
        if product.read is None:
            return THRESHOLDS.unmeasured_product + doubt
        if self.experts > 1:
            distinct = (product.read - self.activations) / self.bytes
            return doubt if 0.95 <= distinct <= 1.1 * self.experts else math.inf
        wrong = abs(math.log(max(product.read, 1.0) / (self.bytes + self.activations)))
        return wrong if wrong <= THRESHOLDS.largest_misfit else math.inf


def aligned(products: Sequence[Product], matrices: Sequence[Matrix], *, cut: str = "") -> tuple[float, list[Matrix | None]]:
    """The cheapest assignment in order, and its cost; None for a product that streams none of them.

    `cut` says which side of the layer the window leaves out: head, tail or none. A matrix covers
    `parts` neighbouring separate ones from `first` on, so fused and separate forms exclude each other.
    """
    parts = max((m.first + m.parts for m in matrices), default=0)
    best: dict[tuple[int, int], tuple[float, tuple[Matrix | None, ...]]] = {(0, 0): (0.0, ())}
    for at in range(len(products) + 1):
        for part in range(parts + 1):
            if (at, part) in best:
                outside = (cut == "head" and at == 0) or (cut == "tail" and at == len(products))
                skip = THRESHOLDS.skip_outside if outside else THRESHOLDS.skip_matrix
                extend(best, (at, part), moves(products[at : at + 1], matrices, (at, part), skip))
    cost, chosen = best.get((len(products), parts), (math.inf, (None,) * len(products)))
    return cost, out_of_order(products, matrices, list(chosen))


def out_of_order(products: Sequence[Product], matrices: Sequence[Matrix], chosen: list[Matrix | None]) -> list[Matrix | None]:
    """The assignment, with products that an engine runs in another order given the one matrix left that fits."""
    for at, product in enumerate(products):
        if chosen[at] is None:
            taken = {part for m in chosen if m for part in range(m.first, m.first + m.parts)}
            left = [m for m in matrices if taken.isdisjoint(range(m.first, m.first + m.parts))]
            close = [m for m in left if m.misfit(product) < THRESHOLDS.lone_expert_doubt]
            fitting = sorted((m.misfit(product), -m.parts, m.first, m) for m in close)
            first = fitting[0][-1] if fitting else None
            if first and (product.read is not None or all(within(m, first) for *_, m in fitting)):
                chosen[at] = first
    return chosen


def within(part: Matrix, whole: Matrix) -> bool:
    """Whether the one is a part of the other, or the same."""
    return whole.first <= part.first and part.first + part.parts <= whole.first + whole.parts


Step = tuple[int, int, float, tuple[Matrix | None, ...]]


def moves(next_product: Sequence[Product], matrices: Sequence[Matrix], here: tuple[int, int], skip: float) -> Iterator[Step]:
    """What may come next: a product without matrix, a matrix without product, or both together."""
    at, part = here
    if next_product:
        yield at + 1, part, THRESHOLDS.skip_launch - THRESHOLDS.earlier_first * at, (None,)
    for matrix in matrices:
        if matrix.first == part:
            yield at, part + matrix.parts, skip, ()
            if next_product and (misfit := matrix.misfit(next_product[0])) < math.inf:
                yield at + 1, part + matrix.parts, misfit, (matrix,)


def extend(
    best: dict[tuple[int, int], tuple[float, tuple[Matrix | None, ...]]], here: tuple[int, int], steps: Iterator[Step]
) -> None:
    """Keep each next state if it is the cheapest way there."""
    cost, chosen = best[here]
    for at, part, price, more in steps:
        known = best.get((at, part))
        if known is None or cost + price < known[0] - 1e-12:
            best[(at, part)] = (cost + price, chosen + more)
