"""What a fit is: an estimate (a point, draws or a variational posterior) behind one interface."""
