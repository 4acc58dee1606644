"""How pruned weights are held and multiplied: storage, kernels, layers, networks.

Importing this room imports no compiler: Numba is loaded when a kernel is first needed.
"""

from minprune.sparse.bsr import BSR
from minprune.sparse.compress import compress, explain
from minprune.sparse.csr import CSR
from minprune.sparse.layers import SparseConv1d, SparseConv2d, SparseLinear
from minprune.sparse.plan import Plan, compile

__all__ = [
    "BSR",
    "CSR",
    "Plan",
    "SparseConv1d",
    "SparseConv2d",
    "SparseLinear",
    "compile",
    "compress",
    "explain",
]
