FROM python:3.12-slim-bookworm AS build

WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/run.lock requirements/build.lock requirements/
RUN python -m venv /opt/waggle \
 && /opt/waggle/bin/pip install --require-hashes --requirement requirements/run.lock \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --requirement requirements/build.lock

# After the dependencies, so that a change of code does not install them again.
COPY . .
RUN /opt/build/bin/hatchling build --target wheel --directory dist \
 && /opt/waggle/bin/pip install --no-deps --no-index dist/waggle-*.whl \
 && /opt/waggle/bin/python -m compileall -q /opt/waggle/lib


FROM python:3.12-slim-bookworm

RUN useradd --system --uid 10001 --home-dir /srv/waggle --create-home waggle \
 && install --directory --owner waggle --group waggle --mode 0700 /var/lib/waggle
COPY --from=build /opt/waggle /opt/waggle
ENV PATH=/opt/waggle/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 WAGGLE_HOME=/var/lib/waggle
USER waggle
WORKDIR /srv/waggle
VOLUME /var/lib/waggle
EXPOSE 8600 8601
ENTRYPOINT ["waggle"]
CMD ["--help"]
