"""A network as two files of C99: no allocation, no recursion, no library.

`write` makes them of a `Network`, in float32, or of a `QuantizedNetwork`, in int8.
Weights that are zero are neither stored nor multiplied; how they are held is chosen for
each layer (`encode`, `choose`). What the C answers is known to the bit beforehand
(`Program.run`).
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from minprune._check import one_of
from minprune.export.c99.header import layer_table
from minprune.export.c99.program import Program
from minprune.export.c99.source import Source, generate
from minprune.files.atomic import explained, write_texts
from minprune.nn.network import Network
from minprune.quantize.network import QuantizedNetwork

__all__ = ["Program", "Source", "Written", "generate", "layer_table", "write"]


@dataclass(frozen=True, slots=True)
class Written:
    """The files, and the program they hold."""

    header: Path
    source: Path
    program: Program
    weights: tuple[Path, ...] = ()
    """Header and source of the weights, where they are apart."""


def write(
    model: Network | QuantizedNetwork,
    folder: str | PathLike[str],
    name: str = "net",
    objective: str = "speed",
    weights: str = "together",
) -> Written:
    """Write ``NAME.h`` and ``NAME.c``.

    Parameters
    ----------
    model : Network or QuantizedNetwork
        In float32 or in int8.
    folder : str or path
        Made if it is not there.
    name : str
        Begins every function and, in capitals, every macro: lower case.
    objective : str
        ``"speed"`` or ``"flash"``: what an encoding is chosen for. For flash, weights
        of at most sixteen values a layer lie in four bits each, if that takes less.
    weights : str
        ``"together"`` with the code, or ``"separate"``, in ``NAME_weights.c`` and its
        header: a second file to compile, which new weights of the same pattern replace.

    Raises
    ------
    ValueError
        If a layer cannot be exported (its name and kind), or a size is beyond 16 bits.
        Nothing has been written then.
    OSError
        If a file cannot be written; all that were there are as they were.

    Examples
    --------
    >>> import tempfile
    >>> from minprune.nn import Linear, Sequential
    >>> net = Network(Sequential(Linear(4, 2)), (4,), seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write(net, folder)
    ...     print(written.header.read_text().splitlines()[-1])
    #endif
    >>> written.program.arena_bytes
    0
    """
    one_of("export", "weights", weights, ("together", "separate"))
    program = Program(model, objective)
    text = generate(program, name, weights == "separate")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, f"export: no folder {folder} was made") from error
    header, source = folder / f"{name}.h", folder / f"{name}.c"
    texts = {source: text.body, header: text.header}
    apart: tuple[Path, ...] = ()
    if text.weights:
        apart = folder / f"{name}_weights.h", folder / f"{name}_weights.c"
        texts |= dict(zip(apart, (text.weights_header, text.weights), strict=True))
    write_texts(texts)
    return Written(header, source, program, apart)
