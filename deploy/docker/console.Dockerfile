# Console: the pages for people, and their sessions; one origin before the three APIs.
# Build from the root of the repository: docker build -f deploy/docker/console.Dockerfile -t waymark-console .

FROM python:3.11.14-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build
RUN python -m pip install --no-cache-dir uv==0.13.9 && python -m venv --without-pip /venv
# The names stand in pyproject.toml, versions and hashes in the lock: what is not in both is not installed.
COPY pyproject.toml requirements.lock README.md ./
RUN uv pip install --python /venv/bin/python --require-hashes --constraint requirements.lock --requirement pyproject.toml
COPY deploy/docker/build-constraints.txt ./
COPY schemas ./schemas
COPY services ./services
COPY waymark ./waymark
RUN uv pip install --python /venv/bin/python --no-deps --build-constraint build-constraints.txt .

FROM python:3.11.14-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --system --gid 10001 waymark && useradd --system --uid 10001 --gid waymark --no-create-home waymark \
    && rm -rf /usr/local/lib/python3.11/site-packages/pip* /usr/local/lib/python3.11/ensurepip
COPY --from=build /venv /venv
USER 10001:10001
WORKDIR /tmp
EXPOSE 8083
# Alive, not ready: an API that is away must not have the container restarted.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8083/livez', timeout=2)"]
ENTRYPOINT ["waymark"]
CMD ["serve", "console"]
