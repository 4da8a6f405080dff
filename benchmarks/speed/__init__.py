"""How fast the line is, beside a bare loop and beside other ways to do the same work, in one run."""
