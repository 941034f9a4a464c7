"""The settings page in a real browser: tokens, retention, prices, the config library."""

import re
import time

import httpx
import pytest
from playwright.sync_api import expect

from tests.pages.conftest import Screen, Server
from tests.pages.phone import CUT

expect.set_options(timeout=8000)


@pytest.fixture(scope="module", autouse=True)
def worker(server: Server) -> None:
    """One machine, named by somebody who wishes harm."""
    server.heartbeat("203.0.113.5", "<b>gpu</b>")
    # Read from right to left it would be another name.
    server.heartbeat("203.0.113.6", "gpu\u202egpj.exe")


def test_01_a_token_is_made_shown_once_used_and_revoked(screen: Screen, server: Server) -> None:
    page = screen.open("/")
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_text("This server is open: it listens on this machine only")).to_be_visible()
    expect(page.get_by_text("No tokens yet.")).to_be_visible()
    expect(page.locator("#tokens .command code", has_text="token add")).to_have_text(
        f"goliat-monitoring token add NAME --server {server.url}"
    )
    page.get_by_role("button", name="New API token").click()
    page.get_by_label("Who or what uses it").fill("nightly script")
    role = page.get_by_label("Role")
    for option in role.locator("option").all_inner_texts():
        role.select_option(label=option)
        assert role.evaluate(CUT) <= 0, option
    role.select_option("viewer")
    page.get_by_label("Valid for days").fill("soon")
    page.get_by_role("button", name="Make token").click()
    expect(page.locator("#make-token .problem")).to_have_text("Not done: “soon” is no number")
    page.get_by_label("Valid for days").fill("30")
    page.get_by_role("button", name="Make token").click()
    secret = page.locator("#secret-text")
    expect(secret).to_have_text(re.compile(r"\S{30,}"))
    token = secret.inner_text()
    screen.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#secret").get_by_role("button", name="Copy").click()
    expect(page.locator("#secret").get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.locator("#secret").get_by_role("button", name="Done").click()
    row = page.get_by_role("row").filter(has_text="nightly script")
    expect(row).to_contain_text("Valid")
    expect(row).to_contain_text("viewer")
    expect(row).to_contain_text("not yet")
    assert token not in page.content()
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{server.url}/api/workers", headers=headers, trust_env=False).status_code == 200
    refused = httpx.post(f"{server.url}/api/tokens", json={"label": "x"}, headers=headers, trust_env=False)
    assert refused.status_code == 403
    expect(row).not_to_contain_text("not yet")
    row.get_by_role("button", name="Revoke").click()
    dialog = page.locator("#revoke-token")
    expect(dialog).to_contain_text("nightly script")
    dialog.get_by_role("button", name="Keep it").click()
    assert server.get("/api/tokens")[0]["state"] == "valid"
    row.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke token").click()
    expect(row).to_contain_text("Revoked")
    expect(row.get_by_role("button")).to_have_count(0)


def test_02_an_enrolment_token(screen: Screen, server: Server) -> None:
    page = screen.open("/settings")
    page.get_by_role("button", name="New enrolment token").click()
    page.locator("#make-enrolment").get_by_role("button", name="Make token").click()
    expect(page.locator("#secret-title")).to_have_text("Enrolment token")
    token = page.locator("#secret-text").inner_text()
    page.locator("#secret").get_by_role("button", name="Done").click()
    row = page.get_by_role("row").filter(has_text="Enrolment, once")
    expect(row).to_contain_text("Valid")
    body = {"fingerprint": {"machineId": "m", "hostname": "agent-1", "bootId": "b"}, "facts": {"hostname": "agent-1"}}
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{server.url}/api/agent/v1/enrol", json=body, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    expect(row).to_contain_text("Used")
    page.get_by_text("1 agent with a credential of its own").click()
    expect(page.locator("#agents")).to_contain_text("agent-1")
    credential = {"Authorization": f"Bearer {answer.json()['credential']}"}
    opened = f"{server.url}/api/agent/v1/session"
    session = {**body, "sentAt": time.time_ns() // 1000}
    assert httpx.post(opened, json=session, headers=credential, trust_env=False).status_code == 200
    page.locator("#agents").get_by_role("button", name="Revoke").click()
    dialog = page.locator("#revoke-agent")
    expect(dialog).to_contain_text("agent-1")
    expect(dialog).to_contain_text("it can report and deliver nothing until it enrols again")
    dialog.get_by_role("button", name="Revoke credential").click()
    expect(page.locator("#agents")).to_have_count(0)
    # A credential that was just used is remembered for a moment.
    deadline = time.monotonic() + 10
    while httpx.post(opened, json=session, headers=credential, trust_env=False).status_code != 401:
        assert time.monotonic() < deadline


def test_02b_hostile_labels_and_names_are_text(screen: Screen, server: Server) -> None:
    label = "<img src=x onerror=alert(1)>\u202e"
    server.post("/api/tokens", {"label": label, "role": "viewer"})
    page = screen.open("/settings")
    page.evaluate("() => { window.alert = () => { window.pwned = true; }; }")
    shown = "<img src=x onerror=alert(1)>‹U+202E›"  # noqa: RUF001
    row = page.locator("#tokens tr").filter(has_text="onerror")
    expect(row.locator("th")).to_have_text(shown)
    row.get_by_role("button", name="Revoke").click()
    dialog = page.locator("#revoke-token")
    expect(dialog.locator("bdi")).to_have_text(shown)
    dialog.get_by_role("button", name="Revoke token").click()
    expect(row).to_contain_text("Revoked")
    expect(page.locator("#prices")).to_contain_text("gpu‹U+202E›gpj.exe")  # noqa: RUF001
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.pwned") is None
    # A name of the library, and one that is none and is refused in words.
    files = page.get_by_label("Add files")
    name = "a & 'b' &lt;i&gt;.json"
    files.set_input_files({"name": name, "mimeType": "application/json", "buffer": b"{}"})
    stored = page.locator("#library tbody tr")
    expect(stored.locator("th")).to_have_text(name)
    stored.get_by_role("button", name="Delete").click()
    expect(page.locator("#drop-config bdi")).to_have_text(name)
    page.locator("#drop-config").get_by_role("button", name="Delete config").click()
    expect(page.get_by_text("The library is empty.")).to_be_visible()
    assert server.get("/api/configs") == []
    screen.tolerant = True  # the browser reports the 400 that is asked for here
    files.set_input_files({"name": "<b>x.json", "mimeType": "application/json", "buffer": b"{}"})
    expect(page.locator("#upload-config .problem")).to_contain_text("Not stored: <b>x.json: ")


def test_03_retention_is_changed_with_its_reason(screen: Screen, server: Server) -> None:
    page = screen.open("/settings")
    row = page.get_by_role("row").filter(has_text="Logs in the database")
    expect(row).to_contain_text("30 days")
    expect(row).to_contain_text("GOLIAT_MONITORING_KEEP_LOGS_D")
    page.locator("#retention").get_by_role("button", name="Change").click()
    screen.tolerant = True  # the browser reports the 400 that is asked for here
    page.get_by_label("Progress and vitals as they came").fill("10000")
    page.get_by_role("button", name="Keep so").click()
    expect(page.locator("#change-retention .problem")).to_contain_text(
        "keep_raw_samples_h must not be more than keep_minute_samples_d"
    )
    page.get_by_label("Progress and vitals as they came").fill("")
    page.get_by_label("Logs in the database").fill("7,5")
    page.get_by_role("button", name="Keep so").click()
    expect(row).to_contain_text("7.5 days")
    expect(row).to_contain_text("here (environment: 30)")
    events = server.get("/api/events")
    (changed,) = [it for it in events if it["kind"] == "setting_changed"]
    assert (changed["data"]["name"], changed["data"]["value"]) == ("keep_logs_d", 7.5)


def test_04_prices_by_gpu_and_by_worker(screen: Screen, server: Server) -> None:
    page = screen.open("/settings")
    row = page.locator("#prices tr").filter(has_text="<b>gpu</b>")
    expect(row).to_contain_text("NVIDIA RTX 4090")
    page.locator("#prices").get_by_role("button", name="Set: NVIDIA RTX 4090").click()
    page.locator("#gpu-name").fill("RTX 4090")
    page.locator("#gpu-price").fill("0,45")
    page.locator("#price-gpu").get_by_role("button", name="Set price").click()
    expect(row.locator("td").nth(2)).to_have_text("0.45")
    row.get_by_role("button").click()
    page.locator("#own-price").fill("much")
    page.locator("#price-worker").get_by_role("button", name="Set price").click()
    expect(page.locator("#price-worker .problem")).to_have_text("Not done: “much” is no number")
    page.locator("#own-price").fill("0.6")
    page.locator("#price-worker").get_by_role("button", name="Set price").click()
    expect(row.locator("td").nth(2)).to_have_text("0.60")
    # That of a GPU: another one, and none any more.
    gpu = page.locator("#prices table").first.locator("tr").filter(has_text="RTX 4090").first
    gpu.get_by_role("button", name="Change").click()
    expect(page.locator("#gpu-price")).to_have_value("0.45")
    page.locator("#gpu-price").fill("0.5")
    page.locator("#price-gpu").get_by_role("button", name="Set price").click()
    expect(gpu).to_contain_text("0.50")
    page.get_by_role("button", name="Price of a GPU").click()
    expect(page.locator("#gpu-name")).to_have_value("")
    page.locator("#gpu-name").fill("H100 <i>SXM</i>")
    page.locator("#gpu-price").fill("2")
    page.locator("#price-gpu").get_by_role("button", name="Set price").click()
    other = page.locator("#prices tr").filter(has_text="H100 <i>SXM</i>")
    expect(other).to_contain_text("2.00")
    assert server.get("/api/settings")["gpuPrices"] == {"RTX 4090": 0.5, "H100 <i>SXM</i>": 2.0}
    other.get_by_role("button", name="Change").click()
    page.locator("#gpu-price").fill("")
    page.locator("#price-gpu").get_by_role("button", name="Set price").click()
    expect(other).to_have_count(0)
    assert server.get("/api/settings")["gpuPrices"] == {"RTX 4090": 0.5}
    worker = next(it for it in server.get("/api/workers") if it["hostname"] == "<b>gpu</b>")
    assert worker["pricePerHour"] == 0.6
    page.get_by_role("button", name="Currency: EUR").click()
    page.locator("#currency").fill("CHF")
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("button", name="Currency: CHF")).to_be_visible()
    expect(page.get_by_text("What an hour of a worker costs, in CHF.")).to_be_visible()


def test_05_configs_go_in_and_out(screen: Screen, server: Server) -> None:
    page = screen.open("/settings")
    expect(page.get_by_text("The library is empty.")).to_be_visible()
    screen.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#library").get_by_role("button", name="Copy").click()
    expect(page.locator("#library").get_by_role("button", name="Copied")).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command == f"goliat-monitoring config add FILE --server {server.url}"
    files = page.get_by_label("Add files")
    files.set_input_files({"name": "base.json", "mimeType": "application/json", "buffer": b'{"phantoms": ["duke"]}'})
    row = page.locator("#library tbody tr")
    expect(row).to_contain_text("base.json")
    with page.expect_navigation():
        row.get_by_role("link", name="New study").click()
    expect(page.get_by_label("Config as JSON: paste it")).to_have_value('{"phantoms": ["duke"]}')
    expect(page.get_by_label("Name", exact=True)).to_have_value("base")
    page.goto(f"{screen.url}/settings")
    screen.tolerant = True  # the browser reports the 400 that is asked for here
    files.set_input_files({"name": "broken.json", "mimeType": "application/json", "buffer": b"{"})
    expect(page.locator("#upload-config .problem")).to_contain_text("broken.json: broken.json is no JSON")
    with page.expect_download() as download:
        row.get_by_role("link", name="base.json").click()
    assert download.value.path().read_bytes() == b'{"phantoms": ["duke"]}'
    row.get_by_role("button", name="Delete").click()
    expect(page.locator("#drop-config")).to_contain_text("Studies that were made with it stay as they are.")
    page.locator("#drop-config").get_by_role("button", name="Delete config").click()
    expect(page.get_by_text("The library is empty.")).to_be_visible()
    assert server.get("/api/configs") == []


def test_06_about_tells_where_things_lie(screen: Screen, server: Server) -> None:
    page = screen.open("/settings#about")
    about = page.locator("#about")
    expect(about).to_contain_text(str(server.data_dir))
    expect(about.get_by_role("link", name="metrics for Prometheus")).to_have_attribute("href", "/metrics")
    for link in about.get_by_role("link").all():
        assert server.api.get(str(link.get_attribute("href"))).status_code == 200
