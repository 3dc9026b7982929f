"""Runs llama.cpp's quantization; a process of its own, because its C++ code cannot be stopped.

Arguments: the source, the target, the quantization's name, the number of threads, and "plan" or
"write". A plan prints what writing would do and writes nothing.
"""

from __future__ import annotations

import ctypes
import sys

from adapters.runs.child import die_with_parent


def main() -> int:
    die_with_parent()
    import llama_cpp.llama_cpp as library

    source, target, quantization, threads, action = sys.argv[1:]
    # llama.cpp's own log, which goes to stderr; the Python package shows errors only
    library.llama_log_set(library.llama_log_callback(0), None)
    parameters = library.llama_model_quantize_default_params()
    parameters.ftype = getattr(library, f"LLAMA_FTYPE_MOSTLY_{quantization}")
    parameters.nthread = int(threads)
    parameters.dry_run = action == "plan"
    return int(
        library.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters))
    )


if __name__ == "__main__":
    sys.exit(main())
