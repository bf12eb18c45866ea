"""`python -m dynaferry` is the same as `dynaferry`."""

from dynaferry.cli.main import main

if __name__ == "__main__":
    main()
