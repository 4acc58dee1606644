"""Execute the suspicions about one toolkit."""

import importlib
import logging
import sys
import warnings

if __name__ == "__main__":
    toolkit = sys.argv[1]
    module = importlib.import_module(f"tests.conformance.suspects.{toolkit}")
    warnings.simplefilter("ignore")  # of deprecated quantization
    logging.disable(logging.WARNING)
    for name, ask in sorted(vars(module).items()):
        if name.startswith(f"{toolkit}_"):
            print(f"{name}: {ask.__doc__}")
            ask()
            print()
