"""The web page's server: what it answers is what the accelerator says, and everything else is refused in words."""

import base64
import hashlib
import io
import re
import socket
import threading
from http.client import HTTPConnection

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signflow.deploy.board import serve, service
from signflow.models import npz

from .stand_in import CLASSES, StandIn, answer, served

RAW, NPY = ({"Content-Type": kind} for kind in ("application/octet-stream", "application/x-npy"))


@pytest.fixture
def accelerator():
    return StandIn()


@pytest.fixture
def server(accelerator, tmp_path):
    with served(accelerator, tmp_path) as found:
        yield found


@pytest.fixture
def connection(server):
    found = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    yield found
    found.close()


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["uint8", "int8", "bipolar"])
def test_logits_are_the_accelerators(kind, tmp_path):
    accelerator = StandIn(kind)
    images = accelerator.images(20, seed=3)
    with served(accelerator, tmp_path) as server:
        connection = HTTPConnection("127.0.0.1", server.server_port)
        bodies = [(images.tobytes(), RAW), (npy(images), NPY), (npy(np.asfortranarray(images.astype(">i8"))), NPY)]
        for body, headers in bodies:
            status, found = answer(connection, "POST", "/classify", body, headers)
            assert status == 200
            np.testing.assert_array_equal(accelerator.seen[-1], images)
            assert found["logits"] == accelerator.logits(images).tolist()
            assert found["classes"] == accelerator.logits(images).argmax(1).tolist()
        accelerator.index = True
        found = answer(connection, "POST", "/classify", images.tobytes(), RAW)[1]
        assert found["logits"] is None and found["classes"] == accelerator.logits(images).argmax(1).tolist()
        served_ = answer(connection, "GET", "/status")[1]["served"]
        assert served_ == {"images": 80, "requests": 4, "refused": 0, "faults": 0}
        connection.close()


def test_facts_status_and_measurement(accelerator, connection):
    facts = answer(connection, "GET", "/facts")[1]
    assert (facts["name"], facts["classes"], facts["simulated"]) == ("net", list(CLASSES), True)
    assert base64.b64decode(facts["samples"][2]["pixels"]) == accelerator.images(4)[2].tobytes()
    assert facts["samples"][2]["logits"] == accelerator.logits(accelerator.images(4))[2].tolist()
    status = answer(connection, "GET", "/status")[1]
    assert status["flags"] == ["OVERRUN"] and status["page"] == accelerator.registers and not status["busy"]
    answer(connection, "POST", "/classify", accelerator.images(3).tobytes(), RAW)
    assert answer(connection, "GET", "/status")[1]["page"]["FRAMES_OUT"] == 3
    assert answer(connection, "POST", "/measure", b"", RAW)[1]["text"].startswith("50 images in 0.500 s")


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", RAW, 400, "0 bytes are no whole number of images: each is 1 x 6 x 5 = 30 bytes"),
        (b"x" * 31, RAW, 400, "31 bytes are no whole number"),
        (b"x" * 30, NPY, 400, "no .npy file"),
        (npy(np.zeros((2, 1, 6, 5))), NPY, 400, "images have type float64"),
        (npy(np.zeros((2, 3), int)), NPY, 400, r"images have shape \(2, 3\): this network reads integers 0..255"),
        (npy(np.full((2, 1, 6, 5), 256)), NPY, 400, r"pixel \(0, 0, 0, 0\) is 256"),
        (npy(np.zeros((0, 1, 6, 5), int)), NPY, 400, "there are no images"),
        (npy(np.zeros((2, 1, 6, 5), int))[:-1], NPY, 400, r"says it holds \(2, 1, 6, 5\) of int64, and 479 bytes"),
        (npy(np.zeros((2, 1, 6, 5), int)).replace(b"(2,", b"(9,"), NPY, 400, "says it holds"),
        (npy(np.array([{}])), NPY, 400, "says it holds"),
        (b"x" * 30, {"Content-Type": "text/plain"}, 415, "images come as"),
        (b"x" * 30, {}, 415, "images come as"),
        (b"x" * ((16 << 20) + 1), RAW, 413, "16,777,217 bytes in one request, at most 16,777,216"),
        (b"x" * 30, {**RAW, "Host": "evil.example:80"}, 421, "'evil.example:80' is no name of this machine"),
        (b"x" * 30, {**RAW, "Origin": "http://evil.example"}, 403, "the page of another site"),
        (b"x" * 30, {**RAW, "Origin": "null"}, 403, "the page of another site"),
        (b"x" * 30, {**RAW, "Content-Length": "-1"}, 411, "Content-Length"),
    ],
)
def test_it_is_refused_in_words(accelerator, connection, body, headers, status, words):
    found = answer(connection, "POST", "/classify", body, headers)
    assert found[0] == status and re.search(words, found[1]["error"]), found
    assert accelerator.seen == []
    connection.close()
    image = accelerator.images(1)
    found = answer(connection, "POST", "/classify", image.tobytes(), RAW)[1]
    assert found["logits"] == accelerator.logits(image).tolist()
    assert answer(connection, "GET", "/status")[1]["served"]["refused"] == 1


