"""The native engine: one C file, how it is built, checked and loaded, and which product of matrices it calls.

`engine.c` is the source: an interpreter of bytecode, and optimisers in one pass. `programs.py`, `shares.py` and
`adam.py` hand things to it.
`flags.py` and `processor.py` say how and where it can run, `build.py` compiles and seals it, `folders.py` says where it
may lie, `library.py` gives it out, `blas.py` finds its matrix product, `probe.py` computes what tells two apart.
"""
