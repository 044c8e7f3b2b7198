# Every chore is one word. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run setup test lint lock wheel bench bench-ingest clean

# Only what is written after `make run` counts: some shells export a HOST of their own.
ifeq ($(origin HOST),command line)
export XIANGTU_HOST := $(HOST)
endif
ifeq ($(origin PORT),command line)
export XIANGTU_PORT := $(PORT)
endif
ifeq ($(origin DATA),command line)
export XIANGTU_DATA := $(abspath $(DATA))
endif

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 22

run: ## Start Xiangtu 启动 (HOST=0.0.0.0 for phones on the LAN, PORT=8080, DATA=var)
	@scripts/run.sh

setup: ## Install and build what running needs 安装与构建
	@scripts/install-system.sh
	@scripts/setup.sh

test: ## Set up for tests and run every check 全部检查
	@scripts/install-system.sh --test
	@scripts/setup.sh --test
	@scripts/test.sh

lint: ## Style, types and architecture only 代码检查
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@PATH="$(CURDIR)/.venv/bin:$$PATH" lint-imports

lock: ## Renew the locked dependencies 更新依赖锁
	@scripts/setup.sh --test
	@.venv/bin/uv pip compile pyproject.toml --group build --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --quiet $(if $(UPGRADE),--upgrade) -o requirements.lock
	@.venv/bin/uv pip compile pyproject.toml --group dev --constraint requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --quiet $(if $(UPGRADE),--upgrade) -o requirements-dev.lock

wheel: ## Build dist/xiangtu-*.whl, which needs no Node to install 构建安装包
	@scripts/setup.sh --test
	@scripts/wheel.sh

bench: ## All measurements beside their physical limits 性能测量
	@scripts/install-system.sh
	@scripts/setup.sh --test
	@.venv/bin/python -m benchmarks

bench-ingest: ## Receiving submissions only 仅测量接收
	@scripts/install-system.sh
	@scripts/setup.sh --test
	@.venv/bin/python -m benchmarks ingest

clean: ## Remove what builds made; the data in var/ stays 清理构建产物
	@rm -rf build dist .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@rm -rf server/web/static/dist server/web/ui/node_modules
	@find . -path ./var -prune -o -type d -name __pycache__ -print0 | xargs -0 rm -rf
	@find server -name '*.mo' -delete
