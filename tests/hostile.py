"""Small files that ask for giant amounts of memory, for endless time or for other files.

As a script it writes them into a folder, reads each with little memory and little time, and prints those that were not
refused, or in words that do not name the file. Some are read as the little that they hold, and may be.
"""

import contextlib
import logging
import os
import resource
import socket
import struct
import sys
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

MEMORY, SECONDS = 2**30, 5.0
HARMLESS = ("memo.pth", "inflates", "strip.tif", "deep.tif", "circle.tif", "tag.tif", "whole.mp4")


def pickled(body):
    return b"\x80\x02" + body + b"."


PICKLES = dict(
    memo=b"}r" + struct.pack("<I", 2**26),
    bytearray=b"\x96" + struct.pack("<Q", 2**34),
    bytes=b"\x8e" + struct.pack("<Q", 2**34),
    text=b"\x8d" + struct.pack("<Q", 2**34),
    frame=b"\x95" + struct.pack("<Q", 2**34),
    number=b"\x8b" + struct.pack("<i", 2**31 - 1),
    deep=b"}(" + b")" + b"\x85" * 1_000_000 + b"K\x01u",
    lists=b"]" * 500_000 + b"a" * 499_999,
    itself=b"}q\x00X\x01\x00\x00\x00ah\x00s",
    build=b"ctorch._utils\n_rebuild_parameter\n}X\x01\x00\x00\x00aK\x01sb",
    system=b"cos\nsystem\nX\x07\x00\x00\x00touch xR",
    size=b"ctorch\nSize\n(J\xff\xff\xff\x7ftR",
)


def npy_header(shape, dtype="<f4", order=False):
    text = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


ARRAYS = dict(
    giant=npy_header("(1000000000000, 8, 8)") + bytes(64),
    negative=npy_header("(-3, 8, 8)") + bytes(64),
    overflow=npy_header("(4294967296, 4294967296, 4)") + bytes(64),
    objects=npy_header("(2, 8, 8)", "|O") + pickled(PICKLES["system"]),
    nested=npy_header("(" * 5000 + ")" * 5000) + bytes(64),
    version=b"\x93NUMPY\x03\x00" + struct.pack("<I", 2**31) + bytes(64),
    itemsize=npy_header("(2, 8, 8)", "|S2147483647") + bytes(64),
)


def deflated(megabytes):
    """So many megabytes of zeros as zlib packs them; a block of one is repeated, for that takes no time."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = (megabytes * 2**20 % 65521) << 16 | 1
    return b"\x78\xda" + block * megabytes + b"\x03\0" + struct.pack(">I", adler)


def zip_bomb(announced, megabytes=2048, name=b"a.npy"):
    """An archive of one entry that holds much, and announces what it is told to."""
    packed = deflated(megabytes)[2:-4]
    sizes = struct.pack("<III", 0, len(packed), announced)
    fields = struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", len(name), 0)
    entry = b"PK\3\4" + fields + name + packed
    listed = b"PK\1\2" + struct.pack("<H", 20) + fields + bytes(14) + name
    return entry + listed + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(listed), len(entry), 0)


ARCHIVES = {
    "bomb.npz": zip_bomb(2**31),
    "lies.npz": zip_bomb(100),
    "above.npz": zip_bomb(2**20, 1, b"../../above.npy"),
}


def png(width, height, extra=b"", data=b""):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", data or zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def text_bomb():
    body = b"a\0\0" + deflated(1024)
    return struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))


def animated(count):
    body = struct.pack(">II", count, 0)
    return struct.pack(">I", 8) + b"acTL" + body + struct.pack(">I", zlib.crc32(b"acTL" + body))


def webp(width, height):
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas + b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def tiff(width, height, strip, *, bits=8, counts=None, compression=8, rows=None, next_page=0, tags=()):
    """One page of grey bytes in one strip; `next_page` is the offset of the next, as in a circle."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, compression),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, rows or height),
        (279, 4, 1, len(strip) if counts is None else counts),
        *tags,
    ]
    start = 8 + len(strip) + len(strip) % 2
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    head = b"II*\0" + struct.pack("<I", start) + strip + bytes(len(strip) % 2)
    return head + struct.pack("<H", len(entries)) + body + struct.pack("<I", start if next_page else 0)


