import memory
import startup


def test_a_start_has_an_empty_cache_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    environment = startup.start_environment(tmp_path)
    assert environment["XDG_CACHE_HOME"] == str(tmp_path)
    assert "JAX_COMPILATION_CACHE_DIR" not in environment


def test_table_of_starts():
    rows = [startup.summary("--help", [0.5, 0.9, 0.6]), startup.summary("explain, cold", [20.0])]
    assert startup.table(rows).splitlines()[2:] == [
        "| --help | 0.60 (0.50 to 0.90) | 3 | 1 |",
        "| explain, cold | 20.00 (20.00 to 20.00) | 1 |  |",
    ]


def test_table_of_memory():
    runs = [dict(peak_mb=peak, program_mb=0.5, ledger_mb=34.3) for peak in (410.0, 430.0, 420.0)]
    (line,) = memory.table([memory.summary(1_000_000, runs)]).splitlines()[2:]
    assert line == "| 1,000,000 | 420 (410 to 430) | 0.50 | 34.30 |"
