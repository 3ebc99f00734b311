# The front door. Each target is one command over real files, so a second call does nothing: 'make help' lists them.
# On a Jetson the packages of the container or the system are used; elsewhere a virtual environment is made here.
# Lines of two number signs are what 'make help' prints: an @ heads a group, a question mark declares NAME=default.

BOARD := $(wildcard /etc/nv_tegra_release)

##? MODEL=siamrpn_nano : a row of the table in README.md
MODEL ?= siamrpn_nano
##? VARIANT= : a smaller MODEL of that name, as make prune left it, or weights/MODEL-VARIANT.pth with its record MODEL-VARIANT.json
##? PRECISION=fp16 : fp32, fp16, int8, int8-all, or one a graph: target=fp16,search=int8,xcorr=fp16
PRECISION ?= fp16
##? BACKEND=onnxruntime : tensorrt on a Jetson; typed builds plans without a GPU
BACKEND ?= $(if $(BOARD),tensorrt,onnxruntime)
##? CHECKPOINT=weights/MODEL[-VARIANT].pth : the weights; a model goes on with those it was exported from
##? SEED= : random weights instead, where only shapes and speed matter; export
##? KERNEL_INPUTS= : 1 makes kernels inputs of xcorr, in build/MODEL-inputs; typed sets it
KERNEL_INPUTS ?= $(if $(filter typed,$(BACKEND)),1)
##? COMPUTE_CAPABILITY= : GPUs to build for, e.g. 8.9; BACKEND=typed
##? FRAMES= : videos or images with boxes, remembered; calibrate
##? METHOD= : minmax, percentile or entropy, or one a graph: entropy,entropy,minmax; calibrate
##? CROPS=500 : how many crops to measure; calibrate
##? FLOAT_LAYERS= : how many of the worst layers stay out of INT8 (was KEEP)
FLOAT_LAYERS ?= $(KEEP)
##? MAX_NOISE= : or as many as bring the noise of the maps down to this share (was MAX_DRIFT)
MAX_NOISE ?= $(MAX_DRIFT)
##? SOURCE= : a video, a folder of images, camera:0, csi:0 or gst:PIPELINE, nv12: before it for NV12; track, live
##? ADDRESS=127.0.0.1 : where the page is served; any other address needs the token that is printed; live
ADDRESS ?= 127.0.0.1
##? PORT=8090 : of the page; live
PORT ?= 8090
##? INIT= : x,y,w,h in the first frame, drawn on the display if left out; track
##? SEQUENCES= : a folder of videos with truth; bench and sweep render a clip without
##? TUNING= : a folder of videos that thresholds are tuned on, rendered clips without; exits
##? ANNOTATIONS= : PySOT's JSON, or the folder of the sequences; evaluate
##? RESULTS= : raw results to judge, those of vot if left out; evaluate
##? VOT= : SEQUENCES of the container; bench-container
VOT ?= $(SEQUENCES)
##? DATA= : the folder that the configured sources are below; train, cells, prune, search
##? LIMIT_MS= : the most milliseconds that a network may take on this machine; search
##? POPULATION=25 : networks a generation; search
POPULATION ?= 25
##? GENERATIONS=40 : how many of them; search
GENERATIONS ?= 40
##? CONFIG=training/configs/MODEL.toml : how to train; MODEL_pruned.toml: how to win back what a cut cost; train, cells, prune
##? START=weights/MODEL.pth : the weights to prune; prune
START ?= weights/$(MODEL).pth
##? MACS=0.62 : the share of the search graph's multiply-accumulates that stays; prune
MACS ?= 0.62
##? NAME=BACKEND-PRECISION-SET : of the report; bench
##? THREADS= : of the CPU backend, all cores if left out
##? WORKERS= : how many trials run at a time on this machine, by Dask; sweep, vot, ope
##? CLUSTER= : address of a Dask scheduler that runs, tcp://host:8786; sweep, vot, ope
##? RESOURCE= : use the workers of that cluster with this resource, each trial with its machine alone
##? OUT= : where the goal leaves its result, if not below build/
##? FORCE= : 1 does the goals anew; what they left is set aside as FOLDER.before
##? PYTHON=.venv/bin/python : runs everything; python3 on a Jetson
PYTHON ?= $(if $(BOARD),python3,.venv/bin/python)
##? BASE_PYTHON=python3 : makes .venv; 3.11 or newer
BASE_PYTHON ?= python3
##? TORCH= : cpu installs torch without CUDA; the first call only
##? PYTHON38= : runs the board-side tests a second time; found by itself
PYTHON38 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.8.*/bin/python) $(shell command -v python3.8))
##? IMAGE=siamtrt : name of the container's image
IMAGE ?= siamtrt
##? ARCH=sm_72 : the GPU that the container's kernels are compiled for, sm_87 on an Orin; container
ARCH ?= sm_72
##? BASE_IMAGE= : an image with TensorRT to ship instead of that of Dockerfile.l4t; container
##? BUILD_IMAGE= : and one with nvcc to compile in; container
##? OPENCV= : jetpack for JetPack's OpenCV instead of pip's: it reads CSI cameras and pipelines; container

