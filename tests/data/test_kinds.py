"""What kind of data a path holds is seen from its first bytes, whatever it is called."""

import subprocess
import sys

import numpy as np
from astropy.io import fits

from almabrain.data.kinds import kind


def test_kinds(tmp_path):
    (tmp_path / "a.dat").mkdir()
    np.savez(tmp_path / "b.npz", u=np.ones(3))
    groups = fits.GroupData(
        np.ones((2, 1, 3), np.float32), bitpix=-32, parnames=["UU"], pardata=[np.zeros(2)]
    )
    fits.GroupsHDU(groups).writeto(tmp_path / "c.fits")
    fits.PrimaryHDU(np.ones((4, 4))).writeto(tmp_path / "d.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((4, 4)))]).writeto(tmp_path / "e.fits")
    (tmp_path / "f.txt").write_text("nothing")
    found = [kind(path) for path in sorted(tmp_path.iterdir())]
    assert found == ["measurement set", "npz", "uvfits", "fits", "fits", "fits"]


def test_the_workflow_asks_without_the_packages_of_the_stages():
    code = "import almabrain.data.kinds, sys; print(*{'numpy', 'astropy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.strip()
