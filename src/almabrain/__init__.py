"""almabrain: from ALMA archive metadata to images with uncertainties and source catalogues."""
