"""python -m stages.sample DIR [--format FORMAT]"""

from stages.dataset import command
from stages.sample import main

if __name__ == "__main__":
    command.run(main)
