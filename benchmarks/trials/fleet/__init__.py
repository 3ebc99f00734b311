"""Trials on other machines, by Dask: what crosses, where its files are, whose turn a machine is."""
