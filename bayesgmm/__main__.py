"""``python -m bayesgmm`` is the command ``bayesgmm``."""

from bayesgmm.cli import main

main()
