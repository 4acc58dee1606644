"""Toolkits that are hard to live with; each is run in a process of its own only."""

import os
import signal
import sys
import time

import numpy as np

from minprune.conformance import Toolkit, Unsupported


class Polite(Toolkit):
    """Halves by position; NumPy is all it needs."""

    name = "polite"
    version = "1.2"

    def mask(self, scores, sparsity, scope, min_keep=None, previous=None):
        if not 0 <= sparsity <= 1:
            raise ValueError("no share")
        return {name: score > np.median(score) for name, score in scores.items()}

    def schedule(self, *frame):
        raise Unsupported("no curves")


class Noisy(Polite):
    """Prints wherever it can; what it answers is what Polite answers."""

    def mask(self, *args):
        print("a progress bar")
        os.write(1, b"a C library\n")
        sys.stdout.write("MPC1")
        return super().mask(*args)


class Reads(Polite):
    """Asks a question on stdin."""

    def mask(self, *args):
        assert sys.stdin.read() == ""
        return super().mask(*args)


class Hangs(Polite):
    def mask(self, *args):
        time.sleep(60)


class Exits(Polite):
    def mask(self, *args):
        print("the license has expired")
        os._exit(3)


class Crashes(Polite):
    def mask(self, *args):
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)


class Quits(Polite):
    def mask(self, *args):
        sys.exit("I give up")


class Rubbish(Polite):
    """Writes into every pipe it finds, the one for answers included."""

    def mask(self, *args):
        for descriptor in range(3, 32):
            try:
                os.write(descriptor, b"rubbish" * 8)
            except OSError:
                continue
        return super().mask(*args)


class Objects(Polite):
    def mask(self, scores, *args):
        return {name: np.array([{}]) for name in scores}


class Changes(Polite):
    """Works on what it was given."""

    def mask(self, scores, *args):
        for score in scores.values():
            score += 1
        return super().mask(scores, *args)


class NeverMade(Polite):
    def __init__(self):
        raise ImportError("libfoo.so.3 is not there")


class DiesAtBirth(Polite):
    def __init__(self):
        os._exit(9)