def test_foreign_names_and_addresses(connection):
    assert answer(connection, "GET", "/nothing")[0] == 404
    assert answer(connection, "GET", "/facts", headers={"Host": "evil.example"})[0] == 421
    for own in ("localhost:1", "192.168.2.99", "[::1]:8080", socket.gethostname()):
        assert answer(connection, "GET", "/status", headers={"Host": own})[0] == 200, own


def test_a_fault_is_said_and_the_next_request_works(accelerator, connection):
    accelerator.fault = "nothing moved for 10 s"
    image = accelerator.images(1).tobytes()
    assert answer(connection, "POST", "/classify", image, RAW) == (503, {"error": "nothing moved for 10 s"})
    assert answer(connection, "POST", "/classify", image, RAW)[0] == 200
    assert answer(connection, "GET", "/status")[1]["served"]["faults"] == 1


def test_an_unforeseen_error_is_said_and_printed(accelerator, connection, monkeypatch, capsys):
    monkeypatch.setattr(accelerator, "logits", lambda images: 1 / 0)
    status, found = answer(connection, "POST", "/classify", accelerator.images(1).tobytes(), RAW)
    assert status == 500 and "ZeroDivisionError" in found["error"]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_one_request_at_a_time(accelerator, server, connection, monkeypatch):
    entered, go, logits = threading.Event(), threading.Event(), accelerator.logits
    monkeypatch.setattr(accelerator, "logits", lambda images: (entered.set(), go.wait(20), logits(images))[2])
    monkeypatch.setattr(service, "PATIENCE", 0.1)
    image, first = accelerator.images(1).tobytes(), []
    other = HTTPConnection("127.0.0.1", server.server_port)
    thread = threading.Thread(target=lambda: first.append(answer(other, "POST", "/classify", image, RAW)))
    thread.start()
    assert entered.wait(20)
    assert answer(connection, "GET", "/status")[1]["busy"]
    status, found = answer(connection, "POST", "/classify", image, RAW)
    assert status == 503 and "busy with other requests" in found["error"]
    go.set()
    thread.join()
    other.close()
    assert first[0][0] == 200 and not answer(connection, "GET", "/status")[1]["busy"]


def test_no_more_connections_than_allowed(accelerator, tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "MOST_CONNECTIONS", 2)
    with served(accelerator, tmp_path) as server:
        held = [HTTPConnection("127.0.0.1", server.server_port, timeout=20) for _ in range(3)]
        assert [answer(one, "GET", "/status")[0] for one in held[:2]] == [200, 200]
        with pytest.raises(OSError):
            answer(held[2], "GET", "/status")
        for one in held:
            one.close()


def test_a_client_that_goes_is_no_request(accelerator, server, connection):
    with socket.create_connection(("127.0.0.1", server.server_port)) as half:
        half.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n"
                     b"Content-Type: application/octet-stream\r\n\r\n" + bytes(30))  # fmt: skip
    assert answer(connection, "GET", "/status")[0] == 200
    assert accelerator.seen == []


def test_the_page_may_run_its_own_script_alone(connection):
    connection.request("GET", "/")
    found = connection.getresponse()
    text, policy = found.read().decode(), found.headers["Content-Security-Policy"]
    for tag in ("script", "style"):
        (part,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "http" not in re.sub(r"https? and|to localhost and https", "", text)


def test_where_it_listens(accelerator, tmp_path, capsys):
    with served(accelerator, tmp_path) as server:
        assert server.loopback and server.address == f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(OSError):
            serve.Server(server.site, port=server.server_port)
    with served(accelerator, tmp_path, host="0.0.0.0") as server:
        assert not server.loopback


def test_outside_a_package_it_says_so(capsys):
    with pytest.raises(SystemExit):
        serve.main(["--serve"])
    assert "is no package: unpack one" in capsys.readouterr().err


@given(
    st.sampled_from(["u1", "<i8", ">i4", "f4", "?", "S3"]),
    st.lists(st.integers(0, 4), max_size=4),
    st.booleans(),
    st.integers(0, 300),
    st.integers(0, 255),
)
def test_arrays_come_back_or_are_refused(dtype, shape, fortran, place, flip):
    """Damaged at a byte (``flip`` 0: cut off there), a file is refused or gives what numpy itself reads."""
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    body = npy(np.asfortranarray(array) if fortran else array)
    np.testing.assert_array_equal(npz.read_npy(body), array)
    place %= len(body)
    changed = body[:place] + (bytes([body[place] ^ flip]) + body[place + 1 :] if flip else b"")
    try:
        found = npz.read_npy(changed)
    except ValueError:
        return
    np.testing.assert_array_equal(found, np.load(io.BytesIO(changed), allow_pickle=False))
