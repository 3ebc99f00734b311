"""Ways to search a space: evolution for one aim or for a front, by pymoo, and drawing at random to compare with.

A strategy knows nothing of trackers. It asks for choices to be judged a generation at a time, never the same network
twice and never one outside the limits, and every draw follows from its seed, so that a run over the same judgements
takes the same way.

Sources: Deb et al., NSGA-II, 2002; Guo et al., ECCV 2020 (population, share of mutation).
"""

from __future__ import annotations

import logging
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
    from pymoo.core.population import Population
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
_PATIENCE = 10_000  # draws for one network within the limits, and for one that is new

log = logging.getLogger(__name__)

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

    A generation that breeding cannot fill is filled by chance; one that chance cannot fill either is the last.

    Args:
        choices: what is searched.
        judge: gives the aims of each network, smaller being better; it keeps what it found.
        aims: how many.
        population: networks a generation.
        generations: the first, random one included.
        seed: of everything drawn.
    """
    kind, seen = GA if aims == 1 else NSGA2, set[Hashable]()
    algorithm = kind(
        pop_size=population,
        sampling=_Draw(choices),
        crossover=UniformCrossover(),
        mutation=_Redraw(),
        eliminate_duplicates=_Unseen(choices, seen),
    )
    top = np.array(choices.sizes) - 1
    problem = Problem(n_var=len(top), n_obj=aims, xl=np.zeros_like(top), xu=top, vtype=int)
    algorithm.setup(problem, termination=NoTermination(), seed=seed)
    for _ in range(generations):
        bred = algorithm.ask()
        asked = [] if bred is None else [_genes(row) for row in bred.get("X")]
        seen.update(map(choices.key, asked))
        asked += _distinct(choices, algorithm.random_state, population - len(asked), seen)
        if asked:
            values = np.array(judge(asked), dtype=float).reshape(len(asked), aims)
            infills = Population.new(X=np.array(asked))
            Evaluator().eval(StaticProblem(problem, F=values), infills)
            algorithm.tell(infills=infills)
        if len(asked) < population:
            _log_shortfall(len(seen), population * generations)
            return


def draw_at_random(choices: Choices, judge: Judge, *, count: int, batch: int, seed: int) -> None:
    """Judge *count* different networks drawn uniformly, *batch* at a time."""
    rng, seen = np.random.default_rng(seed), set[Hashable]()
    for start in range(0, count, batch):
        asked = _distinct(choices, rng, min(batch, count - start), seen)
        if asked:
            judge(asked)
        if len(seen) < min(start + batch, count):
            _log_shortfall(len(seen), count)
            return


def _log_shortfall(found: int, count: int) -> None:
    log.warning("the space is exhausted: %d different networks keep the limits, %d were to be judged", found, count)


def _distinct(choices: Choices, rng: np.random.Generator, count: int, seen: set[Hashable]) -> list[Genes]:
    """*count* allowed networks whose keys are not in *seen*, which takes them up; fewer where no more are found."""
    drawn: list[Genes] = []
    in_vain = 0
    while len(drawn) < count and in_vain < _PATIENCE:
        genes = choices.draw(rng)
        in_vain += 1
        if choices.key(genes) not in seen:
            seen.add(choices.key(genes))
            drawn.append(genes)
            in_vain = 0
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
    """Takes for a duplicate what was asked before, was bred just now or breaks a limit, so that none is ever judged.

    Only what is asked counts as seen: pymoo drops what it bred beyond the size of a generation.
    """

    def __init__(self, choices: Choices, seen: set[Hashable]) -> None:
        super().__init__()
        self._choices, self._seen = choices, seen

    def _do(self, bred: Any, other: Any, refused: Array) -> Array:
        keys = self._keys(bred)
        if other is not None:  # what lives, or what was bred for this generation before
            taken = set(self._keys(other))
            return np.array([key in taken for key in keys])
        just_now = set[Hashable]()
        for index, (row, key) in enumerate(zip(bred.get("X"), keys)):
            refused[index] = key in self._seen or key in just_now or not self._choices.allowed(_genes(row))
            just_now.add(key)
        return refused

    def _keys(self, networks: Any) -> list[Hashable]:
        return [self._choices.key(_genes(row)) for row in networks.get("X")]