comma := ,
space := $(subst ,, )
# A path as the name of a target, a folder's last name with no blank, and 1,2,3,4 of "(1, 2, 3, 4)".
escaped  = $(subst $(space),\ ,$(1))
set_name = $(notdir $(patsubst %/,%,$(subst $(space),_,$(1))))
BOX     := $(subst $(space),,${subst (,,${subst ),,${INIT}}})

# target=fp16,search=int8,xcorr=fp16 in any order is fp16+int8+fp16; three equal words are one, and fp16+int8+int8 is
# int8. By macros, as Python would take each call of make from 0.03 to 0.2 s, and is not there before the first; a test
# holds both to one label.
role_word  = $(patsubst $(1)=%,%,$(filter $(1)=%,$(subst $(comma), ,$(PRECISION))))
ROLE_WORDS := $(call role_word,target) $(call role_word,search) $(call role_word,xcorr)
PRECISIONS := $(if $(findstring =,$(PRECISION)),$(ROLE_WORDS),$(PRECISION))
THREE      := $(subst $(space),+,$(strip $(PRECISIONS)))
LABEL      := $(or $(strip $(foreach word,fp32 fp16 int8-all,$(if $(filter $(word)+$(word)+$(word),$(THREE)),$(word)))),$\
	$(if $(filter fp16+int8+int8,$(THREE)),int8,$(THREE)))$(FLOAT_LAYERS:%=-keep%)$(MAX_NOISE:%=-drift%)

HOME_OF     := build/$(MODEL)$(VARIANT:%=-%)
MODEL_DIR   := $(HOME_OF)$(if $(KERNEL_INPUTS),-inputs)
BUILT       := $(BACKEND)-$(LABEL)
DATA_SET    := $(or $(call set_name,$(SEQUENCES)),clip)
ONNX        := $(MODEL_DIR)/onnx/manifest.json
ENGINES     := $(MODEL_DIR)/engines/$(BUILT)/manifest.json
RANGES      := $(MODEL_DIR)/calibration/manifest.json
SENSITIVITY := $(MODEL_DIR)/sensitivity.json
NEEDS_RANGES  := $(if $(findstring int8,$(PRECISION)),$(RANGES))
NEEDS_RANKING := $(if $(FLOAT_LAYERS)$(MAX_NOISE),$(SENSITIVITY))
CLIP        := build/clip/groundtruth.txt
# The video's path as one word that is no longer than a file name may be.
VIDEO := $(shell { realpath -qe -- "$(SOURCE)" || printf %s "$(SOURCE)"; } | tr -d '\n' | tr -c 'A-Za-z0-9._-' _ | tail -c 150)

# A model with exits lies beside the same weights as one search; 20 rendered clips a side where no videos are named.
EXITS_DIR      := $(MODEL_DIR)-exits
EXITS_BUILT    := onnxruntime-$(LABEL)
EXITS_ONNX     := $(EXITS_DIR)/onnx/manifest.json
EXITS_ENGINES  := $(EXITS_DIR)/engines/$(EXITS_BUILT)/manifest.json
EXITS_WHOLE    := $(EXITS_DIR)/whole/$(EXITS_BUILT)/manifest.json
TUNING_CLIPS   := $(if $(TUNING),,$(patsubst %,build/clips/tuning/%/groundtruth.txt,$(shell seq 201 220)))
JUDGED_CLIPS   := $(if $(SEQUENCES),,$(patsubst %,build/clips/judged/%/groundtruth.txt,$(shell seq 101 120)))

# A stage of training starts from what another left, so each has the folder of its configuration's name.
TRAIN_CONFIG := $(or $(CONFIG),training/configs/$(MODEL).toml)

# What each goal leaves.
RESULT_export        := $(MODEL_DIR)/onnx
RESULT_engines       := $(MODEL_DIR)/engines/$(BUILT)
RESULT_calibrate     := $(MODEL_DIR)/calibration
RESULT_sensitivity   := $(SENSITIVITY)
RESULT_track         := $(or $(OUT),$(MODEL_DIR)/track/$(BUILT)/$(VIDEO)$(if $(BOX),@$(subst $(comma),-,$(BOX))))
RESULT_api           := $(or $(OUT),build/api)
RESULT_live          := $(or $(OUT),$(MODEL_DIR)/live/$(BUILT))
RESULT_demo          := $(or $(OUT),$(MODEL_DIR)/demo/$(BUILT))
RESULT_vot           := $(or $(OUT),$(MODEL_DIR)/vot/$(BUILT))
RESULT_vot-workspace := $(or $(OUT),$(MODEL_DIR)/vot-workspace)
RESULT_ope           := $(or $(OUT),$(MODEL_DIR)/ope/$(DATA_SET))
RESULT_evaluate      := $(or $(OUT),$(if $(RESULTS),$$(dirname "$(RESULTS)"),$(RESULT_vot))/evaluation.json)
RESULT_layers        := $(or $(OUT),$(MODEL_DIR)/reports/layers-$(BUILT).json)
RESULT_bench         := $(or $(OUT),$(MODEL_DIR)/reports/$(or $(NAME),$(BUILT)-$(DATA_SET)))
RESULT_sweep         := $(or $(OUT),$(MODEL_DIR)/sweep/$(BACKEND)-$(DATA_SET))
RESULT_exits         := $(or $(OUT),$(EXITS_DIR)/report/$(EXITS_BUILT)-$(or $(call set_name,$(SEQUENCES)),clips))
RESULT_board-check   := $(or $(OUT),$(MODEL_DIR)/board-check)
RESULT_chain         := $(or $(OUT),$(MODEL_DIR)/reports/chain-$(LABEL).json)
RESULT_train         := $(or $(OUT),build/training/$(basename $(call set_name,$(TRAIN_CONFIG))))
RESULT_cells         := $(or $(OUT),build/cells)
RESULT_prune         := $(or $(OUT),$(HOME_OF)/pruned)
RESULT_search        := build/searched/$(MODEL)/$(BUILT)/below-$(LIMIT_MS)-ms
TRACK  := $(call escaped,$(RESULT_track))/finished
DEMO   := $(call escaped,$(RESULT_demo))/contact_sheet.png
LAYERS := $(call escaped,$(RESULT_layers))