def gif(width, height):
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + bytes(6)
        + b","
        + bytes(4)
        + struct.pack("<HHB", width, height, 0)
        + b"\x02\x02\x44\x01\0;"
    )


def bmp(width, height):
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)


PICTURES = {
    "big.png": png(12_000, 12_000),
    "endless.png": png(8, 8, animated(2**31 - 1)),
    "frames.png": png(8, 8, animated(9_000_000)),
    "text.png": png(8, 8, text_bomb()),
    "inflates.png": png(8, 8, animated(2), deflated(1024)),
    "big.webp": webp(2**24, 2**8 - 1),
    "wide.webp": webp(11_000, 11_000),
    "square.webp": webp(16_383, 16_383),
    "big.tif": tiff(2**31 - 1, 2**31 - 1, b"x", next_page=1),
    "wide.tif": tiff(60_000, 60_000, zlib.compress(b"x"), next_page=1),
    "strip.tif": tiff(8, 8, deflated(2048), next_page=1),
    "count.tif": tiff(8, 8, b"x", counts=2**32 - 1, next_page=1),
    "deep.tif": tiff(8, 8, deflated(2048), bits=16, next_page=1),
    "beyond.tif": tiff(8, 8, b"x", counts=2**32 - 1, bits=16, next_page=1),
    "few.png": png(8, 8, animated(100_000)),
    "circle.tif": tiff(8, 8, zlib.compress(bytes(64)), next_page=1),
    "tag.tif": tiff(8, 8, zlib.compress(bytes(64)), tags=[(65000, 4, 2**31, 8)]),
    "strips.tif": tiff(8, 2**26, zlib.compress(bytes(64)), rows=1),
    "big.gif": gif(65_535, 65_535),
    "big.bmp": bmp(100_000, 100_000),
    "negative.bmp": bmp(-8, -100_000),
    "big.pgm": b"P5 1000000 1000000 255\n" + bytes(64),
    "big.pfm": b"Pf 1000000 1000000 -1.0\n" + bytes(64),
    "big.tga": bytes([0, 0, 2]) + bytes(9) + struct.pack("<HHBB", 65_535, 65_535, 24, 0) + bytes(64),
    "plain.ppm": b"P3 8 8 " + b"9" * 1_000_000,
}

PLAYLISTS = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n",
    "net.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile {name}\n",
    "list.mp4": "ffconcat version 1.0\nfile {name}\nduration 1\n",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{name}</BaseURL>'
    '<SegmentBase indexRange="0-1"/></Representation></AdaptationSet></Period></MPD>',
    "redirect.asx": "<ASX version='3'><Entry><Ref href='http://127.0.0.1:{port}/a.mp4'/></Entry></ASX>",
}

CONFIGS = {
    "deep.json": "[" * 100_000,
    "deep.toml": "a = " + "[" * 100_000,
    "number.json": '{"store": "s", "checkpoints": ["a"], "seed": ' + "9" * 5000 + "}",
}

HUB_FIELDS = dict(
    num_frames=("9" * 5000, "1" + "0" * 30, "-1", '"a"', "true", "NaN", "[" * 100_000),
    image_size=("[]", "[[1]]", '{"height": 1e99}', "0", '"a"'),
    id2label=("3", '{"a": "b"}', '{"0": 3}', "[[1]]"),
    layer_norm_eps=("-1", "Infinity", '"a"', "[]"),
)
NAMES = ("../x", "paired_actions/..", "paired_actions/../../../../etc", "synthetic_actions/full/../../..")


