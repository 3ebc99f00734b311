"""Ways to search a space: evolution for one aim or for a front, by pymoo, and drawing at random to compare with.

A strategy knows nothing of trackers. It asks for choices to be judged a generation at a time, never the same network
twice and never one outside the limits, and every draw follows from its seed, so that a run over the same judgements
takes the same way.

Sources: Deb et al., NSGA-II, 2002; Guo et al., ECCV 2020 (population, share of mutation).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from networks.lighttrack.space import Genes
from siamtrt import Array, MissingDependencyError, UsageError

try:
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.duplicate import DuplicateElimination
    from pymoo.core.evaluator import Evaluator
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem
    from pymoo.core.sampling import Sampling
    from pymoo.core.termination import NoTermination
    from pymoo.operators.crossover.ux import UniformCrossover
    from pymoo.problems.static import StaticProblem
except ImportError as error:
    raise MissingDependencyError(
        "pymoo is not installed", hint="pip install -r requirements/architectures.txt"
    ) from error

_MUTATION = 0.05  # chance of each choice to be drawn anew; 0.1, the published one, finds less in as many judgements
_PATIENCE = 10_000  # draws for one network within the limits

Judge = Callable[[list[Genes]], Sequence[Sequence[float]]]


@dataclass(frozen=True)
class Choices:
    """What is searched.

    Attributes:
        sizes: how many categories each choice has.
        key: equal for choices that mean the same network.
        allowed: whether a network keeps the limits; asked before it is judged, so it must be cheap.
    """

    sizes: tuple[int, ...]
    key: Callable[[Genes], Hashable]
    allowed: Callable[[Genes], bool]

    def draw(self, rng: np.random.Generator) -> Genes:
        """Uniform over each choice, drawn anew until it is allowed.

        Raises:
            UsageError: the limits leave next to nothing.
        """
        for _ in range(_PATIENCE):
            genes = tuple(map(int, rng.integers(0, self.sizes)))
            if self.allowed(genes):
                return genes
        raise UsageError(f"none of {_PATIENCE} networks drawn at random keeps the limits", hint="raise the limits")


def evolve(choices: Choices, judge: Judge, *, aims: int, population: int, generations: int, seed: int) -> None:
    """Breed the networks that *judge* finds good: NSGA-II for several aims, a genetic algorithm for one.

    Args:
        choices: what is searched.
        judge: gives the aims of each network, smaller being better; it keeps what it found.
        aims: how many.
        population: networks a generation.
        generations: the first, random one included.
        seed: of everything drawn.
    """
    kind = GA if aims == 1 else NSGA2
    algorithm = kind(
        pop_size=population,
        sampling=_Draw(choices),
        crossover=UniformCrossover(),
        mutation=_Redraw(),
        eliminate_duplicates=_Unseen(choices),
    )
    top = np.array(choices.sizes) - 1
    problem = Problem(n_var=len(top), n_obj=aims, xl=np.zeros_like(top), xu=top, vtype=int)
    algorithm.setup(problem, termination=NoTermination(), seed=seed)
    for _ in range(generations):
        asked = algorithm.ask()
        if asked is None or len(asked) == 0:
            return  # the space is exhausted
        values = np.array(judge([_genes(row) for row in asked.get("X")]), dtype=float)
        Evaluator().eval(StaticProblem(problem, F=values.reshape(len(asked), aims)), asked)
        algorithm.tell(infills=asked)


def draw_at_random(choices: Choices, judge: Judge, *, count: int, batch: int, seed: int) -> None:
    """Judge *count* different networks drawn uniformly, *batch* at a time."""
    rng, seen = np.random.default_rng(seed), set[Hashable]()
    for start in range(0, count, batch):
        judge(_distinct(choices, rng, min(batch, count - start), seen))


def _distinct(choices: Choices, rng: np.random.Generator, count: int, seen: set[Hashable]) -> list[Genes]:
    """Up to *count* allowed networks whose keys are not in *seen*, which takes them up."""
    drawn: list[Genes] = []
    for _ in range(_PATIENCE):
        genes = choices.draw(rng)
        if choices.key(genes) not in seen:
            seen.add(choices.key(genes))
            drawn.append(genes)
        if len(drawn) == count:
            break
    return drawn


def _genes(row: Array) -> Genes:
    return tuple(map(int, row))


class _Draw(Sampling):  # type: ignore[misc]  # pymoo is not typed
    """The first generation."""

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self._choices = choices

    def _do(self, _: Any, count: int, *__: Any, random_state: Any = None, **___: Any) -> Array:
        return np.array(_distinct(self._choices, random_state, count, set()))


class _Redraw(Mutation):  # type: ignore[misc]
    """Each choice is drawn anew with a small chance, whatever it was."""

    def _do(self, problem: Any, genes: Array, *_: Any, random_state: Any = None, **__: Any) -> Array:
        anew = random_state.integers(0, np.asarray(problem.xu, dtype=int) + 1, size=genes.shape)
        return np.where(random_state.random(genes.shape) < _MUTATION, anew, genes)


class _Unseen(DuplicateElimination):  # type: ignore[misc]
    """Takes for a duplicate what was bred before or breaks a limit, so that neither is ever judged."""

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self._choices = choices
        self._seen: set[Hashable] = set()

    def _do(self, bred: Any, other: Any, refused: Array) -> Array:
        if other is not None:
            return refused  # what lives was seen when it was bred
        for index, row in enumerate(bred.get("X")):
            genes = _genes(row)
            key = self._choices.key(genes)
            refused[index] = key in self._seen or not self._choices.allowed(genes)
            if not refused[index]:
                self._seen.add(key)
        return refused