# Settings are remembered once what was made with them is whole.
CHECKPOINT_NOTE := $(MODEL_DIR)/checkpoint.txt
NOTED_WEIGHTS   := $(shell head -n 1 $(CHECKPOINT_NOTE) 2>&-)
SHIPPED         := $(or $(if $(VARIANT),$(wildcard $(RESULT_prune)/pruned.pth)),weights/$(MODEL)$(VARIANT:%=-%).pth)
ifeq ($(CHECKPOINT)$(SEED),)
ifeq ($(firstword $(NOTED_WEIGHTS)),--seed)
SEED := $(lastword $(NOTED_WEIGHTS))
else  # graphs whose checkpoint is not here are used as they are
CHECKPOINT := $(or $(shell test -f "$(NOTED_WEIGHTS)" && echo "$(NOTED_WEIGHTS)"),$(if $(wildcard $(ONNX)),,$(SHIPPED)))
endif
endif
WEIGHTS := $(SEED:%=--seed %) $(if $(CHECKPOINT),--checkpoint "$(CHECKPOINT)")
# Exits that were trained around the shipped weights lie beside them, with a card that names the digest of these.
ifeq ($(CHECKPOINT),weights/$(MODEL).pth)
EXITS_TRAINED := $(shell test -f "$(CHECKPOINT)" && grep -qs "$$(sha256sum < "$(CHECKPOINT)" | cut -c 1-64)" weights/$(MODEL)-exits.md && \
	echo weights/$(MODEL)-exits.pth)
endif

