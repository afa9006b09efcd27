"""What ran when: traces of PyTorch's profiler (kineto.py) and of Nsight Systems (nsys.py, trace_csv.py)."""
