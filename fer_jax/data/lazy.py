"""Faces that stay in the prepared file: rows of an array there, read when they are asked for."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np


class Rows:
    """Hold some rows of an array u8 `[n, h, w]` or `[n, h, w, c]`, usually a file's, by index.

    It has the shape `[len(index), h, w, c]` and answers to `rows[i]`, to `len` and to
    `numpy.asarray`, which reads them all.
    """

    def __init__(self, array: np.ndarray, index: np.ndarray):
        self.array, self.index = array, np.asarray(index)
        self.shape = (len(self.index), *array.shape[1:], *([1] if array.ndim == 3 else []))
        self.dtype, self.ndim = array.dtype, 4
        self.nbytes = int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: Any) -> np.ndarray:
        rows = np.asarray(self.array[self.index[chosen]])
        return rows.reshape(*np.shape(self.index[chosen]), *self.shape[1:])

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[np.arange(len(self))], dtype)


def map_array(path: Path, name: str) -> np.ndarray | None:
    """Map an array of an npz into memory without reading it; None if it is stored compressed.

    Raises:
      OSError, KeyError, ValueError, zipfile.BadZipFile: the file is damaged or has no such array.
    """
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        member = archive.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        # The place of the bytes stands in the member's own header, of 30 bytes and two names.
        file.seek(member.header_offset)
        header = file.read(30)
        lengths = np.frombuffer(header[26:30], "<u2")
        file.seek(member.header_offset + 30 + int(lengths.sum()))
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
        order = "F" if fortran else "C"
        return np.memmap(path, dtype, "r", offset=file.tell(), shape=shape, order=order)
