"""The report: a comparison and its fits as one HTML file that needs nothing else."""

from bayesgmm.report.build import write_report

__all__ = ["write_report"]
