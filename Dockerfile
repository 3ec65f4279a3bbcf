# One image; the command chooses: up (default), serve, work or any other command of `jiujin`.
FROM python:3.12-slim AS build
COPY . /source
RUN /source/.ci/image-steps /source /opt/jiujin

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin jiujin \
    && install --directory --owner=jiujin --mode=0700 /data
COPY --from=build /opt/jiujin /opt/jiujin
# One thread a process for linear algebra: the ranking is parallel over requests, not within one.
ENV PATH="/opt/jiujin/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    JIUJIN_HOST=0.0.0.0 \
    JIUJIN_DATA=/data
USER jiujin
WORKDIR /data
# The database of a demo and its keys; with PostgreSQL and keys from outside it stays almost empty.
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"JIUJIN_PORT\", \"8000\")}/health/live', timeout=4)"]
ENTRYPOINT ["jiujin"]
CMD ["up"]
