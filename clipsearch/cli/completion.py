"""`clipsearch completion`."""

import click
from click.shell_completion import get_completion_class

PROGRAM = "clipsearch"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a shell completion script.

    SHELL is bash, zsh or fish. Add the line of your shell to its start-up file:

    \b
    eval "$(clipsearch completion bash)"                        # ~/.bashrc
    eval "$(clipsearch completion zsh)"                         # ~/.zshrc
    clipsearch completion fish | source                         # ~/.config/fish/config.fish
    """
    completion_class = get_completion_class(shell)
    assert completion_class is not None
    group = context.find_root().command
    click.echo(completion_class(group, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())
