"""A landscape whose best network is known: the sum of a value for each choice, under a limit of multiply-accumulates.

Where the output and the widths are fixed, both sums have a term for each choice of its own, so the best network is that
of a mixed-integer linear program, and there are 72 such cases.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from architectures.cost import parts
from architectures.latency import carriers
from architectures.strategies import Choices
from networks.lighttrack.architecture import CHOICES as DIGITS
from networks.lighttrack.architecture import TOWER_KERNELS, TOWER_LAYERS, TOWER_WIDTHS, Architecture, Tower
from networks.lighttrack.space import WholeSpace

SPACE = WholeSpace()
LIMIT = 450e6
BLOCKS = 14
_COMMON = ("stem", "blocks.0.0", "gate", "adjust")


def depth(genes):
    """Blocks that exist."""
    return (6, 10)[genes[BLOCKS] // 4] + genes[BLOCKS] % 4 + 1


@functools.cache
def terms():
    """Multiply-accumulates of each choice: what all have, blocks 14x6, layers of a width 3x8x3, predictions 2x3."""
    of_carrier = [parts(carrier) for carrier in carriers()]
    names = [name for name in of_carrier[0] if name.startswith("blocks.") and name != "blocks.0.0"]
    blocks = np.array([[costs[name].macs for costs in of_carrier] for name in names])
    layers, predictions = np.zeros((len(TOWER_WIDTHS), TOWER_LAYERS, len(TOWER_KERNELS) + 1)), []
    for index, width in enumerate(TOWER_WIDTHS):
        for choice, kernel in enumerate(TOWER_KERNELS):
            tower = Tower(width, (kernel,) * TOWER_LAYERS)
            costs = parts(Architecture(carriers()[0].stages, tower, tower))
            layers[index, :, choice] = [costs[f"cls_tower.{place}"].macs for place in range(TOWER_LAYERS)]
        predictions.append([costs["cls_pred"].macs, costs["reg_pred"].macs])
    return sum(of_carrier[0][name].macs for name in _COMMON), blocks, layers, np.array(predictions).T


def macs(genes):
    """Without the correlation."""
    common, blocks, layers, predictions = terms()
    total = common + sum(blocks[i, genes[i]] for i in range(depth(genes)))
    for branch in (0, 1):
        width, *kernels = genes[15 + 9 * branch : 24 + 9 * branch]
        total += predictions[branch, width] + sum(layers[width, i, kernel] for i, kernel in enumerate(kernels))
    return int(total)


CHOICES = Choices(
    SPACE.sizes, key=lambda genes: genes[: depth(genes)] + genes[14:], allowed=lambda genes: macs(genes) <= LIMIT
)


class Landscape:
    def __init__(self, seed=7):
        rng = np.random.default_rng(seed)
        self.blocks, self.outputs = rng.normal(size=(BLOCKS, len(DIGITS))), rng.normal(size=8)
        self.widths, self.kernels = rng.normal(size=(2, 3)), rng.normal(size=(2, 8, 3))
        self.seen = []

    def score(self, genes):
        value = self.outputs[genes[14]] + sum(self.blocks[i, genes[i]] for i in range(depth(genes)))
        for branch in (0, 1):
            width, *kernels = genes[15 + 9 * branch : 24 + 9 * branch]
            value += self.widths[branch, width] + sum(self.kernels[branch, i, k] for i, k in enumerate(kernels))
        return float(value)

    def best(self):
        """The largest score of those seen."""
        return max(map(self.score, self.seen))

    def optimum(self):
        """The largest score of all within the limit: a linear program for each output and widths that may have it."""
        cases = [self._case(*case) for case in itertools.product(range(8), range(3), range(3))]
        best = -np.inf
        for without_limit, *program in sorted(cases, key=lambda case: -case[0]):
            if without_limit > best:
                best = max(best, self._solved(*program))
        return best

    def _case(self, output, cls, reg):
        """The most without a limit; then what is fixed, and the value and the work of each option of each choice."""
        common, blocks, layers, predictions = terms()
        existing = depth((0,) * BLOCKS + (output,))
        values = [*self.blocks[:existing], *self.kernels[0], *self.kernels[1]]
        work = [*blocks[:existing], *layers[cls], *layers[reg]]
        for first in (existing, existing + TOWER_LAYERS):  # the first layer of a tower is never skipped
            values[first], work[first] = values[first][:2], work[first][:2]
        fixed = self.outputs[output] + self.widths[0, cls] + self.widths[1, reg]
        spent = common + predictions[0, cls] + predictions[1, reg]
        return fixed + sum(map(max, values)), fixed, spent, values, work

    def _solved(self, fixed, spent, values, work):
        owner = np.repeat(np.arange(len(values)), [len(options) for options in values])
        one_each = (owner == np.arange(len(values))[:, None]).astype(float)
        within = LinearConstraint(np.concatenate(work)[None] / 1e6, ub=(LIMIT - spent) / 1e6)
        solved = milp(
            -np.concatenate(values),
            integrality=np.ones(len(owner)),
            bounds=Bounds(0, 1),
            constraints=[LinearConstraint(one_each, 1, 1), within],
            options={"mip_rel_gap": 0},
        )
        return fixed - solved.fun if solved.success else -np.inf

    def judge(self, asked):
        self.seen += asked
        return [[-self.score(genes)] for genes in asked]

    def judge_both(self, asked):
        self.seen += asked
        return [[-self.score(genes), macs(genes) / 1e6] for genes in asked]
