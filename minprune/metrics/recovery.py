"""How much of the dense network's quality a pruned one has, as a ratio of losses."""


def recovery(dense_loss: float, pruned_loss: float) -> float:
    """The dense network's loss over the pruned one's: 1 is full recovery.

    Parameters
    ----------
    dense_loss, pruned_loss : float
        Of the same split, 0 or more, in the same units.

    Returns
    -------
    recovery : float
        Below 1 the pruned network is worse, above 1 better. Two zero losses are full
        recovery, 1; a zero loss after pruning alone is infinite recovery.

    Raises
    ------
    ValueError
        If a loss is negative or not a number: a ratio of such losses says nothing.

    Examples
    --------
    >>> recovery(0.05, 0.10), recovery(0.0, 0.0), recovery(0.1, 0.0)
    (0.5, 1.0, inf)
    """
    for name, loss in (("dense_loss", dense_loss), ("pruned_loss", pruned_loss)):
        if not loss >= 0:
            raise ValueError(f"recovery: {name} is {loss}; expected 0 or more")
    if pruned_loss == 0:
        return 1.0 if dense_loss == 0 else float("inf")
    return dense_loss / pruned_loss
