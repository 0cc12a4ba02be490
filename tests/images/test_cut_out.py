import numpy as np

from vitron_ros.images.cut_out import SHADES, cut_out


def test_only_the_pixels_of_the_mask_are_left_before_a_checkerboard():
    rgb = np.full((32, 32, 3), (10, 200, 30), np.uint8)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:16, 8:16], mask[8:16, 16:24] = 255, 128
    image = cut_out(rgb, mask)
    assert image.dtype == np.uint8 and (image[8:16, 8:16] == rgb[0, 0]).all()
    assert set(np.unique(image[mask == 0])) == set(SHADES)
    assert 10 < image[10, 20, 0] < 255
