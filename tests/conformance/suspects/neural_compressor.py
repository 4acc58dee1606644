"""Intel Neural Compressor 2."""

from tests.conformance.suspects._layers import linear


def neural_compressor_locking_2_of_4_empties():
    """A weight with two zeros of four, whose pattern is locked while it trains."""
    pruner, layer = locked([[0.0, 0.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0]], "2:4")
    pruner.on_step_begin(0)
    pruner.on_after_optimizer_step()
    print(layer.weight.tolist())


def neural_compressor_locking_1_of_4_locks_nothing():
    """One zero of four; then what the pattern takes for its sparsity."""
    import torch

    pruner, layer = locked([[0.0, 2.0, 3.0, 4.0]], "1:4")
    pruner.on_step_begin(0)
    layer.weight.data += 1.0  # as training does
    pruner.on_after_optimizer_step()
    mask = torch.tensor([[False, True, True, True]])
    found = pruner.pattern.get_sparsity_ratio({"w": mask})
    print(f"{layer.weight.tolist()}, sparsity of {mask.int().tolist()}: {found}")


def neural_compressor_locking_a_block_that_sums_to_zero():
    """SD-09: blocks 1, -1 and 3, 4."""
    pruner, layer = locked([[1.0, -1.0, 3.0, 4.0]], "1x2")
    pruner.on_step_begin(0)
    pruner.on_after_optimizer_step()
    print(layer.weight.tolist())


def neural_compressor_ties_in_a_group():
    """SD-10: scores 1, 1, 1, 2, two of four to go."""
    import torch

    weight = [[1.0, 1.0, 1.0, 2.0]]
    pattern = made({"w": weight}, "2:4")
    before = {"w": torch.ones(1, 4, dtype=torch.bool)}
    found = pattern.get_masks({"w": torch.tensor(weight)}, 0.5, before)
    print(found["w"].int().tolist())


def neural_compressor_changes_the_masks_it_is_given():
    """Masks of the last step, after the masks of this one were asked for."""
    import torch

    weight = [[1.0, 2.0, 3.0, 4.0]]
    pattern = made({"w": weight}, "1x1", pruning_scope="global")
    before = {"w": torch.ones(1, 4, dtype=torch.bool)}
    pattern.get_masks({"w": torch.tensor(weight)}, 0.5, before)
    print(before["w"].int().tolist())


def neural_compressor_layer_that_fits_no_block():
    """Blocks of 1 x 2 in rows of 3 and of 4: the first layer is to be left out."""
    from neural_compressor.compression.pruner.pruners.basic import PytorchBasicPruner

    for scope in ("local", "global"):
        even = linear([[1.0, 2.0, 3.0, 4.0]])[0]
        modules = {"odd": linear([[1.0, 2.0, 3.0]])[0], "even": even}
        config = configured("1x2", pruning_scope=scope)
        pruner = PytorchBasicPruner(config, modules)
        try:
            pruner.on_step_begin(0)
            print(scope, {name: m.int().tolist() for name, m in pruner.masks.items()})
        except ZeroDivisionError as why:
            print(scope, f"ZeroDivisionError: {why}")


def neural_compressor_cube_is_slow_first():
    """SD-11: half of the way to 0.8."""
    from neural_compressor.compression.pruner.schedulers import IterativeScheduler

    config = configured("1x1", sparsity_decay_type="cube", end_step=2)
    level = IterativeScheduler(config).update_sparsity_ratio(0.8, 1, 2, {})
    print(f"{level:.2f}, by Zhu and Gupta {0.8 * (1 - 0.5**3):.2f}")


def neural_compressor_default_decay_ends_short():
    """Half of eight weights in one to four updates, with the default decay."""
    from neural_compressor.compression.pruner.pruners.basic import PytorchBasicPruner

    removed = []
    for updates in (1, 2, 3, 4):
        config = configured("1x1", end_step=updates)
        layer = linear([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]])[0]
        pruner = PytorchBasicPruner(config, {"w": layer})
        for step in range(updates + 2):
            pruner.on_step_begin(step)
            pruner.on_after_optimizer_step()
        removed.append(int((layer.weight == 0).sum()))
    print(f"decay {config.sparsity_decay_type}: {removed} removed")


def neural_compressor_momentum_of_snip():
    """SD-11: |w g| is 1 in two steps; S = a S + b |w g|."""
    import torch
    from neural_compressor.compression.pruner.criteria import SnipMomentumCriterion

    config = configured("1x1", end_step=1, criterion_type="snip_momentum")
    modules = {"w": linear([[1.0]])[0]}
    asked = SnipMomentumCriterion(modules, config, made({"w": [[1.0]]}, "1x1"))
    for _ in range(2):
        modules["w"].weight.grad = torch.ones(1, 1)
        asked.on_before_optimizer_step()
    print(f"{asked.scores['w'].item():.1f}: a = 0.9, b = 1")


