"""Does the model say what is true, what the source supports, and that it does not know?"""
