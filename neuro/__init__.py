"""Spiking networks in PyTorch, trained to run on a chip: models, training, export, command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuro.to_network import export

__all__ = ["export"]


def __getattr__(name: str) -> Any:
    """Import torch only when the export is asked for: the command line starts without it."""
    if name == "export":
        from neuro.to_network import export

        return export
    raise AttributeError(f"module 'neuro' has no attribute {name!r}")
