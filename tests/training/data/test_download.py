"""Downloads of archives from a real server that breaks connections."""

import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.parity.seeded_dataset import write_dataset
from training.data.datasets import TsvDataset
from training.data.download import download, fetch_by_https, main, unpack, verify

NAME = "3dpw"


class Server:
    """Serves one file; can limit the number of bytes per request."""

    def __init__(self, content: bytes) -> None:
        self.content, self.limit, self.ranges = content, len(content), True
        self.refusal = 0
        self.asked: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.asked.append(wanted)
        if self.refusal:
            handler.send_error(self.refusal)
            return
        if not handler.path.endswith(f"/{NAME}.tar"):
            handler.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(self.content):
            handler.send_error(416)
            return
        rest = self.content[start:]
        handler.send_response(206 if self.ranges else 200)
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        handler.wfile.write(rest[: self.limit])


@pytest.fixture
def server(seeded_data: Path) -> Iterator[Server]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(seeded_data, NAME)
    server = Server(buffer.getvalue())
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture(autouse=True)
def without_azcopy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


def test_data_set_is_downloaded_unpacked_and_verified(server: Server, tmp_path: Path) -> None:
    folder = download(NAME, tmp_path, server.address)
    assert len(TsvDataset(folder / "eval.yaml", 64)) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME]
    download(NAME, tmp_path, server.address)
    assert len(server.asked) == 1


def test_an_interrupted_download_is_resumed(server: Server, tmp_path: Path) -> None:
    server.limit = 100_000
    with pytest.raises(OSError, match="to resume"):
        download(NAME, tmp_path, server.address)
    server.limit = len(server.content)
    folder = download(NAME, tmp_path, server.address, keep=True)
    assert server.asked == ["bytes=0-", "bytes=100000-"]
    assert (tmp_path / f"{NAME}.tar").read_bytes() == server.content
    assert verify(folder) > 0


def test_servers_without_ranges_start_over(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.tar.partial").write_bytes(b"old" * 100)
    server.ranges = False
    fetch_by_https(f"{server.address}/{NAME}.tar", tmp_path / f"{NAME}.tar")
    assert (tmp_path / f"{NAME}.tar").read_bytes() == server.content


def test_a_complete_partial_file_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.tar.partial").write_bytes(server.content)
    fetch_by_https(f"{server.address}/{NAME}.tar", tmp_path / f"{NAME}.tar")
    assert (tmp_path / f"{NAME}.tar").read_bytes() == server.content


def test_missing_archive_is_one_sentence(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mpii", "--root", str(tmp_path), "--server", server.address]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "mpii.tar" in message
    assert "404" in message


@pytest.mark.parametrize("status", [401, 403, 409])
def test_a_refusing_storage_is_reported(server: Server, tmp_path: Path, status: int) -> None:
    server.refusal = status
    with pytest.raises(
        OSError, match=rf"{status}.*currently does not allow that.*azcopy.*--server"
    ):
        download(NAME, tmp_path, server.address)


def test_a_truncated_archive_is_refused(server: Server, tmp_path: Path) -> None:
    archive = tmp_path / f"{NAME}.tar"
    archive.write_bytes(server.content[:3000])
    with pytest.raises(ValueError, match="complete"):
        unpack(archive, tmp_path)


@pytest.mark.parametrize("filtered", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        {"name": "../outside.txt"},
        {"name": "/outside.txt"},
        {"name": "outside.txt", "type": tarfile.SYMTYPE, "linkname": "../outside.txt"},
    ],
)
def test_archive_paths_outside_the_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], *, filtered: bool
) -> None:
    if not filtered:  # as in Python 3.11.2
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    archive, inside = tmp_path / "bad.tar", tmp_path / "in"
    inside.mkdir()
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo()
        for name, value in change.items():
            setattr(info, name, value)
        tar.addfile(info, io.BytesIO(b""))
    with pytest.raises(ValueError, match="outside"):
        unpack(archive, inside)
    assert not list(inside.iterdir())
    assert not (tmp_path / "outside.txt").exists()


@pytest.mark.parametrize("cut", [1, 40])
def test_truncated_tables_are_detected(tmp_path: Path, cut: int) -> None:
    write_dataset(tmp_path)
    table = tmp_path / "eval.label.tsv"
    table.write_bytes(table.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"eval\.label"):
        verify(tmp_path)
