"""llm-compressor."""

import os
import subprocess
import sys

from tests.conformance.suspects._layers import linear


def llm_compressor_sparsity_runs_past_its_end():
    """End 0.5 of an epoch of three steps: no step falls on it, 0.9 is the target."""
    model = linear([[1.0, 2.0, 3.0, 4.0]])
    modifier = magnitude(
        model, start=0.0, end=0.5, final_sparsity=0.9, update_scheduler="linear"
    )
    for step in range(3):
        batch(modifier, model, step, steps_per_epoch=3)
        level = round(modifier.current_sparsity_, 3)
        print(f"step {step}: sparsity {level}, mask {model[0].mask.int().tolist()}")


def llm_compressor_owl():
    """Sparsities by OWL are a dictionary, where a number or a list is read."""
    import torch
    from llmcompressor.core import State

    row = [[1.0, 2.0, 3.0, 4.0]]
    net = torch.nn.ModuleDict({"a": linear(row), "b": linear(row)})
    modifier = owl({"a.0": [1.0] * 4, "b.0": [1.0, 1.0, 1.0, 9.0]})
    modifier.sparsity = modifier._infer_owl_layer_sparsity(net, dict(net), None)
    print({name: round(float(s), 3) for name, s in modifier.sparsity.items()})
    modifier._target_layers = dict(net)
    modifier.on_calibration_start(State(), None)
    net["a"](torch.ones(1, 4))
    try:
        modifier.compress_modules()
        print("pruned")
    except TypeError as why:
        print(f"TypeError: {why}")


def llm_compressor_owl_of_equal_layers():
    """Two layers whose shares of outliers are equal."""
    import torch

    row = [[1.0, 2.0, 3.0, 4.0]]
    net = torch.nn.ModuleDict({"a": linear(row), "b": linear(row)})
    modifier = owl({"a.0": [1.0] * 4, "b.0": [1.0] * 4})
    print(modifier._infer_owl_layer_sparsity(net, dict(net), None))


def llm_compressor_logs_switched_off():
    """One-shot pruning with logs switched off, as documented, by the environment."""
    code = (
        "from tests.conformance.suspects import llm_compressor as ask\n"
        "print(ask.one_shot('Wanda', [[1.0, 2.0]], 0.5).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LLM_COMPRESSOR_LOG_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout or done.stderr.splitlines()[-1])


def llm_compressor_hooks():
    """Masks that are applied by hooks, an option of magnitude pruning."""
    try:
        magnitude(linear([[1.0, 2.0]]), {"use_hooks": True}, start=0, end=1)
        print("made")
    except AttributeError as why:
        print(f"AttributeError: {why}")


def llm_compressor_first_mask():
    """`init_mask`, a mask to begin with."""
    import torch
    from llmcompressor.core import ModelParameterizedLayer

    layer = linear([[1.0, 2.0]])[0]
    parts = ModelParameterizedLayer("0", layer, "0.weight", layer.weight)
    modifier = magnitude(linear([[1.0, 2.0]]))
    modifier.remove_mask("0")
    try:
        modifier.add_mask("0", parts, init_mask=torch.tensor([[True, False]]))
        print(layer.mask.tolist())
    except RuntimeError as why:
        print(f"RuntimeError: {why}")


def llm_compressor_masks_come_after_the_step():
    """Half of four weights, begun, run once, stepped, and finished without a step."""
    import torch
    from llmcompressor.core import State

    x = torch.ones(1, 2)
    for steps in (1, 0):
        model = linear([[1.0, 2.0], [3.0, 4.0]])
        modifier = magnitude(model, start=0, end=1, init_sparsity=0.5)
        first = model(x).tolist()
        for step in range(steps):
            batch(modifier, model, step)
        modifier.finalize(State(model=model))
        print(f"{steps} steps: first output {first}, {model[0].weight.tolist()}")


def llm_compressor_channels_are_filters():
    """4 outputs, 3 inputs: which half goes."""
    import torch
    from llmcompressor.core import State

    for structure in ("channel", "filter"):
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1, bias=False))
        model[0].weight.data = torch.arange(1.0, 13).reshape(4, 3, 1, 1)
        modifier = magnitude(
            model, start=0, end=1, init_sparsity=0.5, mask_structure=structure
        )
        print(structure, model[0].mask.int().reshape(4, 3).tolist())
        modifier.finalize(State(model=model))


