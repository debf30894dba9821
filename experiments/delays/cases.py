"""What is trained: an arm on a split from a seed, each a change of the shipped recipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from neuro.models.build import build_stack
from neuro.recipe import Recipe, parse_recipe

FOLDER = Path(__file__).parents[1] / "learned-delays"  # of the recipe, and of all that is written
RECIPE = FOLDER / "recipe.toml"
SEEDS = tuple(range(5))
SPLITS = {
    "index": {"fit": "index-fit", "hold": "index-hold", "test": "index-test"},
    "speaker": {"fit": "fit", "hold": "hold", "test": "test"},
}


@dataclass(frozen=True, slots=True)
class Arm:
    """A network: how long its kernels are, whose delays they have, neurons of both hidden layers.

    `sizes` None: those of the recipe.
    """

    said: str
    taps: int | None = None
    delays: str = "learned"
    sizes: tuple[int, int] | None = None


ARMS = {
    "learned": Arm("learned delays"),
    "fixed": Arm("fixed random delays, as many parameters", delays="fixed", sizes=(39, 39)),
    "none": Arm("no delays, as many parameters", taps=1, sizes=(39, 39)),
    "fixed-narrow": Arm("fixed random delays, as wide", delays="fixed"),
    "none-narrow": Arm("no delays, as wide", taps=1),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One training run: a row of the results."""

    split: str
    arm: str
    seed: int

    def recipe(self) -> Recipe:
        """The shipped recipe with this case's data, delays, widths and seed."""
        base: dict[str, Any] = parse_recipe(RECIPE.read_text("utf-8"), str(RECIPE)).model_dump()
        arm = ARMS[self.arm]
        for i, layer in enumerate(base["model"]["layers"][:-1]):
            if arm.sizes is not None:
                layer["size"] = arm.sizes[i]
            if arm.taps is not None:
                layer["taps"] = arm.taps
            layer["delays"] = arm.delays
        base["data"] |= SPLITS[self.split]
        return Recipe.model_validate(
            base | {"name": f"delays-{self.split}-{self.arm}", "seed": self.seed}
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """How a row of the results names it."""
        return self.split, self.arm, str(self.seed)


def all_cases() -> list[Case]:
    """In the order of their weight: an interrupted experiment has the first ones."""
    first, last = ("learned", "fixed", "none", "fixed-narrow"), ("none-narrow",)
    return [
        Case(split, arm, seed)
        for arms in (first, last)
        for seed in SEEDS
        for split in SPLITS
        for arm in arms
    ]


def n_trained(module: nn.Module) -> int:
    """Numbers that training changes: weights, positions of learned delays, BatchNorm."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def n_parameters(recipe: Recipe, channels: int = 64, classes: int = 10) -> int:
    """Of a recipe's network."""
    return n_trained(build_stack(recipe.model, (channels,), classes))
