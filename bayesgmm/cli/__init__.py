"""The command line: ``bayesgmm compare`` and ``bayesgmm demo``."""

from bayesgmm.cli.app import app, main

__all__ = ["app", "main"]
