"""MediaPipe Face Mesh's 478 landmarks by name: which index lies where. Left and right are the subject's.

Rows of points run from the image's left to its right unless said otherwise; closed rings do not repeat their first
point.
"""

from __future__ import annotations

COUNT = 478
SURFACE_COUNT = 468

LIP_OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIP_OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
LIP_INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LIP_INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LIPS = tuple(sorted({*LIP_OUTER_UPPER, *LIP_OUTER_LOWER, *LIP_INNER_UPPER, *LIP_INNER_LOWER}))

RIGHT_LID_UPPER = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_LID_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_LID_UPPER = (362, 398, 384, 385, 386, 387, 388, 466, 263)
LEFT_LID_LOWER = (362, 382, 381, 380, 374, 373, 390, 249, 263)
LIDS = tuple(sorted({*RIGHT_LID_UPPER, *RIGHT_LID_LOWER, *LEFT_LID_UPPER, *LEFT_LID_LOWER}))

RIGHT_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
LEFT_BROW = (336, 296, 334, 293, 300, 285, 295, 282, 283, 276)
BROWS = RIGHT_BROW + LEFT_BROW

NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326,
        327, 64, 294, 129, 358, 48, 278, 219, 439, 115, 344, 220, 440)  # fmt: skip

RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS = (33, 133), (362, 263)

RIGHT_IRIS = (468, 469, 470, 471, 472)
LEFT_IRIS = (473, 474, 475, 476, 477)
IRISES = RIGHT_IRIS + LEFT_IRIS

# The face's outline, clockwise in the image from the top of the forehead.
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
