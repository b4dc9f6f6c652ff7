"""The exceptions of the package; every message names what is wrong and what to do about it."""


class BayesGMMError(Exception):
    """Base class of every error that the package raises on purpose."""


class DataError(BayesGMMError, ValueError):
    """The data cannot be used: the message names the row, the column and the remedy."""


class ArgumentError(BayesGMMError, ValueError):
    """An argument cannot be used: the message names it, its value and what is accepted."""


class FitError(BayesGMMError, RuntimeError):
    """A fit ended with no usable result; ``fit(..., throw=False)`` returns it with the reason instead."""


class NotApplicableError(BayesGMMError, TypeError):
    """This kind of fit cannot honestly answer the question; the message says why."""


class NotConvergedWarning(UserWarning):
    """A fit is usable, and its status says why it should not be trusted without a look."""


class TruncationWarning(UserWarning):
    """The number of components is cut off where the data want more.

    Of a Dirichlet process ``fit.truncation()`` has the numbers; elsewhere ``fit.occupied()`` has them.
    """


def shown(value: object) -> str:
    """A value as a message shows it: itself where it is short, else what it is."""
    try:
        text = repr(value)
    except Exception:  # not ours to mend, and not what the message is about
        return f"<{type(value).__name__}>"
    return text if len(text) <= 60 and "\n" not in text else f"<{type(value).__name__}>"
