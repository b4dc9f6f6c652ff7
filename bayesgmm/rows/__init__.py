"""What the data are: rows with what is known of each, which every engine sweeps and none of them looks into."""

from bayesgmm.rows.classes import Classes
from bayesgmm.rows.known import Known, checked_weights
from bayesgmm.rows.memory import Rows, as_rows
from bayesgmm.rows.streamed import StreamedRows

__all__ = ["Classes", "Known", "Rows", "StreamedRows", "as_rows", "checked_weights"]
