"""Thumbnails: by content, within limits, each drawn once."""

import asyncio
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from waterbutler.core import ByteStream, Content, Entry
from waterbutler.core import Path as StoragePath
from waterbutler.core.errors import Corrupted, NotFound, ProviderUnavailable
from waterbutler.thumbnails import Limits, Thumbnail, Thumbnails, making
from waterbutler.thumbnails.cache import Cache, Known
from waterbutler.thumbnails.formats import HEAD, format_of

Image = pytest.importorskip("PIL.Image", reason="needs Pillow: pip install Pillow")
from PIL import ImageCms  # noqa: E402

from waterbutler.thumbnails import drawing  # noqa: E402

FORMATS = ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"]
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def picture(size=(400, 200), mode="RGB"):
    """Red, green over blue, white: a turn shows."""
    image = Image.new("RGB", size)
    half, middle = size[0] // 2, size[1] // 2
    image.paste(RED, (0, 0, half, middle))
    image.paste(GREEN, (half, 0, *size))
    image.paste(BLUE, (0, middle, half, size[1]))
    image.paste(WHITE, (half, middle, *size))
    return image.convert(mode)


def noise(size=(300, 300), mode="RGB"):
    """Does not compress, so that half of the bytes are half of the picture."""
    return Image.frombytes(mode, size, os.urandom(size[0] * size[1] * len(mode)))


def encoded(image, format="PNG", **options):
    output = io.BytesIO()
    image.save(output, format, **options)
    return output.getvalue()


def corners(image):
    """The colours of the four corners, by the nearest of ours."""
    image = image.convert("RGB")
    width, height = image.size
    near = [(4, 4), (width - 5, 4), (4, height - 5), (width - 5, height - 5)]
    names = {"R": RED, "G": GREEN, "B": BLUE, "W": WHITE}

    def nearest(colour):
        return min(
            names, key=lambda it: sum((a - b) ** 2 for a, b in zip(colour, names[it], strict=True))
        )

    return "".join(nearest(image.getpixel(at)) for at in near)


def shown(thumbnail):
    """The picture that a thumbnail is, of the type that it says."""
    assert thumbnail is not None
    image = Image.open(io.BytesIO(thumbnail.data))
    assert thumbnail.media_type == f"image/{image.format.lower()}"
    image.load()
    return image


