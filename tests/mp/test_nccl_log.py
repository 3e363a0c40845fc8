"""Transports between ranks, as NCCL's log tells them."""

import os
import stat

import pytest

from mp.distributed import nccl_log
from mp.distributed.nccl_log import find_transports, open_nccl_log

# As NCCL 2.14 to 2.28 write them.
LINES = {
    "P2P/CUMEM": "gpu1:99:104 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read",
    "P2P/MNNVL": "[2026-05-05 06:16] g:9:1 [0] NCCL INFO Channel 11/1 : 3[3] -> 4[0] via P2P/MNNVL",
    "P2P/direct": "gpu1:9:1 [4] NCCL INFO Channel 00/0 : 5[5] -> 4[4] via P2P/direct pointer",
    "P2P/IPC": "gpu1:9:1 [4] NCCL INFO Channel 00 : 5[1a000] -> 4[3b000] via P2P/IPC",
    "SHM": "gpu1:9:1 [4] NCCL INFO Channel 09 : 4[4] -> 5[5] via SHM/direct/direct",
    "NET/Socket": "gpu1:9:1 [7] NCCL INFO Channel 14/0 : 15[7] -> 0[0] [send] via NET/Socket/0",
    "NET/IB/GDRDMA": "g:9:1 [7] NCCL INFO Channel 7/0 : 0[0] -> 2[0] [receive] via NET/IB/3/GDRDMA",
}  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_asked(monkeypatch, tmp_path):
    for name in ("NCCL_DEBUG", "NCCL_DEBUG_SUBSYS", "NCCL_DEBUG_FILE", "NCCL_CONF_FILE"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setattr(nccl_log, "SETTINGS", (tmp_path / "nccl.conf",))


@pytest.mark.parametrize("transport", LINES)
def test_a_connection_has_one_transport(transport):
    assert find_transports(LINES[transport]) == (transport,)


def test_many_connections_are_told_by_kind():
    log = "\n".join(["NCCL version 2.28.9+cuda13.0", *LINES.values(), *LINES.values()])
    assert find_transports(log) == tuple(sorted(LINES))


@pytest.mark.parametrize("log", ["", "gpu1:9:1 [0] NCCL INFO Connected all rings", "via P2P/CUMEM"])
def test_a_log_without_connections_tells_nothing(log):
    assert find_transports(log) is None


def test_the_file_is_private_and_gone_once_nccl_has_it_open():
    log = open_nccl_log()
    path = os.environ["NCCL_DEBUG_FILE"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    log.remove_if_open()
    assert os.path.exists(path)
    with open(path, "w") as written:
        print("NCCL version 2.28.9", file=written, flush=True)
        log.remove_if_open()
        assert not os.path.exists(path)
        assert log.transports() is None
        print(LINES["SHM"], file=written, flush=True)
        assert log.transports() == ("SHM",)


@pytest.mark.parametrize("name", ["NCCL_DEBUG", "NCCL_DEBUG_SUBSYS", "NCCL_DEBUG_FILE"])
def test_who_asks_for_a_log_of_their_own_gets_it(name, monkeypatch):
    monkeypatch.setenv(name, "WARN")
    before = dict(os.environ)
    assert open_nccl_log() is None
    assert dict(os.environ) == before


def test_who_asks_for_it_in_nccls_file_gets_it_too():
    nccl_log.SETTINGS[0].write_text("NCCL_DEBUG=WARN\n")
    assert open_nccl_log() is None
    assert "NCCL_DEBUG" not in os.environ


def test_where_no_file_can_be_had_the_ranks_meet_all_the_same(monkeypatch):
    def full(**options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nccl_log.tempfile, "mkstemp", full)
    assert open_nccl_log() is None
    assert "NCCL_DEBUG" not in os.environ
