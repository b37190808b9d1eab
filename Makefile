# Every command sets up what it needs: `make demo` is enough on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PHOTOS ?=
OUT ?= demo-out
LOOKS ?= retouch day-to-night night-to-day summer-to-winter winter-to-summer golden-hour autumn
GPU_OUT ?= $(if $(filter file,$(origin OUT)),benchmarks/results,$(OUT))

.PHONY: setup demo test lint man bench looks pictures gpu-check clean

setup: $(VENV)/.done

$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

demo: setup
	$(BIN)/python -m demo.run --out $(OUT) $(if $(PHOTOS),--photos $(PHOTOS))

test: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pictures of the README and of the model cards, of rendered scenes.
pictures: setup
	$(BIN)/python -m demo.strips

bench: setup
	$(BIN)/python -m benchmarks.batch --out benchmarks/results

# The manual page, made of the commands' own help.
man: setup
	$(BIN)/lptn --man > man/lptn.1

# What the presets are worth, on ../shared/photos (or PHOTOS=, a folder of groups): the README's table. Its last row is of
# the authors' checkpoint: `lptn import net_g_FiveK_numhigh3.pth fivek`, then LOOKS="retouch ... fivek".
looks: setup
	$(BIN)/python -m benchmarks.looks $(or $(PHOTOS),../shared/photos) --out benchmarks/results \
		$(foreach preset,$(LOOKS),-p $(preset))

# Without `setup`: a bare machine with a GPU has its own torch and Triton, in $(PYTHON).
gpu-check:
	$(PYTHON) -m benchmarks.gpu --out $(GPU_OUT)

clean:
	rm -rf $(VENV) demo-out dist
