"""What strangers can try: hostile text, other people's pages, forged requests, altered files."""
