"""`python -m digitline`, the same as `digitline`."""

from digitline.cli import main

if __name__ == "__main__":
    main()
