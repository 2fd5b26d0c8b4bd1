"""`python -m api.cli`, for where the project is not installed."""

from api.cli import main

main()
