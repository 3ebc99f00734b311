# The front door. Each target is one command over real files, so a second call does nothing.
# On a Jetson the packages of the container or the system are used; elsewhere a virtual environment is made here.

BOARD      := $(wildcard /etc/nv_tegra_release)
MODEL      ?= siamrpn_lite0
PRECISION  ?= fp16
BACKEND    ?= $(if $(BOARD),tensorrt,onnxruntime)
PYTHON     ?= $(if $(BOARD),python3,.venv/bin/python)
BASE_PYTHON ?= python3
PYTHON38   ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.8.*/bin/python) $(shell command -v python3.8))

# A remembered setting is only newer than what was made with it if it has changed.
IF_CHANGED = if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
comma   := ,
space   := $(subst ,, )
# target=fp16,search=int8,xcorr=fp16 in any order is fp16+int8+fp16; three equal words are one
of      = $(patsubst $(1)=%,%,$(filter $(1)=%,$(subst $(comma), ,$(PRECISION))))
WORDS   := $(if $(findstring =,$(PRECISION)),$(call of,target) $(call of,search) $(call of,xcorr),$(PRECISION))
LABEL   := $(if $(filter 1,$(words $(sort $(WORDS)))),$(firstword $(WORDS)),$(subst $(space),+,$(strip $(WORDS))))$(KEEP:%=-keep%)$(MAX_DRIFT:%=-drift%)
HOME_OF := build/$(MODEL)
ONNX    := $(HOME_OF)/onnx/manifest.json

# A model goes on with the checkpoint it was exported from; another CHECKPOINT, or a changed file, exports it anew.
SOURCE_OF  := $(HOME_OF)/checkpoint.txt
CHECKPOINT ?= $(or $(shell file=$$(head -n 1 $(SOURCE_OF) 2>&-); test -f "$$file" && echo "$$file"),$\
	$(if $(wildcard $(ONNX)),$(wildcard weights/$(MODEL).pth),weights/$(MODEL).pth))
ENGINES := $(HOME_OF)/engines/$(BACKEND)-$(LABEL)/manifest.json
DETAILED := $(HOME_OF)/engines/$(BACKEND)-$(LABEL)-detailed/manifest.json
RANGES  := $(HOME_OF)/calibration/manifest.json
SENSITIVITY := $(HOME_OF)/sensitivity.json
INT8    := $(if $(findstring int8,$(PRECISION)),$(RANGES))
RANKED  := $(if $(KEEP)$(MAX_DRIFT),$(SENSITIVITY))
CLIP    := build/clip/groundtruth.txt
DEMO    := $(HOME_OF)/demo/$(BACKEND)-$(LABEL)/contact_sheet.png

VIDEO   := $(shell printf %s "$(or $(realpath $(SOURCE)),$(SOURCE))" | tr -c 'A-Za-z0-9._-' _ | tail -c 150)
OUT     ?= $(HOME_OF)/track/$(BACKEND)-$(LABEL)/$(VIDEO)$(if $(INIT),@$(subst $(comma),-,$(INIT)))
TRACK   := $(OUT)/finished
VOT_RUN := $(HOME_OF)/vot/$(BACKEND)-$(LABEL)
NAME    ?= $(BACKEND)-$(LABEL)-$(or $(notdir $(patsubst %/,%,$(SEQUENCES))),clip)
REPORT  := $(HOME_OF)/reports/$(NAME)
LAYERS  := $(HOME_OF)/reports/layers-$(BACKEND)-$(LABEL).json

SETUP   := $(if $(filter .venv/%,$(PYTHON)),.venv/ready)
DEV     := $(if $(filter .venv/%,$(PYTHON)),.venv/ready-dev)

.DELETE_ON_ERROR:
.PHONY: again help setup test check demo export calibrate sensitivity engines track train vot vot-workspace ope evaluate layers bench sweep overhead chain container bench-container

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: $(SETUP) $(DEV)  ## Make the virtual environment (demo and test do it by themselves)

