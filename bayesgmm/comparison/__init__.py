"""`compare`: fits side by side, one block of columns per estimand, and what follows from them in words."""

from bayesgmm.comparison.scoring import compare
from bayesgmm.comparison.table import Comparison, Row
from bayesgmm.comparison.verdict import Verdict, conclusions, verdict

__all__ = ["Comparison", "Row", "Verdict", "compare", "conclusions", "verdict"]
