"""From a known sky to visibilities and dirty cubes, with ALMA's own antennas, tracks and noise."""
