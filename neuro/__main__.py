"""`python -m neuro`: the command line."""

from neuro.cli import main

if __name__ == "__main__":
    main()
