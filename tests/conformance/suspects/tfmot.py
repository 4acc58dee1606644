"""TensorFlow Model Optimization."""

import os
import tempfile


def tfmot_blocks_are_pooled_on_another_grid():
    """Pooling pads on both sides, masks are cut from the left: width 5, blocks of 4."""
    _, layer = wrapped([[9.0, 9, 9, 1, 1]] * 2 + [[8.0, 8, 8, 2, 2]] * 2, block=(2, 4))
    print(f"blocks of columns 0 to 2, and 3 and 4, compete; mask {updated(layer)}")


def tfmot_block_as_high_as_the_kernel():
    """One row of blocks is squeezed to a vector, which is then refused."""
    _, layer = wrapped([[1.0, 2.0], [3.0, 4.0]], block=(2, 1))
    try:
        print(updated(layer))
    except ValueError as why:
        print(f"ValueError: {str(why).splitlines()[2]}")


def tfmot_groups_are_forgotten_by_saving():
    """A layer pruned 2 of 4, saved, loaded, and pruned again."""
    import numpy as np

    keras, sparsity = toolkit()
    kernel = np.arange(1.0, 9).reshape(8, 1)
    model, layer = wrapped(kernel.tolist(), groups=(2, 4))
    for ending in ("keras", "h5"):
        with tempfile.TemporaryDirectory() as folder, sparsity.prune_scope():
            model.save(os.path.join(folder, f"model.{ending}"))
            back = keras.models.load_model(
                os.path.join(folder, f"model.{ending}"), compile=False
            )
        again = np.ravel(updated(back.layers[0])).tolist()
        print(f"{ending}: sparsity_m_by_n {back.layers[0].sparsity_m_by_n}, {again}")
    print(f"unsaved: {np.ravel(updated(layer)).tolist()}")


def tfmot_groups_of_float64():
    """The mask of a group is always float32."""
    _, layer = wrapped([[1.0], [2.0], [3.0], [4.0]], groups=(2, 4), dtype="float64")
    try:
        print(updated(layer))
    except ValueError as why:
        print(f"ValueError: {str(why).splitlines()[2][:84]}")


def tfmot_step_zero_never_comes():
    """Steps are counted from 1: a cut at step 0 only, which is accepted."""
    _, sparsity = toolkit()
    for step in (0, 1):
        schedule = sparsity.ConstantSparsity(0.5, step, step, 1)
        print(f"begin and end {step}: share of zeros {trained(schedule, 20)}")


def tfmot_default_frequency():
    """Half of a layer, from step 0 on, as documented: masks are due every 100 steps."""
    _, sparsity = toolkit()
    for steps in (99, 101):
        zeros = trained(sparsity.ConstantSparsity(0.5, 0), steps)
        print(f"{steps} steps: share of zeros {zeros}")


def tfmot_final_sparsity_is_not_reached():
    """SD-16: from step 3 to 20, every 4 steps, to 0.9."""
    import tensorflow as tf

    _, sparsity = toolkit()
    schedule = sparsity.PolynomialDecay(0.0, 0.9, 3, 20, 3, 4)
    asked = [(step, schedule(tf.constant(step, tf.int64))) for step in range(30)]
    due = [(step, round(float(level), 4)) for step, (now, level) in asked if now]
    print(f"updates: {due}")


def tfmot_removed_weights_learn():
    """One layer, mask [0, 1]; the loss wants a large first output weight."""
    import numpy as np

    keras, sparsity = toolkit()
    model, layer = wrapped([[1.0, 2.0]])
    print(f"first mask {updated(layer)}")
    model.compile(keras.optimizers.SGD(0.5), "mse")
    target = np.tile([[9.0, 2.0]], (2, 1))
    model.fit(
        np.ones((2, 1)),
        target,
        batch_size=1,
        epochs=3,
        verbose=0,
        callbacks=[sparsity.UpdatePruningStep()],
    )
    mask = layer.pruning_vars[0][1].numpy().astype(int).tolist()
    print(f"after six steps at the same sparsity {mask}")


def toolkit():
    """Keras and the pruning of TensorFlow Model Optimization, which knows Keras 2."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tf_keras
    from tensorflow_model_optimization.sparsity import keras

    return tf_keras, keras


def wrapped(kernel, *, block=(1, 1), groups=None, dtype="float32"):
    """A model of one dense layer with that kernel, pruned by half, and the layer."""
    import numpy as np

    keras, sparsity = toolkit()
    kernel = np.array(kernel, dtype)
    layer = sparsity.prune_low_magnitude(
        keras.layers.Dense(kernel.shape[1], use_bias=False, dtype=dtype),
        sparsity.ConstantSparsity(0.5, 0, frequency=1),
        block_size=block,
        sparsity_m_by_n=groups,
        dtype=dtype,
    )
    given = keras.layers.InputLayer((len(kernel),), dtype=dtype)
    model = keras.Sequential([given, layer])
    layer.pruning_vars[0][0].assign(kernel)
    return model, layer


def updated(layer):
    """The mask after one training step."""
    import numpy as np

    weight, mask, _ = layer.pruning_vars[0]
    layer.pruning_step.assign(0)
    layer(np.zeros((1, weight.shape[0]), weight.dtype.as_numpy_dtype), training=True)
    return mask.numpy().astype(int).tolist()


def trained(schedule, steps):
    """Share of zeros in a layer of 4 x 4 after so many steps."""
    import numpy as np

    keras, sparsity = toolkit()
    dense = keras.layers.Dense(4, use_bias=False, input_shape=(4,))
    layer = sparsity.prune_low_magnitude(dense, schedule)
    model = keras.Sequential([layer])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(steps, 4))
    done = [sparsity.UpdatePruningStep()]
    model.fit(x, x, batch_size=1, verbose=0, callbacks=done)
    return float((layer.pruning_vars[0][0].numpy() == 0).mean())
