"""python -m tools.sample DIR [--format FORMAT]"""

from stages.dataset import command
from tools.sample import main

if __name__ == "__main__":
    command.run(main)
