"""The compose files and images: what can be said of them without an engine that runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from adapters.settings import load as load_adapters
from bot.domain.settings import Settings, load
from bot.records.database import Database
from bot.serving.lending import FixedModels
from bot.telemetry import gauges
from bot.telemetry.health import Health
from bot.telemetry.monitor import Metrics
from indexer.index import open_index
from tests.deployment.compose_file import (
    DEVELOPMENT,
    PRODUCTION,
    ROOT,
    Service,
    compose,
    names,
    networks,
    services,
    volumes,
)

OURS = ("bot", "bot-2", "indexer", "trainer")
ONE_SHOT = "volumes"
PROFILES = {"http", "llama", "train", "cluster", "observability"}
SECRETS = "/run/secrets/"

each_service = pytest.mark.parametrize(
    "service", [pytest.param(service, id=name) for name, service in services().items()]
)


@each_service
def test_every_service_is_confined(service: Service) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].partition(":")[0]) > 0
    assert not service.get("privileged")
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}


def test_only_the_proxy_has_a_capability_and_a_port_for_everybody() -> None:
    assert [name for name, each in services().items() if "cap_add" in each] == ["proxy"]
    for name, service in services().items():
        for port in service.get("ports", ()):
            assert name == "proxy" or port.startswith("127.0.0.1:")


def test_no_service_asks_for_more_cores_than_a_machine_may_have() -> None:
    """Docker refuses a container whose limit is larger than the machine's cores; 0 is none."""
    for name, service in services().items():
        assert service["deploy"]["resources"]["limits"]["cpus"] in {"0", "1"}, name
    given = services({"BOT_CPUS": "3"})["bot-2"]["deploy"]["resources"]["limits"]
    assert given["cpus"] == "3"


def test_answering_goes_before_indexing_and_training() -> None:
    """Docker's default is 1024 shares."""
    assert {
        name: each["cpu_shares"] for name, each in services().items() if "cpu_shares" in each
    } == {"indexer": 256, "trainer": 256}


@each_service
def test_every_image_has_a_version(service: Service) -> None:
    tag = service["image"].rpartition(":")[2]
    assert re.search(r"\d", tag)
    assert "latest" not in tag


def test_an_image_is_built_once_whatever_is_started() -> None:
    """Compose builds side by side, and two builds of one tag are in each other's way. What is
    started alone takes along whom it depends on."""
    builders = {name: each["image"] for name, each in services().items() if "build" in each}
    assert builders.keys() == {ONE_SHOT, "trainer"}
    assert len(set(builders.values())) == 2
    for name, service in services().items():
        if service["image"] in builders.values() and name not in builders:
            assert service["pull_policy"] == "never"  # no registry has it
            assert service["image"] == builders[ONE_SHOT]
            assert ONE_SHOT in _needs(name)


def _needs(name: str) -> set[str]:
    direct = set(services()[name].get("depends_on", ()))
    return direct.union(*map(_needs, direct))


def test_every_service_says_whether_it_is_well() -> None:
    for name, service in services().items():
        if name == ONE_SHOT:
            assert service["restart"] == "no"
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"][0] == "CMD"


def test_without_a_profile_there_are_bot_indexer_weaviate_and_postgres() -> None:
    default = {name for name, service in services().items() if "profiles" not in service}
    assert default == {"bot", "indexer", "weaviate", "postgres", ONE_SHOT}
    assert {profile for each in services().values() for profile in each.get("profiles", ())} == (
        PROFILES
    )


def test_everything_that_a_service_names_is_there() -> None:
    file = compose()
    for kind in ("secrets", "configs"):
        used = {name for service in services().values() for name in names(service, kind)}
        assert used == set(file[kind])
    used = {name for each in services().values() for name in networks(each)}
    assert used == set(file["networks"])
    named = {name for each in services().values() for name in volumes(each).values()}
    assert {name for name in named if name[0] not in "./"} == set(file["volumes"])
    for service in services().values():
        assert set(service.get("depends_on", ())) <= set(services())
    for config in file["configs"].values():
        path = ROOT / config["file"]
        assert path.is_file() or path.name == "lorebot.toml"  # which every team writes itself


