"""Entry point of ``gossamer`` and ``python -m gossamer``."""

from gossamer.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