def write_video(path):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        for shade in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), shade, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_videos(port):
    """Playlists that name a video beside them or an address, and videos that announce too much."""
    for name in ("whole.mp4", "part.ts"):
        write_video(name)
    for name, text in PLAYLISTS.items():
        Path(name).write_text(text.format(other=Path("part.ts").absolute(), port=port, name="whole.mp4"))
    Path("big.y4m").write_bytes(b"YUV4MPEG2 W20000 H20000 F5:1 Ip A1:1 C420\nFRAME\n" + bytes(100))
    for name, count in (("endless.mp4", 150_000_000), ("many.mp4", 80_000_000)):
        content = bytearray(Path("whole.mp4").read_bytes())
        for box, offset, number in ((b"stsz", 8, 1), (b"stsz", 12, count), (b"stsc", 16, count)):
            place = content.find(box) + offset
            content[place : place + 4] = struct.pack(">I", number)
        Path(name).write_bytes(content)


def write_all(port):
    write_videos(port)
    for name, content in ARCHIVES.items() | PICTURES.items():
        Path(name).write_bytes(content)
    for name, body in PICKLES.items():
        Path(f"{name}.pth").write_bytes(pickled(body))
    for name, content in ARRAYS.items():
        Path(f"{name}.npy").write_bytes(content)
        with zipfile.ZipFile(f"{name}.npz", "w") as archive:
            archive.writestr("a.npy", content)
    for name, text in CONFIGS.items():
        Path(name).write_text(text)
    for field, values in HUB_FIELDS.items():
        for number, value in enumerate(values):
            Path(f"{field}{number}.hub").mkdir()
            Path(f"{field}{number}.hub", "config.json").write_text(f'{{"{field}": {value}}}')
    for name in PICTURES:
        folder = Path(f"{name.replace('.', '-')}s")
        folder.mkdir()
        for number in range(2):
            (folder / f"{number}{Path(name).suffix}").write_bytes(PICTURES[name])


def readers(path):
    """What a user would read a file with."""
    import jaxsal
    from jaxsal.evaluation.config import load_config
    from jaxsal.models.pickles import read_pickled_arrays
    from jaxsal.models.torch.hub import read_hub_config

    if path.suffix == ".hub":
        return [lambda folder: read_hub_config(folder / "model.safetensors")]
    if path.suffix in (".json", ".toml"):
        return [load_config]
    if path.suffix == ".pth":
        return [jaxsal.load, read_pickled_arrays]
    return [jaxsal.read_clip, *([jaxsal.RiseLedger.load, jaxsal.load] if path.suffix == ".npz" else [])]


def open_named(name):
    """Opens a prepared set by a name that leads out of the data folder."""
    from jaxsal.datasets.prepared import find_prepared

    find_prepared(str(name))


def fault(path, read):
    """What is wrong with how a file is read; None where nothing is."""
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
        wrong = None if any(name in str(path).replace("-", ".") for name in HARMLESS) else "accepted"
    except (ValueError, OSError) as error:
        wrong = None if str(path) in str(error) else f"unclear {error!r}"
    except BaseException as error:
        wrong = repr(error)
    spent = time.process_time() - start
    return wrong or (f"{spent:.1f} s" if spent > SECONDS else None)


def main(folder):
    """Reads all; a process that was reached by network says so, too."""
    os.chdir(folder)
    logging.disable()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.1)
        write_all(server.getsockname()[1])
        paths = sorted(Path().iterdir())
        tasks = [(path, read) for path in paths if path.name != "part.ts" for read in readers(path)]
        tasks += [(Path(name), open_named) for name in NAMES]
        import jaxsal.models.torch.unpickler as unpickler

        before = {name: list(vars(value)) for name, value in vars(unpickler).items() if hasattr(value, "__dict__")}
        with Path("/proc/self/statm").open() as file:
            limit = int(file.read().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for path, read in tasks:
            if wrong := fault(path, read):
                print(f"{read.__name__}({path}): {wrong}")
        if before != {name: list(vars(value)) for name, value in vars(unpickler).items() if name in before}:
            print("a file changed the process")
        with contextlib.suppress(TimeoutError):
            server.accept()
            print("a file was asked for by network")
    print(f"{len(tasks)} read")


if __name__ == "__main__":
    main(sys.argv[1])
