"""`compare`: fits side by side, one block of columns per estimand, and what follows from them in words."""

from bayesgmm.comparison.conclusions import conclusions
from bayesgmm.comparison.row import Row, model_names
from bayesgmm.comparison.scoring import compare
from bayesgmm.comparison.table import Comparison
from bayesgmm.comparison.verdict import Verdict, doubt, verdict

__all__ = ["Comparison", "Row", "Verdict", "compare", "conclusions", "doubt", "model_names", "verdict"]
