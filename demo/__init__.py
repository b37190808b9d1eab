"""Everything that `make demo` needs: the rendered photographs and the contact sheets."""
