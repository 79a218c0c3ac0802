"""The feedback store: who asked what, who answered, and proof that nothing was altered since.

`FeedbackStore` is the way in; every SQL statement of the package is in this folder.
"""

from humanalign.prefer.store.feedback import FeedbackStore

__all__ = ["FeedbackStore"]