def test_databases_are_out_of_reach_from_outside() -> None:
    assert compose()["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "weaviate", "weaviate-2", "weaviate-3", "llama", "prometheus"):
        assert set(networks(services()[name])) == {"inside"}
        assert "ports" not in services()[name]


def test_the_proxy_finds_the_bots_and_no_database() -> None:
    assert compose()["networks"]["front"] == {"internal": True}
    assert set(networks(services()["proxy"])) == {"front", "outside"}
    behind = {
        name: networks(each)["front"]
        for name, each in services().items()
        if name != "proxy" and "front" in networks(each)
    }
    assert behind == {"bot": {"aliases": ["bots"]}, "bot-2": {"aliases": ["bots"]}}


def test_weaviate_lets_nobody_in_without_the_key() -> None:
    for name in ("weaviate", "weaviate-2", "weaviate-3"):
        service = services()[name]
        assert service["environment"]["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
        assert service["environment"]["AUTHENTICATION_APIKEY_ENABLED"] == "true"
        assert service["environment"]["GO_PROFILING_DISABLE"] == "true"
        assert "weaviate_api_key" in service["secrets"]
        assert "AUTHENTICATION_APIKEY_ALLOWED_KEYS" not in service["environment"]
        shell = service["entrypoint"][-1].partition("exec ")[0] + "env"
        shell = shell.replace(f"cat {SECRETS}weaviate_api_key", "echo word")
        found = subprocess.run(
            ["/bin/sh", "-c", shell], env={}, check=True, capture_output=True, text=True
        ).stdout.splitlines()
        assert "AUTHENTICATION_APIKEY_ALLOWED_KEYS=word" in found
        assert "CLUSTER_BASIC_AUTH_USERNAME=lorebot" in found
        assert "CLUSTER_BASIC_AUTH_PASSWORD=word" in found


def test_no_secret_is_in_the_environment() -> None:
    for service in services().values():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|SECRET|API_KEY(S|_FILE)?$", variable):
                assert variable.endswith("_FILE"), variable
                assert value.removeprefix(SECRETS) in names(service, "secrets")


def test_three_nodes_of_a_cluster_find_each_other() -> None:
    nodes = "weaviate,weaviate-2,weaviate-3"
    given = services({"WEAVIATE_NODES": nodes, "WEAVIATE_REPLICATION": "3"})
    for name in nodes.split(","):
        environment = given[name]["environment"]
        assert environment["CLUSTER_HOSTNAME"] == name
        assert environment["RAFT_JOIN"] == nodes
        assert environment["RAFT_BOOTSTRAP_EXPECT"] == "3"
        assert networks(given[name])["inside"]["aliases"] == ["index"]
    assert given["bot"]["environment"]["LOREBOT_STORE_REPLICATION_FACTOR"] == "3"


def test_weaviate_gets_time_to_load_and_to_write() -> None:
    for name in ("weaviate", "weaviate-2", "weaviate-3"):
        service = services()[name]
        assert service["environment"]["LIMIT_RESOURCES"] == "true"  # else it outgrows its memory
        assert service["healthcheck"]["start_period"] == "10m"
        assert service["stop_grace_period"] == "1m"


def test_the_proxy_may_write_what_it_keeps() -> None:
    """Its image's /data is root's: Docker would give that to the volume, which is still empty when
    the container is made."""
    assert services()["proxy"]["volumes"] == ["proxy:/data:nocopy"]
    assert "proxy" in volumes(services()[ONE_SHOT]).values()


def test_traces_are_kept_within_the_memory_that_there_is() -> None:
    service = services()["traces"]
    (config,) = service["configs"]
    assert service["command"] == [f"--config={config['target']}"]
    read = yaml.safe_load((ROOT / compose()["configs"][config["source"]]["file"]).read_text())
    for kind in ("receivers", "processors", "exporters"):
        used = {name for each in read["service"]["pipelines"].values() for name in each[kind]}
        assert used == set(read[kind])
    assert set(read["service"]["extensions"]) == set(read["extensions"])
    backends = read["extensions"]["jaeger_storage"]["backends"]
    assert [each["memory"]["max_traces"] for each in backends.values()] == [5000]
    assert read["extensions"]["jaeger_query"]["storage"]["traces"] in backends
    assert read["exporters"]["jaeger_storage_exporter"]["trace_storage"] in backends
    places = [
        read["extensions"]["jaeger_query"]["http"],
        read["extensions"]["healthcheckv2"]["http"],
        *read["receivers"]["otlp"]["protocols"].values(),
    ]
    ports = ["16686", "13133", "4317", "4318"]
    assert [each["endpoint"] for each in places] == [f"0.0.0.0:{port}" for port in ports]


def test_replicas_have_names_of_their_own() -> None:
    given = [services()[name]["environment"]["LOREBOT_RECORDS_REPLICA"] for name in OURS]
    assert len(set(given)) == len(OURS)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """What docker/make-secrets.sh makes, in a folder of its own."""
    (tmp_path / "docker").mkdir()
    shutil.copy(ROOT / "docker" / "make-secrets.sh", tmp_path / "docker")
    subprocess.run([tmp_path / "docker" / "make-secrets.sh"], check=True, capture_output=True)
    return tmp_path / "secrets"


def test_the_script_makes_every_secret_and_keeps_what_is_there(secrets: Path) -> None:
    made = {file.name: file.read_text() for file in secrets.iterdir()}
    assert made.keys() == set(compose()["secrets"])
    assert len(made["weaviate_api_key"]) == 48
    assert made["slack_bot_token"] == ""
    assert len({text for text in made.values() if text}) == 4
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.iterdir()} == {0o644}  # to paste into
    again = subprocess.run(
        [secrets.parent / "docker" / "make-secrets.sh"], check=True, capture_output=True, text=True
    )
    assert {file.name: file.read_text() for file in secrets.iterdir()} == made
    assert "secrets/slack_app_token is empty" in again.stdout


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(
    name: str, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "lorebot.toml"
    configuration.write_text('[[sources]]\nname = "d"\npath = "/srv/documents"\naudience="public"')
    (secrets / "slack_bot_token").write_text("xoxb-1\n")
    for variable, value in services()[name]["environment"].items():
        if variable.startswith("LOREBOT_"):
            own = str(value).replace(SECRETS, f"{secrets}/")
            monkeypatch.setenv(
                variable, own if variable != "LOREBOT_CONFIG" else str(configuration)
            )
    settings: Settings = load_adapters() if name == "trainer" else load()
    password = (secrets / "postgres_password").read_text()
    assert settings.records_url == f"postgresql+psycopg://lorebot:{password}@postgres:5432/lorebot"
    assert settings.jobs_url == settings.records_url
    assert settings.store.kind == "weaviate"
    assert settings.store.api_key is not None
    assert settings.store.api_key.get_secret_value() == (secrets / "weaviate_api_key").read_text()
    assert settings.slack.bot_token.get_secret_value() == "xoxb-1"
    assert settings.index.worker
    assert settings.model.url == ""
    assert str(settings.data_dir) in volumes(services()[name])
    assert str(settings.cache_dir) in volumes(services()[name])


def test_the_dashboard_shows_metrics_that_there_are(tmp_path: Path, cache_dir: Path) -> None:
    given = Settings(data_dir=tmp_path, cache_dir=cache_dir)
    with closing(Database(given.records_url)) as database, open_index(given) as index:
        metrics = Metrics(
            gauges.of_records(database),
            gauges.of_jobs(dict),
            gauges.of_syncs(index.journal),
            gauges.of_index(index),
            gauges.of_models(FixedModels(None)),
            gauges.of_health(Health({})),
        )
        exported = set(re.findall(r"^# TYPE (\w+)", metrics.text(), re.MULTILINE))
    dashboard = json.loads((ROOT / "docker" / "grafana" / "lorebot.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    shown = set(re.findall(r"lorebot_\w+", " ".join(asked)))
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert shown
    assert shown <= exported
    sources = yaml.safe_load((ROOT / "docker" / "grafana" / "datasources.yml").read_text())
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} <= {
        source["uid"] for source in sources["datasources"]
    }


def test_prometheus_and_proxy_ask_for_names_that_there_are() -> None:
    known = set(services())
    for service in services().values():
        for network in networks(service).values():
            known |= set((network or {}).get("aliases", ()))
    read = yaml.safe_load((ROOT / "docker" / "prometheus.yml").read_text())
    for job in read["scrape_configs"]:
        for found in job["dns_sd_configs"]:
            assert set(found["names"]) <= known
    proxy = (ROOT / "docker" / "Caddyfile").read_text()
    assert set(re.findall(r"^\s+name (\S+)", proxy, re.MULTILINE)) <= known


def test_an_image_gets_what_its_steps_copy_and_nothing_private() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        copied |= set(line.split()[:-1])
    assert copied == sent
    assert all((ROOT / name).exists() for name in sent)
    assert re.search(r"^ARG PYTHON=python:3\.11\.\d+-slim", dockerfile, re.MULTILINE)
    server = services()["postgres"]["image"].partition(":")[2].partition(".")[0]
    assert f" postgresql-client-{server} " in dockerfile  # an older one dumps no newer server
    stages = re.split(r"^FROM ", dockerfile, flags=re.MULTILINE)[1:]
    for stage in stages[1:]:  # those that run
        assert re.findall(r"^USER (\S+)", stage, re.MULTILINE)[-1] == "10001:10001"
    owned = re.findall(r"/var/(?:lib|cache)/[\w-]+", stages[1])
    for service in services().values():
        if service["user"] == "10001:10001" and service["image"].startswith("lorebot"):
            mounted = [place for place in volumes(service) if place.startswith("/var/")]
            assert set(mounted) <= set(owned)


def test_development_has_databases_that_this_machine_alone_reaches() -> None:
    for service in compose(DEVELOPMENT)["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert "latest" not in service["image"]
        assert "healthcheck" in service


def _has_compose() -> bool:
    docker = shutil.which("docker")
    return (
        bool(docker)
        and not subprocess.run(
            [str(docker), "compose", "version"], capture_output=True, check=False
        ).returncode
    )


@pytest.mark.skipif(not _has_compose(), reason="needs docker compose")
@pytest.mark.parametrize("path", [PRODUCTION, DEVELOPMENT], ids=lambda path: path.name)
def test_docker_compose_accepts_it(path: Path) -> None:
    profiles = [option for profile in sorted(PROFILES) for option in ("--profile", profile)]
    subprocess.run(
        ["docker", "compose", "-f", str(path), *profiles, "config", "--quiet"],
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
    )