.venv/ready: requirements/workstation.txt
	test -x .venv/bin/python || $(BASE_PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -r $<
	touch $@

.venv/ready-dev: requirements/dev.txt .venv/ready
	.venv/bin/python -m pip install --quiet -r $<
	touch $@

.venv38/ready: requirements/board-tests.txt requirements/board.txt
	$(PYTHON38) -m venv .venv38
	.venv38/bin/python -m pip install --quiet --upgrade pip
	.venv38/bin/python -m pip install --quiet -r $<
	touch $@

test: $(DEV) $(if $(PYTHON38),.venv38/ready)  ## Run every test, the board-side ones on Python 3.8 too where one is installed
	$(PYTHON) -m pytest
	$(if $(PYTHON38),.venv38/bin/python -m pytest tests/siamtrt tests/sequences tests/calibration tests/engines tests/runtime tests/serving tests/doubles tests/benchmarks,@echo "no Python 3.8 here: the board-side tests ran on $$($(PYTHON) -V) only")

check: $(DEV)  ## Formatter, linter, types, import contract, then the tests
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	sh requirements/check_board.sh $(PYTHON)
	$(MAKE) test

export: $(ONNX)  ## Checkpoint to ONNX graphs, MODEL=... CHECKPOINT=...
ifdef BOARD
$(ONNX):
	@echo "$(@D) is missing: graphs are exported on a workstation ('make export'); copy that folder here" >&2; exit 4
else
$(ONNX): $(if $(CHECKPOINT),$(SOURCE_OF)) | $(SETUP)
	$(PYTHON) -m export --model $(MODEL) --checkpoint "$(CHECKPOINT)" --out $(@D)
$(SOURCE_OF): again
	@test -f "$(CHECKPOINT)" || { echo "there is no checkpoint $(CHECKPOINT): name one with CHECKPOINT=/path/to/file.pth, see README.md" >&2; exit 4; }
	@mkdir -p $(@D); { echo "$(CHECKPOINT)"; sha256sum < "$(CHECKPOINT)"; } > $@.new
	@$(IF_CHANGED)
endif

engines: $(ENGINES)  ## Engines, PRECISION=fp32|fp16|int8|int8-all or target=fp16,search=fp32,xcorr=fp32
$(ENGINES) $(DETAILED): $(ONNX) $(INT8) $(RANKED) | $(SETUP)
	$(PYTHON) -m engines --onnx $(<D) --backend $(BACKEND) --precision $(PRECISION) $(if $(INT8),--ranges $(dir $(INT8))) \
		$(if $(RANKED),--sensitivity $(RANKED)) $(KEEP:%=--keep %) $(MAX_DRIFT:%=--max-drift %) \
		$(if $(filter tensorrt,$(BACKEND)),--timing-cache build/timing) $(if $(findstring -detailed/,$@),--detailed) --out $(@D)

calibrate: $(RANGES)  ## Activation ranges for INT8: FRAMES=folder of videos or images with boxes; rerun to resume
$(RANGES): $(ONNX) $(if $(FRAMES)$(METHOD)$(CROPS),$(HOME_OF)/frames.txt) | $(SETUP)
	@test -n "$(FRAMES)" || { echo "name the frames to calibrate with: FRAMES=/path/to/videos, see README.md" >&2; exit 2; }
	$(PYTHON) -m calibration --onnx $(<D) --frames "$(FRAMES)" $(if $(CROPS),--crops $(CROPS)) $(if $(METHOD),--method $(METHOD)) --out $(@D)
$(HOME_OF)/frames.txt: again
	@mkdir -p $(@D); echo "$(FRAMES) $(METHOD) $(CROPS)" > $@.new
	@$(IF_CHANGED)

sensitivity: $(SENSITIVITY)  ## Rank layers by what their INT8 costs; build with KEEP=N or MAX_DRIFT=0.01 from it
$(SENSITIVITY): $(ONNX) $(RANGES) | $(SETUP)
	$(PYTHON) -m engines.sensitivity --onnx $(<D) --ranges $(dir $(RANGES)) --out $@

track: $(TRACK)  ## Follow an object: SOURCE=video|folder|camera:0 INIT=x,y,w,h (drawn on the display if left out)
$(TRACK): $(ENGINES) $(or $(wildcard $(SOURCE)),again)
	$(PYTHON) -m runtime track --engines $(<D) --source "$(SOURCE)" $(if $(INIT),--init "$(INIT)") --out $(@D) --annotate
	@touch $@  # on Ctrl-C the boxes so far stay, and the next call tracks again
again:  # a camera, a pipeline or a chosen setting is never up to date

train: .venv/ready-training  ## Train a model: DATA=folder CONFIG=file.toml; rerun to resume
	$(PYTHON) -m training --config $(or $(CONFIG),training/configs/$(MODEL).toml) --data "$(DATA)" --out build/training/$(MODEL)

.venv/ready-training: requirements/training.txt .venv/ready
	.venv/bin/python -m pip install --quiet -r $<
	touch $@

vot: $(ENGINES)  ## Run the reset-based VOT protocol: SEQUENCES=folder; rerun to resume
	$(PYTHON) -m benchmarks vot --engines $(<D) --sequences "$(SEQUENCES)" --out $(VOT_RUN)

vot-workspace: $(ENGINES)  ## A workspace for the VOT toolkit's own "vot evaluate"; SEQUENCES=folder if not its own
	$(PYTHON) -m benchmarks vot-workspace --engines $(<D) $(if $(SEQUENCES),--sequences "$(SEQUENCES)") --out $(HOME_OF)/vot-workspace

ope: $(ENGINES)  ## One-pass evaluation (OTB, UAV123, GOT-10k): SEQUENCES=folder; rerun to resume
	$(PYTHON) -m benchmarks ope --engines $(<D) --sequences "$(SEQUENCES)" --out $(HOME_OF)/ope/$(notdir $(patsubst %/,%,$(SEQUENCES)))

evaluate: $(SETUP)  ## Accuracy, robustness, EAO: ANNOTATIONS=file.json RESULTS=folder of TRACKER/baseline/...
	$(PYTHON) -m benchmarks evaluate --annotations "$(ANNOTATIONS)" --results "$(or $(RESULTS),$(VOT_RUN)/results)" --out $(VOT_RUN)/evaluation.json

layers: $(LAYERS)  ## Latency of each layer of each engine; compare reports with python -m benchmarks compare
$(LAYERS): $(if $(filter tensorrt,$(BACKEND)),$(DETAILED),$(ENGINES))
	$(PYTHON) -m benchmarks layers --engines $(<D) --out $@

bench: $(ENGINES)  ## Everything measured in one page: SEQUENCES=folder (a rendered clip if left out) NAME=...; rerun to resume
	$(PYTHON) -m benchmarks bench --engines $(<D) $(if $(SEQUENCES),--sequences "$(SEQUENCES)") \
		$(if $(ANNOTATIONS),--annotations "$(ANNOTATIONS)") --out $(REPORT)

sweep: $(ONNX)  ## The 27 mixes of fp32, fp16, int8: SEQUENCES=folder (a rendered clip if left out); INT8 once calibrated; rerun to resume
	$(PYTHON) -m benchmarks sweep --onnx $(<D) --backend $(BACKEND) $(if $(wildcard $(RANGES)),--ranges $(dir $(RANGES))) \
		$(if $(SEQUENCES),--sequences "$(SEQUENCES)") $(if $(ANNOTATIONS),--annotations "$(ANNOTATIONS)") \
		--out $(HOME_OF)/sweep/$(BACKEND)-$(or $(notdir $(patsubst %/,%,$(SEQUENCES))),clip)

# A Jetson's own files, of which the container takes those that are there: which board it is, its power mode and rails.
BOARD_FILES ?= /etc/nv_tegra_release /var/lib/nvpmodel /etc/nvpmodel.conf /usr/bin/tegrastats /run/jtop.sock
IMAGE       ?= siamtrt
IN_IMAGE    := docker run --rm --runtime nvidia -v "$(CURDIR)/build:/siamtrt/build" \
	$(foreach file,$(wildcard $(BOARD_FILES)),-v $(file):$(file))

container:  ## Build the image for a Jetson with JetPack 5.1, on the Jetson
	docker build -f Dockerfile.l4t -t $(IMAGE) --build-arg \
		JETSON_STATS=$$($(BASE_PYTHON) -c 'from importlib.metadata import version; print(version("jetson-stats"))' 2>/dev/null) .

bench-container:  ## 'make bench' in that image on a Jetson: VOT=/path/to/sequences; engines are built there first
	@test -d "$(VOT)" || { echo "VOT=$(VOT) is no folder: VOT=/path/to/vot2018/sequences" >&2; exit 2; }
	$(IN_IMAGE) -v "$$(realpath "$(VOT)"):/vot:ro" $(if $(ANNOTATIONS),-v "$$(realpath "$(ANNOTATIONS)"):/annotations.json:ro") \
		$(IMAGE) make bench BACKEND=tensorrt MODEL=$(MODEL) PRECISION=$(PRECISION) SEQUENCES=/vot \
		$(KEEP:%=KEEP=%) $(MAX_DRIFT:%=MAX_DRIFT=%) \
		$(if $(ANNOTATIONS),ANNOTATIONS=/annotations.json)

overhead: $(ENGINES)  ## What a frame costs beside the network
	$(PYTHON) -m benchmarks overhead --engines $(<D)

chain: $(ENGINES) $(CLIP)  ## TensorRT: a frame on the GPU beside one carried through the host; needs a GPU
	$(PYTHON) -m benchmarks chain --engines $(<D) --clip $(dir $(CLIP)) --out $(HOME_OF)/reports/chain-$(LABEL).json

demo: $(DEMO)  ## Render a clip, export, build, track it, and show how well
	@cat $(<D)/summary.txt
$(DEMO): $(ENGINES) $(CLIP)
	$(PYTHON) -m benchmarks demo --engines $(<D) --clip $(dir $(CLIP)) --out $(@D)
$(CLIP): | $(SETUP)
	$(PYTHON) -m benchmarks clip --out $(@D)
