"""What was tried once: figures of the pages in docs/. Imports what it likes and is imported by nothing."""
