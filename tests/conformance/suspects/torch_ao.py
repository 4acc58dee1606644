"""torch.ao.pruning of PyTorch."""

from tests.conformance.suspects._layers import linear


def torch_ao_loading_empties_what_was_saved():
    """A second reader of one state dict, and the writer itself, lose the masks."""
    from torch.ao.pruning import WeightNormSparsifier

    def prepared():
        model = linear([[1.0, 2.0, 3.0, 4.0]])
        sparsifier = WeightNormSparsifier(0.5, sparse_block_shape=(1, 1))
        sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
        return model, sparsifier

    def zeros(model):
        return int((model[0].parametrizations.weight[0].mask == 0).sum())

    (model, first), (one, second), (two, third) = (prepared() for _ in range(3))
    first.step()
    state = first.state_dict()
    second.load_state_dict(state)
    third.load_state_dict(state)
    print(f"removed: saved {zeros(model)}, read {zeros(one)}, again {zeros(two)}")
    print(f"the writer's own state has the mask: {'mask' in first.state['0.weight']}")
    try:
        two.load_state_dict(model.state_dict())
        print("the model's state dict loads")
    except RuntimeError as why:
        print("the model's own state dict does not load:", str(why).split("\t")[-1])


def torch_ao_cubic_moves_between_its_updates():
    """delta_t is documented as the pruning frequency."""
    from torch.ao.pruning import CubicSL, WeightNormSparsifier

    sparsifier = WeightNormSparsifier(0.5)
    sparsifier.prepare(linear([[1.0, 2.0]]), [{"tensor_fqn": "0.weight"}])
    schedule = CubicSL(sparsifier, init_t=0, delta_t=5, total_t=4, initially_zero=True)
    levels = []
    for _ in range(6):
        levels.append(round(sparsifier.groups[0]["sparsity_level"], 4))
        sparsifier.step()
        schedule.step()
    print(f"steps 0 to 5, an update every 5: {levels}")