def neural_compressor_group_lasso_divides_by_the_gradient():
    """SD-11: weights (3, 4), gradients (0.6, 0.8), coefficient 0.1."""
    import torch
    from neural_compressor.compression.pruner.regs import GroupLasso

    config = configured("1x2", end_step=1)
    modules = {"w": linear([[3.0, 4.0]])[0]}
    modules["w"].weight.grad = torch.tensor([[0.6, 0.8]])
    penalty = GroupLasso(config, modules, made({"w": [[3.0, 4.0]]}, "1x2"), 0.1)
    penalty.on_before_optimizer_step()
    print(f"{penalty.reg_terms['w'].item():.3f}, 0.1 / ||w|| is {0.1 / 5:.3f}")


def neural_compressor_slimming_rounds_what_goes():
    """Of 40 hidden units 34 are unused; what is left is to be a multiple of 32."""
    import torch
    from neural_compressor.compression.pruner.model_slim import model_slim

    hidden, head = torch.nn.Linear(3, 40), torch.nn.Linear(40, 2)
    head.weight.data[:, :34] = 0
    model, x = torch.nn.Sequential(hidden, torch.nn.ReLU(), head), torch.ones(1, 3)
    before = model(x)
    model_slim(model, dataloader=[(x,)], round_multiplier=32)
    same = bool(torch.allclose(model(x), before))
    print(f"{hidden.out_features} units are left; the same outputs: {same}")


def neural_compressor_dsnot_of_few_inputs():
    """Half of each of six rows by Wanda, refined by DSnoT: drawn layers."""
    for inputs, seed in ((4, 0), (8, 0), (16, 0), (16, 1), (32, 0)):
        try:
            gone = removed(inputs, seed, dsnot=True)
            print(f"{inputs} inputs, seed {seed}: {gone.sum(1).tolist()} removed")
        except RuntimeError as why:
            print(f"{inputs} inputs, seed {seed}: RuntimeError: {why}")


def neural_compressor_dsnot_forgets_groups():
    """2 of 4 by Wanda, without and with DSnoT: whether all groups are half empty."""
    for dsnot in (False, True):
        gone = removed(32, 0, prune_n=2, prune_m=4, dsnot=dsnot)
        halves = bool((gone.reshape(6, 8, 4).sum(-1) == 2).all())
        print(f"dsnot={dsnot}: {halves}")


def neural_compressor_wanda_by_row():
    """Half of each of six rows by Wanda: whether the lowest |w| ||x|| go."""
    import torch

    gone, weight, x = removed(16, 0), *drawn(16, 0)
    scores = weight.abs() * x.reshape(-1, 16).norm(dim=0)
    lowest = scores.argsort(1)[:, :8]
    wanted = torch.zeros_like(gone).scatter(1, lowest, True)
    print(bool((gone == wanted).all()))


def removed(inputs, seed, **how):
    """Which weights of a drawn layer Wanda removes, in a model of one block."""
    from types import SimpleNamespace

    import torch
    from neural_compressor.compression.pruner.wanda.prune import prune_wanda

    weight, x = drawn(inputs, seed)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.config = SimpleNamespace(use_cache=False)
            self.layers = torch.nn.ModuleList([linear(weight.tolist())])

        def forward(self, x):
            return self.layers[0](x)

    model = Model()
    prune_wanda(model, torch.utils.data.DataLoader(x, 1), 0.5, **how)
    return model.layers[0][0].weight == 0


def drawn(inputs, seed):
    """A weight of six rows, and five samples of seven inputs."""
    import torch

    torch.manual_seed(seed)
    return torch.randn(6, inputs), torch.randn(5, 7, inputs)


def configured(pattern, **how):
    """A configuration that the toolkit has completed and checked."""
    from neural_compressor import WeightPruningConfig
    from neural_compressor.compression.pruner.utils import process_config

    asked = {
        "pattern": pattern,
        "target_sparsity": 0.5 if pattern != "1:4" else 0.25,
        "pruning_type": "magnitude",
        "criterion_type": "magnitude",
        "pruning_scope": "local",
        "end_step": 0,
    }
    (config,) = process_config(WeightPruningConfig([{**asked, **how}]))
    return config


def made(weights, pattern, **how):
    """A pattern over linear layers."""
    from neural_compressor.compression.pruner.patterns import get_pattern

    modules = {name: linear(weight)[0] for name, weight in weights.items()}
    return get_pattern(configured(pattern, **how), modules)


def locked(weight, pattern):
    """The pruner that holds a pattern fixed, and its layer."""
    from neural_compressor.compression.pruner.pruners.pattern_lock import (
        PytorchPatternLockPruner,
    )

    layer = linear(weight)[0]
    config = configured(pattern, pruning_type="pattern_lock")
    return PytorchPatternLockPruner(config, {"w": layer}), layer
