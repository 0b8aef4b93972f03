"""Measurements of the gateway and of the choices behind it. `python -m benchmarks` lists them; docs/performance.md explains them."""