def bomb(width=40_000, height=40_000):
    """A PNG of a few kilobytes that promises more pixels than fit into memory."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress(bytes(1_000_000), 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


class File:
    """A file of a storage: how often it was opened, what was read of it, whether it was closed."""

    def __init__(self, data, *, name="picture.png", chunk=1000, size=None, error=None, gate=None):
        self.data, self.name, self.chunk, self.size = data, name, chunk, size
        self.error, self.gate = error, gate
        self.opened = self.closed = self.sent = 0
        self.reading = asyncio.Event()

    async def open(self):
        self.opened += 1

        async def chunks():
            self.reading.set()
            if self.gate is not None:
                await self.gate.wait()
            for start in range(0, len(self.data), self.chunk):
                self.sent += len(self.data[start : start + self.chunk])
                yield self.data[start : start + self.chunk]
            if self.error is not None:
                raise self.error

        async def close():
            self.closed += 1

        return Content(
            ByteStream(chunks(), size=self.size, close=close),
            Entry(path=StoragePath.parse(f"/{self.name}"), size=self.size),
        )


@pytest.fixture
def make(io_loop, tmp_path):
    """Makes thumbnails with limits; all share the folder."""
    made = []

    def make(**limits):
        made.append(Thumbnails(tmp_path / "kept", limits=Limits(**limits)))
        return made[-1]

    yield make
    for thumbnails in made:
        io_loop.run_sync(thumbnails.aclose)


@pytest.fixture
def thumbnails(make):
    return make()


@pytest.fixture
def drawn(monkeypatch):
    """Counts the programs that were started."""
    started = []
    start = asyncio.create_subprocess_exec

    async def counted(*args, **kwargs):
        process = await start(*args, **kwargs)
        started.append(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", counted)
    return started


class TestWhatIsDrawn:
    """Through the program, as the server does it."""

    @pytest.mark.parametrize("format", FORMATS)
    async def test_every_format(self, thumbnails, format):
        """Whatever the file is called."""
        file = File(encoded(picture(), format), name="notes.txt")
        small = shown(await thumbnails.get("a", file.open))
        assert (small.size, small.format) == ((256, 128), "JPEG")
        assert corners(small) == "RGBW"
        assert file.closed == 1

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x89PNG",
            b"hello " * 1000,
            b"<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>",
            b"<!DOCTYPE html><script>alert(1)</script>" * 500,
            b"%!PS-Adobe-3.0 EPSF-3.0\n" * 500,
            b"\0\0\1\0\1\0" + bytes(9000),
            b"P6 2 2 255 " + bytes(9000),
        ],
        ids=["empty", "mark", "text", "svg", "html", "eps", "ico", "ppm"],
    )
    async def test_what_is_no_image(self, thumbnails, drawn, data):
        """Is known by its beginning; no program starts, and the rest is not read."""
        file = File(data)
        assert await thumbnails.get("a", file.open) is None
        assert drawn == []
        assert file.sent <= file.chunk
        assert file.closed == 1

    @pytest.mark.parametrize("format", FORMATS)
    async def test_half_an_image(self, thumbnails, format):
        """Gives no half picture, although the storage has no more of it."""
        data = encoded(noise(), format)
        assert await thumbnails.get("half", File(data[: len(data) // 2]).open) is None
        assert await thumbnails.get("whole", File(data).open) is not None

    async def test_a_bomb(self, thumbnails, drawn):
        """A small file that promises a huge picture is measured, and not decoded."""
        data = bomb()
        assert len(data) < 2000
        assert await thumbnails.get("a", File(data).open) is None
        (program,) = drawn
        assert program.returncode == 1

    async def test_more_pixels_than_allowed(self, make):
        """One more is too many."""
        data = encoded(picture((100, 50)))
        assert await make(pixels=5000).get("exact", File(data).open) is not None
        assert await make(pixels=4999).get("more", File(data).open) is None

    async def test_a_program_that_takes_too_long(self, make, drawn, monkeypatch, tmp_path):
        """Is killed, and there is no thumbnail."""
        slow = tmp_path / "slow.py"
        slow.write_text("import time; time.sleep(600)")
        monkeypatch.setattr(making, "_PROGRAM", slow)
        assert await make(seconds=0.2).get("a", File(encoded(picture())).open) is None
        assert drawn[0].returncode == -9

    @pytest.mark.parametrize(
        "program",
        [
            "import os; os.kill(os.getpid(), 11)",
            "import sys; sys.exit(7)",
            "print('<script>')",
            "",
        ],
        ids=["crash", "failure", "no image", "nothing"],
    )
    async def test_a_program_that_breaks(self, make, monkeypatch, tmp_path, program):
        """Takes nothing with it, and what it says is looked at."""
        broken = tmp_path / "broken.py"
        broken.write_text(program)
        monkeypatch.setattr(making, "_PROGRAM", broken)
        assert await make().get("a", File(encoded(picture())).open) is None

    async def test_the_program_knows_no_secrets(self, make, monkeypatch, tmp_path):
        """Of the environment it gets what it needs to start."""
        seen = tmp_path / "seen"
        telling = tmp_path / "telling.py"
        telling.write_text(f"import os; open({str(seen)!r}, 'w').write(repr(dict(os.environ)))")
        monkeypatch.setattr(making, "_PROGRAM", telling)
        monkeypatch.setenv("A_SECRET", "sesame")
        await make().get("a", File(encoded(picture())).open)
        assert "sesame" not in seen.read_text()

    async def test_without_pillow(self, make, monkeypatch):
        """There are none, and nothing is opened."""
        monkeypatch.setattr(making.importlib.util, "find_spec", lambda name: None)
        file = File(encoded(picture()))
        assert await make().get("a", file.open) is None
        assert file.opened == 0


class TestLimitsOfReading:
    async def test_a_size_that_is_too_large(self, make):
        """Nothing is read."""
        file = File(encoded(noise()), size=len(encoded(noise())))
        file.size = len(file.data)
        assert await make(source_bytes=1000).get("a", file.open) is None
        assert (file.sent, file.closed) == (0, 1)

    async def test_a_size_that_is_not_known(self, make):
        """Reading stops at the limit."""
        file = File(encoded(noise()))
        assert await make(source_bytes=10_000).get("a", file.open) is None
        assert file.sent <= 10_000 + file.chunk
        assert file.closed == 1

    async def test_exactly_the_limit(self, make):
        data = encoded(noise())
        assert await make(source_bytes=len(data)).get("a", File(data).open) is not None

    async def test_chunks_of_one_byte(self, thumbnails):
        """The beginning is put together."""
        file = File(encoded(picture((20, 10))), chunk=1)
        assert shown(await thumbnails.get("a", file.open)).size == (20, 10)


class TestErrors:
    async def test_what_the_storage_says(self, thumbnails):
        """Passes through, and the next one asks again."""

        async def gone():
            raise NotFound("There is no such file.")

        with pytest.raises(NotFound):
            await thumbnails.get("a", gone)
        assert await thumbnails.get("a", File(encoded(picture())).open) is not None

    async def test_a_body_that_breaks_off(self, thumbnails, drawn):
        """Is an error and no damaged image."""
        data = encoded(noise())
        file = File(data[:5000], size=len(data))
        with pytest.raises(Corrupted):
            await thumbnails.get("a", file.open)
        failing = File(data[:5000], error=ProviderUnavailable("It is out of order."))
        with pytest.raises(ProviderUnavailable):
            await thumbnails.get("a", failing.open)
        assert (drawn, file.closed, failing.closed) == ([], 1, 1)
        assert await thumbnails.get("a", File(data).open) is not None

    async def test_a_full_disk(self, make, monkeypatch):
        """There is no thumbnail now, and one later."""
        thumbnails = make()
        monkeypatch.setattr(making.tempfile, "TemporaryFile", _no_room)
        file = File(encoded(picture()))
        assert await thumbnails.get("a", file.open) is None
        assert file.closed == 1
        monkeypatch.undo()
        assert await thumbnails.get("a", file.open) is not None

    async def test_no_process(self, make, monkeypatch):
        """When none can be started there is no thumbnail now, and one later."""
        thumbnails = make()
        monkeypatch.setattr(making.sys, "executable", "/nowhere/python")
        file = File(encoded(picture()))
        assert await thumbnails.get("a", file.open) is None
        monkeypatch.undo()
        assert await thumbnails.get("a", file.open) is not None

    async def test_a_program_that_is_stopped(self, make, monkeypatch, tmp_path):
        """As when the server is: it says nothing about the image."""
        thumbnails = make()
        stopped = tmp_path / "stopped.py"
        stopped.write_text("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
        monkeypatch.setattr(making, "_PROGRAM", stopped)
        file = File(encoded(picture()))
        assert await thumbnails.get("a", file.open) is None
        monkeypatch.undo()
        assert await thumbnails.get("a", file.open) is not None


def _no_room(**_):
    raise OSError(28, "No space left on device")


class TestOnce:
    async def test_it_is_kept(self, make):
        """Also by a server that starts anew; nothing is opened then."""
        file = File(encoded(picture()))
        first = await make().get("a", file.open)
        assert await make().get("a", file.open) == first
        assert file.opened == 1
        assert await make().get("b", file.open) is not None
        assert file.opened == 2

    async def test_another_size_is_another(self, make):
        file = File(encoded(picture()))
        await make().get("a", file.open)
        assert shown(await make(side=64).get("a", file.open)).size == (64, 32)

    async def test_that_there_is_none_is_remembered(self, make):
        """For a while."""
        file = File(b"text" * 100)
        thumbnails = make()
        for _ in range(3):
            assert await thumbnails.get("a", file.open) is None
        assert file.opened == 1
        forgetful = make(none_seconds=0)
        for _ in range(2):
            assert await forgetful.get("b", file.open) is None
        assert file.opened == 3

    async def test_at_the_same_time(self, thumbnails, drawn):
        """All who ask for a key get what one of them draws."""
        gate = asyncio.Event()
        files = [File(encoded(picture()), gate=gate) for _ in range(5)]
        asking = [asyncio.create_task(thumbnails.get("a", file.open)) for file in files]
        await files[0].reading.wait()
        gate.set()
        got = await asyncio.gather(*asking)
        assert len({thumbnail.data for thumbnail in got}) == 1
        assert sum(file.opened for file in files) == 1
        assert len(drawn) == 1

    async def test_the_first_one_goes_away(self, thumbnails):
        """Its file is closed, and the next one reads its own."""
        gone, next_ = File(encoded(picture()), gate=asyncio.Event()), File(encoded(picture()))
        first = asyncio.create_task(thumbnails.get("a", gone.open))
        await gone.reading.wait()
        second = asyncio.create_task(thumbnails.get("a", next_.open))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert gone.closed == 1
        assert await second is not None

    async def test_the_first_one_fails(self, thumbnails):
        """The next one is not told of an error that is not its own."""
        gate = asyncio.Event()
        failing = File(b"", gate=gate, error=ProviderUnavailable("It is out of order."))
        file = File(encoded(picture()))
        first = asyncio.create_task(thumbnails.get("a", failing.open))
        await failing.reading.wait()
        second = asyncio.create_task(thumbnails.get("a", file.open))
        gate.set()
        with pytest.raises(ProviderUnavailable):
            await first
        assert await second is not None

    async def test_not_too_many_at_once(self, make):
        """Others wait, before they open anything."""
        thumbnails = make(readings=2)
        gate = asyncio.Event()
        files = [File(encoded(picture()), gate=gate) for _ in range(4)]
        asking = [
            asyncio.create_task(thumbnails.get(str(number), file.open))
            for number, file in enumerate(files)
        ]
        while sum(file.reading.is_set() for file in files) < 2:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert sum(file.opened for file in files) == 2
        gate.set()
        assert None not in await asyncio.gather(*asking)

    async def test_who_gives_up_ends_the_program(self, make, drawn, monkeypatch, tmp_path):
        """Nobody draws for nobody."""
        slow = tmp_path / "slow.py"
        slow.write_text("import time; time.sleep(600)")
        monkeypatch.setattr(making, "_PROGRAM", slow)
        asking = asyncio.create_task(make().get("a", File(encoded(picture())).open))
        while not drawn:
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert drawn[0].returncode == -9

    async def test_nothing_is_left_beside_the_cache(self, make, tmp_path):
        """Files on the way have no names, and only their owner may read what is kept."""
        await make().get("a", File(encoded(picture())).open)
        kept = list((tmp_path / "kept").iterdir())
        assert {path.name.partition("-")[0] for path in kept} == {"thumbnails.sqlite"}
        assert all(path.stat().st_mode & 0o077 == 0 for path in kept)


class TestCache:
    @pytest.fixture
    def clock(self):
        class Clock:
            now = 1000.0

            def __call__(self):
                return self.now

        return Clock()

    @pytest.fixture
    def cache(self, tmp_path, clock):
        cache = Cache(tmp_path / "c" / "cache.sqlite", limit=100_000, none_seconds=60, clock=clock)
        yield cache
        cache.close()

    def test_it_is_bounded(self, cache, clock):
        """What was not used for longest goes first."""
        for number in range(8):
            clock.now += 10
            cache.put(str(number), Thumbnail(bytes(8000), "image/png"))
        assert all(cache.get(str(number)) for number in range(8))
        clock.now += 4000
        assert cache.get("0") is not None
        clock.now += 10
        cache.put("new", Thumbnail(bytes(8000), "image/png"))
        kept = [number for number in range(8) if cache.get(str(number))]
        assert kept == [0, 3, 4, 5, 6, 7]
        assert cache.get("new") is not None

    def test_what_is_larger_than_all_room_is_not_kept(self, cache):
        cache.put("a", Thumbnail(bytes(200_000), "image/png"))
        assert cache.get("a") is None

    def test_none_is_forgotten(self, cache, clock):
        cache.put("a", None)
        clock.now += 59
        assert cache.get("a") == Known(None)
        clock.now += 1
        assert cache.get("a") is None

    def test_that_there_is_none_takes_room_too(self, cache):
        """So their number is bounded."""
        for number in range(50):
            cache.put(str(number), None)
        assert sum(cache.get(str(number)) is not None for number in range(50)) < 25

    def test_a_damaged_file(self, cache, tmp_path):
        """Is made anew."""
        cache.put("a", None)
        cache.close()
        file = tmp_path / "c" / "cache.sqlite"
        file.with_name("cache.sqlite-wal").unlink(missing_ok=True)
        file.write_bytes(b"no database" * 1000)
        assert cache.get("a") is None
        cache.put("a", None)
        assert cache.get("a") == Known(None)

    def test_a_file_that_cannot_be(self, tmp_path):
        """Nothing is kept, and nothing fails."""
        (tmp_path / "c").write_bytes(b"")
        cache = Cache(tmp_path / "c" / "cache.sqlite", limit=1000, none_seconds=60)
        cache.put("a", None)
        assert cache.get("a") is None

    def test_keys_are_not_written_down(self, cache, tmp_path):
        cache.put("a key of somebody", None)
        cache.close()
        assert b"somebody" not in b"".join(path.read_bytes() for path in (tmp_path / "c").iterdir())


def draw(data, *, side=256, pixels=50_000_000):
    """The drawing itself, here and not in its program."""
    drawn = drawing.draw(io.BytesIO(data), format=format_of(data), side=side, pixels=pixels)
    image = Image.open(io.BytesIO(drawn))
    image.load()
    return image


class TestDrawing:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_it_is_upright(self, format, orientation):
        """Whichever way the camera was held."""
        back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how Pillow undoes each of them
        stored = picture()
        if orientation > 1:
            stored = stored.transpose(Image.Transpose(back[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        small = draw(encoded(stored, format, exif=exif))
        assert small.size == (256, 128)
        assert corners(small) == "RGBW"

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_it_says_nothing_of_the_image(self, format):
        """No place, no camera, no comment."""
        exif = Image.Exif()
        exif[0x010F] = "Camera of Alice"
        if format != "TIFF":
            exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
        options = {"exif": exif, "comment": "Comment of Alice", "dpi": (72, 72)}
        data = encoded(picture(), format, **options)
        assert b"Alice" in data
        small = draw(data)
        assert not dict(small.getexif())
        assert set(small.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
    def test_what_shows_through_is_kept(self, mode):
        """As PNG."""
        image = picture(mode="RGBA")
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        options = {}
        format = "PNG"
        if mode == "P":
            image = picture(mode="P")
            options = {"transparency": image.getpixel((0, 0))}
        elif mode != "RGBA":
            image, format = image.convert(mode), "TIFF" if mode == "PA" else "PNG"
        small = draw(encoded(image, format, **options))
        assert (small.format, small.mode) == ("PNG", "RGBA")
        low, _ = small.getchannel("A").getextrema()
        assert low < 10

    def test_alpha_that_hides_nothing(self):
        """Is left out."""
        assert draw(encoded(picture(mode="RGBA"))).format == "JPEG"

    @pytest.mark.parametrize(
        ("format", "mode"),
        [
            *(("TIFF", mode) for mode in ("1", "L", "P", "CMYK", "YCbCr", "I;16", "I", "F")),
            *(("PNG", mode) for mode in ("1", "L", "P", "I;16")),
            *(("JPEG", mode) for mode in ("L", "CMYK", "YCbCr")),
            *(("GIF", mode) for mode in ("1", "L")),
            *(("BMP", mode) for mode in ("1", "L", "P")),
        ],
    )
    def test_every_mode(self, format, mode):
        """That the format has, beside RGB."""
        half = picture(mode="L").point(lambda value: value // 2)
        image = half.convert("I").convert(mode) if mode == "I;16" else half.convert(mode)
        data = encoded(image, format)
        small = draw(data)
        assert (small.format, small.size) == ("JPEG", (256, 128))

    def test_measured_values(self):
        """Are grey from the least to the greatest, so that something is seen."""
        image = Image.new("I;16", (100, 50), 300)
        image.paste(900, (50, 0, 100, 50))
        small = draw(encoded(image, "TIFF"))
        assert small.getpixel((10, 25)) < 10
        assert small.getpixel((90, 25)) > 245
        assert draw(encoded(Image.new("I;16", (9, 9), 7), "TIFF")).getextrema() == (0, 0)

    def test_the_first_frame(self):
        """Of what moves."""
        frames = [Image.new("RGB", (50, 50), colour) for colour in (RED, GREEN, BLUE)]
        for format in ("GIF", "WEBP", "TIFF", "PNG"):
            data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
            assert corners(draw(data)) == "RRRR"

    def test_small_ones_stay_small(self):
        assert draw(encoded(picture((20, 10)))).size == (20, 10)
        assert draw(encoded(picture((3000, 2)))).size == (256, 1)

    def test_colours_are_those_that_are_meant(self):
        """A profile is applied, since it is not passed on."""
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        small = draw(encoded(picture(), icc_profile=lab))
        assert corners(small) == "RGBW"
        assert "icc_profile" not in small.info
        wrong = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        assert corners(draw(encoded(picture(), icc_profile=wrong))) == "RGBW"

    def test_too_many_pixels(self):
        with pytest.raises(drawing.TooManyPixels):
            draw(bomb(10_000, 6000))

    @pytest.mark.parametrize("format", FORMATS)
    def test_wherever_it_ends(self, format):
        """There is the whole picture or none: only what stands behind all pixels may be missing."""
        data = encoded(noise((60, 60)), format)
        whole = draw(data).tobytes()
        for length in {*range(HEAD, 200, 7), *range(200, len(data), 997), len(data) - 100}:
            try:
                cut = draw(data[:length])
            except Exception:
                continue
            assert cut.tobytes() == whole, length


class TestProgram:
    """``python drawing.py``: what it is given, and what it gives."""

    def test_it_needs_nothing_of_the_server(self, tmp_path):
        """It runs from wherever it lies."""
        program = tmp_path / "drawing.py"
        program.write_bytes(Path(drawing.__file__).read_bytes())
        done = run(tmp_path, encoded(picture()), program)
        assert Image.open(io.BytesIO(done.stdout)).size == (64, 32)
        assert (done.returncode, done.stderr) == (0, b"")

    def test_another_format_than_it_was_told(self, tmp_path):
        """Is not read."""
        done = run(tmp_path, encoded(picture(), "GIF"), drawing.__file__)
        assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")

    @pytest.mark.parametrize(
        ("work", "codes"),
        [
            ("bytearray(8 << 30)", {1}),
            ("any(iter(int, 1))", {-9, -24}),
            ("open('big', 'wb').write(bytes(200_000))", {1}),
        ],
        ids=["memory", "time", "output"],
    )
    def test_it_cannot_have_more_than_it_needs(self, tmp_path, work, codes):
        """Whatever an image makes a decoder do, and also when the server is gone meanwhile."""
        program = tmp_path / "program.py"
        program.write_text(
            "import runpy, sys\n"
            f"module = runpy.run_path({drawing.__file__!r})\n"
            f"module['main'].__globals__['draw'] = lambda *_, **__: {work}\n"
            "sys.exit(module['main'](sys.argv[1:]))\n"
        )
        assert run(tmp_path, encoded(picture()), program).returncode in codes


def run(folder, data, program):
    """Run a program on an image as the server does, with one second of time."""
    file = folder / "image"
    file.write_bytes(data)
    with file.open("rb") as source:
        return subprocess.run(
            [sys.executable, "-P", program, *("PNG", "64", "100000", "1", "100000")],
            cwd=folder,
            stdin=source,
            capture_output=True,
            check=False,
        )
