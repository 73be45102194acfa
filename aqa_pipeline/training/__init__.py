"""Query/exemplar draws, batches from feature stores, one loop that knows no paper, and the runs it leaves behind."""
