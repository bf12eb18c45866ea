"""The data plane: segments, pages, batches, acknowledgements."""
