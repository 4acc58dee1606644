"""Losses from their definitions, sample by sample; and optimizers weight by weight."""

import numpy as np


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


def cross_entropy(logits, labels, smoothing=0.0):
    """Logits (N, classes)."""
    total = 0.0
    for z, label in zip(logits, labels, strict=True):
        target = np.full(len(z), smoothing / len(z))
        target[label] += 1 - smoothing
        total = total - (target * np.log(softmax(z))).sum()
    return total / len(labels)


def mean_squared_error(outputs, targets):
    return ((outputs - targets) ** 2).sum() / outputs.size


def binary_cross_entropy(logits, targets):
    total = 0.0
    for z, t in zip(logits.ravel(), targets.ravel(), strict=True):
        p = 1 / (1 + np.exp(-z))
        total = total - t * np.log(p) - (1 - t) * np.log(1 - p)
    return total / logits.size


def distillation(logits, targets, temperature, mixing):
    total = 0.0
    for z, (label, *teacher) in zip(logits, targets, strict=True):
        q = softmax(np.array(teacher) / temperature)
        p = softmax(z / temperature)
        apart = (q * np.log(q / p)).sum() * temperature**2
        plain = -np.log(softmax(z)[int(label)])
        total = total + mixing * apart + (1 - mixing) * plain
    return total / len(logits)


PENALTIES = {
    "l1": lambda w: (w * np.sign(w.real)).sum(),
    "l2": lambda w: (w**2).sum() / 2,
    "group_lasso": lambda w: sum(
        np.sqrt(unit.size) * np.sqrt((unit**2).sum()) for unit in w
    ),
    "hoyer_square": lambda w: (w * np.sign(w.real)).sum() ** 2 / (w**2).sum(),
}


def sgd(w, grads, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    """One weight through a list of gradients, in Python floats."""
    velocity = 0.0
    for g in grads:
        g = g + weight_decay * w
        velocity = momentum * velocity + g
        w = w - lr * (g + momentum * velocity if nesterov else velocity)
    return w


def adam(w, grads, lr, betas, eps, weight_decay=0.0, decoupled=False):
    """Kingma & Ba, Algorithm 1, with torch's place for eps; decay in or outside."""
    mean = square = 0.0
    for t, g in enumerate(grads, 1):
        if decoupled:
            w = w - lr * weight_decay * w
        else:
            g = g + weight_decay * w
        mean = betas[0] * mean + (1 - betas[0]) * g
        square = betas[1] * square + (1 - betas[1]) * g * g
        unbiased = mean / (1 - betas[0] ** t), square / (1 - betas[1] ** t)
        w = w - lr * unbiased[0] / (unbiased[1] ** 0.5 + eps)
    return w