def llm_compressor_sparsegpt_counts():
    """SD-20: one more than asked of 8 weights, and at 1 an error."""
    import torch

    weight = torch.arange(1.0, 9).reshape(2, 4).tolist()
    for sparsity in (0.0, 0.25, 0.5, 1.0):
        try:
            zeros = int((one_shot("SparseGPT", weight, sparsity) == 0).sum())
            print(f"sparsity {sparsity}: {zeros} of 8 removed")
        except IndexError as why:
            print(f"sparsity {sparsity}: IndexError: {why}")


def llm_compressor_structure_beside_sparsity():
    """0.9 is asked beside 2:4."""
    found = one_shot("Wanda", [[1.0, 2.0, 3.0, 4.0]], 0.9, mask_structure="2:4")
    print(found.tolist())


def llm_compressor_short_groups():
    """2:4 of five, six and seven columns."""
    for columns in (5, 6, 7):
        weight = [[1.0 + column for column in range(columns)]]
        try:
            found = one_shot("Wanda", weight, 0.5, mask_structure="2:4")
            print(columns, found.tolist())
        except RuntimeError as why:
            print(columns, f"RuntimeError: {why}")


def llm_compressor_polynomial_decay():
    """SD-14: the decay with an even exponent, to 0.8 in four steps."""
    from llmcompressor.core import Event
    from llmcompressor.modifiers.pruning import helpers

    frame = helpers.PruningCreateSettings(0, 4, 1, 0.0, 0.8, {})
    schedule = helpers.polynomial_decay_scheduler(frame)
    levels = [round(schedule(Event(global_step=step), None), 4) for step in range(5)]
    print(f"{levels}, by the formula {[0.0, 0.35, 0.6, 0.75, 0.8]}")


def quiet():
    """No logs between what is printed here."""
    if "LLM_COMPRESSOR_LOG_DISABLED" in os.environ:
        return  # by the toolkit's own means
    import llmcompressor  # noqa: F401  (which sets its logger up)
    from loguru import logger

    logger.remove()


def owl(norms):
    """Wanda by OWL, with the norms of inputs that a run of the model would observe."""
    quiet()
    import torch
    from llmcompressor.modifiers.pruning import WandaPruningModifier

    class Observed(WandaPruningModifier):
        def _get_activations(self, model, dataloader, nsamples=128):
            return {name: torch.tensor(norm) for name, norm in norms.items()}

    return Observed(sparsity=0.5, sparsity_profile="owl", owl_m=1, owl_lmbda=0.08)


def magnitude(model, options=None, **frame):
    """Magnitude pruning of a model, begun."""
    quiet()
    from llmcompressor.core import State
    from llmcompressor.modifiers.pruning import MagnitudePruningModifier

    levels = {"init_sparsity": 0.0, "final_sparsity": 0.5}
    modifier = MagnitudePruningModifier(
        targets=["Linear", "Conv2d"], **{**levels, **frame}
    )
    modifier.initialize(State(model=model), **(options or {}))
    return modifier


def batch(modifier, model, step, steps_per_epoch=None):
    """The events of one training step."""
    from llmcompressor.core import Event, EventType, State

    kinds = ("BATCH_START", "OPTIM_PRE_STEP", "OPTIM_POST_STEP", "BATCH_END")
    for kind in kinds:
        event = Event(EventType[kind], steps_per_epoch, global_step=step)
        modifier.update_event(State(model=model), event)


def one_shot(name, weight, sparsity, **how):
    """The weight after a one-shot modifier that saw inputs of 1, one at a time."""
    quiet()
    import torch
    from llmcompressor.core import State
    from llmcompressor.modifiers import pruning

    layer = linear(weight)[0]
    modifier = getattr(pruning, f"{name}PruningModifier", None) or getattr(
        pruning, f"{name}Modifier"
    )
    made = modifier(sparsity=sparsity, **how)
    made._target_layers = {"0": layer}
    made.on_calibration_start(State(), None)
    layer(torch.eye(layer.in_features))
    made.compress_modules()
    return layer.weight.data
