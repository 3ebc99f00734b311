"""Many runs, and where they run."""
