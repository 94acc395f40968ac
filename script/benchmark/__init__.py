"""``script/bench``: what a request costs beside the cryptography in it. See docs/performance.md."""
