"""Image formats, recognized by suffix and by their first bytes, without an image library."""

import re
import zlib

_SUFFIXES = {
    "jpeg": ("jpg", "jpeg", "jpe", "jfif", "mpo"),
    "png": ("png", "apng"),
    "webp": ("webp",),
    "gif": ("gif",),
    "bmp": ("bmp",),
    "tiff": ("tif", "tiff"),
    "ppm": ("ppm", "pgm", "pbm", "pnm", "pfm"),
    "jpeg2000": ("jp2", "j2k", "j2c", "jpc", "jpf", "jpx"),
    "heif": ("heif", "heic", "heics", "heifs", "hif"),
    "avif": ("avif", "avifs"),
    "raw": (
        *("3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "kdc"),
        *("mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "rw2", "rwl", "sr2", "srf"),
        *("srw", "x3f"),
    ),
    "jpegxl": ("jxl",),
    "svg": ("svg", "svgz"),
    "psd": ("psd", "psb"),
    "ico": ("ico", "cur"),
    "tga": ("tga", "icb", "vda", "vst"),
}

FORMATS = tuple(_SUFFIXES)
"""The names of formats; `sniff` returns them, and "tiff" for camera files that are TIFF inside."""

HEADER_SIZE = 4096
"""Bytes of a file that `sniff` and `describe_unknown` need; all formats but SVG need 64."""

SUFFIXES = frozenset(f".{suffix}" for suffixes in _SUFFIXES.values() for suffix in suffixes)
"""Lower-case suffixes of the formats that can be read; the content decides about the format."""

# TGA has no signature, so everything that the header must or must not hold is tested: the type, the
# description of the palette, sizes other than 0, bits per pixel, and the flags.
_TGA = (
    rb".(\0[\x02\x0a]\0{5}.{4}(?!\0\0)..(?!\0\0)..[\x0f\x10\x18\x20]"
    rb"|\0[\x03\x0b]\0{5}.{4}(?!\0\0)..(?!\0\0)..[\x08\x10]"
    rb"|\x01[\x01\x09]..(?!\0\0).[\x00\x01][\x0f\x10\x18\x20].{4}(?!\0\0)..(?!\0\0)..\x08)"
    rb"[\x00\x01\x08\x10\x11\x18\x20\x21\x28\x30\x31\x38]"
)

# mif1 and msf1 name the HEIF family only; the compatible brands that follow are more specific.
_MAGIC = (
    # Most other camera files are TIFF; see tiff_directories.py.
    (rb"II(R[OS]|U\0)|MMOR|\0MRM|FOVb|FUJIFILMCCD-RAW|....ftypcrx |II\x1a\0\0\0HEAPCCDR", "raw"),
    (rb"\xff\xd8\xff", "jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "png"),
    (rb"RIFF....WEBP", "webp"),
    (rb"GIF8[79]a", "gif"),
    # "BM" alone also matches text; the reserved bytes and the header's size exclude it.
    (rb"BM.{4}\0{4}.{4}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", "bmp"),
    (rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]|MM\x2a\0|II\0\x2a", "tiff"),
    (rb"P[1-6fF][\s#]", "ppm"),
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "jpegxl"),
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "jpeg2000"),
    (rb"....ftyp(avif|avis|(mif1|msf1).{4}(.{4})*?avi[fs])", "avif"),
    (rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", "heif"),
    (rb"8BPS\0[\x01\x02]\0{6}", "psd"),
    # Type, number of images, and the byte of the first one that is reserved.
    (rb"\0\0[\x01\x02]\0[^\0]\0.{3}[\0\xff]", "ico"),
    (_TGA, "tga"),
    # After the XML declaration, comments and other instructions.
    (
        rb"(\xef\xbb\xbf)?(\s|<\?((?!\?>).)*\?>|<!--((?!-->).)*-->)*+"
        rb"(<!DOCTYPE\s+svg\b|<(\w+:)?svg[\s>/])",
        "svg",
    ),
)

# Common files that are images or are mistaken for them; the message names their format.
_UNSUPPORTED: dict[str, str] = {
    r"%PDF": "PDF",
    r"%!PS|\xc5\xd0\xd3\xc6": "PostScript",
    r"gimp xcf": "GIMP",
    r"qoif": "QOI",
    r"DDS ": "DirectDraw surface",
    r"v/1\x01": "OpenEXR",
    r"#\?(RADIANCE|RGBE)": "Radiance HDR",
    r"SIMPLE  =": "FITS",
    r".{128}DICM": "DICOM",
    r"II\xbc\x01": "JPEG XR",
    r"P7\n": "PAM",
    r"AT&TFORM": "DjVu",
    r"BPG\xfb": "BPG",
    r"icns": "Apple icon",
    r"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF": "Windows metafile",
    r"....(ftyp|wide|mdat|moov)|RIFF....AVI |\x1aE\xdf\xa3|\0\0\x01[\xb3\xba]|FLV\x01": "video",
    r"0&\xb2u\x8ef\xcf\x11": "video",
    r"ID3|RIFF....WAVE|fLaC|OggS": "audio",
    r"\s*<(!doctype )?html": "HTML page",
    r"\s*<(svg|\?xml)": "SVG or XML",
    r"PK\x03\x04": "ZIP archive",
    r"\x1f\x8b|Rar!\x1a|7z\xbc\xaf": "archive",
    r"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "office document",
    r"version https://git-lfs": "Git LFS pointer, whose content was not fetched",
    r"\0\x05\x16[\0\x07]": "AppleDouble, the metadata of another file",
}


def sniff(head: bytes) -> str | None:
    """Return the format by a file's first HEADER_SIZE bytes, or None if it is not supported."""
    if (text := _as_plain_text(head)) is not None:
        return "svg" if sniff(text) == "svg" else None
    for magic, name in _MAGIC:
        if re.match(magic, head, re.DOTALL):
            return name
    return None


def _as_plain_text(head: bytes) -> bytes | None:
    """The start of a text that is compressed or in UTF-16, as SVG may be; None for other files."""
    if head.startswith(b"\x1f\x8b"):
        try:
            return zlib.decompressobj(31).decompress(head, HEADER_SIZE)
        except zlib.error:
            return b""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore").encode("utf-8", "ignore")
    return None


def suffixes_of(name: str) -> tuple[str, ...]:
    """Return the lower-case suffixes of a format, with their dots."""
    return tuple(f".{suffix}" for suffix in _SUFFIXES[name])


def format_named(name: str) -> str | None:
    """Return the format's name by that name or one of its suffixes, in any case, or None."""
    name = name.strip().lower().removeprefix(".")
    for known, suffixes in _SUFFIXES.items():
        if name == known or name in suffixes:
            return known
    return None


def describe_unknown(head: bytes) -> str:
    """Say what a file is that `sniff` does not recognize, by its first HEADER_SIZE bytes."""
    if not head:
        return "the file is empty"
    if not head.strip(b"\0"):
        return "not an image: the file begins with zeros only"
    for magic, name in _UNSUPPORTED.items():
        if re.match(magic.encode("ascii"), head, re.DOTALL | re.IGNORECASE):
            return f"unsupported format: {name}"
    return "not an image in a known format"
