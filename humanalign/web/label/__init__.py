"""The labeler's side: what stands before work (gate), and the page on which answers are judged."""