FRAMES_NOTE  := $(MODEL_DIR)/frames.txt
NOTED_FRAMES := $(shell cat $(FRAMES_NOTE) 2>&-)
ifndef FRAMES
FRAMES := $(shell sed -n s/^FRAMES=//p $(FRAMES_NOTE) 2>&-)
METHOD := $(or $(METHOD),$(shell sed -n s/^METHOD=//p $(FRAMES_NOTE) 2>&-))
CROPS  := $(or $(CROPS),$(shell sed -n s/^CROPS=//p $(FRAMES_NOTE) 2>&-))
endif
ifneq "$(strip $(NOTED_FRAMES))" "$(strip FRAMES=$(FRAMES) METHOD=$(METHOD) CROPS=$(CROPS))"
OTHER_FRAMES := $(if $(FRAMES),again)
endif

# A variable that a goal cannot do without.
NEED_SOURCE      := the video: SOURCE=video.mp4
NEED_FRAMES      := the frames to calibrate with: FRAMES=/path/to/videos
NEED_SEQUENCES   := the videos with truth: SEQUENCES=/path/to/vot2018/sequences
NEED_ANNOTATIONS := the truth: ANNOTATIONS=/path/to/VOT2018.json, or the folder of the sequences
NEED_DATA        := the data to train on: DATA=/path/to/data
NEED_LIMIT_MS    := the most milliseconds: LIMIT_MS=12
NEED_VARIANT     := what the smaller model is to be called: VARIANT=m62
need = test -n "$($(1))" || { echo "name $(NEED_$(1)); see README.md" >&2; exit 2; }

# A goal that found nothing to do says where its result lies; FORCE=1 sets that result aside first.
done      = $(eval DONE_$(1) := yes)
idle      = @$(if $(DONE_$(1)),:,$(call unchanged,$(1)))
unchanged = $(if $(filter $(1),$(MAKECMDGOALS)),echo "$(RESULT_$(1)) is up to date",:)
forced    = $(if $(FORCE),$(if $(filter $(1),$(MAKECMDGOALS)),aside-$(1)))

THREADS_OPTION := $(THREADS:%=--threads %)
PLACE    := $(WORKERS:%=--workers %) $(CLUSTER:%=--cluster %) $(RESOURCE:%=--resource %)
FLEET    := $(if $(strip $(PLACE)),$(if $(filter .venv/%,$(PYTHON)),.venv/ready-fleet))
SETUP    := $(if $(filter .venv/%,$(PYTHON)),.venv/ready)
DEV      := $(if $(filter .venv/%,$(PYTHON)),.venv/ready-dev)
TRAINING := $(if $(filter .venv/%,$(PYTHON)),.venv/ready-training)
API      := $(if $(filter .venv/%,$(PYTHON)),.venv/ready-api)
WEB      := $(if $(filter .venv/%,$(PYTHON)),.venv/ready-web)

.DELETE_ON_ERROR:
.PHONY: again help setup demo track live test test-all check export engines calibrate sensitivity train cells search vot ope evaluate \
	vot-workspace bench sweep exits layers overhead chain prune container bench-container shell board-check biases

again:  # a camera, a pipeline or a changed setting is never up to date
need-%:
	@$(call need,$*)
aside-%:
	@test ! -e "$(RESULT_$*)" || mv -T --backup=numbered "$(RESULT_$*)" "$(RESULT_$*).before"

##@ First steps

help:  ## This list
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 } \
		/^##[?]/ { name = meaning = substr($$0, 5); sub(/=.*/, "", name); sub(/^[^=]*=/, "", meaning); value = meaning; \
			sub(/ : .*/, "", value); sub(/^.* : /, "", meaning); \
			variables = variables sprintf("  %-19s %-28s%s\n", name, value, meaning) } \
		END { printf "\nVariables: make TARGET NAME=value\n%s", variables }' $(firstword $(MAKEFILE_LIST))

setup: $(SETUP) $(DEV)  ## Make the virtual environment (the others do it by themselves); TORCH=cpu for one without CUDA

demo: $(DEMO)  ## Render a clip, export, build, track it, and show how well
	@cat "$(RESULT_demo)/summary.txt"
$(DEMO): $(ENGINES) $(CLIP) $(call forced,demo)
	$(PYTHON) -m benchmarks demo --engines $(<D) --clip $(dir $(CLIP)) $(THREADS_OPTION) --out "$(RESULT_demo)"
$(CLIP): | $(SETUP)
	$(PYTHON) -m benchmarks clip --out $(@D)

track: need-SOURCE $(TRACK)  ## Follow an object: SOURCE=video|folder|camera:0 INIT=x,y,w,h
	$(call idle,track)
$(TRACK): $(ENGINES) $(if $(BOX),$(or $(call escaped,$(wildcard $(call escaped,$(SOURCE)))),again),again) $(call forced,track)
	$(call done,track)$(PYTHON) -m runtime track --engines $(<D) --source "$(SOURCE)" $(if $(BOX),--init="$(BOX)") \
		$(THREADS_OPTION) --annotate --out "$(RESULT_track)"
	@touch "$@"  # on Ctrl-C the boxes so far stay, and the next call tracks again

live: need-SOURCE $(ENGINES) $(WEB)  ## A page to draw a target on and see it followed: SOURCE=video|camera:0
	$(PYTHON) -m serving web --engines $(<D) --source "$(SOURCE)" --host $(ADDRESS) --port $(PORT) \
		$(THREADS_OPTION) --out "$(RESULT_live)"

.venv/ready: requirements/workstation.txt
	sh requirements/make_venv.sh "$(BASE_PYTHON)" $< $(TORCH)
	touch $@
.venv/ready-%: requirements/%.txt .venv/ready
	.venv/bin/python -m pip install --quiet -r $<
	touch $@
.venv38/ready: $(addprefix requirements/,board-tests.txt board.txt web.txt completion.txt)
	$(PYTHON38) -m venv .venv38
	.venv38/bin/python -m pip install --quiet --upgrade pip
	.venv38/bin/python -m pip install --quiet -r $<
	touch $@

##@ Build

export: $(ONNX)  ## Checkpoint to ONNX graphs: MODEL=... CHECKPOINT=/path/to/file.pth
	$(call idle,export)
ifdef BOARD
$(ONNX):
	@echo "$(@D) is missing: graphs are exported on a workstation ('make export'); copy that folder here" >&2; exit 4
else
$(ONNX): $(if $(strip $(WEIGHTS)),$(CHECKPOINT_NOTE))
	@touch -c $@
# The weights are compared by their digest; a file that cannot be exported is not remembered.
$(CHECKPOINT_NOTE): again $(call forced,export) | $(SETUP)
	@test -z "$(CHECKPOINT)" || test -f "$(CHECKPOINT)" || \
		{ echo "there is no checkpoint $(CHECKPOINT): name one with CHECKPOINT=/path/to/file.pth, see README.md" >&2; exit 4; }
	@asked=$$(if test -n "$(SEED)"; then echo "--seed $(SEED)"; else echo "$(CHECKPOINT)"; sha256sum < "$(CHECKPOINT)"; fi); \
	if test -f $(ONNX) && test "$$asked" = "$$(cat $@ 2>&-)"; then $(call done,export)$(call unchanged,export); else ( set -x; \
		$(PYTHON) -m export --model $(MODEL) $(WEIGHTS) $(if $(KERNEL_INPUTS),--kernel-inputs) --out $(RESULT_export) ) && \
		echo "$$asked" > $@; fi
endif

engines: $(ENGINES)  ## Graphs to engines: PRECISION=... BACKEND=...
	$(call idle,engines)
$(ENGINES): $(ONNX) $(NEEDS_RANGES) $(NEEDS_RANKING) $(call forced,engines)
	$(call done,engines)$(PYTHON) -m engines --onnx $(<D) --backend $(BACKEND) --precision $(PRECISION) \
		$(if $(NEEDS_RANGES),--ranges $(RESULT_calibrate)) \
		$(if $(NEEDS_RANKING),--sensitivity $(SENSITIVITY)) $(FLOAT_LAYERS:%=--float-layers %) $(MAX_NOISE:%=--max-noise %) \
		$(if $(filter tensorrt,$(BACKEND)),--timing-cache build/timing) $(COMPUTE_CAPABILITY:%=--compute-capability %) \
		--out $(@D)

calibrate: $(RANGES)  ## Activation ranges for INT8: FRAMES=folder; minutes, rerun to resume
	$(call idle,calibrate)
$(RANGES): $(ONNX) $(OTHER_FRAMES) $(call forced,calibrate) | $(SETUP)
	@$(call need,FRAMES)
	$(call done,calibrate)$(PYTHON) -m calibration --onnx $(<D) --frames "$(FRAMES)" $(CROPS:%=--crops %) $(METHOD:%=--method %) \
		$(THREADS_OPTION) --out $(@D)
	@printf '%s\n' "FRAMES=$(FRAMES)" "METHOD=$(METHOD)" "CROPS=$(CROPS)" > $(FRAMES_NOTE)

sensitivity: $(SENSITIVITY)  ## Rank layers by INT8 error; then build with FLOAT_LAYERS=N or MAX_NOISE=0.002
	$(call idle,sensitivity)
# Compared by the digests of graphs and ranges, since it takes long.
$(SENSITIVITY): $(ONNX) $(RANGES) $(call forced,sensitivity) | $(SETUP)
	@inputs=$$(cat $(RESULT_export)/*.onnx $(RESULT_calibrate)/*.ranges.json 2>&- | sha256sum); note=$(MODEL_DIR)/ranked.txt; \
	if test -e $@ && test "$$inputs" = "$$(cat $$note 2>&-)"; then touch $@; $(call done,sensitivity)$(call unchanged,sensitivity); else \
		echo "ranking the layers of $(MODEL): a matter of minutes, a quarter of an hour on a busy machine" >&2; \
		( set -x; $(PYTHON) -m engines.sensitivity --onnx $(<D) --ranges $(RESULT_calibrate) $(THREADS_OPTION) --out $@ ) && \
		echo "$$inputs" > $$note; fi

train: need-DATA $(TRAINING) $(call forced,train)  ## Train a model: DATA=folder CONFIG=file.toml; rerun to resume
	$(PYTHON) -m training --config "$(TRAIN_CONFIG)" --data "$(DATA)" --out "$(RESULT_train)"

cells: need-DATA $(TRAINING) $(call forced,cells)  ## Search a cell between trunk and head: DATA=folder CONFIG=file.toml; rerun to resume
	$(PYTHON) -m architectures cells search --config "$(or $(CONFIG),training/configs/siamrpn_nano_cells.toml)" --data "$(DATA)" \
		--out "$(RESULT_cells)"

prune: need-DATA need-VARIANT $(TRAINING) $(call forced,prune)  ## A smaller MODEL that tracks as it does: VARIANT=m62 MACS=0.62 DATA=folder; rerun to resume
	$(PYTHON) -m training.pruning rounds --model $(MODEL) --start "$(START)" --variant $(VARIANT) --macs $(MACS) \
		--config "$(or $(CONFIG),training/configs/$(MODEL)_pruned.toml)" --data "$(DATA)" --out "$(RESULT_prune)"

bench_of  = $(PYTHON) -m benchmarks bench --engines $(1) $(if $(SEQUENCES),--sequences "$(SEQUENCES)") $(THREADS_OPTION)
SEARCHED := build/searched/$(MODEL)/$(BUILT)
FOUND    := $(RESULT_search)
SUPERNET_CONFIG := $(or $(CONFIG),training/configs/lighttrack_supernet.toml)
search: need-DATA need-LIMIT_MS float-search $(call forced,search)  ## A smaller LightTrack: MODEL=lighttrack_mobile DATA=folder LIMIT_MS=12; hours, rerun to resume
	@test $(MODEL) = lighttrack_mobile || { echo "only LightTrack is searched: MODEL=lighttrack_mobile" >&2; exit 2; }
	@$(MAKE) --no-print-directory $(FOUND)/compared.html
# INT8 takes ranges of every carrier and of what is found, and its float layers a ranking of each.
float-search:
	@test -z "$(NEEDS_RANGES)$(FLOAT_LAYERS)$(MAX_NOISE)" || { echo "make search has no INT8, no FLOAT_LAYERS and no MAX_NOISE:" \
		"search in fp16, then make engines MODEL=$(MODEL) CHECKPOINT=.../best.pth of what was found" >&2; exit 2; }
# Settings that are in no folder's name: a note is written where they changed, and what depends on them is made anew.
noted = @mkdir -p $(@D); note=$$($(1)); test "$$note" = "$$(cat $@ 2>&-)" || echo "$$note" > $@
$(SEARCHED)/threads.txt: again
	$(call noted,echo "THREADS=$(THREADS)")
$(FOUND)/data.txt: again
	$(call noted,echo "DATA=$(DATA)"; sha256sum < "$(SUPERNET_CONFIG)")
$(FOUND)/sequences.txt: again
	$(call noted,echo "SEQUENCES=$(SEQUENCES)"; echo "THREADS=$(THREADS)")
$(SEARCHED)/carriers/carrier_5.pth: | $(TRAINING)
	$(PYTHON) -m architectures carriers --out $(@D)
$(SEARCHED)/carriers/%/layers.json: $(SEARCHED)/threads.txt | $(SEARCHED)/carriers/carrier_5.pth
	$(PYTHON) -m export --model $(MODEL) --checkpoint $(SEARCHED)/carriers/carrier_$*.pth --out $(@D)/onnx
	$(PYTHON) -m engines --onnx $(@D)/onnx --backend $(BACKEND) --precision $(PRECISION) --out $(@D)/engines
	$(PYTHON) -m benchmarks layers --engines $(@D)/engines $(THREADS_OPTION) --out $@
$(SEARCHED)/latency.json: $(foreach number,0 1 2 3 4 5,$(SEARCHED)/carriers/$(number)/layers.json)
	$(PYTHON) -m architectures lut --layers $^ --out $@
$(FOUND)/best.pth: $(SEARCHED)/latency.json $(FOUND)/data.txt
	$(PYTHON) -m training --config "$(SUPERNET_CONFIG)" --data "$(DATA)" --out build/training/supernet-$(MODEL)
	$(PYTHON) -m architectures search --strategy ga --supernet build/training/supernet-$(MODEL)/best.pth --data "$(DATA)" \
		--config "$(SUPERNET_CONFIG)" --latency $< --limit-ms $(LIMIT_MS) --out $(@D) \
		--population $(POPULATION) --generations $(GENERATIONS)
$(FOUND)/engines/manifest.json: $(FOUND)/best.pth
	$(PYTHON) -m export --model $(MODEL) --checkpoint $< --out $(FOUND)/onnx
	$(PYTHON) -m engines --onnx $(FOUND)/onnx --backend $(BACKEND) --precision $(PRECISION) --out $(@D)
$(FOUND)/compared.html: $(ENGINES) $(FOUND)/engines/manifest.json $(FOUND)/sequences.txt
	$(call bench_of,$(<D)) --out $(FOUND)/published
	$(call bench_of,$(FOUND)/engines) --out $(FOUND)/found
	$(PYTHON) -m benchmarks compare $(FOUND)/published/report.json $(FOUND)/found/report.json --draw $@

##@ Judge

bench: $(ENGINES) $(call forced,bench)  ## Everything measured in one page: SEQUENCES=folder; rerun to resume
	$(call bench_of,$(<D)) $(if $(ANNOTATIONS),--annotations "$(ANNOTATIONS)") --out "$(RESULT_bench)"

sweep: $(ONNX) $(FLEET) $(call forced,sweep)  ## The 27 mixes of fp32, fp16, int8 (once calibrated): SEQUENCES=folder; rerun to resume
	$(PYTHON) -m benchmarks sweep --onnx $(<D) --backend $(BACKEND) $(if $(wildcard $(RANGES)),--ranges $(RESULT_calibrate)) \
		$(if $(SEQUENCES),--sequences "$(SEQUENCES)") $(if $(ANNOTATIONS),--annotations "$(ANNOTATIONS)") \
		$(THREADS_OPTION) $(PLACE) --out "$(RESULT_sweep)"

vot: need-SEQUENCES $(ENGINES) $(FLEET) $(call forced,vot)  ## The reset-based VOT protocol: SEQUENCES=folder; rerun to resume
	$(PYTHON) -m benchmarks vot --engines $(dir $(ENGINES)) --sequences "$(SEQUENCES)" $(THREADS_OPTION) $(PLACE) \
		--out "$(RESULT_vot)"

evaluate: need-ANNOTATIONS $(SETUP)  ## Accuracy, robustness, EAO: ANNOTATIONS=file.json RESULTS=folder of TRACKER/baseline
	$(PYTHON) -m benchmarks evaluate --annotations "$(ANNOTATIONS)" --results "$(or $(RESULTS),$(RESULT_vot)/results)" \
		--out "$(RESULT_evaluate)"

vot-workspace: $(ENGINES)  ## A workspace for the VOT toolkit's own "vot evaluate"; SEQUENCES=folder if not its own
	$(PYTHON) -m benchmarks vot-workspace --engines $(<D) $(if $(SEQUENCES),--sequences "$(SEQUENCES)") $(THREADS_OPTION) \
		--out "$(RESULT_vot-workspace)"

ope: need-SEQUENCES $(ENGINES) $(FLEET) $(call forced,ope)  ## One pass (OTB, UAV123, GOT-10k): SEQUENCES=folder; rerun to resume
	$(PYTHON) -m benchmarks ope --engines $(dir $(ENGINES)) --sequences "$(SEQUENCES)" $(THREADS_OPTION) $(PLACE) \
		--out "$(RESULT_ope)"

layers: $(LAYERS)  ## Latency of each layer of each engine
	$(call idle,layers)
$(LAYERS): $(ENGINES) $(call forced,layers)
	$(call done,layers)$(PYTHON) -m benchmarks layers --engines $(<D) $(THREADS_OPTION) --out "$@"

exits: float-exits $(EXITS_WHOLE) $(EXITS_ENGINES) $(TUNING_CLIPS) $(JUDGED_CLIPS) $(call forced,exits)  ## Stop early: what it buys, on ONNX Runtime
	$(PYTHON) -m benchmarks exits table --engines $(dir $(EXITS_ENGINES)) --videos "$(or $(TUNING),build/clips/tuning)" \
		$(THREADS_OPTION) --out "$(RESULT_exits)/tuning.npz"
	$(PYTHON) -m benchmarks exits tune --table "$(RESULT_exits)/tuning.npz" --out "$(RESULT_exits)/policy"
	$(PYTHON) -m benchmarks exits run --engines $(dir $(EXITS_ENGINES)) --whole $(dir $(EXITS_WHOLE)) \
		--tuned "$(RESULT_exits)/policy/policy.json" --chance "tuned 0.4" --videos "$(or $(SEQUENCES),build/clips/judged)" \
		$(THREADS_OPTION) --out "$(RESULT_exits)/run"
	$(PYTHON) -m benchmarks exits table --engines $(dir $(EXITS_ENGINES)) --videos "$(or $(SEQUENCES),build/clips/judged)" \
		$(THREADS_OPTION) --out "$(RESULT_exits)/judged.npz"
	$(PYTHON) -m benchmarks exits report --run "$(RESULT_exits)/run" --table "$(RESULT_exits)/judged.npz" \
		--tuned "$(RESULT_exits)/policy/policy.json" --out "$(RESULT_exits)"
# INT8 takes ranges of the graphs with exits, and of the whole ones beside them.
float-exits:
	@test -z "$(NEEDS_RANGES)" || { echo "make exits has no INT8: calibrate the graphs in $(dir $(EXITS_ONNX)) with" \
		"python -m calibration, and call python -m engines --ranges and python -m benchmarks exits" >&2; exit 2; }
$(EXITS_ONNX): $(ONNX) $(EXITS_TRAINED)
	$(PYTHON) -m export --model $(MODEL) $(if $(EXITS_TRAINED),--checkpoint $(EXITS_TRAINED),$(WEIGHTS)) --exits --out $(@D)
$(EXITS_ENGINES): $(EXITS_ONNX)
	$(PYTHON) -m engines --onnx $(<D) --precision $(PRECISION) --out $(@D)
$(EXITS_WHOLE): $(ONNX)
	$(PYTHON) -m engines --onnx $(<D) --precision $(PRECISION) --out $(@D)
build/clips/%/groundtruth.txt: | $(SETUP)
	$(PYTHON) -m benchmarks clip --seed $(notdir $(@D)) --frames 60 --out $(@D)

overhead: $(ENGINES)  ## What a frame costs beside the network, on ONNX Runtime
	$(PYTHON) -m benchmarks overhead --engines $(<D) $(if $(OUT),--out "$(OUT)")

##@ Board and work

# A Jetson's own files, of which the container takes those that are there: which board it is, its power mode and rails.
BOARD_FILES ?= /etc/nv_tegra_release /var/lib/nvpmodel /etc/nvpmodel.conf /usr/bin/tegrastats /run/jtop.sock
# What a CSI camera is read through: the socket of the host's camera service, and the encoder's settings.
CAMERA_FILES ?= /tmp/argus_socket /etc/enctune.conf
# Docker hides the device tree, so the name of the board goes in as a copy.
BOARD_MODEL := /proc/device-tree/model
REVISION     = $(shell git rev-parse HEAD 2>&-)
IN_IMAGE     = docker run --rm --runtime nvidia -v "$(CURDIR)/build:/siamtrt/build" \
	-e OWNER=$${SUDO_UID:-$$(id -u)}:$${SUDO_GID:-$$(id -g)} \
	$(if $(wildcard $(BOARD_MODEL)),-v "$(CURDIR)/build/board.txt:/etc/siamtrt-board:ro") \
	$(foreach file,$(wildcard $(BOARD_FILES)),-v $(file):$(file))
# The code is in the image: another revision's would be measured under this one's name.
current_image = @built=$$(docker image inspect -f '{{index .Config.Labels "revision"}}' $(IMAGE) 2>&-); \
	test "$$built" = "$(REVISION)" || \
	{ echo "the image $(IMAGE) is of revision '$$built', this checkout of $(REVISION): make container" >&2; exit 4; }
board_model = @$(if $(wildcard $(BOARD_MODEL)),mkdir -p build && tr -d '\0' < $(BOARD_MODEL) > build/board.txt,:)
HANDED_ON   := VARIANT FLOAT_LAYERS MAX_NOISE KERNEL_INPUTS THREADS NAME FORCE

container:  ## Build the image for a Jetson with JetPack 5.1, on the Jetson
	docker build -f Dockerfile.l4t -t $(IMAGE) --label revision=$(REVISION) --build-arg ARCH=$(ARCH) \
		$(BASE_IMAGE:%=--build-arg BASE_IMAGE=%) $(BUILD_IMAGE:%=--build-arg BUILD_IMAGE=%) $(OPENCV:%=--build-arg OPENCV=%) --build-arg \
		JETSON_STATS=$$($(BASE_PYTHON) -c 'from importlib.metadata import version; print(version("jetson-stats"))' 2>/dev/null) .

bench-container:  ## 'make bench' in that image on a Jetson: VOT=/path/to/sequences; engines are built there first
	@test -d "$(VOT)" || { echo "VOT=$(VOT) is no folder: VOT=/path/to/vot2018/sequences" >&2; exit 2; }
	$(current_image)
	$(board_model)
	$(IN_IMAGE) -v "$$(realpath "$(VOT)"):/vot:ro" $(if $(ANNOTATIONS),-v "$$(realpath "$(ANNOTATIONS)"):/annotations.json:ro") \
		$(IMAGE) make bench BACKEND=tensorrt MODEL=$(MODEL) PRECISION=$(PRECISION) SEQUENCES=/vot \
		$(foreach name,$(HANDED_ON),$(if $($(name)),"$(name)=$($(name))")) \
		$(if $(ANNOTATIONS),ANNOTATIONS=/annotations.json)

shell:  ## A shell in that image: VOT=/path/to/sequences becomes /vot, and the cameras are there
	$(current_image)
	$(board_model)
	$(IN_IMAGE) -it $(if $(VOT),-v "$$(realpath "$(VOT)"):/vot:ro") \
		$(foreach file,$(wildcard $(CAMERA_FILES)),-v $(file):$(file)) \
		$(foreach file,$(wildcard /dev/video*),--device $(file)) $(IMAGE) bash

board-check: $(ONNX) $(CLIP) $(call forced,board-check)  ## What a board answers on its first day, a line a question, and a page to send; resumes
	$(PYTHON) -m benchmarks board-check --onnx $(RESULT_export) --clip $(dir $(CLIP)) \
		$(if $(wildcard $(MODEL_DIR)-inputs/onnx/manifest.json),--inputs $(MODEL_DIR)-inputs/onnx) \
		$(if $(wildcard $(RANGES)),--ranges $(RESULT_calibrate)) --out "$(RESULT_board-check)"

biases: whole-int8 $(ONNX) $(RANGES)  ## Correct the biases of INT8 for TensorRT here, so that the board need not
	$(PYTHON) -m engines.tensorrt --onnx $(RESULT_export) --ranges $(RESULT_calibrate) \
		--precision $(if $(findstring int8,$(PRECISION)),$(PRECISION),int8)

# FLOAT_LAYERS and MAX_NOISE are a count and a share, which a ranking turns into layers only where engines are built.
whole-int8:
	@test -z "$(FLOAT_LAYERS)$(MAX_NOISE)" || { echo "make biases takes no FLOAT_LAYERS and no MAX_NOISE:" \
		"name the layers to python -m engines.tensorrt --float-layers" >&2; exit 2; }

chain: $(ENGINES) $(CLIP)  ## TensorRT: a frame on the GPU beside one carried through the host; needs a GPU
	$(PYTHON) -m benchmarks chain --engines $(<D) --clip $(dir $(CLIP)) --out "$(RESULT_chain)"

BOARD_TESTS := $(wildcard $(addprefix tests/,siamtrt sequences calibration engines runtime serving doubles benchmarks contract))
# Two processes, each on a core of its own (tests/conftest.py); the tests of a file share what they built.
PYTEST := -m pytest -n 2 --dist loadfile
test: CHOSEN = -m "not slow"
test: test-all  ## The tests that take seconds, the board-side ones on Python 3.8 too where one is installed
test-all: $(DEV) $(if $(PYTHON38),.venv38/ready)  ## Those that take long too: exports of ResNet-50, real sequences, whole runs
	$(PYTHON) $(PYTEST) $(CHOSEN)
	$(if $(PYTHON38),.venv38/bin/python $(PYTEST) $(CHOSEN) $(BOARD_TESTS),@echo "no Python 3.8 here: the board-side tests ran on $$($(PYTHON) -V) only")

ROOMS := siamtrt sequences runtime serving networks export calibration engines training benchmarks architectures
.PHONY: api
api: $(API)  ## The pages of every module, from its docstrings: build/api/index.html
	$(PYTHON) -m pdoc --docformat google --output-directory "$(RESULT_api)" $(ROOMS)
	@echo "$(RESULT_api)/index.html"

check: $(DEV)  ## Formatter, linter, types, import contract, then 'test-all'
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	sh requirements/check_board.sh $(PYTHON)
	$(MAKE) test-all
