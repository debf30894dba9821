"""Spiking networks in PyTorch, trained to run on a chip: models, training, export, command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuro.snntorch_in import from_snntorch
    from neuro.to_network import export

__all__ = ["export", "from_snntorch"]


def __getattr__(name: str) -> Any:
    """Import torch only when a function is asked for: the command line starts without it."""
    if name == "export":
        from neuro.to_network import export

        return export
    if name == "from_snntorch":
        from neuro.snntorch_in import from_snntorch

        return from_snntorch
    raise AttributeError(f"module 'neuro' has no attribute {name!r}")
