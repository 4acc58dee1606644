"""torchao."""

from tests.conformance.suspects._layers import linear


def torchao_wanda_squares_the_norm():
    """|w| ||x||: 1 * 4 is below 3 * 2, so the first weight goes."""
    mask, norm = wanda([[1.0, 3.0]], [[4.0, 2.0]], 0.5)
    print(f"norms of (4, 2) are {norm}, mask {mask}, by the paper [[0, 1]]")


def torchao_wanda_ranks_the_layer_not_the_row():
    """The paper compares within each output."""
    mask, _ = wanda([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]], 0.5)
    print(f"mask {mask}, by the paper [[0, 1], [0, 1]]")


def torchao_wanda_groups_cross_rows():
    """Two of four in two rows of 6, ascending: 0 0 1 1 and a short group in each."""
    import torch
    from torchao.sparsity import WandaSparsifier

    model = linear([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0, 8.0, 9.0, 10.0, 11.0, 12.0]])
    sparsifier = WandaSparsifier(semi_structured_block_size=4)
    sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    model(torch.ones(1, 6))
    sparsifier.step()
    print(model[0].parametrizations.weight[0].mask.int().tolist())


def torchao_wanda_steps_add_up():
    """A second step at the same sparsity, after training moved the weights."""
    import torch

    model, sparsifier = wanda_prepared([[1.0, 2.0, 3.0, 4.0]], 0.5)
    model(torch.ones(1, 4))
    sparsifier.step()
    parts = model[0].parametrizations.weight
    parts.original.data = torch.tensor([[9.0, 8.0, 1.0, 2.0]])
    sparsifier.step()
    print(f"half of 4, twice: {int((parts[0].mask == 0).sum())} removed")


def wanda_prepared(weight, sparsity):
    """A layer and its sparsifier."""
    from torchao.sparsity import WandaSparsifier

    model, sparsifier = linear(weight), WandaSparsifier(sparsity_level=sparsity)
    sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    return model, sparsifier


def wanda(weight, x, sparsity):
    """The mask after one batch and one step, and the norms observed."""
    import torch

    model, sparsifier = wanda_prepared(weight, sparsity)
    model(torch.tensor(x))
    norm = model[0].activation_post_process.norm.tolist()
    sparsifier.step()
    return model[0].parametrizations.weight[0].mask.int().tolist(), norm
