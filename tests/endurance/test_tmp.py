import numpy as np
from tests.endurance import test_memory as m


def test_slope(sqlite, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(m, "BATCHES", 900)
    monkeypatch.setattr(m, "WARM", 300)
    real = np.polyfit

    def fit(x, y, d):
        out = real(x, y, d)
        open("/tmp/slope.txt", "w").write(f"slope {out} first {y[0]} last {y[-1]} n {len(y)}")
        return out

    monkeypatch.setattr(m.np, "polyfit", fit)
    m.test_two_thousand_batches_with_odd_tails_leave_no_memory_behind_and_one_trace(sqlite, settings, tmp_path)
